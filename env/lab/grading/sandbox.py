"""The rooms that processes are shut in, seen from outside: what they may see, and how to end them.

Two rooms serve a grader: one for students' code, one for the tests. Both are `bwrap` rooms of the
same make, because a checker reads what a stranger sent and should be able to harm nobody either.
"""

from __future__ import annotations

import base64
import contextlib
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from lab import paths
from lab.errors import LabError
from lab.grading import check, forkserver
from lab.grading.course import Assignment, Limits

NOBODY = 65534
READY_SECONDS = 180
IMAGE = "lab-sandbox:empty"
THREADS = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "ARROW_IO_THREADS"), "1"
)


# Python may have been called by a path with `..` in it, which a room does not have.
PYTHON, ENVIRONMENT = os.path.normpath(sys.executable), Path(os.path.normpath(sys.prefix))


class RoomFailed(Exception):
    """A room did not open, or closed by itself; the text is for the instructor."""


# --- what there is on this machine --------------------------------------------------------------


def choose(unsafe: bool = False) -> str:
    """The kind of room that this machine can have: "bwrap", "container" or, if allowed, "unsafe".

    Raises:
        LabError: there is none, and `unsafe` was not asked for.
    """
    forced = os.environ.get("LAB_SANDBOX")
    if forced not in (None, "bwrap", "container"):
        raise LabError(f"LAB_SANDBOX is {forced!r}; it may be bwrap or container.")
    if unsafe and not forced:
        if sys.platform == "win32":
            raise LabError("Grading needs Unix sockets: use WSL 2 on Windows.")
        return "unsafe"
    why = []
    if sys.platform == "linux":
        for kind, problem in (("bwrap", bwrap_problem), ("container", container_problem)):
            if forced in (None, kind):
                found = problem()
                if found is None:
                    return kind
                why.append(found)
    else:
        why.append("a sandbox needs Linux (on Windows: WSL 2)")
    raise LabError(
        f"No sandbox here, and students' code must not run without one: {'; '.join(why)}. "
        f"Install bubblewrap (`apt-get install bubblewrap`), or say `--unsafe` to run their code "
        f"as you, with all your files in reach."
    )


