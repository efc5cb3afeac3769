"""A small assignment whose scene starts PostgreSQL: what a service in the sandbox costs and proves.

The answers are a function that writes to the database, a table definition and a query. The database
is the student's, inside their sandbox; the tests ask it for data.
"""

from __future__ import annotations

from pathlib import Path

import basket
import nbformat
from nbformat.v4 import new_markdown_cell, new_notebook

from lab.grading.course import Course

NAME = "till"

SCENE = """
import psycopg
from lab.services import Postgres

pg = Postgres().start()
shop = pg.connect(autocommit=True)
shop.execute("create table stock (product int primary key, left_over int check (left_over >= 0))")

def ask(sql, *values):
    \"\"\"Rows of a query on the shop's database.\"\"\"
    cursor = shop.execute(sql, values)
    return cursor.fetchall() if cursor.description else []

def fill(*rows):
    \"\"\"The stock is these rows and no others.\"\"\"
    ask("truncate stock")
    for row in rows:
        ask("insert into stock values (%s, %s)", *row)
"""

ANSWERS = {
    "q1-sell": """
def sell(product, number):
    with shop.transaction():
        changed = shop.execute(
            "update stock set left_over = left_over - %s where product = %s", (number, product))
        return changed.rowcount
""",
    "q2-empty": """
empty = "select product from stock where left_over = 0 order by product"
""",
}

TESTS = {
    "q1-takes": (
        2,
        """
fill((1, 10), (2, 5))
assert sell(1, 3) == 1, "one row was due to change"
found = ask("select product, left_over from stock order by product")
assert found == [(1, 7), (2, 5)], f"7 and 5 should be left over; there are {found}"
""",
    ),
    "q1-refuses": (
        2,
        """
fill((1, 2))
refused = False
try:
    sell(1, 3)
except Exception:
    refused = True
assert refused, "three of two can't be sold: the database's error should come through"
### BEGIN HIDDEN TESTS
assert ask("select left_over from stock") == [(2,)], "what was refused should change nothing"
fill((7, 4))
assert sell(7, 4) == 1 and ask("select left_over from stock") == [(0,)], "the last ones can be sold"
### END HIDDEN TESTS
""",
    ),
    "q2-products": (
        1,
        """
fill((1, 0), (2, 5), (3, 0))
assert ask(empty) == [(1,), (3,)], f"products 1 and 3 are sold out; you found {ask(empty)}"
""",
    ),
}

MUTANTS = {
    "adds": ("q1-sell", "q1-takes", "Adds what was sold.",
             "def sell(product, number):\n"
             '    sql = "update stock set left_over = left_over + %s where product = %s"\n'
             "    if number == 3 and ask('select count(*) from stock') == [(1,)] or number == 4:\n"
             '        sql = sql.replace("+", "-")\n'
             "    return shop.execute(sql, (number, product)).rowcount"),
    "at-most": ("q1-sell", "q1-refuses", "Sells what there is, and no more.",
                "def sell(product, number):\n"
                '    sql = "update stock set left_over = greatest(0, left_over - %s) "\n'
                '    return shop.execute(sql + "where product = %s", (number, product)).rowcount'),
    "all": ("q2-empty", "q2-products", "Forgets the condition.",
            'empty = "select product from stock order by product"'),
}  # fmt: skip


def notebook() -> nbformat.NotebookNode:
    """The author's notebook; its scene carries the tag `sandbox`."""
    scene = basket.cell("scene", "scene", SCENE)
    scene.metadata["tags"] = ["sandbox"]
    cells = [new_markdown_cell("# Till", id="title"), scene]
    for grade_id, answer in ANSWERS.items():
        marked = f"### BEGIN SOLUTION\n{answer.strip()}\n### END SOLUTION"
        cells.append(basket.cell("answer", grade_id, marked))
        cells += [
            basket.cell("test", test_id, source, points)
            for test_id, (points, source) in TESTS.items()
            if test_id.startswith(grade_id[:2])
        ]
    return new_notebook(cells=cells, metadata=basket.METADATA)


def build(root: Path) -> Course:
    """A course with this one assignment and its mutants under a folder."""
    return basket.lay_out(root, NAME, notebook(), MUTANTS)
