"""What a Parquet file's footer says, and reading by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import psycopg
import pyarrow.compute as pc
import pyarrow.parquet as pq
from columns.counted import CountedFiles


def chunks(file: Path, group: int) -> pd.DataFrame:
    """The column chunks of one row group: their sizes in bytes, smallest and largest value."""
    footer = pq.read_metadata(file)
    rows = []
    for number in range(footer.num_columns):
        chunk = footer.row_group(group).column(number)
        rows.append(
            {
                "column": chunk.path_in_schema,
                "encoded": chunk.total_uncompressed_size,
                "compressed": chunk.total_compressed_size,
                "smallest": str(chunk.statistics.min),
                "largest": str(chunk.statistics.max),
            }
        )
    return pd.DataFrame(rows)


def widths(pg: psycopg.Connection, file: Path) -> pd.DataFrame:
    """Bytes that each column of the lines takes in a line, in PostgreSQL and in a Parquet file."""
    footer = pq.read_metadata(file)
    each = pd.concat(chunks(file, group) for group in range(footer.num_row_groups))
    packed = each.groupby("column", sort=False)["compressed"].sum() / footer.num_rows
    averages = ", ".join(f"avg(pg_column_size({name}))::float" for name in packed.index)
    room = "pg_table_size('lines')::float / count(*)"
    *rows, whole = pg.execute(f"select {averages}, {room} from lines").fetchone()
    frame = pd.DataFrame({"PostgreSQL": rows, "Parquet": packed.to_numpy()}, index=packed.index)
    file_each = file.stat().st_size / footer.num_rows
    frame.loc["(headers, padding)"] = [whole - sum(rows), file_each - packed.sum()]
    return frame


def ranges(file: Path, column: str) -> pd.DataFrame:
    """Smallest and largest value of a column in each row group."""
    footer = pq.read_metadata(file)
    number = pq.read_schema(file).names.index(column)
    found = [footer.row_group(g).column(number).statistics for g in range(footer.num_row_groups)]
    return pd.DataFrame(
        {"group": group, "smallest": one.min, "largest": one.max} for group, one in enumerate(found)
    )


def candidates(file: Path, column: str, value: Any) -> list[int]:
    """The row groups that may hold a value: those whose statistics don't exclude it."""
    seen = ranges(file, column)
    return seen.group[(seen.smallest <= value) & (seen.largest >= value)].tolist()


def early(files: CountedFiles, file: Path, column: str, value: Any) -> tuple[int, int, int]:
    """All columns first, then the filter: row groups read whole, rows found, bytes read."""
    files.taken()
    with pq.ParquetFile(str(file), filesystem=files.arrow) as source:
        table = source.read_row_groups(groups := candidates(file, column, value))
    return len(groups), pc.sum(pc.equal(table[column], value)).as_py() or 0, files.taken()


def late(files: CountedFiles, file: Path, column: str, value: Any) -> tuple[int, int, int]:
    """The filter's column first, then the others where it found something: as `early` returns."""
    files.taken()
    found, groups = 0, 0
    with pq.ParquetFile(str(file), filesystem=files.arrow) as source:
        others = [name for name in source.schema_arrow.names if name != column]
        for group in candidates(file, column, value):
            hits = pc.equal(source.read_row_group(group, [column])[column], value)
            if pc.any(hits).as_py():
                found += source.read_row_group(group, others).filter(hits).num_rows
                groups += 1
    return groups, found, files.taken()
