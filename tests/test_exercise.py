"""What exercises import: the same rows however a table comes, and nothing left for the next."""

from __future__ import annotations

import datetime as dt
import doctest
import itertools
import math
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from lab import exercise
from lab.exercise import outcomes, rows

DAY = dt.date(2017, 11, 22)


def test_the_examples_in_the_docstrings() -> None:
    assert doctest.testmod(exercise).failed == 0


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1, None, 2**62]),
        pa.array([1, None, -5], pa.int32()),
        pa.array([1.5, None, -0.0]),
        pa.array([1.5, None, math.nan]),
        pa.array(["", None, 'it\'s "quoted"']),
        pa.array([True, None, False]),
        pa.array([DAY, None, DAY]),
        pa.array([dt.datetime(2017, 11, 22, 1, 2, 3, 4), None, None], pa.timestamp("us")),
        pa.array([Decimal("1.50"), None, Decimal("-0.01")], pa.decimal128(12, 2)),
        pa.array([None, None, None], pa.int64()),
        pa.array([1, None, 255], pa.uint8()),
        pa.array([[1], None, []]),
        pa.array([b"x", None, b""]),
    ],
    ids=lambda column: str(column.type),
)
def test_a_small_arrow_table_gives_what_a_scan_gives(
    column: pa.Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pa.table({'a "name"': column, "n": [1, 2, 3]})
    query = 'select *, typeof("a ""name""") from t order by n'

    small = rows(query, t=table)
    monkeypatch.setattr(exercise, "SMALL_ROWS", 0)
    scanned = rows(query, t=table)

    assert repr(small) == repr(scanned)  # so that NaN is NaN, and -0.0 is not 0.0


def test_tables_of_every_size_and_make_are_known_by_their_names() -> None:
    none = pa.table({"n": pa.array([], pa.int64())})
    many = pa.table({"n": range(1000)})
    frame = pd.DataFrame({"n": [1, 2]})
    query = "select (select count(*) from a), (select sum(n) from b), (select max(n) from c)"

    assert rows(query, a=none, b=many, c=frame) == [(0, 499500, 2)]


def test_a_refused_query_is_an_outcome_and_the_next_one_runs() -> None:
    made, refused, broken, left = outcomes(
        ["create table t (n int check (n > 0))", "insert into t values (0)", "selec", "from t"]
    )

    assert (made, left) == ([], [])
    assert "CHECK constraint" in refused
    assert "syntax error" in broken


@pytest.mark.parametrize("leaves", ["create table mine as select 1 as n", "use memory", "begin"])
def test_nothing_is_left_for_the_next_question(leaves: str) -> None:
    outcomes([leaves])

    (found,) = outcomes(["from mine"])

    assert "does not exist" in found
    assert rows("select 1") == [(1,)]


@pytest.mark.parametrize("answer", [None, 5, ["select 1"]])
def test_an_answer_that_is_no_text_is_told(answer: Any) -> None:
    with pytest.raises(AssertionError, match=f"should be text, and is {type(answer).__name__}"):
        rows(answer)


@pytest.mark.timeout(60)
def test_a_query_that_names_its_tables_by_commas_is_planned_where_that_matters() -> None:
    """Without a plan this makes 40 to the seventh rows, and keeps 40."""
    names = [f"t{number}" for number in range(7)]
    same = " and ".join(f"{a}.n = {b}.n" for a, b in itertools.pairwise(names))
    tables = {name: pa.table({"n": range(40)}) for name in names}

    assert rows(f"select count(*) from {', '.join(names)} where {same}", **tables) == [(40,)]
