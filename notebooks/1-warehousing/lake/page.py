"""What the lesson shows of requests and rows, as tables that JupyterLab and the book both draw."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd
from IPython.display import Markdown
from lake.meter import Request


def markdown(frame: pd.DataFrame | Iterable[dict[str, Any]]) -> Markdown:
    """A small table."""
    return Markdown(pd.DataFrame(frame, dtype=object).to_markdown(index=False, intfmt=",", floatfmt=",.2f"))


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
