"""The three clouds' stores as PyArrow filesystems, on which a path is `bucket/key` everywhere."""

from __future__ import annotations

from lab.services import GCS, S3, AzureBlob
from pyarrow.fs import AzureFileSystem, GcsFileSystem, S3FileSystem


def amazon(store: S3) -> S3FileSystem:
    """A store that speaks S3. At Amazon, leave out `endpoint_override`."""
    return S3FileSystem(
        access_key=store.access_key,
        secret_key=store.secret_key,
        region=store.region,
        endpoint_override=store.url,
        allow_bucket_creation=True,
        # A small object in one request instead of three.
        allow_delayed_open=True,
    )


def google(store: GCS) -> GcsFileSystem:
    """Google Cloud Storage. At Google, leave out all but the project."""
    return GcsFileSystem(
        anonymous=True,
        scheme="http",
        endpoint_override=store.url.removeprefix("http://"),
        project_id=store.project,
    )


def microsoft(store: AzureBlob) -> AzureFileSystem:
    """Azure Blob Storage; its buckets are called containers. At Azure, leave out `*_storage_*`."""
    host = f"127.0.0.1:{store.port['http']}"
    return AzureFileSystem(
        account_name=store.account,
        account_key=store.key,
        blob_storage_authority=host,
        blob_storage_scheme="http",
        dfs_storage_authority=host,
        dfs_storage_scheme="http",
    )
