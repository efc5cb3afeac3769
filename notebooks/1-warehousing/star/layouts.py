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


def stored(db: duckdb.DuckDBPyConnection, tables: list[str]) -> pd.DataFrame:
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


def times(db: duckdb.DuckDBPyConnection, files: list[str], runs: int = 9) -> dict[str, float]:
    """Median milliseconds of each question; they take turns, so that a slow moment hits all."""
    took: dict[str, list[float]] = {file: [] for file in files}
    for _ in range(runs):
        for file in files:
            query = shop.sql(file)
            began = perf_counter()
            db.execute(query).fetchall()
            took[file].append((perf_counter() - began) * 1000)
    return {file: median(each) for file, each in took.items()}


def _steps(nodes: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for node in nodes:
        yield node
        yield from _steps(node["children"])


def _named(column: str, text: str) -> bool:
    return re.search(rf"\b{re.escape(column)}\b", text) is not None
