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
    assert len(ops.attempts) == ops.attempted.total() == 4
    assert set(ops.acknowledged) == {("p", 1)}
    assert set(ops.failed) == {("p", 2)}
    assert set(ops.unknown) == {("p", 3)}
    assert ops.producers() == {"p": ("s", 3)}


def test_times_are_those_of_the_first_time(story):
    story.sender()
    story.sent((1, 4))
    story.sent((2, 3))
    first, second = (record for record in story.records if record.type == "ok")
    story.batch(protocol.Ok, [3], "s")
    ops = read(story.records)
    assert ops.acknowledged.time_of(("p", 3)) == first.at
    assert ops.attempted["p"] == 6
    assert list(ops.acks["s", 3].times)[:2] == [first.t, second.t]
    assert list(ops.acks["s", 3].counts) == [4, 2, 1]


def test_settled_is_received_and_tried_to_acknowledge(story):
    story.receiver()
    story.got(1)
    story.got(2, acked=False)
    story.batch(protocol.Received, [3], "r", redelivered=False)
    story.batch(protocol.Acked, [3], "r", unknown=True)
    story.batch(protocol.Acked, [4], "r")
    ops = read(story.records)
    assert set(ops.settled) == {("p", 1), ("p", 3)}
    assert [(d.first, d.last) for d in ops.deliveries] == [(1, 1), (2, 2), (3, 3)]
    assert ops.queue_of(("r", 3)) == "q"
    assert ops.copies["p"] == ops.taken["r", 3] == 3


def test_tasks_and_their_ends(story):
    story.good()
    ops = read(story.records)
    assert set(ops.receivers) == {("r", 3), ("d", 3)}
    assert ops.ended["d", 3][1].reason == "empty"
    assert ops.span == (story.records[0].at, story.records[-1].at)


def test_lines_about_messages_are_not_kept(story):
    story.good()
    kinds = {record.type for record in read(iter(story.records)).records}
    assert "fault" in kinds
    assert "ended" in kinds
    assert not kinds & {"invoke", "ok", "received", "acked"}


def test_a_program_with_two_senders_needs_their_queues_to_tell_them_apart(story):
    story.sender()
    story.sender("t", queue="q1", producer="p1")
    story.sender("t", task=4, queue="q2", producer="p2")
    ops = read(story.records)
    names = [ops.name_of(task) for task in sorted(ops.senders)]
    assert names == ["s", "t to q1", "t to q2"]
