"""An instructor's evening, from the release to the export, with N generated hand-ins.

    python tests/grading/evening.py [N] [--keep FOLDER]

Works in a course folder of its own, and touches nothing of this one's `grading/`. Prints a table of
steps; fails when a command does, or when a hand-in gets another score or verdict than is due.
`--keep` leaves the course in a new folder, to be looked at in Formgrader.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import programs

from lab import paths
from lab.grading import sandbox
from lab.grading.course import Assignment, Course, load
from lab.grading.proof import handed_in, mutants_of

NAME = "1-warehousing"
ESSAY = "q10-design"

LAB = """
from pathlib import Path
from lab import paths
here = Path.cwd()
paths.SOLUTIONS, paths.EXERCISES = here / "solutions", here / "exercises"
paths.GRADING = here / "grading"
from lab.cli import main
main()
"""
"""The `lab` command for the course in the working folder; the installed one knows only its own."""

HOSTILE = {
    "reads the solutions": (
        "import pathlib\nfor file in pathlib.Path('SOLUTIONS').rglob('*'):\n"
        "    print(file.read_text())"
    ),
    "kills everyone": "import os, signal\nos.kill(-1, signal.SIGKILL)",
    "is equal to everything": (
        "class Yes(str):\n    def __eq__(self, other): return True\n"
        "    __hash__ = str.__hash__\n    def __getattr__(self, name): return lambda *a: Yes()\n"
        "ddl = Yes()"
    ),
    "calls outside": "import urllib.request\nurllib.request.urlopen('http://192.0.2.1', timeout=3)",
    "asks for memory": "hoard = [bytearray(2**30) for _ in range(6)]",
}
"""Code for the first answer's cell of notebooks that answer nothing else."""

LOOP = "def dollars(runs, stored, price):\n    while True:\n        pass"
LEAVE = "import os\nos._exit(0)"


@dataclass(frozen=True)
class HandIn:
    """A file, and what is due for it; a verdict of None may be any."""

    kind: str
    data: bytes
    points: float
    verdict: str | None = "graded"


def hand_ins(course: Course, plan: Assignment) -> Iterator[HandIn]:
    """Hand-ins without end, in every ten: right, wrong, half done, not begun, and trouble."""
    mutants = cycle(mutants_of(course, NAME)[::7] + mutants_of(course, NAME)[3::7])
    tests = {cell.grade_id: cell.points for cell in plan.tests}
    full = sum(tests.values())
    answers = [cell.grade_id for cell in plan.cells if cell.role == "answer"]
    shown = {cell.grade_id: cell.shown for cell in plan.cells}

    def of(answer: str) -> float:
        number = answer.split("-")[0] + "-"
        return sum(points for test, points in tests.items() if test.startswith(number))

    def wrong() -> HandIn:
        one = next(mutants)
        while True:
            other = next(mutants)
            if other.answer != one.answer:
                break
        lost = sum(tests[test] for mutant in (one, other) for test in mutant.loses)
        replaced = {mutant.answer: mutant.code for mutant in (one, other)}
        return HandIn("two mistakes", handed_in(course, NAME, replaced), full - lost)

    def half(done: int) -> HandIn:
        left = {answer: shown[answer] for answer in [*answers[done:], ESSAY]}
        due = full - sum(of(answer) for answer in answers[done:])
        return HandIn("half done", handed_in(course, NAME, left), due)

    def stripped() -> HandIn:
        notebook = json.loads(handed_in(course, NAME))
        for cell in notebook["cells"]:
            cell["metadata"] = {}
        text = json.dumps(notebook, indent=1).replace("\n", "\r\n")
        return HandIn("lost metadata", text.encode(), full)

    def hostile(what: str) -> HandIn:
        notebook = json.loads(plan.release_json)
        for cell in notebook["cells"]:
            if cell["metadata"].get("nbgrader", {}).get("grade_id") == answers[0]:
                code = HOSTILE[what]
                cell["source"] = code.replace("SOLUTIONS", str(course.solutions))
        return HandIn(what, json.dumps(notebook).encode(), 0, None)

    def spoiled(kind: str, answer: str, code: str, verdict: str | None) -> HandIn:
        return HandIn(kind, handed_in(course, NAME, {answer: code}), full - of(answer), verdict)

    trouble = cycle(
        [
            lambda: spoiled("never ends", "q4-dollars", LOOP, None),
            lambda: hostile("reads the solutions"),
            lambda: HandIn("empty file", b"", 0, "malformed"),
            lambda: hostile("kills everyone"),
            lambda: HandIn("no notebook", b"%PDF-1.7\n" + bytes(range(256)), 0, "malformed"),
            lambda: hostile("is equal to everything"),
            lambda: spoiled("ends its process", "q5-add-price", LEAVE, "crashed"),
            lambda: hostile("calls outside"),
            lambda: HandIn("half a file", plan.release_json.encode()[:4000], 0, "malformed"),
            lambda: hostile("asks for memory"),
        ]
    )
    while True:
        for done in (7, 4):
            yield HandIn("all right", handed_in(course, NAME), full)
            yield wrong()
            yield wrong()
            yield half(done) if done == 7 else stripped()
            yield next(trouble)()
        # once in eleven, so that with the ten above every kind moves through the class
        yield HandIn("not begun", plan.release_json.encode(), 0)


