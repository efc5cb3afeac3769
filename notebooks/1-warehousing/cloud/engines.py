"""Three warehouses behind one project: where dbt finds each, and how its answers come back."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
from lab.services import BigQuery, Postgres, Snowflake
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
            frame = pd.DataFrame(cursor.fetchall(), columns=[column.name for column in cursor.description])
    elif isinstance(server, BigQuery):
        frame = server.client().query_and_wait(sql).to_dataframe()
    else:
        with server.connect() as connection:
            frame = connection.cursor().execute(sql).fetch_pandas_all()
    return frame.rename(columns=str.lower)


def first(server: Service, expression: str) -> str:
    """What an engine makes of an expression: its value as text, or the first line of its refusal."""
    try:
        return str(ask(server, f"select {expression} as answer")["answer"][0])
    except Exception as error:  # each client has its own kind
        return "refused: " + re.split(r"[\n;]", str(error))[0][:60]
