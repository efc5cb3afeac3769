"""The assignment of the grader's tests, and an open sandbox for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import basket

from lab.grading import release, sandbox
from lab.grading.course import Assignment, Course, load
from lab.grading.grader import Grader


@pytest.fixture(scope="session")
def kind() -> str:
    """The sandbox of this machine; without one the grader refuses, and so do its tests."""
    return sandbox.choose()


@pytest.fixture(scope="session")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A course with the one assignment, released."""
    made = basket.build(tmp_path_factory.mktemp("course"))
    release([], course=made)
    return made


@pytest.fixture(scope="session")
def assignment(course: Course) -> Assignment:
    return load(course, basket.NAME)


@pytest.fixture(scope="session")
def grader(assignment: Assignment, kind: str) -> Iterator[Grader]:
    """Open rooms with the usual limits."""
    with Grader(assignment, kind) as opened:
        yield opened
