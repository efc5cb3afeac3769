"""Small orders to try things on: what a till or a phone does with one."""

from __future__ import annotations

import psycopg
from IPython.display import Markdown
from shop.sessions import table

Session = psycopg.Connection

READ = "select total from orders where order_id = %s"
WRITE = "update orders set total = %s where order_id = %s"
ADD = "update orders set total = total + %s where order_id = %s"


def new_order(session: Session, number: int) -> None:
    """An order without lines, by the customer and in the store of the oldest order there is."""
    session.execute(
        "insert into orders (order_id, customer_id, store_id, ordered_at, status, total) "
        "select %s, customer_id, store_id, ordered_at, 'placed', 0 "
        "from orders order by ordered_at, order_id limit 1",
        [number],
    )


def add_line(session: Session, number: int, line_no: int, price: int) -> None:
    """A line of one piece, at a price in dollars. The order's total is left as it is."""
    session.execute(
        "insert into order_lines select %s, %s, min(product_id), 1, %s, 0, 0, 0 from products",
        [number, line_no, price],
    )


def show_order(session: Session, number: int) -> Markdown:
    """What the order says of itself, beside what its lines say."""
    return table(
        session,
        'select o.order_id as "order", o.total as "its total", sum(l.amount) as "sum of its lines" '
        "from orders as o join order_lines as l using (order_id) "
        "where order_id = %s group by o.order_id",
        [number],
    )
