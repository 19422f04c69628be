from __future__ import annotations

import pytest

from tanist_interop import protocol
from tanist_interop.checkers.finding import Valid
from tanist_interop.checkers.operations import read
from tanist_interop.checkers.redelivery import check


def finding(story):
    return check(read(story.records))


def test_marked_copies_are_right(story):
    result = finding(story.good())
    assert result.valid is Valid.TRUE
    assert result.figures == {"marked": 4, "unmarked": 0, "hinted": 0, "unmarked_resent": 0}


def test_a_second_copy_without_the_mark_is_wrong_if_the_sender_had_no_reason(story):
    story.good()
    story.got(8, source="d")
    result = finding(story)
    assert result.valid is Valid.FALSE
    assert "p:8" in result.problems[0]


def test_that_a_copy_only_hints_at_others_is_told(story):
    story.good()
    story.batch(protocol.Received, [8], "d", redelivered=False, first_acquirer=False)
    story.batch(protocol.Received, [7], "d", redelivered=False, first_acquirer=True)
    result = finding(story)
    assert result.figures["hinted"] == 1
    hint = "(1 say only that they are not the first acquirer's)"
    assert result.problems == (f"2 delivered again without the mark {hint}: p:7, p:8",)


def under_way(story, interrupt):
    """A message that was announced before an interruption and acknowledged after it."""
    story.sender()
    story.receiver()
    story.sent(1, ok=False)
    interrupt()
    story.batch(protocol.Ok, [1], "s")
    story.got(1, 1)
    return finding(story)


@pytest.mark.parametrize(
    "event", [protocol.Disconnected(1_002_000_000), protocol.Reopened(1_002_000_000, 3)]
)
def test_copies_that_a_sender_may_have_sent_again_are_only_counted(story, new_story, event):
    for interrupt in (story.fault, lambda: story.say("s", event)):
        result = under_way(story, interrupt)
        assert result.valid is Valid.TRUE
        assert result.figures["unmarked_resent"] == 1
        story.records.clear()


def test_what_interrupts_others_is_no_excuse(story):
    loss = protocol.Disconnected(1_002_000_000)
    assert under_way(story, lambda: story.say("r", loss)).valid is Valid.FALSE


def test_a_stopped_backup_is_no_excuse(story):
    result = under_way(story, lambda: story.fault(failover=False))
    assert result.valid is Valid.FALSE


def test_later_failovers_are_no_excuse_for_what_was_acknowledged_between_two(story):
    story.good()
    story.fault()
    story.got(15, source="d")
    result = finding(story)
    assert result.valid is Valid.FALSE
    assert "p:15" in result.problems[0]


def test_what_was_never_acknowledged_may_be_sent_again(story):
    story.sender()
    story.receiver()
    story.sent(1, ok=False)
    story.got(1, 1)
    assert finding(story).valid is Valid.TRUE


def test_without_a_fault_every_copy_is_the_brokers(story):
    story.receiver()
    story.sender()
    story.sent(1)
    story.got(1, 1)
    assert finding(story).valid is Valid.FALSE
