"""Serial numbers and sets of them, against Python's own sets."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.wire.serial import WIRE_MASK, Ranges, unwrap

WIRE = st.integers(0, WIRE_MASK)
PAIRS = st.tuples(st.integers(-60, 60), st.integers(0, 20)).map(lambda p: (p[0], p[0] + p[1]))


def expand(ranges: list[tuple[int, int]]) -> set[int]:
    return {number for first, last in ranges for number in range(first, last + 1)}


@settings(max_examples=200, deadline=None)
@given(WIRE, st.integers(0, 1 << 70))
def test_unwrap_finds_the_nearest(wire, near):
    number = unwrap(wire, near)
    assert number & WIRE_MASK == wire
    assert -(1 << 31) <= number - near < 1 << 31


def test_unwrap_at_the_edge():
    assert unwrap(0, 0xFFFFFFFF) == 1 << 32
    assert unwrap(0xFFFFFFFF, 1 << 32) == 0xFFFFFFFF
    assert unwrap(5, 5) == 5


@settings(max_examples=300, deadline=None)
@given(st.lists(PAIRS, max_size=20), st.integers(-70, 90))
def test_ranges_are_a_set(pairs, probe):
    ranges, model = Ranges(), set[int]()
    for first, last in pairs:
        fresh = expand(ranges.add(first, last))
        added = set(range(first, last + 1))
        assert fresh == added - model
        model |= added
    assert expand(ranges.pairs()) == model
    assert len(ranges) == len(ranges.firsts) == len(ranges.lasts)
    gaps = zip(ranges.lasts, ranges.firsts[1:], strict=False)
    assert all(last + 1 < following for last, following in gaps)
    assert ranges.contains(probe) == (probe in model)
    index = ranges.index(probe)
    assert all(last < probe for last in ranges.lasts[:index])
    assert all(last >= probe for last in ranges.lasts[index:])
    ranges.forget_below(probe)
    assert expand(ranges.pairs()) == {number for number in model if number >= probe}


def test_the_largest_range_costs_no_more_than_the_smallest():
    ranges = Ranges()
    assert ranges.add(0, WIRE_MASK) == [(0, WIRE_MASK)]
    assert ranges.add(5, WIRE_MASK + 5) == [(WIRE_MASK + 1, WIRE_MASK + 5)]
    assert ranges.pairs() == [(0, WIRE_MASK + 5)]
