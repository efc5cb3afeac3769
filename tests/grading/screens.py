"""The pictures of the instructor's guide, taken of the real screens.

    python tests/grading/evening.py 50 --keep FOLDER
    python tests/grading/screens.py FOLDER

Starts JupyterLab's server in the folder, opens Formgrader and a page of feedback in Chromium, and
writes `book/instructor/*.png`.
"""

from __future__ import annotations

import argparse
import shutil
import socket
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import programs
from evening import NAME
from playwright.sync_api import Page, sync_playwright

from lab import paths

PICTURES = paths.ROOT / "book" / "instructor"


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """A Jupyter server on loopback with Formgrader; its address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    words = ["server", "--no-browser", "--ip=127.0.0.1", f"--port={port}",
             "--allow-root", "--IdentityProvider.token="]  # fmt: skip
    with subprocess.Popen(
        [programs.FOLDER / "jupyter", *words],
        cwd=folder,
        env=programs.VARIABLES,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            end = time.monotonic() + 60
            while True:
                try:
                    urllib.request.urlopen(f"{address}/api", timeout=1).close()
                    break
                except (urllib.error.URLError, TimeoutError):
                    if time.monotonic() > end or process.poll() is not None:
                        raise SystemExit("the Jupyter server did not start") from None
                    time.sleep(0.2)
            yield f"{address}/formgrader"
        finally:
            process.terminate()


def page_of(folder: Path, query: str) -> str:
    """Formgrader's address of the first hand-in that a query on the gradebook finds."""
    with closing(sqlite3.connect(folder / "grading" / "gradebook.db")) as book:
        (found,) = book.execute(
            f"""
            select submitted_notebook.id
            from submitted_notebook
            join submitted_assignment on submitted_assignment.id = submitted_notebook.assignment_id
            join grade on grade.notebook_id = submitted_notebook.id
            join base_cell on base_cell.id = grade.cell_id
            where {query}
            order by submitted_assignment.student_id
            """
        ).fetchone()
    return f"submissions/{found}/"


def take(page: Page, name: str, *, around: str = "", above: int = 0, height: int = 640) -> None:
    """Write what the window shows, from some way above a part of the page on."""
    if around:
        page.locator(around).first.evaluate(
            f"e => window.scrollTo(0, e.getBoundingClientRect().top + scrollY - {above})"
        )
        page.wait_for_timeout(300)  # the menu on top slides
    clip = {"x": 0, "y": 0, "width": 1000, "height": height}
    page.screenshot(path=PICTURES / f"{name}.png", clip=clip)
    print(PICTURES / f"{name}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="what evening.py kept")
    folder = parser.parse_args().folder.resolve()
    chromium = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    if chromium is None:
        raise SystemExit("Chromium is missing: `apt-get install chromium`")
    with sync_playwright() as playwright, server(folder) as address:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1000, "height": 900}, device_scale_factor=1.25)

        def visit(part: str) -> None:
            page.goto(part if "://" in part else f"{address}/{part}", wait_until="networkidle")

        visit(f"manage_submissions/{NAME}")
        page.wait_for_selector("td.status")
        take(page, "submissions")
        visit(f"gradebook/{NAME}/{NAME}")
        page.wait_for_selector("td")
        take(page, "gradebook")
        visit(page_of(folder, "base_cell.name = 'q10-design' and grade.manual_score > 0"))
        page.wait_for_selector(".score")
        take(page, "essay", around="text=Student's answer >> nth=-1", above=300)
        passed = "(select count(*) from grade g where g.notebook_id = grade.notebook_id "
        wrong = f"grade.auto_score = 0 and {passed} and g.auto_score > 0) > 15"
        visit(page_of(folder, wrong))
        page.wait_for_selector(".score")
        take(page, "message", around="text=Not passed", above=560)
        feedback = sorted((folder / "grading" / "feedback").rglob(f"{NAME}.html"))[1]
        visit(feedback.as_uri())
        take(page, "feedback")
        browser.close()


if __name__ == "__main__":
    main()
