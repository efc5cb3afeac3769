"""What becomes of a notebook on its way into the book, and the page of execution times."""

from __future__ import annotations

import copy
import json
from html import escape
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from lab.errors import LabError

PLOTLY = "application/vnd.plotly.v1+json"


def graft(
    committed: NotebookNode, executed: NotebookNode, page: Path, run: dict[str, Any]
) -> NotebookNode:
    """The committed notebook with the outputs of its executed copy, matched by cell id.

    So a change of prose needs no new run, and a change of code can't go into the book without one.

    Raises:
        LabError: if code changed since it ran, or a figure or picture has no words.
    """
    answers = {cell["id"]: cell for cell in executed.cells if cell.cell_type == "code"}
    book = _page(committed)
    for cell in book.cells:
        if cell.cell_type != "code":
            continue
        ran = answers.get(cell["id"])
        if ran is None or ran.source != cell.source:
            raise LabError(
                f"{page.as_posix()}: the code of cell {cell['id']} changed since it ran; "
                f"run it again with `lab run {page.as_posix()}`."
            )
        outputs = copy.deepcopy(ran.outputs)
        cell.outputs = [
            _output(one, f"{cell['id']}-{n}", page, cell) for n, one in enumerate(outputs)
        ]
        cell.execution_count = ran.execution_count
    ways = ", ".join(
        f"{one['service']} as a {one['way']} ({one['why']})" for one in run.get("services", [])
    )
    book.cells.append(
        _note(
            f"*This page ran in {run['seconds']:.0f} s with at most {run['peak_mb']} MB"
            f"{f', with {ways}' if ways else ''}; "
            f"see [all execution times]({_up(page)}book/execution-times.md).*",
            "lab-run",
        )
    )
    return book


def not_run(committed: NotebookNode, why: str) -> NotebookNode:
    """A lesson without answers, that says so below its title."""
    text = (
        ":::{admonition} This page was not run\n:class: warning\n\n"
        f"Its code is here, its answers are not: {why.rstrip('.')}.\n:::"
    )
    return _with_note(_page(committed), text)


def exercise(committed: NotebookNode, page: Path) -> NotebookNode:
    """An exercise as released, with a word on how to do it."""
    text = (
        ":::{admonition} How to do this exercise\n:class: tip\n\n"
        "You see it as it is handed out: nothing here was run. Open it in JupyterLab with "
        "`make lab` (on Windows `.venv\\Scripts\\jupyter lab`), where it lies as "
        f"`{page.as_posix()}`. Put your answers where the cells ask for them, run the tests below "
        "each, and before you hand it in, restart the kernel and run all cells.\n:::"
    )
    return _with_note(_page(committed), text)


def times(report: dict[str, Any], lessons: list[Path]) -> str:
    """The page of execution times, in Markdown."""
    lines = [
        "# Execution times",
        "",
        "How the notebooks of this book ran, when it was made. A time includes the start of kernel "
        "and services; memory is the most that notebook and services took together.",
        "",
    ]
    runs = {run["path"]: run for run in report.get("notebooks", [])}
    if lessons:
        head = ["Lesson", "Run", "Seconds", "Limit, s", "Peak memory, MB", "Services"]
        rows = [_row(page, runs.get(page.as_posix())) for page in lessons]
        lines += _table("Notebooks and how they ran", head, rows)
    if machine := report.get("machine"):
        rows = [[key.replace("_gb", ", GB"), str(value)] for key, value in machine.items()]
        lines += ["## Machine", "", *_table("The machine", ["What", "Which"], rows)]
    if versions := report.get("versions"):
        rows = [[key, str(value)] for key, value in versions.items()]
        lines += ["## Versions", "", *_table("Versions of the tools", ["Tool", "Version"], rows)]
    return "\n".join(lines) + "\n"


