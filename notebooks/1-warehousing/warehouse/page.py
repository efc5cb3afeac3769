"""What the project's notebook shows: rows of the warehouse and results of dbt as small tables."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import duckdb
import pandas as pd
from dbt.cli.main import dbtRunnerResult
from IPython.display import Markdown
from warehouse.run import report

from lab import show


def rows(file: Path, sql: str) -> pd.DataFrame:
    """The answer of a query to the warehouse; money and counts stay as they are."""
    with duckdb.connect(str(file)) as connection:
        cursor = connection.execute(sql)
        columns = [column[0] for column in cursor.description or []]
        return pd.DataFrame(cursor.fetchall(), columns=columns, dtype=object)


def table(file: Path, sql: str) -> Markdown:
    """The same as a table that JupyterLab and the book both draw."""
    return markdown(rows(file, sql))


def markdown(frame: pd.DataFrame) -> Markdown:
    """A small data frame as a Markdown table."""
    return show.table(frame)


def outcome(result: dbtRunnerResult) -> Markdown:
    """How a run of dbt went: nodes by kind and status, and the name of each that failed."""
    nodes = report(result)
    counts = nodes.groupby(["kind", "status"], as_index=False).agg(nodes=("node", "size"))
    failed = nodes[nodes.status.isin(["fail", "error", "warn"])]
    names = "".join(
        f"\n* `{node}`: {status}" for node, status in zip(failed.node, failed.status, strict=True)
    )
    return Markdown(f"{show.table(counts).data}\n{names}")


def written(file: Path, facts: Iterable[str]) -> pd.DataFrame:
    """How many rows each run of dbt wrote, in the order of the runs, a column a fact."""
    query = " union all ".join(
        f"select '{fact}' as fact, written_by, max(loaded_at) as loaded_until, count(*) as n "
        f"from {fact} group by written_by"
        for fact in facts
    )
    counts = rows(file, f"from ({query}) order by loaded_until")
    runs = counts.groupby("written_by", sort=False).loaded_until.max().sort_values()
    wide = counts.astype({"n": int}).pivot_table(
        index="written_by", columns="fact", values="n", aggfunc="sum", fill_value=0
    )
    wide = wide.reindex(index=runs.index, columns=list(facts))
    wide.insert(0, "run", [f"{number}" for number in range(1, len(wide) + 1)])
    return wide.reset_index(drop=True)


def fingerprints(file: Path, tables: Iterable[str]) -> dict[str, str]:
    """What each table says, whatever the order of its rows and the run that wrote them."""
    query = """
        select count(*), sum(hash(t))
        from (select columns(lambda name: name <> 'written_by') from {}) as t"""
    return {table: str(rows(file, query.format(table)).iloc[0].tolist()) for table in tables}
