"""The night's job: load one day of the shop into the lake, as plain Parquet, Delta or Iceberg.

`python -m lake.load PLAN` does it in a process of its own, which can be killed; PLAN is JSON.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import uuid
import warnings
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from lab.errors import LabError
from lab.services import S3
from lab.services.session import Session
from lake import clouds, engine
from lake.meter import Meter

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog

DELTA = "s3://lake/delta"
TASKS = 8


def plain(store: S3, rows: pa.Table, day: str) -> None:
    """Eight tasks write a file each, under names that no other run uses."""
    files, run = clouds.amazon(store), uuid.uuid4().hex[:8]
    for task in range(TASKS):
        part = rows.filter(pc.equal(pc.bit_wise_and(rows["store_id"], TASKS - 1), task))
        key = f"lake/plain/day={day}/part-{task}-{run}.parquet"
        pq.write_table(part.drop_columns("day"), key, filesystem=files)


def delta(store: S3, rows: pa.Table, day: str, table: str = DELTA) -> None:
    """Put these rows in place of a day of a Delta table, in one commit."""
    from deltalake import write_deltalake

    replaced = f"day = '{day}'"
    write_deltalake(
        table, rows, mode="overwrite", predicate=replaced, storage_options=store.storage_options
    )


def iceberg(store: S3, rows: pa.Table, day: str, catalog: str) -> None:
    """Put these rows in place of a day of the Iceberg table, in one commit."""
    table = open_catalog(store, catalog).load_table("shop.lines")
    with warnings.catch_warnings():
        # That the day is not there yet is nothing to warn of.
        warnings.filterwarnings("ignore", "Delete operation did not match any records")
        table.overwrite(rows, overwrite_filter=f"day = '{day}'")


def new_catalog_file() -> str:
    """Where an Iceberg catalogue may keep its pointers; gone when this Python process is."""
    return (Session.current().make_folder("catalog") / "catalog.db").as_posix()


def open_catalog(store: S3, file: str) -> Catalog:
    """An Iceberg catalogue in a SQLite file: enough for one machine."""
    from pyiceberg.catalog.sql import SqlCatalog

    # It says each time that it tries again, and how many milliseconds it waits.
    logging.getLogger("pyiceberg").setLevel(logging.ERROR)
    settings = {"uri": f"sqlite:///{file}", "warehouse": "s3://lake/iceberg"}
    return SqlCatalog("shop", **settings, **store.iceberg_options)


# Each imports its own format only: a process that is about to be killed should start quickly.
JOBS = {"plain": plain, "delta": delta, "iceberg": iceberg}


def start(meter: Meter, job: str, day: str, **options: str) -> subprocess.Popen[str]:
    """Start a job in a process of its own; its requests go through the meter."""
    plan = {"job": job, "day": day, "options": options, "port": meter.s3.port}
    command = [sys.executable, "-m", "lake.load", json.dumps(plan)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def kill_at(meter: Meter, part: str, job: str, day: str, **options: str) -> None:
    """Start a job, and kill it when it is about to write an object whose name has `part` in it."""
    meter.hold(part)
    process = start(meter, job, day, **options)
    try:
        meter.wait(process)
    finally:
        process.kill()
        process.wait()


def finish(process: subprocess.Popen[str]) -> None:
    """Wait until a job is done."""
    _, said = process.communicate()
    if process.returncode:
        raise LabError(f"the job ended with code {process.returncode}: {said.strip()[-500:]}")


if __name__ == "__main__":
    plan = json.loads(sys.argv[1])
    store = S3()
    store.port = plan["port"]
    db = engine.connect(store, days=f"day = '{plan['day']}'")
    rows = engine.day_of(db, plan["day"])
    JOBS[plan["job"]](store, rows, plan["day"], **plan["options"])
