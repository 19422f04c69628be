"""When a message wants to be delivered."""

from __future__ import annotations

import pytest
from session_peer10 import Node10, Session10, message

from tanist.core.message import NEVER
from tanist.sessions.amqp10.delivery_time import (
    DELIVERY_DELAY,
    DELIVERY_TIME,
    TIME_MS_MAX,
    available_at,
)
from tanist.types import BrokerError, Condition, FramingError
from tanist.wire.amqp10.composites import Properties
from tanist.wire.amqp10.values import Int, Timestamp, UInt, ULong, Value

NOW, WALL = 1000.0, 1_700_000_000.0
"""Monotonic seconds; Unix time then."""


def due(**annotations: Value) -> float:
    named = {name.replace("_", "-"): value for name, value in annotations.items()}
    return available_at(message(annotations=named), NOW, WALL - NOW)


def in_ms(ms: float) -> int:
    return int(WALL * 1000 + ms)


@pytest.mark.parametrize("kind", [int, Timestamp, ULong])
def test_the_time_is_unix_milliseconds(kind: type[int]) -> None:
    assert due(x_opt_delivery_time=kind(in_ms(2500))) == pytest.approx(NOW + 2.5)


@pytest.mark.parametrize("kind", [int, UInt, ULong, Int])
def test_the_delay_is_milliseconds_from_now(kind: type[int]) -> None:
    assert due(x_opt_delivery_delay=kind(2500)) == NOW + 2.5


def test_the_time_goes_before_the_delay() -> None:
    both = due(x_opt_delivery_time=in_ms(9000), x_opt_delivery_delay=1)
    assert both == pytest.approx(NOW + 9)


@pytest.mark.parametrize(
    "annotations",
    [
        {},
        {DELIVERY_TIME: None},
        {DELIVERY_TIME: in_ms(-1)},
        {DELIVERY_TIME: -5},
        {DELIVERY_DELAY: 0},
        {DELIVERY_DELAY: -7},
        {"x-opt-delivery-hint": 9},
        {"other": DELIVERY_TIME},
    ],
)
def test_what_is_due_comes_at_once(annotations: dict[str, Value]) -> None:
    assert available_at(message(annotations=annotations), NOW, WALL - NOW) == 0.0


def test_only_annotations_are_looked_at() -> None:
    named = message(application={DELIVERY_DELAY: 5}, properties=Properties(to=DELIVERY_DELAY))
    assert available_at(named, NOW, WALL - NOW) == 0.0


def test_unusual_descriptors_are_read_the_long_way() -> None:
    usual = message(annotations={DELIVERY_DELAY: 2000})
    wide = b"\x00\x80" + (0x72).to_bytes(8, "big") + usual[3:]
    symbolic = b"\x00\xa3\x1camqp:message-annotations:map" + usual[3:]
    data = b"\x00\xa3\x10amqp:data:binary" + message()[3:]
    assert [available_at(each, NOW, WALL - NOW) for each in (wide, symbolic, data)] == [
        NOW + 2,
        NOW + 2,
        0.0,
    ]


def test_far_away_is_a_number_still() -> None:
    for value in (2**62, ULong(2**64 - 1)):
        assert due(x_opt_delivery_time=value) == TIME_MS_MAX / 1000 - (WALL - NOW)
        assert due(x_opt_delivery_delay=value) < NEVER


@pytest.mark.parametrize("value", ["soon", 1.5, True, b"1", [1]])
def test_what_is_no_number_is_refused(value: Value) -> None:
    for name in (DELIVERY_TIME, DELIVERY_DELAY):
        with pytest.raises(BrokerError, match=f"{name} is no number of milli") as caught:
            available_at(message(annotations={name: value}), NOW, WALL - NOW)
        assert caught.value.condition is Condition.ILLEGAL_ARGUMENT


def test_annotations_of_any_encoding_are_read() -> None:
    wide = message(b"", annotations={DELIVERY_DELAY: 2000})
    assert wide[3] == 0xD1
    size, count = int.from_bytes(wide[4:8], "big"), int.from_bytes(wide[8:12], "big")
    short = wide[:3] + bytes((0xC1, size - 3, count)) + wide[12:]
    long = message(annotations={"a": "x" * 300, DELIVERY_DELAY: 2000})
    assert [available_at(each, NOW, WALL - NOW) for each in (wide, short, long)] == [NOW + 2] * 3


def test_broken_annotations_are_an_error() -> None:
    whole = message(annotations={DELIVERY_DELAY: 2000})
    with pytest.raises(FramingError):
        available_at(whole[:20], NOW, WALL - NOW)
    # The map says that it has three values.
    broken = whole[:4] + bytes((whole[4], 3)) + whole[6:]
    with pytest.raises(FramingError):
        available_at(broken, NOW, WALL - NOW)


def test_a_delayed_message_waits_on_its_queue(node: Node10, session: Session10) -> None:
    delivery = session.send(session.sender("q"), message(annotations={DELIVERY_DELAY: 3000}))
    assert session.outcome(delivery) == "Accepted"
    (entry,) = node.broker.queues["q"].entries()
    assert entry.message.available_at == node.now + 3
    assert node.broker.queues["q"].available == 0


def test_a_producer_hears_that_its_time_is_none(session: Session10) -> None:
    sender = session.sender("q")
    delivery = session.send(sender, message(annotations={DELIVERY_DELAY: "later"}))
    assert session.outcome(delivery) == "amqp:invalid-field"
    assert session.outcome(session.send(sender, message())) == "Accepted"
