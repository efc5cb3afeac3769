"""The warehouse on other engines: every test of the project on each, and the same answers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lab import paths
from lab.services import BigQuery, Postgres, Snowflake
from lab.services.service import Service

sys.path.insert(0, str(paths.NOTEBOOKS / "1-warehousing"))

from cloud import load, price, size
from cloud.engines import address, ask
from warehouse import lake, questions
from warehouse.run import dbt, report

MONTHS = "2017-03", "2017-04"
LOADS: dict[type[Service], Callable[[Any, str], None]] = {
    Postgres: load.postgres,
    BigQuery: load.bigquery,
    Snowflake: load.snowflake,
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> str:
    return lake.fill(tmp_path_factory.mktemp("lake"), *MONTHS)


@pytest.mark.parametrize("engine", LOADS, ids=lambda engine: engine.__name__)
def test_all_tests_pass_and_answers_are_right(
    engine: type[Service], files: str, tmp_path: Path
) -> None:
    with engine() as server:
        LOADS[engine](server, files)
        built = dbt("build", lake=files, file=tmp_path / "none", **address(server))
        nodes = report(built)
        assert set(nodes.status) <= {"success", "pass", "no-op"}, nodes[nodes.status != "pass"]
        assert {"model", "snapshot", "test", "unit_test"} <= set(nodes.kind)
        for question in questions.RIGHT:
            answer = ask(server, f"select * from warehouse.{question}")
            assert questions.same(question, answer, questions.right(question, *MONTHS))


def test_only_needed_columns_are_read() -> None:
    schema = {"w": {"lines": pd.Series({"amount": 20, "note": 500}), "days": pd.Series({"day": 8})}}
    sql = "with l as (select * from w.lines) select sum(amount) from l cross join w.days"
    needed = size.read(sql, schema)
    assert needed == {"w.lines": {"amount"}, "w.days": set()}
    assert list(size.billed(needed, schema, size.MIB).billed) == [size.MIB, size.MIB]
    assert size.billed(size.read("select * from w.lines limit 1", schema), schema, 0).read[0] == 520


def test_bills() -> None:
    asked = pd.DataFrame({"times": [60], "seconds": [2.0], "billed": [price.TIB]})
    rates = price.prices()
    each = {
        "bigquery": {"dollars_per_tib": 5, "free_tib_a_month": 1, "dollars_per_gib_month": 1},
        "redshift": {"dollars_per_rpu_hour": 1, "rpu": 4, "dollars_per_gib_month": 1},
        "snowflake": {
            "dollars_per_credit": 2,
            "credits_per_hour": 1,
            "suspend_after_seconds": 118,
            "dollars_per_tib_month": 1024,
        },
    }
    for vendor, changed in each.items():
        rates[vendor] |= changed
    assert price.bigquery(asked, price.GIB, rates["bigquery"]) == pytest.approx(59 * 5 + 1)
    assert price.redshift(asked, price.GIB, rates["redshift"]) == pytest.approx(4 + 1)
    assert price.snowflake(asked, price.GIB, rates["snowflake"]) == pytest.approx(2 * 2 + 1)


def test_each_price_names_its_source() -> None:
    for vendor, entry in price.prices().items():
        assert entry["page"].startswith("https://"), vendor
        chosen = entry.get("yours", {})
        numbers = {name for name, value in entry.items() if isinstance(value, int | float)}
        assert set(entry["seen"]) == numbers - set(chosen), vendor
