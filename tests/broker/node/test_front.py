"""A front that is nobody yet: it has nothing to say and nothing to close."""

from __future__ import annotations

from tanist.node.front import Kind, Knock, Verdict


def test_who_knocks_is_nobody_yet() -> None:
    knock = Knock(3, "peer:1", "here:2", 7.0)
    assert (knock.number, knock.peer, knock.local) == (3, "peer:1", "here:2")
    assert (knock.since, knock.heard_at) == (7.0, 7.0)
    assert knock.kind is Kind.OPENING
    assert knock.link is None
    assert knock.user == ""
    assert knock.deadline == float("inf")
    assert knock.tick(100.0) is Verdict.GOES_ON
    assert knock.data_to_send() == b""
    knock.abandon()
    knock.close_sessions()
    assert not knock.counted
