"""The code's form, and the safety of the workflows: what a reviewer should not have to say."""

import subprocess
import sys
from pathlib import Path

import pytest

from lab import paths

BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "--quiet", "env", "tests", "notebooks"],
        ["ruff", "format", "--check", "--quiet", "env", "tests"],
        ["zizmor", "--offline", "--quiet", "--no-progress", ".github/workflows"],
    ],
    ids=["ruff check", "ruff format", "zizmor"],
)
def test_has_nothing_to_say(command):
    done = subprocess.run(
        [BIN / command[0], *command[1:]], cwd=paths.ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_workflows_pin_actions_by_digest():
    import re

    for file in (paths.ROOT / ".github" / "workflows").glob("*.yml"):
        for action in re.findall(r"uses: (\S+)", file.read_text(encoding="utf-8")):
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action), f"{file.name}: {action}"
