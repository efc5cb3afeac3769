"""A service that an exercise starts runs inside the sandbox, and ends with the hand-in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import till

from lab.grading import mutants
from lab.grading.course import Course, load
from lab.grading.grader import Grader
from lab.grading.proof import handed_in


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Course:
    return till.build(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def clerk(shop: Course, kind: str) -> Iterator[Grader]:
    with Grader(load(shop, till.NAME), kind) as opened:
        yield opened


def servers() -> set[int]:
    """PostgreSQL's processes on this machine, those in sandboxes among them."""
    return {p.pid for p in psutil.process_iter(["name"]) if p.info["name"] == "postgres"}


def test_answers_that_use_a_database_get_their_points(shop: Course, clerk: Grader) -> None:
    before = servers()

    verdict = clerk.grade(handed_in(shop, till.NAME))

    assert (verdict["status"], verdict["score"]) == ("graded", 5.0), verdict["cells"]
    assert verdict["author"] == []
    printed = [cell["out"]["stdout"] for cell in verdict["notebook"] if cell["out"]]
    assert printed[0].startswith("PostgreSQL: process"), printed
    assert not servers() - before


def test_mutants_of_an_exercise_with_a_database(shop: Course, kind: str) -> None:
    assert mutants([], course=shop) == 0


HARM = {
    "stops the server": "pg.stop()",
    "fills the table for the next": "fill(*((n, n) for n in range(1000)))",
    "keeps the server from ending": "import os, signal\n"
        "if os.fork() == 0:\n    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))\n"
        "    os.setsid()\n    while True: signal.pause()",
}  # fmt: skip


@pytest.mark.parametrize("what", HARM)
def test_what_one_does_to_a_server_is_not_there_for_the_next(
    what: str, shop: Course, clerk: Grader
) -> None:
    before = servers()

    clerk.grade(handed_in(shop, till.NAME, {"q2-empty": HARM[what]}))

    assert not servers() - before
    honest = clerk.grade(handed_in(shop, till.NAME))
    assert (honest["status"], honest["score"]) == ("graded", 5.0), honest["cells"]
    assert not list(Path("/tmp").glob("lab-room-*/data"))
