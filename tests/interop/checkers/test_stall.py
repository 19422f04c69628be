from __future__ import annotations

import pytest

from tanist_interop.checkers.finding import Valid
from tanist_interop.checkers.operations import read
from tanist_interop.checkers.stall import check, gap


def told(story, pause_ms, after=True):
    story.sender()
    for sn in range(1, 20):
        story.sent(sn)
    story.fault(failover=False)
    story.sent(20)  # was under way
    story.ms += pause_ms
    for sn in range(21, 40 if after else 21):
        story.sent(sn)
    return check(read(story.records), 1.0)


def test_a_pause_of_two_heartbeats_is_right(story):
    result = told(story, 2000)
    assert result.valid is Valid.TRUE
    assert result.figures["gap_s"] == {"s": pytest.approx(2.0, abs=0.01)}


@pytest.mark.parametrize(("pause_ms", "word"), [(100, "went on"), (5000, "without confirmations")])
def test_too_short_and_too_long_are_wrong(story, pause_ms, word):
    result = told(story, pause_ms)
    assert result.valid is Valid.FALSE
    assert word in result.problems[0]


def test_confirmations_must_come_back(story):
    story.sender()
    story.sent(1)
    story.fault(failover=False)
    result = check(read(story.records), 1.0)
    assert result.valid is Valid.FALSE
    assert "not" in result.problems[0] or "nothing" in result.problems[0]


def test_a_sender_that_got_nothing_at_all_is_no_success(story):
    story.sender()
    story.fault(failover=False)
    assert check(read(story.records), 1.0).valid is Valid.FALSE


def test_no_fault_shows_nothing(story):
    assert check(read(story.records), 1.0).valid is Valid.UNKNOWN


def test_the_gap_may_begin_before_the_fault():
    assert gap([1, 2_000_000_001, 2_000_000_002], 5) == (2.0, 2)
    assert gap([], 5) == (0.0, 1) or gap([], 5)[0] == 0.0
