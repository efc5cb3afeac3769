"""The one writer: puts verdicts where nbgrader's Formgrader, feedback and export find them.

What is written is made here from the release and from plain text: the notebook that an instructor
opens in a browser holds no markup, script or output of a student's but escaped text and pictures.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.grading.course import Assignment, Course, read_source
from lab.grading.grader import Verdict
from lab.grading.releases import make, put

PAGE_LINE = re.compile(r".{1,96}(?:\s|$)|.{1,96}")
"""What a page has room for, up to a space."""
UNPRINTABLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


def plain(text: str) -> str:
    """Text without what moves a terminal's cursor or a browser's mind."""
    return UNPRINTABLE.sub("", text)


def folded(text: str) -> str:
    """A text whose lines fit a page; the pages of nbgrader let long ones run out of sight."""
    return "\n".join(part for line in text.split("\n") for part in PAGE_LINE.findall(line) or [""])


def fenced(text: str) -> str:
    """Markdown that shows a text as it was typed, whatever is in it, in lines that fit a page."""
    text = folded(text)
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{plain(text)}\n{fence}"


def outputs_of(out: dict[str, Any] | None) -> list[dict[str, Any]]:
    """A cell's outputs in nbformat's form."""
    out = out or {}
    found: list[dict[str, Any]] = [
        {"output_type": "stream", "name": name, "text": plain(str(out[name]))}
        for name in ("stdout", "stderr")
        if out.get(name)
    ]
    for each in out.get("shown") or ():
        data = {"text/plain": plain(str(each.get("text", "")))}
        if each.get("png"):
            data["image/png"] = str(each["png"])
        found.append({"output_type": "display_data", "data": data, "metadata": {}})
    if out.get("error"):
        found.append(error_of(*map(str, out["error"])))
    return found


def error_of(kind: str, message: str, place: str = "") -> dict[str, Any]:
    """An error as an output, without a traceback of code that is not the student's."""
    kind, message = plain(kind), plain(message)
    line = f"{kind}: {message}" + (f" ({plain(place)})" if place else "")
    return {"output_type": "error", "ename": kind, "evalue": message, "traceback": [folded(line)]}


def notebook_of(assignment: Assignment, verdict: Verdict) -> dict[str, Any]:
    """The graded notebook: the release with the student's answers, outputs and failed tests."""
    notebook = json.loads(assignment.release_json)
    release, cells = notebook["cells"], []
    layout = verdict["notebook"] or [
        {"of": place, "source": "", "kind": "", "out": None} for place in range(len(release))
    ]
    if verdict["message"]:
        said = fenced(f"{verdict['status']}: {verdict['message']}")
        cells.append({"cell_type": "markdown", "id": "verdict", "metadata": {}, "source": said})
    for number, step in enumerate(layout):
        if step["of"] is None:
            cells.append(
                {
                    "cell_type": "code",
                    "id": f"added-{number}",
                    "metadata": {},
                    "execution_count": None,
                    "source": step["source"],
                    "outputs": outputs_of(step["out"]),
                }
            )
            continue
        cell, known = dict(release[step["of"]]), assignment.cells[step["of"]]
        if known.role in ("answer", "plain"):
            cell["source"] = step["source"]
        elif known.role == "essay":
            cell["source"] = fenced(step["source"]) if step["source"].strip() else ""
        if known.role == "test":
            result = verdict["cells"][known.grade_id]
            if result["score"] < known.points:
                cell["outputs"] = [error_of("Not passed", result["message"])]
        elif cell["cell_type"] == "code":
            cell["outputs"] = outputs_of(step["out"])
        cells.append(cell)
    return {**notebook, "cells": cells}


def head() -> str:
    """The version of a gradebook that this nbgrader writes."""
    import nbgrader
    from alembic.script import ScriptDirectory

    found = ScriptDirectory(str(Path(nbgrader.__file__).parent / "alembic")).get_current_head()
    assert found is not None
    return found


def opened(db_url: str) -> Any:
    """An nbgrader gradebook, made if it is not there."""
    from nbgrader import api

    # nbgrader's own way to its version is the command `alembic`, which takes seconds to start and
    # has to be on the path.
    api.get_alembic_version = head
    return api.Gradebook(db_url, "")


def check_version(path: Path) -> None:
    """See that a gradebook is one that this nbgrader can write; change nothing.

    Raises:
        LabError: it is of another version, or no gradebook.
    """
    if not path.exists() or path.stat().st_size == 0:
        return
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            found = connection.execute("select version_num from alembic_version").fetchone()
    except sqlite3.Error as error:
        raise LabError(
            f"{path} is not a gradebook ({error}); move it away or give back the right one."
        ) from None
    due = head()
    if not found or found[0] != due:
        raise LabError(
            f"{path} was made by another version of nbgrader ({found and found[0]}, not {due}); "
            f"keep a copy of it, then run `nbgrader db upgrade`."
        )


