"""Executes notebooks, several at a time, on real services, and reports what happened.

What ran well is kept under `_build/executed`, with a record beside it under `_build/runs`; a
failed run leaves its copy under `_build/failed` and takes nothing away from the last good one.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nbformat
import psutil
from rich.live import Live
from rich.table import Table

from lab import images, notebooks, paths, services
from lab.console import out, say
from lab.errors import LabError
from lab.notebooks import Notebook
from lab.services import guard
from lab.services.session import Session

EXECUTED = paths.BUILD / "executed"
FAILED = paths.BUILD / "failed"
RUNS = paths.BUILD / "runs"
REPORT = paths.BUILD / "report.json"

# No lesson may take longer, whatever it says of itself.
LONGEST_S = 300
# Answers in a cell with this tag are measurements: they differ from run to run, and say so.
MEASURED = "measured"


@dataclass
class Record:
    """How the run of one notebook went; `_build/report.json` is a list of these."""

    path: str
    title: str
    status: str = "waiting"  # waiting, running, ok, failed, skipped
    reason: str = ""
    cell: str = ""
    seconds: float = 0.0
    peak_mb: int = 0
    limit_s: int = LONGEST_S
    services: list[dict[str, Any]] = field(default_factory=list)
    fresh: bool = True
    fingerprint: str = ""
    output: str = ""


def run(
    given: list[Path],
    *,
    jobs: int | None = None,
    changed: bool = False,
    twice: bool = False,
    timeout: int | None = None,
    strict: bool = False,
) -> int:
    """Execute the notebooks that `given` names, all lessons when none is.

    Args:
        given: files and folders.
        jobs: how many at once; by default as many as there are cores.
        changed: leave out what has a good run and has not changed since: its code, its phase's
        files,
            `lab`, the lock, the data's manifest, the images, the way of its services.
        twice: run each again and compare the answers of all cells without the tag `measured`.
        timeout: seconds that one notebook may take, instead of `LONGEST_S`.
        strict: a skipped notebook is a failure too.

    Returns:
        The exit code: 1 if a notebook failed.
    """
    books = [notebooks.read(path) for path in notebooks.find(given)]
    if not books:
        raise LabError(
            "there is no notebook below notebooks/; is this a whole clone of the course?"
        )
    records = {
        book.name: Record(
            book.name, book.title, limit_s=timeout or LONGEST_S, fingerprint=fingerprint(book)
        )
        for book in books
    }
    todo = []
    for book in books:
        last = kept(book.name)
        if (
            changed
            and last
            and last.status == "ok"
            and last.fingerprint == records[book.name].fingerprint
        ):
            last.fresh = False
            records[book.name] = last
        else:
            todo.append(book)
    # The longest first: on two cores the short ones then fill the gaps.
    todo.sort(key=lambda book: -(last.seconds if (last := kept(book.name)) else book.needs.seconds))
    stop = threading.Event()
    memory = Memory()
    # Its guard ends the workers if this process is killed.
    Session.current()
    with board(list(records.values())), ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        futures = [
            pool.submit(_one, book, records[book.name], twice, memory, stop) for book in todo
        ]
        try:
            for future in futures:
                future.result()
        except BaseException:
            stop.set()
            for future in futures:
                future.cancel()
            raise
        finally:
            write_report()
    return _tell(list(records.values()), strict)


def _one(
    book: Notebook, record: Record, twice: bool, memory: Memory, stop: threading.Event
) -> None:
    if stop.is_set():
        return
    if reason := lacking(book):
        record.status, record.reason = "skipped", reason
        keep(record)
        return
    with (
        memory.take(book.needs.memory_mb),
        # In the session's folder, which its guard removes; a short name, as sockets lie below it.
        tempfile.TemporaryDirectory(prefix="", dir=Session.current().folder) as folder,
    ):
        if stop.is_set():
            return
        record.status = "running"
        first = Path(folder) / "first.ipynb"
        _execute(book, record, Path(folder), first, stop)
        if record.status == "ok" and twice:
            seconds = record.seconds
            second = Path(folder) / "second.ipynb"
            _execute(book, record, Path(folder), second, stop)
            record.seconds = min(seconds, record.seconds)
            if record.status == "ok" and (cell := first_difference(first, second)):
                record.status, record.cell = "failed", cell
                record.reason = (
                    f"the answers of cell {cell} differ between two runs; sort them, seed them, or "
                    f"tag the cell `{MEASURED}` if it measures"
                )
        place = {"ok": EXECUTED, "failed": FAILED}.get(record.status)
        if place and first.exists():
            target = place / record.path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(first, target.with_suffix(".part"))
            target.with_suffix(".part").replace(target)
            if place == EXECUTED:
                (FAILED / record.path).unlink(missing_ok=True)
    if record.status in ("ok", "failed", "skipped"):
        keep(record)


def _execute(
    book: Notebook, record: Record, folder: Path, target: Path, stop: threading.Event
) -> None:
    """Execute once in a process of its own; watch its time, its memory and the wish to stop."""
    result, told = folder / "result.json", folder / "services.jsonl"
    log = folder / "log"
    told.unlink(missing_ok=True)
    environment = os.environ | {
        "LAB_SERVICES_REPORT": str(told),
        # A user's own start-up files and open kernels have no part in a run.
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(folder / "rt"),
        "PYTHONHASHSEED": "0",
    }
    started = time.monotonic()
    with log.open("wb") as sink:
        worker = subprocess.Popen(
            [sys.executable, "-m", "lab.execute", str(book.path), str(target), str(result)],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=environment,
            **({} if os.name == "nt" else {"start_new_session": True}),
        )
        try:
            late = False
            while worker.poll() is None:
                record.peak_mb = max(record.peak_mb, _memory_mb(worker.pid, told))
                late = time.monotonic() - started > record.limit_s
                if late or stop.is_set():
                    break
                try:
                    worker.wait(timeout=0.5)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            _kill_tree(worker)
    record.seconds = round(time.monotonic() - started, 1)
    record.services = _services(told)
    told_us = json.loads(result.read_text()) if result.exists() else {}
    record.cell = told_us.get("cell") or ""
    if stop.is_set():
        record.status, record.reason = "stopped", "stopped by hand"
    elif late:
        record.status = "failed"
        record.reason = f"still running after {record.limit_s} s, stopped in cell {record.cell}"
    elif told_us.get("status") == "ok":
        record.status = "ok"
    elif told_us.get("error") == "Unavailable" and book.needs.needs:
        record.status, record.reason = "skipped", told_us["reason"]
    elif told_us.get("status") == "failed":
        record.status = "failed"
        record.reason = f"cell {record.cell}: {told_us['error']}: {told_us['reason']}".strip()
        record.output = _excerpt(told_us)
    else:
        tail = log.read_text(errors="replace").strip().splitlines()[-3:]
        record.status = "failed"
        record.reason = (
            f"its run ended with code {worker.returncode}: {' '.join(tail) or 'no word'}"
        )


def _excerpt(told_us: dict[str, Any]) -> str:
    trace = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(told_us.get("traceback", [])))
    source = "\n".join("    " + line for line in told_us.get("source", "").splitlines()[:20])
    return f"{source}\n  {chr(10).join(trace.splitlines()[-12:])}"


def lacking(book: Notebook) -> str:
    """Why a notebook can't run here, judged by what its metadata says it needs; empty if it can."""
    for need in book.needs.needs:
        if need == "containers":
            if reason := images.engine():
                return f"it needs containers, and {reason}"
        elif need not in ("maven", "npm"):  # what these bring may be cached: the lesson finds out
            raise LabError(
                f"{book.name}: its metadata needs {need!r}; known are containers, maven and npm."
            )
    return ""