class Evening:
    """The course folder, and the table that the steps fill."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.course = Course(root / "solutions", root / "exercises", root / "grading")
        shutil.copytree(paths.SOLUTIONS / NAME, self.course.solutions / NAME)
        shutil.copy(paths.ROOT / "nbgrader_config.py", root)
        self.submitted = self.course.submitted
        self.due: dict[str, HandIn] = {}
        print("| step | command | seconds | result |\n|---|---|---|---|", flush=True)

    @contextmanager
    def step(self, name: str, command: str) -> Iterator[list[str]]:
        """Time what is done inside, and print its row; what it found goes into the list."""
        found: list[str] = []
        began = time.perf_counter()
        yield found
        seconds = time.perf_counter() - began
        print(f"| {name} | {command} | {seconds:.1f} | {'; '.join(found)} |", flush=True)

    def run(self, *words: str) -> str:
        """Run `lab` or `nbgrader` in the folder; what it printed."""
        if words[0] == "lab":
            return programs.run(self.root, sys.executable, "-c", LAB, *words[1:])
        return programs.run(self.root, *words)

    def release(self) -> None:
        with self.step("release", f"`lab release {NAME}`") as found:
            self.run("lab", "release", NAME)
            made = self.course.exercises / NAME / f"{NAME}.ipynb"
            found.append(f"{len(json.loads(made.read_text(encoding='utf-8'))['cells'])} cells")

    def collect(self, size: int) -> None:
        with self.step("collect", f"{size} hand-ins generated") as found:
            plan = load(self.course, NAME)
            deadline = dt.datetime(2026, 11, 23, 18, tzinfo=dt.UTC)
            for number, made in zip(range(size), hand_ins(self.course, plan), strict=False):
                student = f"student{number + 1:02}"
                folder = self.submitted / student / NAME
                folder.mkdir(parents=True)
                (folder / f"{NAME}.ipynb").write_bytes(made.data)
                moment = deadline - dt.timedelta(minutes=37 * number)
                (folder / "timestamp.txt").write_text(f"{moment:%Y-%m-%d %H:%M:%S} UTC")
                self.due[student] = made
            kinds = Counter(made.kind for made in self.due.values())
            found.append(", ".join(f"{number} {kind}" for kind, number in kinds.most_common()))

    def grade(self) -> dict[str, Any]:
        words = ["grade", NAME, "--submitted", "grading/submitted", "--report", "report.json"]
        with self.step("grade", f"`lab {' '.join(words)}`") as found:
            self.run("lab", *words)
            students = json.loads((self.root / "report.json").read_text())["students"]
            verdicts = Counter(each["status"] for each in students.values())
            found.append(", ".join(f"{n} {verdict}" for verdict, n in sorted(verdicts.items())))
            scores = [each["score"] for each in students.values()]
            most = next(iter(students.values()))["max_score"]
            found.append(f"{sum(scores) / len(scores):.1f} of {most:g} points on average")
        self.compare(students)
        return students

    def compare(self, students: dict[str, Any]) -> None:
        """Every score and verdict is the one that is due, or the evening is a failure."""
        wrong = [
            f"{student} ({due.kind}): {got['status']}, {got['score']:g} points and not "
            f"{due.points:g}: {got['message']}"
            for student, due in self.due.items()
            for got in [students[student]]
            if got["score"] != due.points or due.verdict not in (None, got["status"])
        ]
        if wrong or set(students) != set(self.due):
            raise SystemExit("not as due:\n" + "\n".join(wrong))

    def look(self, students: dict[str, Any]) -> None:
        """What a person does in Formgrader: points and a word for each open answer."""
        from nbgrader.api import Gradebook

        with (
            self.step("look", f"points for `{ESSAY}`, as Formgrader enters them") as found,
            Gradebook(self.course.db_url, "") as book,
        ):
            waiting = 0
            for submission in book.assignment_submissions(NAME):
                for notebook in submission.notebooks:
                    for each in notebook.grades:
                        if each.needs_manual_grade:
                            waiting += 1
                            done = students[submission.student.id]["score"] > 0
                            each.manual_score = 2.0 if done else 0.0
                            each.needs_manual_grade = False
                            comment = book.find_comment(ESSAY, NAME, NAME, submission.student.id)
                            comment.manual_comment = (
                                "Who is woken when the feed of a store stays away?"
                                if done
                                else "Nothing is written here."
                            )
            book.db.commit()
            found.append(f"{waiting} open answers graded")

    def grade_again(self) -> None:
        with self.step("grade again", f"`lab grade {NAME}`") as found:
            said = self.run("lab", "grade", NAME)
            found.append(next(line for line in said.splitlines() if "already" in line))

    def give_back(self) -> None:
        with self.step("return", f"`nbgrader generate_feedback {NAME}`") as found:
            self.run("nbgrader", "generate_feedback", NAME)
            pages = sorted((self.course.grading / "feedback").rglob("*.html"))
            if len(pages) != len(self.due):
                raise SystemExit(f"{len(pages)} pages of feedback for {len(self.due)} students")
            size = sum(page.stat().st_size for page in pages) / len(pages) / 1000
            found.append(f"{len(pages)} pages, {size:.0f} kB each")

    def export(self) -> None:
        with self.step("export", "`nbgrader export --to grading/grades.csv`") as found:
            self.run("nbgrader", "export", "--to", "grading/grades.csv")
            with open(self.course.grading / "grades.csv", newline="") as file:
                rows = list(csv.DictReader(file))
            if {row["student_id"] for row in rows} != set(self.due):
                raise SystemExit(f"{len(rows)} rows for {len(self.due)} students")
            mean = sum(float(row["score"]) for row in rows) / len(rows)
            found.append(f"{len(rows)} rows; {mean:.1f} of {rows[0]['max_score']} on average")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("hand_ins", nargs="?", type=int, default=50)
    parser.add_argument("--keep", type=Path, help="a new folder for the course")
    options = parser.parse_args()
    if options.hand_ins < 1:
        parser.error("an evening needs a hand-in")
    if options.keep and options.keep.exists():
        parser.error(f"{options.keep} exists already; name a new folder")
    print(
        f"{dt.date.today()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f}, sandbox: {sandbox.choose()}\n"
    )
    with tempfile.TemporaryDirectory(prefix="evening-") as folder:
        root = options.keep or Path(folder)
        root.mkdir(parents=True, exist_ok=True)
        evening = Evening(root.resolve())
        evening.release()
        evening.collect(options.hand_ins)
        students = evening.grade()
        evening.look(students)
        evening.grade_again()
        evening.give_back()
        evening.export()


if __name__ == "__main__":
    main()
