"""The command line: help that is enough, and errors that are sentences."""

import subprocess
import sys

import pytest

from lab import paths

LAB = [sys.executable, "-c", "from lab.cli import main; main()"]
COMMANDS = ("doctor", "images", "services", "run", "tidy", "book", "release", "grade", "mutants")


def lab(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    import os

    return subprocess.run(
        [*LAB, *words], capture_output=True, text=True, env=os.environ | {"COLUMNS": "120"} | env
    )


def test_help_names_every_command():
    done = lab("--help")
    assert done.returncode == 0
    assert all(command in done.stdout for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command):
    done = lab(command, "--help")
    assert done.returncode == 0 and "Usage" in done.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run", "nowhere"], "no such file or folder"),
        (["run", "README.md"], "is not a notebook"),
        (["tidy", "nowhere.ipynb"], "no such file or folder"),
        (["services", "oracle"], "no service is called 'oracle'"),
        (["grade", "no-such-assignment"], "no-such-assignment"),
        (["grade", "1-warehousing", "--submitted", "nowhere"], "nowhere"),
        (["mutants", "no-such-assignment"], "no-such-assignment"),
        (["release", "no-such-assignment"], "no-such-assignment"),
        (["images", "build", "postgers"], "postgres"),
    ],
)
def test_bad_input_is_a_sentence_and_a_code(words, says, tmp_path):
    done = subprocess.run([*LAB, *words], capture_output=True, text=True, cwd=paths.ROOT)
    assert done.returncode not in (0, None)
    said = " ".join((done.stderr + done.stdout).split())
    assert says in said
    assert "Traceback" not in said


def test_services_without_a_name_lists_them():
    assert "postgres" in lab("services").stdout


def test_a_wrong_way_is_refused():
    done = lab("services", "postgres", LAB_SERVICES="sometimes")
    assert done.returncode == 1 and "LAB_SERVICES='sometimes' is none of" in done.stderr


def test_doctor_finds_what_is_here_and_says_what_the_rest_costs():
    done = lab("doctor", DOCKER_HOST="tcp://127.0.0.1:9")
    assert done.returncode == 0
    assert "127.0.0.1 can be bound" in done.stdout
    assert "DOCKER_HOST" in done.stdout and "processes" in done.stdout
    assert "sandbox" in done.stdout


@pytest.mark.parametrize(
    ("bwrap", "container", "grade", "costs"),
    [
        (None, "no engine", "ok", ""),
        ("no bwrap", None, "less", "each hand-in waits"),
        ("no bwrap", "no engine", "less", "refused"),
    ],
)
def test_doctor_says_what_a_missing_sandbox_costs(monkeypatch, bwrap, container, grade, costs):
    from lab import doctor
    from lab.grading import sandbox

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(sandbox, "bwrap_problem", lambda: bwrap)
    monkeypatch.setattr(sandbox, "container_problem", lambda: container)
    found = next(one for one in doctor.examine() if one.what == "sandbox")
    assert found.grade == grade and costs in found.costs
    assert (bwrap or "bubblewrap works") in found.found
