"""What one Python process holds: its ports, its folder and its guard."""

from __future__ import annotations

import atexit
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from lab.errors import LabError
from lab.services import guard

# Below the range that systems hand out for outgoing connections (from 32768 on Linux, 49152
# elsewhere).
PORTS = range(20000, 32000)


class Session:
    """The services of one Python process, known to its guard by one mark.

    `Session.current()` gives the process's own; a forked child gets another.
    """

    _current: Session | None = None

    @classmethod
    def current(cls) -> Session:
        if cls._current is None or cls._current.pid != os.getpid():
            cls._current = cls()
            atexit.register(cls._current.close)
        return cls._current

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.id = f"{self.pid:x}{random.SystemRandom().getrandbits(48):012x}"
        self.folder = Path(tempfile.mkdtemp(prefix=f"lab-{self.id}-"))
        # A server that runs as another user has to reach its own folder below.
        self.folder.chmod(0o711)
        self.on_close: list[Callable[[], None]] = []
        self._held: dict[int, socket.socket] = {}
        own = {k: v for k, v in os.environ.items() if k != guard.MARK}
        detached = (
            {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
            if os.name == "nt"
            else {"start_new_session": True}
        )
        self._guard = subprocess.Popen(
            [sys.executable, "-E", guard.__file__, self.id, str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=own,
            cwd=tempfile.gettempdir(),
            **detached,
        )
        if os.name == "posix":
            # It has detached itself by a fork; what we started ends at once.
            self._guard.wait()
        # What the process starts from here on carries the mark, dbt or a helper script included.
        os.environ[guard.MARK] = self.id

    @property
    def labels(self) -> dict[str, str]:
        """The labels of the session's containers."""
        return {guard.LABEL: self.id}

    def uses_containers(self) -> None:
        """Tell the guard to look for containers too. Call before the first is created."""
        assert self._guard.stdin is not None
        self._guard.stdin.write(b"containers\n")
        self._guard.stdin.flush()

    def will_remove(self, files: list[Path]) -> None:
        """Tell the guard of files outside the session's folder. Call before they are made."""
        assert self._guard.stdin is not None
        for file in files:
            self._guard.stdin.write(f"remove {file}\n".encode())
        self._guard.stdin.flush()

    def make_folder(self, name: str) -> Path:
        """A new folder below the session's own."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))

    def take_port(self) -> int:
        """A TCP port on loopback that is free, and that no other session will take.

        The UDP port of the same number is held for the session's life: it is the claim that other
        sessions see, it needs no file, and it falls with the process. Servers here use TCP only.
        """
        candidates = random.SystemRandom().sample(PORTS, 500)
        for port in candidates:
            claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                claim.bind(("127.0.0.1", port))
                for host in ("127.0.0.1", "0.0.0.0"):
                    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
                        probe.bind((host, port))
            except OSError:
                claim.close()
                continue
            self._held[port] = claim
            return port
        raise LabError(
            f"no free port on 127.0.0.1 between {PORTS.start} and {PORTS.stop}: "
            "500 were tried and all are taken; stop what listens there and try again."
        )

    def give_port(self, port: int) -> None:
        """Give a port back."""
        if claim := self._held.pop(port, None):
            claim.close()

    def close(self) -> None:
        """Stop all services, then let the guard sweep and wait for it."""
        if os.getpid() != self.pid or self._guard.stdin is None:
            return
        for stop in list(reversed(self.on_close)):
            stop()
        for port in list(self._held):
            self.give_port(port)
        self._guard.stdin.close()
        deadline = time.monotonic() + 10
        # The folder is the last thing that the guard removes.
        while self.folder.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        shutil.rmtree(self.folder, ignore_errors=True)
        os.environ.pop(guard.MARK, None)
        type(self)._current = None
