"""The star of lesson 5: it reconciles, answers right, and its tests see what is broken."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from lab import paths

sys.path.insert(0, str(paths.NOTEBOOKS / "1-warehousing"))

from star import layouts, page, shop
from warehouse import questions

REVENUE = Decimal("4596039.58")


@pytest.fixture(scope="module")
def star() -> duckdb.DuckDBPyConnection:
    db = shop.connect()
    for file in ("dimensions.sql", "facts.sql"):
        shop.run(db, file)
    for since, now in ((date(2017, 1, 1), date(2017, 7, 1)), (date(2017, 7, 1), date(2018, 2, 1))):
        shop.run(db, "orders.sql", since=since, now=now)
    for file in ("months", "snowflake", "wide", "prices", "versions", "keys", "allocate"):
        shop.run(db, f"{file}.sql")
    return db


@pytest.fixture
def undone(star: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """The star, in a transaction that is rolled back."""
    star.execute("begin")
    yield star
    star.execute("rollback")


def failures(db: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """How many rows each of the lesson's tests finds."""
    tests = (shop.HERE / "tests").glob("*.sql")
    return {file.stem: len(db.execute(file.read_text()).fetchall()) for file in tests}


@pytest.mark.parametrize(
    "query",
    [
        "select sum(amount) from fct_order_lines",
        "select sum(amount) from fct_order_lines join dim_product using (product_id)",
        "select sum(amount) from fct_order_lines join dim_product_versions using (product_key)",
        "select sum(amount) from wide_order_lines",
        "select sum(total) from fct_orders",
        "select sum(revenue) from fct_customer_months",
    ],
)
def test_every_shape_of_it_sums_to_the_shops_dollars(star: Any, query: str) -> None:
    assert shop.value(star, query) == REVENUE


def test_it_answers_the_first_question_of_the_business(star: Any) -> None:
    answer = star.execute(shop.sql("revenue_by_month.sql")).df()
    assert questions.same("revenue_by_month", answer, questions.right("revenue_by_month")) == 12


@pytest.mark.parametrize("question", layouts.QUESTIONS)
def test_layouts_answer_alike(star: Any, question: str) -> None:
    answers = [
        star.execute(shop.sql(f"questions/{question}.{layout}.sql")).fetchall()
        for layout in layouts.LAYOUTS
    ]
    assert answers[0]
    assert answers[0] == answers[1] == answers[2]


def test_orders_merged_in_two_steps_are_as_if_merged_in_one(undone: Any) -> None:
    undone.execute("create table two_steps as from fct_orders")
    undone.execute("delete from fct_orders")
    shop.run(undone, "orders.sql", since=date(2017, 1, 1), now=date(2018, 2, 1))
    assert undone.execute("from fct_orders except from two_steps").fetchall() == []


def test_a_shared_out_coupon_sums_to_its_order(star: Any) -> None:
    assert (
        star.execute("""
            select order_id, sum(coupon_share), any_value(fct_orders.coupon_discount)
            from allocated join fct_orders using (order_id)
            group by order_id
            having sum(coupon_share) <> any_value(fct_orders.coupon_discount)""").fetchall()
        == []
    )
    assert shop.value(star, "select min(coupon_share) from allocated") >= 0


def test_whole_versions_pass_the_tests(star: Any) -> None:
    assert set(failures(star).values()) == {0}
    assert len(failures(star)) == 3
    assert "| versions_do_not_overlap | 0 |" in page.tests(star).data


def test_a_closed_upper_bound_is_seen_by_the_total_alone(undone: Any) -> None:
    undone.execute(shop.sql("keys.sql").replace("ordered_on < versions", "ordered_on <= versions"))
    assert [name for name, rows in failures(undone).items() if rows] == ["lines_reconcile"]


def test_an_overlap_is_seen_by_its_test_and_by_the_total(undone: Any) -> None:
    undone.execute("""
        insert into dim_product_versions
        select 'second', product_id, date '2017-12-18', valid_to, true, 2.49, '2 to 5'
        from dim_product_versions where product_id = 951590 and is_current""")
    shop.run(undone, "keys.sql")
    found = failures(undone)
    assert found["versions_do_not_overlap"] == 1
    assert found["lines_reconcile"] == 1


def test_a_gap_is_seen(undone: Any) -> None:
    undone.execute("""
        update dim_product_versions set valid_from = valid_from + 7
        where product_id = 951590 and is_current""")
    assert failures(undone)["versions_have_no_gaps"] == 1


def test_late_news_told_twice_give_what_news_in_time_gave(star: Any) -> None:
    bread = {"product_id": 951590, "changed_on": date(2017, 8, 28), "shelf_price": Decimal("2.29")}
    for table in ("dim_product_versions", "fct_order_lines"):
        star.execute(f"create table in_time_{table} as from {table}")
    star.execute(
        "delete from price_changes where product_id = 951590 and changed_on = '2017-08-28'"
    )
    shop.run(star, "versions.sql")
    shop.run(star, "keys.sql")
    unheard = "select count(*) from (from in_time_fct_order_lines except from fct_order_lines)"
    assert shop.value(star, unheard) > 0
    for _ in range(2):
        shop.run(star, "late.sql", **bread)
        for table in ("dim_product_versions", "fct_order_lines"):
            assert star.execute(f"from in_time_{table} except from {table}").fetchall() == []
            assert star.execute(f"from {table} except from in_time_{table}").fetchall() == []
