from __future__ import annotations

import pytest

from tanist_interop import protocol
from tanist_interop.checkers.brokers import (
    ALLOWANCE_BYTES,
    GROWTH_MAX_BYTES,
    PER_MESSAGE_BYTES,
    YOUNG_ALLOWANCE_BYTES,
    YOUNG_MIN,
    check,
    memory,
)
from tanist_interop.checkers.finding import Valid
from tanist_interop.checkers.operations import read


def finding(story):
    return check(read(story.records))


def test_quiet_brokers_are_right(story):
    story.note("broker_exit", node="n1", code=-9, expected=True)
    story.note("memory", node="n1", bytes=5, moment="ready")
    story.note("memory", node="n1", bytes=6, moment="end")
    assert finding(story).valid is Valid.TRUE
    assert memory(story.records) == {"n1": {"ready": 5, "end": 6}}


def test_a_bad_line_in_a_log_is_wrong_and_many_are_told_briefly(story):
    for _ in range(15):
        story.note("broker_log", node="n2", line="Traceback")
    result = finding(story)
    assert result.valid is Valid.FALSE
    assert result.problems[0] == "n2 logged: Traceback"
    assert result.problems[-1] == "and 5 more lines"


def test_a_death_that_nobody_caused_is_wrong(story):
    story.note("broker_exit", node="n1", code=1, expected=False)
    assert finding(story).problems == ("n1 ended by itself, code 1",)


@pytest.mark.parametrize(("growth", "valid"), [(-1, Valid.TRUE), (1, Valid.FALSE)])
def test_memory_may_grow_by_the_allowance(story, growth, valid):
    story.note("memory", node="n1", bytes=100, moment="ready")
    story.note("memory", node="n1", bytes=100 + ALLOWANCE_BYTES + growth, moment="end")
    assert finding(story).valid is valid


@pytest.mark.parametrize(
    ("messages", "limit"),
    [(1000, ALLOWANCE_BYTES + 1000 * PER_MESSAGE_BYTES), (10_000_000, GROWTH_MAX_BYTES)],
)
def test_memory_may_grow_a_little_with_messages_but_not_for_ever(story, messages, limit):
    story.sender()
    story.note("memory", node="n1", bytes=100, moment="ready", life=1)
    story.sent((1, messages))
    story.note("memory", node="n1", bytes=100 + limit, moment="whole", life=2)
    assert finding(story).valid is Valid.TRUE
    story.note("memory", node="n1", bytes=101 + limit, moment="whole", life=2)
    story.note("memory", node="n1", bytes=100, moment="end", life=3)
    result = finding(story)
    assert result.valid is Valid.FALSE
    (problem,) = result.problems
    assert problem.startswith("n1 grew by ")


def lives(story, *sizes):
    for life, size in enumerate(sizes, 1):
        story.note("memory", node="n1", bytes=size, moment="whole", life=life)
        story.note("memory", node="n1", bytes=size + 2**24, moment="whole", life=life)


@pytest.mark.parametrize(("more", "valid"), [(0, Valid.TRUE), (1, Valid.FALSE)])
def test_each_new_broker_holds_what_the_first_ones_held(story, more, valid):
    last = 1000 + YOUNG_ALLOWANCE_BYTES + more
    lives(story, *[1000] * (YOUNG_MIN - 2), last, last)
    result = finding(story)
    assert result.valid is valid
    assert result.figures["young_bytes"] == [1000, last]
    assert result.figures["most_bytes"] == last + 2**24


def test_few_starts_are_no_trend(story):
    lives(story, *[1000] * (YOUNG_MIN - 2), 1000 + 2 * YOUNG_ALLOWANCE_BYTES)
    assert finding(story).valid is Valid.TRUE
    assert "young_bytes" not in finding(story).figures


@pytest.mark.parametrize(("body_bytes", "valid"), [(10_000_000, Valid.TRUE), (100, Valid.FALSE)])
def test_large_messages_may_leave_something_behind(story, body_bytes, valid):
    story.note("memory", node="n1", bytes=100, moment="ready")
    send = protocol.Send(3, "q", "p", 1, 2, body_bytes=body_bytes)
    story.told("s", send)
    story.note("memory", node="n1", bytes=101 + ALLOWANCE_BYTES, moment="end")
    assert finding(story).valid is valid
