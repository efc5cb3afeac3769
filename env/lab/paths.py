"""Where the parts of the course lie on disk."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
NOTEBOOKS = ROOT / "notebooks"
SOLUTIONS = ROOT / "solutions"
EXERCISES = ROOT / "exercises"
DATASETS = ROOT / "datasets"
ENV = ROOT / "env"
IMAGES = ENV / "images"
TOOLS = ENV / "tools"
GRADING = ROOT / "grading"
BUILD = ROOT / "_build"


def cache() -> Path:
    """The folder for what is fetched or derived once; `LAB_CACHE` moves it."""
    return Path(os.environ.get("LAB_CACHE") or user_cache_path("data-engineering-lab", False))
