"""dbt in this process, on this project: no second Python to start, no file beside the code."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from dbt.cli.main import dbtRunner, dbtRunnerResult

PROJECT = Path(__file__).parent


def dbt(
    *words: str,
    lake: str | Path,
    file: str | Path,
    now: str = "",
    target: str = "duckdb",
    project: Path = PROJECT,
    **env: object,
) -> dbtRunnerResult:
    """Run a command of dbt on the warehouse.

    Args:
        words: as on the command line: `"build"`, `"--select"`, `"marts"`.
        lake: the lake's location, as `lake.fill` returns it.
        file: the DuckDB file of the warehouse; dbt's own files go into folders beside it.
        now: UTC; nothing that was loaded later is seen. By default everything is.
        target: an output of profiles.yml.
        project: the folder of the project; a copy of it is a good place to break something.
        env: further environment variables that profiles.yml asks for.

    Returns:
        dbt's own result; `.success` says whether all went well, `report` makes a table of it.
    """
    file = Path(file)
    settings = {
        "LAKE": lake.as_posix() if isinstance(lake, Path) else lake,
        "WAREHOUSE_FILE": str(file),
        "DBT_TARGET_PATH": str(file.parent / "target"),
        "DBT_LOG_PATH": str(file.parent / "logs"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
        **{name: str(value) for name, value in env.items()},
    }
    where = ["--project-dir", str(project), "--profiles-dir", str(project), "--target", target]
    with _environment(settings):
        # Its log goes to its file; what is to be seen of a run is in its result.
        quiet = ["--log-level", "none", "--no-use-colors"]
        return dbtRunner().invoke([*words, *where, "--vars", json.dumps({"now": now}), *quiet])


def report(result: dbtRunnerResult) -> pd.DataFrame:
    """What a run did: one row a node, with its kind, status, seconds, failures and message."""
    if result.exception:
        raise result.exception
    rows = [
        {
            "node": one.node.name,
            "kind": str(one.node.resource_type),
            "status": str(one.status),
            "seconds": round(one.execution_time, 2),
            "failures": getattr(one, "failures", None),
            "message": one.message,
        }
        for one in result.result.results
    ]
    return pd.DataFrame(rows)


@contextlib.contextmanager
def _environment(settings: dict[str, str]) -> Iterator[None]:
    before = os.environ.copy()
    os.environ.update(settings)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
