"""The warehouse of phase 1: it reconciles to the cent, answers right, and says when it is wrong."""

from __future__ import annotations

import functools
import shutil
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from lab import paths
from lab.errors import LabError
from lab.services import Postgres

sys.path.insert(0, str(paths.NOTEBOOKS / "1-warehousing"))

from warehouse import lake, oltp, questions
from warehouse.run import PROJECT, dbt, report

right = functools.cache(questions.right)
FACTS = ("fct_order_lines", "fct_orders", "fct_payments", "fct_customer_months")
PERIODS = ("2017-12-01/2017-12-30", "2017-12-31", "2018-01")
OFFLINE = "select count(*) from fct_orders where store_id = 438 and ordered_on = '2017-12-29'"
MARTS = (*FACTS, "dim_customer", "dim_product", "dim_store", "product_prices", *questions.RIGHT)


@dataclass
class Warehouse:
    """A lake, and the DuckDB file that dbt builds from it."""

    lake: str
    file: Path

    def dbt(self, *words: str, **options: Any) -> Any:
        return dbt(*words, lake=self.lake, file=self.file, **options)

    def build(self, **options: Any) -> None:
        """Build all, with all tests."""
        result = self.dbt("build", **options)
        assert result.success, wrong(result)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.file)) as connection:
            return connection.execute(query).fetchall()

    def answer(self, question: str) -> Any:
        with duckdb.connect(str(self.file)) as connection:
            return connection.execute(f"from {question}").df()

    def fingerprint(self, table: str) -> tuple[Any, ...]:
        """What a table says, whatever the order of its rows and the run that wrote them."""
        (columns,) = self.rows(
            "select string_agg(column_name, ', ' order by column_name) from duckdb_columns() "
            f"where table_name = '{table}' and column_name not in ('written_by', 'dbt_updated_at')"
        )[0]
        return self.rows(f"select count(*), sum(hash({columns})) from {table}")[0]


def wrong(result: Any) -> list[str]:
    """Names of the nodes that a run found fault with."""
    table = report(result)
    return sorted(table.node[table.status.isin(["fail", "error"])])


