"""An assignment as its author wrote it, and the plan that one submission is graded by."""

from __future__ import annotations

import fnmatch
import json
from dataclasses import asdict, dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from lab import paths
from lab.errors import LabError

IGNORED = (".ipynb_checkpoints", "*.pyc", "__pycache__", ".pytest_cache", "mutants")
"""What lies beside a solution and is not for students (the same list as in nbgrader_config.py)."""


@dataclass(frozen=True)
class Course:
    """The folders of a course that is graded."""

    solutions: Path = paths.SOLUTIONS
    exercises: Path = paths.EXERCISES
    grading: Path = paths.GRADING

    @property
    def submitted(self) -> Path:
        return self.grading / "submitted"

    @property
    def autograded(self) -> Path:
        return self.grading / "autograded"

    @property
    def results(self) -> Path:
        """What was graded so far, a file a student, so that an interrupted run goes on."""
        return self.grading / "results"

    @property
    def db_url(self) -> str:
        return f"sqlite:///{self.grading / 'gradebook.db'}"

    def names(self, wanted: list[str]) -> list[str]:
        """The assignments that are meant: those named, or all that have a notebook."""
        known = sorted(
            folder.name
            for folder in (self.solutions.iterdir() if self.solutions.is_dir() else ())
            if (folder / f"{folder.name}.ipynb").is_file()
        )
        for name in wanted:
            if name not in known:
                raise LabError(
                    f"There is no assignment {name!r} in {self.solutions}; "
                    f"there is {', '.join(known) or 'none'}."
                )
        return wanted or known

    def source(self, name: str) -> Path:
        self.names([name])
        return self.solutions / name / f"{name}.ipynb"

    def files(self, name: str) -> dict[str, Path]:
        """Files beside the solution that students get too, by their relative path."""
        folder = self.solutions / name
        found = {}
        for path in sorted(folder.rglob("*")):
            relative = path.relative_to(folder)
            if path.suffix == ".ipynb" or not path.is_file():
                continue
            if any(fnmatch.fnmatch(part, mask) for part in relative.parts for mask in IGNORED):
                continue
            found[relative.as_posix()] = path
        return found


@dataclass(frozen=True)
class Limits:
    """What one submission may use; a notebook's metadata `lab.grading` may set other values."""

    seconds: float = 30.0
    """Wall time of one cell, and of one call from a test."""
    total_seconds: float = 180.0
    """Wall time of the whole submission."""
    memory_mb: int = 2048
    """Memory of all its processes together, and of each."""
    disk_mb: int = 256
    """Of its working folder, which lies in memory."""
    processes: int = 64
    """Processes and threads."""
    output_chars: int = 20_000
    """Kept of what one cell prints."""
    transfer_mb: int = 64
    """One value on its way from the student to a test."""


@dataclass(frozen=True)
class Cell:
    """One cell of the release, with what the grader needs to know about it.

    `role` is "text" (the author's words, and code tagged `look`, which shows the student something
    and is not run while grading), "scene" (the author's code), "plain" (the author's code that a
    student may edit), "answer", "essay" (words that a person grades) or "test".
    """

    id: str
    role: str
    shown: str
    """Its source as the students have it."""
    source: str
    """Its source as the author wrote it, hidden tests included."""
    grade_id: str = ""
    points: float = 0.0
    manual: bool = False
    sandbox_only: bool = False
    """Tagged `sandbox`: holds a service or state that must not be made a second time."""
    cell_type: str = "code"


@dataclass(frozen=True)
class Assignment:
    """All that is needed to grade a submission, without a look at the disk."""

    name: str
    cells: tuple[Cell, ...]
    limits: Limits = field(default_factory=Limits)
    files: dict[str, bytes] = field(default_factory=dict)
    release_json: str = ""

    @cached_property
    def digest(self) -> str:
        """Changes when a grade could."""
        text = json.dumps(
            [self.name, [asdict(cell) for cell in self.cells], asdict(self.limits)], sort_keys=True
        )
        files = "".join(f"{k}:{sha256(v).hexdigest()}" for k, v in sorted(self.files.items()))
        return sha256((text + files).encode()).hexdigest()

    @property
    def tests(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.role == "test"]

    @property
    def max_score(self) -> float:
        return sum(cell.points for cell in self.cells)


def read_source(path: Path) -> NotebookNode:
    """The author's notebook, or a sentence about what is wrong with it."""
    try:
        return nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises a dozen kinds
        raise LabError(f"{path} is not a notebook that nbformat can read: {error}") from error


def role_of(cell: NotebookNode) -> str:
    """The part that a cell plays in grading; see `Cell.role`."""
    meta = cell.metadata.get("nbgrader", {})
    grade, solution, task = (meta.get(key, False) for key in ("grade", "solution", "task"))
    if cell.cell_type != "code":
        return "essay" if solution or task else "text"
    if solution:
        return "answer"
    if grade:
        return "test"
    if "look" in cell.metadata.get("tags", []):
        return "text"
    return "scene" if meta.get("locked", False) else "plain"


def load(course: Course, name: str) -> Assignment:
    """Read an assignment from the author's folder.

    Args:
        course: where it lies.
        name: its folder's name, for example `1-warehousing`.

    Raises:
        LabError: it does not exist, or its notebook or metadata can't be used.
    """
    from lab.grading.releases import make, write

    path = course.source(name)
    source = read_source(path)
    released = make(source, name)
    wishes = source.metadata.get("lab", {}).get("grading", {})
    try:
        limits = Limits(**wishes)
    except TypeError as error:
        raise LabError(f"{path}: metadata lab.grading has an unknown limit ({error}).") from error
    cells = []
    for number, (mine, theirs) in enumerate(zip(source.cells, released.cells, strict=True)):
        meta = theirs.metadata.get("nbgrader", {})
        role = role_of(theirs)
        graded = bool(meta.get("grade") or meta.get("task"))
        cells.append(
            Cell(
                id=theirs.get("id") or f"cell-{number}",
                role=role,
                shown=theirs.source,
                source=mine.source,
                grade_id=meta.get("grade_id", ""),
                points=float(meta.get("points") or 0) if graded else 0.0,
                manual=graded and role != "test",
                sandbox_only="sandbox" in theirs.metadata.get("tags", []),
                cell_type=theirs.cell_type,
            )
        )
    files = {key: file.read_bytes() for key, file in course.files(name).items()}
    return Assignment(name, tuple(cells), limits, files, write(released))
