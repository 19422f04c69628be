from __future__ import annotations

import pytest

from tanist_interop.checkers import losses
from tanist_interop.checkers.fidelity import PROGRAMS, check, words
from tanist_interop.checkers.finding import Valid
from tanist_interop.checkers.operations import read
from tanist_interop.scenarios.values import CASES, EXCHANGED

INT = {"type": "int", "value": "-7"}


def told(story, sender="cpp-proton", receiver="python-proton", got=INT, answer="taken", **more):
    note = {"case": "int", "place": "map", "sender": sender, "receiver": receiver, "sent": INT}
    story.note("value", **(note | {"answer": answer, "got": got, "reason": ""} | more))


def test_the_same_value_is_right(story):
    told(story)
    result = check(read(story.records), EXCHANGED)
    assert result.valid is Valid.TRUE
    assert result.figures["cells"][0]["outcome"] == "same"


@pytest.mark.parametrize(
    ("got", "answer"),
    [({"type": "int", "value": "7"}, "taken"), ({"type": "long", "value": "-7"}, "taken"),
     (None, "failed"), (None, "unsupported")],
)  # fmt: skip
def test_another_value_type_or_answer_is_wrong(story, got, answer):
    told(story, got=got, answer=answer)
    result = check(read(story.records), EXCHANGED)
    assert result.valid is Valid.FALSE
    assert "cpp-proton > python-proton, int as map" in result.problems[0]
    assert "expected int -7" in result.problems[0]


def test_a_listed_loss_is_right_and_has_its_reason(story):
    told(story, receiver="js-rhea", got={"type": "number", "value": "-7"})
    result = check(read(story.records), EXCHANGED)
    assert result.valid is Valid.TRUE
    assert list(result.figures["reasons"]) == ["JavaScript numbers"]


def test_a_value_that_should_be_lost_and_is_not_is_wrong(story):
    told(story, receiver="js-rhea")
    assert check(read(story.records), EXCHANGED).valid is Valid.FALSE


def test_a_reason_that_nothing_needs_is_wrong_when_all_programs_ran(story):
    for sender in PROGRAMS:
        refused = losses.expect(sender, "cpp-proton", "map", INT)
        told(story, sender, "cpp-proton", refused.value, refused.answer)
    result = check(read(story.records), EXCHANGED)
    assert result.valid is Valid.FALSE
    assert "nothing is lost by the reason '0-10 arrays' any more" in result.problems


PAIR = ("cpp-proton", "python-proton")


def greet(story, *programs, able=True):
    for program in programs:
        can = ["hold", "values"] if able else ["hold"]
        greeting = {"client": program, "capabilities": can}
        story.add(f"{program}.main", {"type": "client", "init_ok": greeting, "offset_ns": 0})


def exchange(story, programs=PAIR, leave_out=lambda *_: False):
    """Every value from each to each, but for what is left out."""
    for sender in programs:
        for receiver in programs:
            for name in EXCHANGED:
                place, case = name.split(" ", 1)
                if not leave_out(sender, receiver, name):
                    right = losses.expect(sender, receiver, place, CASES[case])
                    told(story, sender, receiver, right.value, right.answer,
                         place=place, case=case, sent=CASES[case])  # fmt: skip


def test_every_value_between_those_that_are_there_is_right(story):
    greet(story, *PAIR)
    greet(story, "cpp-qpid", able=False)  # no program of the rules
    exchange(story)
    result = check(read(story.records), EXCHANGED)
    assert result.problems == ()
    assert result.valid is Valid.TRUE


def test_a_value_that_was_not_exchanged_shows_nothing(story):
    greet(story, *PAIR)
    exchange(story, leave_out=lambda *cell: cell == (*PAIR, "property uuid"))
    result = check(read(story.records), EXCHANGED)
    assert result.valid is Valid.UNKNOWN
    assert result.problems == (
        "cpp-proton > python-proton: 1 of 92 not exchanged, first 'property uuid'",
    )


def test_a_pair_that_exchanged_nothing_shows_nothing(story):
    greet(story, *PROGRAMS)
    exchange(story, PROGRAMS, lambda sender, receiver, *_: sender == receiver == "js-rhea")
    result = check(read(story.records), EXCHANGED)
    assert result.valid is Valid.UNKNOWN
    (problem,) = result.problems
    assert problem.startswith("js-rhea > js-rhea: 92 of 92 not exchanged")


def test_a_known_program_without_values_shows_nothing(story):
    greet(story, *PAIR)
    greet(story, "js-rhea", able=False)
    exchange(story)
    result = check(read(story.records), EXCHANGED)
    assert result.valid is Valid.UNKNOWN
    assert result.problems == ("js-rhea knows no values",)


def test_a_run_that_names_no_values_shows_nothing(story):
    greet(story, *PAIR)
    exchange(story)
    result = check(read(story.records), [])
    assert result.valid is Valid.UNKNOWN
    assert result.problems == ("the scenario names no values",)


def test_what_is_wrong_stays_wrong_when_something_is_missing(story):
    greet(story, *PAIR)
    told(story, got={"type": "int", "value": "7"})
    result = check(read(story.records), EXCHANGED)
    assert result.valid is Valid.FALSE
    assert len(result.problems) == 1 + 4


def test_no_value_shows_nothing(story):
    assert check(read(story.records), EXCHANGED).valid is Valid.UNKNOWN


def test_values_in_words():
    entry = [{"type": "string", "value": "k"}, {"type": "list", "value": [INT]}]
    assert words({"type": "map", "value": [entry]}) == "map {string k: list [int -7]}"
    assert words({"type": "null", "value": ""}) == "null"
    assert words(None) == "nothing"
