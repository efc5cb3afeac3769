"""The exercises that students get: in step with the solutions, with tests that catch mistakes."""

import pytest

from lab import images, paths
from lab.grading import mutants, release, sandbox

ASSIGNMENTS = sorted(folder.name for folder in paths.SOLUTIONS.iterdir() if folder.is_dir())


def test_exercises_are_what_the_solutions_make():
    assert release([], check=True) == 0, "run `lab release`"


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_solution_is_full_release_is_nothing_and_each_mutant_loses_its_points(assignment):
    if (reason := sandbox.bwrap_problem()) and images.engine():
        pytest.skip(f"no sandbox: {reason}")
    assert mutants([assignment]) == 0
