"""The book: how it is put together, and what a reader's browser makes of it."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import plotly.graph_objects as go
import pytest
from bs4 import BeautifulSoup

from lab import book, paths, show
from lab.errors import LabError

LESSON = Path("notebooks/1-phase/1-lesson.ipynb")
MERMAID = """```mermaid
flowchart LR
    accTitle: A way
    accDescr: From the till to the report.
    A[Till] --> B[Report]
```"""
FIGURE = """import plotly.express as px
from lab import show
fig = px.line(x=[1, 2, 3], y=[2, 5, 3])
fig.update_layout(xaxis_title="month", yaxis_title="revenue, dollars")
show.figure(fig, alt="Revenue peaks in month 2, at <5> dollars.")"""


# --- a small course of its own, with one lesson that really ran


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A course with a lesson, an exercise and a page of prose; its lesson was executed."""
    root = tmp_path_factory.mktemp("course")
    for folder in ("book", "exercises/1-phase", LESSON.parent, "_build/executed" / LESSON.parent):
        (root / folder).mkdir(parents=True, exist_ok=True)
    shutil.copy(paths.ROOT / "_config.yml", root)
    (root / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nchapters:\n"
        f"- file: {LESSON.with_suffix('').as_posix()}\n"
        "- file: exercises/1-phase/1-phase\n- file: book/execution-times\n"
    )
    (root / "book/index.md").write_text(
        "# A course\n\nGo to [the lesson](../notebooks/1-phase/1-lesson.ipynb).\n\n"
        "It costs $4.50 each, or $19 for five, which is less than $x^2$.\n\n"
        f"```{{glossary}}\nlost update\n  One is lost.\n```\n\n{MERMAID}\n"
    )
    new = nbformat.v4
    cells = [
        new.new_markdown_cell(
            "# A lesson\n\nOne [lost](../../book/index.md#term-lost-update).", id="title"
        ),
        new.new_markdown_cell(MERMAID, id="diagram"),
        new.new_code_cell(FIGURE, id="figure"),
        new.new_code_cell("import pandas as pd\npd.DataFrame({'a': [41 + 1]})", id="table"),
    ]
    nbformat.write(new.new_notebook(cells=cells), root / LESSON)
    question = [
        new.new_markdown_cell("# An exercise\n\nDo it.", id="q"),
        new.new_code_cell("1 / 0", id="a"),
    ]
    nbformat.write(new.new_notebook(cells=question), root / "exercises/1-phase/1-phase.ipynb")
    executed = root / "_build/executed" / LESSON
    command = [sys.executable, "-m", "lab.execute", root / LESSON, executed, root / "result.json"]
    subprocess.run(command, check=True, capture_output=True)
    report(root)
    return root


@pytest.fixture
def course(ran, tmp_path):
    """A copy of it that a test may change."""
    return Path(shutil.copytree(ran, tmp_path / "course"))


@pytest.fixture(scope="module")
def small(ran, tmp_path_factory):
    """The small course, and its book."""
    root = Path(shutil.copytree(ran, tmp_path_factory.mktemp("built") / "course"))
    assert book.build(root)
    return root


def report(root: Path, **changes) -> None:
    run = {"path": LESSON.as_posix(), "title": "A lesson", "status": "ok", "reason": ""}
    run |= {"seconds": 3.4, "peak_mb": 120, "limit_s": 60, "services": []} | changes
    content = {"machine": {"cores": 2}, "versions": {"python": "3.11"}, "notebooks": [run]}
    (root / "_build/report.json").write_text(json.dumps(content))


def staged(root: Path) -> nbformat.NotebookNode:
    book.stage(root, root / "_build/source")
    return nbformat.read(root / "_build/source" / LESSON, as_version=4)


def change(root: Path, number: int, source: str, page: Path = LESSON) -> None:
    node = nbformat.read(root / page, as_version=4)
    node.cells[number].source = source
    nbformat.write(node, root / page)


