"""DynamoDB through boto3: keys, indexes, conditions, transactions, streams."""

from __future__ import annotations

import os
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.conditions import Attr, Key
from botocore.exceptions import ClientError

from lab.services import DynamoDB

SERVICE = DynamoDB
HOUSEHOLDS = ("900", "901")


@pytest.fixture
def table(server: DynamoDB, request: pytest.FixtureRequest) -> Any:
    """Baskets by household and time, with an index by store; 2 households of 30 baskets each."""
    table = server.resource().create_table(
        TableName=request.node.originalname,
        KeySchema=[
            {"AttributeName": "household", "KeyType": "HASH"},
            {"AttributeName": "at", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in ("household", "at", "store")
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by_store",
                "KeySchema": [
                    {"AttributeName": "store", "KeyType": "HASH"},
                    {"AttributeName": "at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["amount"]},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    with table.batch_writer() as batch:
        for household in HOUSEHOLDS:
            for day in range(1, 31):
                batch.put_item(Item=_basket(household, day))
    return table


def _basket(household: str, day: int) -> dict[str, Any]:
    return {
        "household": household,
        "at": f"2017-01-{day:02}",
        "store": f"S{day % 3}",
        "amount": Decimal("1.10") * day,
        "lines": [{"product": "101", "quantity": day}],
    }


def _refused(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    return str(caught.value.response["Error"]["Code"])


def test_a_query_reads_a_range_in_pages(table: Any) -> None:
    key = Key("household").eq("900") & Key("at").between("2017-01-11", "2017-01-20")
    page = table.query(KeyConditionExpression=key, Limit=4)
    seen = [item["at"] for item in page["Items"]]
    while "LastEvaluatedKey" in page:
        page = table.query(
            KeyConditionExpression=key, Limit=4, ExclusiveStartKey=page["LastEvaluatedKey"]
        )
        seen += [item["at"] for item in page["Items"]]
    assert seen == [f"2017-01-{day}" for day in range(11, 21)]
    newest = table.query(
        KeyConditionExpression=Key("household").eq("900"), ScanIndexForward=False, Limit=1
    )
    assert newest["Items"] == [_basket("900", 30)]


def test_a_filter_reads_what_it_throws_away(table: Any) -> None:
    answer = table.query(
        KeyConditionExpression=Key("household").eq("900"), FilterExpression=Attr("store").eq("S1")
    )
    assert (answer["Count"], answer["ScannedCount"]) == (10, 30)


def test_an_index_answers_another_question(table: Any) -> None:
    answer = table.query(IndexName="by_store", KeyConditionExpression=Key("store").eq("S0"))
    assert answer["Count"] == 20
    assert set(answer["Items"][0]) == {"household", "at", "store", "amount"}


def test_a_condition_prevents_a_lost_update(table: Any) -> None:
    key = {"household": "900", "at": "2017-01-01"}

    def add(amount: Decimal, read: Decimal) -> None:
        table.update_item(
            Key=key,
            UpdateExpression="set amount = :new",
            ConditionExpression="amount = :read",
            ExpressionAttributeValues={":new": read + amount, ":read": read},
        )

    read = table.get_item(Key=key, ConsistentRead=True)["Item"]["amount"]
    add(Decimal("1"), read)
    assert _refused(lambda: add(Decimal("5"), read)) == "ConditionalCheckFailedException"
    assert table.get_item(Key=key)["Item"]["amount"] == Decimal("2.10")
    once = {"Item": _basket("900", 1), "ConditionExpression": "attribute_not_exists(household)"}
    assert _refused(lambda: table.put_item(**once)) == "ConditionalCheckFailedException"


def test_a_counter_needs_no_read(table: Any) -> None:
    key = {"household": "900", "at": "total"}
    for _ in range(3):
        answer = table.update_item(
            Key=key,
            UpdateExpression="add baskets :one",
            ExpressionAttributeValues={":one": 1},
            ReturnValues="UPDATED_NEW",
        )
    assert answer["Attributes"] == {"baskets": Decimal(3)}


def test_a_transaction_is_all_or_nothing(server: DynamoDB, table: Any) -> None:
    client = server.client()

    def put(household: str) -> dict[str, Any]:
        return {
            "Put": {
                "TableName": table.name,
                "Item": {"household": {"S": household}, "at": {"S": "2017-02-01"}},
                "ConditionExpression": "attribute_not_exists(household)",
            }
        }

    client.transact_write_items(TransactItems=[put("1"), put("2")])
    with pytest.raises(client.exceptions.TransactionCanceledException) as caught:
        client.transact_write_items(TransactItems=[put("3"), put("1")])
    reasons = [reason["Code"] for reason in caught.value.response["CancellationReasons"]]
    assert reasons == ["None", "ConditionalCheckFailed"]
    keys = [{"household": {"S": number}, "at": {"S": "2017-02-01"}} for number in ("1", "3")]
    gets = [{"Get": {"TableName": table.name, "Key": key}} for key in keys]
    found = client.transact_get_items(TransactItems=gets)["Responses"]
    assert ["Item" in one for one in found] == [True, False]


def test_the_stream_carries_each_change_in_order(server: DynamoDB, table: Any) -> None:
    key = {"household": "900", "at": "2017-01-01"}
    table.update_item(
        Key=key, UpdateExpression="set amount = :new", ExpressionAttributeValues={":new": 9}
    )
    table.delete_item(Key=key)
    streams = server.client("dynamodbstreams")
    described = streams.describe_stream(StreamArn=table.latest_stream_arn)["StreamDescription"]
    records = []
    for shard in described["Shards"]:
        iterator = streams.get_shard_iterator(
            StreamArn=table.latest_stream_arn,
            ShardId=shard["ShardId"],
            ShardIteratorType="TRIM_HORIZON",
        )["ShardIterator"]
        records += streams.get_records(ShardIterator=iterator)["Records"]
    assert [one["eventName"] for one in records] == ["INSERT"] * 60 + ["MODIFY", "REMOVE"]
    change = records[-2]["dynamodb"]
    # Numbers travel as text; AWS writes 1.10 as 1.1, the emulator as it came.
    before, after = change["OldImage"]["amount"], change["NewImage"]["amount"]
    assert (Decimal(before["N"]), Decimal(after["N"])) == (Decimal("1.1"), Decimal(9))


def test_the_persons_own_account_is_not_read(
    start: Callable[..., DynamoDB], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "of-the-person")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setitem(os.environ, "AWS_DEFAULT_REGION", "us-east-1")
    server = start()
    assert server.client().list_tables()["TableNames"] == []
    assert server.client().meta.region_name == server.region


def test_known_differences(server: DynamoDB, table: Any, start: Callable[..., DynamoDB]) -> None:
    """AWS would refuse the credentials, delete the expired item in time, and survive a crash."""
    own = start()
    own.access_key = own.secret_key = "anything"
    assert own.client().list_tables()["TableNames"] == []
    server.client().update_time_to_live(
        TableName=table.name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
    )
    described = server.client().describe_time_to_live(TableName=table.name)
    assert described["TimeToLiveDescription"]["TimeToLiveStatus"] == "ENABLED"
    table.put_item(Item={**_basket("900", 1), "expires": 1})
    assert table.get_item(Key={"household": "900", "at": "2017-01-01"})["Item"]["expires"] == 1
    own.client().create_table(
        TableName="lost",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    own.crash()
    own.restart()
    assert own.client().list_tables()["TableNames"] == []
