"""The shop's tables, filled with its real orders."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import psycopg
from lab import datasets

SCHEMA = Path(__file__).with_name("schema.sql")


def load(connection: psycopg.Connection, months: Iterable[str]) -> None:
    """Make the tables, and copy every customer and product and the orders of some months into them.

    Args:
        connection: in autocommit mode, to a database without these tables.
        months: such as "2017-10"; they begin and end in UTC.
    """
    connection.execute(SCHEMA.read_text(encoding="utf-8"))
    year = datasets.shop()
    for table in ("customers", "products"):
        datasets.copy_to(year[table], connection, table)
    for month in months:
        orders = datasets.shop(month=month)
        for table in ("orders", "order_lines", "payments"):
            datasets.copy_to(orders[table], connection, table)
    connection.execute("vacuum analyze")
    # What is written down now need not be replayed after a crash.
    connection.execute("checkpoint")
