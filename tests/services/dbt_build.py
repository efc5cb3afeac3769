"""A dbt project of a seed, a view, a table and an incremental model, built on a warehouse."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parent / "shop_dbt"
NODES = {"lines", "stg_lines", "baskets", "days"}


def dbt_build(output: dict[str, Any], folder: Path) -> Path:
    """Build the project twice, the second time with one more day; return where it lies."""
    project = folder / "shop"
    shutil.copytree(PROJECT, project)
    profiles = {"shop": {"target": "lab", "outputs": {"lab": output}}}
    # YAML reads JSON, and nothing needs quoting.
    (project / "profiles.yml").write_text(json.dumps(profiles))
    build(project)
    with (project / "seeds" / "lines.csv").open("a") as seed:
        seed.write("4,1,102,3.00,2017-01-02\n5,1,101,1.50,2017-01-03\n")
    build(project)
    return project


def build(project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dbt.cli.main", "build"],
        cwd=project,
        env={**os.environ, "DBT_PROFILES_DIR": str(project), "DO_NOT_TRACK": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    results = json.loads((project / "target" / "run_results.json").read_text())["results"]
    status = {result["unique_id"].split(".")[2]: result["status"] for result in results}
    assert {name for name in NODES if status[name] == "success"} == NODES
    assert sum(result["status"] == "pass" for result in results) == 4
