"""What PostgreSQL did for a query, as a table: one row a step of the plan."""

from __future__ import annotations

from typing import Any

import pandas as pd
import psycopg

Plan = dict[str, Any]


def explain(connection: psycopg.Connection, sql: str, values: Any = None) -> Plan:
    """Run a query under `explain (analyze, buffers)` and return the root of its plan."""
    answer = connection.execute(f"explain (analyze, buffers, format json) {sql}", values).fetchone()
    assert answer is not None
    return answer[0][0]["Plan"]


def pages(plan: Plan) -> int:
    """Pages of 8 kB that a step and all below it asked for, found in memory or not."""
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


def steps(plan: Plan, depth: int = 0) -> pd.DataFrame:
    """The plan from its root to its leaves, each step with the pages that it asked for itself."""
    children = plan.get("Plans", [])
    place = plan.get("Index Name") or plan.get("Relation Name")
    row = {
        "step": "- " * depth + plan["Node Type"] + (f" on {place}" if place else ""),
        "rows": round(plan["Actual Rows"] * plan["Actual Loops"]),
        "rows thrown away": plan.get("Rows Removed by Filter", 0) * plan["Actual Loops"],
        "own pages": pages(plan) - sum(pages(child) for child in children),
    }
    return pd.concat(
        [pd.DataFrame([row]), *(steps(child, depth + 1) for child in children)], ignore_index=True
    )
