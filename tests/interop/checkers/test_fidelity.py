from __future__ import annotations

import pytest

from tanist_interop.checkers import losses
from tanist_interop.checkers.fidelity import PROGRAMS, check, words
from tanist_interop.checkers.finding import Valid
from tanist_interop.checkers.operations import read

INT = {"type": "int", "value": "-7"}


def told(story, sender="cpp-proton", receiver="python-proton", got=INT, answer="taken", **more):
    note = {"case": "int", "place": "map", "sender": sender, "receiver": receiver, "sent": INT}
    story.note("value", **(note | {"answer": answer, "got": got, "reason": ""} | more))


def test_the_same_value_is_right(story):
    told(story)
    result = check(read(story.records))
    assert result.valid is Valid.TRUE
    assert result.figures["cells"][0]["outcome"] == "same"


@pytest.mark.parametrize(
    ("got", "answer"),
    [({"type": "int", "value": "7"}, "taken"), ({"type": "long", "value": "-7"}, "taken"),
     (None, "failed"), (None, "unsupported")],
)  # fmt: skip
def test_another_value_type_or_answer_is_wrong(story, got, answer):
    told(story, got=got, answer=answer)
    result = check(read(story.records))
    assert result.valid is Valid.FALSE
    assert "cpp-proton > python-proton, int as map" in result.problems[0]
    assert "expected int -7" in result.problems[0]


def test_a_listed_loss_is_right_and_has_its_reason(story):
    told(story, receiver="js-rhea", got={"type": "number", "value": "-7"})
    result = check(read(story.records))
    assert result.valid is Valid.TRUE
    assert list(result.figures["reasons"]) == ["JavaScript numbers"]


def test_a_value_that_should_be_lost_and_is_not_is_wrong(story):
    told(story, receiver="js-rhea")
    assert check(read(story.records)).valid is Valid.FALSE


def test_a_reason_that_nothing_needs_is_wrong_when_all_programs_ran(story):
    for sender in PROGRAMS:
        refused = losses.expect(sender, "cpp-proton", "map", INT)
        told(story, sender, "cpp-proton", refused.value, refused.answer)
    result = check(read(story.records))
    assert result.valid is Valid.FALSE
    assert "nothing is lost by the reason '0-10 arrays' any more" in result.problems


def test_no_value_shows_nothing(story):
    assert check(read(story.records)).valid is Valid.UNKNOWN


def test_values_in_words():
    entry = [{"type": "string", "value": "k"}, {"type": "list", "value": [INT]}]
    assert words({"type": "map", "value": [entry]}) == "map {string k: list [int -7]}"
    assert words({"type": "null", "value": ""}) == "null"
    assert words(None) == "nothing"
