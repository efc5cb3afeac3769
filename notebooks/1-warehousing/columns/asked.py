"""The questions that both engines get, in words of SQL that both know, and how they are timed."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import pandas as pd

REVENUE_BY_MONTH = """
    with buyer as (
        select
            date_trunc('month', ordered_on)::date as month, customer_id,
            count(distinct order_id) as orders, sum(amount) as amount
        from lines group by 1, 2
    ),
    known as (
        select *, month > min(month) over (partition by customer_id) as is_returning from buyer
    )
    select
        month, sum(orders) as orders, count(*) as customers, sum(amount) as revenue,
        count(*) filter (where is_returning) as returning_customers,
        avg(case when is_returning then 1.0 else 0.0 end) as returning_share,
        count(*) filter (where orders > 1) as repeat_customers,
        avg(case when orders > 1 then 1.0 else 0.0 end) as repeat_share,
        coalesce(sum(amount) filter (where is_returning), 0) as returning_revenue
    from known group by month order by month
"""
TOTAL = "select sum(amount) as dollars from lines"
STORES = """
    select store_id, count(*) as lines, sum(amount) as dollars
    from lines group by store_id order by store_id
"""
MAILED = """
    select week, sum(amount) as dollars from lines
    where exists (
        select 1 from promotions as listed
        where listed.week = lines.week and listed.store_id = lines.store_id
            and listed.product_id = lines.product_id and mailer_location <> '0'
    )
    group by week order by week
"""
QUESTIONS = {"total": TOTAL, "by store": STORES, "by month": REVENUE_BY_MONTH, "mailed": MAILED}

KEY = "where order_id = {} and line_no = {}"
ADD = "update lines set quantity = quantity + {} " + KEY


def answer(connection: Any, sql: str) -> pd.DataFrame:
    """What an engine answers, as objects: decimals stay decimals, so that cents can be compared."""
    cursor = connection.execute(sql)
    names = [column[0] for column in cursor.description]
    return pd.DataFrame(cursor.fetchall(), columns=names, dtype=object)


def best(task: Callable[[], Any], spend: float = 0.3) -> float:
    """The shortest of several runs, in milliseconds: what is longer was disturbed by others.

    Args:
        spend: how many seconds to go on for; a task that takes longer is run once.
    """
    took: list[float] = []
    while sum(took) < spend:
        began = perf_counter()
        task()
        took.append(perf_counter() - began)
    return min(took) * 1000


def each(task: Callable[[Any], Any], values: list[Any]) -> float:
    """The middle one of the milliseconds that a task takes for each of many values."""
    took = [best(lambda value=value: task(value), spend=1e-9) for value in values]
    return float(pd.Series(took).median())


def look_up(engine: Any, keys: list[tuple[int, int]], table: str = "lines") -> float:
    """Milliseconds to find a line by its key: the median over some keys."""
    sql = f"select * from {table} {KEY}"
    return each(lambda key: engine.execute(sql.format(*key)).fetchall(), keys)


def update(engine: Any, keys: list[tuple[int, int]]) -> float:
    """Milliseconds to change a line and commit, likewise. In the end all is as it was."""
    took = each(lambda key: engine.execute(ADD.format(1, *key)), keys)
    for key in keys:
        engine.execute(ADD.format(-1, *key))
    return took
