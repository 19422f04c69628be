"""The connection as the sessions see it."""

from __future__ import annotations

from session_peer import Client, MiniNode

from tanist.sessions.link import STEP_BYTES_MAX


def test_a_new_link_may_be_written() -> None:
    node = MiniNode()
    client = Client(node, user="anna")
    link = client.end.link
    assert link is not None
    assert link.user == "anna@QPID"
    assert link.writable
    assert link.budget == STEP_BYTES_MAX
    assert link.heard_at == node.now
    node.disconnect(client.end)
    assert link.closed
    assert not link.writable
