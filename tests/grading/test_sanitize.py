"""Any file gives a verdict, and no editor's quirk costs an answer."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import basket
import fuzz
import pytest

from lab.grading.course import Assignment, Course
from lab.grading.grader import Grader
from lab.grading.proof import handed_in
from lab.grading.sanitize import Malformed, Spot, Step, sanitize

Notebook = dict[str, Any]


@pytest.fixture(scope="module")
def spots(assignment: Assignment) -> list[Spot]:
    return [Spot(c.id, c.grade_id, c.role, c.shown) for c in assignment.cells]


@pytest.fixture
def solved(course: Course) -> Notebook:
    return json.loads(handed_in(course, basket.NAME))


def data(notebook: Any, encoding: str = "utf-8") -> bytes:
    return json.dumps(notebook).encode(encoding)


def cell(notebook: Notebook, name: str) -> Notebook:
    return next(c for c in notebook["cells"] if c["id"] == name)


# Each of these is what an editor, a converter or a student's slip makes of a good notebook.


def stripped(nb: Notebook) -> bytes:
    for each in nb["cells"]:
        each["metadata"] = {}
    return data(nb)


def stripped_without_ids(nb: Notebook) -> bytes:
    for each in nb["cells"]:
        each["metadata"] = {}
        del each["id"]
    return data(nb)


def lists_of_lines(nb: Notebook) -> bytes:
    for each in nb["cells"]:
        each["source"] = "".join(each["source"]).splitlines(keepends=True)
    return data(nb)


def windows_lines(nb: Notebook) -> bytes:
    for each in nb["cells"]:
        each["source"] = "".join(each["source"]).replace("\n", "\r\n")
    return data(nb)


def version_3(nb: Notebook) -> bytes:
    for each in nb["cells"]:
        if each["cell_type"] == "code":
            each["input"] = each.pop("source")
            each["language"] = "python"
    return data({"nbformat": 3, "nbformat_minor": 0, "worksheets": [{"cells": nb["cells"]}]})


def newer_version(nb: Notebook) -> bytes:
    return data(nb | {"nbformat": 4, "nbformat_minor": 99, "unheard": {"of": 1}})


def doubled(nb: Notebook) -> bytes:
    stub = copy.deepcopy(cell(nb, "q1-revenue"))
    stub["source"] = "# YOUR CODE HERE\nraise NotImplementedError()"
    at = nb["cells"].index(cell(nb, "q1-revenue"))
    nb["cells"].insert(at + 1, stub)
    nb["cells"].append(copy.deepcopy(cell(nb, "q1-sum")))
    return data(nb)


def split(nb: Notebook) -> bytes:
    whole = cell(nb, "q4-parse")
    at = nb["cells"].index(whole)
    head = {**whole, "source": "separator = ','"}
    tail = copy.deepcopy(whole)
    tail["id"] = "another"
    tail["source"] = "".join(whole["source"]).replace('","', "separator")
    nb["cells"][at : at + 1] = [head, tail]
    return data(nb)


def deleted_tests(nb: Notebook) -> bytes:
    nb["cells"] = [c for c in nb["cells"] if c["metadata"].get("nbgrader", {}).get("solution")]
    return data(nb)


def reordered(nb: Notebook) -> bytes:
    nb["cells"].reverse()
    return data(nb)


def moved_answer(nb: Notebook) -> bytes:
    """The answer in a cell of the student's own, its place deleted."""
    whole = cell(nb, "q3-query")
    whole["metadata"], whole["id"] = {}, "mine"
    return data(nb)


def edited_scene(nb: Notebook) -> bytes:
    cell(nb, "scene")["source"] = "import pandas as pd\norders = None"
    return data(nb)


def other_kernel(nb: Notebook) -> bytes:
    nb["metadata"] = {"kernelspec": {"name": "ir", "language": "R"}, "language_info": 3}
    return data(nb)


def huge_outputs(nb: Notebook) -> bytes:
    cell(nb, "q1-revenue")["outputs"] = [
        {"output_type": "stream", "name": "stdout", "text": "x" * 60_000_000}
    ]
    return data(nb)


def with_mark(nb: Notebook) -> bytes:
    return b"\xef\xbb\xbf" + data(nb)


def utf_16(nb: Notebook) -> bytes:
    return data(nb, "utf-16")


