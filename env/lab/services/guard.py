"""Cleans up after a Python process, however that process ends.

A guard is started with every session (one a Python process that holds services) and reads its
standard input, a pipe whose other end only that process holds. The pipe closes when the process
ends, kill -9 included; then the guard kills what still carries the session's mark, removes its
containers and its folder, and ends. Nothing has to be registered beforehand, so there is no moment
at which a thing exists that the guard does not know of. It does for processes and containers alike
what testcontainers' Ryuk does for containers, without an image of its own.

Usage: guard.py SESSION FOLDER
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from pathlib import Path

if __name__ == "__main__" and hasattr(os, "fork") and os.fork():
    # Whoever kills the holder with all its children, as a runner does at a time limit, must not
    # find the guard among them. This is done before the slow imports: the holder waits for it.
    os._exit(0)

import psutil

MARK = "LAB_SESSION"
LABEL = "lab.session"


def marked(session: str, folder: str) -> list[psutil.Process]:
    """Processes of the session, with their descendants.

    They are known by their environment, by the session's folder on their command line, or by
    working in it: PostgreSQL overwrites the environment that the system shows, Redis the command
    line too.
    """
    found: dict[int, psutil.Process] = {}
    real = os.path.realpath(folder)
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            mine = process.environ().get(MARK) == session
        except (psutil.Error, OSError):
            mine = False
        try:
            mine = mine or any(folder in word for word in process.cmdline())
            mine = mine or Path(process.cwd()).is_relative_to(real)
            if mine:
                for one in [process, *process.children(recursive=True)]:
                    found[one.pid] = one
        except (psutil.Error, OSError):
            continue
    found.pop(os.getpid(), None)
    return list(found.values())


def kill(session: str, folder: str) -> None:
    """Kill the session's processes; what forked meanwhile is caught by another look."""
    for _ in range(5):
        processes = marked(session, folder)
        for process in processes:
            try:
                process.kill()
            except psutil.Error:
                continue
        if not processes:
            return
        psutil.wait_procs(processes, timeout=2)


def remove_containers(session: str) -> None:
    """Remove the session's containers with their volumes, if a Docker engine answers."""
    try:
        import docker
        from docker.errors import DockerException
    except ImportError:
        return
    try:
        client = docker.from_env(timeout=8)
        for container in client.containers.list(
            all=True, ignore_removed=True, filters={"label": f"{LABEL}={session}"}
        ):
            container.remove(force=True, v=True)
    except (DockerException, OSError):
        return


def main() -> None:
    session, folder = sys.argv[1:3]
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    # The holder says "containers" when it creates its first, so that none is looked for in vain,
    # and "remove FILE" before a server makes a file outside the session's folder.
    said = sys.stdin.buffer.read().decode(errors="surrogateescape").splitlines()
    kill(session, folder)
    for line in said:
        if line.startswith("remove "):
            Path(line.removeprefix("remove ")).unlink(missing_ok=True)
    if "containers" in said:
        remove_containers(session)
        # A create that was on its way when the holder died lands a moment later.
        time.sleep(1)
        remove_containers(session)
    for _ in range(20):
        shutil.rmtree(folder, ignore_errors=True)
        if not Path(folder).exists():
            return
        time.sleep(0.2)


if __name__ == "__main__":
    main()
