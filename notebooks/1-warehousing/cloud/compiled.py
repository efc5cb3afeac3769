"""One set of models, and what dbt made of it for each engine."""

from __future__ import annotations

import difflib
import re

import pandas as pd
from dbt.cli.main import dbtRunnerResult


def models(result: dbtRunnerResult) -> dict[str, str]:
    """Each model's SQL as it was sent, with its own names in place of the engine's full ones."""
    nodes = [one.node for one in result.result.results if str(one.node.resource_type) == "model"]
    texts = {}
    for node in nodes:
        text = node.compiled_code
        for other in nodes:
            text = text.replace(other.relation_name, other.name)
        for mark in ('"', "`"):
            text = text.replace(mark, "")
        # The number of the run, which it writes into its rows.
        texts[node.name] = re.sub("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "run", text)
    return texts


def changed(one: dict[str, str], other: dict[str, str]) -> pd.Series:
    """How many lines of each model differ between two engines."""
    counts = {}
    for name, text in one.items():
        lines = difflib.ndiff(text.splitlines(), other[name].splitlines())
        counts[name] = sum(line.startswith("+ ") for line in lines)
    return pd.Series(counts)


def difference(name: str, one: dict[str, str], other: dict[str, str]) -> str:
    """The lines of a model in which two engines differ."""
    lines = difflib.unified_diff(one[name].splitlines(), other[name].splitlines(), lineterm="", n=0)
    return "\n".join(line for line in lines if not line.startswith(("---", "+++", "@@")))
