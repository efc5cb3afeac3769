"""Servers end with the Python that holds them, meet no other's, and listen on loopback only."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from lab import images
from lab.errors import LabError
from lab.services import S3, Postgres, Redis
from lab.services.guard import LABEL, MARK
from lab.services.service import Process, mode
from lab.services.session import Session

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX signals")


def available(way: str, names: list[str]) -> None:
    """Skip, saying why, where the container way can't be had."""
    if way == "container":
        if mode() == "processes":
            pytest.skip("LAB_SERVICES=processes")
        try:
            for name in names:
                images.obtain(name)
        except LabError as reason:
            if mode() == "containers":
                raise
            pytest.skip(f"no container: {reason}")


@pytest.fixture(params=["process", "container"])
def way(request: pytest.FixtureRequest) -> str:
    available(request.param, ["postgres", "redis", "s3"])
    return request.param


@dataclass
class Holder:
    """Another Python that holds servers, and what it says of them."""

    popen: subprocess.Popen[str]
    session: str
    folder: Path
    ports: list[int]
    litter: list[Path]

    def processes(self) -> list[psutil.Process]:
        """Its servers and its guard: all that carry its mark or its folder, but not itself."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                words = [*process.cmdline(), process.environ().get(MARK, ""), process.cwd()]
                if process.pid != self.popen.pid and any(self.session in word for word in words):
                    found.append(process)
        return found

    def containers(self) -> list[Any]:
        return containers(f"{LABEL}={self.session}")

    def left(self) -> list[str]:
        """What is still there of it."""
        return [
            *(f"process {one.pid} {one.name()}" for one in self.processes() if one.is_running()),
            *(f"container {one.name}" for one in self.containers()),
            *(f"port {port}" for port in self.ports if listens(port)),
            *(f"file {file}" for file in [self.folder, *self.litter] if file.exists()),
        ]


def containers(label: str) -> list[Any]:
    import docker
    from docker.errors import DockerException

    try:
        with closing(docker.from_env(timeout=8)) as client:
            return client.containers.list(all=True, filters={"label": label}, ignore_removed=True)
    except DockerException:
        return []


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


HOLD = """
import json, sys
from lab import services
from lab.services.session import Session
held = [getattr(services, name)(way=sys.argv[1]).start() for name in sys.argv[2:]]
print("READY", json.dumps({
    "session": Session.current().id,
    "folder": str(Session.current().folder),
    "ports": [port for one in held for port in one.port.values()],
    "litter": [str(file) for one in held if one._process for file in one._process.litter],
}), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def hold() -> Iterator[Callable[..., Holder]]:
    """Start another Python that holds the named services."""
    started: list[subprocess.Popen[str]] = []

    def one(way: str, *names: str) -> Holder:
        env = {k: v for k, v in os.environ.items() if k != MARK}
        popen = subprocess.Popen(
            [sys.executable, "-c", HOLD, way, *names],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=env,
        )
        started.append(popen)
        assert popen.stdout is not None
        said = next((line for line in popen.stdout if line.startswith("READY")), "")
        assert said, "it ended before its services were ready"
        facts = json.loads(said.removeprefix("READY"))
        folder, litter = Path(facts["folder"]), [Path(file) for file in facts["litter"]]
        return Holder(popen, facts["session"], folder, facts["ports"], litter)

    yield one
    for popen in started:
        popen.kill()
        popen.communicate()


def gone(left: Callable[[], list[str]], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while remains := left():
        assert time.monotonic() < deadline, f"still there after {seconds:.0f} s: {remains}"
        time.sleep(0.1)


@pytest.mark.parametrize("end", ["SIGKILL", "SIGKILL to all its children", "SIGTERM", "its end"])
def test_nothing_is_left_of_a_python_however_it_ends(
    hold: Callable[..., Holder], way: str, end: str
) -> None:
    holder = hold(way, "Postgres", "Redis", "S3")
    # Some inner ports open a moment later.
    assert sum(map(listens, holder.ports)) >= 3 and holder.folder.is_dir()
    assert len(holder.containers()) == (3 if way == "container" else 0)
    assert len(holder.processes()) >= (4 if way == "process" else 1)
    if end == "its end" or os.name != "posix":
        holder.popen.communicate()
    elif "children" in end:
        # As `lab run` does to a notebook at its time limit.
        parent = psutil.Process(holder.popen.pid)
        for process in [parent, *parent.children(recursive=True)]:
            process.kill()
    else:
        holder.popen.send_signal(getattr(signal, end))
    holder.popen.wait()
    gone(holder.left)


def test_a_python_killed_while_its_servers_start_leaves_nothing(way: str) -> None:
    before = set(Path(tempfile.gettempdir()).glob("lab-*"))
    ids = {one.id for one in containers(LABEL)}
    for delay in (0.6, 0.9, 1.2):
        env = {k: v for k, v in os.environ.items() if k != MARK}
        popen = subprocess.Popen(
            [sys.executable, "-c", HOLD, way, "Postgres"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=env,
        )
        # No time is right for all machines; three are tried, and none may leave anything.
        with suppress(subprocess.TimeoutExpired):
            popen.wait(delay)
        mine = f"lab-{popen.pid:x}"
        popen.kill()
        popen.communicate()

        def left(mine: str = mine) -> list[str]:
            folders = set(Path(tempfile.gettempdir()).glob("lab-*")) - before
            fresh = [one.labels[LABEL] for one in containers(LABEL) if one.id not in ids]
            return [
                name
                for name in [*(folder.name for folder in folders), *(f"lab-{s}" for s in fresh)]
                if name.startswith(mine)
            ]

        gone(left)


def test_two_pythons_at_once_share_no_port_and_no_folder(
    hold: Callable[..., Holder], way: str
) -> None:
    one, other = hold(way, "Redis", "Postgres"), hold(way, "Redis", "Postgres")
    assert not set(one.ports) & set(other.ports)
    assert one.folder != other.folder and one.session != other.session
    one.popen.kill()
    gone(one.left)
    # The sweep after one takes nothing of the other.
    assert all(map(listens, other.ports)) and other.folder.is_dir()


@pytest.mark.parametrize("name", ["Postgres", "Redis", "Redpanda", "S3"])
def test_everything_listens_on_loopback_only(name: str, way: str) -> None:
    from lab import services

    service = getattr(services, name)
    available(way, [service.image])
    with service(way=way) as server:
        if server._container is not None:
            bound = server._container.get_wrapped_container()
            bound.reload()
            settings = bound.attrs["NetworkSettings"]["Ports"]
            hosts = [one["HostIp"] for found in settings.values() for one in found or []]
            assert hosts == ["127.0.0.1"] * len(server.ports)
            return
        tree = psutil.Process(server._popen.pid)
        sockets = [
            connection.laddr
            for process in [tree, *tree.children(recursive=True)]
            for connection in process.net_connections("inet")
            if connection.status in (psutil.CONN_LISTEN, psutil.CONN_NONE)
        ]
        assert set(server.port.values()) & {address.port for address in sockets}
        # Java says it in the words of IPv6.
        hosts = {address.ip.removeprefix("::ffff:") for address in sockets}
        assert hosts == {"127.0.0.1"}


class Broken(Redis):
    """A Redis that is told something it does not understand."""

    title = "Broken"
    settings = {"no-such-setting": "1"}


def test_a_start_that_fails_says_why_and_leaves_nothing(way: str) -> None:
    session = Session.current()
    files = set(session.folder.rglob("*"))
    server = Broken(way=way)
    with pytest.raises(LabError, match="Broken") as caught:
        server.start()
    assert "no-such-setting" in str(caught.value)
    assert set(session.folder.rglob("*")) == files
    assert not server.port and not server.way and server.stop not in session.on_close
    assert not containers(f"{LABEL}={session.id}")


def test_a_port_taken_in_between_is_not_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    real, thief = Redis.process, socket.socket()
    taken: list[int] = []

    def process(self: Redis) -> Process:
        if not taken:
            taken.append(self.port["redis"])
            thief.bind(("127.0.0.1", taken[0]))
            thief.listen()
        return real(self)

    monkeypatch.setattr(Redis, "process", process)
    with thief, Redis(way="process") as store:
        assert store.port["redis"] not in taken
        assert store.client().ping()


def test_no_two_servers_of_one_python_share_anything() -> None:
    with Redis(way="process") as one, Redis(way="process") as other:
        assert one.port != other.port and one.folder != other.folder
        one.client().set("mine", 1)
        assert other.client().get("mine") is None


def test_a_wrong_wish_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_SERVICES", "magic")
    with pytest.raises(LabError, match="LAB_SERVICES='magic' is none of auto, containers"):
        Redis().start()
    with pytest.raises(LabError, match="way='magic'"):
        Redis(way="magic")


def test_auto_takes_the_process_and_says_why_there_is_no_container(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def none(name: str) -> None:
        raise LabError(f"{name}: no Docker engine answers; start one.")

    monkeypatch.setenv("LAB_SERVICES", "auto")
    monkeypatch.setattr(images, "obtain", none)
    with Redis() as store:
        assert store.way == "process" and "no Docker engine answers" in store.why
    assert "no Docker engine answers" in capfd.readouterr().out
    monkeypatch.setenv("LAB_SERVICES", "containers")
    with pytest.raises(LabError, match="no Docker engine answers"):
        Redis().start()


def test_a_server_is_started_once_and_stopped_as_often_as_one_likes() -> None:
    store = Redis(way="process").start()
    with pytest.raises(LabError, match="running already"):
        store.start()
    with pytest.raises(LabError, match="crash"):
        store.restart()
    store.stop()
    store.stop()
    with pytest.raises(LabError, match="never started"):
        store.restart()
    with store:
        assert store.client().ping()


def test_sockets_outside_the_folder_go_with_the_server() -> None:
    with S3(way="process") as s3:
        litter = s3._process.litter if s3._process else []
        assert any(file.exists() for file in litter)
    assert not any(file.exists() for file in litter)


@posix
def test_a_fork_does_not_stop_its_parents_servers() -> None:
    with Postgres(way="process") as pg:
        child = os.fork()
        if child == 0:
            Session.current().close()
            os._exit(0)
        os.waitpid(child, 0)
        with pg.connect() as connection:
            assert connection.execute("select 1").fetchone() == (1,)


@posix
@pytest.mark.parametrize("names", [["postgres"], ["redis", "s3"]])
def test_ctrl_c_ends_lab_services(names: list[str], way: str) -> None:
    env = {k: v for k, v in os.environ.items() if k != MARK}
    env["LAB_SERVICES"] = {"process": "processes", "container": "containers"}[way]
    before = set(Path(tempfile.gettempdir()).glob("lab-*"))
    program = "from lab.cli import main; main()"
    popen = subprocess.Popen(
        [sys.executable, "-c", program, "services", *names],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
        process_group=0,
    )
    assert popen.stdout is not None
    said = []
    for line in popen.stdout:
        said.append(line)
        if "Ctrl-C" in line:
            break
    assert "127.0.0.1" in "".join(said)
    # As a terminal does: to the whole group.
    os.killpg(popen.pid, signal.SIGINT)
    _, errors = popen.communicate(timeout=30)
    assert popen.returncode == 130 and "Traceback" not in errors, errors
    mine = f"lab-{popen.pid:x}"
    gone(
        lambda: [
            *(
                folder.name
                for folder in set(Path(tempfile.gettempdir()).glob("lab-*")) - before
                if folder.name.startswith(mine)
            ),
            *(one.name for one in containers(LABEL) if f"lab-{one.labels[LABEL]}".startswith(mine)),
        ]
    )
