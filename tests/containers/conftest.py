"""An engine that answers, and one compose cluster at a time. ``tox -e demo`` brings both."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 180.0
"""For any one step on a busy machine; a step that works takes a second or two."""


def run(*command: str, check: bool = True, **environment: str) -> str:
    """Standard output; fails the test with everything that was printed."""
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True,
        timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0 or not check, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def compose_command() -> list[str]:
    """``docker compose`` if there is one, else docker-compose; TANIST_COMPOSE names another."""
    if "TANIST_COMPOSE" in os.environ:
        return os.environ["TANIST_COMPOSE"].split()
    plugin = subprocess.run(
        ["docker", "compose", "version"], capture_output=True, text=True, check=False
    )
    return ["docker", "compose"] if plugin.returncode == 0 else ["docker-compose"]


class Demo:
    """The demo cluster under a name, a network and ports of its own."""

    def __init__(self, **settings: str) -> None:
        self.project = f"tanistdemo{os.getpid()}x{random.randrange(10**6)}"
        self.settings = {
            "TANIST_NET": f"172.{random.randrange(20, 31)}.{random.randrange(256)}",
            "TANIST_PORT": str(random.randrange(1024, 5500)),
            "COMPOSE_PROJECT_NAME": self.project,
            **settings,
        }

    def compose(self, *words: str, check: bool = True) -> str:
        """What it printed, on either way."""
        return run("sh", "-c", 'exec "$@" 2>&1', "sh", *compose_command(), *words,
                   check=check, **self.settings)  # fmt: skip

    def container(self, service: str) -> str:
        """The id of its container, dead or alive."""
        label = f"label=com.docker.compose.project={self.project}"
        mine = f"label=com.docker.compose.service={service}"
        return run("docker", "ps", "-aq", "--filter", label, "--filter", mine).strip()

    def log(self, service: str) -> str:
        """What it printed, on either way."""
        done = subprocess.run(
            ["docker", "logs", self.container(service)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        return done.stdout

    def counts(self) -> dict[str, int]:
        """The last line of counters."""
        lines = [line for line in self.log("load").splitlines() if " confirmed " in line]
        return {
            name: int(number.replace(",", ""))
            for name, number in re.findall(r"(\w+) ([\d,]+)", lines[-1] if lines else "")
        }

    def confirmed(self) -> int:
        return self.counts().get("confirmed", 0)

    def qpid_ha(self, service: str, *words: str) -> str:
        return run("docker", "exec", self.container(service), "qpid-ha", *words)

    def left(self) -> dict[str, str]:
        """What the engine still has of it."""
        label = f"label=com.docker.compose.project={self.project}"
        return {
            "containers": run("docker", "ps", "-aq", "--filter", label),
            "networks": run("docker", "network", "ls", "-q", "--filter", label),
            "volumes": run("docker", "volume", "ls", "-q", "--filter", label),
        }

    def logs(self) -> str:
        return self.compose("logs", "--no-color", "--tail", "30", check=False)


def wait(demo: Demo, what: str, condition) -> None:
    """Until the condition holds; fails with the cluster's last words."""
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, f"{what}: not so after {PATIENCE_S:g} s\n{demo.logs()}"
        time.sleep(0.3)


@pytest.fixture(scope="session")
def images() -> None:
    """Those that the tests here need. There must be an engine, or nothing is shown."""
    if shutil.which("docker") is None or "Server:" not in run("docker", "version", check=False):
        pytest.fail("no container engine answers: run `tox -e demo`, which brings one")
    run("interop/images.sh", "broker", "load", "python-proton")


@pytest.fixture
def start(images: None) -> Iterator:
    """Starts demo clusters; none is left afterwards, whatever happened."""
    demos: list[Demo] = []

    def up(**settings: str) -> Demo:
        demos.append(Demo(**settings))
        demos[-1].compose("up", "-d", "--no-build")
        return demos[-1]

    yield up
    for demo in demos:
        demo.compose("down", "--volumes", "--timeout", "1", check=False)