def latin_1(nb: Notebook) -> bytes:
    cell(nb, "q1-revenue")["source"] += "\n# caf\u00e9"
    return json.dumps(nb, ensure_ascii=False).encode("latin-1")


def odd_characters(nb: Notebook) -> bytes:
    cell(nb, "q1-revenue")["source"] += "\n# \ud800 \u0000 \u202e"
    return data(nb)


QUIRKS = [
    stripped, stripped_without_ids, lists_of_lines, windows_lines, version_3, newer_version,
    doubled, split, deleted_tests, reordered, moved_answer, edited_scene, other_kernel,
    huge_outputs, with_mark, utf_16, latin_1, odd_characters,
]  # fmt: skip


@pytest.mark.parametrize("quirk", QUIRKS, ids=lambda quirk: quirk.__name__)
def test_a_quirk_of_the_file_costs_no_point(
    quirk: Callable[[Notebook], bytes], solved: Notebook, grader: Grader
) -> None:
    verdict = grader.grade(quirk(solved))

    assert (verdict["status"], verdict["score"]) == ("graded", 15.0), verdict["cells"]


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (b"", "empty"),
        (b"\n\n  \0", "empty"),
        (b"not json", "not JSON"),
        (b'{"cells": [', "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[]", "not a notebook"),
        (b'{"nbformat": 4}', "no cells"),
        (b'{"cells": 7}', "no cells"),
        (b'{"cells": []}', "none of this assignment's cells"),
        (json.dumps({"cells": [{}] * 3000}).encode(), "more than"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "not JSON"),
    ],
    ids=range(11),
)
def test_what_is_no_notebook_is_malformed(file: bytes, why: str, spots: list[Spot]) -> None:
    with pytest.raises(Malformed, match=why):
        sanitize(file, spots)


def test_locked_cells_and_tests_are_always_the_authors(solved: Notebook, spots: list[Spot]) -> None:
    for each in solved["cells"]:
        each["source"] = "mine()"

    steps = sanitize(data(solved), spots)

    kept = {spots[step.of].grade_id: step.source for step in steps if step.of is not None}
    assert kept["q1-sum"].startswith("found = revenue(orders)")
    assert kept["scene"].startswith("import datetime")
    assert kept["q1-revenue"] == "mine()"


def test_added_cells_stay_where_they_were_put(solved: Notebook, spots: list[Spot]) -> None:
    new = {"cell_type": "code", "id": "n", "metadata": {}, "source": "helper = 1", "outputs": []}
    at = solved["cells"].index(cell(solved, "q2-by-store"))
    solved["cells"].insert(at, new)

    steps = sanitize(data(solved), spots)

    place = steps.index(Step(None, "helper = 1"))
    before, after = steps[place - 1].of, steps[place + 1].of
    assert before is not None
    assert after is not None
    assert spots[before].id == "q2-text"
    assert spots[after].grade_id == "q2-by-store"


def test_a_mangled_notebook_keeps_the_authors_cells(course: Course, spots: list[Spot]) -> None:
    places = list(range(len(spots)))
    taken = 0
    for number, file in enumerate(fuzz.files(handed_in(course, basket.NAME), 1000)):
        try:
            steps = sanitize(file, spots)
        except Malformed:
            continue
        assert [step.of for step in steps if step.of is not None] == places, number
        for step in steps:
            if step.of is not None and spots[step.of].role in ("scene", "test", "text"):
                assert step.source == spots[step.of].source, number
        json.dumps([step.source for step in steps]).encode()
        taken += 1
    assert 100 < taken < 900


def test_a_thousand_mangled_notebooks_give_a_thousand_verdicts(
    course: Course, grader: Grader, assignment: Assignment
) -> None:
    cells = {cell.grade_id for cell in assignment.cells if cell.points}
    counts: Counter[str] = Counter()
    for number, file in enumerate(fuzz.files(handed_in(course, basket.NAME), 1000)):
        verdict = grader.grade(file)
        assert set(verdict["cells"]) == cells, number
        assert 0 <= verdict["score"] <= 15, number
        counts[verdict["status"]] += 1
    assert sum(counts.values()) == 1000
    assert set(counts) <= {"graded", "malformed", "crashed"}, counts
    assert min(counts["graded"], counts["malformed"]) > 100, counts
