"""A small assignment that exercises the grader: functions, tables, SQL, generators, an essay."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from lab import paths
from lab.grading.course import Course

NAME = "basket"

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
}

SCENE = """
import datetime as dt
from decimal import Decimal

import duckdb
import pandas as pd

from lab.exercise import rows

orders = pd.DataFrame(
    {
        "order": [1, 2, 3, 4, 5],
        "store": ["north", "south", "north", "west", "south"],
        "amount": [10.0, 20.5, -4.0, 7.25, 3.0],
        "day": pd.to_datetime(["2024-01-01"] * 2 + ["2024-01-02"] + ["2024-01-03"] * 2),
    }
)
"""

ANSWERS = {
    "q1-revenue": """
def revenue(orders):
    return float(orders["amount"].sum())
""",
    "q2-by-store": """
by_store = (
    orders.groupby("store", as_index=False)["amount"].sum().sort_values("store", ignore_index=True)
)
""",
    "q3-query": """
query = "select store, count(*) as n from orders group by store order by n desc, store"
""",
    "q4-parse": """
def parse(lines):
    for line in lines:
        day, amount = line.split(",")
        yield {"day": dt.date.fromisoformat(day), "amount": Decimal(amount)}
""",
    "q5-retry": """
def retry(task, attempts):
    for left in range(attempts, 0, -1):
        try:
            return task()
        except ValueError:
            if left == 1:
                raise
""",
}

TESTS = {
    "q1-sum": (
        2,
        """
found = revenue(orders)
assert abs(found - 36.75) < 1e-9, f"the sum of all amounts is 36.75, yours is {found}"
""",
    ),
    "q1-other-data": (
        1,
        """
assert callable(revenue), "revenue should be a function"
### BEGIN HIDDEN TESTS
few = pd.DataFrame({"amount": [1.5, -0.5, 100.0]})
assert revenue(few) == 101.0, "revenue of other orders is wrong: does it use its argument?"
### END HIDDEN TESTS
""",
    ),
    "q2-stores": (
        1,
        """
assert set(by_store["store"]) == {"north", "south", "west"}, "one row a store is due"
""",
    ),
    "q2-amounts": (
        2,
        """
assert "amount" in by_store.columns, "by_store needs a column amount"
### BEGIN HIDDEN TESTS
due = orders.groupby("store")["amount"].sum().to_dict()
got = dict(zip(by_store["store"], by_store["amount"]))
assert all(got.get(s, due[s]) == due[s] for s in due), "the amounts of the stores are wrong"
### END HIDDEN TESTS
""",
    ),
    "q3-rows": (
        2,
        """
found = sorted(rows(query, orders=orders))
assert found == [("north", 2), ("south", 2), ("west", 1)], f"three stores are due, you have {found}"
""",
    ),
    "q3-order": (
        1,
        """
assert "order by" in query.lower(), "say in the query how rows are ordered"
### BEGIN HIDDEN TESTS
many = pd.DataFrame({"store": ["b", "a", "c", "c", "b", "c"]})
assert [n for _, n in rows(query, orders=many)] == [3, 2, 1], "most orders should come first"
### END HIDDEN TESTS
""",
    ),
    "q4-values": (
        2,
        """
found = list(parse(["2024-02-29,1.10", "2024-03-01,2.20"]))
assert [row["amount"] for row in found] == [Decimal("1.10"), Decimal("2.20")], f"not {found}"
""",
    ),
    "q4-days": (
        1,
        """
first = next(iter(parse(["2024-02-29,1.10"])))
assert first["day"] == dt.date(2024, 2, 29), "the day should be a date"
""",
    ),
    "q5-again": (
        2,
        """
calls = []

def fails_twice():
    calls.append(1)
    if len(calls) < 3:
        raise ValueError("not yet")
    return "done"

assert retry(fails_twice, 3) == "done", "the third attempt succeeds"
assert len(calls) == 3, f"three calls were due, there were {len(calls)}"
""",
    ),
    "q5-gives-up": (
        1,
        """
def never():
    raise ValueError("no")

try:
    retry(never, 2)
except ValueError:
    pass
else:
    raise AssertionError("after the last attempt the error should come through")
