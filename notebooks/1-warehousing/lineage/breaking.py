"""A project to break: a copy of the warehouse in which one file says something else."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from lab.errors import LabError
from warehouse.run import PROJECT

PARTS = ("dbt_project.yml", "profiles.yml", "models", "macros", "snapshots", "tests")


def copy(to: Path, file: str, old: str, new: str) -> Path:
    """Copy the warehouse's project, and change one place of one file.

    Args:
        to: a folder that does not exist yet.
        file: the file to change, such as "models/staging/stg_orders.sql".
        old: what stands there, exactly once.
        new: what shall stand there.

    Returns:
        The folder of the copy.
    """
    text = (PROJECT / file).read_text(encoding="utf-8")
    if text.count(old) != 1:
        raise LabError(f"{file} holds {old!r} {text.count(old)} times, not once: quote more of it.")
    to.mkdir(parents=True)
    for part in PARTS:
        take = shutil.copytree if (PROJECT / part).is_dir() else shutil.copy
        take(PROJECT / part, to / part)
    (to / file).write_text(text.replace(old, new), encoding="utf-8")
    return to


def plain(message: str) -> str:
    """A message of dbt without colours, empty lines and the macros that it went through."""
    lines = re.sub(r"\x1b\[[0-9;]*m", "", message).splitlines()
    return "\n".join(
        line.rstrip()
        for line in lines
        if line.strip() and not line.strip().startswith(("> in macro", "> called by"))
    )
