"""What the tests of an exercise may use beside ordinary Python."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from itertools import count
from typing import Any

_elsewhere: Callable[[str, dict[str, Any]], Any] | None = None
"""Set while grading: runs a query in the sandbox instead of here."""

_opened: Callable[[Any], Any] = lambda thing: thing  # noqa: E731 - replaced while grading

_numbers = count(1)


def rows(query: str, **tables: Any) -> list[tuple[Any, ...]]:
    """The rows that a student's query gives on tables that the test brings.

    The query runs on an empty DuckDB in memory. While grading, that is one in the sandbox: a query
    that reads files, never ends or fills the memory harms nobody, and only its rows come back.

    >>> import pandas as pd
    >>> rows("select sum(n) as total from t", t=pd.DataFrame({"n": [1, 2]}))
    [(3,)]

    Args:
        query: SQL that the student wrote.
        **tables: pandas or Arrow tables, by the names that the query knows them by.

    Returns:
        The rows in the query's order, as tuples of plain Python values.

    Raises:
        AssertionError: the query is no text, or DuckDB refuses it; the message is DuckDB's.
    """
    assert isinstance(query, str), f"the query should be text, and is {type(query).__name__}"
    if _elsewhere is not None:
        return _elsewhere(query, tables)
    return run(query, tables)


def opened(thing: Any) -> Any:
    """A student's object, so that a test may use its attributes and methods.

    While grading, objects are closed, because `table.equals(due)` would ask the student's object
    whether it is right. Open one only to ask it for data, which the test then compares.

    >>> opened(3 + 4j).imag
    4.0

    Args:
        thing: an instance of a class that the student wrote.

    Returns:
        The same thing.
    """
    return _opened(thing)


def run(query: str, tables: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Run a query on tables, here and now; see `rows`."""
    import duckdb

    name = f"query_{next(_numbers)}"
    with _connection().cursor() as session:
        session.execute(f"attach ':memory:' as {name}; use {name}")
        for table, data in tables.items():
            session.register(table, data)
        try:
            return session.execute(query).fetchall()
        except duckdb.Error as error:
            raise AssertionError(f"the query failed: {error}") from None
        finally:
            with suppress(duckdb.Error):  # the query itself may have left it
                session.execute(f"use memory; detach {name}")


@cache
def _connection() -> Any:
    """One DuckDB a process, because opening one costs ten times what a query does."""
    import duckdb

    return duckdb.connect(config={"threads": 1, "memory_limit": "1GB"})
