"""The shop's tables in a fresh DuckDB, and the star's SQL files run on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
from lab import datasets

HERE = Path(__file__).parent
SOURCES = {
    "customers": "shop_customers",
    "catalogue": "products",
    "orders": "shop_orders",
    "order_lines": "shop_order_lines",
    "payments": "shop_payments",
    "campaigns": "campaign_descriptions",
    "mailings": "campaigns",
}


def connect() -> duckdb.DuckDBPyConnection:
    """A DuckDB in memory that sees the shop's files as tables of a schema `shop`."""
    db = duckdb.connect()
    db.execute("set enable_progress_bar = false")
    # The files are written in the same pieces however many cores there are.
    db.execute("set threads = 2")
    run(db, "source.sql", **{name: str(datasets.path(of)) for name, of in SOURCES.items()})
    return db


def sql(file: str) -> str:
    """The text of a file of this folder."""
    return (HERE / file).read_text(encoding="utf-8")


def run(db: duckdb.DuckDBPyConnection, file: str, **variables: Any) -> list[tuple[Any, ...]]:
    """Run a file of this folder, in which `getvariable('name')` is what was given as `name`.

    Returns:
        The rows of its last statement.
    """
    for name, value in variables.items():
        db.execute(f"set variable {name} = ?", [value])
    return db.execute(sql(file)).fetchall()


def value(db: duckdb.DuckDBPyConnection, query: str) -> Any:
    """The one value that a query returns."""
    row = db.execute(query).fetchone()
    assert row is not None
    return row[0]
