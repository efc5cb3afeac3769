"""Executes one notebook with papermill, in a process of its own that the runner can watch and kill.

Usage: python -m lab.execute NOTEBOOK OUTPUT RESULT

RESULT is a JSON file, rewritten at every cell, so that whoever kills this process knows how far it
came.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import papermill
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.paths import jupyter_runtime_dir
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError


class KernelManager(AsyncKernelManager):
    """Speaks to its kernel over local sockets: two kernels can't meet on a port.

    The sockets are named after the connection file; without one, all would lie in the working
    folder under one name.
    """

    def __init__(self, **kwargs: Any) -> None:
        if os.name == "posix":
            runtime = Path(jupyter_runtime_dir())
            runtime.mkdir(parents=True, exist_ok=True)
            kwargs |= {"transport": "ipc", "connection_file": str(runtime / f"{os.getpid()}.json")}
        super().__init__(**kwargs)


def execute(source: Path, target: Path, result: Path) -> None:
    """Execute `source` in its own folder into `target`, and tell `result` how it went."""
    state: dict[str, Any] = {"status": "running", "cell": None}

    def tell(**news: Any) -> None:
        state.update(news)
        partial = result.with_suffix(".part")
        partial.write_text(json.dumps(state), encoding="utf-8")
        partial.replace(result)

    def on_cell_start(cell: Any, cell_index: int) -> None:
        tell(cell=cell.get("id"), source=cell.source)

    tell()
    try:
        papermill.execute_notebook(
            str(source),
            str(target),
            cwd=str(source.parent),
            kernel_name="python3",
            progress_bar=False,
            autosave_cell_every=0,
            kernel_manager_class=KernelManager,
            on_cell_start=on_cell_start,
        )
        tell(status="ok", cell=None)
    except PapermillExecutionError as error:
        tell(
            status="failed",
            error=error.ename,
            reason=error.evalue,
            traceback=list(error.traceback),
        )
    except DeadKernelError:
        tell(
            status="failed",
            error="DeadKernel",
            reason="the kernel died: killed, crashed or out of memory",
        )


def main() -> None:
    if sys.platform == "win32":
        # zmq needs a selector loop.
        asyncio.set_event_loop_policy(asyncio.WindowsSelectorEventLoopPolicy())
    source, target, result = map(Path, sys.argv[1:4])
    execute(source, target, result)


if __name__ == "__main__":
    main()
