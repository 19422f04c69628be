"""Replies that wait in the gate."""

from __future__ import annotations

from tanist.management.codec import Reply
from tanist.node.held_replies import HeldReplies


def test_held_replies_come_out_in_order() -> None:
    held = HeldReplies()
    replies = [Reply("", str(number), b"", b"") for number in range(4)]
    assert held.add(replies[0])
    assert not held.add(replies[1])
    held.seal(5)
    assert held.add(replies[2])
    held.seal(7)
    held.open_gate(4)
    assert (held.ready, held.waiting) == ([], 3)
    held.open_gate(5)
    assert (held.ready, held.waiting) == (replies[:2], 1)
    held.open_gate(9)
    assert (held.ready, held.waiting) == (replies[:3], 0)