def page(root: Path, name: str) -> BeautifulSoup:
    return BeautifulSoup((root / "_build/html" / name).read_text(encoding="utf-8"), "html.parser")


# --- from a notebook to a page


def test_outputs_follow_their_cells_when_the_prose_is_edited(course):
    node = nbformat.read(course / LESSON, as_version=4)
    node.cells.insert(1, nbformat.v4.new_markdown_cell("A new word.", id="new"))
    nbformat.write(node, course / LESSON)
    cells = {cell["id"]: cell for cell in staged(course).cells}
    assert cells["new"].source == "A new word."
    assert "42" in cells["table"].outputs[0].data["text/html"]


def test_code_that_changed_since_it_ran_is_not_published(course):
    change(course, 3, "41 + 2")
    with pytest.raises(
        LabError, match=r"1-lesson.ipynb: the code of cell table changed since it ran"
    ):
        staged(course)


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ({"status": "skipped", "reason": "it needs containers"}, "it needs containers"),
        (None, "lab run"),
    ],
)
def test_a_lesson_that_did_not_run_says_why_and_shows_no_answers(course, run, said):
    if run:
        report(course, **run)
    else:
        (course / "_build/report.json").unlink()
    node = staged(course)
    assert "This page was not run" in node.cells[0].source
    assert said in node.cells[0].source
    assert not any(cell.get("outputs") for cell in node.cells)


def test_a_failed_lesson_is_not_published(course):
    report(course, status="failed", reason="cell table: ValueError")
    with pytest.raises(LabError, match="failed when it was run: cell table: ValueError"):
        staged(course)


def test_a_figure_without_words_is_refused(course):
    executed = course / "_build/executed" / LESSON
    executed.write_text(executed.read_text().replace('"meta":', '"other":'))
    with pytest.raises(LabError, match="figure in cell figure-0 has no words"):
        staged(course)


def test_a_picture_without_words_is_refused(course):
    executed = course / "_build/executed" / LESSON
    node = nbformat.read(executed, as_version=4)
    node.cells[3].outputs = [nbformat.v4.new_output("display_data", {"image/png": "AAAA"})]
    nbformat.write(node, executed)
    with pytest.raises(LabError, match="picture in cell table-0 has no words"):
        staged(course)


def test_a_page_of_the_contents_that_is_missing_is_named(course):
    (course / "exercises/1-phase/1-phase.ipynb").unlink()
    with pytest.raises(LabError, match=r"_toc.yml names exercises/1-phase/1-phase"):
        staged(course)


# --- building


def test_a_second_build_does_nothing(small):
    before = {
        file: file.stat().st_mtime_ns for file in (small / "_build").rglob("*") if file.is_file()
    }
    assert not book.build(small)
    after = {
        file: file.stat().st_mtime_ns for file in (small / "_build").rglob("*") if file.is_file()
    }
    assert before == after


def test_warnings_stop_each_build_and_leave_the_last_book(small, tmp_path):
    root = Path(shutil.copytree(small, tmp_path / "course"))
    html = (root / "_build/html/book/index.html").read_text()
    prose = root / "book/index.md"
    good = prose.read_text()
    for _ in range(2):
        wordless = MERMAID.replace("accDescr", "%% accDescr")
        prose.write_text(f"{good}\n[nowhere](nowhere.md)\n\n{wordless}\n")
        with pytest.raises(LabError, match=r"book/index.md.*nowhere") as caught:
            book.build(root)
        assert "this mermaid diagram has no words" in str(caught.value)
        assert (root / "_build/html/book/index.html").read_text() == html
    prose.write_text(good + "\nMended.\n")
    assert book.build(root)
    assert "Mended." in (root / "_build/html/book/index.html").read_text()


def test_a_lesson_is_taken_home_as_it_is_committed(small):
    link = page(small, LESSON.with_suffix(".html").as_posix()).find(
        "a", class_="btn-download-source-button"
    )
    target = small / "_build/html" / LESSON.parent / link["href"]
    assert target.read_bytes() == (small / LESSON).read_bytes()


