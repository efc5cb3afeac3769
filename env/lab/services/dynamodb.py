"""DynamoDB: baskets by key, where no join is wanted."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from lab.services.service import Process, Service

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer


class DynamoDB(Service):
    """An emulator of Amazon DynamoDB: moto's server, which keeps everything in memory.

    Real: tables, secondary indexes, conditional writes, transactions, queries with paging, streams.
    Not real: any credentials are taken, a read is always up to date, nothing is throttled whatever
    the capacity, items past their time to live stay, and a crash loses all.

    >>> with DynamoDB() as dynamo:
    ...     dynamo.client().list_tables()["TableNames"]
    """

    title = "DynamoDB (moto)"
    image = "dynamodb"
    ports = {"http": 5000}

    region = "eu-west-1"
    access_key = secret_key = "lab"

    @property
    def url(self) -> str:
        """The endpoint, as `endpoint_url` takes it."""
        return f"http://127.0.0.1:{self.port['http']}"

    def addresses(self) -> dict[str, str]:
        return {"url": self.url, "region": self.region}

    def client(self, service: str = "dynamodb", **options: object) -> Any:
        """A new boto3 client; `dynamodbstreams` is the other `service` of use here."""
        return self._session().client(service, endpoint_url=self.url, **options)

    def resource(self) -> Any:
        """A new boto3 resource: tables as objects, items as plain Python values."""
        return self._session().resource("dynamodb", endpoint_url=self.url)

    def check(self) -> None:
        from botocore.config import Config

        once = Config(connect_timeout=2, read_timeout=2, retries={"total_max_attempts": 1})
        self.client(config=once).list_tables()

    def container(self, image: str) -> DockerContainer:
        from testcontainers.core.container import DockerContainer

        return DockerContainer(image)

    def process(self) -> Process:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1"]
        # An empty profile, so that the server does not look for the person's own.
        config = self.folder / "config"
        config.write_text("[default]\n")
        env = {"AWS_PROFILE": "default", "AWS_CONFIG_FILE": str(config)}
        return Process([*command, "-p", str(self.port["http"])], env=env)

    def _session(self) -> Any:
        import boto3
        from botocore.session import Session

        # Neither the profile nor the files of the person's own account are looked at.
        core = Session({"profile": (None, None, None, None), "config_file": (None, None, "", None)})
        core.set_credentials(self.access_key, self.secret_key)
        return boto3.Session(botocore_session=core, region_name=self.region)
