"""A Parquet file with a damaged row group, and that group taken again from the source."""

from __future__ import annotations

import os
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq


def flip(file: Path, group: int, column: str) -> None:
    """Turn one bit round in the middle of a column chunk, as a bad disk or cable would."""
    number = pq.read_schema(file).names.index(column)
    chunk = pq.read_metadata(file).row_group(group).column(number)
    with file.open("r+b") as raw:
        raw.seek(chunk.data_page_offset + chunk.total_compressed_size // 2)
        (byte,) = raw.read(1)
        raw.seek(-1, os.SEEK_CUR)
        raw.write(bytes([byte ^ 0b00010000]))


def damaged(file: Path) -> list[int]:
    """The row groups of which a page does not fit its checksum."""
    bad = []
    with pq.ParquetFile(file, page_checksum_verification=True) as source:
        for group in range(source.num_row_groups):
            try:
                source.read_row_group(group)
            except OSError:
                bad.append(group)
    return bad


def repair(file: Path, bad: list[int], pg: psycopg.Connection) -> None:
    """Write the file anew: sound row groups as they are, damaged ones from PostgreSQL.

    Only whole is it renamed into place, so that a reader never sees half of it.
    """
    whole = file.with_suffix(".new")
    with pq.ParquetFile(file) as source:
        schema, first = source.schema_arrow, 0
        with pq.ParquetWriter(whole, schema, compression="zstd", write_page_checksum=True) as sink:
            for group in range(source.num_row_groups):
                rows = source.metadata.row_group(group).num_rows
                if group in bad:
                    sink.write_table(taken(pg, schema, first, rows))
                else:
                    sink.write_table(source.read_row_group(group))
                first += rows
    whole.replace(file)


def taken(pg: psycopg.Connection, schema: pa.Schema, first: int, count: int) -> pa.Table:
    """Some lines of the row store, in the order of the tills, which is the file's."""
    with pg.cursor() as cursor:
        cursor.execute(
            "select * from lines order by ordered_at, order_id, line_no offset %s limit %s",
            [first, count],
        )
        columns = zip(*cursor.fetchall(), strict=True)
        arrays = [pa.array(v, type=f.type) for v, f in zip(columns, schema, strict=True)]
    return pa.table(arrays, schema=schema)
