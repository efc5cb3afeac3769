"""What crosses comes out as it went in, and what should not cross does not."""

from __future__ import annotations

import asyncio
import datetime as dt
import math
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from lab.grading import check
from lab.grading.wire import CannotCross, Gone, Peer, RemoteError, open_up


@pytest.fixture
def ask() -> Iterator[Callable[[Any], Any]]:
    """A line to a student who gives whatever the test puts there."""
    mine, its = socket.socketpair()
    here: dict[str, Any] = {}
    student = Peer(its, {"get": lambda name: here[name]})
    threading.Thread(target=student.serve, daemon=True).start()
    checker = Peer(mine, offers=frozenset({"call"}), seconds=20)

    def give(value: Any) -> Any:
        here["it"] = value
        return checker.ask("get", name="it")

    yield give
    checker.close()


@pytest.mark.parametrize(
    "value",
    [
        None, True, 0, -1, 2**70, -(2**70), 1.5, math.inf, -0.0, "", "\u20ac \U0001f34f", b"\0\xff",
        [1, [2, []]], (1, (2,)), {1, 2}, frozenset({"a"}), {"a": 1}, {1: "a", (2, 3): None},
        {"$": "int", "v": "1"}, 1 + 2j, Decimal("1.10"), range(1, 9, 2), UUID(int=7),
        dt.date(2024, 2, 29), dt.time(1, 2, 3), dt.timedelta(days=-1, microseconds=1),
        dt.datetime(2024, 2, 29, 1, 2, 3, 4), dt.datetime(2024, 7, 1, tzinfo=dt.UTC),
        dt.datetime(2024, 7, 1, tzinfo=ZoneInfo("Europe/Berlin")),
        np.float32(1.5), np.int64(-3), np.bool_(True), np.datetime64("2024-02-29"),
        pd.Timestamp("2024-02-29 01:02:03.000000004", tz="Asia/Tokyo"), pd.Timedelta("1.5s"),
    ],
    ids=repr,
)  # fmt: skip
def test_plain_values_come_out_as_they_went_in(ask: Callable[[Any], Any], value: Any) -> None:
    found = ask(value)

    assert type(found) is type(value)
    assert found == value
    assert str(found) == str(value)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": [1.5, math.nan], "d": [True, False]}),
        pd.DataFrame(),
        pd.DataFrame({"a": []}),
        pd.DataFrame(index=[1, 2]),
        pd.DataFrame({"mixed": [1, "a", None, [1, 2], {"b": Decimal("1.0")}]}),
        pd.DataFrame({"day": [dt.date(2024, 1, 1), None], "money": [Decimal("1.10")] * 2}),
        pd.DataFrame({"t": pd.date_range("2024-01-01", periods=2, tz="Europe/Berlin")}),
        pd.DataFrame({"t": pd.to_timedelta([1, 2], unit="s")}),
        pd.DataFrame({"c": pd.Categorical(["b", "a", None], ["b", "a"], ordered=True)}),
        pd.DataFrame({"i": pd.array([1, None], "Int64"), "s": pd.array(["a", None], "string"),
                      "b": pd.array([True, None], "boolean")}),
        pd.DataFrame({"n": [1, 2]}, index=pd.Index(["x", "y"], name="key")),
        pd.DataFrame({"n": range(4)}, index=pd.date_range("2024-01-01", periods=4, freq="D")),
        pd.DataFrame({"n": range(4)},
                     index=pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["k", None])),
        pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")])),
        pd.DataFrame([[1, 2]], columns=["same", "same"]),
        pd.DataFrame({0: [1], "b": [2]}),
        pd.DataFrame({"n": [3, 1, 2]}).sort_values("n"),
        pd.DataFrame({"small": np.array([1, 2], "int8"), "f": np.array([1, 2], "float32")}),
    ],
    ids=range(18),
)  # fmt: skip
def test_tables_come_out_as_they_went_in(ask: Callable[[Any], Any], frame: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(ask(frame), frame)


def test_other_tables_come_out_as_they_went_in(ask: Callable[[Any], Any]) -> None:
    table = pa.table({"a": [1, None], "b": [["x"], []], "c": [{"d": 1}, None]})
    series = pd.Series([1, 2], index=["a", "b"], name="s")
    frame = pl.DataFrame({"a": [1, None], "b": ["x", "y"]})

    assert ask(table).equals(table)
    assert ask(frame).equals(frame)
    pd.testing.assert_series_equal(ask(series), series)
    pd.testing.assert_index_equal(ask(series.index), series.index)
    np.testing.assert_array_equal(ask(np.arange(6).reshape(2, 3)), np.arange(6).reshape(2, 3))
    assert ask(np.array(["a", None, [1]], dtype=object)).tolist() == ["a", None, [1]]


def test_records_come_as_fields(ask: Callable[[Any], Any]) -> None:
    @dataclass
    class Point:
        x: int
        y: list[int]

    found = ask(Point(1, [2]))

    assert (found.x, found.y) == (1, [2])


def test_functions_are_called_there_and_call_back(ask: Callable[[Any], Any]) -> None:
    twice = ask(lambda f, *, n: [f(n), f(n + 1)])

    assert twice(lambda x: x * 10, n=1) == [10, 20]


def test_generators_are_asked_item_by_item(ask: Callable[[Any], Any]) -> None:
    def numbers() -> Iterator[int]:
        n = 0
        while True:
            yield n
            n += 1

    found = ask(numbers)()

    assert [number for number, _ in zip(found, range(3), strict=False)] == [0, 1, 2]


def test_an_object_is_closed_until_the_author_opens_it(ask: Callable[[Any], Any]) -> None:
    class Frame:
        empty = False

        def equals(self, other: object) -> bool:
            return True

    thing = ask(Frame())

    with pytest.raises(CannotCross):
        thing.equals(1)
    with pytest.raises(CannotCross):
        _ = thing.empty
    with pytest.raises(CannotCross):
        _ = thing == 1
    with pytest.raises(CannotCross):
        bool(thing)
    with pytest.raises(TypeError):
        len(thing)
    assert not callable(thing)
    assert open_up(thing).equals(1) is True


def test_a_record_has_no_methods_of_its_own(ask: Callable[[Any], Any]) -> None:
    @dataclass
    class Frame:
        equals: Any

    with pytest.raises(CannotCross):
        ask(Frame(lambda other: True))


def test_errors_come_as_what_they_are_if_python_knows_them(ask: Callable[[Any], Any]) -> None:
    class OwnError(Exception):
        pass

    def raiser(kind: str) -> None:
        raise {"ValueError": ValueError, "Own": OwnError, "Stop": StopIteration,
               "Exit": SystemExit}[kind]("so")  # fmt: skip

    fails = ask(raiser)

    with pytest.raises(ValueError, match="so"):
        fails("ValueError")
    for kind in ("Own", "Stop", "Exit"):  # one that ends loops would end the test's
        with pytest.raises(RemoteError, match="so"):
            fails(kind)


@pytest.mark.parametrize(
    "answer",
    [
        b"\0\0\0\2\0\0\0\0[]",
        b"\0\0\0\2\0\0\0\0{}",
        b"\0\0\0\1\0\0\0\0{",
        b"\xff\xff\xff\xff\0\0\0\0",
        b"\0\0\0\2\xff\xff\xff\xff{}",
        b'\0\0\0\x14\0\0\0\0{"n":2,"value":null}',
        b'\0\0\0\x13\0\0\0\0{"n":1,"value":NaN}',
        b'\0\0\0\x1e\0\0\0\0{"n":1,"value":{"$":"nothing"}}',
        b'\0\0\0\x1b\0\0\0\0{"n":1,"value":{"$":[1,2]}}',
        b'\0\0\0\x18\0\0\0\0{"n":5,"op":"attribute"}',
        b'\0\0\0\x0e\0\0\0\0{"n":1,"op":7}',
        b"",
    ],
    ids=range(12),
)
def test_nonsense_ends_the_line_and_nothing_else(answer: bytes) -> None:
    mine, its = socket.socketpair()
    checker = Peer(mine, offers=frozenset({"call"}), seconds=5)
    its.sendall(answer)
    its.shutdown(socket.SHUT_WR)

    with pytest.raises(Gone):
        checker.ask("get", name="x")
    with pytest.raises(Gone):
        checker.ask("get", name="y")


def test_silence_ends_the_line_in_time() -> None:
    mine, its = socket.socketpair()
    checker = Peer(mine, seconds=0.2)

    with pytest.raises(Gone) as caught:
        checker.ask("get", name="x")

    assert caught.value.timeout
    its.close()


class OutOfStock(LookupError):
    """A student's own kind of error."""


@pytest.mark.parametrize(
    ("raised", "arrives"),
    [
        (FileNotFoundError("no such file"), FileNotFoundError),
        (TimeoutError("too late"), TimeoutError),
        (ConnectionResetError("gone"), ConnectionResetError),
        (MemoryError("full"), MemoryError),
        (RecursionError("deep"), RecursionError),
        (OutOfStock("none left"), LookupError),
        (UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"), UnicodeError),
        (StopIteration("end"), RemoteError),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_an_error_of_the_students_arrives_as_the_nearest_kind_and_breaks_no_line(
    ask: Callable[[Any], Any], raised: Exception, arrives: type[Exception]
) -> None:
    def fails() -> None:
        raise raised

    function = ask(fails)

    for _ in range(2):
        with pytest.raises(arrives) as caught:
            function()
        assert type(caught.value) is arrives
    assert ask(5) == 5


async def twice(number: int) -> int:
    return 2 * number


def test_an_async_function_is_awaited_here_and_runs_there(ask: Callable[[Any], Any]) -> None:
    async def apply(function: Callable[[int], Any], number: int) -> int:
        return await function(number) + 1

    double, applied = ask(twice), ask(apply)

    async def test() -> list[int]:
        return [await double(2), await applied(twice, 3), *await asyncio.gather(double(4))]

    assert asyncio.run(test()) == [4, 7, 8]


def test_a_test_cell_may_await_as_in_a_notebook() -> None:
    source = "found = await twice(2)\nassert found == 4\nawait twice(0.25)"
    cell = {"role": "test", "grade_id": "q", "source": source, "sandbox_only": False}
    names = check.Names(None)  # type: ignore[arg-type]
    names["twice"] = twice

    assert check.execute(check.prepared(cell), names) == 0.5
