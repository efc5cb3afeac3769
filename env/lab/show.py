"""What a lesson shows: a figure with words for it, and a project's file as it lies.

>>> from lab import show
>>> show.figure(fig, alt="Revenue a month: flat at about 390,000 dollars, with a dip in February.")
>>> show.file("warehouse/models/marts/sales.sql", lines=(1, 20))

Importing it makes the course's quiet template the default of plotly.
"""

from __future__ import annotations

import json
import numbers
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import plotly.io as pio
from IPython.display import Markdown, display

from lab.errors import LabError

PLOTLY = "application/vnd.plotly.v1+json"

# Okabe and Ito's colours, which the colour-blind tell apart; they read on white and on black.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]
pio.templates["lab"] = go.layout.Template(
    layout={"colorway": COLOURS, "margin": {"t": 48, "r": 16}, "height": 400, "font": {"size": 14}}
)
pio.templates.default = "plotly_white+lab"

_LANGUAGES = {
    ".py": "python",
    ".sql": "sql",
    ".yml": "yaml",
    ".yaml": "yaml",
    ".json": "json",
    ".toml": "toml",
    ".tf": "terraform",
    ".sh": "bash",
    ".md": "markdown",
    ".ini": "ini",
    ".properties": "properties",
}


def figure(fig: go.Figure, alt: str) -> None:
    """Display a plotly figure, alive in JupyterLab and in the book.

    Args:
        fig: the figure; every cartesian axis that is seen has a title, with its unit.
        alt: what the figure shows, in a sentence or two that stand for it where it can't be seen.

    Raises:
        LabError: if the words or an axis title are missing.
    """
    if not alt.strip():
        raise LabError("this figure has no alt text; say in a sentence what one sees in it.")
    if bare := _untitled(fig):
        raise LabError(
            f"this figure's {' and '.join(bare)} has no title; say what it measures, and in which "
            "unit, for example fig.update_yaxes(title='revenue, dollars')."
        )
    meta = fig.layout.meta if isinstance(fig.layout.meta, dict) else {}
    fig.update_layout(meta=meta | {"alt": " ".join(alt.split())})
    # The text is for what draws no plotly: a terminal, a diff, a plain viewer.
    display({PLOTLY: json.loads(fig.to_json()), "text/plain": f"Figure: {alt.strip()}"}, raw=True)


def _untitled(fig: go.Figure) -> list[str]:
    """Names of the axes that traces are drawn on, that are seen, and that have no title."""
    used: set[str] = set()
    for trace in fig.data:
        valid = trace._valid_props
        if "xaxis" in valid and "yaxis" in valid:
            used |= {_layout_name(trace.xaxis or "x"), _layout_name(trace.yaxis or "y")}
    missing = []
    for name in sorted(used):
        axis = fig.layout[name]
        # Panels of one figure share the title of the axis that they match.
        shared = [fig.layout[_layout_name(axis.matches)]] if axis.matches else []
        seen = axis.visible is not False and axis.showticklabels is not False
        if seen and not any((one.title.text or "").strip() for one in [axis, *shared]):
            missing.append(name)
    return missing


def _layout_name(reference: str) -> str:
    """Plotly's traces say `x2` where its layout says `xaxis2`."""
    return f"{reference[0]}axis{reference[1:]}"


def table(rows: Any) -> Markdown:
    """A small answer as a Markdown table, which JupyterLab and the book both draw.

    Args:
        rows: a pandas frame, a DuckDB relation, a cursor of the DB-API that has run a query, or
            dictionaries with the same keys. Whole numbers get thousands separators, except in
            columns that name something (`id` or `…_id`); other numbers two places.
    """
    names, answer = _cells(rows)
    numeric = [
        any(isinstance(row[at], numbers.Number | Decimal) for row in answer)
        for at in range(len(names))
    ]
    lines = [
        [str(name).replace("_", " ") for name in names],
        ["--:" if number else ":--" for number in numeric],
        *([_text(name, value) for name, value in zip(names, row, strict=True)] for row in answer),
    ]
    return Markdown("\n".join(f"| {' | '.join(line)} |" for line in lines))


def _cells(rows: Any) -> tuple[list[Any], list[tuple[Any, ...]]]:
    if isinstance(rows, pd.DataFrame):
        missing_is_none = rows.astype(object).where(rows.notna(), None)
        return list(rows.columns), list(missing_is_none.itertuples(index=False, name=None))
    if hasattr(rows, "fetchall") and hasattr(rows, "description"):
        return [column[0] for column in rows.description], rows.fetchall()
    listed = list(rows)
    return list(listed[0]) if listed else [], [tuple(row.values()) for row in listed]


def _text(name: Any, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, numbers.Integral):
        return str(value) if str(name).endswith("id") else f"{value:,}"
    if isinstance(value, numbers.Real | Decimal):
        return f"{value:,.2f}"
    # A bar would end the cell, a dollar sign begin mathematics.
    return str(value).replace("|", "\\|").replace("$", "\\$").replace("\n", " ")


def file(
    path: str | Path, lines: tuple[int, int] | None = None, language: str | None = None
) -> None:
    """Show a file of the project as it lies, highlighted, with its path above.

    Args:
        path: relative to the notebook's folder.
        lines: the first and the last line to show, counted from 1; all by default.
        language: how to highlight it; by default what its name says.

    Raises:
        LabError: if there is no such file, or it has no such lines.
    """
    place = Path(path)
    try:
        content = place.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise LabError(
            f"{place.as_posix()}: there is no such file in {Path.cwd().name}/; "
            "give its path as seen from there."
        ) from None
    caption = f"`{place.as_posix()}`"
    if lines:
        first, last = lines
        if not 1 <= first <= last <= len(content):
            raise LabError(
                f"{place.as_posix()} has lines 1 to {len(content)}, not {first} to {last}; "
                "mend `lines=`."
            )
        content = content[first - 1 : last]
        caption += f", lines {first} to {last}"
    text = "\n".join(content)
    language = language or _LANGUAGES.get(place.suffix, "text")
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    display(Markdown(f"{caption}\n\n{fence}{language}\n{text}\n{fence}\n"))
