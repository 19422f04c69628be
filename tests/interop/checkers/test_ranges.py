from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist_interop.checkers.ranges import Dated, Messages, Numbers

RANGES = st.lists(
    st.tuples(st.integers(-5, 30), st.integers(0, 8)).map(lambda pair: (pair[0], sum(pair)))
)


def numbers_of(ranges):
    return {n for first, last in ranges for n in range(first, last + 1)}


@settings(max_examples=200, deadline=None)
@given(RANGES)
def test_numbers_are_a_set_and_tell_what_was_new(ranges):
    subject, model = Numbers(), set()
    for first, last in ranges:
        new = numbers_of(subject.add(first, last))
        assert new == set(range(first, last + 1)) - model
        model |= new
    assert list(subject) == sorted(model)
    assert len(subject) == len(model)
    assert bool(subject) == bool(model)
    assert all((n in subject) == (n in model) for n in range(-10, 45))
    parts = subject.ranges()
    assert all(last + 1 < first for (_, last), (first, _) in pairwise(parts))


@settings(max_examples=200, deadline=None)
@given(RANGES, RANGES)
def test_sets_of_numbers_are_compared_as_sets(left, right):
    a, b = Numbers(*left), Numbers(*right)
    assert set(a & b) == numbers_of(left) & numbers_of(right)
    assert set(a - b) == numbers_of(left) - numbers_of(right)
    assert (a == b) == (numbers_of(left) == numbers_of(right))


def test_what_is_in_a_range():
    subject = Numbers((1, 3), (7, 9))
    assert subject.common(2, 8) == [(2, 3), (7, 8)]
    assert subject.common(4, 6) == []
    assert repr(subject) == "Numbers((1, 3), (7, 9))"
    with pytest.raises(TypeError):
        hash(subject)


def test_messages_of_several_producers_are_kept_apart():
    a, b = Messages(), Messages()
    a.add("q", 1, 2)
    assert a.add("p", 2, 4) == [(2, 4)]
    b.add("p", 3, 9)
    assert list(a) == [("p", 2), ("p", 3), ("p", 4), ("q", 1), ("q", 2)]
    assert list(a & b) == [("p", 3), ("p", 4)]
    assert list(a - b) == [("p", 2), ("q", 1), ("q", 2)]
    assert list(a.only("q")) == [("q", 1), ("q", 2)]
    assert ("p", 4) in a
    assert ("x", 4) not in a
    assert len(a) == 5
    assert (a - b).producers() == ["p", "q"]
    assert not a - a
    assert (a - a).producers() == []


@settings(max_examples=200, deadline=None)
@given(RANGES)
def test_each_message_has_the_time_at_which_it_came_first(ranges):
    subject, model = Dated(), {}
    for t, (first, last) in enumerate(ranges):
        subject.put("p", first, last, t)
        model |= {n: t for n in range(first, last + 1) if n not in model}
    assert {n: subject.time_of(("p", n)) for n in range(-10, 45)} == {
        n: model.get(n) for n in range(-10, 45)
    }
    assert subject.time_of(("nobody", 1)) is None


@settings(max_examples=100, deadline=None)
@given(RANGES, st.integers(0, 10))
def test_what_had_come_in_by_then(ranges, t):
    subject, model = Dated(), {}
    for moment, (first, last) in enumerate(ranges):
        subject.put("p", first, last, moment)
        for number in range(first, last + 1):
            model.setdefault(number, moment)
    expected = {number for number, moment in model.items() if moment <= t}
    assert set(subject.until(t).of("p")) == expected


@settings(max_examples=100, deadline=None)
@given(RANGES, RANGES)
def test_messages_of_both(ours, theirs):
    one, other = Messages(), Messages()
    for first, last in ours:
        one.add("p", first, last)
    for first, last in theirs:
        other.add("p", first, last)
        other.add("q", first, last)
    both = one | other
    assert set(both.of("p")) == numbers_of(ours) | numbers_of(theirs)
    assert set(both.of("q")) == numbers_of(theirs)


def test_what_came_in_between_two_moments():
    dated = Dated()
    dated.put("p", 1, 3, 10)
    dated.put("p", 4, 6, 20)
    dated.put("p", 7, 7, 30)
    dated.put("q", 1, 1, 20)
    assert list(dated.between(20, 30)) == [("p", 4), ("p", 5), ("p", 6), ("q", 1)]
    assert list(dated.between(30, 31)) == [("p", 7)]
    assert list(dated.between(0, 10)) == []
