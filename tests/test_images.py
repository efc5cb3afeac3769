"""Container images: the manifest, what is chosen, and what is said where nothing can be had."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import pytest

from lab import images, paths, services, standins
from lab.errors import LabError, Unavailable
from lab.services.service import mode

LAB = [sys.executable, "-c", "from lab.cli import main; main()"]


class FakeEngine(ThreadingHTTPServer):
    """Speaks as much of the engine's API as a choice of image needs, and fails on demand."""

    broken = False
    registry = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Answers)
        self.here: set[str] = set()
        self.pulled: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.server_port}"


class _Answers(BaseHTTPRequestHandler):
    def answer(self, code, content):
        body = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        path = unquote(re.sub(r"^/v[0-9.]+", "", self.path))
        engine = self.server
        if path == "/_ping":
            self.answer(200, "OK")
        elif path == "/version":
            self.answer(200, {"ApiVersion": "1.41", "Version": "20.10", "Arch": "amd64"})
        elif engine.broken:
            self.answer(500, {"message": "error creating overlay mount: invalid argument"})
        elif path == "/info":
            self.answer(200, {"Driver": "overlay2"})
        elif (found := re.fullmatch("/images/(.+)/json", path)) and found[1] in engine.here:
            image = {"Id": f"sha256:{found[1]}", "Size": 1_000_000, "Config": {"Labels": {}}}
            self.answer(200, image)
        else:
            self.answer(404, {"message": "no such image"})

    def do_POST(self):
        engine = self.server
        path = unquote(self.path)
        if "/images/create" in path:
            engine.pulled.append(path)
            if not engine.registry:
                said = "Get https://r.example/v2/: dial tcp: lookup r.example: no such host"
                self.answer(500, {"message": said})
                return
            reference, tag = _asked(path, "fromImage"), _asked(path, "tag")
            engine.here.add(reference + ("@" if tag.startswith("sha256:") else ":") + tag)
            self.answer(200, {"status": "Pull complete"})
        elif "/tag" in path:
            engine.here.add(f"{_asked(path, 'repo')}:{_asked(path, 'tag')}")
            self.answer(201, {})
        else:
            self.answer(500, {"message": "error creating overlay mount: invalid argument"})

    def log_message(self, *_):
        pass


def _asked(path, name):
    return re.search(rf"[?&]{name}=([^&]+)", path)[1]


@pytest.fixture
def engine(monkeypatch, tmp_path):
    """A fake engine, which this process and its children talk to."""
    with FakeEngine() as fake:
        monkeypatch.setenv("DOCKER_HOST", fake.address)
        monkeypatch.setenv("LAB_CACHE", str(tmp_path))
        _forget()
        yield fake
        fake.shutdown()
    _forget()


def _forget():
    for asked_once in (images.engine, images._client, images.manifest):
        asked_once.cache_clear()


def run(*command: str, **env: str) -> subprocess.CompletedProcess[str]:
    full = os.environ | {"COLUMNS": "200"} | env
    return subprocess.run(command, capture_output=True, text=True, env=full, check=False)


# --- the manifest


def test_every_service_has_an_image_and_every_image_a_service():
    classes = {name: getattr(services, name) for name in services._FILES}
    used = {name: sorted(image.used_by) for name, image in images.manifest().items()}
    wanted: dict[str, list[str]] = {}
    for name, one in classes.items():
        wanted.setdefault(one.image, []).append(name)
    assert used == {name: sorted(users) for name, users in wanted.items()}


@pytest.mark.parametrize("name", list(images.manifest()))
def test_an_entry_is_whole(name):
    image = images.manifest()[name]
    assert (image.folder / "Dockerfile").is_file()
    assert re.fullmatch(r"\d+[mg]", image.memory)
    assert image.stand_in
    if image.official:
        repository, tag = image.official.split(":")
        assert not re.search(r"[.:]|localhost", repository.split("/")[0]), "a host is named"
        assert tag
        assert tag != "latest"
        assert re.fullmatch("sha256:[0-9a-f]{64}|unknown", image.digest)
    else:
        assert image.why_none


