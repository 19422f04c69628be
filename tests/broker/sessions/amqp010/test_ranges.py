"""Ranges of command ids against tables of what is outstanding."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.sessions.amqp010.ranges import SERIAL_MAX, merged, select, split_wrapped

small = st.integers(0, 60)
ranges_of_small = st.lists(st.tuples(small, small).map(lambda p: (min(p), max(p))), max_size=8)


@settings(max_examples=200, deadline=None)
@given(st.sets(small), ranges_of_small)
def test_select_finds_exactly_the_keys_in_the_ranges(
    keys: set[int], ranges: list[tuple[int, int]]
) -> None:
    table = dict.fromkeys(sorted(keys), "x")
    expected = [k for k in sorted(keys) if any(low <= k <= high for low, high in ranges)]
    assert select(table, ranges) == expected


@settings(max_examples=100, deadline=None)
@given(ranges_of_small)
def test_merged_ranges_are_sorted_and_apart(ranges: list[tuple[int, int]]) -> None:
    result = merged(ranges)
    ids = {i for low, high in ranges for i in range(low, high + 1)}
    assert {i for low, high in result for i in range(low, high + 1)} == ids
    assert all(result[i][1] + 1 < result[i + 1][0] for i in range(len(result) - 1))


def test_everything_is_a_legal_range_and_costs_nothing() -> None:
    table = {5: "a", SERIAL_MAX: "b"}
    assert select(table, [(0, SERIAL_MAX)] * 1000) == [5, SERIAL_MAX]


def test_ranges_may_wrap() -> None:
    table = {SERIAL_MAX - 1: "a", SERIAL_MAX: "b", 0: "c", 7: "d"}
    assert split_wrapped([(SERIAL_MAX, 3)]) == [(SERIAL_MAX, SERIAL_MAX), (0, 3)]
    assert sorted(select(table, [(SERIAL_MAX, 3)])) == [0, SERIAL_MAX]


def test_nothing_outstanding_nothing_found() -> None:
    assert select({}, [(0, SERIAL_MAX)]) == []
    assert select({1: "a"}, []) == []
