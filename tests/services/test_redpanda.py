"""Kafka's API through confluent-kafka: groups, offsets, transactions, compaction."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from lab import jars
from lab.errors import Unavailable
from lab.services import Redpanda

SERVICE = Redpanda

FAST = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 500, "max.poll.interval.ms": 10_000}


@pytest.fixture
def topic(server: Redpanda, request: pytest.FixtureRequest) -> str:
    server.create_topic(request.node.originalname, partitions=4)
    return request.node.originalname


def produce(broker: Redpanda, topic: str, count: int, partitions: int = 4) -> None:
    producer = broker.producer()
    for number in range(count):
        producer.produce(topic, key=str(number), value=str(number), partition=number % partitions)
    assert producer.flush(30) == 0


def read(consumer: Consumer, count: int, seconds: float = 30) -> list[str]:
    """The values of the next `count` events."""
    values: list[str] = []
    deadline = time.monotonic() + seconds
    while len(values) < count:
        assert time.monotonic() < deadline, f"{len(values)} of {count} events after {seconds} s"
        message = consumer.poll(0.2)
        if message is None:
            continue
        if message.error():
            assert message.error().retriable(), message.error()
            continue
        values.append(message.value().decode())
    return values


def poll_until(happened: Callable[[], bool], *consumers: Consumer, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"not so after {seconds} s"
        for consumer in consumers:
            consumer.poll(0.1)


@contextmanager
def member(broker: Redpanda, group: str, topic: str) -> Iterator[subprocess.Popen[str]]:
    """A member of the group in a process of its own, which has been given partitions."""
    script = (
        "import sys\n"
        "from confluent_kafka import Consumer\n"
        "consumer = Consumer(eval(sys.argv[1]))\n"
        "consumer.subscribe([sys.argv[2]],"
        " on_assign=lambda _, given: print(len(given), flush=True))\n"
        "while True: consumer.poll(0.1)\n"
    )
    config = {"bootstrap.servers": broker.bootstrap, "group.id": group, **FAST}
    process = subprocess.Popen(
        [sys.executable, "-c", script, repr(config), topic], stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_which_broker_it_is(server: Redpanda, way: str) -> None:
    if way == "process":
        if server.kind == "noida-db":
            pytest.skip(server.why)
        assert server.kind == "kafka"
        assert server.why.endswith("Apache Kafka 4.4")
    else:
        assert server.kind == "redpanda"
    assert server.can_lose_members


def test_a_group_starts_again_where_it_committed(server: Redpanda, topic: str) -> None:
    produce(server, topic, 40)
    manual = {"enable.auto.commit": False}
    first = server.consumer("loaders", manual)
    first.subscribe([topic])
    assert sorted(map(int, read(first, 40))) == list(range(40))
    first.commit(offsets=[TopicPartition(topic, p, 7) for p in range(4)], asynchronous=False)
    first.close()
    second = server.consumer("loaders", manual)
    second.subscribe([topic])
    assert sorted(map(int, read(second, 12))) == list(range(28, 40))
    committed = second.committed([TopicPartition(topic, p) for p in range(4)], timeout=10)
    assert [one.offset for one in committed] == [7, 7, 7, 7]
    second.close()


def test_a_member_that_joins_or_leaves_moves_partitions(server: Redpanda, topic: str) -> None:
    one, two = server.consumer("crew", FAST), server.consumer("crew", FAST)
    one.subscribe([topic])
    poll_until(lambda: len(one.assignment()) == 4, one)
    two.subscribe([topic])
    poll_until(lambda: len(one.assignment()) == len(two.assignment()) == 2, one, two)
    assert not {p.partition for p in one.assignment()} & {p.partition for p in two.assignment()}
    two.close()
    poll_until(lambda: len(one.assignment()) == 4, one)
    one.close()


def test_a_killed_members_partitions_move(server: Redpanda, topic: str) -> None:
    if not server.can_lose_members:
        pytest.skip(server.why)
    survivor = server.consumer("crew-2", FAST)
    survivor.subscribe([topic])
    poll_until(lambda: len(survivor.assignment()) == 4, survivor)
    with member(server, "crew-2", topic) as other:
        poll_until(lambda: len(survivor.assignment()) == 2, survivor)
        other.kill()
        poll_until(lambda: len(survivor.assignment()) == 4, survivor)
    produce(server, topic, 8)
    assert len(read(survivor, 8)) == 8
    survivor.close()


def test_read_committed_sees_whole_transactions_only(server: Redpanda, topic: str) -> None:
    till = server.producer({"transactional.id": "till"})
    till.init_transactions(30)
    for end, values in (("commit", "ab"), ("abort", "xy"), ("commit", "cd")):
        till.begin_transaction()
        for value in values:
            till.produce(topic, value=value, partition=0)
        till.flush(30)
        till.commit_transaction(30) if end == "commit" else till.abort_transaction(30)
    till.begin_transaction()
    till.produce(topic, value="open", partition=0)
    till.flush(30)

    careful = server.consumer("careful", {"isolation.level": "read_committed"})
    careful.subscribe([topic])
    assert read(careful, 4) == ["a", "b", "c", "d"]
    hasty = server.consumer("hasty", {"isolation.level": "read_uncommitted"})
    hasty.subscribe([topic])
    assert read(hasty, 7) == ["a", "b", "x", "y", "c", "d", "open"]
    till.commit_transaction(30)
    if server.kind == "noida-db":
        # A known difference: who waited at the open transaction never gets what it commits.
        with pytest.raises(AssertionError, match="0 of 1 events"):
            read(careful, 1, seconds=5)
        pytest.skip(server.why)
    assert read(careful, 1) == ["open"]

    # Exactly once: the offsets of what was read go into the transaction of what is written.
    till.begin_transaction()
    till.produce(topic, value="copy", partition=1)
    position = careful.position([TopicPartition(topic, 0)])
    till.send_offsets_to_transaction(position, careful.consumer_group_metadata(), 30)
    till.commit_transaction(30)
    (committed,) = careful.committed([TopicPartition(topic, 0)], timeout=10)
    assert committed.offset == position[0].offset

    # A second producer of that name fences the first.
    server.producer({"transactional.id": "till"}).init_transactions(30)
    with pytest.raises(KafkaException) as caught:
        till.begin_transaction()
        till.produce(topic, value="late", partition=0)
        till.commit_transaction(30)
    fenced = (KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED)
    assert caught.value.args[0].code() in fenced
    careful.close()
    hasty.close()


def test_compaction_keeps_the_last_of_each_key(server: Redpanda) -> None:
    topic = "prices"
    server.create_topic(
        topic,
        config={
            "cleanup.policy": "compact",
            "segment.ms": "1000",
            "segment.bytes": "1048576",
            "min.cleanable.dirty.ratio": "0.01",
        },
    )
    producer = server.producer()

    def write(round_: int) -> None:
        for product in range(3):
            producer.produce(topic, key=f"p{product}", value=f"{round_}")
        assert producer.flush(30) == 0

    def left() -> list[tuple[str, str]]:
        consumer = server.consumer("look", {"enable.partition.eof": True})
        consumer.assign([TopicPartition(topic, 0, 0)])
        found = []
        while (message := consumer.poll(10)) is not None and not message.error():
            found.append((message.key().decode(), message.value().decode()))
        consumer.close()
        return found

    for number in range(20):
        write(number)
    assert len(left()) == 60
    deadline = time.monotonic() + 120
    number = 20
    # Only a closed segment is compacted, and a segment is closed when a later event arrives.
    while len(found := left()) >= 60:
        assert time.monotonic() < deadline, (
            f"{len(found)} events are left and nothing was compacted"
        )
        time.sleep(1)
        write(number)
        number += 1
    assert dict(found) == {f"p{product}": f"{number - 1}" for product in range(3)}


def test_events_and_offsets_survive_a_crash(start: Callable[..., Redpanda]) -> None:
    broker = start()
    if broker.kind == "noida-db":
        pytest.skip("a crash costs noida-db the last seconds; it promises nothing else")
    broker.create_topic("tills", partitions=4)
    produce(broker, "tills", 40)
    consumer = broker.consumer("loaders", {"enable.auto.commit": False})
    consumer.subscribe(["tills"])
    read(consumer, 40)
    consumer.commit(asynchronous=False)
    consumer.close()
    address = broker.bootstrap
    broker.crash()
    broker.restart()
    assert broker.bootstrap == address
    produce(broker, "tills", 4)
    consumer = broker.consumer("loaders")
    consumer.subscribe(["tills"])
    assert sorted(read(consumer, 4)) == ["0", "1", "2", "3"]
    consumer.close()


def test_without_the_jars_it_is_noida_db_and_says_what_that_cannot_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_jars(name: str) -> None:
        raise Unavailable("jars: this machine is offline.")

    monkeypatch.setattr(jars, "fetch", no_jars)
    with Redpanda(way="process") as broker:
        assert broker.kind == "noida-db" and not broker.can_lose_members
        assert "this machine is offline" in broker.why and "noida-db" in broker.why
        broker.create_topic("tills", partitions=4)
        survivor = broker.consumer("crew", FAST)
        survivor.subscribe(["tills"])
        poll_until(lambda: len(survivor.assignment()) == 4, survivor)
        with member(broker, "crew", "tills") as other:
            poll_until(lambda: len(survivor.assignment()) == 2, survivor)
            other.kill()
            # The known difference: long after its session has timed out, the dead still holds its.
            with pytest.raises(AssertionError, match="not so after"):
                poll_until(lambda: len(survivor.assignment()) == 4, survivor, seconds=15)
        produce(broker, "tills", 8)
        assert len(read(survivor, 4)) == 4
        survivor.close()
