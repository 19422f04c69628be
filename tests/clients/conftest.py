"""Fixtures: client programs, and AMQP 1.0 brokers for them. Nothing of these outlives its test."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

pytest.register_assert_rewrite(
    *(f"tests.clients.{name}" for name in ("behaviour", "consumers", "harness", "transactions"))
)

from tests.clients.harness import Backup, Driven, PeerProcess, built_python, missing


@pytest.fixture
def peer() -> Iterator[Callable[..., PeerProcess]]:
    """Start brokers: ``peer("--accept", "5")``."""
    if not built_python().exists():
        missing("the tests' broker needs Proton for Python: run clients/setup python-proton")
    started: list[PeerProcess] = []

    def start(*options: str) -> PeerProcess:
        started.append(PeerProcess(*options))
        return started[-1]

    yield start
    for process in started:
        process.kill()


@pytest.fixture
def backup() -> Iterator[Backup]:
    """A broker that lets nobody in."""
    broker = Backup()
    yield broker
    broker.close()


@pytest.fixture
def client(tmp_path) -> Iterator[Callable[[str], Driven]]:
    """Start client programs by name."""
    started: list[Driven] = []

    def start(name: str) -> Driven:
        started.append(Driven(name, tmp_path))
        return started[-1]

    yield start
    for driven in started:
        driven.program.end()
