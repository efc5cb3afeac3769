"""BigQuery through google-cloud-bigquery and dbt, to the depth of a warehouse."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dbt_build import dbt_build
from google.api_core.exceptions import BadRequest, NotFound
from google.cloud import bigquery

from lab.services import BigQuery

SERVICE = BigQuery
DAYS = [date(2017, 1, day) for day in (1, 1, 2, 2, 3)]


@pytest.fixture
def dataset(server: BigQuery, request: pytest.FixtureRequest) -> str:
    """A data set with the table `lines`: partitioned, clustered, five rows from Parquet."""
    name = request.node.originalname
    client = server.client()
    client.create_dataset(name)
    client.query_and_wait(
        f"""
        create table {name}.lines (
            basket_id int64 not null, day date, product string, amount numeric
        )
        partition by day
        cluster by product
        options (description = 'one row a line')
        """
    )
    lines = pa.table(
        {
            "basket_id": [1, 1, 2, 3, 4],
            "day": pa.array(DAYS),
            "product": ["a", "b", "a", "b", "c"],
            "amount": pa.array([Decimal(n) for n in (1, 2, 3, 4, 5)], pa.decimal128(38, 9)),
        }
    )
    file = io.BytesIO()
    pq.write_table(lines, file)
    config = bigquery.LoadJobConfig(source_format="PARQUET", write_disposition="WRITE_APPEND")
    job = client.load_table_from_file(file, f"{name}.lines", job_config=config, rewind=True)
    assert job.result().output_rows == 5
    return name


@pytest.fixture
def ask(server: BigQuery, dataset: str) -> Callable[..., list[tuple[Any, ...]]]:
    """Rows of a query; a table without a data set is the test's own."""
    client = server.client()

    def rows(sql: str, **options: Any) -> list[tuple[Any, ...]]:
        config = bigquery.QueryJobConfig(**options)
        if "INFORMATION_SCHEMA" not in sql:
            # With it, the emulator answers 500 to a question about its INFORMATION_SCHEMA.
            config.default_dataset = f"{server.project}.{dataset}"
        return [row.values() for row in client.query_and_wait(sql, job_config=config)]

    return rows


Ask = Callable[..., list[tuple[Any, ...]]]


def test_partitions_are_recorded(server: BigQuery, dataset: str, ask: Ask) -> None:
    table = server.client().get_table(f"{dataset}.lines")
    assert table.time_partitioning.field == "day"
    assert table.description == "one row a line"
    partitions = ask(
        f"select partition_id, total_rows from {dataset}.INFORMATION_SCHEMA.PARTITIONS order by 1"
    )
    assert partitions == [("20170101", 2), ("20170102", 2), ("20170103", 1)]
    columns = ask(
        f"""
        select column_name, data_type, is_partitioning_column
        from {dataset}.INFORMATION_SCHEMA.COLUMNS
        where table_name = 'lines' order by ordinal_position
        """
    )
    assert columns[:2] == [("basket_id", "INT64", "NO"), ("day", "DATE", "YES")]


def test_loads_from_json_csv_and_streaming(server: BigQuery, dataset: str, ask: Ask) -> None:
    client, target = server.client(), f"{dataset}.products"
    client.load_table_from_json([{"id": 1, "brand": "private"}], target).result()
    config = bigquery.LoadJobConfig(
        source_format="CSV",
        skip_leading_rows=1,
        schema=client.get_table(target).schema,
        write_disposition="WRITE_APPEND",
    )
    client.load_table_from_file(
        io.BytesIO(b"id,brand\n2,national\n"), target, job_config=config
    ).result()
    assert client.insert_rows_json(target, [{"id": 3, "brand": "local"}]) == []
    assert [row[0] for row in ask("select brand from products order by id")] == [
        "private",
        "national",
        "local",
    ]


def test_bad_rows_and_bad_queries_are_errors(server: BigQuery, dataset: str, ask: Ask) -> None:
    with pytest.raises(BadRequest, match="NOT NULL"):
        ask("insert into lines values (null, '2017-01-01', 'a', 1)")
    with pytest.raises(BadRequest, match="nope"):
        ask("select nope from lines")
    with pytest.raises(NotFound):
        ask("select * from missing")
    csv = bigquery.LoadJobConfig(source_format="CSV", schema=[bigquery.SchemaField("id", "INT64")])
    with pytest.raises(BadRequest):
        server.client().load_table_from_file(
            io.BytesIO(b"1\n2\none\n"), f"{dataset}.bad", job_config=csv
        ).result()