def _row(page: Path, run: dict[str, Any] | None) -> list[str]:
    link = f"[{run['title'] if run else page.stem}](../{page.as_posix()})"
    if run is None:
        return [link, "not run here", "", "", "", ""]
    status = f"{run['status']}: {run['reason']}" if run["reason"] else run["status"]
    if run["status"] == "skipped":
        return [link, status, "", "", "", ""]
    ways = ", ".join(f"{one['service']} ({one['way']})" for one in run["services"])
    return [
        link,
        status,
        f"{run['seconds']:.1f}",
        f"{run['limit_s']}",
        f"{run['peak_mb']}",
        ways or "none",
    ]


def _table(caption: str, head: list[str], rows: list[list[str]]) -> list[str]:
    def line(cells: list[str]) -> str:
        return (
            "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
        )

    numbers = {"Seconds", "Limit, s", "Peak memory, MB"}
    rule = "|" + "|".join("--:" if name in numbers else "---" for name in head) + "|"
    return [f":::{{table}} {caption}", "", line(head), rule, *map(line, rows), "", ":::", ""]


def _page(committed: NotebookNode) -> NotebookNode:
    book = copy.deepcopy(committed)
    # Sphinx needs to know the language, which a notebook that was never run does not say.
    book.metadata["language_info"] = {
        "name": "python",
        "pygments_lexer": "ipython3",
        "file_extension": ".py",
    }
    book.metadata.setdefault(
        "kernelspec", {"name": "python3", "display_name": "Python 3", "language": "python"}
    )
    return book


def _with_note(book: NotebookNode, text: str) -> NotebookNode:
    """Put a note below the title, be the rest of the first cell what it may."""
    first = book.cells[0]
    if first.cell_type == "markdown" and first.source.startswith("# "):
        title, _, rest = first.source.partition("\n")
        first.source = f"{title}\n\n{text}\n\n{rest.lstrip()}"
    else:
        book.cells.insert(0, _note(text, "lab-note"))
    return book


def _note(text: str, name: str) -> NotebookNode:
    # An id of its own that never changes: the page must not differ from build to build.
    cell = new_markdown_cell(text)
    cell["id"] = name
    return cell


def _up(page: Path) -> str:
    return "../" * (len(page.parts) - 1)


def _output(output: NotebookNode, name: str, page: Path, cell: NotebookNode) -> NotebookNode:
    data = output.get("data", {})
    if PLOTLY in data:
        output["data"] = NotebookNode({"text/html": _figure(data[PLOTLY], name, page)})
        output["metadata"] = NotebookNode()
        return output
    # Where MyST-NB looks for a picture's words.
    alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt")
    if not alt and any(kind.startswith("image/") for kind in data):
        raise LabError(
            f"{page.as_posix()}: the picture in cell {name} has no words; say in the cell's "
            'metadata what it shows, {"mystnb": {"image": {"alt": "..."}}}, or draw it with '
            'lab.show.figure(fig, alt="...").'
        )
    return output


def _figure(figure: dict[str, Any], name: str, page: Path) -> str:
    """A plotly figure as HTML that `book_static/figures.js` makes live."""
    meta = figure.get("layout", {}).get("meta")
    alt = meta.get("alt", "").strip() if isinstance(meta, dict) else ""
    if not alt:
        raise LabError(
            f"{page.as_posix()}: the figure in cell {name} has no words for those who can't see "
            'it; show it with lab.show.figure(fig, alt="...").'
        )
    kept = {key: figure[key] for key in ("data", "layout", "frames") if key in figure}
    # Nothing in the data may end the script element.
    content = json.dumps(kept, separators=(",", ":")).replace("<", "\\u003c")
    return (
        f'<figure class="lab-figure" id="figure-{name}">'
        f'<div class="lab-plot" id="plot-{name}" role="img" aria-label="{escape(alt)}"></div>'
        f'<script type="application/json">{content}</script>'
        "<noscript><p>JavaScript would draw a figure here; its description follows.</p></noscript>"
        f"<figcaption>{escape(alt)}</figcaption></figure>"
    )