@cache
def bwrap_problem() -> str | None:
    """Why bubblewrap can't be used, or None."""
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed"
    trial = [*bwrap_command(None), "true"]
    done = subprocess.run(trial, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        return f"bubblewrap does not work here ({(done.stderr.strip() or 'no reason given')[:200]})"
    return None


@cache
def container_problem() -> str | None:
    """Why a container engine can't be used, or None."""
    if shutil.which("docker") is None:
        return "there is no container engine"
    done = subprocess.run(["docker", "info"], capture_output=True, stdin=subprocess.DEVNULL)
    return "the container engine does not answer" if done.returncode else None


# --- what a room holds --------------------------------------------------------------------------


def system_folders() -> tuple[list[Path], dict[str, str]]:
    """The machine's own software: folders to bind, and links as they are here."""
    folders, links = [Path("/usr")], {}
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        path = Path("/") / name
        if path.is_symlink():
            links[str(path)] = str(path.readlink())
        elif path.is_dir():
            folders.append(path)
    return folders, links


def course_folders() -> list[Path]:
    """Python, the environment, the `lab` package and the data: what a notebook imports and loads.

    Neither the solutions nor the gradebook nor what was handed in are among them.
    """
    wanted = [
        Path(sys.base_prefix), Path(sys.base_prefix).resolve(), ENVIRONMENT, paths.ENV,
        paths.DATASETS, paths.cache(),
    ]  # fmt: skip
    return [path for path in dict.fromkeys(wanted) if path.exists()]


def environment(role: str) -> dict[str, str]:
    """The only variables a room has."""
    return {
        "PATH": f"{ENVIRONMENT / 'bin'}:/usr/local/bin:/usr/bin:/bin",
        "HOME": "/tmp/work",
        "LANG": "C.UTF-8",
        "LAB_CACHE": str(paths.cache()),
        "LAB_SERVICES": "processes",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline" if role == "student" else "Agg",
        "MPLCONFIGDIR": "/tmp/matplotlib",
        "IPYTHONDIR": "/tmp/ipython",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONWARNINGS": "ignore",
        # DuckDB plans in thousands of small pieces, far more than the seven that glibc keeps ready.
        "GLIBC_TUNABLES": "glibc.malloc.tcache_count=60000",
        **THREADS,
    }


def bwrap_command(folder: Path | None, role: str = "student") -> list[str]:
    """The command line of a bubblewrap room, up to the program in it.

    Args:
        folder: holds `passwd`, `group` and `hosts`; None for a trial.
        role: whose variables it gets.
    """
    folders, links = system_folders()
    command = ["bwrap", "--die-with-parent", "--new-session", "--unshare-pid", "--unshare-net",
               "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--hostname", "sandbox",
               "--clearenv", "--cap-drop", "ALL"]  # fmt: skip
    if os.getuid() == 0:
        # Root binds what only root can read; the first thing that the program does is to be nobody.
        for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SYS_ADMIN"):
            command += ["--cap-add", capability]
    else:
        command += ["--unshare-user", "--uid", str(NOBODY), "--gid", str(NOBODY)]
    for path in folders:
        command += ["--ro-bind", str(path), str(path)]
    for link, target in links.items():
        command += ["--symlink", target, link]
    command += ["--dir", "/etc"]  # a folder that bwrap makes by itself is for root only
    for name in ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime",
                 "fonts", "mime.types", "nsswitch.conf"):  # fmt: skip
        command += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    command += ["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/tmp"]
    for path in course_folders():
        for parent in reversed(path.parents[:-1]):
            command += ["--dir", str(parent)]
        command += ["--ro-bind", str(path), str(path)]
    if folder is not None:
        for name in ("passwd", "group", "hosts"):
            command += ["--ro-bind", str(folder / name), f"/etc/{name}"]
    for name, value in environment(role).items():
        command += ["--setenv", name, value]
    return [*command, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/tmp", "--"]


def container_command(folder: Path, name: str, limits: Limits) -> list[str]:
    """The command line of a container that holds this machine's software, read-only."""
    folders, _ = system_folders()
    command = ["docker", "run", "--rm", "-i", "--name", name, "--network", "none", "--read-only",
               "--user", f"{NOBODY}:{NOBODY}", "--cap-drop", "ALL",
               "--security-opt", "no-new-privileges", "--pids-limit", str(limits.processes),
               "--memory", f"{limits.memory_mb}m", "--memory-swap", f"{limits.memory_mb}m",
               "--tmpfs", f"/tmp:rw,exec,size={limits.disk_mb}m,mode=1777",
               "--shm-size", "64m", "--workdir", "/tmp"]  # fmt: skip
    etc = [Path("/etc/ld.so.cache"), Path("/etc/alternatives"), Path("/etc/localtime")]
    for path in [*folders, *course_folders(), *(path for path in etc if path.exists())]:
        command += ["--volume", f"{path}:{path}:ro"]
    for each in ("passwd", "group"):
        command += ["--volume", f"{folder / each}:/etc/{each}:ro"]
    for key, value in environment("student").items():
        command += ["--env", f"{key}={value}"]
    return [*command, IMAGE]


def make_image() -> None:
    """An image with nothing in it but the links that a Linux root has; made where it is missing."""
    known = subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True)
    if known.returncode == 0:
        return
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name in ("etc", "usr", "tmp", "proc", "dev", "sys"):
            entry = tarfile.TarInfo(name)
            entry.type = tarfile.DIRTYPE
            entry.mode = 0o1777 if name == "tmp" else 0o755  # a tmpfs there takes its mode
            archive.addfile(entry)
        for link, target in system_folders()[1].items():
            entry = tarfile.TarInfo(link.lstrip("/"))
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
    done = subprocess.run(
        ["docker", "import", "-", IMAGE], input=data.getvalue(), capture_output=True
    )
    if done.returncode:
        raise LabError(f"The sandbox's image could not be made: {done.stderr.decode().strip()}")


