"""What the lesson shows of requests and rows, as tables that JupyterLab and the book both draw."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pandas as pd
from IPython.display import Markdown
from lake.meter import Request


def markdown(frame: pd.DataFrame | Iterable[dict[str, Any]]) -> Markdown:
    """A small table; `none` where there is no value."""
    table = pd.DataFrame(frame, dtype=object)
    return Markdown(table.to_markdown(index=False, intfmt=",", floatfmt=",.2f", missingval="none"))


def requests(seen: list[Request]) -> Markdown:
    """One row a request: what it is for, of which object, how many bytes came or went."""
    return markdown(
        {
            "request": one.kind,
            "object": one.path.partition("?")[0].removeprefix("/lake/") or "(the bucket)",
            "range": one.span.removeprefix("bytes="),
            "status": one.status,
            "bytes": one.sent + one.received,
        }
        for one in seen
    )


def tally(seen: list[Request]) -> dict[str, int]:
    """How many requests of each kind, and the bytes that came."""
    counts = {
        f"{kind}s": sum(one.kind == kind for one in seen) for kind in ("LIST", "GET", "HEAD", "PUT")
    }
    return {name: count for name, count in counts.items() if count} | {
        "bytes read": sum(one.received for one in seen if one.kind == "GET")
    }


def opened(seen: list[Request], part: str) -> int:
    """How many different objects with `part` in their names were read."""
    return len({one.path for one in seen if one.kind == "GET" and part in one.path})


def log(text: str) -> Markdown:
    """An entry of Delta's log: one row an action, with what matters in it."""
    rows = []
    for line in text.splitlines():
        ((action, said),) = json.loads(line).items()
        file = said.get("path", "")
        statistics = json.loads(said["stats"]) if said.get("stats") else {}
        rows.append(
            {
                "action": action,
                "file": f"{file[:24]}…{file[-15:]}" if file else "",
                "lines": statistics.get("numRecords", ""),
                "smallest amount": statistics.get("minValues", {}).get("amount", ""),
                "largest amount": statistics.get("maxValues", {}).get("amount", ""),
            }
        )
    # Files are written side by side, and named in the order in which they were done.
    return markdown(sorted(rows, key=lambda row: row["file"]))
