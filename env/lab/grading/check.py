"""The tests' side of the line: a trusted process that never runs a student's code.

The author's scene and tests run here, in a namespace that fetches what the student defined from the
sandbox when a test names it: as data, or as a stand-in for a function. What an author imports,
loads or computes is the author's own here, whatever the student did to their copy.
"""

from __future__ import annotations

import ast
import asyncio
import builtins
import inspect
import io
import json
import socket
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from typing import Any

from lab import exercise
from lab.grading import forkserver, sanitize
from lab.grading.wire import CannotCross, Gone, OutOfTime, Peer, RemoteFunction, open_up

MAX_MESSAGE = 2_000
AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
"""As in a notebook, a cell may await."""


@dataclass
class Exam:
    """An assignment as the checker needs it: parsed once, before the first submission."""

    cells: list[dict[str, Any]]
    limits: dict[str, Any]
    spots: list[sanitize.Spot] = field(default_factory=list)
    theirs: frozenset[str] = frozenset()
    """Names that the author's own answers bind: always the student's, never the author's."""
    code: dict[int, Any] = field(default_factory=dict)
    opened: frozenset[str] = frozenset()
    """Names of services and the like, whose attributes and methods tests may use."""

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Exam:
        exam = cls(told["cells"], told["limits"])
        exam.spots = [
            sanitize.Spot(c["id"], c["grade_id"], c["role"], c["shown"]) for c in exam.cells
        ]
        names: set[str] = set()
        opened: set[str] = set()
        for number, cell in enumerate(exam.cells):
            if cell["role"] in ("scene", "plain") and cell["sandbox_only"]:
                opened |= bound(cell["source"])
            if cell["role"] == "answer":
                names |= bound(cell["source"])
            elif cell["role"] in ("scene", "plain", "test") and cell["cell_type"] == "code":
                exam.code[number] = prepared(cell)
        exam.theirs = frozenset(names)
        exam.opened = frozenset(opened - names)
        return exam


def bound(source: str) -> set[str]:
    """The names that a cell sets or changes at its top level."""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # magics: the names then come from the scene, if it has them
        return set()
    names: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
            return
        if isinstance(node, ast.Lambda):
            return
        if isinstance(node, ast.Name) and isinstance(node.ctx, (ast.Store, ast.Del)):
            names.add(node.id)
        if isinstance(node, (ast.Attribute, ast.Subscript)) and isinstance(node.ctx, ast.Store):
            root: ast.AST = node
            while isinstance(root, (ast.Attribute, ast.Subscript)):
                root = root.value
            if isinstance(root, ast.Name):
                names.add(root.id)
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            return
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(tree)
    return names


def prepared(cell: dict[str, Any]) -> tuple[Any, Any] | SyntaxError:
    """A cell compiled: its statements, and its last expression when it ends in one."""
    name = f"<{cell['role']} {cell['grade_id'] or cell['id']}>"
    try:
        tree = ast.parse(cell["source"], name)
        if cell["sandbox_only"]:
            tree.body = [n for n in tree.body if isinstance(n, (ast.Import, ast.ImportFrom))]
        last = None
        if tree.body and isinstance(tree.body[-1], ast.Expr):
            last = compile(ast.Expression(tree.body.pop().value), name, "eval", flags=AWAIT)
        return compile(tree, name, "exec", flags=AWAIT), last
    except SyntaxError as error:
        return error


class Names(dict[str, Any]):
    """The author's names, and behind them the student's, fetched when they are used."""

    def __init__(
        self,
        line: Peer,
        theirs: frozenset[str] = frozenset(),
        opened: frozenset[str] = frozenset(),
    ) -> None:
        # Built-ins among them, because a look-up that goes through `__missing__` is a slow one.
        super().__init__({k: v for k, v in vars(builtins).items() if k not in theirs})
        self.update(__name__="__main__", __builtins__=builtins, display=lambda *a, **k: None)
        self.line = line
        self.theirs, self.opened = theirs, opened
        self.fetched: dict[str, Any] = {}

    def __missing__(self, name: str) -> Any:
        if name not in self.fetched:
            if name not in self.theirs and hasattr(builtins, name):
                raise KeyError(name)
            try:
                value = self.line.ask("get", name=name)
                self.fetched[name] = open_up(value) if name in self.opened else value
            except CannotCross as error:
                raise CannotCross(f"`{name}`: {error}") from None
        return self.fetched[name]

    def called(self) -> None:
        """The student's code may have changed data: what is no function is fetched anew."""
        self.fetched = {k: v for k, v in self.fetched.items() if isinstance(v, RemoteFunction)}

    def give_back(self) -> None:
        """Forget what the author's cells set under names that are the student's."""
        for name in self.theirs:
            self.pop(name, None)


