"""From the shop's database to the lake: one file a table and window of days, with control totals.

The lake keeps what it was told, when it was told it: a file holds the rows that were recorded or
touched in its window, and every row says when it was loaded. Extracting a window again writes the
same files again.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
from duckdb_extensions import import_extension

from lab import datasets
from lab.errors import LabError

HERE = Path(__file__).parent
# The shop's day is New York's; the tills' clock, and so the lake's, is UTC.
SHOP = ZoneInfo("America/New_York")
FIRST, LAST = "2017-01", "2018-01"  # January 2018 has no sales, but refunds of December's

# What a window holds, in SQL that PostgreSQL and DuckDB both read; `{start}` and `{end}` are UTC.
WINDOWED = {
    "orders": """
        select order_id, customer_id, store_id, ordered_at, status, total, recorded_at, updated_at
        from orders
        where updated_at >= {start} and updated_at < {end}
        order by order_id""",
    "order_lines": """
        select order_id, line_no, product_id, quantity, amount,
            retail_discount, coupon_discount, coupon_match_discount
        from order_lines
        where order_id in (
            select order_id from orders where recorded_at >= {start} and recorded_at < {end}
        )
        order by order_id, line_no""",
    "payments": """
        select payment_id, order_id, kind, method, attempt, amount, status, failure_reason,
            refund_of, created_at
        from payments
        where recorded_at >= {start} and recorded_at < {end}
        order by payment_id""",
}
# PostgreSQL keeps moments with a zone; the lake keeps them in UTC, without.
STAMPS = {"orders": ("ordered_at", "recorded_at", "updated_at"), "payments": ("created_at",)}
# Small enough to be copied whole each time, over the last copy.
WHOLE = {
    "customers": "select * from customers order by customer_id",
    "products": "select * from products order by product_id",
    "campaigns": "select * from campaigns order by campaign_id",
    "mailings": "select * from mailings order by campaign_id, customer_id",
}
CONTROLS = """
    with new_orders as (
        select order_id from orders where recorded_at >= {start} and recorded_at < {end}
    ),
    new_lines as (
        select count(*) as lines, coalesce(sum(amount), 0) as amount
        from order_lines where order_id in (select order_id from new_orders)
    ),
    new_payments as (
        select count(*) as payments, coalesce(sum(amount), 0) as payments_amount
        from payments where recorded_at >= {start} and recorded_at < {end}
    )
    select (select count(*) from new_orders) as orders,
        lines, cast(amount as decimal(18, 2)) as amount,
        payments, cast(payments_amount as decimal(18, 2)) as payments_amount
    from new_lines cross join new_payments"""


def days(period: str) -> tuple[date, date]:
    """First and last day of "2017-03", a month, "2017-12-31", or "2017-12-01/2017-12-30"."""
    try:
        if "/" in period:
            first, last = (date.fromisoformat(day) for day in period.split("/"))
        elif len(period) == 7:
            first = date.fromisoformat(f"{period}-01")
            last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        else:
            first = last = date.fromisoformat(period)
    except ValueError:
        raise LabError(
            f"{period!r} is no period: give a month ('2017-03'), a day ('2017-12-31') or two days "
            "of one month ('2017-12-01/2017-12-30')."
        ) from None
    if (first.year, first.month) != (last.year, last.month) or last < first:
        raise LabError(f"{period!r} does not lie in one month: extract each month by itself.")
    return first, last


def midnight(day: date) -> str:
    """When a day begins at the shop, in UTC: `2017-12-31 05:00:00`."""
    local = datetime(day.year, day.month, day.day, tzinfo=SHOP)
    return local.astimezone(ZoneInfo("UTC")).strftime("%Y-%m-%d %H:%M:%S")


def after(period: str) -> str:
    """The moment at which a period is over: what dbt's `now` has to be to see it all."""
    return midnight(days(period)[1] + timedelta(days=1))


