"""Notebooks in the form they are committed in: no outputs, no counts, stable ids, few metadata."""

from __future__ import annotations

import os
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from lab import notebooks, paths
from lab.console import say
from lab.errors import LabError

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE = {
    "name": "python",
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "pygments_lexer": "ipython3",
}
# What a cell or a notebook may keep; the rest is an editor's memory of a session.
CELL_KEEPS = ("tags", "nbgrader", "lab")
NOTEBOOK_KEEPS = ("lab", "title")


def tidied(node: NotebookNode) -> str:
    """The text of a notebook as it is committed."""
    node = nbformat.from_dict(node)
    node.metadata = nbformat.from_dict(
        {key: node.metadata[key] for key in NOTEBOOK_KEEPS if key in node.metadata}
        | {"kernelspec": KERNEL, "language_info": LANGUAGE}
    )
    node.nbformat, node.nbformat_minor = 4, 5
    used: set[str] = set()
    for cell in node.cells:
        cell.metadata = {key: cell.metadata[key] for key in CELL_KEEPS if cell.metadata.get(key)}
        cell.source = "\n".join(line.rstrip() for line in cell.source.strip("\n").splitlines())
        cell.id = _unique(_id(cell), used)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        cell.pop("attachments", None)
    return nbformat.writes(node, indent=1).rstrip("\n") + "\n"


def _id(cell: NotebookNode) -> str:
    # A graded cell is known by its grade_id; a name that an author gave is kept; what an editor
    # made up at random (eight hexadecimal digits, or a uuid) becomes one of the text, so that the
    # same text gives the same file.
    if grade_id := cell.metadata.get("nbgrader", {}).get("grade_id"):
        return str(grade_id)
    given = cell.get("id", "")
    if given and not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){0,3}(-?[0-9a-f]{12})?", given):
        return given
    words = re.findall(r"[a-z0-9]+", cell.source.lower())[:4]
    return ("-".join(words) or cell.cell_type)[:40]


def _unique(wanted: str, used: set[str]) -> str:
    number, name = 2, wanted
    while name in used:
        name, number = f"{wanted}-{number}", number + 1
    used.add(name)
    return name


def tidy(given: list[Path], *, check: bool) -> int:
    """Tidy the notebooks that `given` names (lessons and solutions when none), or only look.

    Returns:
        The exit code: 1 if `check` found one that is not tidy.
    """
    found = (
        notebooks.find(given)
        if given
        else [*notebooks.find([]), *notebooks.find([], default=paths.SOLUTIONS)]
    )
    untidy = 0
    for path in found:
        now = path.read_text(encoding="utf-8")
        wanted = tidied(notebooks.read(path).node)
        if now == wanted:
            continue
        untidy += 1
        if check:
            say(f"{path}: not tidy; `lab tidy {os.path.relpath(path)}` mends it.")
            continue
        partial = path.with_suffix(".part")
        try:
            partial.write_text(wanted, encoding="utf-8", newline="\n")
            partial.replace(path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise LabError(f"{path} cannot be written: {error.strerror}.") from error
        say(f"{path}: tidied.")
    if not untidy:
        say(f"{len(found)} notebooks, all tidy.")
    return int(check and untidy > 0)
