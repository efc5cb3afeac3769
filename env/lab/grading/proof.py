"""Wrong answers, kept beside the right ones, that prove an assignment's tests.

A mutant is a file `solutions/ASSIGNMENT/mutants/NAME.py`: three comment lines, then the code that
stands in the answer's cell instead of the author's:

    # answer: q2-revenue
    # loses: q2-revenue-refunds
    # why: Forgets that a refund is negative, and adds it.
    def revenue(orders):
        return orders["amount"].abs().sum()

`answer` is the `grade_id` of the answer's cell, `loses` those of the test cells (comma between)
that must give nothing, `why` how a student would come to write it. Every test cell needs a mutant
of its own, one that loses that cell's points and no others.
"""

from __future__ import annotations

import copy
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from nbformat import NotebookNode

from lab.console import say
from lab.errors import LabError
from lab.grading import releases, sandbox
from lab.grading.course import Assignment, Course, load, read_source, role_of
from lab.grading.grader import Grader, Verdict

KEYS = ("answer", "loses", "why")


@dataclass(frozen=True)
class Mutant:
    """A wrong answer and what it must cost."""

    name: str
    answer: str
    loses: tuple[str, ...]
    why: str
    code: str


def read(path: Path) -> Mutant:
    """A mutant from its file.

    Raises:
        LabError: its three comment lines are not there.
    """
    told: dict[str, str] = {}
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    while lines and lines[0].startswith("#") and len(told) < len(KEYS):
        key, _, value = lines.pop(0).lstrip("# ").partition(":")
        told[key.strip()] = value.strip()
    if set(told) != set(KEYS) or not all(told.values()):
        raise LabError(
            f"{path} has to begin with three comment lines: `# answer:`, `# loses:`, `# why:`."
        )
    loses = tuple(part.strip() for part in told["loses"].split(",") if part.strip())
    return Mutant(path.stem, told["answer"], loses, told["why"], "".join(lines).strip("\n"))


def mutants_of(course: Course, name: str) -> list[Mutant]:
    """All mutants of an assignment, by name."""
    return [read(path) for path in sorted((course.solutions / name / "mutants").glob("*.py"))]


def handed_in(course: Course, name: str, replaced: dict[str, str] | None = None) -> bytes:
    """The notebook of a student who gave the author's answers, but for those `replaced`.

    Args:
        course: where the assignment lies.
        name: of the assignment.
        replaced: code by the grade_id of an answer's cell.
    """
    path = course.source(name)
    notebook = json.loads(_answered(path, path.stat().st_mtime_ns, name))
    for cell in notebook["cells"]:
        grade_id = cell["metadata"].get("nbgrader", {}).get("grade_id")
        cell["source"] = (replaced or {}).get(grade_id, cell["source"])
    return json.dumps(notebook).encode()


@lru_cache(maxsize=8)
def _answered(path: Path, changed: int, name: str) -> str:
    """The release with the author's answers; made once, because nbgrader's steps take a while."""
    source = read_source(path)
    notebook = releases.make(source, name)
    for mine, theirs in zip(source.cells, notebook.cells, strict=True):
        if role_of(theirs) in ("answer", "essay"):
            theirs.source = without_marks(mine)
    return releases.write(notebook)


def without_marks(cell: NotebookNode) -> str:
    """An author's answer without the lines that say where it begins and ends."""
    marks = ("BEGIN SOLUTION", "END SOLUTION", "BEGIN MARK SCHEME", "END MARK SCHEME")
    lines = [line for line in cell.source.split("\n") if not any(mark in line for mark in marks)]
    return "\n".join(lines)


def problems(assignment: Assignment, verdict: Verdict, lost: set[str]) -> list[str]:
    """How the points differ from all but those of the cells that must be lost."""
    found = []
    for cell in assignment.tests:
        got = verdict["cells"][cell.grade_id]
        due = 0.0 if cell.grade_id in lost else cell.points
        if got["score"] != due:
            why = f" ({got['message']})" if got["message"] else ""
            found.append(f"{cell.grade_id} gave {got['score']:g} points, not {due:g}{why}")
    if verdict["status"] != "graded":
        found.append(f"it was {verdict['status']}: {verdict['message']}")
    return found


def prove(course: Course, name: str, *, jobs: int, kind: str) -> list[str]:
    """Grade the solution, the release and every mutant of an assignment.

    Returns:
        A sentence for each thing that is not as it should be.
    """
    assignment = load(course, name)
    tests = {cell.grade_id for cell in assignment.tests}
    answers = {cell.grade_id for cell in assignment.cells if cell.role == "answer"}
    found: list[str] = []
    trials = [("the solution", handed_in(course, name), set[str]())]
    trials.append(("the release", assignment.release_json.encode(), tests))
    proven: set[str] = set()
    for mutant in mutants_of(course, name):
        where = f"mutants/{mutant.name}.py"
        if mutant.answer not in answers:
            found.append(f"{where} replaces {mutant.answer!r}, which is not the cell of an answer")
        elif not set(mutant.loses) <= tests:
            unknown = sorted(set(mutant.loses) - tests)
            found.append(f"{where} should lose {unknown}, which are not test cells")
        else:
            if len(mutant.loses) == 1:
                proven |= set(mutant.loses)
            data = handed_in(course, name, {mutant.answer: mutant.code})
            trials.append((where, data, set(mutant.loses)))
    found += [f"no mutant loses just {grade_id}" for grade_id in sorted(tests - proven)]

    def share(mine: list[tuple[str, bytes, set[str]]]) -> list[str]:
        with Grader(assignment, kind) as grader:
            told = []
            for what, data, lost in mine:
                verdict = grader.grade(data)
                told += [f"{what}: {each}" for each in problems(assignment, verdict, lost)]
                told += [f"{what}: the author's cell {each}" for each in verdict["author"]]
            return told

    parts = [trials[i::jobs] for i in range(min(jobs, len(trials)))]
    with ThreadPoolExecutor(len(parts)) as pool:
        for told in pool.map(share, parts):
            found += told
    say(
        f"{name}: {len(trials) - 2} mutants, {len(tests)} test cells, "
        + (f"{len(found)} problems" if found else "each as it should be")
    )
    return [f"{name}: {each}" for each in dict.fromkeys(found)]


def mutants(
    assignments: list[str],
    *,
    jobs: int | None = None,
    unsafe: bool = False,
    course: Course | None = None,
) -> int:
    """Prove the tests: the solution gets all points, the release none, each mutant loses its own.

    Args:
        assignments: names; all when empty.
        jobs: how many are graded at once; as many as there are cores when None.
        unsafe: run without a sandbox.
        course: other folders than this course's own.

    Returns:
        0, or 1 where something is not as it should be.
    """
    import os

    course = course or Course()
    kind = sandbox.choose(unsafe)
    found: list[str] = []
    for name in course.names(assignments):
        found += prove(course, name, jobs=jobs or os.cpu_count() or 1, kind=kind)
    for each in found:
        say(each)
    return 1 if found else 0


def dumps(verdict: Verdict) -> str:
    """A verdict as text, for people who look for what went wrong."""
    return json.dumps({k: v for k, v in copy.copy(verdict).items() if k != "notebook"}, indent=1)
