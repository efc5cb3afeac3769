"""An instructor's evening: submissions, gradebook, feedback, export, and what goes wrong."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import attacks
import basket
import nbformat
import programs
import pytest

from lab import paths
from lab.errors import LabError
from lab.grading import batch, grade, sandbox
from lab.grading.course import Course, load
from lab.grading.proof import handed_in, mutants_of


@pytest.fixture
def class_of(tmp_path: Path) -> Course:
    """Six students: one right, one wrong, one hostile, one without a notebook, two with tricks."""
    course = basket.build(tmp_path)
    hand_in(course, "ada", handed_in(course, basket.NAME, {"q6-essay": "*Because* <b>I</b> say"}))
    hand_in(course, "bob", handed_in(course, basket.NAME, {"q1-revenue": "revenue = 36.75"}))
    markup = next(a for a in attacks.ATTACKS if a.name == "markup")
    script = next(a for a in attacks.ATTACKS if a.name == "script in outputs")
    released = load(course, basket.NAME).release_json
    both = json.loads(attacks.handed_in(script, released, {}))
    assert markup.tamper
    markup.tamper(both)
    hand_in(course, "eve", json.dumps(both).encode())
    hand_in(course, "mal", b"not a notebook")
    (course.submitted / "nil" / basket.NAME).mkdir(parents=True)
    (course.submitted / "elsewhere" / "another").mkdir(parents=True)
    return course


def hand_in(course: Course, student: str, data: bytes, moment: str = "") -> Path:
    folder = course.submitted / student / basket.NAME
    folder.mkdir(parents=True)
    path = folder / f"{basket.NAME}.ipynb"
    path.write_bytes(data)
    if moment:
        (folder / "timestamp.txt").write_text(moment)
    return path


def reported(course: Course, **options: Any) -> dict[str, Any]:
    path = course.grading / "report.json"
    assert grade(basket.NAME, report=path, course=course, **options) == 0
    return json.loads(path.read_text())


def nbgrader(course: Course, *words: str) -> str:
    root = course.solutions.parent
    if not (root / "nbgrader_config.py").exists():
        shutil.copy(paths.ROOT / "nbgrader_config.py", root)
    return programs.run(root, "nbgrader", *words)


def test_every_submission_gets_a_verdict_and_the_report_says_it(
    class_of: Course, kind: str
) -> None:
    report = reported(class_of)

    students = report["students"]
    assert report["assignment"] == basket.NAME
    assert {name: s["status"] for name, s in students.items()} == {
        "ada": "graded", "bob": "graded", "eve": "graded", "mal": "malformed", "nil": "malformed",
    }  # fmt: skip
    assert {name: s["score"] for name, s in students.items()} == {
        "ada": 15.0, "bob": 12.0, "eve": 0.0, "mal": 0.0, "nil": 0.0,
    }  # fmt: skip
    assert students["nil"]["message"] == "there is no basket.ipynb"
    assert students["ada"]["cells"]["q6-essay"] == {
        "score": None, "max_score": 3.0, "message": "to be graded by a person",
    }  # fmt: skip
    assert students["bob"]["cells"]["q1-sum"]["score"] == 0
    assert students["ada"]["max_score"] == 18.0


def test_feedback_and_export_and_formgraders_database_have_the_grades(
    class_of: Course, kind: str
) -> None:
    reported(class_of)

    nbgrader(class_of, "generate_feedback", basket.NAME)
    nbgrader(class_of, "export", "--to", "grades.csv")

    with open(class_of.solutions.parent / "grades.csv", newline="") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    assert {name: float(row["score"]) for name, row in rows.items()} == {
        "ada": 15.0, "bob": 12.0, "eve": 0.0, "mal": 0.0, "nil": 0.0,
    }  # fmt: skip
    assert {float(row["max_score"]) for row in rows.values()} == {18.0}
    pages = {
        name: (class_of.grading / "feedback" / name / basket.NAME / "basket.html").read_text()
        for name in rows
    }
    for name, page in pages.items():
        body = page.split("</head>", 1)[1]
        assert "ESCAPED()</script>" not in body, name
        assert "<img src=x" not in body, name
        assert 'href="javascript' not in body, name
        assert "<b>I</b>" not in body, name
        assert "does it use its argument" not in body or name == "bob", name
        assert "101.0" not in body, name
    assert "revenue should be a function" in pages["bob"]
    assert "&lt;b&gt;I&lt;/b&gt;" in pages["ada"]
    assert "not JSON" in pages["mal"]
    with sqlite3.connect(class_of.grading / "gradebook.db") as book:
        waiting = book.execute(
            "select s.student_id from grade g join submitted_notebook n on n.id = g.notebook_id "
            "join submitted_assignment s on s.id = n.assignment_id where g.needs_manual_grade"
        ).fetchall()
    assert sorted(waiting) == [("ada",), ("bob",), ("eve",)]


def test_a_persons_grades_and_comments_outlive_a_new_run(class_of: Course, kind: str) -> None:
    from nbgrader.api import Gradebook

    reported(class_of)
    with Gradebook(class_of.db_url, "") as book:
        grade_of = book.find_grade("q6-essay", basket.NAME, basket.NAME, "ada")
        grade_of.manual_score = 2.5
        comment = book.find_comment("q6-essay", basket.NAME, basket.NAME, "ada")
        comment.manual_comment = "Well said."
        book.db.commit()

    reported(class_of, afresh=True)

    with Gradebook(class_of.db_url, "") as book:
        assert book.find_submission(basket.NAME, "ada").score == 17.5
        comment = book.find_comment("q6-essay", basket.NAME, basket.NAME, "ada")
        assert comment.comment == "Well said."


def test_what_has_not_changed_is_not_graded_again(
    class_of: Course, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first = reported(class_of)
    capsys.readouterr()
    hand_in(class_of, "new", handed_in(class_of, basket.NAME))
    path = class_of.submitted / "bob" / basket.NAME / f"{basket.NAME}.ipynb"
    path.write_bytes(handed_in(class_of, basket.NAME))

    second = reported(class_of)

    assert "4 of 6 are graded already" in capsys.readouterr().out
    assert second["students"]["ada"] == first["students"]["ada"]
    assert second["students"]["bob"]["score"] == 15.0
    assert second["students"]["new"]["score"] == 15.0


def test_an_interrupted_run_goes_on_where_it_was(class_of: Course, kind: str) -> None:
    slow = {"q1-revenue": "import time; time.sleep(1.2)\n" + basket.ANSWERS["q1-revenue"]}
    for number in range(8):
        hand_in(class_of, f"s{number}", handed_in(class_of, basket.NAME, slow))
    code = (
        "from pathlib import Path; from lab.grading import grade; "
        "from lab.grading.course import Course; "
        f"r = Path({str(class_of.solutions.parent)!r}); "
        "grade('basket', jobs=1, course=Course(r / 'solutions', r / 'exercises', r / 'grading'))"
    )
    first = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    kept = class_of.results / basket.NAME
    end = time.monotonic() + 60
    while len(list(kept.glob("s*.json"))) < 2 and time.monotonic() < end:
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.wait()
    before = {path.name: path.stat().st_mtime_ns for path in kept.glob("*.json")}
    assert 2 <= len([name for name in before if name.startswith("s")]) < 8

    report = reported(class_of)

    assert [s["score"] for n, s in report["students"].items() if n.startswith("s")] == [15.0] * 8
    after = {path.name: path.stat().st_mtime_ns for path in kept.glob("*.json")}
    assert {name: after[name] for name in before} == before


def test_plain_nbgrader_gives_the_same_scores(tmp_path: Path, kind: str) -> None:
    course = basket.build(tmp_path)
    chosen = {mutant.name: mutant for mutant in mutants_of(course, basket.NAME)}
    hand_in(course, "solution", handed_in(course, basket.NAME))
    hand_in(course, "release", load(course, basket.NAME).release_json.encode())
    for name in ("constant", "mean", "ascending", "float", "swallows"):
        mutant = chosen[name]
        hand_in(course, name, handed_in(course, basket.NAME, {mutant.answer: mutant.code}))
    ours = reported(course)["students"]
    shutil.rmtree(course.autograded)
    (course.grading / "gradebook.db").unlink()
    basket.plain_config(course)

    nbgrader(course, "generate_assignment", basket.NAME)
    nbgrader(course, "autograde", basket.NAME)

    from nbgrader.api import Gradebook

    with Gradebook(course.db_url, "") as book:
        for student, verdict in ours.items():
            for grade_id, cell in verdict["cells"].items():
                due = book.find_grade(grade_id, basket.NAME, basket.NAME, student).auto_score
                assert cell["score"] == due, (student, grade_id)


def test_nbgraders_own_autograding_is_the_sandboxed_one(class_of: Course, kind: str) -> None:
    from nbgrader.api import Gradebook

    spy = "import os\nfor name in os.listdir('/'): print(name)\nprint(os.getuid())\n"
    hand_in(class_of, "spy", handed_in(class_of, basket.NAME, {"q1-revenue": spy}))
    nbgrader(class_of, "generate_assignment", basket.NAME)

    nbgrader(class_of, "autograde", basket.NAME, "--student", "spy")

    with Gradebook(class_of.db_url, "") as book:
        assert [each.student.id for each in book.assignment_submissions(basket.NAME)] == ["spy"]
        assert book.find_submission(basket.NAME, "spy").score == 12.0
    graded = class_of.autograded / "spy" / basket.NAME / f"{basket.NAME}.ipynb"
    printed = next(
        output["text"]
        for cell in nbformat.read(graded, as_version=4).cells
        for output in cell.get("outputs", [])
        if output["output_type"] == "stream"
    )
    assert printed.endswith("65534\n")


def test_one_student_is_graded_alone(class_of: Course, kind: str) -> None:
    report = reported(class_of, students=["bob"])

    assert list(report["students"]) == ["bob"]
    with pytest.raises(LabError, match="by zoe; nobody was graded"):
        grade(basket.NAME, students=["bob", "zoe"], course=class_of)


def test_files_that_are_none_are_malformed_and_never_followed(tmp_path: Path, kind: str) -> None:
    course = basket.build(tmp_path)
    good = hand_in(course, "good", handed_in(course, basket.NAME))
    source = course.solutions / basket.NAME / f"{basket.NAME}.ipynb"
    for student in ("link", "pipe", "folder", "dangling"):
        (course.submitted / student / basket.NAME).mkdir(parents=True)

    def at(student: str) -> Path:
        return course.submitted / student / basket.NAME / f"{basket.NAME}.ipynb"

    at("link").symlink_to(source)
    os.mkfifo(at("pipe"))
    at("folder").mkdir()
    at("dangling").symlink_to("nowhere")
    (course.submitted / "whole").symlink_to(good.parents[1])
    (course.submitted / "part").mkdir()
    (course.submitted / "part" / basket.NAME).symlink_to(good.parent)
    huge = hand_in(course, "huge", b"")
    with huge.open("r+b") as file:
        file.truncate(200 * 2**20)
    hand_in(course, "<script>x", handed_in(course, basket.NAME))

    students = reported(course)["students"]

    assert students.pop("good")["score"] == 15.0
    assert {s["status"] for s in students.values()} == {"malformed"}, students
    assert {s["score"] for s in students.values()} == {0.0}
    assert len(students) == 8
    assert not (course.autograded / "<script>x").exists()


def test_a_dask_cluster_gives_the_same_report(class_of: Course, kind: str) -> None:
    from distributed import LocalCluster

    here = reported(class_of)
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        there = reported(class_of, afresh=True, scheduler=cluster.scheduler_address)

    for report in (here, there):
        for student in report["students"].values():
            student.pop("seconds")
    assert here == there


# --- what can't be done is said, and nothing is changed -----------------------------------------


def untouched(course: Course) -> None:
    assert not (course.grading / "gradebook.db").exists()
    assert not course.autograded.exists()


def test_an_assignment_that_does_not_exist(class_of: Course) -> None:
    with pytest.raises(LabError, match="no assignment 'nine'"):
        grade("nine", course=class_of)
    untouched(class_of)


def test_a_folder_that_is_not_there_or_empty(class_of: Course, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="There is no folder"):
        grade(basket.NAME, submitted=tmp_path / "none", course=class_of)
    (tmp_path / "empty").mkdir()
    with pytest.raises(LabError, match="handed in basket"):
        grade(basket.NAME, submitted=tmp_path / "empty", course=class_of)
    untouched(class_of)


def test_a_solution_that_fails_its_own_tests(class_of: Course, kind: str) -> None:
    path = class_of.solutions / basket.NAME / f"{basket.NAME}.ipynb"
    path.write_text(path.read_text().replace("36.75", "37.75"))

    with pytest.raises(LabError, match=r"does not pass its own tests.*q1-sum"):
        grade(basket.NAME, course=class_of)
    untouched(class_of)


def test_a_test_cell_with_an_error_of_its_own(class_of: Course, kind: str) -> None:
    path = class_of.solutions / basket.NAME / f"{basket.NAME}.ipynb"
    path.write_text(path.read_text().replace("found = revenue(orders)", "found = revenue(order)"))

    with pytest.raises(LabError, match=r"q1-sum.*NameError"):
        grade(basket.NAME, course=class_of)
    untouched(class_of)


def test_a_gradebook_of_another_version(class_of: Course, kind: str) -> None:
    path = class_of.grading / "gradebook.db"
    with sqlite3.connect(path) as book:
        book.execute("create table alembic_version (version_num varchar(32))")
        book.execute("insert into alembic_version values ('older')")
    before = path.read_bytes()

    with pytest.raises(LabError, match=r"another version of nbgrader \(older"):
        grade(basket.NAME, course=class_of)

    assert path.read_bytes() == before
    path.write_text("not a database, but long enough to look like a file of some other kind")
    with pytest.raises(LabError, match="is not a gradebook"):
        grade(basket.NAME, course=class_of)


def test_cells_that_changed_after_grading(class_of: Course, kind: str) -> None:
    reported(class_of)
    path = class_of.solutions / basket.NAME / f"{basket.NAME}.ipynb"
    made = nbformat.read(path, as_version=4)
    made.cells = [cell for cell in made.cells if cell.id != "q5-gives-up"]
    nbformat.write(made, path)

    with pytest.raises(LabError, match="nbgrader db assignment remove basket"):
        grade(basket.NAME, course=class_of)


def test_a_scheduler_that_does_not_answer(class_of: Course, kind: str) -> None:
    with pytest.raises(LabError, match="No Dask scheduler answers at tcp"):
        grade(basket.NAME, scheduler="tcp://127.0.0.1:9", course=class_of)
    untouched(class_of)


def test_a_machine_without_a_sandbox_refuses(
    class_of: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "bwrap_problem", lambda: "bubblewrap is not installed")
    monkeypatch.setattr(sandbox, "container_problem", lambda: "there is no container engine")

    with pytest.raises(LabError, match=r"bubblewrap is not installed; .*--unsafe"):
        grade(basket.NAME, course=class_of)
    untouched(class_of)


def test_unsafe_says_so_and_grades(
    class_of: Course, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("LAB_SANDBOX", raising=False)
    shutil.rmtree(class_of.submitted / "eve")  # not even in a test

    students = reported(class_of, unsafe=True)["students"]

    assert {name: s["score"] for name, s in students.items()} == {
        "ada": 15.0, "bob": 12.0, "mal": 0.0, "nil": 0.0,
    }  # fmt: skip
    assert "students' code runs as you" in capsys.readouterr().err


@pytest.mark.skipif(sandbox.container_problem() is not None, reason="no container engine here")
def test_a_container_gives_the_same_scores(
    class_of: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_SANDBOX", "container")
    for student in ("eve", "mal", "nil"):
        shutil.rmtree(class_of.submitted / student)

    students = reported(class_of)["students"]

    assert {name: s["score"] for name, s in students.items()} == {
        "ada": 15.0, "bob": 12.0, 
    }  # fmt: skip


def test_reading_a_file_has_a_limit(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"12345")
    assert batch.read_file(tmp_path / "f", 5) == b"12345"
    with pytest.raises(ValueError, match="larger than"):
        batch.read_file(tmp_path / "f", 4)