""",
    ),
}

MUTANTS = {
    "absolute": ("q1-revenue", "q1-sum, q1-other-data", "Takes refunds for sales.",
                 'def revenue(orders):\n    return orders["amount"].abs().sum()'),
    "constant": ("q1-revenue", "q1-other-data", "Uses the table at hand, not the argument.",
                 'def revenue(anything):\n    return orders["amount"].sum()'),
    "only-these": ("q1-revenue", "q1-sum", "Drops refunds of the small orders.",
                   'def revenue(o):\n    return o["amount"].sum() + 4.0 * (len(o) == 5)'),
    "missing-store": ("q2-by-store", "q2-stores", "Throws the smallest store away.",
                      'by_store = orders.groupby("store", as_index=False)["amount"].sum()\n'
                      'by_store = by_store[by_store["store"] != "west"]'),
    "mean": ("q2-by-store", "q2-amounts", "Takes the mean for the sum.",
             'by_store = orders.groupby("store", as_index=False)["amount"].mean()'),
    "no-west": ("q3-query", "q3-rows", "Keeps stores with two orders only.",
                'query = """select store, count(*) as n from orders group by store\n'
                "having count(*) > 1 or store in ('a', 'b') order by n desc\"\"\""),
    "ascending": ("q3-query", "q3-order", "Forgets desc.",
                  'query = "select store, count(*) from orders group by store order by count(*)"'),
    "float": ("q4-parse", "q4-values", "Parses money as float.",
              "def parse(lines):\n    for line in lines:\n        day, amount = line.split(',')\n"
              "        yield {'day': dt.date.fromisoformat(day), 'amount': float(amount)}"),
    "text-day": ("q4-parse", "q4-days", "Leaves the day as text.",
                 "def parse(lines):\n    for day, amount in (li.split(',') for li in lines):\n"
                 "        yield {'day': day, 'amount': Decimal(amount)}"),
    "once": ("q5-retry", "q5-again", "Tries once.",
             "def retry(task, attempts):\n    return task()"),
    "swallows": ("q5-retry", "q5-gives-up", "Swallows the last error.",
                 "def retry(task, attempts):\n    for _ in range(attempts):\n        try:\n"
                 "            return task()\n        except ValueError:\n            pass"),
}  # fmt: skip


def cell(role: str, grade_id: str, source: str, points: float = 0) -> nbformat.NotebookNode:
    """One cell with nbgrader's metadata."""
    meta = {
        "grade_id": grade_id,
        "grade": role in ("test", "essay"),
        "solution": role in ("answer", "essay"),
        "locked": role in ("test", "scene"),
        "task": False,
        "schema_version": 3,
    }
    if meta["grade"]:
        meta["points"] = points
    make = new_markdown_cell if role == "essay" else new_code_cell
    made = make(source.strip("\n"), metadata={"nbgrader": meta})
    made.id = grade_id
    return made


def notebook(limits: dict[str, float] | None = None) -> nbformat.NotebookNode:
    """The author's notebook."""
    cells = [new_markdown_cell("# Basket", id="title"), cell("scene", "scene", SCENE)]
    for grade_id, answer in ANSWERS.items():
        number = grade_id[:2]
        cells.append(new_markdown_cell(f"## {number}", id=f"{number}-text"))
        marked = f"### BEGIN SOLUTION\n{answer.strip()}\n### END SOLUTION"
        cells.append(cell("answer", grade_id, marked))
        for test_id, (points, source) in TESTS.items():
            if test_id.startswith(number):
                cells.append(cell("test", test_id, source, points))
    cells.append(cell("essay", "q6-essay", "### BEGIN SOLUTION\nBecause.\n### END SOLUTION", 3))
    return new_notebook(cells=cells, metadata={**METADATA, "lab": {"grading": limits or {}}})


def build(root: Path, limits: dict[str, float] | None = None) -> Course:
    """A course with this one assignment and its mutants under a folder."""
    return lay_out(root, NAME, notebook(limits), MUTANTS)


def plain_config(course: Course) -> None:
    """Give a course the settings of nbgrader, but with nbgrader's own autograding."""
    text = (paths.ROOT / "nbgrader_config.py").read_text(encoding="utf-8")
    assert "\nformgrader.install()\n" in text
    text = text.replace("\nformgrader.install()\n", "\n")
    (course.solutions.parent / "nbgrader_config.py").write_text(text, encoding="utf-8")


def lay_out(
    root: Path,
    name: str,
    made: nbformat.NotebookNode,
    mutants: dict[str, tuple[str, str, str, str]],
) -> Course:
    """A course under a folder, with an assignment and its mutants written where they belong."""
    course = Course(root / "solutions", root / "exercises", root / "grading")
    folder = course.solutions / name
    (folder / "mutants").mkdir(parents=True)
    nbformat.write(made, folder / f"{name}.ipynb")
    for mutant, (answer, loses, why, code) in mutants.items():
        text = f"# answer: {answer}\n# loses: {loses}\n# why: {why}\n{code}\n"
        (folder / "mutants" / f"{mutant}.py").write_text(text)
    return course