@pytest.mark.parametrize("name", list(images.manifest()))
def test_a_stand_in_is_made_of_locked_things(name):
    image = images.manifest()[name]
    lock = (paths.ENV / "requirements.lock").read_text()
    pins = standins._pins(image.wheels)
    assert pins or not image.wheels
    for pin in pins:
        assert re.search(rf"^{re.escape(pin)}( ;| \\)", lock, re.MULTILINE), f"{pin} is not locked"
    assert all(lock.is_file() for lock in standins._locks(image))


def test_a_spoiled_manifest_is_a_sentence(monkeypatch, tmp_path):
    (tmp_path / "images.toml").write_text("[postgres\n")
    monkeypatch.setattr(paths, "IMAGES", tmp_path)
    images.manifest.cache_clear()
    try:
        with pytest.raises(LabError, match=re.escape(str(tmp_path / "images.toml"))):
            images.manifest()
    finally:
        images.manifest.cache_clear()


def test_an_unknown_name_gets_near_ones():
    with pytest.raises(LabError, match="did you mean postgres"):
        images.select(["postgers"])
    with pytest.raises(LabError, match="there are postgres, redis"):
        images.select(["oracle"])


# --- what is chosen


def test_the_official_image_comes_first(engine):
    redis = images.manifest()["redis"]
    engine.here = {redis.official, redis.local}
    chosen = images.obtain("redis")
    assert chosen.reference == redis.official
    assert chosen.says == f"official image {redis.official}"


def test_the_stand_in_comes_second_and_says_what_it_is(engine):
    redis = images.manifest()["redis"]
    engine.here = {redis.local}
    chosen = images.obtain("redis")
    assert chosen.reference == redis.local
    assert chosen.says.startswith(f"stand-in for {redis.official}, built here")
    assert not engine.pulled


def test_a_pull_comes_last_and_keeps_to_the_digest(engine):
    redis = images.manifest()["redis"]
    chosen = images.obtain("redis")
    assert chosen.reference == redis.official
    assert redis.digest in engine.pulled[0]
    assert redis.official in engine.here


def test_a_registry_out_of_reach_is_asked_once_and_named_never(engine):
    engine.registry = False
    for _ in range(2):
        with pytest.raises(Unavailable, match="no image registry can be reached") as caught:
            images.obtain("redis")
        assert "lab images build redis" in str(caught.value)
        assert "r.example" not in str(caught.value)
    with pytest.raises(Unavailable, match="no image registry can be reached"):
        images.obtain("postgres")
    assert len(engine.pulled) == 1


def test_what_is_never_published_is_not_pulled(engine):
    with pytest.raises(Unavailable, match="lab images build snowflake"):
        images.obtain("snowflake")
    assert not engine.pulled


# --- what is said on the command line


def test_a_pull_that_fails_is_one_sentence_and_a_code(engine):
    engine.registry = False
    done = run(*LAB, "images", "pull", "redis")
    assert done.returncode == 1
    assert "no image registry can be reached" in done.stderr
    assert "Traceback" not in done.stderr
    assert "r.example" not in done.stdout + done.stderr


@pytest.mark.parametrize("command", ["pull", "build"])
def test_no_engine_is_one_sentence_and_a_code(command):
    done = run(*LAB, "images", command, DOCKER_HOST="tcp://127.0.0.1:9")
    assert done.returncode == 1
    assert "no Docker engine answers at DOCKER_HOST=tcp://127.0.0.1:9" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("command", ["pull", "build"])
