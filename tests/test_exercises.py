"""The exercises that students get: in step with the solutions, with tests that catch mistakes."""

from pathlib import Path

import bench_grading
import pytest

from lab import images, paths
from lab.grading import mutants, release, sandbox
from lab.grading.course import load
from lab.grading.proof import handed_in, mutants_of

ASSIGNMENTS = sorted(folder.name for folder in paths.SOLUTIONS.iterdir() if folder.is_dir())


@pytest.fixture
def walls() -> None:
    """A sandbox, or a visible reason."""
    if (reason := sandbox.bwrap_problem()) and images.engine():
        pytest.skip(f"no sandbox: {reason}")


def test_exercises_are_what_the_solutions_make():
    assert release([], check=True) == 0, "run `lab release`"


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_solution_is_full_release_is_nothing_and_each_mutant_loses_its_points(assignment, walls):
    assert mutants([assignment]) == 0


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_plain_nbgrader_gives_the_same_points(assignment: str, tmp_path: Path, walls):
    """A mutant for each question here; `bench_grading.py` compares all of them."""
    course = bench_grading.lay_out(tmp_path, assignment)
    one_each = {mutant.answer: mutant for mutant in mutants_of(course, assignment)}
    given = {
        "solution": handed_in(course, assignment),
        "release": load(course, assignment).release_json.encode(),
    }
    for mutant in one_each.values():
        given[mutant.name] = handed_in(course, assignment, {mutant.answer: mutant.code})
    bench_grading.hand_in(course, assignment, given)

    found = {}
    for method in ("nbgrader autograde", "lab grade, 2 jobs"):
        bench_grading.METHODS[method](course, assignment)
        found[method] = bench_grading.scores(course, assignment)
        (course.grading / "gradebook.db").unlink()

    assert len(set(found["nbgrader autograde"].values())) > 1
    assert found["nbgrader autograde"] == found["lab grade, 2 jobs"]
