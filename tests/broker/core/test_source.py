"""Ids and positions of copied messages, against a dictionary."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.core.source import Copies, Source

NUMBERS = st.integers(1, 60)


def test_a_million_in_order_are_one_run() -> None:
    copies = Copies()
    copies.add(1, 11, 500_000)
    for number in range(500_001, 500_004):
        copies.add(number, number + 10)
    assert copies.runs() == [(1, 11, 500_003)]
    assert copies.take(2, 0xFFFFFFFF) == [(2, 12, 500_002)]
    assert copies.runs() == [(1, 11, 1)]


def test_local_messages_between_them_make_runs_and_one_range() -> None:
    copies = Copies()
    for number in range(1, 4):
        copies.add(number, 10 * number)
    assert copies.runs() == [(1, 10, 1), (2, 20, 1), (3, 30, 1)]
    assert copies.ranges() == [(1, 3)]
    assert len(copies) == 3


def test_holes_are_filled_from_the_left() -> None:
    copies = Copies()
    copies.add(1, 1)
    copies.add(10, 10)
    for number in range(2, 10):
        copies.add(number, number + 100)
    assert copies.runs() == [(1, 1, 1), (2, 102, 8), (10, 10, 1)]


def test_a_source() -> None:
    source = Source("amqp:tcp:a:1", None)
    assert source.active
    source.url = ""
    assert not source.active
    assert source.last_url == "amqp:tcp:a:1"


@settings(max_examples=500, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), NUMBERS, st.integers(1, 5)),
            st.tuples(st.just("take"), NUMBERS, NUMBERS),
        ),
        max_size=40,
    )
)
def test_against_a_dictionary(moves: list[tuple[str, int, int]]) -> None:
    copies = Copies()
    model: dict[int, int] = {}
    position = 0
    for move, first, size in moves:
        if move == "add":
            copies.add(first, position + 1, size)
            for step in range(size):
                model.setdefault(first + step, position + 1 + step)
            position += size
        else:
            last = max(first, size)
            taken = {
                run_first + step: at + step
                for run_first, at, count in copies.take(first, last)
                for step in range(count)
            }
            assert taken == {n: at for n, at in model.items() if first <= n <= last}
            for number in taken:
                del model[number]
        flat = {
            run_first + step: at + step
            for run_first, at, count in copies.runs()
            for step in range(count)
        }
        assert flat == model
        assert list(flat) == sorted(flat)
        assert all(copies.has(number) == (number in model) for number in range(70))
        numbers = [n for first_id, last_id in copies.ranges() for n in range(first_id, last_id + 1)]
        assert numbers == sorted(model)
        ranges = copies.ranges()
        assert all(a[1] + 1 < b[0] for a, b in itertools.pairwise(ranges))