def fingerprint(book: Notebook) -> str:
    """A hash of all that can change a notebook's answers."""
    digest = hashlib.sha256()

    def add(*parts: object) -> None:
        for part in parts:
            digest.update(str(part).encode() + b"\0")

    for cell in book.node.cells:
        if cell.cell_type == "code":
            add(cell.get("id"), cell.source)
    add(json.dumps(book.node.metadata.get("lab", {}), sort_keys=True))
    phase = book.path.parent
    room = paths.ENV / "lab"
    files = [file for file in phase.rglob("*") if file.suffix != ".ipynb"]
    files += [*room.glob("services/*.py"), *paths.DATASETS.glob("*"), *paths.TOOLS.rglob("*")]
    files += [room / f"{name}.py" for name in ("datasets", "show", "images", "jars", "execute")]
    files += [paths.ENV / "requirements.lock", *paths.IMAGES.rglob("*")]
    for file in sorted(files):
        left_out = {"__pycache__", ".ipynb_checkpoints"} & set(file.parts) or file.suffix == ".md"
        if file.is_file() and not left_out:
            add(file.relative_to(paths.ROOT) if file.is_relative_to(paths.ROOT) else file)
            digest.update(file.read_bytes())
    add(sys.version, os.environ.get("LAB_SERVICES", "auto"), bool(images.engine()))
    for service in book.needs.services:
        add(images.local_id(services.named(service).image))
    return digest.hexdigest()


