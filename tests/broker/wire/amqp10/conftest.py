"""Fixtures of the AMQP 1.0 tests: recorded conversations, and Proton as an oracle."""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path

import pytest

from tests.broker.wire.amqp10.proton_oracle import ProtonOracle

CAPTURES = Path(__file__).resolve().parents[3] / "data" / "captures"
PROTOCOLS = (b"AMQP\x00\x01\x00\x00", b"AMQP\x03\x01\x00\x00")
REMEDY = (
    "no Proton here: install a C compiler and then the dependency group oracle (tox tries to, and"
    " says on its first run why it could not)"
)


@pytest.fixture(scope="session")
def proton() -> ProtonOracle:
    """Proton's codec. Where it cannot be built the tests are skipped; in CI they fail."""
    try:
        return ProtonOracle(importlib.import_module("proton"))
    except ImportError:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(REMEDY)
        pytest.skip(REMEDY)


@pytest.fixture(scope="session")
def captured() -> dict[str, bytes]:
    """The octets of every recorded direction that speaks 1.0, by "file side"."""
    sides: dict[str, bytes] = {}
    for path in sorted(CAPTURES.glob("*.jsonl")):
        for line in path.read_text(encoding="ascii").splitlines():
            entry = json.loads(line)
            if "hex" in entry:
                name = f"{path.stem} {entry['from']}"
                sides[name] = sides.get(name, b"") + bytes.fromhex(entry["hex"])
    return {name: data for name, data in sides.items() if data.startswith(PROTOCOLS)}
