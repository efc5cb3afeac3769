"""Makes the course's environment, `.venv`, from the lock. Needs Python 3.11 or 3.12 and a package
index.

    python3 env/bootstrap.py            make it, if it is missing or the lock has changed
    python3 env/bootstrap.py --lock     write requirements.lock and environment.yml anew

Only the standard library is used, as nothing else is there yet. Run by any Python 3.8 or later, it
finds a right one.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ENV = Path(__file__).resolve().parent
ROOT = ENV.parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
LOCK = ENV / "requirements.lock"
INSTALLER = ENV / "installer.lock"
STAMP = VENV / "made-from"
VERSIONS = ("3.12", "3.11")
DISK_GB = 6


class Sorry(Exception):
    """What went wrong, and what to do."""


def find_python() -> list[str]:
    """The command of a Python 3.11 or 3.12, this one if it is."""
    if "%d.%d" % sys.version_info[:2] in VERSIONS:
        return [sys.executable]
    candidates = [[f"python{version}"] for version in VERSIONS] + [
        ["py", f"-{version}"] for version in VERSIONS
    ]
    for command in candidates:
        if shutil.which(command[0]):
            try:
                done = subprocess.run([*command, "-c", "import venv"], capture_output=True)
            except OSError:
                continue
            if done.returncode == 0:
                return command
    raise Sorry(
        "this is Python %d.%d and neither 3.11 nor 3.12 was found; install one of them, then run "
        "`python3.12 env/bootstrap.py`." % sys.version_info[:2]
    )


def wanted() -> str:
    """What the environment depends on, as one hash."""
    files = [LOCK, INSTALLER, ROOT / "pyproject.toml"]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def run(command: list[str], what: str, **env: str) -> None:
    done = subprocess.run([str(word) for word in command], env={**os.environ, **env})
    if done.returncode:
        raise Sorry(
            f"{what} failed (its own words are above). If it was the network, run this again: it "
            "goes on where it was. If a wheel is missing for this platform, book/set-up.md says "
            "what can be done."
        )


def uv(*words: object) -> None:
    # uv does not read pip's settings; a mirror or a certificate set for pip should do for both.
    env = {}
    for ours, pips in (("UV_DEFAULT_INDEX", "PIP_INDEX_URL"), ("SSL_CERT_FILE", "PIP_CERT")):
        if pips in os.environ and ours not in os.environ:
            env[ours] = os.environ[pips]
    run(
        [str(BIN / "uv"), *words],
        f"uv {words[0]}",
        UV_NO_PROGRESS="" if sys.stdout.isatty() else "1",
        **env,
    )


def make() -> None:
    """Make `.venv` if it is missing or older than the lock."""
    if STAMP.exists() and STAMP.read_text() == wanted():
        return
    free = shutil.disk_usage(ROOT).free / 2**30
    if not VENV.exists() and free < DISK_GB:
        raise Sorry(
            f"{ROOT} has {free:.1f} GB free and the environment takes {DISK_GB} GB; make room and "
            "try again."
        )
    python = find_python()
    if not PYTHON.exists():
        # A half-made environment would trip the next try.
        shutil.rmtree(VENV, ignore_errors=True)
        print(f"Making {VENV} (once; 5 GB, a few minutes).", flush=True)
        run(
            [*python, "-m", "venv", VENV],
            "making the virtual environment (on Debian: install python3-venv)",
        )
    STAMP.unlink(missing_ok=True)
    run(
        [PYTHON, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", INSTALLER],
        "installing the installer",
    )
    # Compiled now: where nobody may write beside the sources (in a room for hand-ins, or with
    # PYTHONDONTWRITEBYTECODE), every start would compile them again, which takes seconds.
    sync = ["pip", "sync", "--quiet", "--compile-bytecode", "--require-hashes"]
    uv(*sync, "--python", PYTHON, LOCK, INSTALLER)
    uv(
        "pip",
        "install",
        "--quiet",
        "--python",
        PYTHON,
        "--no-deps",
        "--no-build-isolation",
        "--editable",
        ROOT,
    )
    STAMP.write_text(wanted())


def lock() -> None:
    """Write the locks anew from what requirements.in asks for, and environment.yml from them."""
    make()
    common = ["--universal", "--python-version", "3.11", "--generate-hashes", "--quiet"]
    common += ["--custom-compile-command", "python3 env/bootstrap.py --lock"]
    for asked, locked in ((ENV / "installer.in", INSTALLER), (ENV / "requirements.in", LOCK)):
        uv("pip", "compile", *common, asked, "-o", locked)
    (ROOT / "environment.yml").write_text(conda(), encoding="utf-8")


def conda() -> str:
    """The same environment for conda: its Python, and pip with the same lock."""
    return (
        "# Written by `python3 env/bootstrap.py --lock`: the same environment for conda users.\n"
        "#   conda env create -f environment.yml\n"
        "#   conda activate data-engineering\n"
        "#   pip install --no-deps -e .\n"
        "name: data-engineering\n"
        "channels: [conda-forge]\n"
        "dependencies:\n"
        "  - python=3.11\n"
        "  - pip\n"
        "  - pip:\n"
        "      - -r env/requirements.lock\n"
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lock", action="store_true", help="write the locks anew")
    try:
        (lock if parser.parse_args().lock else make)()
    except Sorry as error:
        print(f"bootstrap: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bootstrap: stopped; run it again to go on.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
