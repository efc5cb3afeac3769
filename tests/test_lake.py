"""The claims of the lesson on the lake: what a killed writer leaves to its readers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from decimal import Decimal
from types import SimpleNamespace

import pytest

from lab import paths
from lab.errors import LabError
from lab.services import S3

DAY = "2017-12-24"


@pytest.fixture(scope="module")
def lake() -> Iterator[SimpleNamespace]:
    """One store through a meter, with the day before in all three ways of keeping it."""
    lessons = str(paths.NOTEBOOKS / "1-warehousing")
    with pytest.MonkeyPatch.context() as patch, S3() as s3:
        patch.syspath_prepend(lessons)
        patch.setenv("PYTHONPATH", lessons)
        from deltalake import write_deltalake
        from lake import engine, load, readers
        from lake.meter import Meter

        meter = Meter(s3)
        db = engine.connect(meter.s3, days=f"day between '2017-12-23' and '{DAY}'")
        s3.client().create_bucket(Bucket="lake")
        before = engine.day_of(db, "2017-12-23")
        load.plain(meter.s3, before, "2017-12-23")
        options = meter.s3.storage_options
        write_deltalake(load.DELTA, before, partition_by=["day"], storage_options=options)
        file = load.new_catalog_file()
        catalog = load.open_catalog(meter.s3, file)
        catalog.create_namespace("shop")
        catalog.create_table("shop.lines", schema=before.schema).append(before)

        def totals() -> dict[str, Decimal | None]:
            return readers.totals(db, meter.s3, catalog, DAY)

        yield SimpleNamespace(
            meter=meter, load=load, file=file, totals=totals, rows=engine.day_of(db, DAY)
        )
        meter.stop()
    for name in [name for name in sys.modules if name.partition(".")[0] == "lake"]:
        del sys.modules[name]


def test_a_killed_writer_harms_plain_parquet_and_its_second_run_does_too(
    lake: SimpleNamespace,
) -> None:
    right = lake.totals()["right"]
    lake.load.kill_at(lake.meter, "part-5", "plain", DAY)
    assert 0 < lake.totals()["plain Parquet"] < right
    lake.load.plain(lake.meter.s3, lake.rows, DAY)
    assert lake.totals()["plain Parquet"] > right


@pytest.mark.parametrize(
    ("job", "name", "commit"),
    [("delta", "Delta", "_delta_log/"), ("iceberg", "Iceberg", "metadata.json")],
)
def test_a_killed_writer_leaves_a_table_as_it_was_and_its_second_run_is_right(
    lake: SimpleNamespace, job: str, name: str, commit: str
) -> None:
    options = {"catalog": lake.file} if job == "iceberg" else {}
    lake.load.kill_at(lake.meter, commit, job, DAY, **options)
    assert lake.totals()[name] is None
    for _ in range(2):
        lake.load.JOBS[job](lake.meter.s3, lake.rows, DAY, **options)
    assert lake.totals()[name] == lake.totals()["right"]


def test_a_writer_that_ends_before_it_is_held_is_an_error_and_not_a_wait(
    lake: SimpleNamespace,
) -> None:
    with pytest.raises(LabError, match="ended before it was held"):
        lake.load.kill_at(lake.meter, "no such object", "plain", "no day")
