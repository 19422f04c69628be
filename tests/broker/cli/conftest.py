"""What the tests of qpid-ha have in common."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tanist.cli import qpid_ha
from tests.broker.cli.loopback import LoopbackBroker


@pytest.fixture
def broker() -> Iterator[LoopbackBroker]:
    with LoopbackBroker(ha_public_url="vip", ha_replicate="all") as running:
        yield running


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]):
    """Run the tool; returns exit status, output, errors."""

    def run(*words: str) -> tuple[int, str, str]:
        status = qpid_ha.main(list(words))
        said = capsys.readouterr()
        return status, said.out, said.err

    return run
