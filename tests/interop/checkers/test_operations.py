from __future__ import annotations

from tanist_interop import protocol
from tanist_interop.checkers.operations import read


def test_outcomes_are_kept_apart(story):
    story.sender()
    story.sent((1, 4), ok=False)
    story.batch(protocol.Ok, [1], "s")
    story.batch(protocol.Fail, [2], "s")
    story.batch(protocol.Info, [3], "s")
    ops = read(story.records)
    assert sum(ops.attempts.values()) == 4
    assert set(ops.acknowledged) == {("p", 1)}
    assert ops.failed == {("p", 2)}
    assert ops.unknown == {("p", 3)}
    assert ops.producers() == {"p": ("s", 3)}


def test_settled_is_received_and_tried_to_acknowledge(story):
    story.receiver()
    story.got(1)
    story.got(2, acked=False)
    story.batch(protocol.Received, [3], "r", redelivered=False)
    story.batch(protocol.Acked, [3], "r", unknown=True)
    story.batch(protocol.Acked, [4], "r")
    ops = read(story.records)
    assert ops.settled == {("p", 1), ("p", 3)}
    assert [d.key[1] for d in ops.deliveries] == [1, 2, 3]
    assert ops.queue_of(("r", 3)) == "q"


def test_tasks_and_their_ends(story):
    story.good()
    ops = read(story.records)
    assert set(ops.receivers) == {("r", 3), ("d", 3)}
    assert ops.ended["d", 3][1].reason == "empty"
