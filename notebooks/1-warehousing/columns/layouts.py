"""The same lines in three formats, several codecs and three orders."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.orc as orc
import pyarrow.parquet as pq

ROWS = 1 << 16  # of a row group
STRIPE = 2 << 20  # bytes of an ORC stripe, before compression
ORDERS = {
    "by time": "ordered_at, order_id, line_no",
    "by store": "store_id, ordered_at, order_id, line_no",
    "shuffled": "hash(order_id, line_no)",
}


def write(table: pa.Table, folder: Path, order: str, form: str, codec: str = "none") -> Path:
    """Write a table as one file, and return its path.

    Args:
        folder: where to.
        order: what to call the order of the rows.
        form: "csv", "parquet" or "orc".
        codec: "none", "snappy" or "zstd"; csv has none.
    """
    file = folder / f"{order}-{codec}.{form}".replace(" ", "-")
    if form == "csv":
        csv.write_csv(table, file)
    elif form == "parquet":
        pq.write_table(table, file, compression=codec, row_group_size=ROWS)
    else:
        name = "uncompressed" if codec == "none" else codec
        orc.write_table(table, file, compression=name, stripe_size=STRIPE)
    return file


def all_files(tables: dict[str, pa.Table], folder: Path) -> dict[tuple[str, str, str], Path]:
    """The same rows in each format: by time with every codec, in the other orders with zstd.

    Args:
        tables: the rows in each of `ORDERS`.

    Returns:
        The paths, by format, codec and order.
    """
    made = [("csv", "none", "by time")]
    made += [(f, c, "by time") for c in ("none", "snappy", "zstd") for f in ("orc", "parquet")]
    made += [(f, "zstd", order) for order in ("by store", "shuffled") for f in ("orc", "parquet")]
    # Arrow writes a file with one core, and lets Python go on meanwhile.
    with ThreadPoolExecutor(2) as writers:
        files = writers.map(lambda one: write(tables[one[2]], folder, one[2], *one[:2]), made)
        return dict(zip(made, files, strict=True))
