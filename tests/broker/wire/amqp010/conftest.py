"""Fixtures of the AMQP 0-10 tests: recorded conversations, and the genuine codec as an oracle."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

CAPTURES = Path(__file__).resolve().parents[3] / "data" / "captures"
PROTOCOL_010 = b"AMQP\x01\x01\x00\x0a"
REMEDY = "no Python 2.7 with qpid-python here: run clients/setup"


@pytest.fixture(scope="session")
def captured() -> dict[str, bytes]:
    """The octets of every recorded direction that speaks 0-10, by "file side"."""
    sides: dict[str, bytes] = {}
    for path in sorted(CAPTURES.glob("*.jsonl")):
        for line in path.read_text(encoding="ascii").splitlines():
            entry = json.loads(line)
            if "hex" in entry:
                name = f"{path.stem} {entry['from']}"
                sides[name] = sides.get(name, b"") + bytes.fromhex(entry["hex"])
    return {name: data for name, data in sides.items() if data.startswith(PROTOCOL_010)}


def python27_candidates() -> Iterator[Path]:
    """Interpreters that may have qpid-python, the one that clients/setup makes first."""
    cache = os.environ.get("TANIST_CACHE") or Path.home() / ".cache" / "tanist"
    yield Path(cache) / "py27" / "bin" / "python2.7"
    if named := os.environ.get("TANIST_PYTHON27"):
        yield Path(named)
    if found := shutil.which("python2.7"):
        yield Path(found)
    yield from sorted((Path.home() / ".pyenv" / "versions").glob("2.7*/bin/python"))


def python27_command() -> tuple[list[str], dict[str, str]] | None:
    """How to start a Python 2.7 that can import qpid-python; None if there is none."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTHONPATH", None)
    if library := os.environ.get("TANIST_PY2LIB"):
        environment["PYTHONPATH"] = library
    for python in python27_candidates():
        if python.exists():
            probe = [str(python), "-c", "import qpid.ops"]
            done = subprocess.run(probe, env=environment, capture_output=True, check=False)
            if done.returncode == 0:
                return [str(python)], environment
    return None


@pytest.fixture(scope="session")
def genuine() -> Iterator[Callable[..., object]]:
    """Ask the codec of genuine qpid-python: ``genuine("command", name, fields, sync)``."""
    found = python27_command()
    if found is None:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(REMEDY)
        pytest.skip(REMEDY)
    command, environment = found
    program = [*command, str(Path(__file__).with_name("oracle.py2"))]
    with subprocess.Popen(
        program, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        stdin, stdout = process.stdin, process.stdout

        def ask(*request: object) -> object:
            stdin.write(json.dumps(request) + "\n")
            stdin.flush()
            answer = stdout.readline()
            assert answer, f"the genuine codec died of {request}"
            answered: object = json.loads(answer)
            return answered

        yield ask
        stdin.close()
