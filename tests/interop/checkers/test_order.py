from __future__ import annotations

from tanist_interop.checkers.finding import Valid
from tanist_interop.checkers.operations import read
from tanist_interop.checkers.order import check


def test_a_good_run_is_in_order(story):
    assert check(read(story.good().records)).valid is Valid.TRUE


def test_a_first_copy_that_jumps_back_is_out_of_order(story):
    story.receiver()
    story.got(1, 3, 2, 4)
    result = check(read(story.records))
    assert result.valid is Valid.FALSE
    assert result.problems == ("1 out of order and not marked redelivered: p:2",)


def test_jumping_back_is_allowed_when_marked_or_received_before(story):
    story.receiver()
    story.got(1, 4)
    story.got(2, 3, redelivered=True)
    story.got(5, 4, 6)
    assert check(read(story.records)).valid is Valid.TRUE


def test_producers_and_receivers_have_their_own_order(story):
    story.receiver("r")
    story.receiver("x")
    story.got(5, source="r")
    story.got(4, source="x")
    story.got(1, source="r", producer="other")
    assert check(read(story.records)).valid is Valid.TRUE
