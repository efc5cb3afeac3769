"""A till: orders come in at their own pace, whether or not the database is quick."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import psycopg

Basket = tuple[tuple, list[tuple]]

ORDER = """
    insert into orders (order_id, customer_id, store_id, ordered_at, status, total)
    values (%s, %s, %s, %s, 'placed', %s)
"""
LINE = "insert into order_lines values (%s, %s, %s, %s, %s, %s, %s, %s)"


def baskets(connection: psycopg.Connection, first_id: int, count: int) -> list[Basket]:
    """The shop's first orders once more, numbered from `first_id`."""
    orders = connection.execute(
        "select order_id, customer_id, store_id, ordered_at, total from orders "
        "where status = 'paid' order by order_id limit %s",
        [count],
    ).fetchall()
    copies = []
    for new_id, (old_id, *order) in enumerate(orders, first_id):
        lines = connection.execute(
            "select * from order_lines where order_id = %s order by line_no", [old_id]
        )
        copies.append(((new_id, *order), [(new_id, *line[1:]) for line in lines]))
    return copies


def serve(
    address: str, orders: Iterable[Basket], start: float, every: float
) -> list[tuple[float, float]]:
    """Write one order every `every` seconds, each in a transaction of its own.

    A wait is counted from when the order was due. Counted from when it was sent, the queue
    behind a slow order would not show ("coordinated omission").

    Args:
        start: when the first order is due, on the clock of `time.monotonic`.

    Returns:
        For each order the seconds from `start` to when it was due, and the seconds waited.
    """
    waits = []
    with psycopg.connect(address, autocommit=True) as connection:
        for number, (order, lines) in enumerate(orders):
            due = start + number * every
            time.sleep(max(0.0, due - time.monotonic()))
            with connection.transaction(), connection.cursor() as cursor:
                cursor.execute(ORDER, order)
                cursor.executemany(LINE, lines)
            waits.append((due - start, time.monotonic() - due))
    return waits


def rush(
    address: str, tills: list[list[Basket]], every: float, report: str = "", offices: int = 0
) -> pd.DataFrame:
    """Let tills serve their orders side by side, while offices repeat a report.

    Returns:
        One row an order: `due` (seconds from the start) and `wait` (milliseconds).
    """
    over = threading.Event()

    def office() -> None:
        with psycopg.connect(address, autocommit=True) as connection:
            while not over.is_set():
                connection.execute(report)

    with ThreadPoolExecutor(len(tills) + offices) as people:
        start = time.monotonic() + 0.2
        reports = [people.submit(office) for _ in range(offices)]
        try:
            served = [people.submit(serve, address, orders, start, every) for orders in tills]
            waits = pd.DataFrame(
                [wait for each in served for wait in each.result()], columns=["due", "wait"]
            )
        finally:
            over.set()
        for each in reports:
            each.result()
    return waits.assign(wait=waits["wait"] * 1000).sort_values("due")
