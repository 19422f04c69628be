"""What the peer completes of our commands: once each, only what was sent, and across the wrap."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.wire.amqp010.outgoing import HOLES_MAX, START, Outgoing
from tanist.wire.serial import WIRE_MASK

BEGINNINGS = st.sampled_from([0, 7, 0x7FFFFFF0, 0xFFFFFFF0])


def expand(ranges: list[tuple[int, int]]) -> list[int]:
    found: list[int] = []
    for first, last in ranges:
        found.extend((first + step) & WIRE_MASK for step in range(((last - first) & WIRE_MASK) + 1))
    return found


def test_an_orderly_peer_names_one_range_that_grows():
    outgoing = Outgoing()
    assert outgoing.completed([(0, 0)], START + 5) == [(0, 0)]
    assert outgoing.completed([(0, 2)], START + 5) == [(1, 2)]
    assert outgoing.completed([(0, 2)], START + 5) == []
    assert outgoing.completed([(0, 4)], START + 5) == [(3, 4)]
    assert outgoing.done.pairs() == [(START, START + 4)]


def test_what_was_not_sent_cannot_be_completed():
    outgoing = Outgoing()
    assert outgoing.completed([(0, 1)], START + 2) == [(0, 1)]
    assert outgoing.completed([(0, 9)], START + 4) == [(2, 3)]
    assert outgoing.completed([(0x80000000, 0xFFFFFFFF)], START + 4) == []


def test_a_replay_completes_what_was_sent_before_it():
    outgoing = Outgoing()
    next_id = outgoing.resume_at(100, START) + 10
    assert outgoing.completed([(100, 103)], next_id) == [(100, 103)]
    next_id = outgoing.resume_at(104, next_id)
    assert outgoing.completed([(100, 109)], next_id) == [(104, 109)]
    assert outgoing.resume_at(90, next_id) & WIRE_MASK == 90
    assert outgoing.completed([(85, 92)], next_id) == [(90, 92)]


def test_holes_are_counted():
    outgoing = Outgoing()
    outgoing.completed([(2 * n, 2 * n) for n in range(HOLES_MAX)], START + 4 * HOLES_MAX)
    assert not outgoing.full_of_holes
    outgoing.completed([(2 * HOLES_MAX, 2 * HOLES_MAX)], START + 4 * HOLES_MAX)
    assert outgoing.full_of_holes


@given(
    BEGINNINGS, st.lists(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=3))
)
@settings(max_examples=300, deadline=None)
def test_every_command_is_completed_once_whatever_the_peer_names(
    beginning: int, announcements: list[list[tuple[int, int]]]
):
    outgoing = Outgoing()
    next_id = outgoing.resume_at(beginning, START) + 30
    seen: list[int] = []
    wanted: set[int] = set()
    for announcement in announcements:
        pairs = [(min(pair), max(pair)) for pair in announcement]
        for first, last in pairs:
            wanted.update((beginning + n) & WIRE_MASK for n in range(first, min(last, 29) + 1))
        on_wire = [((beginning + a) & WIRE_MASK, (beginning + b) & WIRE_MASK) for a, b in pairs]
        seen.extend(expand(outgoing.completed(on_wire, next_id)))
        assert len(seen) == len(set(seen))
        assert set(seen) == wanted
