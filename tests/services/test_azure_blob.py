"""Azure Blob Storage through azure-storage-blob, to the depth of a lake."""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.blob import (
    BlobBlock,
    BlobClient,
    BlobSasPermissions,
    BlobServiceClient,
    ContainerClient,
    generate_blob_sas,
)

from lab.services import AzureBlob

SERVICE = AzureBlob
MIB = 1024 * 1024


@pytest.fixture
def container(server: AzureBlob, request: pytest.FixtureRequest) -> ContainerClient:
    name = request.node.originalname.replace("_", "-")[:60].strip("-")
    return server.client().create_container(name)


def test_blobs_ranges_and_pages(container: ContainerClient) -> None:
    for number in range(25):
        container.upload_blob(f"day={number:02}/part.csv", b"0123456789")
    pages = container.list_blobs(results_per_page=10).by_page()
    assert [len(list(page)) for page in pages] == [10, 10, 5]
    folders = [item.name for item in container.walk_blobs("day=1", delimiter="/")]
    assert folders == [f"day=1{number}/" for number in range(10)]
    assert container.download_blob("day=07/part.csv", offset=2, length=3).readall() == b"234"
    with pytest.raises(ResourceNotFoundError):
        container.download_blob("nothing")
    with pytest.raises(ResourceExistsError):
        container.upload_blob("day=07/part.csv", b"second")


def test_blocks_are_committed_at_once(container: ContainerClient) -> None:
    blob = container.get_blob_client("large")
    for name, size in (("b", 2 * MIB), ("a", MIB)):
        blob.stage_block(name, name.encode() * size)
    assert not blob.exists()
    committed, staged = blob.get_block_list("all")
    assert (len(committed), len(staged)) == (0, 2)
    blob.commit_block_list([BlobBlock("a"), BlobBlock("b")])
    content = blob.download_blob().readall()
    assert content == b"a" * MIB + b"b" * 2 * MIB


def test_large_upload_goes_in_blocks(server: AzureBlob, container: ContainerClient) -> None:
    client = server.client(max_single_put_size=MIB, max_block_size=MIB, max_single_get_size=MIB)
    content = bytes(range(256)) * 20 * 1024
    blob = client.get_blob_client(container.container_name, "large")
    blob.upload_blob(content, max_concurrency=4)
    assert len(blob.get_block_list()[0]) == 5
    assert blob.download_blob(max_concurrency=4).readall() == content


def test_an_etag_guards_against_a_second_writer(container: ContainerClient) -> None:
    blob = container.get_blob_client("_latest")
    read = blob.upload_blob(b"v1")["etag"]
    blob.upload_blob(
        b"v2 of another", overwrite=True, etag=read, match_condition=MatchConditions.IfNotModified
    )
    with pytest.raises(ResourceModifiedError):
        blob.upload_blob(
            b"v2 of mine", overwrite=True, etag=read, match_condition=MatchConditions.IfNotModified
        )
    assert blob.download_blob().readall() == b"v2 of another"


def test_a_lease_shuts_others_out(container: ContainerClient) -> None:
    blob = container.get_blob_client("leased")
    blob.upload_blob(b"mine")
    lease = blob.acquire_lease(15)
    with pytest.raises(HttpResponseError) as caught:
        blob.upload_blob(b"theirs", overwrite=True)
    assert caught.value.error_code == "LeaseIdMissing"
    blob.upload_blob(b"mine again", overwrite=True, lease=lease)
    lease.release()
    assert blob.download_blob().readall() == b"mine again"


def test_a_snapshot_stays_as_it_was(container: ContainerClient) -> None:
    blob = container.get_blob_client("prices")
    blob.upload_blob(b"1.50")
    snapshot = blob.create_snapshot()["snapshot"]
    blob.upload_blob(b"1.75", overwrite=True)
    old = container.get_blob_client("prices", snapshot=snapshot)
    assert old.download_blob().readall() == b"1.50"
    assert blob.download_blob().readall() == b"1.75"


def _signed(server: AzureBlob, container: ContainerClient, until: datetime) -> BlobClient:
    signature = generate_blob_sas(
        server.account,
        container.container_name,
        "shared.csv",
        account_key=server.key,
        permission=BlobSasPermissions(read=True),
        expiry=until,
    )
    return BlobClient.from_blob_url(f"{container.url}/shared.csv?{signature}")


def test_signed_address(server: AzureBlob, container: ContainerClient) -> None:
    container.upload_blob("shared.csv", b"basket_id")
    now = datetime.now(UTC)
    reader = _signed(server, container, now + timedelta(hours=1))
    assert reader.download_blob().readall() == b"basket_id"
    _refused(lambda: reader.upload_blob(b"changed", overwrite=True))
    _refused(lambda: _signed(server, container, now - timedelta(hours=1)).download_blob())
    _refused(lambda: BlobClient.from_blob_url(f"{container.url}/shared.csv").download_blob())


def test_a_wrong_key_is_refused(server: AzureBlob) -> None:
    wrong = b64encode(secrets.token_bytes(32)).decode()
    client = BlobServiceClient(
        server.url, credential={"account_name": "shop", "account_key": wrong}
    )
    _refused(lambda: list(client.list_containers()))


def _refused(call: Callable[[], object]) -> None:
    with pytest.raises(HttpResponseError) as caught:
        call()
    if not isinstance(caught.value, ClientAuthenticationError):
        assert caught.value.status_code in (401, 403, 404), caught.value
