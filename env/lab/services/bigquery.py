"""BigQuery: the warehouse on Google's cloud."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab import paths
from lab.errors import LabError
from lab.services.service import Process, Service

if TYPE_CHECKING:
    from google.cloud.bigquery import Client
    from testcontainers.core.container import DockerContainer


class BigQuery(Service):
    """An emulator of BigQuery: bqemulator, which translates GoogleSQL to DuckDB.

    Real: the client library, load and query jobs, DDL with partitions, MERGE, nested and repeated
    columns, scripts, INFORMATION_SCHEMA, dbt. Not real: partitions prune nothing and no filter on
    them is demanded, clusters are forgotten, bytes processed and billed are 0 and never limited,
    there are no slots and no INFORMATION_SCHEMA.JOBS, nobody is checked, and a crash loses all.

    >>> with BigQuery() as bq:
    ...     bq.client().query_and_wait("select 1 as one").to_dataframe()
    """

    title = "BigQuery (bqemulator)"
    image = "bigquery"
    ports = {"rest": 9050, "grpc": 9060}

    project = "shop"

    @property
    def url(self) -> str:
        """The endpoint of the REST API."""
        return f"http://127.0.0.1:{self.port['rest']}"

    def addresses(self) -> dict[str, str]:
        return {"url": self.url, "project": self.project}

    def client(self) -> Client:
        """A new client of `google-cloud-bigquery`."""
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import bigquery

        # The client sends a load's bytes as */*, which the emulator answers with 400; BigQuery
        # itself takes either.
        bigquery.client._GENERIC_CONTENT_TYPE = "application/octet-stream"
        # What it does not understand it answers with 500, which the client would try again for
        # ten minutes.
        for name in ("DEFAULT_RETRY", "DEFAULT_JOB_RETRY", "_DEFAULT_QUERY_JOB_INSERT_RETRY"):
            getattr(bigquery.retry, name)._timeout = 2
        client = bigquery.Client(
            project=self.project,
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": self.url},
            # Naming the usual priority makes the client insert a job for `query_and_wait` too: the
            # emulator answers its short form with 200 and no rows where a query failed.
            default_query_job_config=bigquery.QueryJobConfig(priority="INTERACTIVE"),
        )
        # Long results would be asked for at Google's own storage API.
        client._ensure_bqstorage_client = lambda *_, **__: None
        return client

    @property
    def dbt_output(self) -> dict[str, Any]:
        """What `profiles.yml` of a dbt project needs under `outputs`; the data set is `shop`."""
        return {
            "type": "bigquery",
            "method": "oauth-secrets",
            "token": "lab",
            "project": self.project,
            "dataset": "shop",
            "location": "US",
            "api_endpoint": self.url,
            "threads": 2,
            "job_retries": 0,
        }

    def check(self) -> None:
        job = self.client().query("select 1", retry=None, job_retry=None, timeout=2)
        list(job.result(retry=None, job_retry=None, timeout=2))

    def container(self, image: str) -> DockerContainer:
        from testcontainers.core.container import DockerContainer

        container = DockerContainer(image)
        for name, value in self._settings("0.0.0.0", self.ports).items():
            container = container.with_env(name, value)
        return container

    def process(self) -> Process:
        home = str(_home_with_spatial())
        return Process(
            [sys.executable, "-m", "bqemulator", "start"],
            env={**self._settings("127.0.0.1", self.port), "HOME": home, "USERPROFILE": home},
        )

    def _settings(self, host: str, port: dict[str, int]) -> dict[str, str]:
        settings = {
            "REST_HOST": host,
            "REST_PORT": str(port["rest"]),
            "GRPC_HOST": host,
            "GRPC_PORT": str(port["grpc"]),
            "DEFAULT_PROJECT_ID": self.project,
            "LOG_LEVEL": "warning",
            # For Avro files only, and asked for over the network.
            "ENABLE_FORMAT_EXTENSIONS": "false",
        }
        return {f"BQEMU_{name}": value for name, value in settings.items()}


def _home_with_spatial() -> Path:
    """A home folder in the cache where DuckDB finds the extension that the emulator starts with.

    DuckDB would fetch `spatial` over the network; its wheel carries the same file.
    """
    import duckdb

    if find_spec("duckdb_extension_spatial") is None:
        raise LabError(
            "BigQuery: the wheel duckdb-extension-spatial is not installed for this platform; use "
            "LAB_SERVICES=containers with a Docker engine."
        )
    from duckdb_extensions import import_extension

    home = paths.cache() / "bigquery"
    home.mkdir(parents=True, exist_ok=True)
    extensions = home / ".duckdb" / "extensions"
    with duckdb.connect(config={"extension_directory": str(extensions)}) as connection:
        import_extension("spatial", con=connection)
    return home
