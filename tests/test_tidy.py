"""Committed notebooks have one form."""

import nbformat
import pytest

from lab import paths
from lab.notebooks import find, read
from lab.tidy import tidied, tidy


@pytest.fixture
def messy(tmp_path):
    node = nbformat.v4.new_notebook(metadata={"widgets": {"a": 1}, "lab": {"seconds": 5}})
    code = nbformat.v4.new_code_cell("x = 1  \nx\n", id="0a1b2c3d", execution_count=7)
    code.outputs = [nbformat.v4.new_output("stream", text="1")]
    code.metadata = nbformat.from_dict({"scrolled": True, "tags": ["measured"]})
    graded = nbformat.v4.new_code_cell("y = 2", id="deadbeef")
    graded.metadata = nbformat.from_dict({"nbgrader": {"grade_id": "revenue", "points": 1}})
    node.cells = [
        nbformat.v4.new_markdown_cell("## One idea", id="named"),
        code,
        graded,
        code.copy(),
    ]
    path = tmp_path / "a.ipynb"
    nbformat.write(node, path)
    return path


def test_tidy_removes_what_a_session_left_and_keeps_what_an_author_said(messy):
    assert tidy([messy], check=False) == 0
    node = nbformat.read(messy, as_version=4)
    assert [cell.id for cell in node.cells] == ["named", "x-1-x", "revenue", "x-1-x-2"]
    assert node.cells[1].source == "x = 1\nx"
    assert node.cells[1].outputs == [] and node.cells[1].execution_count is None
    assert node.cells[1].metadata == {"tags": ["measured"]}
    assert node.metadata["lab"] == {"seconds": 5} and "widgets" not in node.metadata


def test_check_changes_nothing_and_fails(messy):
    before = messy.read_bytes()
    assert tidy([messy], check=True) == 1
    assert messy.read_bytes() == before


def test_tidying_twice_is_tidying_once(messy):
    once = tidied(read(messy).node)
    assert tidied(nbformat.reads(once, as_version=4)) == once


@pytest.mark.parametrize(
    "path", [*find([]), *find([], default=paths.SOLUTIONS)], ids=lambda path: path.name
)
def test_committed_notebooks_are_tidy(path):
    assert path.read_text(encoding="utf-8") == tidied(read(path).node), "run `lab tidy`"