def test_plotly_is_served_once_and_only_where_there_is_a_figure(small):
    scripts = {
        name: [one["src"] for one in page(small, name).find_all("script", src=re.compile("plotly"))]
        for name in ("book/index.html", LESSON.with_suffix(".html").as_posix())
    }
    assert [len(found) for found in scripts.values()] == [0, 1]
    assert len(list((small / "_build/html").rglob("plotly*.js"))) == 1


def test_money_is_no_mathematics_and_mathematics_comes_with_the_book(small):
    soup = page(small, "book/index.html")
    assert [math.get_text() for math in soup.select(".math")] == [r"\(x^2\)"]
    assert "It costs $4.50 each, or $19 for five" in soup.get_text()
    script = soup.find("script", src=re.compile("mathjax"))["src"]
    assert (small / "_build/html/book" / script.split("?")[0]).exists()


def test_an_exercise_is_shown_as_released_with_a_word_on_how_to_do_it(small):
    text = page(small, "exercises/1-phase/1-phase.html").get_text()
    assert "How to do this exercise" in text
    assert "1 / 0" in text
    assert "ZeroDivisionError" not in text


def test_execution_times_are_a_table_with_headers_and_the_machine(small):
    soup = page(small, "book/execution-times.html")
    assert [cell.get_text() for cell in soup.table.find_all("th")][:3] == [
        "Lesson",
        "Run",
        "Seconds",
    ]
    assert "3.4" in soup.table.get_text()
    assert soup.find("caption")
    assert "cores" in soup.get_text()


def test_a_page_that_left_the_contents_leaves_the_book(small, tmp_path):
    root = Path(shutil.copytree(small, tmp_path / "course"))
    toc = root / "_toc.yml"
    toc.write_text(toc.read_text().replace("- file: exercises/1-phase/1-phase\n", ""))
    assert book.build(root)
    assert not (root / "_build/html/exercises/1-phase/1-phase.html").exists()


# --- what a lesson shows


@pytest.fixture
def shown(monkeypatch):
    said = []
    monkeypatch.setattr(show, "display", lambda value, raw=False: said.append(value))
    return said


def test_a_figure_needs_axis_titles_and_words(shown):
    fig = go.Figure(go.Bar(x=["a"], y=[1]))
    with pytest.raises(LabError, match="xaxis and yaxis has no title"):
        show.figure(fig, alt="A bar.")
    fig.update_layout(xaxis_title="what", yaxis_title="how many")
    with pytest.raises(LabError, match="no alt text"):
        show.figure(fig, alt=" ")
    show.figure(fig, alt="A bar.")
    assert shown[0][show.PLOTLY]["layout"]["meta"] == {"alt": "A bar."}
    assert shown[0]["text/plain"] == "Figure: A bar."


def test_a_figure_without_axes_needs_no_axis_titles(shown):
    show.figure(go.Figure(go.Pie(labels=["a", "b"], values=[1, 2])), alt="Two slices.")
    assert shown


