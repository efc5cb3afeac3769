"""From any file that was handed in to the cells that are graded.

The result is the release, in its own order, with this student's answers in it by `grade_id` and
the code that they added, where they added it. Locked cells and tests are always the author's;
nothing of a submission's metadata, outputs or attachments goes on. Notebooks are taken apart by
hand and not by nbformat, because what a student's editor made of a file must not cost the answers
in it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

MAX_BYTES = 100 * 2**20
MAX_CELLS = 2_000
MAX_SOURCE = 2**20


class Malformed(Exception):
    """The file holds no notebook that could be graded; the text says why."""


@dataclass(frozen=True)
class Theirs:
    """A cell as it was handed in, reduced to what counts."""

    cell_type: str
    source: str
    grade_id: str
    id: str
    kind: str
    """"solution", "locked" or "" by its own, untrusted, metadata."""


@dataclass(frozen=True)
class Step:
    """A cell of the notebook that is graded: `of` is its place in the release, None when added."""

    of: int | None
    source: str
    cell_type: str = "code"


@dataclass(frozen=True)
class Spot:
    """A cell of the release, as far as matching needs it."""

    id: str
    grade_id: str
    role: str
    source: str


def text_of(data: bytes) -> str:
    """Bytes as text, in whatever encoding an editor left them."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def cells_of(data: bytes) -> list[Theirs]:
    """The cells of a file that may be a notebook of version 3 or 4.

    Raises:
        Malformed: it is not one.
    """
    if not data.strip(b" \t\r\n\0\xef\xbb\xbf"):
        raise Malformed("the file is empty")
    if len(data) > MAX_BYTES:
        raise Malformed(f"the file is larger than {MAX_BYTES // 2**20} MB")
    try:
        notebook = json.loads(text_of(data))
    except RecursionError as error:
        raise Malformed("the file is nested too deeply to be a notebook") from error
    except ValueError as error:
        raise Malformed(f"the file is not JSON ({error})"[:300]) from error
    if type(notebook) is not dict:
        raise Malformed("the file is JSON, but not a notebook")
    cells = notebook.get("cells")
    if type(cells) is not list:
        sheets = notebook.get("worksheets")
        sheets = sheets if type(sheets) is list else []
        cells = [
            cell
            for sheet in sheets
            if type(sheet) is dict and type(sheet.get("cells")) is list
            for cell in sheet["cells"]
        ]
        if not sheets:
            raise Malformed("the notebook has no cells")
    if len(cells) > MAX_CELLS:
        raise Malformed(f"the notebook has more than {MAX_CELLS} cells")
    return [cell for each in cells if (cell := one(each)) is not None]


def one(cell: Any) -> Theirs | None:
    """One cell, or None for what is none."""
    if type(cell) is not dict:
        return None
    source = cell.get("source", cell.get("input", ""))
    if type(source) is list:
        source = "".join(part for part in source if type(part) is str)
    if type(source) is not str:
        return None
    source = source[:MAX_SOURCE].replace("\r\n", "\n").replace("\r", "\n")
    source = source.replace("\0", "")
    source = source.encode("utf-8", errors="replace").decode()  # lone surrogates
    meta = cell.get("metadata")
    meta = meta.get("nbgrader") if type(meta) is dict else None
    meta = meta if type(meta) is dict else {}
    kind = ""
    if meta.get("solution") is True or meta.get("task") is True:
        kind = "solution"
    elif meta.get("locked") is True or meta.get("grade") is True:
        kind = "locked"
    return Theirs(
        cell_type="code" if cell.get("cell_type") == "code" else "words",
        source=source,
        grade_id=_short(meta.get("grade_id")),
        id=_short(cell.get("id")),
        kind=kind,
    )


def _short(value: object) -> str:
    return value if type(value) is str and len(value) <= 300 else ""


def same(one: str, other: str) -> bool:
    """Whether two sources are the same but for white space at the ends of lines."""
    return [line.rstrip() for line in one.strip().split("\n")] == [
        line.rstrip() for line in other.strip().split("\n")
    ]


def sanitize(data: bytes, release: list[Spot]) -> list[Step]:
    """The cells to grade.

    Args:
        data: the file that was handed in.
        release: the cells of the release.

    Returns:
        Every cell of the release once, in its order, and the student's own between them.

    Raises:
        Malformed: there is no notebook in the file, or none of this assignment.
    """
    theirs = cells_of(data)
    by_grade_id = {spot.grade_id: i for i, spot in enumerate(release) if spot.grade_id}
    by_id = {spot.id: i for i, spot in enumerate(release)}
    by_source: dict[str, int] = {}
    for i, spot in enumerate(release):
        by_source.setdefault(spot.source.strip(), i)

    answers: dict[int, str] = {}
    added: dict[int, list[str]] = {}
    seen: set[int] = set()
    anchor = -1
    for cell in theirs:
        place = by_grade_id.get(cell.grade_id) if cell.grade_id else None
        if place is None and cell.id:
            place = by_id.get(cell.id)
        if place is None and cell.source.strip():
            place = by_source.get(cell.source.strip())
        spot = release[place] if place is not None else None
        if spot is not None and place is not None and spot.role in ("text", "scene", "test"):
            if place not in seen or same(cell.source, spot.source) or cell.kind == "locked":
                # The author's own; an edit of it does not count.
                seen.add(place)
                anchor = place
                continue
            spot = None  # a second cell under a borrowed name: their own
        if spot is not None and place is not None and place not in answers:
            code = spot.role != "essay"
            if code and cell.cell_type != "code":
                answers[place] = ""
            else:
                answers[place] = cell.source
            seen.add(place)
            anchor = place
            continue
        if spot is not None and same(cell.source, spot.source):
            continue  # a second, untouched copy of the stub would undo the answer
        if spot is not None and place is not None and same(answers[place], spot.source):
            answers[place] = cell.source  # the first copy was the untouched one
            continue
        if cell.cell_type == "code" and cell.source.strip():
            added.setdefault(anchor, []).append(cell.source)
    if not seen and not added:
        raise Malformed("the notebook has none of this assignment's cells")

    steps = [Step(None, source) for source in added.get(-1, [])]
    for i, spot in enumerate(release):
        if spot.role in ("answer", "plain"):
            # A stub whose cell is gone is not run: the answer may stand in an added cell before it.
            steps.append(Step(i, answers.get(i, "")))
        elif spot.role == "essay":
            steps.append(Step(i, answers.get(i, ""), "words"))
        else:
            steps.append(Step(i, spot.source, "words" if spot.role == "text" else "code"))
        steps += [Step(None, source) for source in added.get(i, [])]
    return steps
