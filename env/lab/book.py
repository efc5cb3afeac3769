"""Builds the HTML book: prose and executed notebooks side by side, with execution off.

The pages are gathered under `_build/source`, in the folders that they have in the course, so that a
link between two files is the same in JupyterLab and in the book. `_build/html` changes only when a
build is complete and without a warning.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nbformat
import yaml

from lab import book_pages, paths
from lab.console import say
from lab.errors import LabError

# Tools that draw the pages.
_TOOLS = ("jupyter-book", "sphinx", "sphinx-book-theme", "myst-nb", "mermaidx", "plotly")
TIMES = "book/execution-times"


def build(root: Path = paths.ROOT) -> bool:
    """Build the book of the course at `root` into its `_build/html`.

    Returns:
        False if nothing had changed since the last good build, and so nothing was done.

    Raises:
        LabError: if a page is missing, a notebook failed or changed since it ran, or Sphinx
            warned; the book of the last good build stays.
    """
    work = root / "_build"
    html, stamp = work / "html", work / "book.json"
    started = time.monotonic()
    pages = stage(root, work / "source")
    # What shows on every page. If it changes, the book is built from nothing, without what is gone.
    frame = _hash([Path(__file__).parent], "book*.py", "book_static/*") + _hash([root], "_*.yml")
    now = {"frame": frame + _versions(), "source": _hash([work / "source"], "**/*")}
    last = _read(stamp)
    if now == last and (html / "index.html").exists():
        say(f"The book is up to date: {_show(html / 'index.html')}")
        return False
    # Also after a failure: Sphinx warns of a page only when it reads it.
    if now["frame"] != last.get("frame"):
        shutil.rmtree(work / "sphinx", ignore_errors=True)
    stamp.unlink(missing_ok=True)
    _sphinx(work / "source", work / "sphinx")
    fresh = work / "sphinx" / "_build" / "html"
    for page in pages:
        if page.suffix == ".ipynb":
            # What one takes home is the notebook as it is committed, ready to be run.
            shutil.copyfile(root / page, fresh / "_sources" / page)
    _swap(fresh, html, work)
    _write(stamp, json.dumps(now, indent=1))
    say(f"{len(pages)} pages in {time.monotonic() - started:.1f} s: {_show(html / 'index.html')}")
    return True


def stage(root: Path, target: Path) -> list[Path]:
    """Gather all that the table of contents names under `target`; write only what differs.

    Returns:
        The pages, as paths below the course, without the page of execution times, which is made
        here.
    """
    report = _read(root / "_build" / "report.json")
    runs = {run["path"]: run for run in report.get("notebooks", [])}
    pages = contents(root)
    wrong: list[str] = []
    wanted: dict[Path, str | Path] = {
        Path(name): root / name for name in ("_config.yml", "_toc.yml")
    }
    for page in pages:
        if page.suffix != ".ipynb":
            wanted[page] = root / page
            continue
        try:
            wanted[page] = nbformat.writes(_notebook(root, page, runs.get(page.as_posix())))
        except LabError as error:
            wrong.append(str(error))
    if wrong:
        raise LabError("\n".join(wrong))
    wanted[Path(TIMES + ".md")] = book_pages.times(
        report, [page for page in pages if _is_lesson(page)]
    )
    for file in sorted((root / "book").rglob("*")):
        if file.suffix in (".png", ".svg", ".webp"):
            wanted[file.relative_to(root)] = file
    for path, content in wanted.items():
        text = content.read_bytes() if isinstance(content, Path) else content.encode()
        _write_changed(target / path, text)
    for file in [file for file in target.rglob("*") if file.is_file()]:
        if file.relative_to(target) not in wanted:
            file.unlink()
    return pages


def contents(root: Path) -> list[Path]:
    """The pages that `_toc.yml` names, as paths below the course, in its order.

    Raises:
        LabError: if `_toc.yml` or a page is missing.
    """
    toc = root / "_toc.yml"
    try:
        entries = _entries(yaml.safe_load(toc.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise LabError(
            f"{toc}: there is no table of contents; is this a whole clone of the course?"
        ) from None
    except yaml.YAMLError as error:
        raise LabError(f"{toc} is not YAML: {error}") from None
    pages = []
    for kind, name in entries:
        found = sorted(root.glob(name + ".md")) if kind == "glob" else _page(root, name)
        if not found and name != TIMES:
            raise LabError(
                f"_toc.yml names {name}, and there is no {name}.md or .ipynb; "
                "add it, or take out its line."
            )
        pages += [page.relative_to(root) for page in found]
    return pages


def _entries(node: Any) -> list[tuple[str, str]]:
    """All `root`, `file` and `glob` values of a table of contents, in order."""
    if isinstance(node, list):
        return [entry for item in node for entry in _entries(item)]
    if not isinstance(node, dict):
        return []
    own = [
        ("glob" if key == "glob" else "file", str(node[key]))
        for key in ("root", "file", "glob")
        if key in node
    ]
    return own + [entry for value in node.values() for entry in _entries(value)]


def _page(root: Path, name: str) -> list[Path]:
    return [file for suffix in (".md", ".ipynb") if (file := root / f"{name}{suffix}").exists()][:1]


def _is_lesson(page: Path) -> bool:
    return page.suffix == ".ipynb" and page.parts[0] == "notebooks"


def _notebook(root: Path, page: Path, run: dict[str, Any] | None) -> nbformat.NotebookNode:
    """A notebook as a page: as committed, with the outputs of its run."""
    from lab import notebooks

    node = notebooks.read(root / page).node
    if not _is_lesson(page):
        return book_pages.exercise(node, page)
    if run is None:
        return book_pages.not_run(
            node, f"it has not been run on this machine; `lab run {page.as_posix()}` does"
        )
    if run["status"] == "skipped":
        return book_pages.not_run(node, run["reason"])
    if run["status"] == "failed":
        raise LabError(
            f"{page.as_posix()} failed when it was run: {run['reason']}; mend it, then `lab run`."
        )
    executed = root / "_build" / "executed" / page
    return book_pages.graft(node, notebooks.read(executed).node, page, run)


def _sphinx(source: Path, target: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "from jupyter_book.cli.main import main; main()",
        "build",
        str(source),
    ]
    command += ["--path-output", str(target), "--warningiserror", "--nitpick", "--keep-going", "-q"]
    done = subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", errors="replace", check=False
    )
    plain = re.sub(r"\x1b\[[0-9;]*m", "", done.stderr)
    warnings = [
        line for line in plain.splitlines() if re.search(r"\b(WARNING|ERROR|CRITICAL)\b", line)
    ]
    if done.returncode == 0 and not warnings:
        return
    said = [line.replace(f"{source}/", "") for line in warnings] or (
        done.stdout + plain
    ).splitlines()[-25:]
    raise LabError("the book was not built; mend what Sphinx says:\n  " + "\n  ".join(said))


def _swap(fresh: Path, html: Path, work: Path) -> None:
    """Put a copy of `fresh` in the place of `html`, so that there is a whole book at any time."""
    new, old = work / "html.new", work / "html.old"
    for folder in (new, old):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(fresh, new, ignore=shutil.ignore_patterns(".buildinfo", "objects.inv"))
    try:
        if html.exists():
            html.rename(old)
        new.rename(html)
    except OSError as error:
        if old.exists() and not html.exists():
            old.rename(html)
        raise LabError(
            f"{html} cannot be replaced ({error.strerror}); "
            "close what has it open, and build again."
        ) from error
    shutil.rmtree(old, ignore_errors=True)


def _hash(folders: list[Path], *patterns: str) -> str:
    digest = hashlib.sha256()
    for folder in folders:
        for file in sorted(
            {file for pattern in patterns for file in folder.glob(pattern) if file.is_file()}
        ):
            digest.update(file.relative_to(folder).as_posix().encode() + b"\0")
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _versions() -> str:
    return "".join(f" {name}={version(name)}" for name in _TOOLS)


def _read(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise LabError(f"{file} is not JSON ({error}); remove it, and run again.") from None


def _write(file: Path, text: str) -> None:
    partial = file.with_name(file.name + ".part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(file)


def _write_changed(file: Path, content: bytes) -> None:
    """Leave a file that is right alone: Sphinx reads again what is newer than its memory."""
    if file.exists() and file.read_bytes() == content:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(file.name + ".part")
    partial.write_bytes(content)
    partial.replace(file)


def _show(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
