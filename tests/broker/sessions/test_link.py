"""What links of all protocols have in common."""

from __future__ import annotations

import pytest
from session_peer import MiniNode

from tanist.sessions.link import STEP_BYTES_MAX, ClientLink


def test_a_new_link_may_be_written_and_has_its_share() -> None:
    link = ClientLink(7, "anna", "10.0.0.1:5", 3.5)
    assert (link.number, link.user, link.peer, link.heard_at) == (7, "anna", "10.0.0.1:5", 3.5)
    assert link.writable
    assert not link.closed
    assert link.budget == STEP_BYTES_MAX


def test_the_base_wakes_nobody() -> None:
    with pytest.raises(NotImplementedError):
        ClientLink(1, "", "", 0.0).wake(MiniNode().broker)
