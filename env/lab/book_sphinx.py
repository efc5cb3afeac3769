"""The book's own part of Sphinx: mermaid drawn at build time, scripts only where needed."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import shutil
from html import escape
from pathlib import Path
from typing import Any

import mermaidx
import plotly
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

STATIC = Path(__file__).parent / "book_static"
PLOTLY_JS = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
# A page that holds one of these has a figure.
FIGURE_MARK = 'class="lab-figure"'
MATHJAX = "mathjax/tex-chtml.js"

_THEMES = {"light": "neutral", "dark": "dark"}


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("mermaid", Mermaid)
    app.connect("config-inited", _serve_our_files)
    app.connect("doctree-read", _link_terms)
    app.connect("html-page-context", _add_scripts)
    app.connect("build-finished", _add_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class Mermaid(SphinxDirective):
    """A mermaid diagram as SVG in the page, once a colour scheme, with its words."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        source = "\n".join(self.content)
        title, description = (_statement(source, name) for name in ("accTitle", "accDescr"))
        if not title or not description:
            raise self.error(
                "this mermaid diagram has no words for those who can't see it; "
                "add the lines `accTitle: ...` and `accDescr: ...` after its first line."
            )
        try:
            pictures = "".join(_svg(source, scheme) for scheme in _THEMES)
        except Exception as error:  # mermaidx raises what its engine raises
            raise self.error(f"mermaid cannot draw this diagram: {error}") from error
        html = (
            f'<div class="lab-diagram" role="img" aria-label="{escape(f"{title}: {description}")}">'
            f"{pictures}</div>"
        )
        return [nodes.raw("", html, format="html")]


def _statement(source: str, name: str) -> str:
    """The value of `name: value` or `name { value }`, both of which mermaid allows."""
    found = re.search(rf"^\s*{name}\s*(?::(.*)$|\{{([^}}]*)\}})", source, re.MULTILINE)
    return " ".join((found[1] or found[2]).split()) if found else ""


def _svg(source: str, scheme: str) -> str:
    svg = mermaidx.render(source, theme=_THEMES[scheme]).svg()
    # Two diagrams on a page must not share ids: styles and arrowheads refer to them.
    name = "d" + hashlib.sha256(source.encode()).hexdigest()[:10]
    svg = svg.replace("my-svg", f"{name}-{scheme}")
    # The words are on the surrounding element; a tooltip with the title would say them again.
    svg = re.sub(r"<title\b.*?</title>|<desc\b.*?</desc>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' (?:role|aria-[a-z]+)="[^"]*"', "", svg)
    # On a narrow screen a diagram is scrolled, not shrunk until its letters can't be read.
    svg = re.sub(
        r'style="max-width: ([\d.]+px);',
        r'style="max-width: \1; min-width: min(\1, 44rem);',
        svg,
        count=1,
    )
    return f'<div class="only-{scheme}" aria-hidden="true">{svg}</div>'


def _serve_our_files(app: Sphinx, config: Any) -> None:
    config.html_static_path = [*config.html_static_path, str(STATIC), str(PLOTLY_JS)]
    config.html_css_files = [*config.html_css_files, "course.css"]
    config.mathjax_path = MATHJAX


def _link_terms(app: Sphinx, doctree: nodes.document) -> None:
    """Let `glossary.md#term-wal` lead to a term: JupyterLab follows it too, unlike {term}."""
    slugs = app.env.metadata[app.env.docname].setdefault("myst_slugs", {})
    for term in doctree.findall(nodes.term):
        for name in term["ids"]:
            slugs.setdefault(name, (term.line, name, term.astext()))


def _add_scripts(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    if FIGURE_MARK in context.get("body", ""):
        app.add_js_file("plotly.min.js", loading_method="defer")
        app.add_js_file("figures.js", loading_method="defer")


def _add_mathjax(app: Sphinx, error: Exception | None) -> None:
    """MathJax is 24 MB: the book carries it only if a page has mathematics."""
    if error or not app.env.get_domain("math").data.get("has_equations"):
        return
    if any(app.env.get_domain("math").data["has_equations"].values()):
        # The package's name has hyphens, so it can be found, but not imported by a statement.
        spec = importlib.util.find_spec("sphinx-mathjax-offline")
        assert spec is not None
        source = Path((spec.submodule_search_locations or [])[0]) / "static" / "mathjax"
        shutil.copytree(source, Path(app.outdir) / "_static" / "mathjax", dirs_exist_ok=True)
