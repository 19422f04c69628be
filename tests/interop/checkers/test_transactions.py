from __future__ import annotations

import pytest

from tanist_interop import protocol
from tanist_interop.checkers.finding import Valid
from tanist_interop.checkers.operations import read
from tanist_interop.checkers.transactions import check


@pytest.fixture
def deal(story):
    """Four transactions of ten: committed, in doubt, lost before the commit, rolled back; the
    receiver took the first one in two of its own, a third one was not answered."""

    class Deal:
        doubtful = ()
        leaked = ()
        first = ((1, 10),)
        lost = ((21, 30),)
        after = ()
        again = ((41, 45),)
        drained = True

        def finding(self):
            story.run("transactions")
            story.told("s", protocol.Send(3, "q", "p", 1, 0, transaction=10, rollback_every=4))
            story.told("r", protocol.Receive(3, "q", 10, 5, transaction=True))
            for first in (1, 11, 21, 31, 41):
                story.batch(protocol.Invoke, [(first, first + 9)], "s")
            story.batch(protocol.Ok, [(1, 10), (41, 50)], "s")
            story.batch(protocol.Info, [(11, 20)], "s")
            story.batch(protocol.Fail, self.lost, "s", reason="the connection was lost")
            story.batch(protocol.Fail, [(31, 40)], "s", reason="rolled back")
            for number, sns in enumerate((*self.first, (46, 50)), 1):
                story.batch(protocol.Received, [sns], "r", redelivered=False)
                story.batch(protocol.Acked, [sns], "r", transaction=number)
            story.batch(protocol.Received, [(41, 45)], "r", redelivered=False)
            story.batch(protocol.Acked, [(41, 45)], "r", transaction=9, unknown=True)
            story.ended("s", 50)
            story.ended("r", sum(b - a + 1 for a, b in self.first) + 10)
            rest = [*self.again, *self.doubtful, *self.leaked, *self.after]
            if self.drained:
                story.drained(*rest)
            return check(read(story.records))

    return Deal()


def test_what_is_whole_or_not_there_at_all_is_right(deal):
    finding = deal.finding()
    assert finding.problems == ()
    assert finding.valid is Valid.TRUE
    assert finding.figures["senders"] == [
        {"sender": "s", "committed": 2, "rolled_back": 1, "lost": 1, "in_doubt": 1, "recovered": 0}
    ]
    assert finding.figures["receivers"] == {"r": 3}
    assert finding.figures["receivers_in_doubt"] == 1


def test_one_in_doubt_may_be_whole(deal):
    deal.doubtful = ((11, 20),)
    finding = deal.finding()
    assert finding.valid is Valid.TRUE
    assert finding.figures["senders"][0]["recovered"] == 1


def test_a_commit_that_was_not_answered_may_have_happened(deal):
    deal.again = ()
    assert deal.finding().valid is Valid.TRUE


@pytest.mark.parametrize(
    ("what", "value", "problem"),
    [
        ("doubtful", ((11, 13),), "p, transaction 2 (in doubt): 3 of 10 messages came"),
        ("leaked", ((21, 30),), "p, transaction 3 (lost before the commit): 10 of 10 messages "
         "came"),
        ("leaked", (35,), "p, transaction 4 (rolled back): 1 of 10 messages came"),
        ("first", ((1, 9),), "p, transaction 1 (committed): 9 of 10 messages came"),
        ("first", (), "p, transaction 1 (committed): 0 of 10 messages came"),
        ("lost", ((22, 30), (11, 11)), "p, transaction 3 (told in parts): its messages have "
         "different outcomes"),
        ("after", (7,), "r, transaction 1: 1 of 10 messages came again after the commit"),
        ("again", ((42, 45),), "r, transaction 9: its commit was not answered, 4 of 5 came again"),
    ],
)  # fmt: skip
def test_what_is_taken_apart_is_found(deal, what, value, problem):
    setattr(deal, what, value)
    finding = deal.finding()
    assert finding.valid is Valid.FALSE
    assert problem in finding.problems


def test_without_a_drain_only_what_came_can_be_wrong(deal):
    deal.first, deal.drained = ((1, 9),), False
    finding = deal.finding()
    assert finding.valid is Valid.UNKNOWN
    assert any("no drain found it empty" in problem for problem in finding.problems)


def test_if_no_transaction_was_hit_nothing_is_shown(story):
    story.run("transactions")
    story.told("s", protocol.Send(3, "q", "p", 1, 0, transaction=5, rollback_every=2))
    story.sent((1, 5))
    story.ended("s", 5)
    story.drained((1, 5))
    finding = check(read(story.records))
    assert finding.valid is Valid.UNKNOWN
    assert set(finding.problems) == {
        "no transaction was open when the primary died",
        "s: none committed, or none rolled back",
        "no receiver committed a transaction",
    }


def test_a_client_that_stops_being_able_is_not_overlooked(deal, story):
    story.note("unable", client="js-rhea", reason="it has no transactions")
    assert deal.finding().valid is Valid.TRUE
    story.note("unable", client="python-qpid", reason="it has no transactions")
    finding = check(read(story.records))
    assert finding.valid is Valid.UNKNOWN
    assert finding.problems == ("python-qpid: it has no transactions, and not listed as such",)
