"""What BigQuery would read and bill: bytes by types and values, as its documentation counts them.

The emulator answers 0 to any question about bytes, so they are counted from the tables it holds.
"""

from __future__ import annotations

import warnings

import pandas as pd
from google.cloud.bigquery import Client

# An accelerator that another package brought along, and that nobody needs, is called deprecated.
warnings.filterwarnings("ignore", message=r"sqlglot\[rs\]")

import sqlglot  # noqa: E402
from sqlglot import exp  # noqa: E402
from sqlglot.optimizer.pushdown_projections import pushdown_projections  # noqa: E402
from sqlglot.optimizer.qualify import qualify  # noqa: E402
from sqlglot.optimizer.scope import traverse_scope  # noqa: E402

# Bytes of a value; null takes none, and text two more than its UTF-8.
FIXED = {
    "INTEGER": 8,
    "FLOAT": 8,
    "NUMERIC": 16,
    "BOOLEAN": 1,
    "DATE": 8,
    "TIMESTAMP": 8,
    "DATETIME": 8,
}
MIB = 2**20


def columns(client: Client, table: str, where: str = "true") -> pd.Series:
    """Logical bytes of each column of a table, or of those of its rows `where` something holds."""
    fields = client.get_table(table).schema
    sums = [
        f"coalesce(sum(2 + byte_length({field.name})), 0)"
        if field.field_type == "STRING"
        else f"count({field.name}) * {FIXED[field.field_type]}"
        for field in fields
    ]
    row = next(iter(client.query_and_wait(f"select {', '.join(sums)} from {table} where {where}")))
    return pd.Series(row.values(), index=[field.name for field in fields], dtype=int)


def read(sql: str, schema: dict[str, dict[str, pd.Series]]) -> dict[str, set[str]]:
    """The columns of each table that a query needs, whatever it selects on the way.

    Args:
        sql: a query in BigQuery's dialect.
        schema: data set -> table -> sizes of its columns.
    """
    types = {data: {name: dict.fromkeys(sizes.index, "STRING") for name, sizes in tables.items()}
             for data, tables in schema.items()}  # fmt: skip
    tree = sqlglot.parse_one(sql, dialect="bigquery")
    for table in tree.find_all(exp.Table):
        table.set("catalog", None)  # the project is the same everywhere
    tree = pushdown_projections(
        qualify(tree, schema=types, dialect="bigquery", quote_identifiers=False)
    )
    needed: dict[str, set[str]] = {}
    for scope in traverse_scope(tree):
        for alias, source in scope.sources.items():
            if isinstance(source, exp.Table):
                names = {column.name for column in scope.columns if column.table == alias}
                needed.setdefault(f"{source.db}.{source.name}", set()).update(names)
    return needed


def billed(
    needed: dict[str, set[str]], schema: dict[str, dict[str, pd.Series]], smallest: int
) -> pd.DataFrame:
    """Bytes read and billed, one row a table; `smallest` bytes are billed for each at least."""
    rows = []
    for name, names in needed.items():
        data, table = name.split(".")
        size = int(schema[data][table].loc[sorted(names)].sum())
        rows.append(
            {
                "table": table,
                "columns": len(names),
                "read": size,
                "billed": -(-max(size, smallest) // MIB) * MIB,
            }
        )
    return pd.DataFrame(rows)


def pieces_touched(values: pd.Series, wanted: object, rows: int) -> tuple[int, int]:
    """How many pieces of `rows` rows may hold a value, by their bounds; and how many there are."""
    piece = pd.Series(range(len(values))) // rows
    bounds = values.reset_index(drop=True).groupby(piece).agg(["min", "max"])
    return int(((bounds["min"] <= wanted) & (wanted <= bounds["max"])).sum()), len(bounds)
