"""How long grading takes: nbgrader, nbclient alone, and `lab grade` with one job and with two.

    python tests/bench_grading.py [--exercise 1-warehousing|basket|till] [--sizes 10,50,300]

Every method grades the same class, in turn, in one run, and every one from a standing start: the
sandbox, the proof of the solution and the new gradebook are in `lab grade`'s time. A third of the
class has everything right; each of the others makes one of the exercise's mistakes. Where both
grade, every test cell of every hand-in has to get the same points, or the benchmark fails.

`more` is what each hand-in beyond the smaller class above it took: the price without the start.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "grading"))

import basket
import programs
import till

from lab import paths
from lab.grading import grade
from lab.grading.course import Course
from lab.grading.proof import handed_in, mutants_of

Scores = dict[tuple[str, str], float | None]
"""Points by student and test cell."""


def lay_out(root: Path, name: str) -> Course:
    """A course with one exercise, of the course's own or of the grader's tests."""
    if name in (basket.NAME, till.NAME):
        course = {basket.NAME: basket, till.NAME: till}[name].build(root)
    else:
        course = Course(root / "solutions", root / "exercises", root / "grading")
        shutil.copytree(paths.SOLUTIONS / name, course.solutions / name)
    basket.plain_config(course)
    return course


def hand_in(course: Course, name: str, given: dict[str, bytes]) -> None:
    """Lay notebooks where hand-ins lie, by student."""
    for student, data in given.items():
        folder = course.submitted / student / name
        folder.mkdir(parents=True)
        (folder / f"{name}.ipynb").write_bytes(data)


def generate(root: Path, name: str, size: int) -> Course:
    """A course with one exercise and what a class handed in for it."""
    course = lay_out(root, name)
    mutants = mutants_of(course, name)
    given = {}
    for number in range(size):
        wrong = mutants[number % len(mutants)]
        replaced = {} if number % 3 == 0 else {wrong.answer: wrong.code}
        given[f"student{number:03}"] = handed_in(course, name, replaced)
    hand_in(course, name, given)
    return course


def nbgrader(course: Course, name: str) -> None:
    for step in ("generate_assignment", "autograde"):
        programs.run(course.solutions.parent, "nbgrader", step, name)


def nbclient(course: Course, name: str) -> None:
    import nbformat
    from nbclient import NotebookClient

    for path in sorted(course.submitted.rglob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        NotebookClient(notebook, kernel_name="python3", allow_errors=True).execute()


def ours(jobs: int) -> Callable[[Course, str], None]:
    def run(course: Course, name: str) -> None:
        with redirect_stdout(StringIO()):
            grade(name, jobs=jobs, course=course)

    return run


METHODS: dict[str, Callable[[Course, str], None]] = {
    "nbgrader autograde": nbgrader,
    "nbclient alone": nbclient,
    "lab grade, 1 job": ours(1),
    "lab grade, 2 jobs": ours(2),
}
SAFE_TO_COMPARE = ("nbgrader autograde", "lab grade, 1 job", "lab grade, 2 jobs")


def scores(course: Course, name: str) -> Scores:
    """What the gradebook says."""
    from nbgrader.api import Gradebook

    with Gradebook(course.db_url, "") as book:
        return {
            (submission.student.id, each.name): each.auto_score
            for submission in book.assignment_submissions(name)
            for notebook in submission.notebooks
            for each in notebook.grades
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exercise", default="1-warehousing")
    parser.add_argument("--sizes", default="10,50,300")
    parser.add_argument("--slow", type=int, default=10**6, help="largest class of the slow methods")
    options = parser.parse_args()
    name = options.exercise
    print(f"{name}; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    print("| hand-ins | method | seconds | a hand-in | more | times faster than nbgrader |")
    print("|---|---|---|---|---|---|")
    before: dict[str, tuple[int, float]] = {}
    for size in map(int, options.sizes.split(",")):
        base: float | None = None
        due: Scores | None = None
        for method, run in METHODS.items():
            if not method.startswith("lab") and size > options.slow:
                print(f"| {size} | {method} | not run | | | |", flush=True)
                continue
            with tempfile.TemporaryDirectory() as folder:
                course = generate(Path(folder), name, size)
                began = time.perf_counter()
                run(course, name)
                seconds = time.perf_counter() - began
                if method in SAFE_TO_COMPARE:
                    found = scores(course, name)
                    due = due or found
                    wrong = sorted(key for key in due if found.get(key) != due[key])
                    if wrong or len(found) != len(due):
                        raise SystemExit(f"{method} gives other points than nbgrader: {wrong[:5]}")
            base = seconds if run is nbgrader else base
            faster = f"{base / seconds:.1f}" if base else ""
            more = ""
            if method in before:
                fewer, took = before[method]
                more = f"{(seconds - took) / (size - fewer):.3f}"
            before[method] = size, seconds
            print(
                f"| {size} | {method} | {seconds:.1f} | {seconds / size:.3f} | {more} | {faster} |",
                flush=True,
            )
        if due:
            print(f"| {size} | | | {len(due)} scores, the same | | |", flush=True)


if __name__ == "__main__":
    main()
