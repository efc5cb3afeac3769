"""The lineage of a dbt project, drawn from the manifest that each of its commands writes."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
from lab.show import COLOURS

KINDS = ("source", "model", "snapshot", "exposure")
STYLES = {
    "source": (COLOURS[4], "square"),
    "staging": (COLOURS[5], "circle"),
    "intermediate": (COLOURS[2], "circle-open"),
    "marts": (COLOURS[2], "circle"),
    "answers": (COLOURS[0], "circle"),
    "snapshot": (COLOURS[3], "diamond"),
    "exposure": (COLOURS[3], "star"),
    "not touched": ("#9a9a9a", "circle-open"),
    "broken": (COLOURS[0], "square"),
    "downstream": (COLOURS[1], "circle"),
}


def read(manifest: Path) -> dict[str, dict[str, Any]]:
    """Sources, models, snapshots and exposures by their dbt id, each with its parents.

    Args:
        manifest: `target/manifest.json` of a project.

    Returns:
        For each node: name, kind, layer (a model's folder), description, parents, owner.
    """
    said = json.loads(manifest.read_text(encoding="utf-8"))
    every = said["sources"] | said["nodes"] | said["exposures"]
    kept = {i: node for i, node in every.items() if node["resource_type"] in KINDS}
    parents = {i: [p for p in said["parent_map"][i] if p in kept] for i in kept}
    feeding = {p for some in parents.values() for p in some}
    return {
        i: {
            "name": node["name"],
            "kind": node["resource_type"],
            "layer": node["fqn"][1] if node["resource_type"] == "model" else node["resource_type"],
            "description": " ".join(node["description"].split()),
            "parents": sorted(parents[i]),
            "owner": (node.get("owner") or {}).get("email", ""),
        }
        for i, node in sorted(kept.items())
        if parents[i] or i in feeding
    }


def figure(
    nodes: Mapping[str, Mapping[str, Any]], marked: Mapping[str, str] | None = None
) -> go.Figure:
    """The graph from left to right: each node stands to the right of all that it is made from.

    Args:
        nodes: as `read` returns them.
        marked: by name, "broken" or "downstream"; without any, colours are the layers.
    """
    at = _places(nodes)
    fig = go.Figure()
    group = {
        i: marked.get(node["name"], "not touched") if marked else node["layer"]
        for i, node in nodes.items()
    }
    hot = [(p, i) for i, n in nodes.items() for p in n["parents"] if _spoilt(group[p])]
    cold = [(p, i) for i, n in nodes.items() for p in n["parents"] if not _spoilt(group[p])]
    for edges, colour, width in ((cold, "#bdbdbd", 1), (hot, COLOURS[1], 1.5)):
        x, y = _curves(edges, at)
        line = {"color": colour, "width": width}
        fig.add_scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip", showlegend=False)
    for name, (colour, symbol) in STYLES.items():
        some = [i for i in nodes if group[i] == name]
        if some:
            fig.add_scatter(
                x=[at[i][0] for i in some],
                y=[at[i][1] for i in some],
                text=[nodes[i]["name"] for i in some],
                hovertext=[_hover(nodes[i]) for i in some],
                hoverinfo="text",
                mode="markers+text",
                textposition="top center",
                textfont={"size": 11},
                marker={"color": colour, "symbol": symbol, "size": 12},
                name=name,
            )
    fig.update_layout(
        height=560,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        legend={"orientation": "h", "y": -0.02},
    )
    fig.update_xaxes(visible=False, range=[-0.5, max(x for x, _ in at.values()) + 0.5])
    fig.update_yaxes(visible=False)
    return fig


def below(nodes: Mapping[str, Mapping[str, Any]], name: str) -> list[str]:
    """Names of all that is made, directly or not, from the node of this name."""
    found = {i for i, node in nodes.items() if node["name"] == name and node["kind"] != "source"}
    start = set(found)
    while more := {i for i, n in nodes.items() if found & set(n["parents"])} - found:
        found |= more
    return sorted(nodes[i]["name"] for i in found - start)


def _spoilt(group: str) -> bool:
    return group in ("broken", "downstream")


def _places(nodes: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[float, float]]:
    """Columns by the longest way from a source; within one, near the middle of the neighbours."""
    depth: dict[str, int] = {}

    def deep(i: str) -> int:
        if i not in depth:
            depth[i] = max((deep(p) + 1 for p in nodes[i]["parents"]), default=0)
        return depth[i]

    columns: dict[int, list[str]] = {}
    for i in nodes:
        columns.setdefault(deep(i), []).append(i)
    children: dict[str, list[str]] = {i: [] for i in nodes}
    for i, node in nodes.items():
        for parent in node["parents"]:
            children[parent].append(i)
    y = {i: k / len(column) for column in columns.values() for k, i in enumerate(sorted(column))}
    for _ in range(12):
        for ways in ({i: n["parents"] for i, n in nodes.items()}, children):
            for column in columns.values():
                pull = {i: np.mean([y[k] for k in ways[i]]) if ways[i] else y[i] for i in column}
                column.sort(key=lambda i: (pull[i], i))
                y |= {i: (k + 0.5) / len(column) for k, i in enumerate(column)}
    # Every second column is shifted, so that neighbours' names do not run into each other.
    return {i: (d, -y[i] - (0.04 if d % 2 else 0)) for i, d in depth.items()}


def _curves(
    edges: Iterable[tuple[str, str]], at: Mapping[str, tuple[float, float]]
) -> tuple[list[float | None], list[float | None]]:
    t = np.linspace(0, 1, 16)
    x: list[float | None] = []
    y: list[float | None] = []
    for start, end in edges:
        (x0, y0), (x1, y1) = at[start], at[end]
        x += [*(x0 + (x1 - x0) * t).round(3).tolist(), None]
        y += [*(y0 + (y1 - y0) * (3 * t**2 - 2 * t**3)).round(3).tolist(), None]
    return x, y


def _hover(node: Mapping[str, Any]) -> str:
    says = "<br>".join(textwrap.wrap(node["description"], 60))
    return f"<b>{node['name']}</b> ({node['kind']})<br>{says}"
