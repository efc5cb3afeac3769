"""Grading: nbgrader's format and gradebook, and an execution that trusts no submission.

`release` makes the students' notebooks, `grade` grades what they hand in, `mutants` proves the
tests.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.grading.course import Course


def release(assignments: list[str], *, check: bool = False, course: Course | None = None) -> int:
    """Make the students' exercises from the solutions; see `lab.grading.releases.release`."""
    from lab.grading.releases import release

    return release(assignments, check=check, course=course)


def grade(
    assignment: str,
    *,
    submitted: Path | None = None,
    students: list[str] | None = None,
    jobs: int | None = None,
    scheduler: str | None = None,
    report: Path | None = None,
    unsafe: bool = False,
    afresh: bool = False,
    course: Course | None = None,
) -> int:
    """Grade all submissions of an assignment; see `lab.grading.batch.grade`."""
    from lab.grading.batch import grade

    return grade(
        assignment, submitted=submitted, students=students, jobs=jobs, scheduler=scheduler,
        report=report, unsafe=unsafe, afresh=afresh, course=course,
    )  # fmt: skip


def mutants(
    assignments: list[str],
    *,
    jobs: int | None = None,
    unsafe: bool = False,
    course: Course | None = None,
) -> int:
    """Prove that the tests tell right from wrong; see `lab.grading.proof.mutants`."""
    from lab.grading.proof import mutants

    return mutants(assignments, jobs=jobs, unsafe=unsafe, course=course)