def test_a_file_is_shown_as_it_lies(shown, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("model.sql").write_text("select 1\n-- ```\nselect 2\n")
    show.file("model.sql", lines=(2, 3))
    assert shown[0].data == "`model.sql`, lines 2 to 3\n\n````sql\n-- ```\nselect 2\n````\n"
    with pytest.raises(LabError, match="lines 1 to 3, not 2 to 9"):
        show.file("model.sql", lines=(2, 9))
    with pytest.raises(LabError, match="there is no such file"):
        show.file("other.sql")


# --- the whole book


@pytest.fixture(scope="session")
def html() -> Path:
    """The course's book; built if there is none."""
    folder = paths.BUILD / "html"
    if not (folder / "index.html").exists():
        book.build()
    return folder


@pytest.fixture(scope="session")
def soups(html) -> dict[Path, BeautifulSoup]:
    pages = [file for file in html.rglob("*.html") if "_static" not in file.parts]
    return {file: BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser") for file in pages}


def articles(soups):
    """The pages that have a text of their own, with that text."""
    return [
        (file, text)
        for file, soup in soups.items()
        if (text := soup.select_one("article.bd-article"))
    ]


def test_every_page_of_the_contents_is_in_the_book(html):
    pages = [*book.contents(paths.ROOT), Path(book.TIMES)]
    assert [page for page in pages if not (html / page.with_suffix(".html")).exists()] == []


def test_every_lesson_and_exercise_is_in_the_contents():
    files = [*paths.NOTEBOOKS.glob("*/*.ipynb"), *paths.EXERCISES.glob("*/*.ipynb")]
    assert {file.relative_to(paths.ROOT) for file in files} <= set(book.contents(paths.ROOT))


def test_money_in_notebooks_is_escaped_for_jupyterlab():
    wrong = []
    for file in [*paths.NOTEBOOKS.glob("*/*.ipynb"), *paths.EXERCISES.glob("*/*.ipynb")]:
        for cell in nbformat.read(file, as_version=4).cells:
            prose = re.sub(r"(`+).*?\1", "", cell.source, flags=re.DOTALL)
            if cell.cell_type == "markdown" and re.search(r"(?<!\\)\$\d", prose):
                wrong.append(f"{file.name}, cell {cell['id']}")
    assert wrong == [], "write \\$4: JupyterLab takes a pair of bare dollar signs for mathematics"


def test_internal_links_and_anchors_resolve(html, soups):
    anchors = {file: {tag["id"] for tag in soup.find_all(id=True)} for file, soup in soups.items()}
    wrong = []
    for file, soup in soups.items():
        for tag in soup.find_all(["a", "link", "img", "script", "source"]):
            link = urlsplit(tag.get("href") or tag.get("src") or "")
            if link.scheme or link.netloc or not (link.path or link.fragment):
                continue
            target = (file.parent / unquote(link.path)).resolve() if link.path else file
            known = anchors.get(target)
            if not target.exists() or (
                link.fragment and known is not None and link.fragment not in known
            ):
                wrong.append(f"{file.relative_to(html)}: {link.geturl()}")
    assert wrong == []


def test_the_pages_load_nothing_from_another_host(html, soups):
    wrong = []
    for file, soup in soups.items():
        for tag in soup.find_all(["script", "link", "img", "iframe", "source", "video", "object"]):
            for name in ("src", "href", "srcset", "data"):
                if urlsplit(tag.get(name) or "").netloc:
                    wrong.append(f"{file.relative_to(html)}: {tag[name]}")
    for file in html.rglob("*.css"):
        text = file.read_text(encoding="utf-8", errors="replace")
        wrong += [
            f"{file.name}: {url}"
            for url in re.findall(r"url\(\s*['\"]?((?:https?:)?//[^)]+)", text)
        ]
    assert wrong == []


def test_a_page_can_be_heard(soups):
    """One h1, a language, words for every picture, and headers for every table."""
    wrong = []
    for file, text in articles(soups):
        found = {
            "h1": len(text.find_all("h1")) == 1,
            "lang": soups[file].html.get("lang") == "en",
            "img": all(image.get("alt", "").strip() for image in text.find_all("img")),
            "svg": all(
                svg.get("aria-hidden") or svg.find_parent(attrs={"aria-hidden": "true"})
                for svg in text.find_all("svg")
            ),
            "role": all(tag.get("aria-label", "").strip() for tag in text.find_all(role="img")),
            "table": all(table.find("th") for table in text.find_all("table")),
        }
        wrong += [f"{file.name}: {name}" for name, good in found.items() if not good]
    assert wrong == []


# --- in a browser that reaches nothing


@pytest.fixture(scope="session")
def browser():
    program = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if not program:
        pytest.skip("there is no Chromium on this machine; `apt-get install chromium` brings it")
    from playwright.sync_api import sync_playwright

    cut = ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--disable-gpu"]
    with sync_playwright() as playwright:
        # As root, as in CI's containers, Chromium has no sandbox of its own.
        opened = playwright.chromium.launch(executable_path=program, args=[*cut, "--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser):
    """Open a page from disk; an error on the console, or a request to a host, is a failure."""
    complaints: list[str] = []
    tabs = []

    def open_page(file: Path, query: str = "", **options):
        tab = browser.new_page(viewport={"width": 1280, "height": 900}, **options)
        tabs.append(tab)
        tab.on("console", lambda line: line.type == "error" and complaints.append(line.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on(
            "requestfailed",
            # With scripts off the browser itself refuses them, and calls it a policy or an abort.
            lambda request: (
                request.failure in ("csp", "net::ERR_ABORTED")
                or complaints.append(f"{request.failure}: {request.url}")
            ),
        )
        tab.on(
            "request",
            lambda request: (
                urlsplit(request.url).scheme in ("file", "data", "blob")
                or complaints.append(f"asked for {request.url}")
            ),
        )
        tab.goto(file.as_uri() + query)
        return tab

    yield open_page
    for tab in tabs:
        tab.close()
    assert complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_figure_is_alive_and_a_diagram_visible(small, visit, scheme):
    tab = visit(small / "_build/html" / LESSON.with_suffix(".html"), color_scheme=scheme)
    plot = tab.locator(".lab-plot")
    line = plot.locator(".scatterlayer .trace path.js-line")
    line.wait_for()
    assert line.bounding_box()["height"] > 50
    assert plot.get_attribute("aria-label") == "Revenue peaks in month 2, at <5> dollars."
    assert tab.locator("figcaption").inner_text() == "Revenue peaks in month 2, at <5> dollars."
    plot.scroll_into_view_if_needed()
    box = line.bounding_box()
    # The peak, in the middle of the three months.
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + 2)
    plot.locator(".hoverlayer .hovertext").first.wait_for()
    # The other scheme's drawing of the diagram is there, but not seen.
    seen = [svg for svg in tab.locator(".lab-diagram svg").all() if svg.is_visible()]
    assert len(seen) == 1
    assert "Till" in seen[0].text_content()
    ink, paper = tab.evaluate(
        """() => [getComputedStyle(document.querySelector(".lab-plot .xtitle")).fill,
                  getComputedStyle(document.body).backgroundColor]"""
    )
    light = [sum(map(int, re.findall(r"\d+", colour)[:3])) / 765 for colour in (ink, paper)]
    assert abs(light[0] - light[1]) > 0.5, f"text {ink} on {paper} can't be read"


def test_mathematics_is_set_by_the_book_itself(small, visit):
    visit(small / "_build/html/book/index.html").locator(".math mjx-container").wait_for()


def test_without_javascript_the_figure_has_its_words(small, visit):
    tab = visit(small / "_build/html" / LESSON.with_suffix(".html"), java_script_enabled=False)
    assert tab.locator("figcaption").is_visible()
    assert tab.locator("figure noscript, figure p").first.is_visible()


def test_every_page_opens_without_a_complaint_and_draws_its_figures(html, soups, visit):
    # Not the top index.html: it forwards to this page, and would interrupt the next visit.
    tab = visit(html / "book" / "index.html")
    for file, _ in articles(soups):
        tab.goto(file.as_uri())
        for plot in tab.locator(".lab-plot").all():
            plot.locator(".main-svg").first.wait_for()
            assert plot.evaluate("plot => plot.calcdata.length") > 0, (
                f"{file}: a figure has no data"
            )
        diagrams = tab.locator(".lab-diagram")
        for number in range(diagrams.count()):
            assert diagrams.nth(number).locator("svg:visible").count() == 1, f"{file}: no diagram"


def test_search_finds_a_word_without_a_server(html, visit):
    tab = visit(html / "search.html", query="?q=glossary")
    tab.locator("#search-results li a").first.wait_for()
