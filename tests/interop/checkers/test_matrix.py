from __future__ import annotations

import pytest

from tanist_interop import protocol
from tanist_interop.checkers.finding import Valid
from tanist_interop.checkers.matrix import cells, check
from tanist_interop.checkers.operations import read

SOURCES = {"a.send": "a", "a.receive": "a", "b.send": "b", "b.receive": "b", "d": "a"}


def told(story, *leave_out, lose="", invent=""):
    """Two programs; each sends three messages to each, but for the pairs that are left out."""
    for source, client in SOURCES.items():
        story.program(source, client)
    for number, pair in enumerate(("aa", "ab", "ba", "bb"), 1):
        if pair in leave_out:
            continue
        sender, receiver = f"{pair[0]}.send", f"{pair[1]}.receive"
        story.sender(sender, number, pair, pair)
        story.receiver(receiver, number, pair)
        story.sent(1, 2, 3, source=sender, producer=pair)
        story.batch(protocol.Received, (1, 2, 2), receiver, pair, number, redelivered=False)
        story.batch(protocol.Acked, (1, 2), receiver, pair, number)
        story.drainer("d", number, pair)
        if pair != lose:
            story.batch(protocol.Received, (3,), "d", pair, number, redelivered=False)
            story.batch(protocol.Acked, (3,), "d", pair, number)
        story.ended(sender, 3, task=number)
        story.ended("d", 1, "empty", task=number)
        if pair == invent:
            story.batch(protocol.Received, (9,), receiver, pair, number, redelivered=False)
    return read(story.records)


def test_a_full_matrix(story):
    ops = told(story)
    result = check(ops, 2)
    assert result.problems == ()
    assert result.valid is Valid.TRUE
    assert result.figures["programs"] == ["a", "b"]
    found = [(c.sender, c.receiver, c.acknowledged, c.received, c.lost) for c in cells(ops)]
    assert found == [(x, y, 3, 2, 0) for x in "ab" for y in "ab"]


def test_what_the_drain_took_is_not_what_the_receiver_was_given(story):
    result = check(told(story), 3)
    assert result.valid is Valid.UNKNOWN
    assert result.problems[0] == "a > a: 2 acknowledged and received, wanted 3"


def test_a_missing_cell_gives_no_verdict(story):
    result = check(told(story, "ba"), 2)
    assert result.valid is Valid.UNKNOWN
    assert result.problems == ("b > a: nothing was sent",)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"lose": "ab"}, "1 lost, 0 unexpected"), ({"invent": "ab"}, "0 lost, 1 unexpected")],
)
def test_a_loss_in_one_cell_is_wrong(story, wrong, words):
    result = check(told(story, **wrong), 2)
    assert result.valid is Valid.FALSE
    assert result.problems == (f"a > b: {words}",)


def test_without_programs_nothing_is_shown(story):
    assert check(read(story.records), 1).valid is Valid.UNKNOWN


def test_nothing_is_lost_before_the_drain(story):
    ops = told(story, lose="ab")
    assert check(ops, 2).valid is Valid.FALSE
    ops.ended.clear()
    result = check(ops, 2)
    assert result.valid is Valid.TRUE, "the checker total-queue says that it was not drained"
