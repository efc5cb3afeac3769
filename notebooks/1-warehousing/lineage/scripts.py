"""The simple tool: a folder of SQL scripts, run one after the other."""

from __future__ import annotations

from pathlib import Path

import duckdb

FOLDER = Path(__file__).parent / "by_hand"


def names() -> list[str]:
    """The scripts in the order in which a folder lists them: that of their names."""
    return sorted(file.name for file in FOLDER.glob("*.sql"))


def run(db: duckdb.DuckDBPyConnection, scripts: list[str]) -> None:
    """Run scripts in the given order; the first error ends it."""
    for name in scripts:
        print("running", name)
        db.execute((FOLDER / name).read_text(encoding="utf-8"))