@pytest.fixture(scope="module")
def march(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """One month, built once."""
    folder = tmp_path_factory.mktemp("march")
    made = Warehouse(lake.fill(folder / "lake", "2017-03", "2017-03"), folder / "warehouse.duckdb")
    made.build()
    return made


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """The whole year, built once."""
    folder = tmp_path_factory.mktemp("year")
    made = Warehouse(lake.fill(folder / "lake"), folder / "warehouse.duckdb")
    made.build()
    return made


@dataclass
class December:
    """A warehouse that was built day by day, and what was seen in it after each period."""

    warehouse: Warehouse
    late: dict[str, int]
    runs: dict[str, dict[str, set[str]]]

    def new_run(self, fact: str, period: str) -> str:
        """The run that wrote a fact's rows of a period."""
        before = PERIODS[PERIODS.index(period) - 1]
        (run,) = self.runs[period][fact] - self.runs[before][fact]
        return run


@pytest.fixture(scope="module")
def december(tmp_path_factory: pytest.TempPathFactory) -> December:
    """December, built up to the 30th, then with one more day, then with January's refunds."""
    folder = tmp_path_factory.mktemp("december")
    made = Warehouse((folder / "lake").as_posix(), folder / "warehouse.duckdb")
    seen = December(made, {}, {})
    with lake.source("2017-12") as shop:
        for period in PERIODS:
            shop.execute(f"set variable moment = timestamp '{lake.after(period)}'")
            lake.extract(shop, made.lake, period)
    for period in PERIODS:
        result = made.dbt("run", now=lake.after(period))
        assert result.success, wrong(result)
        seen.late[period] = made.rows(OFFLINE)[0][0]
        seen.runs[period] = {
            fact: {run for (run,) in made.rows(f"select distinct written_by from {fact}")}
            for fact in FACTS
        }
    return seen


def test_the_year_reconciles_to_the_cent(year: Warehouse) -> None:
    found = year.rows("""
        select count(*), sum(amount), count(distinct order_id), count(distinct customer_id),
            count(*) filter (not is_listed), count(*) filter (is_zero)
        from fct_order_lines
    """)
    assert found == [(1_469_307, Decimal("4596039.58"), 155_848, 2_469, 4_836, 11_275)]
    assert year.rows("select count(*), sum(total) from fct_orders") == [
        (155_848, Decimal("4596039.58"))
    ]
    assert year.rows("select count(*) from fct_payments") == [(173_296,)]


def test_fuel_is_told_from_pieces_and_no_quantity_is_lost(year: Warehouse) -> None:
    quantity, units, gallons = year.rows("""
        select sum(quantity), sum(units), round(sum(gallons) * 1000) from fct_order_lines
    """)[0]
    assert quantity == 152_923_108
    assert units + gallons == quantity
    assert year.rows("select max(units) from fct_order_lines")[0][0] < 1000


@pytest.mark.parametrize("question", questions.RIGHT)
def test_the_year_is_answered_right(year: Warehouse, question: str) -> None:
    expected = right(question)
    assert questions.same(question, year.answer(question), expected) == len(expected) > 0


@pytest.mark.parametrize("question", questions.RIGHT)
def test_a_month_is_answered_right(march: Warehouse, question: str) -> None:
    expected = right(question, "2017-03", "2017-03")
    assert questions.same(question, march.answer(question), expected) == len(expected)


def test_the_mismatches_are_those_that_were_planted(year: Warehouse) -> None:
    from lab import datasets

    faults = datasets.load("shop_payment_faults").order("order_id").fetchall()
    assert year.rows("select order_id, fault from payment_mismatches order by order_id") == faults


def test_twice_is_the_same(march: Warehouse) -> None:
    before = {table: march.fingerprint(table) for table in MARTS}
    runs = {table: march.rows(f"select distinct written_by from {table}") for table in FACTS}
    march.build()
    assert {table: march.fingerprint(table) for table in MARTS} == before
    assert {
        table: march.rows(f"select distinct written_by from {table}") for table in FACTS
    } == runs


def test_a_fan_out_is_caught(march: Warehouse, tmp_path: Path) -> None:
    broken = _copy(tmp_path)
    model = broken / "models/marts/fct_order_lines.sql"
    text = model.read_text()
    joined, validity = text.split("    and orders.ordered_on >= customers.valid_from\n")
    assert validity.strip() == "and orders.ordered_on < customers.valid_to"
    model.write_text(joined)
    result = _build_lines(march, broken)
    assert {"lines_reconcile", "unique_together_fct_order_lines_order_id__line_no"} <= set(
        wrong(result)
    )


def test_lines_dropped_in_silence_are_caught(march: Warehouse, tmp_path: Path) -> None:
    broken = _copy(tmp_path)
    model = broken / "models/staging/stg_products.sql"
    model.write_text(model.read_text() + "where is_listed\n")
    model = broken / "models/marts/fct_order_lines.sql"
    text = model.read_text()
    assert "left join products" in text
    model.write_text(text.replace("left join products", "inner join products"))
    result = _build_lines(march, broken)
    assert "lines_reconcile" in wrong(result)


@pytest.mark.parametrize(
    ("fact", "count"), [("fct_order_lines", "lines"), ("fct_payments", "payments")]
)
def test_one_more_day_touches_that_day_only(december: December, fact: str, count: str) -> None:
    made, run = december.warehouse, december.new_run(fact, "2017-12-31")
    control = f"read_parquet('{made.lake}/controls/*/2017-12-31_*.parquet')"
    assert made.rows(
        f"select distinct loaded_at::varchar from {fact} where written_by = '{run}'"
    ) == [(lake.after("2017-12-31"),)]
    assert made.rows(f"select count(*) from {fact} where written_by = '{run}'") == made.rows(
        f"select {count} from {control}"
    )


def test_a_day_without_sales_writes_no_lines(december: December) -> None:
    runs = december.runs
    assert runs["2018-01"]["fct_order_lines"] == runs["2017-12-31"]["fct_order_lines"]


def test_late_orders_are_taken_when_they_come(december: December) -> None:
    assert list(december.late.values()) == [0, 10, 10]


def test_a_refund_reaches_the_order_of_another_day(december: December) -> None:
    run = december.new_run("fct_orders", "2018-01")
    again = december.warehouse.rows(f"""
        select count(*), count(*) filter (refunded > 0 and refunded_at >= '2018-01-01 05:00')
        from fct_orders where written_by = '{run}'
    """)
    assert again[0][0] == again[0][1] > 0


def test_day_by_day_is_all_at_once(december: December, tmp_path: Path) -> None:
    at_once = Warehouse(december.warehouse.lake, tmp_path / "warehouse.duckdb")
    assert at_once.dbt("run").success
    for table in set(MARTS) - {"product_prices"}:  # the snapshot: `run` leaves it out
        assert december.warehouse.fingerprint(table) == at_once.fingerprint(table), table


@pytest.mark.parametrize(("hours", "status"), [(12, "pass"), (30, "warn"), (100, "error")])
def test_freshness_says_how_old_the_lake_is(march: Warehouse, hours: int, status: str) -> None:
    now = duckdb.sql(
        f"select timestamp '{lake.after('2017-03')}' + interval {hours} hour"
    ).fetchone()[0]
    result = march.dbt("source", "freshness", "--select", "source:lake.orders", now=str(now))
    assert [str(one.status) for one in result.result.results] == [status]


def test_extracting_again_changes_nothing(tmp_path: Path) -> None:
    query = (
        "select count(*), sum(hash(*columns(*))) from read_parquet('{}/order_lines/**/*.parquet')"
    )
    seen = []
    for _ in range(2):
        lake.fill(tmp_path, "2017-02", "2017-02")
        seen.append(duckdb.sql(query.format(tmp_path.as_posix())).fetchall())
    assert seen[0] == seen[1]
    assert not list(tmp_path.rglob("*tmp*.parquet"))


def test_a_lost_file_is_named_and_extracting_again_mends_it(
    march: Warehouse, tmp_path: Path
) -> None:
    hurt = Warehouse(
        shutil.copytree(march.lake, tmp_path / "lake").as_posix(), tmp_path / "w.duckdb"
    )
    assert hurt.dbt("run", "--select", "staging").success
    (file,) = Path(hurt.lake).glob("order_lines/month=2017-03/*.parquet")
    kept = shutil.copy(file, tmp_path / "kept.parquet")
    short = duckdb.read_parquet(kept.as_posix()).filter("line_no > 1")
    short.write_parquet(file.as_posix())
    assert wrong(hurt.dbt("test", "--select", "lake_is_whole")) == ["lake_is_whole"]
    lake.fill(hurt.lake, "2017-03", "2017-03")
    assert hurt.dbt("test", "--select", "lake_is_whole").success


def test_postgres_gives_the_lake_the_same_rows(tmp_path: Path) -> None:
    periods = ("2017-01", "2017-02-01")
    through, straight = (tmp_path / name for name in ("postgres", "straight"))
    porter = duckdb.connect()
    lake.load_extensions(porter, "postgres_scanner")
    with Postgres() as pg, pg.connect(autocommit=True) as tills, lake.source() as shop:
        # A server somewhere else: its own clock must not move a day.
        tills.execute("alter database shop set timezone to 'Asia/Tokyo'")
        tills.execute("set timezone to 'Asia/Tokyo'")
        oltp.open_shop(tills)
        porter.execute(f"attach '{pg.url}' as tills (type postgres, read_only)")
        for period in periods:
            oltp.trade(tills, period)
            lake.extract(porter, through.as_posix(), period, attached="tills")
            shop.execute(f"set variable moment = timestamp '{lake.after(period)}'")
            lake.extract(shop, straight.as_posix(), period)
        porter.execute("detach tills")
    for table in (*lake.WINDOWED, *lake.WHOLE, "controls"):
        one, other = (
            duckdb.read_parquet(
                f"{place.as_posix()}/{table}/**/*.parquet", hive_partitioning=False
            ).order("all")
            for place in (through, straight)
        )
        assert one.columns == other.columns, table
        assert one.types == other.types, table
        assert one.fetchall() == other.fetchall(), table


def test_a_day_is_not_extracted_twice(tmp_path: Path) -> None:
    with lake.source("2017-02") as shop:
        lake.extract(shop, tmp_path.as_posix(), "2017-02")
        with pytest.raises(LabError, match="2017-02-01 to 2017-02-28 already"):
            lake.extract(shop, tmp_path.as_posix(), "2017-02-14")


@pytest.mark.parametrize(
    "period", ["2017", "2017-13", "March", "2017-01-31/2017-02-01", "2017-01-03/2017-01-02"]
)
def test_a_period_is_a_month_or_days_of_one(period: str) -> None:
    with pytest.raises(LabError, match=r"period|one month"):
        lake.days(period)


def test_the_shops_day_begins_at_midnight_in_new_york() -> None:
    assert lake.after("2017-01") == "2017-02-01 05:00:00"
    assert lake.after("2017-03-31") == "2017-04-01 04:00:00"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda t: t.assign(revenue=[t.revenue[0] + Decimal("0.01"), *t.revenue[1:]]),
            "revenue is",
        ),
        (lambda t: t.assign(returning_share=t.returning_share + 1e-6), "returning_share is"),
        (lambda t: t.assign(customers=t.customers + 1), "customers is"),
        (lambda t: t.iloc[1:], "lacks: 1 rows"),
        (lambda t: t.iloc[[0, *range(len(t))]], "repeat"),
        (lambda t: t.drop(columns="orders"), "lacks orders"),
    ],
    ids=["a cent", "a share", "a count", "a row less", "a row twice", "a column less"],
)
def test_a_wrong_answer_is_told_from_the_right_one(change: Any, message: str) -> None:
    expected = right("revenue_by_month")
    assert questions.same("revenue_by_month", expected.iloc[::-1], expected) == 12
    with pytest.raises(LabError, match=message):
        questions.same("revenue_by_month", change(expected), expected)


def test_an_unknown_question_is_refused() -> None:
    with pytest.raises(LabError, match="revenue_by_month"):
        questions.right("profit")


def _build_lines(march: Warehouse, project: Path) -> Any:
    only = ["--select", "+fct_order_lines", "--exclude", "resource_type:unit_test"]
    file = project.parent / "warehouse.duckdb"
    return dbt("build", *only, lake=march.lake, file=file, project=project)


def _copy(folder: Path) -> Path:
    return Path(
        shutil.copytree(PROJECT, folder / "broken", ignore=shutil.ignore_patterns("__pycache__"))
    )
