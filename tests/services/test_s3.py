"""S3 through boto3, and through the engines that read a lake: PyArrow, DuckDB, Polars, Delta."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from deltalake import DeltaTable, write_deltalake
from duckdb_extensions import import_extension

from lab.services import S3

SERVICE = S3
MIB = 1024 * 1024


@pytest.fixture
def client(server: S3) -> BaseClient:
    return server.client()


@pytest.fixture
def bucket(client: BaseClient, request: pytest.FixtureRequest) -> str:
    name = request.node.originalname.replace("_", "-")[:60].strip("-")
    client.create_bucket(Bucket=name)
    return name


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    return str(caught.value.response["Error"]["Code"])


def test_objects_ranges_and_pages(client: BaseClient, bucket: str) -> None:
    for number in range(25):
        client.put_object(Bucket=bucket, Key=f"day={number:02}/part.csv", Body=b"0123456789")
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, PaginationConfig={"PageSize": 10}
    )
    assert [len(page["Contents"]) for page in pages] == [10, 10, 5]
    folders = client.list_objects_v2(Bucket=bucket, Delimiter="/", Prefix="day=1")
    assert len(folders["CommonPrefixes"]) == 10
    part = client.get_object(Bucket=bucket, Key="day=07/part.csv", Range="bytes=2-4")
    assert part["Body"].read() == b"234" and part["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert refused(lambda: client.get_object(Bucket=bucket, Key="nothing")) == "NoSuchKey"
    put = lambda: client.put_object(Bucket="no-such-bucket", Key="a", Body=b"")  # noqa: E731
    assert refused(put) == "NoSuchBucket"


def test_multipart(client: BaseClient, bucket: str) -> None:
    parts = [bytes([number]) * 5 * MIB for number in (1, 2)] + [b"end"]
    upload = client.create_multipart_upload(Bucket=bucket, Key="big")["UploadId"]
    at = {"Bucket": bucket, "Key": "big", "UploadId": upload}
    done = [
        {"PartNumber": n, "ETag": client.upload_part(**at, PartNumber=n, Body=part)["ETag"]}
        for n, part in enumerate(parts, 1)
    ]
    assert refused(lambda: client.get_object(Bucket=bucket, Key="big")) == "NoSuchKey"
    client.complete_multipart_upload(**at, MultipartUpload={"Parts": done})
    found = client.get_object(Bucket=bucket, Key="big")
    assert found["Body"].read() == b"".join(parts) and found["ETag"].strip('"').endswith("-3")
    again = client.create_multipart_upload(Bucket=bucket, Key="never")["UploadId"]
    client.abort_multipart_upload(Bucket=bucket, Key="never", UploadId=again)
    assert "Uploads" not in client.list_multipart_uploads(Bucket=bucket)


def test_versions(client: BaseClient, bucket: str) -> None:
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    put = [client.put_object(Bucket=bucket, Key="price", Body=body) for body in (b"100", b"120")]
    first, second = [one["VersionId"] for one in put]
    assert first != second
    client.delete_object(Bucket=bucket, Key="price")
    assert refused(lambda: client.get_object(Bucket=bucket, Key="price")) == "NoSuchKey"
    old = client.get_object(Bucket=bucket, Key="price", VersionId=first)
    assert old["Body"].read() == b"100"
    listed = client.list_object_versions(Bucket=bucket)
    assert len(listed["Versions"]) == 2 and len(listed["DeleteMarkers"]) == 1
    marker = listed["DeleteMarkers"][0]["VersionId"]
    client.delete_object(Bucket=bucket, Key="price", VersionId=marker)
    assert client.get_object(Bucket=bucket, Key="price")["Body"].read() == b"120"


def test_a_presigned_address_opens_one_object_for_anyone(client: BaseClient, bucket: str) -> None:
    client.put_object(Bucket=bucket, Key="one", Body=b"for you")
    client.put_object(Bucket=bucket, Key="two", Body=b"not for you")
    url = client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "one"})
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"for you"
    for other in (url.replace("/one?", "/two?"), url.split("?")[0]):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(other)
        assert caught.value.code == 403
    put = client.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "three"})
    urllib.request.urlopen(urllib.request.Request(put, data=b"from you", method="PUT")).close()
    assert client.get_object(Bucket=bucket, Key="three")["Body"].read() == b"from you"


def test_a_wrong_secret_is_refused(server: S3) -> None:
    guess = server.client(secret_key="guess")
    assert refused(guess.list_buckets) == "SignatureDoesNotMatch"


def test_the_users_own_settings_do_not_matter(server: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {
        "AWS_PROFILE": "of-the-user",
        "AWS_ACCESS_KEY_ID": "of-the-user",
        "AWS_SECRET_ACCESS_KEY": "of-the-user",
        "AWS_SESSION_TOKEN": "of-the-user",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_CONFIG_FILE": "/nowhere",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert "Buckets" in server.client().list_buckets()


def test_a_conditional_write_has_one_winner(client: BaseClient, bucket: str) -> None:
    put = lambda: client.put_object(Bucket=bucket, Key="lock", Body=b"", IfNoneMatch="*")  # noqa: E731
    put()
    assert refused(put) == "PreconditionFailed"


def test_pyarrow_duckdb_polars_and_delta_share_the_lake(server: S3, bucket: str) -> None:
    table = pa.table({"basket": range(1000), "cents": [n % 7 for n in range(1000)]})
    cents = sum(n % 7 for n in range(1000))
    pq.write_table(table, f"{bucket}/lines/part.parquet", filesystem=server.arrow())
    address = f"s3://{bucket}/lines/*.parquet"

    with duckdb.connect() as db:
        import_extension("httpfs", con=db)
        db.load_extension("httpfs")
        db.execute(server.duckdb_secret)
        assert db.sql(f"select sum(cents) from '{address}'").fetchone() == (cents,)
        db.sql(f"copy (select 1 as a) to 's3://{bucket}/copy/one.parquet'")
    assert pq.read_table(f"{bucket}/copy", filesystem=server.arrow()).to_pylist() == [{"a": 1}]

    lazy = pl.scan_parquet(address, storage_options=server.storage_options)
    assert lazy.select(pl.col("cents").sum()).collect().item() == cents

    delta = f"s3://{bucket}/delta"
    for _ in range(2):
        write_deltalake(delta, table, mode="append", storage_options=server.storage_options)
    found = DeltaTable(delta, storage_options=server.storage_options)
    assert found.version() == 1 and found.to_pyarrow_table().num_rows == 2000


def test_iceberg_lies_in_the_lake(server: S3, bucket: str) -> None:
    from pyiceberg.catalog.sql import SqlCatalog

    options = {"uri": "sqlite://", "warehouse": f"s3://{bucket}/ice", **server.iceberg_options}
    catalog = SqlCatalog("lake", **options)
    catalog.create_namespace("shop")
    rows = pa.table({"basket": [1, 2]})
    table = catalog.create_table("shop.basket", rows.schema)
    table.append(rows)
    assert table.scan().to_arrow().num_rows == 2


def test_objects_survive_a_crash(start: Callable[..., S3]) -> None:
    s3 = start()
    client = s3.client()
    client.create_bucket(Bucket="lake")
    for number in range(20):
        client.put_object(Bucket="lake", Key=f"{number}", Body=bytes([number]) * 10_000)
    s3.crash()
    s3.restart()
    for number in range(20):
        found = client.get_object(Bucket="lake", Key=f"{number}")["Body"].read()
        assert found == bytes([number]) * 10_000