# --- what is kept


def kept(name: str) -> Record | None:
    """The record of a notebook's last run that counts, if there is one."""
    try:
        return Record(**json.loads((RUNS / f"{name}.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def keep(record: Record) -> None:
    """Write a record down. The executed copy of the last good run stays, whatever it says."""
    file = RUNS / f"{record.path}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".part")
    partial.write_text(json.dumps(asdict(record), indent=1), encoding="utf-8")
    partial.replace(file)


def write_report() -> None:
    """Gather the records of all notebooks that exist into `_build/report.json`."""
    records = [record for file in sorted(RUNS.rglob("*.json")) if (record := _load(file))]
    report = {
        "machine": {
            "system": platform.platform(terse=True),
            "processor": platform.machine(),
            "cores": os.cpu_count(),
            "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
            "services": os.environ.get("LAB_SERVICES", "auto"),
        },
        "versions": {"python": platform.python_version()}
        | {
            name: version(name)
            for name in ("jupyter-book", "papermill", "duckdb", "testcontainers")
        },
        "notebooks": [asdict(record) for record in records],
    }
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    partial = REPORT.with_suffix(".part")
    partial.write_text(json.dumps(report, indent=1), encoding="utf-8")
    partial.replace(REPORT)


def _load(file: Path) -> Record | None:
    name = file.relative_to(RUNS).as_posix().removesuffix(".json")
    if not (paths.ROOT / name).exists():
        return None
    return kept(name)


# --- comparing


def first_difference(one: Path, other: Path) -> str:
    """The id of the first cell whose answers differ between two executed copies, or nothing."""
    left, right = (nbformat.read(path, as_version=4).cells for path in (one, other))
    for a, b in zip(left, right, strict=True):
        if a.cell_type != "code" or MEASURED in a.metadata.get("tags", []):
            continue
        if _answers(a) != _answers(b):
            return str(a.id)
    return ""


def _answers(cell: Any) -> list[Any]:
    answers: list[Any] = []
    for output in cell.outputs:
        plain = {
            key: output[key] for key in ("output_type", "name", "text", "data") if key in output
        }
        same_stream = answers and plain.get("name") and answers[-1].get("name") == plain["name"]
        if same_stream:
            # Where a stream is cut into pieces depends on time.
            answers[-1]["text"] += plain["text"]
        else:
            answers.append(plain)
    return answers


# --- watching


class Memory:
    """Lets notebooks start while what they say they need fits into the machine."""

    def __init__(self) -> None:
        self._free = psutil.virtual_memory().available / 2**20 * 0.9
        self._all = self._free
        self._changed = threading.Condition()

    @contextmanager
    def take(self, megabytes: int) -> Iterator[None]:
        # One that is larger than the machine still runs, alone.
        want = min(megabytes, self._all)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= want)
            self._free -= want
        try:
            yield
        finally:
            with self._changed:
                self._free += want
                self._changed.notify_all()


def _memory_mb(pid: int, told: Path) -> int:
    """Memory of a process tree and of the containers it started, in MiB.

    On Linux proportional set size, so that pages which PostgreSQL's processes share count once.
    """
    total = 0
    try:
        tree = [psutil.Process(pid)]
        tree += tree[0].children(recursive=True)
    except psutil.Error:
        return 0
    for process in tree:
        try:
            total += getattr(process.memory_full_info(), "pss", 0) or process.memory_info().rss
        except psutil.Error:
            continue
    sessions = {service["session"] for service in _services(told) if service["way"] == "container"}
    return int((total + sum(map(_containers_bytes, sessions))) / 2**20)


def _containers_bytes(session: str) -> int:
    """What the containers of a session hold, less the file cache that the system can take back."""
    import docker

    total = 0
    try:
        client = docker.from_env(timeout=3)
        for container in client.containers.list(filters={"label": f"{guard.LABEL}={session}"}):
            memory = client.api.stats(container.id, stream=False, one_shot=True)["memory_stats"]
            cached = memory["stats"].get(
                "total_inactive_file", memory["stats"].get("inactive_file", 0)
            )
            total += memory["usage"] - cached
    except (docker.errors.DockerException, OSError, KeyError):
        # It ended while we looked.
        return total
    return total


def _services(told: Path) -> list[dict[str, Any]]:
    try:
        lines = told.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]
    except (OSError, ValueError):
        return []


def _kill_tree(worker: subprocess.Popen[bytes]) -> None:
    """End a worker that still runs; the guards of its kernel's services see to the rest."""
    try:
        tree = [psutil.Process(worker.pid), *psutil.Process(worker.pid).children(recursive=True)]
    except psutil.Error:
        tree = []
    for process in tree:
        try:
            # A guard must outlive what it guards.
            if "guard.py" not in " ".join(process.cmdline()):
                process.kill()
        except psutil.Error:
            continue
    worker.wait()
    guards = []
    for process in tree:
        try:
            if process.is_running() and "guard.py" in " ".join(process.cmdline()):
                guards.append(process)
        except psutil.Error:
            continue
    psutil.wait_procs(guards, timeout=15)


# --- showing


@contextmanager
def board(records: list[Record]) -> Iterator[None]:
    """While the body runs: at a terminal a live table, otherwise a line whenever something ends."""
    done = threading.Event()
    if out.is_terminal:
        with Live(get_renderable=lambda: _table(records), console=out, refresh_per_second=4):
            yield
        return

    def follow() -> None:
        seen: dict[str, str] = {}
        while True:
            over = done.is_set()
            for record in records:
                if record.status != seen.get(record.path) and record.status != "waiting":
                    seen[record.path] = record.status
                    ended = sum(one.status not in ("waiting", "running") for one in records)
                    say(f"[{ended}/{len(records)}] {record.path}: {_line(record)}")
            if over:
                return
            done.wait(0.2)

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(timeout=5)


def _line(record: Record) -> str:
    if record.status == "ok":
        ways = ", ".join(f"{one['service']} ({one['way']})" for one in record.services)
        unchanged = "" if record.fresh else ", unchanged since"
        return (
            f"ok in {record.seconds} s, {record.peak_mb} MB{'; ' + ways if ways else ''}{unchanged}"
        )
    return f"{record.status}{': ' + record.reason.splitlines()[0] if record.reason else ''}"


def _table(records: list[Record]) -> Table:
    left = sum(record.status in ("waiting", "running") for record in records)
    table = Table(
        title=f"{len(records) - left} of {len(records)} notebooks done", title_justify="left"
    )
    for name in ("notebook", "how", "seconds", "peak MB", "services"):
        table.add_column(name, justify="right" if name in ("seconds", "peak MB") else "left")
    style = {"ok": "green", "failed": "red", "skipped": "yellow", "running": "bold"}
    for record in records:
        ways = ", ".join(f"{one['service']} ({one['way']})" for one in record.services)
        status = record.status if record.fresh else "unchanged"
        numbers = [f"{record.seconds:.1f}" if record.seconds else "", f"{record.peak_mb or ''}"]
        table.add_row(record.path, status, *numbers, ways, style=style.get(record.status, "dim"))
    return table


def _tell(records: list[Record], strict: bool) -> int:
    count = {
        status: sum(record.status == status for record in records)
        for status in ("ok", "failed", "skipped")
    }
    for record in records:
        if record.status == "failed":
            say(f"\n{record.path} failed: {record.reason}")
            if record.output:
                say(record.output)
            if (FAILED / record.path).exists():
                say(f"  What it had done so far: {os.path.relpath(FAILED / record.path)}")
        elif record.status == "skipped":
            say(f"{record.path} was skipped: {record.reason}")
    unchanged = sum(not record.fresh for record in records)
    say(
        f"{count['ok']} ok ({unchanged} unchanged), {count['failed']} failed, "
        f"{count['skipped']} skipped; "
        f"report in {os.path.relpath(REPORT)}"
    )
    return int(bool(count["failed"]) or (strict and bool(count["skipped"])))
