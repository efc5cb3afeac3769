"""What the lesson on dbt draws and breaks: the graph is dbt's own, a copy differs in one place."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from lab import paths
from lab.errors import LabError

sys.path.insert(0, str(paths.NOTEBOOKS / "1-warehousing"))

from lineage import breaking, graph, page
from warehouse.run import PROJECT, dbt


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("lineage")
    quiet = ("--log-level", "none")
    assert dbt("parse", *quiet, lake=place / "lake", file=place / "w.duckdb").success
    return place / "target"


def test_a_node_stands_to_the_right_of_all_it_needs(target: Path) -> None:
    nodes = graph.read(target / "manifest.json")
    at = graph._places(nodes)
    assert len(set(at.values())) == len(nodes)
    for i, node in nodes.items():
        assert all(at[parent][0] < at[i][0] for parent in node["parents"]), node["name"]


def test_downstream_is_what_dbt_says(target: Path) -> None:
    said = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    nodes = graph.read(target / "manifest.json")
    name = "stg_products"
    found, new = set(), {i for i in nodes if nodes[i]["name"] == name}
    while new:
        new = {c for i in new for c in said["child_map"][i] if c in nodes} - found
        found |= new
    assert graph.below(nodes, name) == sorted(nodes[i]["name"] for i in found)
    assert "monthly_report" in graph.below(nodes, name)


def test_what_is_marked_is_drawn_so(target: Path) -> None:
    nodes = graph.read(target / "manifest.json")
    drawn = graph.figure(nodes, {"stg_orders": "broken", "dim_store": "downstream"})
    names = {trace.name: list(trace.text) for trace in drawn.data if trace.name}
    assert names["broken"] == ["stg_orders"]
    assert names["downstream"] == ["dim_store"]
    assert len(names["not touched"]) == len(nodes) - 2


def test_a_copy_differs_in_one_place(tmp_path: Path) -> None:
    file = "models/staging/stg_orders.sql"
    broken = breaking.copy(tmp_path / "broken", file, "    where age = 1\n", "")
    changed = [
        one.relative_to(broken).as_posix()
        for one in broken.rglob("*.*")
        if one.is_file() and one.read_bytes() != (PROJECT / one.relative_to(broken)).read_bytes()
    ]
    assert changed == [file]


def test_a_change_that_fits_nowhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="0 times"):
        breaking.copy(tmp_path / "new", "models/staging/stg_orders.sql", "no such text", "")
    assert not (tmp_path / "new").exists()


def test_a_part_is_shown_with_its_lines(tmp_path: Path) -> None:
    file = tmp_path / "some.yml"
    file.write_text("a:\n  b: 1\n  c: 2\nd: 3\n", encoding="utf-8")
    text = page.part(file.as_posix(), "b:", "d:").data
    assert "lines 2 to 3" in text
    assert "```yaml\nb: 1\nc: 2\n```" in text
