"""Three readers who ask the lake the same question: what was sold on a day?"""

from __future__ import annotations

from decimal import Decimal

import duckdb
from deltalake import DeltaTable
from lab.services import S3
from lake import engine, load
from pyiceberg.catalog import Catalog

PLAIN = "read_parquet('s3://lake/plain/*/*.parquet')"


def open_delta(store: S3, version: int | None = None, table: str = load.DELTA) -> DeltaTable:
    """The Delta table as it is now, or as it was at a version."""
    return DeltaTable(table, version=version, storage_options=store.storage_options)


def delta_total(db: duckdb.DuckDBPyConnection, table: DeltaTable, day: str) -> Decimal | None:
    """Dollars of a day in one version of a Delta table."""
    db.register("delta_lines", table.to_pyarrow_dataset())
    return engine.value(db, f"select sum(amount) from delta_lines where day = '{day}'")


def scan(catalog: Catalog) -> str:
    """The Iceberg table as DuckDB names it: by the catalogue's pointer to its newest metadata."""
    return f"iceberg_scan('{catalog.load_table('shop.lines').metadata_location}')"


def totals(
    db: duckdb.DuckDBPyConnection, store: S3, catalog: Catalog, day: str
) -> dict[str, Decimal | None]:
    """Dollars of a day as each way of keeping it says, and what is right."""
    ask = "select sum(amount) from {} where day = '{}'"
    return {
        "plain Parquet": engine.value(db, ask.format(PLAIN, day)),
        "Delta": delta_total(db, open_delta(store), day),
        "Iceberg": engine.value(db, ask.format(scan(catalog), day)),
        "right": engine.value(db, ask.format("lines", day)),
    }
