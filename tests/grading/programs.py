"""This environment's own programs, which find one another though nobody activated it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path(sys.executable).parent
VARIABLES = {**os.environ, "PATH": f"{FOLDER}{os.pathsep}{os.environ['PATH']}"}


def run(folder: Path, program: str | Path, *words: str | Path) -> str:
    """Run a program of this environment (or one by its path) in a folder; what it printed.

    Raises:
        RuntimeError: it failed; with its own words.
    """
    done = subprocess.run(
        [FOLDER / program, *words], cwd=folder, env=VARIABLES, capture_output=True, text=True
    )
    if done.returncode:
        command = " ".join(map(str, (program, *words)))
        raise RuntimeError(f"{command} failed:\n{done.stdout}\n{done.stderr}")
    return done.stdout + done.stderr
