from __future__ import annotations

import json
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from tanist_interop import protocol
from tanist_interop.manual import document
from tanist_interop.protocol import decode, encode

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("kind", protocol.BY_TYPE.values(), ids=lambda kind: kind.TYPE)
def test_every_field_is_documented(kind):
    assert kind.__doc__
    for spec in fields(kind):
        assert spec.metadata["doc"], spec.name
        optional = spec.default is not MISSING or spec.default_factory is not MISSING
        assert f"| `{spec.name}` |" in document()
        if optional:
            assert "(default `" in document()


def test_the_document_is_fresh():
    stale = "run: python -m tanist_interop.manual > docs/client-protocol.md"
    assert (ROOT / "docs/client-protocol.md").read_text("utf-8") == document(), stale


def test_the_example_in_the_document_is_of_this_protocol():
    lines = [line[2:] for line in document().splitlines() if line[:3] in ("> {", "< {")]
    assert len(lines) > 5
    for line in lines:
        assert encode(decode(line)) == line
        assert json.loads(line)["type"] in protocol.BY_TYPE
