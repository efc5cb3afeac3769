"""Running notebooks: what is reported, what is kept, and what bad ones say."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import psutil
import pytest

from lab import notebooks, run
from lab.errors import LabError


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A folder for notebooks, and a `_build` of its own."""
    for name in ("EXECUTED", "FAILED", "RUNS"):
        monkeypatch.setattr(run, name, tmp_path / "_build" / name.lower())
    monkeypatch.setattr(run, "REPORT", tmp_path / "_build" / "report.json")
    monkeypatch.setattr(run.paths, "ROOT", tmp_path)
    monkeypatch.setattr(notebooks.paths, "ROOT", tmp_path)
    monkeypatch.setenv("LAB_SERVICES", "processes")
    folder = tmp_path / "notebooks"
    folder.mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return folder


def write(path: Path, *cells: str, tags: tuple[str, ...] = (), **lab) -> Path:
    node = nbformat.v4.new_notebook(metadata={"lab": lab})
    node.cells = [nbformat.v4.new_markdown_cell("# A lesson", id="title")]
    for number, source in enumerate(cells):
        cell = nbformat.v4.new_code_cell(source, id=f"cell-{number}", metadata={"tags": list(tags)})
        node.cells.append(cell)
    nbformat.write(node, path)
    return path


def record(course: Path, name: str) -> dict:
    report = json.loads((course.parent / "_build" / "report.json").read_text())
    return next(one for one in report["notebooks"] if one["path"] == f"notebooks/{name}")


def test_a_good_notebook_is_executed_in_its_own_folder_and_reported(course):
    write(course / "a.ipynb", "import os\nprint(os.getcwd())")
    assert run.run([course]) == 0
    executed = nbformat.read(run.EXECUTED / "notebooks" / "a.ipynb", as_version=4)
    assert executed.cells[1].outputs[0]["text"].strip() == str(course)
    one = record(course, "a.ipynb")
    assert one["status"] == "ok" and one["seconds"] > 0 and one["peak_mb"] > 20


def test_a_failing_cell_is_named_with_its_error_and_takes_nothing_away(course, capsys):
    write(course / "a.ipynb", "x = 1")
    assert run.run([course]) == 0
    write(course / "a.ipynb", "x = 1", "raise ValueError('the till is open')")
    assert run.run([course]) == 1
    printed = capsys.readouterr().out
    assert "cell-1" in printed and "ValueError: the till is open" in printed
    assert "raise ValueError" in printed
    kept = nbformat.read(run.EXECUTED / "notebooks" / "a.ipynb", as_version=4)
    assert len(kept.cells) == 2
    assert (run.FAILED / "notebooks" / "a.ipynb").exists()


def test_one_failure_does_not_stop_the_others(course):
    write(course / "a.ipynb", "1 / 0")
    write(course / "b.ipynb", "1 + 1")
    assert run.run([course], jobs=2) == 1
    assert record(course, "b.ipynb")["status"] == "ok"


def test_a_notebook_that_hangs_is_stopped_with_all_it_started(course, capsys):
    write(
        course / "a.ipynb",
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(987)'])",
        "while True: pass",
    )
    assert run.run([course], timeout=6) == 1
    assert "still running after 6 s, stopped in cell cell-1" in capsys.readouterr().out
    assert not _running("time.sleep(987)")


def _running(word: str) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if any(word in part for part in process.cmdline()):
                found.append(process.pid)
        except psutil.Error:
            continue
    return [pid for pid in found if pid != os.getpid()]


def test_a_kernel_that_dies_is_a_failure_that_says_so(course, capsys):
    write(course / "a.ipynb", "import os\nos._exit(3)")
    assert run.run([course]) == 1
    assert "the kernel died" in capsys.readouterr().out


def test_a_file_that_is_no_notebook_is_named(course):
    (course / "a.ipynb").write_text("{not json")
    with pytest.raises(LabError, match=r"a\.ipynb is not a notebook"):
        run.run([course])
    (course / "a.ipynb").write_text(
        '{"cells": 3, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}'
    )
    with pytest.raises(LabError, match=r"a\.ipynb is not a valid notebook"):
        run.run([course])


@pytest.mark.parametrize(
    ("given", "says"),
    [("nowhere", "no such file or folder"), ("empty", "no notebook in this folder")],
)
def test_a_path_that_names_nothing_is_an_error(course, given, says):
    (course / "empty").mkdir()
    with pytest.raises(LabError, match=says):
        run.run([course / given])


