"""What a busy row costs while somebody holds an old snapshot."""

from __future__ import annotations

from pathlib import Path

import psycopg
from shop import plans

TABLE = Path(__file__).with_name("takings.sql")
BUSIEST = "select store_id from takings order by orders desc, store_id limit 1"
STATISTICS = """
    select n_dead_tup, pg_relation_size(relid) / 8192
    from pg_stat_user_tables where relname = 'takings'
"""


def create(db: psycopg.Connection) -> None:
    """Make the table of each store's takings, and the procedure that adds to one."""
    db.execute(TABLE.read_text(encoding="utf-8"))


def after(db: psycopg.Connection, what: str, sales: int) -> dict[str, object]:
    """Sell in the store with the most orders, vacuum, and look at what is left.

    Args:
        db: in autocommit mode, since `vacuum` can't run in a transaction.
        what: goes on while the sales are made.
        sales: how many.
    """
    row = db.execute(BUSIEST).fetchone()
    assert row is not None
    db.execute("call sell(%s, %s)", [row[0], sales])
    # A session reports its statistics now and then; we want them before the vacuum sets its own.
    db.execute("select pg_stat_force_next_flush()")
    db.execute("vacuum takings")
    left = db.execute(STATISTICS).fetchone()
    assert left is not None
    look = plans.explain(db, "select sales from takings where store_id = %s", [row[0]])
    return {
        f"{sales:,} sales while": what,
        "dead rows kept": left[0],
        "pages of the table": left[1],
        "pages to read one row": plans.pages(look),
    }
