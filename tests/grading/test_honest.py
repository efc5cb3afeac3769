"""Honest work in unusual form loses nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import basket
import pytest

from lab.grading.course import Course
from lab.grading.grader import Grader
from lab.grading.proof import handed_in

REVENUE = basket.ANSWERS["q1-revenue"]

DOT = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABh6FO1AAAAABJRU5ErkJg"
    "gg=="
)

UNUSUAL = {
    "prints and warns": "import sys, warnings, logging\n" + REVENUE.replace(
        "return", "print('hello'); warnings.warn('careful'); logging.error('oh'); "
        "print('err', file=sys.stderr)\n    return"),
    "magics": "%time x = 1\n!echo shell\nfiles = !ls\n" + REVENUE,
    "cell magic after": REVENUE + "\n%timeit -n1 -r1 revenue(orders)",
    "a picture": "import base64\nfrom IPython.display import Image\n"
        f"display(Image(data=base64.b64decode('{DOT}')))\n" + REVENUE,
    "display and a table": REVENUE + "\ndisplay(orders)\norders.head()",
    "awaits": "import asyncio\nawait asyncio.sleep(0.01)\n" + REVENUE,
    "asyncio.run in a function": "import asyncio\nasync def total(o): return o.amount.sum()"
        "\ndef revenue(orders): return asyncio.run(total(orders))",
    "a lambda": "revenue = lambda orders: float(orders.amount.sum())",
    "a class that can be called": "class R:\n    def __call__(self, o): return o.amount.sum()\n"
        "revenue = R()",
    "a cached partial": "import functools\nrevenue = functools.partial(lambda k, o: o[k].sum(),"
        " 'amount')",
    "numpy's number": "import numpy as np\ndef revenue(o): return np.float64(np.sum(o.amount))",
    "threads": "from concurrent.futures import ThreadPoolExecutor\ndef revenue(o):\n"
        "    with ThreadPoolExecutor(4) as p: return sum(p.map(float, o.amount))",
    "a subprocess": "import subprocess, sys\n"
        "subprocess.run([sys.executable, '-c', 'print(1)'], check=True)\n" + REVENUE,
    "files of its own": "import pathlib\npathlib.Path('notes.txt').write_text('x')\n"
        "assert pathlib.Path('notes.txt').read_text() == 'x'\n" + REVENUE,
    "its own database": "import sqlite3\ndb = sqlite3.connect('mine.db')\n"
        "db.execute('create table t (x)'); db.commit()\n" + REVENUE,
    "duckdb at work": "con = duckdb.connect()\ndef revenue(orders):\n"
        "    return con.sql('select sum(amount) from orders').fetchone()[0]",
    "slow but finite": "import time\ntime.sleep(3)\n" + REVENUE,
    "an error on the way": "try:\n    1 / 0\nexcept ZeroDivisionError: pass\n" + REVENUE,
    "type hints and docs": 'def revenue(orders: pd.DataFrame) -> float:\n    """Sum.\n\n    """\n'
        "    return float(orders['amount'].sum())",
    "names in other scripts": "def \u0441\u0443\u043c\u043c\u0430(o): return o.amount.sum()\n"
        "revenue = \u0441\u0443\u043c\u043c\u0430",
    "looks at its own user": "import getpass, os, pathlib, pwd, socket\n"
        "assert getpass.getuser() == pwd.getpwuid(os.getuid()).pw_name == 'nobody'\n"
        "assert socket.gethostbyname('localhost') == '127.0.0.1'\n"
        "assert pathlib.Path.home().is_dir()\n" + REVENUE,
    "a printed password": REVENUE + "\nprint('password=hunter2')",
    "leaves with exit": REVENUE + "\nimport sys\nsys.exit()",
    "a global counter": "count = 0\ndef revenue(orders):\n    global count\n    count += 1\n"
        "    return float(orders['amount'].sum())",
    "plotly": "import plotly.express as px\nfigure = px.line(x=[1], y=[2])\nfigure\n" + REVENUE,
}  # fmt: skip


@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_code_gets_its_points(name: str, course: Course, grader: Grader) -> None:
    verdict = grader.grade(handed_in(course, basket.NAME, {"q1-revenue": UNUSUAL[name]}))

    assert (verdict["status"], verdict["score"]) == ("graded", 15.0), verdict["cells"]


TABLES = {
    "another order of columns": "by_store = {}[['amount', 'store']]",
    "a categorical": "by_store = {}.astype({{'store': 'category'}})",
    "nullable types": "by_store = {}.convert_dtypes()",
    "an arrow table": "by_store = {}",
    "an index of dates": "by_store = {}.set_index(pd.date_range('2024-01-01', periods=3))",
    "mixed objects": "by_store = {}.assign(extra=[[1], {{'a': 2}}, None])",
    "duplicate column": "by_store = {}.assign(n=1).rename(columns={{'n': 'other'}})",
}


@pytest.mark.parametrize("name", TABLES)
def test_an_unusual_table_crosses(name: str, course: Course, grader: Grader) -> None:
    plain = "orders.groupby('store', as_index=False)['amount'].sum()"
    code = {"q2-by-store": TABLES[name].format(plain)}

    verdict = grader.grade(handed_in(course, basket.NAME, code))

    assert (verdict["status"], verdict["score"]) == ("graded", 15.0), verdict["cells"]


def with_cells(course: Course, *new: tuple[str, str]) -> bytes:
    """The solved notebook with cells of the student's own after named ones."""
    notebook: dict[str, Any] = json.loads(handed_in(course, basket.NAME))
    for after, source in new:
        at = next(i for i, c in enumerate(notebook["cells"]) if c["id"] == after)
        made = {"cell_type": "code", "id": f"mine{at}", "metadata": {}, "source": source,
                "outputs": [], "execution_count": 3}  # fmt: skip
        notebook["cells"].insert(at + 1, made)
    return json.dumps(notebook).encode()


