"""The properties of a node that is to be created."""

from __future__ import annotations

from uuid import UUID

import pytest

from tanist.sessions.amqp10 import node_properties
from tanist.sessions.amqp10.node_properties import ARGUMENTS_MAX, read_properties
from tanist.types import BrokerError, Condition
from tanist.wire.amqp10.values import Array, Described, Symbol, UInt, ULong


def policy(code: int) -> dict[str, object]:
    return {"lifetime-policy": Described(ULong(code), [])}


def test_defaults() -> None:
    for fields in (None, {}):
        properties = read_properties(fields)
        assert not (properties.durable or properties.auto_delete or properties.exclusive)
        assert properties.exchange_type == "topic"
        assert properties.lifetime == node_properties.ON_CLOSE
        assert properties.arguments == {}


@pytest.mark.parametrize(
    ("fields", "lifetime"),
    [
        (policy(0x2B), node_properties.ON_CLOSE),
        (policy(0x2C), node_properties.ON_NO_LINKS),
        (policy(0x2D), node_properties.ON_NO_MESSAGES),
        (policy(0x2E), node_properties.ON_NO_LINKS_OR_MESSAGES),
        (
            {"lifetime-policy": Described(Symbol("amqp:delete-on-no-links:list"), [])},
            node_properties.ON_NO_LINKS,
        ),
    ],
)
def test_lifetimes(fields, lifetime: int) -> None:
    assert read_properties(fields).lifetime == lifetime


def test_what_0_10_declares_queues_and_exchanges_with() -> None:
    properties = read_properties(
        {
            "durable": True,
            "auto-delete": True,
            "exclusive": True,
            "alternate-exchange": "amq.fanout",
            "exchange-type": Symbol("direct"),
            "supported-dist-modes": Array(0xA3, [Symbol("move"), Symbol("copy")]),
            "qpid.max_count": UInt(5),
            "text": Symbol("word"),
            "octets": b"1",
            "half": 0.5,
            "nothing": None,
            "yes": True,
        }
    )
    assert properties.durable
    assert properties.auto_delete
    assert properties.exclusive
    assert properties.alternate_exchange == "amq.fanout"
    assert properties.exchange_type == "direct"
    assert properties.arguments == {
        "qpid.max_count": 5,
        "text": "word",
        "octets": b"1",
        "half": 0.5,
        "nothing": None,
        "yes": True,
    }
    kinds = {type(value) for value in properties.arguments.values()}
    assert kinds == {int, str, bytes, float, bool, type(None)}


@pytest.mark.parametrize(
    "fields",
    [
        {"lifetime-policy": 1},
        {"lifetime-policy": Described(ULong(0x24), [])},
        {"lifetime-policy": Described(ULong(0x2B), "no list")},
        {"durable": "yes"},
        {"auto-delete": 1},
        {"exclusive": None},
        {"alternate-exchange": 3},
        {"exchange-type": b"topic"},
        {"x": [1]},
        {"x": UUID(int=1)},
        {f"x{number}": 1 for number in range(ARGUMENTS_MAX + 1)},
    ],
)
def test_what_makes_no_sense_is_refused(fields) -> None:
    with pytest.raises(BrokerError) as caught:
        read_properties(fields)
    assert caught.value.condition is Condition.ILLEGAL_ARGUMENT
    assert caught.value.text.startswith("dynamic-node-properties: ")
