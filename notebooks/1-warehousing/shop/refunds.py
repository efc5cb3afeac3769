"""Two clerks who refund one payment at the same time."""

from __future__ import annotations

import psycopg
from psycopg import IsolationLevel
from shop.retry import transact

Session = psycopg.Connection

PAID_BACK = "select coalesce(sum(amount), 0) from payments where kind = 'refund' and order_id = 7"
INSERT = (
    "insert into payments "
    "(payment_id, order_id, kind, attempt, refund_of, method, amount, status, created_at) "
    "select %s, order_id, %s, %s, %s, 'card', 10, 'succeeded', ordered_at "
    "from orders where order_id = 7"
)


def charge(session: Session, payment_id: int) -> None:
    """Charge the customer of order 7 ten dollars."""
    session.execute(INSERT, [payment_id, "charge", 1, None])


def refund(session: Session, payment_id: int, charge_id: int) -> str:
    """Give the ten dollars back, unless they have been given back already."""
    if session.execute(PAID_BACK).fetchone() != (0,):
        return "refused"
    session.execute(INSERT, [payment_id, "refund", None, charge_id])
    return "refunded"


def two_clerks(one: Session, two: Session, level: IsolationLevel, charge_id: int) -> list[object]:
    """Let the first clerk do all their work after the second has looked, before they write."""
    one.isolation_level = two.isolation_level = level
    said = []

    def second(session: Session) -> str:
        session.execute(PAID_BACK)
        if not said:
            said.append(transact(one, lambda first: refund(first, charge_id + 1, charge_id)))
        return refund(session, charge_id + 2, charge_id)

    said.append(transact(two, second))
    paid_back = one.execute(PAID_BACK).fetchone()
    one.execute("delete from payments where refund_of = %s", [charge_id])
    return [level.name.lower().replace("_", " "), *said, *(paid_back or ())]
