from __future__ import annotations

import pytest

from tanist_interop import protocol
from tanist_interop.checkers import selectors
from tanist_interop.checkers.finding import Valid
from tanist_interop.checkers.operations import read
from tanist_interop.checkers.selectors import check


@pytest.fixture
def told(story):
    """Eight messages of four kinds, ``r`` selects kind 0 and ``t`` kinds 1 and 2; there
    is a failover, or what a test says."""

    def tell(before=4, after=8, some=((1, 2), (5, 6)), left=(3, 7), prefetch=100):
        story.run("selectors")
        story.told("s", protocol.Send(3, "q", "p", 1, 0, kinds=4))
        for program, kinds in (("r", [0]), ("t", [1, 2])):
            story.note("selection", program=program, task=3, kinds=kinds)
            story.told(program, protocol.Receive(3, "q", prefetch, 1, selector=f"kind of {kinds}"))
        story.sent((1, 4))
        story.got(before, source="r")
        story.fault()
        story.mark("promote_begin", node="n2")
        story.sent((5, 8))
        if after:
            story.got(after, source="r")
        for sns in some:
            story.got(sns, source="t")
        story.ended("s", 8)
        story.drained(*left)
        return check(read(story.records))

    return tell


def test_what_is_selected_and_nothing_else(told):
    finding = told()
    assert finding.problems == ()
    assert finding.valid is Valid.TRUE
    assert finding.figures == {"selected": {"r": 2, "t": 4}, "left": 2, "passed_over": 0}


def test_a_message_that_was_not_selected_is_found(told):
    finding = told(after=(7, 8))
    assert finding.valid is Valid.FALSE
    assert finding.problems == ("r got 1 of p that it had not selected",)


def test_a_selected_message_that_is_left_for_the_drain_is_found(told):
    finding = told(some=((1, 2), 6), left=(3, 5, 7))
    assert finding.valid is Valid.FALSE
    assert finding.problems == ("d got 1 that t had selected",)


def test_a_receiver_without_messages_after_the_failover_shows_nothing(told):
    finding = told(before=(4, 4), after=None)
    assert finding.valid is Valid.UNKNOWN
    assert finding.problems == ("r got nothing from q after the failover",)


def test_if_nothing_is_left_nothing_is_shown(told):
    finding = told(left=())
    assert finding.valid is Valid.UNKNOWN
    assert finding.problems == ("nothing was left for others",)


def test_a_client_that_stops_being_able_is_not_overlooked(told, story):
    story.note("unable", client="cpp-qpid", reason="it has no selectors")
    story.note("unable", client="jms-1.0", reason="it has no selectors")
    finding = told()
    assert finding.valid is Valid.UNKNOWN
    assert finding.problems == ("jms-1.0: it has no selectors, and not listed as such",)


@pytest.mark.parametrize(("prefetch", "valid"), [(1, Valid.TRUE), (0, Valid.FALSE)])
def test_a_library_may_pass_over_as_many_as_were_under_way(told, monkeypatch, prefetch, valid):
    monkeypatch.setitem(selectors.PASSES_OVER, "t", "it is like that")
    finding = told(some=(1, 5), left=(2, 3, 6, 7), prefetch=prefetch)
    assert finding.valid is valid
    assert finding.figures["passed_over"] == (2 if valid is Valid.TRUE else 0)
