"""Jars come as they were locked, or not at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lab import jars, paths
from lab.errors import LabError, Unavailable

SMALL = "org.slf4j:slf4j-simple:1.7.36"


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of locks with one small program, and an empty cache."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setattr(jars, "TOOLS", folder)
    monkeypatch.setenv("LAB_CACHE", str(tmp_path / "cache"))
    kafka = (paths.TOOLS / "kafka.lock").read_text().splitlines()
    (folder / "small.lock").write_text(next(line for line in kafka if line.endswith(SMALL)) + "\n")
    return folder


def fetch() -> Path:
    try:
        return jars.fetch("small")
    except Unavailable as reason:
        pytest.skip(str(reason))


def test_a_jar_is_fetched_once_and_again_when_it_was_damaged(
    tools: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = fetch()
    (one,) = jars.read_lock("small")
    assert [file.name for file in folder.iterdir()] == ["slf4j-simple-1.7.36.jar"]
    assert one.here(folder) and "fetching 1 files" in capsys.readouterr().out
    assert jars.fetch("small") == folder and not capsys.readouterr().out
    jar = folder / one.name
    jar.write_bytes(jar.read_bytes()[:-1] + b"?")
    assert jars.fetch("small") == folder and one.here(folder)


def test_another_file_than_the_locked_one_is_refused(tools: Path) -> None:
    fetch()
    lock = tools / "small.lock"
    lock.write_text(f"{'0' * 64} " + lock.read_text().split(" ", 1)[1])
    with pytest.raises(LabError, match=f"{SMALL} came with sha256 .* is locked"):
        jars.fetch("small")
    assert not list((paths.cache() / "jars").glob("*/*.jar"))[1:]


def test_offline_is_a_sentence_that_names_no_host(
    tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import requests

    def offline(*args: object, **options: object) -> None:
        raise requests.ConnectionError("HTTPSConnectionPool(host='somewhere')")

    monkeypatch.setattr(requests, "request", offline)
    with pytest.raises(Unavailable, match=f"{SMALL} could not be fetched") as caught:
        jars.fetch("small")
    assert "host" not in str(caught.value)
    assert not list((paths.cache() / "jars").rglob("*.jar"))


@pytest.mark.parametrize(
    "line", ["abc 12 not-coordinates", "abc twelve g:a:1", "abc g:a:1", "abc 12 g::1"]
)
def test_a_bad_line_of_a_lock_is_named(tools: Path, line: str) -> None:
    (tools / "small.lock").write_text(f"# fine\n{line}\n")
    with pytest.raises(LabError, match=r"line 2 of .*small\.lock"):
        jars.read_lock("small")
    with pytest.raises(LabError, match=r"none\.lock is not there"):
        jars.fetch("none")


def test_names_of_files_are_mavens() -> None:
    plugin = jars.Locked("", 0, "io.debezium:debezium-connector-postgres:3.7.0:tar.gz:plugin")
    assert plugin.name == "debezium-connector-postgres-3.7.0-plugin.tar.gz"


def test_two_at_once_fetch_once(tools: Path) -> None:
    fetch()
    for file in (paths.cache() / "jars").rglob("*.jar"):
        file.unlink()
    script = (
        "import sys; from pathlib import Path; from lab import jars\n"
        "jars.TOOLS = Path(sys.argv[1]); print(jars.fetch('small'))\n"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tools)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [one.communicate()[0] for one in both]
    assert [one.returncode for one in both] == [0, 0]
    assert sum("fetching" in text for text in said) == 1


def test_the_lock_of_kafka_is_what_its_roots_name() -> None:
    """Each line of kafka.jars is in the lock; `python -m lab.jars kafka` makes it so."""
    text = (paths.TOOLS / "kafka.jars").read_text()
    roots = {line for line in text.splitlines() if line and line[0] != "#"}
    locked = {one.coordinates for one in jars.read_lock("kafka")}
    assert roots <= locked and len(locked) == 45
