from __future__ import annotations

from tanist_interop.checkers.finding import Valid
from tanist_interop.checkers.operations import read
from tanist_interop.checkers.redelivery import check


def finding(story):
    return check(read(story.records), story.records)


def test_marked_copies_are_right(story):
    result = finding(story.good())
    assert result.valid is Valid.TRUE
    assert result.figures == {"marked": 4, "unmarked": 0, "unmarked_resent": 0}


def test_a_second_copy_without_the_mark_is_wrong_if_the_sender_had_no_reason(story):
    story.good()
    story.got(8, source="d")
    result = finding(story)
    assert result.valid is Valid.FALSE
    assert "p:8" in result.problems[0]


def test_copies_that_a_library_may_have_sent_again_are_only_counted(story):
    story.good()
    story.got(11, source="d")
    result = finding(story)
    assert result.valid is Valid.TRUE
    assert result.figures["unmarked_resent"] == 1


def test_without_a_fault_every_copy_is_the_brokers(story):
    story.receiver()
    story.sender()
    story.sent(1)
    story.got(1, 1)
    assert finding(story).valid is Valid.FALSE
