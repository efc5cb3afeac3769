"""From the author's notebook to the students': answers and hidden tests out, all else kept.

The steps are nbgrader's own, run on a notebook in memory, so that `lab release`, the Formgrader's
button and the grader make the same bytes, and nothing need be written to compare.
"""

from __future__ import annotations

import copy
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from lab.console import say
from lab.errors import LabError
from lab.grading.course import Course, read_source


def make(source: NotebookNode, name: str, *, db_url: str | None = None) -> NotebookNode:
    """The students' version of an author's notebook.

    Args:
        source: the author's.
        name: of the assignment.
        db_url: of a gradebook that is to know the assignment's cells too.

    Raises:
        LabError: nbgrader finds its metadata or its solution marks wanting.
    """
    from nbgrader import preprocessors as steps

    notebook = copy.deepcopy(source)
    ids = [c.metadata["nbgrader"].get("grade_id") for c in source.cells if "nbgrader" in c.metadata]
    for grade_id in {i for i in ids if ids.count(i) > 1}:
        raise LabError(f"{name} has two cells with the grade_id {grade_id!r}; each needs its own.")
    try:
        told = {"nbgrader": {"notebook": name, "assignment": name, "db_url": db_url}}
        for step in (
            steps.LockCells, steps.ClearSolutions, steps.ClearOutput, steps.CheckCellMetadata,
            steps.ComputeChecksums, *([steps.SaveCells] if db_url else []),
            steps.ClearHiddenTests, steps.ClearMarkScheme, steps.ComputeChecksums,
            steps.CheckCellMetadata,
        ):  # fmt: skip
            notebook, _ = step().preprocess(notebook, told)
    except Exception as error:  # nbgrader raises RuntimeError, ValidationError, ...
        raise LabError(f"{name} can't be released: {error}") from error
    for cell in notebook.cells:
        meta = cell.metadata.get("nbgrader", {})
        is_test = meta.get("grade") and not meta.get("solution") and cell.cell_type == "code"
        if is_test and not re.search(r"\b(assert|raise)\b", cell.source):
            raise LabError(
                f"{name}, cell {meta['grade_id']!r}: students would get an empty test; "
                f"leave at least one assert outside the hidden part."
            )
    return notebook


def write(notebook: NotebookNode) -> str:
    """A notebook as text, byte for byte as nbgrader writes it."""
    return nbformat.writes(notebook, version=4) + "\n"


def put(path: Path, data: bytes) -> None:
    """Write a file so that nobody ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(data)
    part.replace(path)


def wanted(course: Course, name: str) -> dict[Path, bytes]:
    """Every file of the release of an assignment, as it should be."""
    notebook = make(read_source(course.source(name)), name)
    target = course.exercises / name
    files = {target / key: path.read_bytes() for key, path in course.files(name).items()}
    return {target / f"{name}.ipynb": write(notebook).encode(), **files}


def present(course: Course, name: str) -> set[Path]:
    """The files that lie in the release of an assignment."""
    folder = course.exercises / name
    found = {path for path in folder.rglob("*") if path.is_file()} if folder.is_dir() else set()
    return {path for path in found if ".ipynb_checkpoints" not in path.parts}


def release(assignments: list[str], *, check: bool, course: Course | None = None) -> int:
    """Make `exercises/` from `solutions/`, or see whether it is what it would be.

    Args:
        assignments: names; all when empty.
        check: compare byte by byte and write nothing.
        course: other folders than this course's own.

    Returns:
        0, or 1 where `check` found a difference.
    """
    course = course or Course()
    wrong = 0
    for name in course.names(assignments):
        files = wanted(course, name)
        extra = present(course, name) - set(files)
        stale = [p for p, data in files.items() if not p.is_file() or p.read_bytes() != data]
        if check:
            for path in sorted([*stale, *extra]):
                say(f"{path}: not what `lab release {name}` would make")
            wrong += len(stale) + len(extra)
            continue
        for path in stale:
            put(path, files[path])
        for path in extra:
            path.unlink()
        say(f"{name}: {len(files)} files, {len(stale)} written, {len(extra)} removed")
    if check and not wrong:
        say("exercises/ is what solutions/ makes.")
    return 1 if wrong else 0
