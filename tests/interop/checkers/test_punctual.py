from __future__ import annotations

import pytest

from tanist_interop import protocol
from tanist_interop.checkers.finding import Valid
from tanist_interop.checkers.operations import read
from tanist_interop.checkers.punctual import check


def delayed(story, ms, *, after_ms, producer="p"):
    """One message that is to come after ``ms``, and comes ``after_ms`` after it was announced."""
    story.told("s", protocol.Send(3, "q", producer, 1, 1, delay_ms=ms))
    story.receiver()
    story.sent(1, producer=producer)
    announced = story.records[-2].event["t"]
    story.ms = announced // 1_000_000 + after_ms
    story.got(1, producer=producer)
    return check(read(story.records))


@pytest.mark.parametrize(("after_ms", "late_ms"), [(5000, 0), (5300, 300), (9000, 4000)])
def test_what_comes_when_it_is_due_or_later_is_right(story, after_ms, late_ms):
    result = delayed(story, 5000, after_ms=after_ms)
    assert result.valid is Valid.TRUE
    figures = {"delay_ms": 5000, "came": 1, "earliest_ms": late_ms, "latest_ms": late_ms}
    assert result.figures == {"p": figures}


def test_what_comes_before_is_wrong(story):
    result = delayed(story, 5000, after_ms=4800)
    assert result.valid is Valid.FALSE
    assert result.problems == ("p:1 came 200 ms too early",)


def test_without_delayed_messages_that_came_it_shows_nothing(story):
    assert check(read(story.good().records)).valid is Valid.UNKNOWN
    assert delayed(story, 0, after_ms=1, producer="z").valid is Valid.UNKNOWN
