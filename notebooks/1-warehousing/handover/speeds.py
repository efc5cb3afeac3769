"""One question at three speeds: what has the shop taken so far today?"""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal

import duckdb
import pandas as pd
import psycopg
import redis

STREAM, GROUP, TAKINGS = "sales", "takings", "takings:so-far"
# One store loses its line for some hours: its tills go on, and what they sold arrives afterwards.
DOWN, UP = time(10), time(17)

ORDERS = """
    select order_id, store_id, ordered_at at time zone 'America/New_York' as sold_at, total
    from orders
    where (ordered_at at time zone 'America/New_York')::date = %s
    order by sold_at, order_id"""


def arrivals(db: psycopg.Connection, day: date) -> pd.DataFrame:
    """A day's orders with the moment at which each reaches the centre, in that order.

    The line of the day's busiest store is taken down by us, from `DOWN` to `UP`.
    """
    rows = db.execute(ORDERS, [day]).fetchall()
    orders = pd.DataFrame(rows, columns=["order_id", "store_id", "sold_at", "total"])
    busiest = orders.store_id.mode().min()
    cut = (orders.store_id == busiest) & orders.sold_at.dt.time.between(DOWN, UP)
    orders["arrives_at"] = orders.sold_at.mask(cut, datetime.combine(day, UP))
    return orders.sort_values(["arrives_at", "order_id"]).reset_index(drop=True)


def publish(client: redis.Redis, orders: pd.DataFrame) -> int:
    """Put each order on the stream; returns how many."""
    with client.pipeline() as pipe:
        for order in orders.itertuples():
            pipe.xadd(STREAM, {"order_id": order.order_id, "cents": int(order.total * 100)})
        return len(pipe.execute())


def consume(client: redis.Redis) -> int:
    """Add what is new on the stream to the running total, each order once; returns how many."""
    if not client.exists(STREAM) or not client.xinfo_groups(STREAM):
        client.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    done = 0
    while batch := client.xreadgroup(GROUP, "one", {STREAM: ">"}, count=200):
        for number, event in batch[0][1]:
            with client.pipeline(transaction=True) as pipe:
                pipe.incrby(TAKINGS, event["cents"])
                pipe.xack(STREAM, GROUP, number)
                pipe.execute()
            done += 1
    return done


def streamed(client: redis.Redis) -> Decimal:
    """What the running total says now, in dollars."""
    return Decimal(int(client.get(TAKINGS) or 0)) / 100


def asked(orders: pd.DataFrame, moment: datetime) -> Decimal:
    """What a query to the centre's database finds at a moment: all that has arrived by then."""
    return Decimal(orders.total[orders.arrives_at <= moment].sum())


def batch(warehouse: duckdb.DuckDBPyConnection, day: date) -> Decimal:
    """What the warehouse says of a day, as of its last nightly load."""
    query = "select coalesce(sum(amount), 0) from fct_sales where sold_at::date = ?"
    return warehouse.execute(query, [day]).fetchone()[0]
