"""What the lesson takes from engines' own reports."""

from __future__ import annotations

from collections.abc import Iterable

import psycopg
from dbt.cli.main import dbtRunnerResult


def expected(connection: psycopg.Connection, query: str) -> int:
    """How many rows PostgreSQL's planner expects of a query."""
    plan = connection.execute(f"explain (format json) {query}").fetchone()[0]
    return int(plan[0]["Plan"]["Plan Rows"])


def questions_sql(result: dbtRunnerResult, names: Iterable[str]) -> dict[str, str]:
    """The SQL of some models, as dbt sent it."""
    code = {
        one.node.name: getattr(one.node, "compiled_code", None) for one in result.result.results
    }
    return {name: code[name] for name in names}
