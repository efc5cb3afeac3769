"""What the tests of an exercise may use beside ordinary Python."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from itertools import count
from math import prod
from typing import Any

Rows = list[tuple[Any, ...]]

SMALL_ROWS = 200
SMALL_PAIRS = 100_000
"""Rows that a query makes at most when it pairs every row with every other."""
SQL_TYPES = {
    "int64": "bigint", "int32": "integer", "string": "varchar", "bool": "boolean",
    "date32[day]": "date", "timestamp[us]": "timestamp", "double": "double",
}  # fmt: skip
"""Arrow's types that DuckDB takes from a list of Python's values without loss."""

_elsewhere: Callable[[list[str], dict[str, Any]], list[Rows | str]] | None = None
"""Set while grading: runs queries in the sandbox instead of here."""

_opened: Callable[[Any], Any] = lambda thing: thing  # noqa: E731 - replaced while grading

_numbers = count(1)


def rows(query: str, **tables: Any) -> Rows:
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
    (found,) = outcomes([query], **tables)
    if isinstance(found, str):
        raise AssertionError(f"the query failed: {found}")
    return found


def outcomes(queries: list[str], **tables: Any) -> list[Rows | str]:
    """What becomes of queries that run one after the other in one database.

    As `rows`, but a query that is refused does not end it: its outcome is DuckDB's message, and the
    next one finds what those before it left.

    >>> outcomes(["create table t (n int unique)", "insert into t values (1)",
    ...           "insert into t values (1)", "from t"])[1:]  # doctest: +ELLIPSIS
    [[(1,)], 'Constraint Error: Duplicate key "n: 1" violates unique constraint...', [(1,)]]

    Args:
        queries: SQL, each of one statement or more.
        **tables: pandas or Arrow tables, by the names that the queries know them by.

    Returns:
        For each query its rows, or the message with which DuckDB refused it.

    Raises:
        AssertionError: a query is no text.
    """
    for query in queries:
        kind = type(query).__name__
        assert isinstance(query, str), f"the query should be text, and is {kind}"
    return (_elsewhere or run)(queries, tables)


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


def run(queries: list[str], tables: dict[str, Any]) -> list[Rows | str]:
    """Run queries on tables, here and now; see `outcomes`."""
    import duckdb

    name = f"query_{next(_numbers)}"
    with _connection().cursor() as session:
        session.execute(f"attach ':memory:' as {name}; use {name}")
        kinds = {table: _kinds(data) for table, data in tables.items()}
        small = None not in kinds.values()
        if small and prod(len(data) or 1 for data in tables.values()) <= SMALL_PAIRS:
            # On so few rows any plan will do, and looking for a better one takes longer than it.
            session.execute("pragma disable_optimizer")
        try:
            for table, data in tables.items():
                _bring(session, table, data, kinds[table])
            found: list[Rows | str] = []
            for query in queries:
                try:
                    found.append(session.execute(query).fetchall())
                except duckdb.Error as error:
                    found.append(str(error))
            return found
        finally:
            with suppress(duckdb.Error):  # the query itself may have left it
                session.execute(f"use memory; detach {name}")


def _bring(session: Any, name: str, data: Any, kinds: list[str] | None) -> None:
    """Let queries know a table by its name; `kinds` are those of its columns when it is small.

    Of a small Arrow table DuckDB gets a copy, because planning a scan of Arrow's takes longer than
    everything else that a test's query does.
    """
    if kinds is None:
        session.register(name, data)
        return
    columns = ", ".join(
        f"unnest(${number}::{kind}[]) as {_quoted(column)}"
        for number, (column, kind) in enumerate(zip(data.column_names, kinds, strict=True), 1)
    )
    lists = [column.to_pylist() for column in data.columns]
    session.execute(f"create table {_quoted(name)} as select {columns}", lists)


def _kinds(data: Any) -> list[str] | None:
    """SQL's types for the columns of a small Arrow table; None for any other table."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not isinstance(data, pa.Table) or not data.num_columns or data.num_rows > SMALL_ROWS:
        return None
    kinds = [
        f"decimal({kind.precision}, {kind.scale})"
        if pa.types.is_decimal128(kind)
        else SQL_TYPES.get(str(kind), "")
        for kind in data.schema.types
    ]
    numbers = [column for column in data.columns if pa.types.is_floating(column.type)]
    lossy = any(pc.any(pc.is_nan(column)).as_py() for column in numbers)  # would come out as null
    return kinds if all(kinds) and not lossy else None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@cache
def _connection() -> Any:
    """One DuckDB a process, because opening one costs ten times what a query does."""
    import duckdb

    return duckdb.connect(config={"threads": 1, "memory_limit": "1GB"})
