"""The first hand-over: a day's sales, from the till's database to files of the lake."""

from __future__ import annotations

import csv
import tomllib
from datetime import date
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from lab.errors import LabError

HERE = Path(__file__).parent
SALES = (HERE / "sales.sql").read_text(encoding="utf-8")
TYPES = {
    "bigint": pa.int64(),
    "int": pa.int32(),
    "smallint": pa.int16(),
    "timestamp": pa.timestamp("us"),
    "money": pa.decimal128(12, 2),
}


def write_csv(db: psycopg.Connection, day: date, folder: Path) -> Path:
    """Write a day's sales as text, the way that everybody begins."""
    file = folder / f"{day}.csv"
    cursor = db.execute(SALES, {"day": day})
    with file.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines)
        writer.writerow(column.name for column in cursor.description or [])
        writer.writerows(cursor)
    return file


def write(db: psycopg.Connection, day: date, lake: Path) -> Path:
    """Write a day's sales as one Parquet file, with the types of the contract.

    Writing a day again replaces its file, whole or not at all.

    Raises:
        LabError: if the till no longer sends what the contract says.
    """
    cursor = db.execute(SALES, {"day": day})
    sent = [column.name for column in cursor.description or []]
    promised = contract()
    if sent != list(promised):
        raise LabError(
            f"the sales of {day} are not what the contract says: the till sends "
            f"{_differ(sent, promised)}; nothing was written. Ask the till's team, or agree "
            "on a new contract."
        )
    schema = pa.schema([(name, TYPES[kind]) for name, kind in promised.items()])
    rows = [dict(zip(sent, row, strict=True)) for row in cursor]
    return _put(pa.Table.from_pylist(rows, schema=schema), day, lake)


def write_unchecked(db: psycopg.Connection, day: date, lake: Path) -> Path:
    """Write whatever the till sends, under whatever names."""
    cursor = db.execute(SALES, {"day": day})
    names = [column.name for column in cursor.description or []]
    rows = [dict(zip(names, row, strict=True)) for row in cursor]
    return _put(pa.Table.from_pylist(rows), day, lake)


def contract() -> dict[str, str]:
    """The columns that the till promises, with their types."""
    text = (HERE / "contract.toml").read_text(encoding="utf-8")
    return dict(tomllib.loads(text)["sales"])


def _put(table: pa.Table, day: date, lake: Path) -> Path:
    file = lake / "sales" / f"day={day}" / "sales.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".part")
    pq.write_table(table, partial)
    partial.replace(file)
    return file


def _differ(sent: list[str], promised: dict[str, str]) -> str:
    new = ", ".join(name for name in sent if name not in promised) or "nothing new"
    gone = ", ".join(name for name in promised if name not in sent) or "nothing less"
    return f"{new} where it promised {gone}"
