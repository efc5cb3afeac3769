"""What the lesson shows: answers as tables, that JupyterLab and the book both draw."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pandas as pd
from IPython.display import Markdown
from star import shop

# Numbers that name something, and are not to be written with commas.
NAMES = ("_id", "line_no", "year", "week")


def table(db: duckdb.DuckDBPyConnection, query: str) -> Markdown:
    """Run a query and show its rows."""
    answer = db.execute(query)
    return _markdown([column[0] for column in answer.description], answer.fetchall())


def rows(dicts: Iterable[dict[str, Any]]) -> Markdown:
    """Show dictionaries that have the same keys, one a row."""
    listed = list(dicts)
    return _markdown(list(listed[0]), [tuple(row.values()) for row in listed])


def frame(answer: pd.DataFrame) -> Markdown:
    """Show a data frame; what is missing stays empty."""
    shown = answer.astype(object).where(answer.notna(), None)
    return _markdown(list(shown), list(shown.itertuples(index=False)))


def against(db: duckdb.DuckDBPyConnection, queries: dict[str, str]) -> Markdown:
    """Run queries that each return one sum of dollars, beside what the shop's lines sum to."""
    right = shop.value(db, "select sum(amount) from shop.order_lines")
    sums = {asked: shop.value(db, query) for asked, query in queries.items()}
    return rows(
        {
            "asked": asked,
            "dollars": found,
            "too many": found - right,
            "times the truth": found / right,
        }
        for asked, found in sums.items()
    )


def tests(db: duckdb.DuckDBPyConnection) -> Markdown:
    """Run the queries in `tests/`, each of which returns the rows that break a rule."""
    found = []
    for file in sorted((shop.HERE / "tests").glob("*.sql")):
        answer = db.execute(file.read_text(encoding="utf-8"))
        names, bad = [column[0] for column in answer.description], answer.fetchall()
        first = (
            ", ".join(f"{n} {_text(n, v)}" for n, v in zip(names, bad[0], strict=True))
            if bad
            else ""
        )
        found.append({"test": file.stem, "rows that fail": len(bad), "the first of them": first})
    return rows(found)


def _markdown(names: Sequence[str], answer: Sequence[Sequence[Any]]) -> Markdown:
    numbers = [
        any(isinstance(row[at], int | float | Decimal) for row in answer)
        for at in range(len(names))
    ]
    lines = [
        [name.replace("_", " ") for name in names],
        ["--:" if number else ":--" for number in numbers],
        *([_text(name, value) for name, value in zip(names, row, strict=True)] for row in answer),
    ]
    return Markdown("\n".join(f"| {' | '.join(line)} |" for line in lines))


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value) if name.endswith(NAMES) else f"{value:,}"
    if isinstance(value, float | Decimal):
        return f"{value:,.2f}"
    if isinstance(value, datetime):
        value = value.date()
    return value.isoformat() if isinstance(value, date) else str(value)
