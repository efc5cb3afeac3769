"""The same lines for a row store and for a column store: the shop's year, one wide row a line."""

from __future__ import annotations

import duckdb
import pandas as pd
import psycopg
from lab import datasets

MAILER = datasets.path("promotions")

# Days and weeks are the shop's, which lies in New York; the order is that of the tills.
LINES = """
    create table lines as
    select
        order_id, line_no, customer_id, store_id, product_id,
        ordered_at,
        timezone('America/New_York', timezone('UTC', ordered_at))::date as ordered_on,
        (1 + (ordered_on - date '2016-12-26') // 7)::smallint as week,
        quantity, amount, retail_discount, coupon_discount,
    from shop_order_lines join shop_orders using (order_id)
    order by ordered_at, order_id, line_no
"""
ROW_STORE = """
    create table lines (
        order_id         bigint not null,
        line_no          smallint not null,
        customer_id      int not null,
        store_id         int not null,
        product_id       int not null,
        ordered_at       timestamp not null,
        ordered_on       date not null,
        week             smallint not null,
        quantity         int not null,
        amount           numeric(12, 2) not null,
        retail_discount  numeric(12, 2) not null,
        coupon_discount  numeric(12, 2) not null
    );
    create table promotions (
        product_id        int not null,
        store_id          int not null,
        display_location  text not null,
        mailer_location   text not null,
        week              smallint not null
    );
"""


def columns(db: duckdb.DuckDBPyConnection, weeks: int) -> None:
    """The lines and the promotions of the first weeks as DuckDB's own tables.

    `all_promotions` is a view of the published Parquet file.
    """
    db.execute("set enable_progress_bar = false")
    views = {name: datasets.path(name) for name in ("shop_order_lines", "shop_orders")}
    for name, file in (views | {"all_promotions": MAILER}).items():
        db.execute(f"create view {name} as from read_parquet('{file.as_posix()}')")
    db.execute(LINES)
    db.execute(f"create table promotions as from all_promotions where week <= {weeks}")
    db.execute("checkpoint")


def rows(pg: psycopg.Connection, db: duckdb.DuckDBPyConnection) -> None:
    """The same tables in PostgreSQL.

    Args:
        pg: in autocommit mode, to a database without these tables.
        db: what `columns` filled.
    """
    pg.execute("alter system set autovacuum = off")
    pg.execute("select pg_reload_conf()")
    pg.execute(ROW_STORE)
    for table in ("lines", "promotions"):
        datasets.copy_to(db.sql(f"from {table}"), pg, table)
    pg.execute("alter table lines add primary key (order_id, line_no)")
    pg.execute("vacuum analyze")


def sizes(pg: psycopg.Connection, db: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Rows and megabytes of lines and promotions, in the row store and as columns.

    PostgreSQL's room for all promotions is reckoned from the part that it has. As columns, the
    lines are DuckDB's blocks of 256 kB, and the promotions their Parquet file.
    """
    blocks = db.execute(
        "select count(distinct block_id) from pragma_storage_info('lines') where block_id >= 0"
    ).fetchone()[0]
    found = []
    for table, source, packed in (
        ("lines", "lines", blocks << 18),
        ("promotions", "all_promotions", MAILER.stat().st_size),
    ):
        count = db.execute(f"select count(*) from {source}").fetchone()[0]
        query = f"select count(*), pg_table_size('{table}') from {table}"
        part, room = pg.execute(query).fetchone()
        found.append((table, count, part, room / part * count / 1e6, packed / 1e6))
    names = ["table", "rows", "of them in PostgreSQL", "all as rows, MB", "all as columns, MB"]
    return pd.DataFrame(found, columns=names).round(1)
