from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tanist.wire.amqp10.composites import (
    Accepted,
    Modified,
    Rejected,
    Released,
    TransactionalState,
)
from tanist.wire.amqp10.output import Output
from tanist.wire.amqp10.performatives import Disposition
from tanist.wire.amqp10.settlement import Settlement
from tests.broker.wire.amqp10.pair import frames


def written(settlement: Settlement) -> list[Disposition]:
    output = Output()
    settlement.write(output, 3)
    found = []
    for channel, performative, payload in frames(output.take()):
        assert (channel, payload) == (3, b"")
        assert isinstance(performative, Disposition)
        found.append(performative)
    return found


def brief(item: Disposition) -> tuple[int, int | None, bool, bool, str]:
    return item.first, item.last, item.role, item.settled, type(item.state).__name__


def test_a_thousand_accepts_are_one_frame():
    settlement = Settlement()
    for number in range(1000):
        settlement.accept(number, number)
    (item,) = written(settlement)
    assert brief(item) == (0, 999, True, True, "Accepted")
    assert written(settlement) == []


def test_accepts_in_any_order_are_few_frames():
    settlement = Settlement()
    for number in (3, 1, 2, 9, 7, 0):
        settlement.accept(number, number)
    assert [(item.first, item.last) for item in written(settlement)] == [
        (0, 3),
        (7, None),
        (9, None),
    ]


def test_what_is_said_alike_is_merged_and_nothing_else():
    settlement = Settlement()
    settlement.add(True, True, Released(), 0, 0)
    settlement.add(True, True, Rejected(), 1, 1)
    settlement.add(True, True, Released(), 1, 4)
    settlement.add(True, False, Released(), 5, 5)
    settlement.add(True, True, Modified(delivery_failed=True), 6, 6)
    settlement.add(True, True, Modified(delivery_failed=True), 7, 7)
    settlement.add(True, True, Modified(undeliverable_here=True), 8, 8)
    settlement.add(False, True, Accepted(), 0, 0)
    settlement.add(True, False, TransactionalState(b"a", Accepted()), 9, 9)
    settlement.add(True, False, TransactionalState(b"b", Accepted()), 10, 10)
    assert [brief(item) for item in written(settlement)] == [
        (0, 4, True, True, "Released"),
        (1, None, True, True, "Rejected"),
        (5, None, True, False, "Released"),
        (6, 7, True, True, "Modified"),
        (8, None, True, True, "Modified"),
        (0, None, False, True, "Accepted"),
        (9, None, True, False, "TransactionalState"),
        (10, None, True, False, "TransactionalState"),
    ]


def test_ids_wrap_on_the_wire():
    settlement = Settlement()
    settlement.accept(0xFFFFFFFE, 0x100000001)
    settlement.add(True, True, Released(), 0x1FFFFFFFF, 0x200000000)
    assert [(item.first, item.last) for item in written(settlement)] == [
        (0xFFFFFFFE, 1),
        (0xFFFFFFFF, 0),
    ]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 5), st.booleans())))
def test_every_delivery_is_told_what_was_said_of_it(said):
    settlement, accepted, released = Settlement(), set(), set()
    for first, span, accept in said:
        numbers = set(range(first, first + span + 1))
        if accept:
            settlement.accept(first, first + span)
            accepted |= numbers
        else:
            settlement.add(True, True, Released(), first, first + span)
            released |= numbers
    told: dict[str, set[int]] = {"Accepted": set(), "Released": set()}
    for item in written(settlement):
        last = item.first if item.last is None else item.last
        numbers = set(range(item.first, last + 1))
        name = type(item.state).__name__
        assert not told[name] & numbers
        told[name] |= numbers
    assert told == {"Accepted": accepted, "Released": released}


def test_clear():
    settlement = Settlement()
    settlement.accept(0, 0)
    settlement.add(True, True, Released(), 1, 1)
    settlement.clear()
    assert written(settlement) == []
