"""JupyterLab on the course, as a student meets it."""

from __future__ import annotations

import subprocess
import sys

from lab import paths

SETTINGS = {
    "ServerApp.ip": "127.0.0.1",
    "ServerApp.root_dir": str(paths.ROOT),
    "LabApp.default_url": "/lab/tree/book/index.md",
    # overrides.json: a page of prose opens as a page, not as its source
    "LabApp.app_settings_dir": str(paths.ENV / "jupyter"),
    # Nothing asks the internet for news, versions or extensions.
    "LabApp.news_url": "None",
    "LabApp.check_for_updates_class": "jupyterlab.handlers.announcements.NeverCheckForUpdate",
    "LabApp.extension_manager": "readonly",
}


def open_course(*, browser: bool) -> int:
    """Run JupyterLab in the course's folder until Ctrl-C.

    Returns:
        The exit code of JupyterLab.
    """
    words = [f"--{name}={value}" for name, value in SETTINGS.items()]
    words += [] if browser else ["--no-browser"]
    # A server that runs as root says so and stops, unless it is told that this is meant (CI, a
    # container).
    words += ["--allow-root"]
    command = [sys.executable, "-m", "jupyterlab", *words]
    return subprocess.call(command, cwd=paths.ROOT)
