"""``interop/engine`` where an engine answers and where none can be had, with stand-ins for both."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "interop" / "engine"


@pytest.fixture
def engine(tmp_path):
    """Runs the script; ``docker`` is what the stand-in for it does."""

    def run(docker, *words, **environment):
        for name, text in (("docker", docker), ("id", "echo 1000")):
            (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
            (tmp_path / name).chmod(0o755)
        env = {key: text for key, text in os.environ.items() if key != "CI"}
        env |= {"PATH": f"{tmp_path}:{env['PATH']}", "TANIST_CACHE": str(tmp_path / "cache")}
        return subprocess.run(
            [SCRIPT, *words], env=env | environment, capture_output=True, text=True, check=False
        )

    return run


def test_the_command_runs_with_the_engine_that_answers(engine):
    done = engine("exit 0", "sh", "-c", "echo here; exit 7")
    assert (done.returncode, done.stdout) == (7, "here\n")


@pytest.mark.parametrize(
    ("words", "environment", "status"),
    [([], {}, 0), ([], {"CI": "true"}, 1), (["--required"], {}, 1)],
)
def test_without_an_engine_nothing_ran_and_that_is_said(engine, words, environment, status):
    done = engine("exit 1", *words, "echo", "here", **environment)
    assert done.returncode == status
    assert done.stdout == ""
    assert done.stderr.startswith("not run: no container engine answers; start Docker, or run")


def test_without_a_command_it_says_how_it_is_used(engine):
    done = engine("exit 0")
    assert done.returncode == 64
    assert "interop/engine [--required] COMMAND" in done.stderr