def test_merge(ask: Ask) -> None:
    ask(
        """
        merge lines as old
        using (
            select 4 as basket_id, date '2017-01-03' as day, 'c' as product, numeric '5.5' as amount
            union all select 5, date '2017-01-04', 'a', numeric '6'
        ) as new
        on old.basket_id = new.basket_id
        when matched then update set amount = new.amount
        when not matched then
            insert (basket_id, day, product, amount)
            values (new.basket_id, new.day, new.product, new.amount)
        """
    )
    assert ask("select basket_id, amount from lines where basket_id > 3 order by 1") == [
        (4, Decimal("5.5")),
        (5, Decimal(6)),
    ]


def test_nested_and_repeated(ask: Ask) -> None:
    ask(
        """
        create table baskets as
        select
            basket_id,
            array_agg(struct(product as product, cast(amount as float64) as amount)) as lines
        from lines group by basket_id
        """
    )
    rows = ask(
        """
        select b.basket_id, line.product, line.amount
        from baskets as b, unnest(b.lines) as line order by 1, 2
        """
    )
    assert rows[:3] == [(1, "a", 1.0), (1, "b", 2.0), (2, "a", 3.0)]
    assert ask("select sum(array_length(lines)) from baskets") == [(5,)]


def test_window_script_parameter_and_view(ask: Ask) -> None:
    newest = ask(
        """
        select product, basket_id from lines
        qualify row_number() over (partition by product order by day desc) = 1 order by 1
        """
    )
    assert newest == [("a", 2), ("b", 3), ("c", 4)]
    product = bigquery.ScalarQueryParameter("product", "STRING", "a")
    total = "select sum(amount) from lines where product = @product"
    assert ask(total, query_parameters=[product]) == [(Decimal(4),)]
    script = "declare n int64 default 0; while n < 3 do set n = n + 1; end while; select n"
    assert ask(script) == [(3,)]
    ask("create view by_product as select product, count(*) as n from lines group by product")
    assert ask("select n from by_product where product = 'b'") == [(2,)]
    ask("create table kept clone lines")
    ask("delete from lines where true")
    assert ask("select (select count(*) from kept), (select count(*) from lines)") == [(5, 0)]


def test_long_results_come_in_pages_and_frames(server: BigQuery) -> None:
    client = server.client()
    numbers = "select n from unnest(generate_array(1, 25)) as n"
    pages = client.query(numbers).result(page_size=10).pages
    assert [page.num_items for page in pages] == [10, 10, 5]
    client.create_dataset("pages")
    client.query_and_wait(f"create table pages.numbers as {numbers}")
    assert client.list_rows("pages.numbers").to_dataframe()["n"].sum() == 325


def test_dbt_builds(server: BigQuery, tmp_path: Path) -> None:
    dbt_build(server.dbt_output, tmp_path)
    rows = server.client().query_and_wait("select day, baskets, amount from shop.days order by day")
    assert [row.values() for row in rows] == [
        (date(2017, 1, 1), 1, Decimal("3.75")),
        (date(2017, 1, 2), 3, Decimal("14.5")),
        (date(2017, 1, 3), 1, Decimal("1.5")),
    ]


def test_known_differences(server: BigQuery, dataset: str, ask: Ask) -> None:
    """BigQuery bills bytes, limits them, keeps clusters and demands a filter where told to."""
    client = server.client()
    sql = f"select * from {dataset}.lines"
    assert client.query(sql, bigquery.QueryJobConfig(dry_run=True)).total_bytes_processed == 0
    limited = client.query(sql, bigquery.QueryJobConfig(maximum_bytes_billed=1))
    assert limited.result().total_rows == 5
    assert not limited.total_bytes_billed
    assert client.get_table(f"{dataset}.lines").clustering_fields is None
    assert client.get_table(f"{dataset}.lines").num_bytes == 0
    ask("create table strict (day date) partition by day options (require_partition_filter = true)")
    assert ask("select * from strict") == []
    with pytest.raises(BadRequest):
        ask("select total_bytes_billed from `region-us`.INFORMATION_SCHEMA.JOBS")
    with pytest.raises(BadRequest, match="ROW"):
        ask("merge lines using lines as n on false when not matched then insert row")


def test_a_crash_loses_all(start: Callable[..., BigQuery]) -> None:
    server = start()
    server.client().create_dataset("lost")
    server.crash()
    server.restart()
    assert list(server.client().list_datasets()) == []
