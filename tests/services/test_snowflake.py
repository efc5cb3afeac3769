"""Snowflake through its own connector and dbt, to the depth of a warehouse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from dbt_build import dbt_build
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import Error

from lab.services import Snowflake

SERVICE = Snowflake


@pytest.fixture
def connection(server: Snowflake, request: pytest.FixtureRequest) -> Iterator[SnowflakeConnection]:
    with server.connect() as connection:
        connection.cursor().execute(f"create schema {request.node.originalname}")
        connection.cursor().execute(f"use schema {request.node.originalname}")
        yield connection


@pytest.fixture
def ask(connection: SnowflakeConnection) -> Callable[..., list[tuple[Any, ...]]]:
    """Rows of a statement, in a schema with the table `lines` of five rows."""

    def rows(sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return connection.cursor().execute(sql, parameters or None).fetchall()

    rows(
        "create table lines"
        " (basket_id int not null, day date, product varchar, amount number(10, 2))"
    )
    added = rows(
        """
        insert into lines values
            (1, '2017-01-01', 'a', 1), (1, '2017-01-01', 'b', 2), (2, '2017-01-02', 'a', 3),
            (3, '2017-01-02', 'b', 4), (4, '2017-01-03', 'c', 5)
        """
    )
    assert added == [(5,)]
    return rows


Ask = Callable[..., list[tuple[Any, ...]]]


def test_variant_and_flatten(ask: Ask) -> None:
    ask("create table raw (id int, payload variant)")
    ask(
        """
        insert into raw select 1, parse_json(
            '{"store": {"id": "S1"}, "lines": [{"product": "a", "n": 2}, {"product": "b", "n": 3}]}'
        )
        """
    )
    rows = ask(
        """
        select r.payload:store.id::varchar, f.index, f.value:product::varchar, f.value:n::int
        from raw as r, lateral flatten(input => r.payload:lines) as f order by 2
        """
    )
    assert rows == [("S1", 0, "a", 2), ("S1", 1, "b", 3)]


def test_window_parameter_and_dialect(ask: Ask) -> None:
    newest = ask(
        """
        select product, basket_id from lines
        qualify row_number() over (partition by product order by day desc) = 1 order by 1
        """
    )
    assert newest == [("a", 2), ("b", 3), ("c", 4)]
    assert ask("select sum(amount) from lines where product = %s", "a") == [(Decimal(4),)]
    by_all = ask(
        "select product, iff(count(*) > 1, 'many', 'one') from lines group by all order by 1"
    )
    assert by_all == [("a", "many"), ("b", "many"), ("c", "one")]
    dates = ask(
        "select dateadd(day, 1, '2017-01-31'::date), datediff(day, '2017-01-01', '2017-02-01')"
    )
    assert dates == [(date(2017, 2, 1), 31)]
    assert ask("select * exclude (day, amount) from lines where basket_id = 4") == [(4, "c")]


def test_sums_are_exact(ask: Ask) -> None:
    ask("insert into lines select 10, null, 'c', 0.1 from table(generator(rowcount => 10))")
    sums = ask("select sum(amount), sum(iff(amount > 0, 1, 0)) from lines where basket_id = 10")
    assert sums == [(Decimal("1.00"), 10)]


def test_merge(ask: Ask) -> None:
    ask("create table news (basket_id int, day date, product varchar, amount number(10, 2))")
    ask("insert into news values (4, '2017-01-03', 'c', 5.5), (5, '2017-01-04', 'a', 6)")
    answer = ask(
        """
        merge into lines using news on lines.basket_id = news.basket_id
        when matched then update set amount = news.amount
        when not matched then insert (basket_id, day, product, amount)
            values (news.basket_id, news.day, news.product, news.amount)
        """
    )
    assert answer == [(1, 1)]
    assert ask("select basket_id, amount from lines where basket_id > 3 order by 1") == [
        (4, Decimal("5.50")),
        (5, Decimal("6.00")),
    ]


def test_a_clone_goes_its_own_way(ask: Ask) -> None:
    ask("create table kept clone lines")
    ask("delete from lines where product = 'a'")
    assert ask("select (select count(*) from kept), (select count(*) from lines)") == [(5, 3)]


def test_a_file_comes_in_through_a_stage(
    connection: SnowflakeConnection, ask: Ask, tmp_path: Path
) -> None:
    (tmp_path / "lines.csv").write_text(
        "id,day,product,amount\n8,2017-01-08,a,1.25\n9,2017-01-09,b,2\n"
    )
    ask("create stage land")
    uploaded = ask(f"put '{(tmp_path / 'lines.csv').as_uri()}' @land")
    assert uploaded[0][:2] == ("lines.csv", "lines.csv.gz")
    assert uploaded[0][6] == "UPLOADED"
    assert [row[0] for row in ask("list @land")] == ["land/lines.csv.gz"]
    loaded = ask("copy into lines from @land file_format = (TYPE = 'CSV' SKIP_HEADER = 1)")
    assert loaded[0][:4] == ("land/lines.csv.gz", "LOADED", 2, 2)
    assert ask("select sum(amount) from lines where basket_id > 7") == [(Decimal("3.25"),)]


def test_transactions(server: Snowflake, ask: Ask, connection: SnowflakeConnection) -> None:
    ask("begin")
    ask("delete from lines")
    with server.connect(schema=connection.schema) as other:
        assert other.cursor().execute("select count(*) from lines").fetchone() == (5,)
    ask("rollback")
    assert ask("select count(*) from lines") == [(5,)]


def test_errors_are_errors(ask: Ask) -> None:
    with pytest.raises(Error, match="NOPE"):
        ask("select nope from lines")
    with pytest.raises(Error, match="does not exist"):
        ask("select * from missing")
    with pytest.raises(Error):
        ask("insert into lines values (null, '2017-01-01', 'a', 1)")
    assert ask("select count(*) from lines") == [(5,)]


def test_frames_and_the_information_schema(connection: SnowflakeConnection, ask: Ask) -> None:
    frame = connection.cursor().execute("select * from lines order by 1, 3").fetch_pandas_all()
    assert list(frame["PRODUCT"]) == ["a", "b", "a", "b", "c"]
    arrow = connection.cursor().execute("select basket_id from lines").fetch_arrow_all()
    assert arrow.num_rows == 5
    columns = ask(
        """
        select column_name, data_type from information_schema.columns
        where table_name = 'LINES' and table_schema = current_schema() order by ordinal_position
        """
    )
    assert columns == [
        ("BASKET_ID", "NUMBER"),
        ("DAY", "DATE"),
        ("PRODUCT", "TEXT"),
        ("AMOUNT", "NUMBER"),
    ]


@pytest.mark.skipif(
    find_spec("dbt.adapters.snowflake") is None,
    reason="dbt-snowflake is not in the environment",
)
def test_dbt_builds(server: Snowflake, tmp_path: Path) -> None:
    dbt_build(server.dbt_output, tmp_path)
    with server.connect() as connection:
        rows = (
            connection.cursor()
            .execute("select day, baskets, amount from days order by day")
            .fetchall()
        )
    assert rows == [
        (date(2017, 1, 1), 1, Decimal("3.75")),
        (date(2017, 1, 2), 3, Decimal("14.50")),
        (date(2017, 1, 3), 1, Decimal("1.50")),
    ]


def test_known_differences(ask: Ask) -> None:
    """What Snowflake does and the emulator says it can't."""
    for statement in (
        "select count(*) from lines at (offset => -60)",
        "create stream changes on table lines",
        "create task nightly warehouse = small as select 1",
        "create warehouse small",
        "undrop table lines",
        "create schema other clone public",
        "select system$clustering_information('lines')",
        "select $1 from @land",
    ):
        with pytest.raises(Error):
            ask(statement)


def test_known_difference_a_crash_loses_all(start: Callable[..., Snowflake]) -> None:
    server = start()
    with server.connect(user="anyone", password="anything") as connection:
        connection.cursor().execute("create table lost (id int)")
    server.crash()
    server.restart()
    with server.connect() as connection, pytest.raises(Error, match="does not exist"):
        connection.cursor().execute("select * from lost")
