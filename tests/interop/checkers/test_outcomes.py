from __future__ import annotations

import pytest

from tanist_interop import protocol
from tanist_interop.checkers.finding import Valid
from tanist_interop.checkers.operations import read
from tanist_interop.checkers.outcomes import CANNOT, check, marks, results
from tanist_interop.scenarios.trials import OUTCOMES

MARKS = {"redelivered": True, "count": 1, "first_acquirer": False}
PLAIN = {"redelivered": False, "count": 0, "first_acquirer": True}

GOOD = {
    "killed": ([(1, 2)], MARKS),
    "modified": ([(1, 2)], MARKS),
    "rolled-back": ([(1, 2)], MARKS),
    "failover": ([(1, 2)], MARKS),
    "released": ([(1, 2)], PLAIN),
    "rejected": ([], PLAIN),
    "dropped": ([], PLAIN),
}
"""Per case: which of the two held messages come again, and how."""


class Told:
    """A trial of four messages, two of which are held."""

    def __init__(self, story) -> None:
        self.story = story

    def begin(self, case):
        self.case = case
        self.story.sender()
        self.story.sent((1, 4))
        self.story.receiver("h", 5, "q")
        self.got((1, 2), "h", 5, PLAIN)

    def got(self, part, source, task, said):
        self.story.batch(protocol.Received, [part], source, "p", task, **said)

    def came(self, parts, said, rest=((3, 4),)):
        self.story.drainer("d", 6, "q")
        for part in parts:
            self.got(part, "d", 6, said)
        for part in rest:
            self.got(part, "d", 6, PLAIN)

    def dead(self, *parts):
        self.story.drainer("d", 7, "dead")
        for part in parts:
            self.got(part, "d", 7, PLAIN)

    def end(self, unsupported="", client="c"):
        self.story.note(
            "trial", case=self.case, client=client, queue="q", producer="p", holder="h", task=5,
            dead="dead" if self.case == "rejected" else "", unsupported=unsupported,
        )  # fmt: skip
        return check(read(self.story.records))


@pytest.fixture
def told(story):
    return Told(story)


@pytest.mark.parametrize("case", GOOD)
def test_what_is_right(told, case):
    told.begin(case)
    told.came(*GOOD[case])
    if case == "rejected":
        told.dead((1, 2))
    finding = told.end()
    assert finding.problems == ()
    assert finding.valid is Valid.TRUE
    (result,) = results(read(told.story.records))
    assert result.held == 2
    assert result.again == (0 if case in ("rejected", "dropped") else 2)


@pytest.mark.parametrize("case", ["killed", "modified", "rolled-back", "failover"])
@pytest.mark.parametrize("name", MARKS)
def test_each_mark_that_a_library_tells_must_be_there(told, case, name):
    told.begin(case)
    told.came([(1, 2)], {**MARKS, name: PLAIN[name]})
    finding = told.end()
    assert finding.valid is Valid.FALSE
    assert finding.problems == (f"c, {case}: 2 came again without a mark",)


def test_a_mark_on_what_was_released_is_wrong(told):
    told.begin("released")
    told.came([(1, 1)], PLAIN)
    told.got((2, 2), "d", 6, {**PLAIN, "count": 1})
    assert told.end().problems == ("c, released: 1 came again with a mark",)


@pytest.mark.parametrize("case", ["killed", "released", "failover"])
def test_what_never_comes_again_is_wrong(told, case):
    told.begin(case)
    told.came([(1, 1)], GOOD[case][1])
    assert told.end().problems == (f"c, {case}: 1 never came again",)


@pytest.mark.parametrize("case", ["rejected", "dropped"])
def test_what_was_rejected_and_comes_again_is_wrong(told, case):
    told.begin(case)
    told.came([(1, 1)], MARKS)
    told.dead((1, 2))
    assert f"c, {case}: 1 came again" in told.end().problems


@pytest.mark.parametrize(
    ("dead", "word"),
    [
        ([(1, 1)], "1 of 2 behind the alternate exchange"),
        ([(1, 2), (2, 2)], "3 of 2 behind the alternate exchange"),
        ([(1, 2), (3, 3)], "1 behind it that nobody rejected"),
    ],
)
def test_the_alternate_exchange_gets_what_was_rejected_and_nothing_else(told, dead, word):
    told.begin("rejected")
    told.came([], PLAIN)
    told.dead(*dead)
    assert told.end().problems == (f"c, rejected: {word}",)


def test_what_was_not_held_must_come_as_well(told):
    told.begin("killed")
    told.came([(1, 2)], MARKS, rest=[(3, 3)])
    assert told.end().problems == ("c, killed: 1 that were not held never came",)


def test_a_case_that_was_not_made_shows_nothing(told):
    told.begin("killed")
    told.came([(1, 2)], PLAIN)
    finding = told.end("cannot")
    assert finding.valid is Valid.UNKNOWN
    assert finding.problems == (
        "no case was made",
        "c, killed: unsupported (cannot), and not listed as such",
    )


@pytest.mark.parametrize("case", OUTCOMES)
@pytest.mark.parametrize("client", [*CANNOT, "jms-1.0", "python-proton", "python-qpid", "new"])
def test_only_what_is_listed_may_be_unsupported(told, client, case):
    told.begin("killed")
    told.came([(1, 2)], MARKS)
    told.end()
    told.case = case
    finding = told.end("cannot", client)
    if case in CANNOT.get(client, ()):
        assert finding.problems == ()
        assert finding.valid is Valid.TRUE
    else:
        text = f"{client}, {case}: unsupported (cannot), and not listed as such"
        assert finding.problems == (text,)
        assert finding.valid is Valid.UNKNOWN


def test_a_program_that_holds_nothing_can_make_no_case():
    assert sorted(CANNOT["cpp-qpid"]) == sorted(OUTCOMES)


def test_a_case_in_which_nothing_was_held_shows_nothing(story):
    told = Told(story)
    told.case = "killed"
    story.sender()
    assert told.end().valid is Valid.UNKNOWN


def test_marks_are_those_that_the_library_tells(told):
    told.begin("killed")
    told.got((3, 3), "h", 5, {"redelivered": True})
    first, second = read(told.story.records).deliveries
    assert marks(first) == [False, False, False]
    assert marks(second) == [True]
