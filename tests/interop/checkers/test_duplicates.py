from __future__ import annotations

from tanist_interop.checkers.duplicates import bounds, check, failovers
from tanist_interop.checkers.finding import Valid
from tanist_interop.checkers.operations import read


def finding(story):
    return check(read(story.records), story.records)


def test_duplicates_within_the_bound(story):
    story.good()
    result = finding(story)
    assert result.valid is Valid.TRUE
    assert result.figures["duplicated"] == 2
    assert result.figures["bound"] == 10 + 10 + 1
    assert bounds(read(story.records), 2) == {"q": 42}


def test_more_than_was_under_way_is_wrong(story):
    story.good()
    story.got((1, 19), redelivered=True)
    assert finding(story).valid is Valid.TRUE
    story.got(20, redelivered=True)
    result = finding(story)
    assert result.valid is Valid.FALSE
    assert result.problems == ("q: 22 duplicates, explained are 21",)


def test_none_at_all_without_a_failover(story):
    story.sender()
    story.receiver()
    story.sent(1)
    story.fault(failover=False)
    story.got(1)
    assert failovers(story.records) == 0
    assert finding(story).valid is Valid.TRUE
    story.got(1, redelivered=True)
    assert finding(story).valid is Valid.FALSE


def test_queues_do_not_borrow_from_each_other(story):
    story.good()
    story.receiver("x", queue="quiet")
    story.got(*[1] * 22, redelivered=True)
    assert finding(story).valid is Valid.FALSE
