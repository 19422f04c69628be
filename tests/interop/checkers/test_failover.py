from __future__ import annotations

import pytest

from tanist_interop import protocol
from tanist_interop.checkers.failover import check
from tanist_interop.checkers.finding import Valid
from tanist_interop.checkers.operations import read


def finding(story):
    return check(read(story.records), story.records)


def test_the_time_is_taken_apart(story):
    figures = finding(story.good()).figures
    assert figures["promote_ms"] == 3.0
    assert figures["detect_ms"] == {"s": pytest.approx(1.0)}
    assert figures["first_ack_ms"] == {"s": pytest.approx(5.0)}


def test_losses_and_acknowledgements_of_before_do_not_count(story):
    story.run()
    story.sender()
    story.say("s", protocol.Disconnected(1))
    story.sent(1)
    story.fault()
    story.mark("promote_begin")
    story.mark("promoted")
    result = finding(story)
    assert result.valid is Valid.UNKNOWN
    assert result.figures["detect_ms"] == result.figures["first_ack_ms"] == {}
    assert result.problems == ("s: no acknowledgement after the promotion",)


def test_a_run_without_a_failover_shows_nothing(story):
    assert finding(story).valid is Valid.UNKNOWN
