"""Formgrader's *Autograde* button and `nbgrader autograde`, made to grade as `lab grade` does.

nbgrader would run the student's code in a kernel of the instructor's, with their rights. What calls
its `Autograde` gets the sandbox instead: the same notebooks, gradebook and log.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.grading.course import Course


def install() -> None:
    """Put the course's grading in the place of nbgrader's, in this process."""
    from nbgrader.converters import Autograde

    Autograde.start = autograde


def autograde(self: Any) -> None:
    """Grade an assignment, or the one hand-in of it that is named, afresh; `Autograde.start`.

    Args:
        self: nbgrader's converter, whose course, assignment and student are taken.

    Raises:
        NbGraderException: nothing could be graded; the text says why and what to do.
    """
    from nbgrader.converters.base import NbGraderException

    from lab.grading.batch import grade

    place = self.coursedir
    root = Path(place.root)
    submitted = root / place.submitted_directory
    course = Course(root / place.source_directory, root / place.release_directory, submitted.parent)
    wanted = None if place.student_id == "*" else [place.student_id]
    try:
        grade(place.assignment_id, submitted=submitted, students=wanted, afresh=True, course=course)
    except LabError as error:
        self.log.error(str(error))
        raise NbGraderException(str(error)) from None
    self.log.info("Graded by `lab grade`, in its sandbox.")
