"""Nothing that a submission tries gains a point, gets out, or harms the next one."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import attacks
import basket
import pytest

from lab import paths
from lab.grading.course import Assignment, Course, load
from lab.grading.grader import Grader
from lab.grading.proof import handed_in

CANARY = "canary-7c1f"


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A course with things worth reading, and tight limits."""
    folder = tmp_path_factory.mktemp("target")
    course = basket.build(folder, attacks.LIMITS)
    other = course.submitted / "other" / basket.NAME
    other.mkdir(parents=True)
    (other / f"{basket.NAME}.ipynb").write_text(CANARY)
    (course.grading / "gradebook.db").write_text(CANARY)
    course.exercises.mkdir()
    (folder / "secret").write_text(CANARY)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)  # only the sandbox stands in the way
    return course


@pytest.fixture(scope="module")
def plan(target: Course) -> Assignment:
    return load(target, basket.NAME)


@pytest.fixture(scope="module")
def rooms(plan: Assignment, kind: str) -> Iterator[Grader]:
    os.environ["LAB_TEST_SECRET"] = CANARY
    with Grader(plan, kind) as opened:
        yield opened
    del os.environ["LAB_TEST_SECRET"]


@pytest.fixture(scope="module")
def places(target: Course) -> Iterator[dict[str, str]]:
    """Paths and ports that attacks aim at."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as quiet:
        quiet.bind("\0lab-attack-test")
        quiet.listen()
        yield {
            "GRADEBOOK": str(target.grading / "gradebook.db"),
            "SOLUTIONS": str(target.solutions / basket.NAME / f"{basket.NAME}.ipynb"),
            "SUBMITTED": str(target.submitted / "other" / basket.NAME / f"{basket.NAME}.ipynb"),
            "SECRET": str(target.solutions.parent / "secret"),
            "EXERCISES": str(target.exercises),
            "PREFIX": sys.prefix,
            "PACKAGE": str(paths.ENV / "lab"),
            "HOME_OF_HOST": str(Path.home()),
            "PORT": str(server.getsockname()[1]),
        }


def state(course: Course) -> dict[str, str]:
    """Everything that an attack may not change."""
    watched = [
        *course.solutions.parent.rglob("*"),
        *(paths.ENV / "lab" / "grading").glob("*.py"),
        Path(sys.prefix) / "lib" / "python3.11" / "site-packages" / "sitecustomize.py",
    ]
    return {str(p): sha256(p.read_bytes()).hexdigest() for p in watched if p.is_file()}


@pytest.mark.parametrize("attack", attacks.ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_gains_nothing(
    attack: attacks.Attack,
    target: Course,
    plan: Assignment,
    rooms: Grader,
    places: dict[str, str],
) -> None:
    before = state(target)

    verdict = rooms.grade(attacks.handed_in(attack, plan.release_json, places))

    assert verdict["score"] == attack.earned, verdict["cells"]
    shown = json.dumps([cell["out"] for cell in verdict["notebook"]])
    told = shown + verdict["message"] + json.dumps(verdict["cells"])
    assert "ESCAPED" not in told
    assert CANARY not in told
    assert len(shown) < 2_000_000
    assert state(target) == before
    assert verdict["max_score"] == plan.max_score
    assert set(verdict["cells"]) == {cell.grade_id for cell in plan.cells if cell.points}
    honest = rooms.grade(handed_in(target, basket.NAME))
    assert (honest["status"], honest["score"]) == ("graded", 15.0)


def test_a_hidden_test_is_not_in_what_a_student_sees(
    plan: Assignment, rooms: Grader, target: Course
) -> None:
    wrong = handed_in(target, basket.NAME, {"q1-revenue": "def revenue(o): return 36.75"})

    verdict = rooms.grade(wrong)

    assert verdict["cells"]["q1-other-data"]["message"].startswith("revenue of other orders")
    assert "101.0" not in json.dumps(verdict)


def test_nothing_of_a_room_is_left_when_it_closes(plan: Assignment, kind: str) -> None:
    grader = Grader(plan, kind)
    grader.grade(b"{}")
    rooms = [room for room in (grader.students, grader.checkers) if room is not None]
    pids = [room.pid for room in rooms]

    grader.close()

    end = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < end:
        time.sleep(0.05)
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    assert not [room.folder for room in rooms if room.folder.exists()]
