from __future__ import annotations

from dataclasses import replace

import pytest

from tanist_interop.checkers.cells import Cell
from tanist_interop.checkers.known import FAILURES, Known, apply

ENTRY = Known("x", "1.2", "kill-primary", "resend", "forgets one", "docs/drill.md")


@pytest.fixture
def cell():
    return Cell("x", "kill-primary", "resend")


def test_a_known_failure_says_why(cell):
    cell.wrong("1 never arrived")
    assert apply([cell], (ENTRY,)) == []
    assert (cell.verdict, cell.reason) == ("known", "x 1.2: forgets one (docs/drill.md)")


def test_an_unexpected_pass_is_reported(cell):
    news = apply([cell], (ENTRY,))
    assert news == ["x, kill-primary, resend passed, known was: x 1.2: forgets one (docs/drill.md)"]
    assert (cell.verdict, cell.reason) == ("valid", "unexpected pass")


def test_one_that_fails_now_and_then_may_pass(cell):
    assert apply([cell], (replace(ENTRY, always=False),)) == []
    assert cell.reason == ""


@pytest.mark.parametrize("other", ["client", "fault", "proof"])
def test_an_entry_is_for_one_cell_only(cell, other):
    cell.wrong("lost")
    apply([cell], (replace(ENTRY, **{other: "another"}),))
    assert cell.verdict == "invalid"


def test_every_entry_says_all():
    for known in FAILURES:
        assert all((known.version, known.reason, known.link))