def extract(
    connection: duckdb.DuckDBPyConnection, lake: str, period: str, attached: str | None = None
) -> dict[str, int]:
    """Copy a period from the shop's database into the lake.

    Args:
        connection: DuckDB, able to write where the lake is.
        lake: a folder, or `s3://bucket/prefix`.
        period: as in `days`.
        attached: under which name PostgreSQL is attached; by default the schema `source` is read.

    Returns:
        Rows by table.
    """
    first, last = days(period)
    # With its zone a moment means the same in any session, wherever the server stands.
    start, end = (f"timestamptz '{moment}+00'" for moment in (midnight(first), after(period)))
    window = f"{first}_{last}.parquet"
    _refuse_overlap(connection, lake, first, last)
    connection.execute("set TimeZone = 'UTC'")
    rows = {}
    connection.execute("begin")  # one look at the source for all tables
    try:
        for table, query in (WINDOWED | WHOLE | {"controls": CONTROLS}).items():
            query = query.format(start=start, end=end)
            columns = "*"
            if table in STAMPS:
                casts = ", ".join(f"{column}::timestamp as {column}" for column in STAMPS[table])
                columns = f"* replace ({casts})"
            elif table == "controls":
                columns = f"date '{first}' as first_day, date '{last}' as last_day, *"
            if table in WHOLE:
                place = f"{table}/{table}.parquet"
            else:
                place = f"{table}/month={first:%Y-%m}/{window}"
            rows[table] = _copy(
                connection,
                f"select {columns}, {end}::timestamp as loaded_at from {_from(query, attached)}",
                f"{lake}/{place}",
            )
    finally:
        connection.execute("rollback")
    return rows


def fill(
    lake: str | Path,
    first: str = FIRST,
    last: str = LAST,
    connection: duckdb.DuckDBPyConnection | None = None,
) -> str:
    """Make a lake of some months in a row, straight from the data set, as if month by month.

    Args:
        lake: a folder, or `s3://bucket/prefix`.
        first: the first month; the shop had no customers before it.
        last: the last month.
        connection: DuckDB, if it needs a secret to write there.

    Returns:
        The lake's location, as dbt takes it.
    """
    lake = lake.as_posix() if isinstance(lake, Path) else lake
    with source(first, connection) as shop:
        for month in months(first, last):
            shop.execute(f"set variable moment = timestamp '{after(month)}'")
            extract(shop, lake, month)
    return lake


def source(
    first: str = FIRST, connection: duckdb.DuckDBPyConnection | None = None, at: str | None = None
) -> duckdb.DuckDBPyConnection:
    """DuckDB with the shop's database in its schema `source`, as it stood `at` a moment (UTC)."""
    shop = (connection or duckdb.connect()).cursor()
    shop.execute("set enable_progress_bar = false")
    files = {
        name: f"shop_{name}"
        for name in ("customers", "products", "orders", "order_lines", "payments")
    }
    for name, dataset in (files | {n: n for n in ("campaigns", "campaign_descriptions")}).items():
        shop.execute(f"set variable {name} = '{datasets.path(dataset).as_posix()}'")
    shop.execute(f"set variable opening = timestamp '{midnight(days(first)[0])}'")
    shop.execute(f"set variable moment = timestamp '{at or after(LAST)}'")
    shop.execute("drop schema if exists source cascade")
    shop.execute((HERE / "source.sql").read_text(encoding="utf-8"))
    shop.execute("set search_path = 'source'")
    return shop


def load_extensions(connection: duckdb.DuckDBPyConnection, *names: str) -> None:
    """Load extensions of DuckDB from the course's wheels; other connections then find them too."""
    for name in names:
        import_extension(name, con=connection)
        connection.load_extension(name)


def months(first: str = FIRST, last: str = LAST) -> list[str]:
    """The months from one to another, both included."""
    day, end = days(first)[0], days(last)[0]
    found = []
    while day <= end:
        found.append(f"{day:%Y-%m}")
        day = days(found[-1])[1] + timedelta(days=1)
    return found


def _from(query: str, attached: str | None) -> str:
    return f"postgres_query('{attached}', $sql${query}$sql$)" if attached else f"({query})"


def _copy(connection: duckdb.DuckDBPyConnection, query: str, file: str) -> int:
    options = "format parquet, compression zstd"
    if "://" not in file:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        options += ", use_tmp_file true"  # renamed when whole; an object store does so by itself
    return connection.execute(f"copy ({query}) to '{file}' ({options})").fetchone()[0]


def _refuse_overlap(
    connection: duckdb.DuckDBPyConnection, lake: str, first: date, last: date
) -> None:
    found = connection.execute(
        f"select file from glob('{lake}/controls/month={first:%Y-%m}/*.parquet')"
    ).fetchall()
    for (file,) in found:
        other_first, other_last = (date.fromisoformat(day) for day in Path(file).stem.split("_"))
        if (
            (other_first, other_last) != (first, last)
            and other_first <= last
            and first <= other_last
        ):
            raise LabError(
                f"The lake has {other_first} to {other_last} already, so {first} to {last} would "
                f"count days twice: extract what is missing, or start with an empty lake."
            )