def graded_in(path: Path, name: str) -> set[str]:
    """Students whose grades of an assignment a gradebook has; nobody where there is none."""
    if not path.exists() or path.stat().st_size == 0:
        return set()
    query = """
        select submitted_assignment.student_id
        from submitted_assignment
        join assignment on assignment.id = submitted_assignment.assignment_id
        where assignment.name = ?
    """
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        return {student for (student,) in connection.execute(query, [name])}


class Writer:
    """Writes verdicts to the gradebook and the autograded folder; the only one that does.

    Args:
        course: whose gradebook.
        assignment: what is graded; the gradebook learns its cells.

    Raises:
        LabError: the gradebook can't be used, or knows other cells of this assignment.
    """

    def __init__(self, course: Course, assignment: Assignment) -> None:
        self.course, self.assignment = course, assignment
        course.grading.mkdir(parents=True, exist_ok=True)
        check_version(course.grading / "gradebook.db")
        self.book = opened(course.db_url)
        name = assignment.name
        self.book.update_or_create_assignment(name)
        try:
            make(read_source(course.source(name)), name, db_url=course.db_url)
        except LabError as error:
            self.book.close()
            raise LabError(
                f"The gradebook knows other cells of {name} than its notebook has, and grades for "
                f"them ({error}). Give the cells back their old grade_ids, or forget the grades: "
                f"`nbgrader db assignment remove {name} --force`."
            ) from None
        self.cells: dict[str, list[tuple[str, str]]] = {}
        notebook = self.book.find_notebook(name, name)
        self.notebook_id, self.assignment_id = notebook.id, notebook.assignment.id
        self.graded = {c.name: c.id for c in [*notebook.grade_cells, *notebook.task_cells]}
        self.spoken = {c.name: c.id for c in [*notebook.solution_cells, *notebook.task_cells]}
        self.book.db.rollback()

    def close(self) -> None:
        self.book.close()

    def write(self, verdicts: Iterable[tuple[str, Verdict, Any]]) -> None:
        """Write some verdicts: the notebooks first, then the gradebook in one transaction.

        Args:
            verdicts: of each, the student, the verdict, and when it was handed in (UTC, or None).
        """
        name = self.assignment.name
        for student, verdict, moment in verdicts:
            path = self.course.autograded / student / name / f"{name}.ipynb"
            text = json.dumps(notebook_of(self.assignment, verdict), ensure_ascii=False)
            put(path, (text + "\n").encode("utf-8", errors="replace"))
            if moment is not None:
                stamp = f"{moment:%Y-%m-%d %H:%M:%S.%f} UTC\n"
                put(path.with_name("timestamp.txt"), stamp.encode())
            self.record(student, verdict, moment)
        self.book.db.commit()

    def record(self, student: str, verdict: Verdict, moment: Any) -> None:
        from nbgrader import api

        db = self.book.db
        with db.no_autoflush:
            if db.get(api.Student, student) is None:
                db.add(api.Student(id=student))
            submission = (
                db.query(api.SubmittedAssignment)
                .filter_by(assignment_id=self.assignment_id, student_id=student)
                .one_or_none()
            )
            if submission is None:
                submission = api.SubmittedAssignment(
                    id=api.new_uuid(), assignment_id=self.assignment_id, student_id=student
                )
                sheet = api.SubmittedNotebook(
                    id=api.new_uuid(), notebook_id=self.notebook_id, assignment_id=submission.id
                )
                db.add_all([submission, sheet])
                grades = {
                    key: api.Grade(cell_id=cell, notebook_id=sheet.id)
                    for key, cell in self.graded.items()
                }
                comments = {
                    key: api.Comment(cell_id=cell, notebook_id=sheet.id)
                    for key, cell in self.spoken.items()
                }
                db.add_all([*grades.values(), *comments.values()])
            else:
                (sheet,) = submission.notebooks
                by_id = {grade.cell_id: grade for grade in sheet.grades}
                grades = {key: by_id[cell] for key, cell in self.graded.items()}
                said = {comment.cell_id: comment for comment in sheet.comments}
                comments = {key: said[cell] for key, cell in self.spoken.items()}
            submission.timestamp = moment
            for key, result in verdict["cells"].items():
                grade = grades[key]
                grade.auto_score = result["score"]
                grade.needs_manual_grade = result["score"] is None or grade.manual_score is not None
            answered = {
                self.assignment.cells[step["of"]].grade_id
                for step in verdict["notebook"]
                if step["of"] is not None
                and step["source"].strip()
                not in ("", self.assignment.cells[step["of"]].shown.strip())
            }
            for key, comment in comments.items():
                comment.auto_comment = None if key in answered else "No response."
