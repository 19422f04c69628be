"""Answers by themselves; how they are made is told in the tests of the agent."""

from __future__ import annotations

import pytest

from tanist.management.answers import Answer, ShortAnswer, Writers
from tanist.management.codec import Reply
from tanist.management.schema import BINDING, QUEUE


def test_a_short_answer_is_over_once_it_is_taken() -> None:
    reply = Reply("", "me", b"", b"")
    answer = ShortAnswer(reply, after_records=True)
    assert answer.after_records
    assert not answer.over
    assert answer.take() is reply
    assert answer.over


def test_the_base_class_says_nothing() -> None:
    answer = Answer()
    assert (answer.after_records, answer.over) == (False, False)
    with pytest.raises(NotImplementedError):
        answer.take()


def test_there_is_one_writer_per_class() -> None:
    writers = Writers()
    assert writers.of(QUEUE) is writers.of(QUEUE)
    assert writers.of(QUEUE) is not writers.of(BINDING)
