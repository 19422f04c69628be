from __future__ import annotations

import pytest

from tanist_interop.demo.tally import Tally


@pytest.fixture
def tally():
    """Ten sent and confirmed, eight received."""
    subject = Tally()
    subject.announce(1, 10)
    subject.confirm(1, 10)
    subject.receive(1, 8, redelivered=False)
    return subject


def test_what_is_under_way_is_missing_and_not_lost(tally):
    assert (tally.missing(), len(tally.lost)) == (2, 0)
    tally.receive(9, 10, redelivered=False)
    assert (tally.missing(), len(tally.lost)) == (0, 0)


def test_what_a_later_message_overtakes_is_lost(tally):
    tally.announce(11, 20)
    tally.receive(11, 11, redelivered=False)
    assert list(tally.lost) == [9, 10]
    assert "lost 2" in str(tally)


def test_a_message_that_was_announced_before_the_confirmation_overtakes_nobody():
    """The sender sent it again after a failover: it may stand before the one that was confirmed."""
    tally = Tally()
    tally.announce(1, 3)
    tally.confirm(1, 1)
    tally.receive(3, 3, redelivered=False)
    assert not tally.lost
    tally.receive(1, 1, redelivered=False)
    tally.announce(4, 4)
    tally.receive(4, 4, redelivered=False)
    assert not tally.lost


def test_who_comes_late_was_not_lost(tally):
    tally.announce(11, 11)
    tally.receive(11, 11, redelivered=False)
    tally.receive(9, 10, redelivered=True)
    assert not tally.lost
    assert tally.redelivered == 2


def test_what_was_never_confirmed_is_never_lost():
    tally = Tally()
    tally.announce(1, 5)
    tally.announce(6, 6)
    tally.confirm(6, 6)
    tally.receive(6, 6, redelivered=False)
    tally.announce(7, 7)
    tally.receive(7, 7, redelivered=False)
    tally.settle()
    assert not tally.lost


def test_copies_are_counted(tally):
    tally.receive(7, 10, redelivered=True)
    assert (tally.duplicates, tally.redelivered, len(tally.received)) == (2, 4, 10)


def test_at_the_end_everything_must_have_come(tally):
    tally.settle()
    assert list(tally.lost) == [9, 10]
    assert str(tally) == ("sent 10  confirmed 10  received 8  redelivered 0  duplicates 0  lost 2")
