"""QMF2 message bodies and headers."""

from __future__ import annotations

import pytest

from tanist.management.codec import text_of


@pytest.mark.parametrize(
    ("value", "text"),
    [("a", "a"), (b"a", "a"), (b"\xff", "\ufffd"), (None, ""), (3, ""), ({}, "")],
)
def test_text_of(value, text: str) -> None:
    assert text_of(value) == text
