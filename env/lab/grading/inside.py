"""The student's side of the line: runs cells, and answers questions about what they made.

Nothing here is trusted. It shares a process with the student's code, which may change any of it;
the other side (`check`) believes nothing that it says but the data, and the data decide nothing but
this student's own score.
"""

from __future__ import annotations

import ast
import builtins
import io
import os
import signal
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lab import exercise
from lab.grading.wire import OutOfTime, Peer


class Kept(io.TextIOBase):
    """A text stream that keeps the first `limit` characters and counts the rest."""

    def __init__(self, limit: int) -> None:
        self.limit, self.parts, self.size = limit, [], 0

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        room = self.limit - self.size
        if room > 0:
            self.parts.append(str(text)[:room])
        self.size += len(text)
        return len(text)

    def text(self) -> str:
        cut = f"\n[{self.size - self.limit} characters more]" if self.size > self.limit else ""
        return "".join(self.parts) + cut


def make_shell() -> Any:
    """An IPython shell without history, threads or files, for magics, `display` and `await`."""
    from IPython.core.displayhook import DisplayHook
    from IPython.core.displaypub import CapturingDisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    class Hook(DisplayHook):
        """Keeps the value of a cell's last line instead of printing it."""

        shown: list[dict[str, Any]] = []

        def write_format_data(self, format_dict: dict[str, Any], md_dict: Any = None) -> None:
            self.shown.append({"result": True, "data": format_dict})

        def write_output_prompt(self) -> None: ...
        def finish_displayhook(self) -> None: ...

    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "NoColor"
    config.InteractiveShell.cache_size = 0
    shell = InteractiveShell.instance(config=config)
    shell.display_formatter.active_types = ["text/plain", "image/png"]
    shell.showtraceback = shell.showsyntaxerror = lambda *a, **k: None
    shell.enable_gui = lambda gui=None: None
    shell.display_pub = CapturingDisplayPublisher()
    shell.displayhook = shell.display_trap.hook = Hook(shell=shell, cache_size=0)
    parse_once(shell)
    module = types.ModuleType("__main__")
    shell.user_module = module
    shell.user_ns = module.__dict__
    shell.init_user_ns()
    sys.modules["__main__"] = module
    module.__dict__["__builtins__"] = builtins
    return shell


def parse_once(shell: Any) -> None:
    """Have a cell that is Python as it stands parsed once, where IPython does it four times.

    Its rewriting of magics, its search for an `await` and its compiler each begin anew.
    """
    rewrite, is_async = shell.transform_cell, shell.should_run_async
    parse = shell.compile.ast_parse
    parsed: dict[str, ast.AST] = {}

    def transform_cell(cell: str) -> str:
        whole = cell if cell.endswith("\n") else cell + "\n"
        parsed.clear()
        try:
            parsed[whole] = parse(whole)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return rewrite(cell)
        return whole

    def should_run_async(cell: str, *, transformed_cell: str, **others: Any) -> bool:
        if "await" in transformed_cell or "async" in transformed_cell:
            return is_async(cell, transformed_cell=transformed_cell, **others)
        return False

    def ast_parse(source: str, *others: Any, **more: Any) -> ast.AST:
        # Popped, because a student's own transformer of trees may change what it is given.
        return parsed.pop(source, None) or parse(source, *others, **more)

    shell.transform_cell, shell.should_run_async = transform_cell, should_run_async
    shell.compile.ast_parse = ast_parse


class Student:
    """A notebook that runs cell by cell on demand.

    Args:
        shell: from `make_shell`.
        seconds: of one cell, and of one question.
        output_chars: kept of what one cell prints.
    """

    def __init__(self, shell: Any, seconds: float, output_chars: int) -> None:
        self.shell = shell
        self.seconds = seconds
        self.output_chars = output_chars
        signal.signal(signal.SIGALRM, self.too_long)

    def too_long(self, number: int, frame: object) -> None:
        raise OutOfTime(f"this took longer than {self.seconds:g} s")

    @contextmanager
    def limited(self) -> Iterator[None]:
        signal.setitimer(signal.ITIMER_REAL, self.seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    @contextmanager
    def listening(self) -> Iterator[tuple[Kept, Kept, list[dict[str, Any]]]]:
        """Keep what is printed and displayed meanwhile."""
        out, err = Kept(self.output_chars), Kept(self.output_chars)
        hook, publisher = self.shell.displayhook, self.shell.display_pub
        hook.shown, publisher.outputs = [], []
        before = sys.stdout, sys.stderr, sys.displayhook
        sys.stdout, sys.stderr = out, err
        try:
            yield out, err, hook.shown
        finally:
            sys.stdout, sys.stderr, sys.displayhook = before
            hook.shown += [{"result": False, "data": each["data"]} for each in publisher.outputs]

    def run(self, source: str) -> dict[str, Any]:
        """Run a cell as a notebook would; an error ends the cell, not the notebook."""
        error: list[str] | None = None
        with self.listening() as (out, err, shown):
            with self.limited():
                result = self.shell.run_cell(source, store_history=False)
            raised = result.error_before_exec or result.error_in_exec
            if raised is not None:
                error = [type(raised).__name__, str(raised)[:4000], where(raised)]
        return {
            "stdout": out.text(),
            "stderr": err.text(),
            "shown": [
                {"result": each["result"], **{
                    kind.replace("/", "_"): text
                    for kind in ("text/plain", "image/png")
                    if isinstance(text := each["data"].get(kind), str) and len(text) < 2 * 2**20
                }}
                for each in shown[:20]
            ],
            "error": error,
        }  # fmt: skip

    def get(self, name: str) -> object:
        """The value of a name, as it is now."""
        names = self.shell.user_ns
        if name not in names:
            raise NameError(f"the notebook defines no {name!r}")
        return names[name]


def where(error: BaseException) -> str:
    """The line of the cell in which an error arose."""
    line = None
    trace = error.__traceback__
    while trace is not None:
        if "ipython-input" in trace.tb_frame.f_code.co_filename or (
            "/ipykernel_" in trace.tb_frame.f_code.co_filename
        ):
            line = trace.tb_lineno
        trace = trace.tb_next
    if line is None:
        line = getattr(error, "lineno", None)
    return f"line {line}" if line else ""


def serve(stream: Any, shell: Any, limits: dict[str, Any]) -> None:
    """Answer the checker until it hangs up.

    Args:
        stream: the socket to it.
        shell: from `make_shell`.
        limits: of `course.Limits`, as a dictionary.
    """
    student = Student(shell, limits["seconds"], limits["output_chars"])
    nowhere = open(os.devnull, "w")  # noqa: SIM115 - as long as the process

    class Line(Peer):
        def act(self, op: str, fields: dict[str, Any]) -> object:
            if op in ("run", "get"):
                return super().act(op, fields)
            with student.limited():
                before = sys.stdout, sys.stderr
                sys.stdout = sys.stderr = nowhere  # what a function prints is nobody's output
                try:
                    return super().act(op, fields)
                finally:
                    sys.stdout, sys.stderr = before

    line = Line(
        stream,
        {"run": student.run, "get": student.get, "sql": exercise.run},
        max_body=limits["transfer_mb"] * 2**20,
    )
    line.serve()