def test_changed_runs_only_what_changed(course):
    write(course / "a.ipynb", "print('a')")
    write(course / "b.ipynb", "print('b')")
    assert run.run([course]) == 0
    write(course / "b.ipynb", "print('c')")
    assert run.run([course], changed=True) == 0
    assert [record(course, name)["fresh"] for name in ("a.ipynb", "b.ipynb")] == [True, True]
    before = (run.EXECUTED / "notebooks" / "a.ipynb").stat().st_mtime_ns
    assert run.run([course], changed=True) == 0
    assert (run.EXECUTED / "notebooks" / "a.ipynb").stat().st_mtime_ns == before


def test_what_a_notebook_depends_on_changes_its_fingerprint(course, monkeypatch):
    path = write(course / "a.ipynb", "print('a')")
    before = run.fingerprint(notebooks.read(path))
    (course / "schema.sql").write_text("select 1")
    with_file = run.fingerprint(notebooks.read(path))
    monkeypatch.setenv("LAB_SERVICES", "auto")
    other_way = run.fingerprint(notebooks.read(path))
    assert len({before, with_file, other_way}) == 3


def test_prose_alone_needs_no_second_run(course):
    path = write(course / "a.ipynb", "print('a')")
    before = run.fingerprint(notebooks.read(path))
    node = nbformat.read(path, as_version=4)
    node.cells[0].source = "# Another title"
    nbformat.write(node, path)
    assert run.fingerprint(notebooks.read(path)) == before


def test_answers_that_differ_between_two_runs_fail_unless_they_measure(course, capsys):
    write(course / "a.ipynb", "import uuid\nprint(uuid.uuid4())")
    assert run.run([course], twice=True) == 1
    assert "answers of cell cell-0 differ" in capsys.readouterr().out
    write(course / "a.ipynb", "import uuid\nprint(uuid.uuid4())", tags=("measured",))
    assert run.run([course], twice=True) == 0


def test_a_need_that_cannot_be_met_is_a_visible_skip_and_strictly_a_failure(course, capsys):
    source = "from lab.errors import Unavailable\nraise Unavailable('the jars are out of reach')"
    write(course / "a.ipynb", source, needs=["maven"])
    assert run.run([course]) == 0
    assert "was skipped: the jars are out of reach" in capsys.readouterr().out
    assert record(course, "a.ipynb")["status"] == "skipped"
    assert run.run([course], strict=True) == 1


def test_a_lesson_that_needs_nothing_may_not_skip(course):
    write(course / "a.ipynb", "from lab.errors import Unavailable\nraise Unavailable('not here')")
    assert run.run([course]) == 1


def test_unknown_metadata_is_an_error(course):
    write(course / "a.ipynb", "1", memory="lots")
    with pytest.raises(LabError, match=r"lab\.memory, which means nothing"):
        run.run([course])


def test_services_are_reported_and_nothing_of_them_is_left(course):
    write(
        course / "a.ipynb",
        "from lab.services import Postgres\npg = Postgres().start()\n"
        "print(pg.connect().execute('select 41 + 1').fetchone())",
        services=["postgres"],
    )
    assert run.run([course]) == 0
    one = record(course, "a.ipynb")
    assert [service["way"] for service in one["services"]] == ["process"]
    assert not _running("pginstall")


@pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_stopping_the_runner_leaves_nothing_behind(course, sign):
    write(
        course / "a.ipynb",
        "from lab.services import Postgres\npg = Postgres().start()",
        "while True: pass",
    )
    code = (
        "import sys; from pathlib import Path; from lab import run\n"
        f"root = Path({str(course.parent)!r})\n"
        "for name in ('EXECUTED', 'FAILED', 'RUNS'): setattr(run, name, root / name)\n"
        "run.REPORT, run.paths.ROOT = root / 'report.json', root\n"
        f"sys.exit(run.run([Path({str(course)!r})]))"
    )
    runner = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    kernels = []
    while not kernels and time.monotonic() < deadline:
        tree = psutil.Process(runner.pid).children(recursive=True)
        kernels = [p.pid for p in tree if "postgres" in p.name()]
        time.sleep(0.1)
    assert kernels, "the notebook never got as far as its server"
    started = [p.pid for p in psutil.Process(runner.pid).children(recursive=True)]
    # A session's folder is named after its process.
    scratch = Path(tempfile.gettempdir())
    assert list(scratch.glob(f"lab-{runner.pid:x}*"))
    runner.send_signal(sign)
    runner.wait(timeout=30)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and (
        any(psutil.pid_exists(pid) for pid in started) or list(scratch.glob(f"lab-{runner.pid:x}*"))
    ):
        time.sleep(0.1)
    left = [psutil.Process(pid).cmdline() for pid in started if psutil.pid_exists(pid)]
    assert not left
    assert not list(scratch.glob(f"lab-{runner.pid:x}*"))
