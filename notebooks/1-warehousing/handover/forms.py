"""A wrong row sent to a lake, a warehouse and a lakehouse: who takes it?"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, write_deltalake


def into_lake(rows: pa.Table, lake: Path) -> str:
    """Add a file to a folder of the lake, which takes what it is given."""
    folder = lake / "loose"
    folder.mkdir(exist_ok=True)
    pq.write_table(rows, folder / f"{len(list(folder.iterdir()))}.parquet")
    return "taken"


def into_warehouse(rows: pa.Table, db: duckdb.DuckDBPyConnection) -> str:
    """Insert into a table of the warehouse, which has types and constraints."""
    try:
        db.execute("create table if not exists strict (order_id bigint, amount decimal(12, 2))")
        db.from_arrow(rows).insert_into("strict")
        return "taken"
    except duckdb.ConversionException as error:
        return f"refused: {str(error).splitlines()[0]}"


def into_lakehouse(rows: pa.Table, lake: Path) -> str:
    """Commit to a table of the lakehouse: files on the lake, and a log with a schema."""
    place = lake / "lakehouse"
    try:
        write_deltalake(place, rows, mode="append")
        return f"taken, as version {DeltaTable(place).version()}"
    except Exception as error:  # deltalake's own exceptions have no common base
        return f"refused: {str(error).splitlines()[0]}"


def total(files: str) -> str:
    """What a reader of the lake's files meets who sums up their amounts."""
    try:
        return str(duckdb.sql(f"select sum(amount) from read_parquet('{files}')").fetchone()[0])
    except duckdb.Error as error:
        return f"failed: {str(error).splitlines()[0]}"
