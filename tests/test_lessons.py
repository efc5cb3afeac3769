"""The lessons: each runs, stays within its bounds, and keeps the form that readers rely on."""

import json
import re
from pathlib import Path

import pytest

from lab import notebooks, paths, run, services

LESSONS = notebooks.find([])
# Lessons that may be skipped where what they need can't be had; CI names them here, one by one.
MAY_BE_SKIPPED: set[str] = set()


@pytest.fixture(scope="session")
def report() -> dict[str, dict]:
    """The records of all lessons, after running those that changed since their last good run."""
    run.run([], changed=True)
    records = json.loads(run.REPORT.read_text(encoding="utf-8"))["notebooks"]
    return {record["path"]: record for record in records}


def name(path: Path) -> str:
    return path.stem


def code_cells(path: Path) -> list:
    return [cell for cell in notebooks.read(path).node.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", LESSONS, ids=name)
def test_runs(report, path):
    record = report[path.relative_to(paths.ROOT).as_posix()]
    allowed = {"ok", "skipped"} if path.stem in MAY_BE_SKIPPED else {"ok"}
    assert record["status"] in allowed, record["reason"]


@pytest.mark.parametrize("path", LESSONS, ids=name)
def test_fits_a_laptop(report, path):
    assert report[path.relative_to(paths.ROOT).as_posix()]["peak_mb"] <= 4096


@pytest.mark.parametrize("path", LESSONS, ids=name)
def test_starts_the_services_that_it_names(report, path):
    record = report[path.relative_to(paths.ROOT).as_posix()]
    named = {services.named(one).title for one in notebooks.read(path).needs.services}
    assert {one["service"] for one in record["services"]} <= named


@pytest.mark.parametrize("path", LESSONS, ids=name)
def test_says_what_it_needs_and_where_it_leads(path):
    prose = "\n".join(
        cell.source for cell in notebooks.read(path).node.cells if cell.cell_type == "markdown"
    ).lower()
    for word in ("you need", "you will", "break", "summary", "next"):
        assert word in prose, f"no word of {word!r}"


@pytest.mark.parametrize("path", LESSONS, ids=name)
def test_has_cells_that_can_be_taken_in(path):
    too_long = [cell.id for cell in code_cells(path) if len(cell.source.splitlines()) > 20]
    assert not too_long, "move these cells' code to a file of the project"


@pytest.mark.parametrize("path", LESSONS, ids=name)
@pytest.mark.parametrize(
    ("pattern", "instead"),
    [
        (r"^\s*[!%]\s*pip", "the lock brings what a lesson needs"),
        (r"import \*", "name what you import"),
        (r"time\.sleep\(", "wait for a condition"),
        (
            r"[\"'](/home/|/tmp/|/Users/|[A-Z]:\\\\)",
            "use a path below the lesson, or a temporary one",
        ),
        (r"localhost", "127.0.0.1, or what the service says"),
    ],
)
def test_has_no_bad_habit(path, pattern, instead):
    found = [cell.id for cell in code_cells(path) if re.search(pattern, cell.source, re.MULTILINE)]
    assert not found, instead


@pytest.mark.parametrize("path", LESSONS, ids=name)
def test_is_in_the_table_of_contents(path):
    toc = (paths.ROOT / "_toc.yml").read_text(encoding="utf-8")
    listed = path.relative_to(paths.ROOT).with_suffix("").as_posix()
    assert listed in toc or f"{Path(listed).parent.as_posix()}/*" in toc
