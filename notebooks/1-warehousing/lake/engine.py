"""DuckDB as the engine that asks the lake, with its extensions from the course's wheels."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from lab import datasets
from lab.errors import LabError
from lab.services import S3

# Iceberg's extension needs Avro's, and looks for a loaded one before it would download it.
EXTENSIONS = ("httpfs", "avro", "iceberg")


def connect(store: S3, days: str = "true") -> duckdb.DuckDBPyConnection:
    """A connection that reads and writes `s3://`, with the shop's order lines as the table `lines`.

    Args:
        days: a condition on `day`, where not the whole year is wanted.
    """
    db = duckdb.connect()
    for name in EXTENSIONS:
        db.load_extension(str(_extension(name)))
    db.execute(store.duckdb_secret)
    # With several threads, how many files a partition gets would differ from run to run.
    db.execute("set threads = 1")
    # Each question asks the store anew, so that its requests can be counted.
    db.execute("set enable_external_file_cache = false")
    db.execute("set enable_progress_bar = false")
    orders, lines = (datasets.path(f"shop_{name}").as_posix() for name in ("orders", "order_lines"))
    db.execute(f"""
        create table lines as
        select
            l.order_id,
            l.line_no,
            l.product_id,
            l.quantity,
            l.amount,
            o.customer_id,
            o.store_id,
            o.ordered_at,
            o.ordered_at::date as day
        from read_parquet('{lines}') as l
        join read_parquet('{orders}') as o using (order_id)
        where {days}
        order by o.ordered_at, l.order_id, l.line_no""")
    return db


def rows(db: duckdb.DuckDBPyConnection, sql: str) -> pa.Table:
    """The answer of a query, as an Arrow table."""
    return db.sql(sql).to_arrow_table()


def day_of(db: duckdb.DuckDBPyConnection, day: str) -> pa.Table:
    """The lines of one day (UTC), in order."""
    return rows(db, f"select * from lines where day = '{day}' order by order_id, line_no")


def value(db: duckdb.DuckDBPyConnection, sql: str) -> Any:
    """The first value of a query's first row."""
    answer = db.execute(sql).fetchone()
    return answer[0] if answer else None


def _extension(name: str) -> Path:
    spec = find_spec(f"duckdb_extension_{name}")
    for folder in (spec and spec.submodule_search_locations) or []:
        for file in Path(folder).rglob(f"v{duckdb.__version__}/{name}.duckdb_extension"):
            return file
    raise LabError(
        f"DuckDB's extension {name} for version {duckdb.__version__} is not installed: "
        f"`pip install duckdb-extension-{name}=={duckdb.__version__}`."
    )
