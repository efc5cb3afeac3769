"""One submission in, one verdict out; nothing that a submission does gets any further than that."""

from __future__ import annotations

import ast
import contextlib
import select
import socket
import time
from typing import Any

from lab.errors import LabError
from lab.grading import forkserver, sandbox
from lab.grading.course import Assignment

ATTEMPTS = 3
"""Times that a notebook is begun: a cell that ended its process is left out of the next."""
WEIGH_EVERY = 0.1

Verdict = dict[str, Any]
"""status, score, max_score, message, seconds, cells (the report), and `notebook` (the cells)."""


def imports_of(assignment: Assignment) -> list[str]:
    """The modules that the author's cells import: what is imported once, before the first fork."""
    found: dict[str, None] = {}
    for cell in assignment.cells:
        if cell.cell_type != "code":
            continue
        try:
            tree = ast.parse(cell.source)
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found |= {alias.name: None for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found[node.module] = None
    if found.keys() & {"pandas", "duckdb", "polars"}:
        found |= dict.fromkeys(("numpy", "pyarrow", "pyarrow.ipc"))
    return list(found)


class Grader:
    """Two open rooms, one for students and one for tests, and the way through them.

    >>> with Grader(assignment, "bwrap") as grader:  # doctest: +SKIP
    ...     grader.grade(path.read_bytes())["score"]

    Args:
        assignment: what is graded.
        kind: of sandbox, from `sandbox.choose`.
    """

    def __init__(self, assignment: Assignment, kind: str) -> None:
        self.assignment, self.kind = assignment, kind
        self.modules = imports_of(assignment)
        self.students: sandbox.Room | None = None
        self.checkers: sandbox.Room | None = None
        self.can_nest = kind == "bwrap"

    def __enter__(self) -> Grader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for room in (self.students, self.checkers):
            if room is not None:
                room.close()
        self.students = self.checkers = None

    def rooms(self) -> sandbox.Room:
        """Open what is not open; return the checkers' room."""
        try:
            opening = []
            if self.checkers is None:
                # Containers hold students only: where there is no bwrap, a checker is a process.
                kind = "bwrap" if self.kind == "bwrap" else "unsafe"
                self.checkers = sandbox.Room(kind, "checker", self.assignment)
                opening.append(self.checkers)
            if self.can_nest and self.students is None:
                self.students = sandbox.Room(self.kind, "student", self.assignment)
                opening.append(self.students)
            for room in opening:
                room.begin(self.modules)
            for room in opening:
                room.wait()
            if self.students in opening and self.students is not None:
                self.try_walls(self.students)
        except sandbox.RoomFailed as error:
            self.close()
            name = self.assignment.name
            raise LabError(f"The sandbox for {name} did not open: {error}") from None
        return self.checkers

    def try_walls(self, room: sandbox.Room) -> None:
        """Fork once for nothing; where namespaces can't be nested, a room is for one submission."""
        mine, its = socket.socketpair()
        try:
            room.start([its.fileno()])
            room.end_child()
        except sandbox.RoomFailed:
            self.can_nest = False
            self.students = None
            room.close()
        finally:
            mine.close()
            its.close()

    def grade(self, data: bytes) -> Verdict:
        """Grade a file that was handed in.

        Args:
            data: the whole file, whatever it is.

        Returns:
            The verdict. Nothing in the file makes this raise.

        Raises:
            LabError: the sandbox itself can't be opened.
        """
        began = time.monotonic()
        skip: set[int] = set()
        troubles: list[str] = []
        breaks = 0
        sitting = Sitting(self.assignment)
        for _ in range(ATTEMPTS):
            sitting = Sitting(self.assignment)
            try:
                self.sit(data, skip, sitting)
            except sandbox.RoomFailed as error:
                self.close()
                breaks += 1
                if breaks > 1:
                    name = self.assignment.name
                    raise LabError(f"The sandbox for {name} broke: {error}") from None
                continue
            if sitting.trouble:
                troubles.append(sitting.trouble)
            if sitting.ended_at is None or sitting.ended_at in skip:
                break
            skip.add(sitting.ended_at)
            if time.monotonic() - began > self.assignment.limits.total_seconds:
                break
        return sitting.verdict(troubles, time.monotonic() - began)

    def sit(self, data: bytes, skip: set[int], sitting: Sitting) -> None:
        """Put a student's process and a checker face to face, and take down what comes of it."""
        checkers = self.rooms()
        line_a, line_b = socket.socketpair()
        mine, its = socket.socketpair()
        students = self.students
        alone = not self.can_nest
        try:
            if alone:
                students = sandbox.Room(self.kind, "student", self.assignment, once=True)
                students.begin(self.modules)
                students.wait()
                assert students.control is not None
                line_b.close()
                line_b = students.control
            else:
                assert students is not None
                students.start([line_a.fileno()])
            checkers.start([line_b.fileno(), its.fileno()])
            line_a.close()
            line_b.close()
            its.close()
            mine.settimeout(30)
            forkserver.send(mine, {"size": len(data), "skip": sorted(skip)})
            with contextlib.suppress(OSError):
                mine.sendall(data)
            self.listen(mine, students, sitting)
        finally:
            for each in (line_a, line_b, mine, its):
                each.close()
            checkers.end_child()
            if alone and students is not None:
                students.control = None
                students.close()
            elif students is not None:
                students.end_child()

    def listen(self, line: socket.socket, students: sandbox.Room, sitting: Sitting) -> None:
        """Read the checker's events until it is done or a limit is reached."""
        limits = self.assignment.limits
        end = time.monotonic() + limits.total_seconds
        weigh_at = time.monotonic() + WEIGH_EVERY
        while not sitting.done:
            now = time.monotonic()
            ready, _, _ = select.select([line], [], [], min(WEIGH_EVERY, max(0.0, end - now)))
            if ready:
                got = forkserver.receive(line)
                if got is None:
                    sitting.checker_ended()
                    return
                sitting.take(got[0])
            now = time.monotonic()
            if now >= end:
                sitting.out_of_time(limits.total_seconds)
                return
            if now >= weigh_at and self.kind == "bwrap":
                weigh_at = now + WEIGH_EVERY
                if sandbox.outweighs(students.pid, limits.memory_mb + students.base_mb):
                    sitting.notes.append(f"it used more than {limits.memory_mb} MB of memory")
                    sitting.trouble = "crashed"
                    if self.can_nest:
                        students.end_child()  # the checker hears it hang up, and goes on
                    else:
                        students.close()


class Sitting:
    """What is known of one run of a submission, event by event.

    The checker is trusted, yet it reads hostile data: its events are held to their form here.
    """

    def __init__(self, assignment: Assignment) -> None:
        self.assignment = assignment
        self.layout: list[list[Any]] = []
        self.out: dict[int, dict[str, Any]] = {}
        self.scores: dict[int, tuple[float, str]] = {}
        self.notes: list[str] = []
        self.author: list[str] = []
        self.slow: list[int] = []
        self.malformed: str | None = None
        self.trouble: str | None = None
        self.ended_at: int | None = None
        self.done = False

    def take(self, event: dict[str, Any]) -> None:
        if "layout" in event:
            self.layout = [[of, str(source), str(kind)] for of, source, kind in event["layout"]]
        elif "malformed" in event:
            self.malformed, self.done = str(event["malformed"]), True
        elif "author" in event:
            self.author.append(str(event["author"]))
        elif "score" in event:
            self.scores[int(event["step"])] = (float(event["score"]), str(event["message"]))
        elif "out" in event:
            self.out[int(event["step"])] = dict(event["out"])
        elif "done" in event:
            self.done = True
            self.trouble = self.trouble or event["trouble"]
            self.ended_at = event["ended_at"]
            self.slow = list(event["slow"])

    def checker_ended(self) -> None:
        if self.malformed is None:
            self.trouble = "crashed"
            self.notes.append("what it handed to the tests was more than they could take")

    def out_of_time(self, seconds: float) -> None:
        self.trouble = "timeout"
        self.notes.append(f"it took longer than {seconds:g} s")

    def cell_named(self, step: int) -> str:
        of = self.layout[step][0] if 0 <= step < len(self.layout) else None
        cell = self.assignment.cells[of] if isinstance(of, int) else None
        return f"cell {cell.grade_id or cell.id!r}" if cell else "an added cell"

    def verdict(self, troubles: list[str], seconds: float) -> Verdict:
        """The verdict on the submission, after the last run of it."""
        cells: dict[str, dict[str, Any]] = {}
        by_place = {
            self.layout[step][0]: found
            for step, found in self.scores.items()
            if 0 <= step < len(self.layout)
        }
        status = troubles[0] if troubles else "timeout" if self.slow else "graded"
        notes = [
            *self.notes,
            *(f"{self.cell_named(step)} was stopped after its time" for step in self.slow),
        ]
        if self.malformed is not None:
            status, notes = "malformed", [self.malformed]
        for place, cell in enumerate(self.assignment.cells):
            if cell.role == "test":
                default = (0.0, "not reached" if self.malformed is None else "no notebook to grade")
                score, message = by_place.get(place, default)
                score = score if 0 <= score <= cell.points else 0.0
            elif cell.manual:
                answered = self.answered(place)
                score = None if answered else 0.0
                message = "to be graded by a person" if answered else "no answer"
            else:
                continue
            cells[cell.grade_id] = {
                "score": score, "max_score": cell.points, "message": message,
            }  # fmt: skip
        if status in ("timeout", "crashed") and not notes:
            notes = ["a cell ended the notebook's process" if status == "crashed"
                     else "a cell did not stop when its time was over"]  # fmt: skip
        return {
            "status": status,
            "score": sum(each["score"] or 0.0 for each in cells.values()),
            "max_score": self.assignment.max_score,
            "message": "; ".join(dict.fromkeys(notes)),
            "seconds": round(seconds, 3),
            "cells": cells,
            "author": self.author,
            "notebook": [
                {"of": of, "source": source, "kind": kind, "out": self.out.get(step)}
                for step, (of, source, kind) in enumerate(self.layout)
            ],
        }

    def answered(self, place: int) -> bool:
        shown = self.assignment.cells[place].shown.strip()
        return any(
            of == place and source.strip() not in ("", shown) for of, source, _ in self.layout
        )