def furnish(folder: Path) -> None:
    """Write what a room binds from a folder of its own."""
    folder.chmod(0o755)
    (folder / "passwd").write_text(f"nobody:x:{NOBODY}:{NOBODY}:nobody:/tmp/work:/bin/sh\n")
    (folder / "group").write_text(f"nogroup:x:{NOBODY}:\n")
    (folder / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    for path in folder.iterdir():
        path.chmod(0o644)


# --- rooms --------------------------------------------------------------------------------------


class Room:
    """A running fork server in its walls, and the one child that it has at a time.

    Args:
        kind: from `choose`.
        role: "student" or "checker".
        assignment: what it is for.
        once: the room is for a single submission, which then needs no walls inside the room.
    """

    def __init__(self, kind: str, role: str, assignment: Assignment, *, once: bool = False) -> None:
        self.kind, self.role, self.assignment, self.once = kind, role, assignment, once
        self.folder = Path(tempfile.mkdtemp(prefix="lab-room-"))
        self.process: subprocess.Popen[bytes] | None = None
        self.control: socket.socket | None = None
        self.name = f"lab-room-{uuid.uuid4().hex[:12]}"
        self.busy = False
        self.failed: list[str] = []
        self.base_mb = 0.0
        """Memory of the room before anything happens in it."""

    @property
    def contained(self) -> bool:
        """Whether it has files, processes and a user of its own."""
        return self.kind == "bwrap" or (self.kind == "container" and self.role == "student")

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def begin(self, preload: list[str]) -> None:
        """Start it, and tell it what to import."""
        furnish(self.folder)
        limits = self.assignment.limits
        program = [PYTHON, "-P", "-m", "lab.grading.forkserver",
                   "once" if self.once else "serve", self.role, self.kind]  # fmt: skip
        variables = None
        if self.kind == "bwrap":
            command = [*bwrap_command(self.folder, self.role), *program]
        elif self.kind == "container" and self.role == "student":
            make_image()
            command = [*container_command(self.folder, self.name, limits), *program]
        else:
            command = program
            variables = {**environment(self.role), "HOME": str(self.folder)}
        mine, its = socket.socketpair()
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the room
        self.process = subprocess.Popen(
            command, stdin=its, stdout=its if self.once else self.log, stderr=self.log,
            env=variables, start_new_session=True,
        )  # fmt: skip
        its.close()
        self.control = mine
        mine.settimeout(READY_SECONDS)
        told: dict[str, Any] = {
            "preload": preload, "limits": asdict(limits), "contained": self.contained,
            "home": str(self.folder), "nested": self.kind == "bwrap" and not self.once,
            "files": {
                name: base64.b64encode(data).decode()
                for name, data in self.assignment.files.items()
            },
            "under_tmp": [str(p) for p in course_folders() if Path("/tmp") in p.parents],
        }  # fmt: skip
        if self.role == "checker":
            told["assignment"] = check.dump(self.assignment)
        with contextlib.suppress(OSError):  # `wait` finds out what happened
            forkserver.send(mine, told)

    def wait(self) -> None:
        """Wait until it has imported what it should.

        Raises:
            RoomFailed: it did not start.
        """
        assert self.control is not None
        try:
            got = forkserver.receive(self.control)
        except (OSError, EOFError, ValueError) as error:
            raise RoomFailed(f"{error} {self.said()}") from error
        if got is None or not got[0].get("ready"):
            raise RoomFailed(self.said() or "it ended without a word")
        self.failed = got[0]["failed"]
        if self.contained:
            # What is bound stays readable inside; so nothing is left when the grader is killed.
            shutil.rmtree(self.folder)
        if self.kind == "bwrap":
            self.base_mb = weight_mb(self.pid)

    def said(self) -> str:
        self.log.seek(0)
        return self.log.read()[-1500:].decode(errors="replace").strip()

    def start(self, fds: list[int]) -> None:
        """Fork a child with these lines.

        Raises:
            RoomFailed: the room is gone, or the child could not get its walls.
        """
        assert self.control is not None
        message = {"op": "start"}
        try:
            forkserver.send(self.control, message, fds)
            got = forkserver.receive(self.control)
        except (OSError, EOFError) as error:
            raise RoomFailed(f"the {self.role}'s room broke ({error}) {self.said()}") from error
        if got is None:
            raise RoomFailed(f"the {self.role}'s room closed: {self.said()}")
        if "started" not in got[0]:
            raise RoomFailed(f"the {self.role}'s walls could not be built: {got[0].get('failed')}")
        self.busy = True

    def take_end(self) -> int | None:
        """The end of the child, if it was told; to be called when the control line can be read."""
        assert self.control is not None
        try:
            got = forkserver.receive(self.control)
        except (OSError, EOFError):
            got = None
        self.busy = False
        return None if got is None else got[0].get("ended")

    def end_child(self) -> None:
        """End the child with all that it started, and wait until it is gone."""
        if self.busy and self.control is not None:
            with contextlib.suppress(OSError):
                forkserver.send(self.control, {"op": "end"})
            self.take_end()

    def close(self) -> None:
        """End the room with all that is in it."""
        if self.control is not None:
            self.control.close()
        if self.process is not None:
            if self.kind == "container" and self.role == "student":
                subprocess.run(["docker", "kill", self.name], capture_output=True)
            if self.kind == "unsafe":
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.process.pid, signal.SIGKILL)
            self.process.kill()
            self.process.wait()
            self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def family(pid: int) -> Iterator[Path]:
    """The folders under /proc of a process and all below it."""
    waiting = [pid]
    while waiting:
        each = Path("/proc") / str(waiting.pop())
        yield each
        with contextlib.suppress(OSError):  # it ended meanwhile
            for task in (each / "task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]


def _sum_mb(pid: int, file: str, names: tuple[str, str]) -> float:
    """The sum of two figures in kB, from a file that each process of a family has under /proc."""
    total = 0
    for each in family(pid):
        with contextlib.suppress(OSError):
            for line in (each / file).read_text().splitlines():
                if line.startswith(names):
                    total += int(line.split()[1])
    return total / 1024


def weight_mb(pid: int) -> float:
    """Memory of a process and all below it, shared pages divided among those who share them."""
    return _sum_mb(pid, "smaps_rollup", ("Pss:", "SwapPss:"))


def outweighs(pid: int, limit_mb: float) -> bool:
    """Whether a process and all below it have more memory than they may.

    Dividing the shared pages takes the kernel milliseconds, so it is asked for only where counting
    them once a process, which is never less, goes over the limit.
    """
    at_most = _sum_mb(pid, "status", ("VmRSS:", "VmSwap:"))
    return at_most > limit_mb and weight_mb(pid) > limit_mb
