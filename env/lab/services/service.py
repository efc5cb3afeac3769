"""What every service shares: two ways, a start that waits, and an end that leaves nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import psutil

from lab import images
from lab.console import say
from lab.errors import LabError
from lab.services.session import Session

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

WAYS = ("auto", "containers", "processes")


@dataclass
class Process:
    """A server as a local process.

    `prepare` are commands, each with its standard input, to run to their end before the first
    start. `user` is whom to become where the server refuses to run as root. `stop` is the signal
    that ends it in good order, `None` where it has none worth waiting for. `litter` are files that
    it makes outside its folder. `says` tells which server it is, where that is not the one that the
    title names.
    """

    command: list[str]
    prepare: list[tuple[list[str], str]] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    user: str | None = None
    stop: signal.Signals | None = signal.SIGTERM
    litter: list[Path] = field(default_factory=list)
    says: str = ""


class Service(ABC):
    """A real server that lives as long as its `with` block, or its Python process.

    A subclass says how to have it as a container and as a process, and when it is ready; the rest
    is here. `ports` maps a name to the port inside the container; `self.port[name]` is the port on
    127.0.0.1, the same both ways, and kept over `crash` and `restart`. `inner_ports` names those
    that only the parts of a process use among themselves; they are in `self.port` too.

    Args:
        way: "container" or "process"; by default what `LAB_SERVICES` says (`auto`, `containers` or
            `processes`). `auto` takes the container where an engine answers and the image is there
            or can be pulled, and the process otherwise.

    Raises:
        LabError: if it cannot be had that way, or does not get ready in `ready_in` seconds.
    """

    title: ClassVar[str]
    image: ClassVar[str]
    ports: ClassVar[dict[str, int]]
    inner_ports: ClassVar[tuple[str, ...]] = ()
    ready_in: ClassVar[float] = 60

    def __init__(self, *, way: str | None = None) -> None:
        if way not in (None, "container", "process"):
            raise LabError(f"{self.title}: way={way!r} is neither 'container' nor 'process'.")
        self._wanted = way
        self.way = ""
        self.why = ""
        self.port: dict[str, int] = {}
        self.folder = Path()
        self.start_seconds = 0.0
        self._container: DockerContainer | None = None
        self._process: Process | None = None
        self._popen: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def container(self, image: str) -> DockerContainer:
        """The container to start, from `image`; the base class binds its ports to loopback."""

    @abstractmethod
    def process(self) -> Process:
        """The process to start, listening on `self.port` and keeping its data in `self.folder`."""

    @abstractmethod
    def check(self) -> None:
        """Do one real piece of work against the server; an error means that it is not ready."""

    def addresses(self) -> dict[str, str]:
        """What a person needs to reach the server by hand (`lab services` prints it)."""
        return {name: f"127.0.0.1:{port}" for name, port in self.port.items()}

    # --- life

    def start(self) -> Self:
        """Start the server and wait until it has answered a real query."""
        if self.way:
            raise LabError(
                f"{self.title} is running already; make a second object for a second server."
            )
        session = Session.current()
        started = time.monotonic()
        session.on_close.append(self.stop)
        try:
            self._start(session)
        except BaseException:
            self.stop()
            raise
        self.start_seconds = time.monotonic() - started
        say(f"{self.title}: {self.way} ({self.why})")
        self._report(session)
        return self

    def _start(self, session: Session) -> None:
        forced = self._wanted or {"containers": "container", "processes": "process"}.get(mode())
        if forced == "process":
            self.why = "as asked"
            self._start_process(session)
            return
        try:
            chosen = images.obtain(self.image)
            self.why = chosen.says
            self._start_container(session, chosen.reference)
            return
        except LabError as reason:
            if forced == "container":
                raise
            # `auto`: the process serves just as well, and the line of output says why it was taken.
            self._drop()
            self.why = str(reason).split(": ", 1)[-1].split(";")[0].rstrip(".")
        self._start_process(session)

    def _start_container(self, session: Session, image: str) -> None:
        import docker.errors

        _settle_testcontainers()
        session.uses_containers()
        self.port = {name: session.take_port() for name in self.ports}
        self.way = "container"
        try:
            container = self._container = self.container(image)
            # These and no others: a port that a module exposes by itself would be open to the
            # network.
            container.ports = {
                str(inside): ("127.0.0.1", self.port[name]) for name, inside in self.ports.items()
            }
            # Its own waits for a first answer do not notice that a server has died; `_wait` does.
            container._wait_strategy = None
            container._connect = lambda: None
            container._kwargs = {
                **container._kwargs,
                "labels": {**container._kwargs.get("labels", {}), **session.labels},
                "mem_limit": images.manifest()[self.image].memory,
            }
            container.start()
        except (docker.errors.DockerException, OSError, RuntimeError, TimeoutError) as error:
            raise LabError(
                f"{self.title}: the container from {image} did not start: {_first_line(error)}; "
                f"try `docker run --rm {image}` by hand, or LAB_SERVICES=processes.{self._tail()}"
            ) from error
        self._wait()

    def _start_process(self, session: Session) -> None:
        self.way = "process"
        self.folder = session.make_folder(type(self).__name__.lower())
        attempts, why = 3, self.why
        for attempt in range(1, attempts + 1):
            self.port = {name: session.take_port() for name in [*self.ports, *self.inner_ports]}
            process = self._process = self.process()
            session.will_remove(process.litter)
            self.why = "; ".join(filter(None, [why, process.says]))
            self._own_folder()
            if attempt == 1:
                for command, text in process.prepare:
                    self._run(command, text)
            self._spawn()
            try:
                self._wait()
                return
            except LabError:
                # Something else may have taken the port between our look and the bind.
                if attempt == attempts or not _port_taken(self.log()):
                    raise
                self._drop_process()
                self._give_ports()

    def _own_folder(self) -> None:
        user = self._process.user if self._process else None
        if user:
            for path in [self.folder, *self.folder.rglob("*")]:
                shutil.chown(path, user)

    def _options(self) -> dict[str, object]:
        assert self._process is not None
        options: dict[str, object] = {
            "cwd": self.folder,
            "env": {**os.environ, **self._process.env},
        }
        if self._process.user:
            options |= {"user": self._process.user, "extra_groups": []}
        return options

    def _run(self, command: list[str], text: str) -> None:
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, check=False, **self._options()
        )
        if done.returncode:
            raise LabError(
                f"{self.title}: {Path(command[0]).name} failed with code {done.returncode}: "
                f"{(done.stderr or done.stdout).strip()[-500:]}"
            )

    def _spawn(self) -> None:
        assert self._process is not None
        # Ctrl-C in a terminal is for the notebook, not for its servers.
        own_group = (
            {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
            if os.name == "nt"
            else {"process_group": 0}
        )
        try:
            with (self.folder / "server.log").open("ab") as log:
                self._popen = subprocess.Popen(
                    self._process.command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    **self._options(),
                    **own_group,
                )
        except OSError as error:
            raise LabError(
                f"{self.title}: {self._process.command[0]} cannot be run ({error.strerror}); is "
                "its wheel installed for this platform? `lab doctor` says."
            ) from error

    def _wait(self) -> None:
        deadline = time.monotonic() + self.ready_in
        pause = 0.02
        while True:
            try:
                self.check()
                return
            except Exception as error:
                reason = error
            if self._ended():
                raise LabError(f"{self.title}: the server ended before it was ready.{self._tail()}")
            if time.monotonic() > deadline:
                raise LabError(
                    f"{self.title}: not ready after {self.ready_in:.0f} s; the last try said: "
                    f"{_first_line(reason)}.{self._tail()}"
                )
            time.sleep(pause)
            pause = min(pause * 1.5, 0.25)

    def _ended(self) -> bool:
        if self._popen is not None:
            return self._popen.poll() is not None
        if self._container is not None:
            wrapped = self._container.get_wrapped_container()
            wrapped.reload()
            return wrapped.status in ("exited", "dead")
        return False

    def crash(self) -> None:
        """Kill the server at once, as a power cut would. `restart` starts it again on its data."""
        if self._popen is not None:
            _kill_tree(self._popen)
        elif self._container is not None:
            wrapped = self._container.get_wrapped_container()
            wrapped.kill(signal="SIGKILL")
            wrapped.wait()

    def restart(self) -> None:
        """Start a crashed server again, on its data and its port, and wait until it answers."""
        if not self.way:
            raise LabError(f"{self.title} was never started; `start` it first.")
        if not self._ended():
            raise LabError(f"{self.title} is running; `crash` it before `restart`.")
        if self._container is not None:
            self._container.get_wrapped_container().start()
        else:
            self._spawn()
        self._wait()

    def stop(self) -> None:
        """Stop the server and remove all it had. Stopping twice does no harm."""
        self._drop()
        session = Session.current()
        if self.stop in session.on_close:
            session.on_close.remove(self.stop)
        self.way = ""

    def _drop(self) -> None:
        self._drop_process()
        if self._container is not None:
            if self._container._container is not None:
                self._container.stop()
            self._container = None
        self._give_ports()
        if self.folder != Path():
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = Path()

    def _give_ports(self) -> None:
        for port in self.port.values():
            Session.current().give_port(port)
        self.port = {}

    def _drop_process(self) -> None:
        if self._popen is None:
            return
        if self._process and self._process.stop is not None and self._popen.poll() is None:
            self._popen.send_signal(self._process.stop)
            with suppress(subprocess.TimeoutExpired):
                self._popen.wait(timeout=3)
        _kill_tree(self._popen)
        self._popen = None
        for file in self._process.litter if self._process else []:
            file.unlink(missing_ok=True)

    # --- what is said

    def log(self) -> str:
        """What the server has written to its log so far."""
        if self._container is not None and self._container._container is not None:
            return b"".join(self._container.get_logs()).decode(errors="replace")
        file = self.folder / "server.log"
        return file.read_text(errors="replace") if self.folder != Path() and file.exists() else ""

    def _tail(self) -> str:
        try:
            lines = self.log().strip().splitlines()[-12:]
        except Exception as error:
            lines = [f"(its log cannot be read: {error})"]
        return "\nIts log ends:\n  " + "\n  ".join(lines) if lines else ""

    def _report(self, session: Session) -> None:
        # `lab run` asks each kernel to write down what it started.
        if file := os.environ.get("LAB_SERVICES_REPORT"):
            line = {
                "service": self.title,
                "way": self.way,
                "why": self.why,
                "seconds": round(self.start_seconds, 2),
                "session": session.id,
            }
            with open(file, "a", encoding="utf-8") as report:
                report.write(json.dumps(line) + "\n")

    def __enter__(self) -> Self:
        return self if self.way else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def mode() -> str:
    """What `LAB_SERVICES` says: auto, containers or processes."""
    value = os.environ.get("LAB_SERVICES", "auto")
    if value not in WAYS:
        raise LabError(f"LAB_SERVICES={value!r} is none of {', '.join(WAYS)}; set one of them.")
    return value


def unprivileged() -> str | None:
    """Whom to become for a server that refuses to run as root; `None` where we are not root."""
    return "nobody" if hasattr(os, "geteuid") and os.geteuid() == 0 else None


def _settle_testcontainers() -> None:
    """Have testcontainers leave the clean-up to the guard, look often, and stay on loopback."""
    from testcontainers.core.config import ConnectionMode, testcontainers_config

    # Ryuk would need an image of its own, and the guard does what it does.
    testcontainers_config.ryuk_disabled = True
    testcontainers_config.sleep_time, testcontainers_config.max_tries = 0.1, 600
    # It guesses otherwise where it runs in a container itself.
    testcontainers_config.connection_mode_override = ConnectionMode.docker_host
    testcontainers_config.tc_host_override = "127.0.0.1"


def _kill_tree(popen: subprocess.Popen[bytes]) -> None:
    try:
        parent = psutil.Process(popen.pid)
        processes = [parent, *parent.children(recursive=True)]
    except psutil.Error:
        processes = []
    for process in processes:
        try:
            process.kill()
        except psutil.Error:
            continue
    psutil.wait_procs(processes, timeout=5)
    popen.wait()


def _port_taken(log: str) -> bool:
    # The second is how Windows puts it.
    return "in use" in log or "Only one usage of each socket address" in log


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
