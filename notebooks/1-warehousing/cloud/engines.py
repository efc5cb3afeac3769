"""Three warehouses behind one project: where dbt finds each, and how its answers come back."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
import psycopg

from lab.services import BigQuery, Postgres
from lab.services.service import Service


def address(server: Service) -> dict[str, Any]:
    """What `profiles.yml` asks for: the name of its output, and its variables."""
    if isinstance(server, Postgres):
        return {"target": "postgres", "WAREHOUSE_PORT": server.port["sql"]}
    if isinstance(server, BigQuery):
        return {"target": "bigquery", "WAREHOUSE_ENDPOINT": server.url}
    return {"target": "snowflake", "WAREHOUSE_PORT": server.port["http"]}


def ask(server: Service, sql: str) -> pd.DataFrame:
    """A query's rows, with the names of columns in lower case."""
    if isinstance(server, Postgres):
        with server.connect() as connection:
            cursor = connection.execute(sql)
            frame = pd.DataFrame(
                cursor.fetchall(), columns=[column.name for column in cursor.description]
            )
    elif isinstance(server, BigQuery):
        frame = server.client().query_and_wait(sql).to_dataframe()
    else:
        with server.connect() as connection:
            frame = connection.cursor().execute(sql).fetch_pandas_all()
    return frame.rename(columns=str.lower)


def refusal(connection: psycopg.Connection, statements: str) -> str:
    """How PostgreSQL refuses what is sent, which is undone in any case."""
    try:
        with connection.transaction(force_rollback=True):
            for statement in statements.split(";"):
                connection.execute(statement)
    except psycopg.Error as error:
        return str(error.diag.message_primary)
    return "accepted"


def first(server: Service, expression: str) -> str:
    """What an engine makes of an expression: its value as text, or how its refusal begins."""
    try:
        value = ask(server, f"select {expression} as answer")["answer"][0]
        return "null" if pd.isna(value) else str(value)
    except Exception as error:  # each client has its own kind
        return "refused: " + re.split(r"[\n;]", str(error))[0][:60]
