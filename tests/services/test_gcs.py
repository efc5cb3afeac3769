"""Google Cloud Storage through google-cloud-storage, to the depth of a lake."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from google.api_core.exceptions import InternalServerError, NotFound, PreconditionFailed
from google.cloud.storage import Bucket

from lab.services import GCS

SERVICE = GCS
KIB = 1024


@pytest.fixture
def bucket(server: GCS, request: pytest.FixtureRequest) -> Bucket:
    name = request.node.originalname.replace("_", "-")[:60].strip("-")
    return server.client().create_bucket(name)


def test_objects_ranges_and_folders(server: GCS, bucket: Bucket) -> None:
    for number in range(25):
        bucket.blob(f"day={number:02}/part.csv").upload_from_string("0123456789")
    pages = server.client().list_blobs(bucket, page_size=10).pages
    assert [page.num_items for page in pages] == [10, 10, 5]
    folders = server.client().list_blobs(bucket, prefix="day=1", delimiter="/")
    assert list(folders) == []
    assert len(folders.prefixes) == 10
    assert bucket.blob("day=07/part.csv").download_as_bytes(start=2, end=4) == b"234"
    with pytest.raises(NotFound):
        bucket.blob("nothing").download_as_bytes()
    bucket.blob("day=07/part.csv").delete()
    assert not bucket.blob("day=07/part.csv").exists()


def test_resumable_upload_in_chunks(bucket: Bucket) -> None:
    blob = bucket.blob("large", chunk_size=256 * KIB)
    content = bytes(range(256)) * 4 * KIB + b"end"
    with blob.open("wb") as file:
        for start in range(0, len(content), 100_000):
            file.write(content[start : start + 100_000])
    blob.reload()
    assert blob.size == len(content)
    assert blob.download_as_bytes(checksum="crc32c") == content
    assert blob.download_as_bytes(start=256 * KIB - 1, end=256 * KIB) == b"\xff\x00"


def test_a_generation_guards_against_a_second_writer(bucket: Bucket) -> None:
    blob = bucket.blob("_latest")
    blob.upload_from_string("v1", if_generation_match=0)
    with pytest.raises(PreconditionFailed):
        bucket.blob("_latest").upload_from_string("v1 again", if_generation_match=0)
    read = bucket.get_blob("_latest").generation
    bucket.blob("_latest").upload_from_string("v2 of another", if_generation_match=read)
    with pytest.raises(PreconditionFailed):
        bucket.blob("_latest").upload_from_string("v2 of mine", if_generation_match=read)
    assert bucket.blob("_latest").download_as_text() == "v2 of another"


def test_compose_copy_and_metadata(bucket: Bucket) -> None:
    parts = [bucket.blob(f"part-{number}") for number in range(3)]
    for number, part in enumerate(parts):
        part.upload_from_string(f"{number}\n")
    whole = bucket.blob("whole.csv")
    whole.compose(parts)
    assert whole.download_as_text() == "0\n1\n2\n"
    bucket.copy_blob(whole, bucket, "copy.csv")
    assert bucket.blob("copy.csv").download_as_text() == "0\n1\n2\n"
    whole.metadata = {"grain": "line"}
    whole.patch()
    assert bucket.get_blob("whole.csv").metadata == {"grain": "line"}


def test_objects_outlive_a_crash(start: Callable[..., GCS]) -> None:
    server = start()
    server.client().create_bucket("lake").blob("kept").upload_from_string("still here")
    server.crash()
    server.restart()
    assert server.client().bucket("lake").blob("kept").download_as_text() == "still here"


def test_known_difference_no_versioning(server: GCS) -> None:
    """Google keeps older generations of an object; files on disk do not."""
    bucket = server.client().bucket("versioned")
    bucket.versioning_enabled = True
    with pytest.raises(InternalServerError, match="does not support versioning"):
        server.client().create_bucket(bucket, retry=None)
