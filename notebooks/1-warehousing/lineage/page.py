"""What the lesson shows of dbt's own files, as tables that JupyterLab and the book both draw."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path

import pandas as pd
from dbt.cli.main import dbtRunnerResult
from IPython.display import Markdown
from lineage.breaking import plain
from warehouse.page import markdown
from warehouse.run import report

RUN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # dbt's name of one run


def compiled(target: Path, model: str) -> Markdown:
    """The SQL that dbt made of a model; the name of the run, new each time, is left out."""
    (file,) = (target / "compiled").rglob(f"{model}.sql")
    lines = file.read_text(encoding="utf-8").splitlines()
    text = RUN.sub("…", "\n".join(line for line in lines if line.strip()))
    return Markdown(f"```sql\n{text}\n```")


def part(path: str, start: str, end: str | None = None) -> Markdown:
    """A part of a file of the project, from the line with `start` to before the one with `end`."""
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    first = next(n for n, line in enumerate(lines) if start in line)
    after = range(first + 1, len(lines))
    last = next((n for n in after if end is not None and end in lines[n]), len(lines))
    text = textwrap.dedent("\n".join(lines[first:last]).rstrip())
    language = "yaml" if path.endswith(".yml") else "sql"
    return Markdown(f"`{path}`, lines {first + 1} to {last}\n\n```{language}\n{text}\n```")


def freshness(results: dict[str, dbtRunnerResult]) -> Markdown:
    """One row a moment: how old the newest row of `orders` is then, and what dbt says of it."""
    rows = []
    for moment, result in results.items():
        (orders,) = (one for one in result.result.results if one.node.name == "orders")
        rows.append(
            {
                "now (UTC)": moment,
                "newest row (UTC)": f"{orders.max_loaded_at:%Y-%m-%d %H:%M}",
                "hours old": f"{orders.age / 3600:.0f}",
                "dbt says": str(orders.status),
                "exit code": 0 if result.success else 1,
            }
        )
    return markdown(pd.DataFrame(rows, dtype=object))


def documented(target: Path, layer: str) -> Markdown:
    """What the catalogue found of a layer's tables, beside what people wrote about them."""
    catalog, manifest = (
        json.loads((target / f"{name}.json").read_text(encoding="utf-8"))["nodes"]
        for name in ("catalog", "manifest")
    )
    rows = []
    for i, found in sorted(catalog.items()):
        said = manifest[i]
        if said["resource_type"] != "model" or said["fqn"][1] != layer:
            continue
        columns = {name.lower() for name in found["columns"]}
        explained = {n for n, column in said["columns"].items() if column["description"]}
        grain = " ".join(said["description"].split()).removeprefix("Grain: ")
        rows.append(
            {
                "table": said["name"],
                "grain": grain.split(". ")[0].rstrip("."),
                "columns": len(columns),
                "explained": len(columns & explained),
            }
        )
    return markdown(pd.DataFrame(rows, dtype=object))


def said(result: dbtRunnerResult, *statuses: str) -> Markdown:
    """The messages of nodes that did not do well, as dbt gives them, without its colours."""
    every = report(result).sort_values("node").to_dict("records")
    bad = [row for row in every if row["status"] in statuses]
    return Markdown(
        "\n\n".join(
            f"`{row['node']}`: {row['status']}\n\n```text\n{plain(row['message'] or '')}\n```"
            for row in bad
        )
    )
