"""What a question costs in one layout or another: its text, its plan, the bytes of its columns."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import duckdb
import pandas as pd
from star import shop

QUESTIONS = ("own_brand", "weekends", "months")
# What a layout stores besides its facts.
LAYOUTS = {
    "star": ["dim_product", "dim_date"],
    "snow": [
        "snow.product",
        "snow.product_type",
        "snow.product_category",
        "snow.department",
        "snow.date",
        "snow.month",
    ],
    "wide": [],
}
FACTS = {"star": "fct_order_lines", "snow": "fct_order_lines", "wide": "wide_order_lines"}


def stored(db: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Write each table of each layout, and measure.

    Returns:
        As `_measured`.
    """
    return _measured(db, [*LAYOUTS["star"], *LAYOUTS["snow"], *sorted(set(FACTS.values()))])


def parts(sizes: pd.DataFrame) -> pd.DataFrame:
    """How many MB (10^6 bytes) the facts and the dimensions of each layout take in each format."""
    total = sizes.groupby("table")[["csv", "parquet"]].sum() / 1e6
    return pd.DataFrame(
        {"layout": layout, "part": part, "format": kind, "MB": total.loc[tables, kind].sum()}
        for layout, dimensions in LAYOUTS.items()
        for part, tables in (("facts", [FACTS[layout]]), ("dimensions", dimensions))
        for kind in ("csv", "parquet")
    )


def keys(db: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Bytes that the key of a line's product version takes: natural, as a hash, as a number."""
    db.execute("""
        create or replace temporary table keys as
        select product_id, product_key as "hash", number::integer as "number"
        from fct_order_lines
        join (
            select product_key, row_number() over (order by product_id, valid_from) as number,
            from dim_product_versions
        ) using (product_key)
        order by order_id, line_no
    """)
    sizes = _measured(db, ["keys"])
    db.execute("drop table keys")
    return dict(zip(sizes["name"], sizes["parquet"].tolist(), strict=True))


def _measured(db: duckdb.DuckDBPyConnection, tables: list[str]) -> pd.DataFrame:
    """Write tables as Parquet (zstd), and as CSV, and count.

    Returns:
        One row a column: `table`, `name`, `rows`, `parquet` (bytes of its chunks), `csv`
        (bytes of the whole table, in its first row only).
    """
    frames = []
    with tempfile.TemporaryDirectory() as folder:
        file, text = Path(folder) / "table.parquet", Path(folder) / "table.csv"
        for table in tables:
            db.execute(f"copy {table} to '{file.as_posix()}' (format parquet, codec zstd)")
            db.execute(f"copy {table} to '{text.as_posix()}' (format csv)")
            frame = db.execute(
                "select path_in_schema as name, sum(num_values)::bigint as rows, "
                "sum(total_compressed_size)::bigint as parquet "
                "from parquet_metadata(?) group by name order by min(column_id)",
                [str(file)],
            ).df()
            frames.append(
                frame.assign(table=table, csv=[text.stat().st_size] + [0] * (len(frame) - 1))
            )
    return pd.concat(frames, ignore_index=True)


def cost(db: duckdb.DuckDBPyConnection, file: str, sizes: pd.DataFrame) -> dict[str, Any]:
    """Lines of a question, joins and scans of its plan, bytes of the columns that it scans."""
    query = shop.sql(file)
    plan = db.execute(f"explain (format json) {query}").fetchall()[0][1]
    steps = list(_steps(json.loads(plan)))
    scans = [step["extra_info"] for step in steps if "Table" in step["extra_info"]]
    wanted = 0
    for scan in scans:
        table = scan["Table"].split(".", 1)[-1].removeprefix("main.")
        said = json.dumps(scan)
        columns = sizes[sizes["table"] == table]
        wanted += sum(
            n
            for name, n in zip(columns["name"], columns["parquet"], strict=True)
            if _named(name, said)
        )
    return {
        "lines of SQL": len(query.splitlines()),
        "joins": sum("JOIN" in step["name"] for step in steps),
        "tables": len(scans),
        "steps of the plan": len(steps),
        "bytes of the columns": wanted,
    }


def times(db: duckdb.DuckDBPyConnection, runs: int = 5) -> pd.DataFrame:
    """Median milliseconds of each question; layouts take turns, so that a slow moment hits all."""
    took: dict[tuple[str, str], list[float]] = {
        (question, layout): [] for question in QUESTIONS for layout in LAYOUTS
    }
    for _ in range(runs):
        for (question, layout), each in took.items():
            query = shop.sql(f"questions/{question}.{layout}.sql")
            began = perf_counter()
            db.execute(query).fetchall()
            each.append((perf_counter() - began) * 1000)
    return pd.DataFrame(
        {"question": question}
        | {f"{layout}, ms": median(took[question, layout]) for layout in LAYOUTS}
        for question in QUESTIONS
    )


def _steps(nodes: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for node in nodes:
        yield node
        yield from _steps(node["children"])


def _named(column: str, text: str) -> bool:
    return re.search(rf"\b{re.escape(column)}\b", text) is not None
