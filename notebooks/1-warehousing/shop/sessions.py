"""Two people at work on one database at once, step by step."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pandas as pd
import psycopg
from IPython.display import Markdown

_threads = ThreadPoolExecutor(max_workers=8)


def send(session: psycopg.Connection, sql: str, values: Any = None) -> tuple[Future[Any], str]:
    """Send a statement from a thread of its own; return once it is done, or waits for a lock.

    Args:
        session: the connection to send it on; nobody else may use it until the future is done.

    Returns:
        The future of the statement's cursor, and "done" or "waiting".
    """
    future = _threads.submit(session.execute, sql, values)
    waits = "select coalesce(wait_event_type = 'Lock', false) from pg_stat_activity where pid = %s"
    address = psycopg.conninfo.make_conninfo(session.info.dsn, password=session.info.password)
    with psycopg.connect(address, autocommit=True) as watcher:
        while not future.done():
            answer = watcher.execute(waits, [session.info.backend_pid]).fetchone()
            if answer and answer[0]:
                return future, "waiting"
    return future, "done"


def refused(session: psycopg.Connection, statements: dict[str, str]) -> Markdown:
    """Try statements that a constraint should refuse, and show which one did, or that none did."""
    answers = []
    for what, statement in statements.items():
        try:
            session.execute(statement)
            answers.append((what, "nothing", "00000"))
        except psycopg.IntegrityError as error:
            answers.append((what, error.diag.constraint_name, error.sqlstate))
    return markdown(pd.DataFrame(answers, columns=["we sent", "refused by", "SQLSTATE"]))


def table(session: psycopg.Connection, sql: str, values: Any = None) -> Markdown:
    """Run a query and show its rows as a table."""
    cursor = session.execute(sql, values)
    columns = [column.name for column in cursor.description or []]
    return markdown(pd.DataFrame(cursor.fetchall(), columns=columns, dtype=object))


def markdown(frame: pd.DataFrame) -> Markdown:
    """A small data frame as a Markdown table, which JupyterLab and the book both draw."""
    return Markdown(frame.to_markdown(index=False, intfmt=","))
