"""Releases, mutants, and what an author is told."""

from __future__ import annotations

import shutil
from pathlib import Path

import basket
import nbformat
import programs
import pytest

from lab import paths
from lab.errors import LabError
from lab.grading import mutants, release
from lab.grading.course import Course, load


@pytest.fixture
def fresh(tmp_path: Path) -> Course:
    return basket.build(tmp_path)


def notebook(course: Course) -> Path:
    return course.solutions / basket.NAME / f"{basket.NAME}.ipynb"


def edit(course: Course, old: str, new: str) -> None:
    path = notebook(course)
    made = nbformat.read(path, as_version=4)
    assert any(old in cell.source for cell in made.cells)
    for cell in made.cells:
        cell.source = cell.source.replace(old, new)
    nbformat.write(made, path)


def test_a_release_is_what_nbgrader_would_make(fresh: Course) -> None:
    """The Formgrader's button and `lab release` may not make two different exercises."""
    root = fresh.solutions.parent
    release([], course=fresh)
    ours = (fresh.exercises / basket.NAME / f"{basket.NAME}.ipynb").read_bytes()
    shutil.rmtree(fresh.exercises)
    shutil.copy(paths.ROOT / "nbgrader_config.py", root)

    programs.run(root, "nbgrader", "generate_assignment", basket.NAME)

    theirs = [path for path in fresh.exercises.rglob("*") if path.is_file()]
    assert [path.name for path in theirs] == [f"{basket.NAME}.ipynb"]
    assert theirs[0].read_bytes() == ours


def test_a_release_has_neither_answers_nor_hidden_tests_nor_mutants(fresh: Course) -> None:
    (fresh.solutions / basket.NAME / "data.csv").write_text("a,b\n")

    release([], course=fresh)

    files = {p.name: p.read_text() for p in fresh.exercises.rglob("*") if p.is_file()}
    assert set(files) == {f"{basket.NAME}.ipynb", "data.csv"}
    text = files[f"{basket.NAME}.ipynb"]
    assert "groupby" not in text
    assert "HIDDEN" not in text
    assert "does it use its argument" not in text
    assert "the sum of all amounts" in text


def test_check_finds_what_is_stale_missing_or_too_much_and_writes_nothing(
    fresh: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    assert release([], check=True, course=fresh) == 1
    assert not fresh.exercises.exists()
    release([], course=fresh)
    assert release([], check=True, course=fresh) == 0

    made = fresh.exercises / basket.NAME / f"{basket.NAME}.ipynb"
    made.write_text(made.read_text() + " ")
    extra = made.with_name("old.csv")
    extra.write_text("")

    assert release([], check=True, course=fresh) == 1
    assert str(extra) in capsys.readouterr().out
    assert extra.exists()
    release([], course=fresh)
    assert release([], check=True, course=fresh) == 0


def test_an_unknown_assignment_is_named(fresh: Course) -> None:
    with pytest.raises(LabError, match=r"no assignment 'nine' .* there is basket"):
        release(["nine"], course=fresh)


def test_a_test_that_would_be_empty_is_refused(fresh: Course) -> None:
    visible = 'assert callable(revenue), "revenue should be a function"\n'
    edit(fresh, visible, "")

    with pytest.raises(LabError, match="q1-other-data"):
        release([], course=fresh)


def test_two_cells_of_one_name_are_refused(fresh: Course) -> None:
    made = nbformat.read(notebook(fresh), as_version=4)
    tests = [c for c in made.cells if c.get("id") in ("q1-sum", "q2-stores")]
    tests[0].metadata.nbgrader.grade_id = tests[1].metadata.nbgrader.grade_id
    nbformat.write(made, notebook(fresh))

    with pytest.raises(LabError, match="q2-stores"):
        release([], course=fresh)


def test_a_notebook_that_is_none_is_named(fresh: Course) -> None:
    notebook(fresh).write_text("{")

    with pytest.raises(LabError, match=r"basket\.ipynb is not a notebook"):
        release([], course=fresh)


def test_an_unknown_limit_is_named(fresh: Course) -> None:
    made = nbformat.read(notebook(fresh), as_version=4)
    made.metadata["lab"] = {"grading": {"minutes": 3}}
    nbformat.write(made, notebook(fresh))

    with pytest.raises(LabError, match="minutes"):
        load(fresh, basket.NAME)


def test_solution_release_and_mutants_score_what_they_should(course: Course, kind: str) -> None:
    assert mutants([], course=course) == 0


def test_each_way_that_tests_can_be_weak_is_told(
    fresh: Course, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(fresh, 'assert revenue(few) == 101.0, "', 'assert revenue(few), "')
    folder = fresh.solutions / basket.NAME / "mutants"
    (folder / "once.py").unlink()
    text = (folder / "mean.py").read_text().replace("# loses: q2-amounts", "# loses: q9")
    (folder / "mean.py").write_text(text)

    assert mutants([], course=fresh) == 1

    told = capsys.readouterr().out
    assert "mutants/constant.py: q1-other-data gave 1 points, not 0" in told
    assert "no mutant loses just q5-again" in told
    assert "mutants/mean.py should lose ['q9']" in told


def test_a_wrong_solution_is_told(
    fresh: Course, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(fresh, 'float(orders["amount"].sum())', 'float(orders["amount"].max())')

    assert mutants([], course=fresh) == 1

    assert "the solution: q1-sum gave 0 points, not 2" in capsys.readouterr().out


def test_a_mutant_without_its_three_lines_is_refused(fresh: Course, kind: str) -> None:
    (fresh.solutions / basket.NAME / "mutants" / "bad.py").write_text("x = 1\n")

    with pytest.raises(LabError, match=r"bad\.py has to begin with"):
        mutants([], course=fresh)