def test_an_engine_that_cannot_work_is_one_sentence_and_a_code(engine, command):
    engine.broken = True
    done = run(*LAB, "images", command)
    assert done.returncode == 1
    assert "a Docker engine answers but cannot work" in done.stderr
    assert "overlay mount" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_list_is_shown_without_an_engine_too():
    done = run(*LAB, "images", "list", DOCKER_HOST="tcp://127.0.0.1:9")
    assert done.returncode == 0
    assert all(name in done.stdout for name in images.manifest())
    assert "no Docker engine answers" in done.stdout


# --- what a service makes of it

START_REDIS = """
from lab.services import Redis
with Redis() as redis:
    print(redis.way, redis.client().ping())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the process is noida-db there")
@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("broken", "answers but cannot work"),
        ("offline", "no image registry"),
        ("half", "did not start"),
    ],
)
def test_auto_takes_the_process_and_says_why(engine, state, why):
    engine.broken = state == "broken"
    engine.registry = False
    if state == "half":
        # The image is there, and every container fails.
        engine.here = {images.manifest()["redis"].official}
    done = run(sys.executable, "-c", START_REDIS, LAB_SERVICES="auto")
    assert "process True" in done.stdout, done.stderr
    assert why in done.stdout


def test_containers_asked_for_and_not_to_be_had_is_an_error(engine):
    engine.broken = True
    done = run(sys.executable, "-c", START_REDIS, LAB_SERVICES="containers")
    assert done.returncode != 0
    assert "a Docker engine answers but cannot work" in done.stderr


# --- with a real engine


@pytest.fixture
def real():
    """A real engine's client, or the reason why not."""
    if mode() == "processes":
        pytest.skip("LAB_SERVICES=processes")
    _forget()
    if reason := images.engine():
        pytest.skip(reason)
    return images.patient()


PROBE = "ARG BASE\nFROM ${BASE}\nCOPY word /word\nRUN cat /word\n"
MANIFEST = """
[probe]
official = ""
why_none = "it is of a test"
memory = "64m"
used_by = []
stand_in = "a file"
"""


def test_a_stand_in_is_built_again_if_what_goes_in_changed(real, monkeypatch, tmp_path, capsys):
    if not shutil.which("mmdebstrap") and not standins._get(real, standins.BASE):
        pytest.skip("mmdebstrap is not installed, and no base is here")
    (tmp_path / "probe").mkdir()
    (tmp_path / "images.toml").write_text(MANIFEST)
    (tmp_path / "probe" / "Dockerfile").write_text(PROBE)
    word = tmp_path / "probe" / "word"
    word.write_text("one")
    monkeypatch.setattr(paths, "IMAGES", tmp_path)
    _forget()
    try:
        images.build(["probe"])
        first = images.local_id("probe")
        capsys.readouterr()
        images.build(["probe"])
        assert capsys.readouterr().out == "probe: up to date\n"
        assert images.local_id("probe") == first
        word.write_text("two")
        images.build(["probe"])
        assert images.local_id("probe") != first
        assert first not in [image.id for image in real.images.list()], "the old one is left behind"
        (tmp_path / "probe" / "Dockerfile").write_text(PROBE + "RUN false\n")
        with pytest.raises(LabError, match="building probe failed"):
            images.build(["probe"])
    finally:
        for reference in real.images.list("lab/probe"):
            real.images.remove(reference.id, force=True)
        _forget()


def test_a_container_is_limited_labelled_and_on_loopback(real):
    try:
        images.obtain("redis")
    except Unavailable as reason:
        pytest.skip(str(reason))
    with services.Redis(way="container") as redis:
        seen = redis._container.get_wrapped_container().attrs
        bindings = [one for ports in seen["HostConfig"]["PortBindings"].values() for one in ports]
        assert {one["HostIp"] for one in bindings} == {"127.0.0.1"}
        assert {int(one["HostPort"]) for one in bindings} == set(redis.port.values())
        assert seen["HostConfig"]["Memory"] == 256 * 2**20
        assert seen["Config"]["Labels"]["lab.session"]
        assert not [one for one in real.containers.list() if "ryuk" in str(one.image.tags)]
