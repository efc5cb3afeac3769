"""Runs fakesnow's server with what dbt needs beyond it: BEGIN, INSERT OVERWRITE, temporary tables,
and exact sums.

It stands alone, so that the container runs the same file. Usage: fakesnow_server.py HOST PORT
"""

from __future__ import annotations

import sys

import fakesnow.server
import fakesnow.transforms
import uvicorn
from fakesnow.cursor import SQL_SUCCESS, FakeSnowflakeCursor
from sqlglot import exp

_execute = FakeSnowflakeCursor._execute
_describe = FakeSnowflakeCursor._describe_last_sql
_implicit_cast = fakesnow.transforms.numeric_agg_implicit_cast


def _describe_last_sql(cursor: FakeSnowflakeCursor) -> list:
    # fakesnow opens the transaction, then fails on describing it: to a client, an error.
    if isinstance(cursor._last_transformed, exp.Transaction):
        cursor._arrow_table = cursor._duck_conn.execute(SQL_SUCCESS).to_arrow_table()
        cursor._last_sql, cursor._last_params = SQL_SUCCESS, None
        cursor._rowcount = 1
    return _describe(cursor)


def _execute_more(cursor: FakeSnowflakeCursor, statement: exp.Expression, *rest: object) -> None:
    if isinstance(statement, exp.Insert) and statement.args.get("overwrite"):
        # DuckDB has no INSERT OVERWRITE: the table is emptied first.
        cursor._duck_conn.execute(f"delete from {statement.find(exp.Table).sql('duckdb')}")
        statement.set("overwrite", False)
    elif isinstance(statement, exp.Create) and statement.find(exp.Table).db:
        # In DuckDB a temporary table has no schema, and one with a schema is not temporary.
        for temporary in list(statement.find_all(exp.TemporaryProperty)):
            temporary.pop()
    _execute(cursor, statement, *rest)


def _sum_exactly(expression: exp.Expression) -> exp.Expression:
    # fakesnow sums in floating point, for the sake of numbers in text; Snowflake sums NUMBER to
    # the cent.
    if not isinstance(expression, exp.Sum):
        return _implicit_cast(expression)
    argument = expression.this.copy()
    changed = _implicit_cast(expression)
    changed.find(exp.Sum).set("this", argument)
    return changed


if __name__ == "__main__":
    FakeSnowflakeCursor._describe_last_sql = _describe_last_sql
    FakeSnowflakeCursor._execute = _execute_more
    fakesnow.transforms.numeric_agg_implicit_cast = _sum_exactly
    uvicorn.run(fakesnow.server.app, host=sys.argv[1], port=int(sys.argv[2]), log_level="warning")
