"""How long grading takes: nbgrader, nbclient alone, and `lab grade` with one job and with two.

    python tests/bench_grading.py [--sizes 10,50,300] [--slow 50]

Every method grades the same generated class, in turn, in one run, and every one from a standing
start: opening the sandbox, proving the solution and making the gradebook are in `lab grade`'s time.
`--slow` is the largest class that is given to the two slow methods; beyond it they are not run, and
the table says so instead of guessing.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "grading"))

import basket

from lab import paths
from lab.grading import grade
from lab.grading.course import Course
from lab.grading.proof import handed_in, mutants_of

PROGRAMS = Path(sys.executable).parent


def generate(root: Path, size: int) -> Course:
    """A class: a third has everything right, the others one thing wrong."""
    course = basket.build(root)
    mutants = mutants_of(course, basket.NAME)
    for number in range(size):
        wrong = mutants[number % len(mutants)]
        replaced = {} if number % 3 == 0 else {wrong.answer: wrong.code}
        folder = course.submitted / f"student{number:03}" / basket.NAME
        folder.mkdir(parents=True)
        file = folder / f"{basket.NAME}.ipynb"
        file.write_bytes(handed_in(course, basket.NAME, replaced))
    shutil.copy(paths.ROOT / "nbgrader_config.py", root)
    return course


def nbgrader(course: Course) -> None:
    root = course.solutions.parent
    variables = {**os.environ, "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"}
    for step in ("generate_assignment", "autograde"):
        command = [PROGRAMS / "nbgrader", step, basket.NAME]
        subprocess.run(command, cwd=root, env=variables, check=True, capture_output=True)


def nbclient(course: Course) -> None:
    import nbformat
    from nbclient import NotebookClient

    for path in sorted(course.submitted.rglob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        NotebookClient(notebook, kernel_name="python3", allow_errors=True).execute()


def ours(jobs: int) -> Callable[[Course], None]:
    def run(course: Course) -> None:
        grade(basket.NAME, jobs=jobs, course=course)

    return run


METHODS: dict[str, tuple[Callable[[Course], None], bool]] = {
    "nbgrader autograde": (nbgrader, True),
    "nbclient alone": (nbclient, True),
    "lab grade, 1 job": (ours(1), False),
    "lab grade, 2 jobs": (ours(2), False),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="10,50,300")
    parser.add_argument("--slow", type=int, default=50)
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    print("| submissions | method | seconds | a submission | times faster than nbgrader |")
    print("|---|---|---|---|---|")
    for size in map(int, options.sizes.split(",")):
        base: float | None = None
        for name, (method, slow) in METHODS.items():
            if slow and size > options.slow:
                print(f"| {size} | {name} | not run | | |", flush=True)
                continue
            with tempfile.TemporaryDirectory() as folder:
                course = generate(Path(folder), size)
                began = time.perf_counter()
                method(course)
                seconds = time.perf_counter() - began
            base = seconds if method is nbgrader else base
            faster = f"{base / seconds:.1f}" if base else ""
            print(
                f"| {size} | {name} | {seconds:.1f} | {seconds / size:.3f} | {faster} |", flush=True
            )


if __name__ == "__main__":
    main()
