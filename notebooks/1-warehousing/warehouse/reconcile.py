"""The same four totals, asked of each place that a sale has passed through."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd
import psycopg
from warehouse.page import rows

from lab import datasets

TILLS = """
    select count(*), sum(amount), count(distinct order_id), count(distinct customer_id)
    from order_lines join orders using (order_id)"""
LAKE = """
    select count(*), sum(amount), count(distinct order_id), count(distinct customer_id)
    from read_parquet('{lake}/order_lines/**/*.parquet')
    join (
        select distinct order_id, customer_id from read_parquet('{lake}/orders/**/*.parquet')
    ) using (order_id)"""
WAREHOUSE = """
    select sum(lines), sum(line_amount), count(*), count(distinct customer_id)
    from fct_orders"""
RAW = """
    select count(*), sum(sales_value::decimal(12, 2)), count(distinct basket_id),
        count(distinct household_id)
    from read_parquet('{transactions}')"""


def totals(
    tills: psycopg.Connection, porter: duckdb.DuckDBPyConnection, lake: str, warehouse: Path
) -> pd.DataFrame:
    """Lines, dollars, orders and households in the tills' database, lake, warehouse, raw files."""
    raw = RAW.format(transactions=datasets.path("transactions").as_posix())
    found = {
        "tills (PostgreSQL)": tills.execute(TILLS).fetchone(),
        "lake (Parquet on S3)": porter.execute(LAKE.format(lake=lake)).fetchone(),
        "warehouse (DuckDB)": rows(warehouse, WAREHOUSE).iloc[0].tolist(),
        "raw files": porter.execute(raw).fetchone(),
    }
    columns = ["place", "lines", "dollars", "orders", "households"]
    return pd.DataFrame(
        [(place, *totals) for place, totals in found.items()], columns=columns, dtype=object
    )
