"""Numbers of incoming commands: jumps, duplicates, completion in any order, and the wrap."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.wire.amqp010.incoming import (
    AGAIN,
    BLOCKED,
    IGNORE,
    RUNS_MAX,
    SPAN_MAX,
    START,
    Incoming,
)
from tanist.wire.serial import WIRE_MASK

STARTS = st.sampled_from([0, 1, 1000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF])


def wire(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return [(first & WIRE_MASK, last & WIRE_MASK) for first, last in ranges]


def test_nothing_may_come_before_the_first_point():
    incoming = Incoming()
    assert incoming.take() == BLOCKED
    assert incoming.take() == BLOCKED
    assert incoming.point(7)
    assert [incoming.take() for _ in range(3)] == [7, 8, 9]
    incoming.block()
    assert incoming.take() == BLOCKED
    assert incoming.next & WIRE_MASK == 10


def test_ids_wrap():
    incoming = Incoming()
    incoming.point(0xFFFFFFFE)
    assert [incoming.take() for _ in range(4)] == [0xFFFFFFFE, 0xFFFFFFFF, 0, 1]
    assert incoming.complete(0xFFFFFFFE, 0)
    assert not incoming.complete(1, 1)
    assert wire(incoming.announcement(False)) == [(0xFFFFFFFE, 1)]


def test_a_replay_with_holes_like_the_java_client():
    incoming = Incoming()
    incoming.point(5)
    assert incoming.take() == 5
    incoming.point(6)
    assert incoming.take() == 6
    incoming.point(9)
    assert incoming.take() == 9
    incoming.point(20)
    assert incoming.complete(5, 5)
    assert not incoming.complete(6, 6)
    assert not incoming.complete(9, 9)
    assert wire(incoming.announcement(False)) == [(5, 6), (9, 9)]
    assert incoming.announcement(False) == []
    assert wire(incoming.announcement(True)) == [(5, 6), (9, 9)]


def test_a_duplicate_is_ignored_and_announced_again_when_it_is_done():
    incoming = Incoming()
    incoming.point(0)
    assert [incoming.take() for _ in range(5)] == [0, 1, 2, 3, 4]
    incoming.complete(0, 1)
    incoming.announcement(False)
    incoming.point(1)
    assert incoming.take() == AGAIN
    assert wire(incoming.announcement(False)) == [(0, 1)]
    assert incoming.take() == IGNORE
    assert incoming.announcement(False) == []
    assert [incoming.take() for _ in range(4)] == [IGNORE, IGNORE, 5, 6]


def test_a_jump_back_into_a_hole_is_new_until_it_meets_what_was_there():
    incoming = Incoming()
    incoming.point(10)
    assert [incoming.take() for _ in range(2)] == [10, 11]
    incoming.point(7)
    assert [incoming.take() for _ in range(6)] == [7, 8, 9, IGNORE, IGNORE, 12]
    incoming.point(8)
    assert [incoming.take() for _ in range(6)] == [IGNORE] * 5 + [13]


def test_late_completion_merges_backwards():
    incoming = Incoming()
    incoming.point(0)
    for _ in range(10):
        incoming.take()
    incoming.complete(0, 0)
    incoming.complete(5, 5)
    assert wire(incoming.announcement(False)) == [(0, 0), (5, 5)]
    incoming.complete(7, 7)
    incoming.announcement(False)
    incoming.complete(3, 4)
    assert wire(incoming.announcement(False)) == [(0, 0), (3, 5)]
    incoming.complete(1, 2)
    assert wire(incoming.announcement(False)) == [(0, 5)]


def test_known_completed_forgets_from_the_front_only():
    incoming = Incoming()
    incoming.known([(0, 5)])
    incoming.point(0)
    for _ in range(20):
        incoming.take()
    incoming.complete(0, 9)
    incoming.announcement(False)
    incoming.known([(4, 6)])
    assert wire(incoming.announcement(True)) == [(0, 9)]
    incoming.known([(0, 4)])
    assert wire(incoming.announcement(True)) == [(5, 9)]
    incoming.complete(12, 12)
    incoming.complete(14, 14)
    incoming.known([(0, 0x7FFFFFFE)])
    assert incoming.announcement(True) == []
    incoming.complete(15, 15)
    assert wire(incoming.announcement(False)) == [(15, 15)]


def test_what_was_forgotten_since_it_was_noted_is_not_announced():
    incoming = Incoming()
    incoming.point(0)
    for _ in range(9):
        incoming.take()
    incoming.complete(0, 0)
    incoming.complete(2, 2)
    incoming.complete(4, 4)
    incoming.complete(8, 8)
    incoming.known([(0, 5)])
    assert wire(incoming.announcement(False)) == [(8, 8)]


def test_jumps_are_limited():
    incoming = Incoming()
    jumps = 0
    while incoming.point(2 * jumps):
        incoming.take()
        jumps += 1
        assert jumps < RUNS_MAX + 5
    assert jumps == RUNS_MAX + 1


def test_points_before_anything_arrived_just_move_the_start():
    incoming = Incoming()
    for number in (0xFFFFFFFF, 0x7FFFFFFF, 0, 0x80000000, 5):
        assert incoming.point(number)
    assert incoming.take() == 5
    assert incoming.next > START - SPAN_MAX


def test_old_runs_are_let_go():
    incoming = Incoming()
    incoming.point(0)
    incoming.take()
    for step in range(1, 5):
        incoming.point(step * 0x30000000)
        incoming.take()
    incoming.point(0)
    assert incoming.take() == 0


@settings(max_examples=150, deadline=None)
@given(STARTS, st.lists(st.integers(0, 40), min_size=1, max_size=12), st.data())
def test_each_id_is_taken_once_and_announced_once_complete(start, jumps, data):
    """Jumps to ``start + n``, three commands after each; a set is the model."""
    incoming, seen, told = Incoming(), set[int](), set[int]()
    for jump in jumps:
        assert incoming.point((start + jump) & WIRE_MASK)
        for step in range(3):
            number = (start + jump + step) & WIRE_MASK
            verdict = incoming.take()
            assert verdict == (number if number not in seen else verdict)
            assert (verdict < 0) == (number in seen)
            seen.add(number)
        done = data.draw(st.sets(st.sampled_from(sorted(seen))))
        for number in done:
            incoming.complete(number, number)
        for first, last in incoming.announcement(False):
            told |= {number & WIRE_MASK for number in range(first, last + 1)}
        assert done <= told <= seen