class Line(Peer):
    """The line to the student, whose names are as fresh as the last use of their code."""

    names: Names

    def ask(self, op: str, *, within: float | None = None, **fields: object) -> Any:
        if op not in ("get", "sql"):  # a query has no way to a name of Python's
            self.names.called()
        return super().ask(op, within=within, **fields)


@contextmanager
def quiet() -> Iterator[None]:
    """What a test prints or warns is neither shown nor scored."""
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def execute(code: tuple[Any, Any] | SyntaxError, names: Names) -> Any:
    """Run a prepared cell; return the value of its last expression."""
    if isinstance(code, SyntaxError):
        raise code
    with quiet():
        value = None
        for part in code:
            if part is not None:
                value = eval(part, names)  # of statements it gives None, or what is to be awaited
                if part.co_flags & inspect.CO_COROUTINE:
                    value = asyncio.run(value)
        return value if code[1] is not None else None


def credit(value: object, points: float) -> float:
    """Points of a test that raised nothing: all, or the number that its last line is."""
    if value is None or isinstance(value, (str, bytes)):
        return points
    try:
        number = float(repr(value))
    except ValueError:
        return points
    if number > points:
        raise ValueError(f"the test gave {number:g} of {points:g} points")
    return number if number >= 0 else points


def explain(error: BaseException) -> str:
    """What a student is told about a test that failed; never the test's own source."""
    if isinstance(error, AssertionError):
        text = str(error) or "a check failed (it has no message)"
    elif isinstance(error, CannotCross):
        text = f"the answer can't be checked: {error}"
    elif isinstance(error, OutOfTime):
        text = str(error)
    elif isinstance(error, Gone):
        text = f"not checked: the notebook's process is gone ({error})"
    else:
        text = f"{type(error).__name__}: {error}"
    return text[:MAX_MESSAGE]


def outputs(told: object, limit: int) -> dict[str, Any]:
    """What the student's side says a cell showed, made safe to keep: bounded plain text."""
    told = told if type(told) is dict else {}

    def text(value: object, size: int = limit) -> str:
        return value[: size + 100] if type(value) is str else ""

    shown = told.get("shown")
    kept = []
    for each in (shown if type(shown) is list else [])[:20]:
        if type(each) is dict:
            picture = sanitize_png(each.get("image_png"))
            kept.append(
                {
                    "result": each.get("result") is True,
                    "text": text(each.get("text_plain")),
                    **({"png": picture} if picture else {}),
                }
            )
    error = told.get("error")
    if type(error) is list and len(error) == 3:
        error = [text(part, 4_000) for part in error]
    else:
        error = None
    return {
        "stdout": text(told.get("stdout")),
        "stderr": text(told.get("stderr")),
        "shown": kept,
        "error": error,
    }


def sanitize_png(data: object) -> str | None:
    from lab.grading.wire import png

    return png(data) if data is not None else None


