"""Snowflake: the warehouse on any cloud."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.services.service import Process, Service
from lab.services.session import Session

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection
    from testcontainers.core.container import DockerContainer

# Run with -P: the modules beside it must not stand for the packages of the same name.
SERVER = Path(__file__).with_name("fakesnow_server.py")


class Snowflake(Service):
    """An emulator of Snowflake: fakesnow, which translates its dialect to DuckDB.

    Real: the connector and its protocol, VARIANT, FLATTEN, QUALIFY, MERGE, CLONE, stages with PUT
    and COPY INTO, the information schema. Not real: a clone is a copy, there are no
    micro-partitions, warehouses, streams, tasks, time travel or roles, any user and password are
    taken, and a crash loses all.

    >>> with Snowflake() as snow, snow.connect() as connection:
    ...     connection.cursor().execute("select parse_json('[1]')[0]").fetchone()
    """

    title = "Snowflake (fakesnow)"
    image = "snowflake"
    ports = {"http": 64616}

    account = user = password = "lab"
    database = "SHOP"
    schema = "PUBLIC"

    @property
    def url(self) -> str:
        """Where the server listens; the connector takes it in parts, see `options`."""
        return f"http://127.0.0.1:{self.port['http']}"

    def addresses(self) -> dict[str, str]:
        return {"url": self.url, "database": self.database}

    @property
    def options(self) -> dict[str, Any]:
        """What `snowflake.connector.connect` needs to know."""
        return {
            "account": self.account,
            "user": self.user,
            "password": self.password,
            "host": "127.0.0.1",
            "port": self.port["http"],
            "protocol": "http",
            "database": self.database,
            "schema": self.schema,
            # Nothing is reported to the maker, and no certificate is asked about over the network.
            "session_parameters": {
                "CLIENT_OUT_OF_BAND_TELEMETRY_ENABLED": False,
                "CLIENT_TELEMETRY_ENABLED": False,
            },
            "disable_ocsp_checks": True,
            # What the emulator does not understand is an error at once, not tried for ever.
            "network_timeout": 1,
        }

    def connect(self, **options: object) -> SnowflakeConnection:
        """A new connection; `options` go to `snowflake.connector.connect`."""
        import snowflake.connector

        # It reports every refused connection of a server that is still starting.
        logging.getLogger("snowflake.connector.vendored.urllib3").setLevel(logging.ERROR)
        return snowflake.connector.connect(**{**self.options, **options})

    @property
    def dbt_output(self) -> dict[str, Any]:
        """What `profiles.yml` of a dbt project needs under `outputs`."""
        return {
            "type": "snowflake",
            **{
                name: self.options[name] for name in ("account", "user", "password", "host", "port")
            },
            "protocol": "http",
            "database": self.database,
            "schema": self.schema,
            "threads": 1,
        }

    def check(self) -> None:
        with self.connect(login_timeout=2) as connection:
            connection.cursor().execute("select 1")

    def container(self, image: str) -> DockerContainer:
        from testcontainers.core.container import DockerContainer

        # PUT hands a file over through a folder that both ends see, under one name.
        self.folder = Session.current().make_folder("snowflake")
        folder = str(self.folder)
        container = DockerContainer(image).with_volume_mapping(folder, folder, "rw")
        if hasattr(os, "getuid"):
            container = container.with_kwargs(user=f"{os.getuid()}:{os.getgid()}")
        container = container.with_env("TMPDIR", folder).with_env("HOME", folder)
        container = container.with_volume_mapping(str(SERVER), "/fakesnow_server.py", "ro")
        return container.with_command(["python3", "-P", "/fakesnow_server.py", "0.0.0.0", "64616"])

    def process(self) -> Process:
        folder = str(self.folder)
        return Process(
            [sys.executable, "-P", str(SERVER), "127.0.0.1", str(self.port["http"])],
            # Where it makes its stages.
            env={"TMPDIR": folder, "TEMP": folder, "TMP": folder},
        )