def test_helpers_in_added_cells_count(course: Course, grader: Grader) -> None:
    notebook = json.loads(
        with_cells(course, ("q1-text", "def add(o): return float(o.amount.sum())"))
    )
    for each in notebook["cells"]:
        if each["id"] == "q1-revenue":
            each["source"] = "def revenue(orders): return add(orders)"

    verdict = grader.grade(json.dumps(notebook).encode())

    assert verdict["score"] == 15.0


def test_an_error_in_a_scratch_cell_costs_nothing(course: Course, grader: Grader) -> None:
    verdict = grader.grade(
        with_cells(course, ("title", "1 / 0"), ("scene", "undefined"), ("q2-text", "def broken(:"))
    )

    assert (verdict["status"], verdict["score"]) == ("graded", 15.0)


def test_a_loop_in_one_answer_costs_only_that_answer(kind: str, tmp_path: Path) -> None:
    short = basket.build(tmp_path, {"seconds": 2.0})
    from lab.grading.course import load

    loop = "try:\n    while True: pass\nexcept BaseException:\n    while True: pass"
    with Grader(load(short, basket.NAME), kind) as grader:
        polite = grader.grade(handed_in(short, basket.NAME, {"q2-by-store": "while True: pass"}))
        rude = grader.grade(handed_in(short, basket.NAME, {"q2-by-store": loop}))
        dead = grader.grade(
            handed_in(short, basket.NAME, {"q2-by-store": "import os; os.kill(os.getpid(), 11)\n"
                                           "import ctypes; ctypes.string_at(0)"})
        )  # fmt: skip

    assert (polite["status"], polite["score"]) == ("timeout", 12.0)
    assert "q2-by-store" in polite["message"]
    assert (rude["status"], rude["score"]) == ("timeout", 12.0)
    assert (dead["status"], dead["score"]) == ("crashed", 12.0)


def test_what_a_student_printed_and_drew_is_kept_for_the_grader(
    course: Course, grader: Grader
) -> None:
    code = UNUSUAL["a picture"] + "\nprint('seen')\norders.head(2)"

    verdict = grader.grade(handed_in(course, basket.NAME, {"q1-revenue": code}))

    out = next(c["out"] for c in verdict["notebook"] if "base64" in c["source"])
    assert out["stdout"] == "seen\n"
    assert any("png" in each for each in out["shown"])
    assert any("north" in each["text"] for each in out["shown"])


@pytest.mark.parametrize(
    "fails",
    ["open('/nowhere')", "raise TimeoutError('late')", "return revenue(orders)", "[0] * 10**12"],
)
def test_a_function_that_fails_costs_only_its_answer(
    fails: str, course: Course, grader: Grader
) -> None:
    code = f"def revenue(orders):\n    {fails}"

    verdict = grader.grade(handed_in(course, basket.NAME, {"q1-revenue": code}))

    assert (verdict["status"], verdict["score"]) == ("graded", 12.0), verdict["cells"]


def test_a_function_that_never_returns_costs_only_its_answer_and_its_time(
    kind: str, tmp_path: Path
) -> None:
    from lab.grading.course import load

    short = basket.build(tmp_path, {"seconds": 1.0})
    loop = (
        "def revenue(orders):\n    while True:\n        try: 1 / 0\n        except Exception: pass"
    )
    with Grader(load(short, basket.NAME), kind) as grader:
        verdict = grader.grade(handed_in(short, basket.NAME, {"q1-revenue": loop}))

    assert (verdict["status"], verdict["score"]) == ("timeout", 12.0), verdict["cells"]
    assert verdict["cells"]["q1-sum"]["message"] == "this took longer than 1 s"
    assert "q1-sum" in verdict["message"]


def test_an_open_answer_is_shown_in_lines_that_fit_a_page() -> None:
    from lab.grading.gradebook import fenced

    paragraph = "A paragraph in Markdown is one line. " * 20

    shown = fenced(f"{paragraph}\n\n    indented {'x' * 300}").split("\n")

    assert max(map(len, shown)) <= 97
    assert "".join(shown[1:-1]).startswith(paragraph)
    assert "" in shown


def test_a_cell_to_look_at_is_not_run_and_a_test_cannot_be_one(kind: str, tmp_path: Path) -> None:
    from lab.grading.course import load

    made = basket.notebook()
    look = basket.cell("scene", "look", "raise ValueError('this was run')")
    made.cells.insert(2, look)
    for each in made.cells:
        if each.id in ("look", "q1-sum"):
            each.metadata["tags"] = ["look"]
    course = basket.lay_out(tmp_path, basket.NAME, made, {})

    with Grader(load(course, basket.NAME), kind) as grader:
        verdict = grader.grade(handed_in(course, basket.NAME))

    assert (verdict["score"], verdict["author"]) == (15.0, []), verdict["cells"]
    assert "this was run" not in json.dumps([cell["out"] for cell in verdict["notebook"]])
