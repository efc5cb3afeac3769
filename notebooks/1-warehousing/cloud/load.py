"""The lake's files into engines that don't read them in place: each by its own bulk load."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from lab import datasets

if TYPE_CHECKING:
    from lab.services import BigQuery, Postgres, Snowflake

TABLES = (
    "orders",
    "order_lines",
    "payments",
    "controls",
    "customers",
    "products",
    "campaigns",
    "mailings",
)


def files(lake: str, table: str) -> list[Path]:
    """A table's files in the lake, oldest first."""
    return sorted(Path(lake, table).rglob("*.parquet"))


def rows(lake: str, table: str) -> duckdb.DuckDBPyRelation:
    """A table of the lake, all its files together."""
    return duckdb.read_parquet([str(file) for file in files(lake, table)], hive_partitioning=False)


def columns(lake: str, table: str, **names: str) -> str:
    """The columns of a table for `create table`; `names` says what an engine calls a type."""
    relation = rows(lake, table)
    types = [names.get(str(kind), str(kind)) for kind in relation.types]
    return ", ".join(f"{name} {kind}" for name, kind in zip(relation.columns, types, strict=True))


def postgres(server: Postgres, lake: str) -> None:
    """Rows through the connection, by `copy ... from stdin`; then a look at what has come."""
    with server.connect() as connection:
        connection.execute("create schema lake")
        connection.execute("set search_path = lake")
        connection.execute("set timezone = 'UTC'")
        for table in TABLES:
            connection.execute(f"create table {table} ({columns(lake, table)})")
            datasets.copy_to(rows(lake, table), connection, table)
            connection.execute(f"analyze {table}")


def bigquery(server: BigQuery, lake: str) -> None:
    """Whole files, by load jobs: free of charge, and no query."""
    from google.cloud.bigquery import LoadJobConfig

    client = server.client()
    client.create_dataset("lake")
    parquet = LoadJobConfig(source_format="PARQUET", write_disposition="WRITE_APPEND")
    for table in TABLES:
        named = columns(lake, table, VARCHAR="string", SMALLINT="bigint")
        client.query_and_wait(f"create table lake.{table} ({named})")
        for file in files(lake, table):
            with file.open("rb") as content:
                client.load_table_from_file(content, f"lake.{table}", job_config=parquet).result()


def snowflake(server: Snowflake, lake: str) -> None:
    """Files onto a stage, by `put`; from there into the table, by `copy into`."""
    with server.connect() as connection:
        ask = connection.cursor().execute
        ask("create schema lake")
        ask("use schema lake")
        for table in TABLES:
            ask(f"create table {table} ({columns(lake, table)})")
            ask(f"create stage {table}_files")
            for file in files(lake, table):
                ask(f"put '{file.resolve().as_uri()}' @{table}_files auto_compress = false")
            ask(
                f"copy into {table} from @{table}_files "
                "file_format = (TYPE = 'PARQUET') match_by_column_name = case_insensitive"
            )
