"""The shop's own database, and time that passes in it."""

from __future__ import annotations

from pathlib import Path

import duckdb
import psycopg
from warehouse import lake

from lab import datasets

SCHEMA = Path(__file__).parents[1] / "shop" / "schema.sql"
# What the lesson on transactions did not need: who asks for changes has to find them.
CHANGES = """
    alter table orders
        add column recorded_at timestamptz not null,
        add column updated_at timestamptz not null;
    alter table payments add column recorded_at timestamptz not null;
    create index on orders (recorded_at);
    create index on orders (updated_at);
    create index on payments (recorded_at);
    create table campaigns (
        campaign_id    int primary key,
        campaign_type  text not null,
        starts_on      date not null,
        ends_on        date not null
    );
    create table mailings (
        campaign_id  int not null references campaigns,
        customer_id  int not null references customers,
        primary key (campaign_id, customer_id)
    );
"""


def open_shop(connection: psycopg.Connection) -> None:
    """Make the tables, and fill those that don't change with the days.

    Args:
        connection: in autocommit mode, to a database without these tables.
    """
    with connection.transaction(), lake.source() as year:
        connection.execute(SCHEMA.read_text(encoding="utf-8"))
        connection.execute(CHANGES)
        for table in ("customers", "products", "campaigns", "mailings"):
            datasets.copy_to(year.sql(f"from {table} order by all"), connection, table)


def trade(connection: psycopg.Connection, period: str) -> dict[str, int]:
    """Let the tills work until a period is over: new orders come, old ones are paid or refunded.

    Args:
        connection: in autocommit mode, to a database that `open_shop` has made.
        period: as in `lake.days`; whatever happened since the last call happens now.

    Returns:
        How many rows each table got, and how many orders have changed.
    """
    seen = "select coalesce(max(updated_at), '2000-01-01+00') at time zone 'UTC' from orders"
    with connection.transaction(), lake.source(at=lake.after(period)) as year:
        (since,) = connection.execute(seen).fetchone()
        if since.year == 2000:
            # A whole database moves in, whose rows were checked when they were made.
            connection.execute("set local session_replication_role = replica")
        rows = {
            "orders": _new(connection, year, "orders", f"recorded_at > '{since}'"),
            "order_lines": _new(
                connection,
                year,
                "order_lines",
                f"order_id in (select order_id from orders where recorded_at > '{since}')",
            ),
            "payments": _new(connection, year, "payments", f"recorded_at > '{since}'"),
        }
        connection.execute(
            "create temporary table changed (like orders including defaults) on commit drop"
        )
        changed = f"from orders where updated_at > '{since}' and recorded_at <= '{since}'"
        rows["orders changed"] = datasets.copy_to(year.sql(changed), connection, "changed")
        connection.execute("""
            update orders set status = changed.status, updated_at = changed.updated_at
            from changed where changed.order_id = orders.order_id""")
    connection.execute("analyze")
    return rows


def _new(
    connection: psycopg.Connection, year: duckdb.DuckDBPyConnection, table: str, condition: str
) -> int:
    relation = year.sql(f"from {table} where {condition} order by all")
    return datasets.copy_to(relation, connection, table)