class Examiner:
    """Grades one submission and tells the grader step by step."""

    def __init__(self, line: Line, tell: Any, exam: Exam) -> None:
        self.line, self.tell, self.exam = line, tell, exam
        self.names = Names(line, exam.theirs, exam.opened)
        line.names = self.names
        self.trouble: str | None = None
        self.ended_at: int | None = None
        self.slow: list[int] = []

    def examine(self, steps: list[sanitize.Step], skip: set[int]) -> None:
        for number, step in enumerate(steps):
            if step.cell_type != "code":
                continue
            role = self.exam.cells[step.of]["role"] if step.of is not None else "added"
            if role == "test":
                self.test(number, step, skip)
            elif role in ("scene", "plain"):
                self.run(number, step.source, skip)
                self.scene(number, step)
            else:
                self.run(number, step.source, skip)

    def run(self, number: int, source: str, skip: set[int]) -> None:
        """Have the student's side run a cell, unless its process is gone."""
        if not source.strip():
            return
        if number in skip:
            self.tell({"step": number, "out": {"error": ["Stopped", "this cell was left out", ""]}})
            return
        if self.line.gone:
            return
        seconds = self.exam.limits["seconds"]
        self.names.fetched.clear()
        try:
            told = self.line.ask("run", source=source, within=seconds + 2)
        except Gone as gone:
            self.ended_at = number
            self.trouble = "timeout" if gone.timeout else "crashed"
            self.tell({"step": number, "out": {"error": [self.trouble, str(gone), ""]}})
            return
        except (Exception, OutOfTime) as error:
            self.tell({"step": number, "out": {"error": ["Error", explain(error), ""]}})
            return
        kept = outputs(told, self.exam.limits["output_chars"])
        if kept["error"] and kept["error"][0] == OutOfTime.__name__:
            self.slow.append(number)
        self.tell({"step": number, "out": kept})

    def scene(self, number: int, step: sanitize.Step) -> None:
        """The author's own copy of a cell that sets the scene."""
        assert step.of is not None
        try:
            execute(self.exam.code[step.of], self.names)
        except (Exception, OutOfTime) as error:
            self.tell({"author": f"{self.exam.cells[step.of]['id']}: {explain(error)}"})
        self.names.give_back()

    def test(self, number: int, step: sanitize.Step, skip: set[int]) -> None:
        assert step.of is not None
        cell = self.exam.cells[step.of]
        if number in skip:
            message = "the notebook's process ended while this was checked"
            self.tell({"step": number, "score": 0.0, "message": message})
            return
        was_gone = self.line.gone
        message = ""
        try:
            value = execute(self.exam.code[step.of], self.names)
            score = credit(value, cell["points"])
        except (Exception, OutOfTime) as error:
            score, message = 0.0, explain(error)
            if isinstance(error, OutOfTime):
                self.slow.append(number)
            if isinstance(self.exam.code[step.of], SyntaxError):
                self.tell({"author": f"{cell['grade_id']}: {message}"})
        if self.line.gone and not was_gone:
            self.ended_at = number
            self.trouble = "timeout" if self.line.gone.timeout else "crashed"
        self.tell({"step": number, "score": score, "message": message})
        self.names.give_back()


def serve(student: socket.socket, grader: socket.socket, exam: Exam) -> None:
    """Grade the one submission that the grader sends, and tell what came of it.

    Args:
        student: the line into the sandbox.
        grader: the line to the grader; a header and the file come, events go.
        exam: the assignment.
    """

    def tell(event: dict[str, Any]) -> None:
        forkserver.send(grader, event)

    got = forkserver.receive(grader)
    if got is None:
        return
    order = got[0]
    data = bytearray()
    while len(data) < order["size"]:
        part = grader.recv(min(order["size"] - len(data), 2**20))
        if not part:
            return
        data += part
    try:
        steps = sanitize.sanitize(bytes(data), exam.spots)
    except sanitize.Malformed as error:
        tell({"malformed": str(error)})
        return
    except MemoryError:
        tell({"malformed": "the file needs more memory than a notebook may"})
        return
    del data
    tell({"layout": [[step.of, step.source, step.cell_type] for step in steps]})
    line = Line(
        student,
        offers=frozenset({"call"}),
        max_body=exam.limits["transfer_mb"] * 2**20,
        seconds=exam.limits["seconds"] + 2,
    )
    exercise._opened = open_up
    exercise._elsewhere = lambda queries, tables: line.ask("sql", queries=queries, tables=tables)
    examiner = Examiner(line, tell, exam)
    sys.path.insert(0, "")
    examiner.examine(steps, set(order["skip"]))
    line.close()
    tell(
        {
            "done": True,
            "trouble": examiner.trouble,
            "ended_at": examiner.ended_at,
            "slow": examiner.slow,
        }
    )


def dump(assignment: Any) -> dict[str, Any]:
    """What `Exam.from_json` reads, of a `course.Assignment`."""
    from dataclasses import asdict

    return json.loads(
        json.dumps(
            {
                "cells": [asdict(cell) for cell in assignment.cells],
                "limits": asdict(assignment.limits),
            }
        )
    )
