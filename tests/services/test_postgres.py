"""PostgreSQL through psycopg: what the lessons on OLTP and change data stand on."""

from __future__ import annotations

import time
from collections.abc import Callable

import psycopg
import pytest

from lab.services import Postgres

SERVICE = Postgres


def eventually(happened: Callable[[], bool], what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"{what} has not happened after {seconds:.0f} s"
        time.sleep(0.05)


def test_copy_constraints_and_plans(server: Postgres) -> None:
    with server.connect() as connection:
        connection.execute(
            "create table line (basket int, product int, cents int check (cents >= 0),"
            " primary key (basket, product))"
        )
        with connection.cursor().copy("copy line from stdin") as copy:
            for number in range(20_000):
                copy.write_row((number // 10, number % 10, number % 500))
        connection.execute("analyze line")
        total = connection.execute("select count(*), sum(cents) from line").fetchone()
        assert total == (20_000, sum(number % 500 for number in range(20_000)))
        plan = connection.execute(
            "explain (analyze, buffers, format json) select * from line where basket = 7"
        ).fetchone()
        assert plan is not None
        root = plan[0][0]["Plan"]
        assert root["Actual Rows"] == 10 and "Index" in str(root) and "Shared Hit Blocks" in root
        with pytest.raises(psycopg.errors.CheckViolation), connection.transaction():
            connection.execute("insert into line values (-1, 1, -5)")
        with pytest.raises(psycopg.errors.UniqueViolation), connection.transaction():
            connection.execute("insert into line values (7, 1, 5)")


def test_serializable_transactions_conflict(server: Postgres) -> None:
    with server.connect(autocommit=True) as connection:
        connection.execute("create table stock (product int primary key, units int)")
        connection.execute("insert into stock values (1, 10)")
    with server.connect() as one, server.connect() as other:
        for session in (one, other):
            session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            session.execute("select units from stock where product = 1")
        one.execute("update stock set units = units - 1 where product = 1")
        one.commit()
        with pytest.raises(psycopg.errors.SerializationFailure):
            other.execute("update stock set units = units - 1 where product = 1")


def test_committed_rows_survive_a_crash_and_others_do_not(start: Callable[..., Postgres]) -> None:
    pg = start()
    port = dict(pg.port)
    with pg.connect() as connection:
        connection.execute("create table sale (id int)")
        connection.execute("insert into sale values (1)")
        connection.commit()
        connection.execute("insert into sale values (2)")
        pg.crash()
        with pytest.raises(psycopg.OperationalError):
            connection.commit()
    pg.restart()
    assert pg.port == port
    with pg.connect() as connection:
        assert connection.execute("select id from sale").fetchall() == [(1,)]
    assert "not properly shut down" in pg.log()


def test_a_logical_slot_tells_every_change(server: Postgres) -> None:
    with server.connect(autocommit=True) as connection:
        connection.execute("create table price (product int primary key, cents int)")
        connection.execute("select pg_create_logical_replication_slot('watch', 'test_decoding')")
        connection.execute("insert into price values (1, 100)")
        connection.execute("update price set cents = 120 where product = 1")
        connection.execute("delete from price where product = 1")
        with pytest.raises(ZeroDivisionError), connection.transaction():
            connection.execute("insert into price values (2, 1)")
            raise ZeroDivisionError
        read = "select data from pg_logical_slot_get_changes('watch', null, null)"
        changes = [row[0] for row in connection.execute(read) if row[0].startswith("table")]
        kinds = [change.split(":")[1].strip() for change in changes]
        assert kinds == ["INSERT", "UPDATE", "DELETE"]
        assert "cents[integer]:120" in changes[1]
        assert not [row for row in connection.execute(read) if row[0].startswith("table")]
        connection.execute("select pg_drop_replication_slot('watch')")


def test_pgoutput_streams_a_publication(server: Postgres) -> None:
    with server.connect(autocommit=True) as connection:
        connection.execute("create table click (id int primary key)")
        connection.execute("create table secret (id int primary key)")
        connection.execute("create publication clicks for table click")
        connection.execute("select pg_create_logical_replication_slot('pub', 'pgoutput')")
        connection.execute("insert into click values (1), (2)")
        connection.execute("insert into secret values (1)")
        kinds = [
            row[0][:1]
            for row in connection.execute(
                "select data from pg_logical_slot_get_binary_changes("
                "'pub', null, null, 'proto_version', '1', 'publication_names', 'clicks')"
            )
        ]
        # Begin, Relation, two Inserts, Commit; nothing of the table that is not published.
        assert [kind for kind in kinds if kind in b"RI"] == [b"R", b"I", b"I"]
        connection.execute("select pg_drop_replication_slot('pub')")


def test_a_subscription_follows_another_server(start: Callable[..., Postgres], way: str) -> None:
    if way == "container":
        # Each container is bound to 127.0.0.1 of the host, which is not what another one sees.
        source = target = start()
    else:
        source, target = start(), start()
    inside = source.ports["sql"] if source is target else source.port["sql"]
    database = "copy" if source is target else target.database
    with source.connect(autocommit=True) as here:
        here.execute("create table basket (id int primary key, cents int)")
        here.execute("insert into basket values (1, 100), (2, 200)")
        here.execute("create publication baskets for table basket")
        here.execute("select pg_create_logical_replication_slot('follow', 'pgoutput')")
        if source is target:
            here.execute("create database copy")
        address = target.url.rsplit("/", 1)[0] + f"/{database}"
        with psycopg.connect(address, autocommit=True) as there:
            there.execute("create table basket (id int primary key, cents int)")
            there.execute(
                "create subscription follow connection "
                f"'host=127.0.0.1 port={inside} user={source.user} password={source.password} "
                f"dbname={source.database}' publication baskets with (create_slot = false)"
            )

            def rows() -> list[tuple[int, int]]:
                return there.execute("select id, cents from basket order by id").fetchall()

            eventually(lambda: len(rows()) == 2, "the first copy")
            here.execute("insert into basket values (3, 300)")
            here.execute("update basket set cents = 150 where id = 1")
            here.execute("delete from basket where id = 2")
            eventually(lambda: rows() == [(1, 150), (3, 300)], "the insert, update and delete")
            there.execute("drop subscription follow")


def test_a_wrong_password_is_refused(server: Postgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.url.replace(":lab@", ":guess@"))
