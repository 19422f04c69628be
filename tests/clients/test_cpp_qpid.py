"""Tests of clients/cpp-qpid, whose library few machines have; where it is missing it must say so."""

from __future__ import annotations

import subprocess

import pytest

from tanist_interop.drivers.program import CANNOT_RUN
from tanist_interop.drivers.registry import discover
from tests.clients.behaviour import ClientBehaviour
from tests.clients.harness import ROOT

SPEC = discover(ROOT / "clients")["cpp-qpid"]


def run() -> subprocess.CompletedProcess[str]:
    """Start it with nothing to do."""
    command = [SPEC.folder / "run"]
    return subprocess.run(command, input="", capture_output=True, text=True, check=False)


def test_it_runs_or_says_what_is_missing_and_how_to_get_it():
    done = run()
    assert done.stdout == ""
    if done.returncode == CANNOT_RUN:
        (line,) = done.stderr.splitlines()
        assert "libqpidmessaging" in line
        assert "clients/setup" in line
    else:
        assert done.returncode == 0


def test_it_may_be_missing_even_in_ci():
    assert SPEC.optional


def test_setup_says_what_to_install(tmp_path):
    # With an empty cache it is not built on any machine.
    done = subprocess.run(
        ["/bin/bash", ROOT / "clients/setup", "--check", "cpp-qpid"],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "TANIST_CACHE": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "cpp-qpid: " in done.stderr


@pytest.mark.skipif(run().returncode == CANNOT_RUN, reason="cpp-qpid is not built here")
class TestCppQpid(ClientBehaviour):
    """qpid::messaging sends again by itself; its count of deliveries is not told."""

    NAME = "cpp-qpid"
    RESENDS = True
    COUNTS = False
    BODY = "bytes"
