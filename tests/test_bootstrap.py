"""Making the environment: what is said when it can't be, and that nothing half-made is left."""

import importlib.util
import shutil
import subprocess
import sys
from collections import namedtuple

import pytest

from lab import paths


@pytest.fixture
def bootstrap(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("bootstrap", paths.ENV / "bootstrap.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "VENV", tmp_path / "venv")
    monkeypatch.setattr(module, "PYTHON", tmp_path / "venv" / "bin" / "python")
    monkeypatch.setattr(module, "STAMP", tmp_path / "venv" / "made-from")
    return module


def test_another_python_is_refused_with_what_to_install(bootstrap, monkeypatch):
    monkeypatch.setattr(bootstrap, "VERSIONS", ("3.99", "3.98"))
    with pytest.raises(bootstrap.Sorry, match=r"this is Python 3\.\d+ and neither"):
        bootstrap.find_python()


def test_a_right_python_on_the_path_is_found(bootstrap, monkeypatch, tmp_path):
    other = tmp_path / "python3.98"
    other.symlink_to(sys.executable)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(bootstrap, "VERSIONS", ("3.99", "3.98"))
    assert bootstrap.find_python() == ["python3.98"]


def test_a_full_disk_is_refused_before_anything_is_written(bootstrap, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(bootstrap.shutil, "disk_usage", lambda path: usage(1, 1, 2**30))
    with pytest.raises(bootstrap.Sorry, match=r"has 1\.0 GB free"):
        bootstrap.make()
    assert not bootstrap.VENV.exists()


def test_an_index_out_of_reach_is_said_and_the_next_try_starts_clean(bootstrap, monkeypatch, capfd):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(bootstrap.Sorry, match="installing the installer failed"):
        bootstrap.make()
    assert not bootstrap.STAMP.exists()


def test_made_from_the_same_lock_it_is_left_alone(bootstrap, monkeypatch):
    bootstrap.STAMP.parent.mkdir(parents=True)
    bootstrap.STAMP.write_text(bootstrap.wanted())
    monkeypatch.setattr(bootstrap, "run", lambda *words, **env: pytest.fail("it did work"))
    bootstrap.make()


@pytest.mark.skipif(not shutil.which("make"), reason="no make here")
def test_make_says_what_it_can_do():
    done = subprocess.run(["make", "help"], cwd=paths.ROOT, capture_output=True, text=True)
    assert all(f"make {name}" in done.stdout for name in ("book", "test", "lab", "grade"))


def test_conda_gets_the_same_lock(bootstrap):
    assert (paths.ROOT / "environment.yml").read_text() == bootstrap.conda()
    assert "-r env/requirements.lock" in bootstrap.conda()
