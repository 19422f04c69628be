"""The properties of a node that is to be created: ``dynamic-node-properties``.

The specification has two (lifetime-policy, supported-dist-modes). The original's clients say there
what queues and exchanges of AMQP 0-10 are declared with, also where the node is not dynamic but
created on demand: durable, auto-delete, exclusive, alternate-exchange, exchange-type, and any
argument by its name. Source: AMQP 1.0, 3.5.3, 3.5.9 to 3.5.13.
"""

from __future__ import annotations

from typing import Final

from tanist.types import BrokerError, Condition, FramingError
from tanist.wire.amqp10.composing import composite_of
from tanist.wire.amqp10.composites import (
    DeleteOnClose,
    DeleteOnNoLinks,
    DeleteOnNoLinksOrMessages,
    DeleteOnNoMessages,
)
from tanist.wire.amqp10.values import Fields, Value

ON_CLOSE: Final = 0
ON_NO_LINKS: Final = 1
ON_NO_MESSAGES: Final = 2
ON_NO_LINKS_OR_MESSAGES: Final = 3

LIFETIME: Final = "lifetime-policy"
DIST_MODES: Final = "supported-dist-modes"
ARGUMENTS_MAX: Final = 64
"""Arguments of one node: they are kept with it, and shown."""


class NodeProperties:
    """``lifetime``: one of the constants above. ``arguments``: what the broker may not know."""

    __slots__ = (
        "alternate_exchange",
        "arguments",
        "auto_delete",
        "durable",
        "exchange_type",
        "exclusive",
        "lifetime",
    )

    def __init__(self) -> None:
        self.durable = False
        self.auto_delete = False
        self.exclusive = False
        self.alternate_exchange = ""
        self.exchange_type = "topic"
        self.lifetime = ON_CLOSE
        self.arguments: dict[str, object] = {}


def read_properties(fields: Fields | None) -> NodeProperties:
    """Understand the map. Raises: BrokerError (ILLEGAL_ARGUMENT)."""
    properties = NodeProperties()
    if not fields:
        return properties
    if len(fields) > ARGUMENTS_MAX:
        raise _bad(f"more than {ARGUMENTS_MAX} of them")
    for name, value in fields.items():
        if name == LIFETIME:
            properties.lifetime = _lifetime(value)
        elif name == "durable":
            properties.durable = _flag(name, value)
        elif name == "auto-delete":
            properties.auto_delete = _flag(name, value)
        elif name == "exclusive":
            properties.exclusive = _flag(name, value)
        elif name == "alternate-exchange":
            properties.alternate_exchange = _word(name, value)
        elif name == "exchange-type":
            properties.exchange_type = _word(name, value)
        elif name != DIST_MODES:
            properties.arguments[str(name)] = plain(name, value)
    return properties


def plain(name: str, value: Value) -> object:
    """``value`` as an argument of a queue, an exchange or a binding: it is replicated and shown.

    Raises: BrokerError (ILLEGAL_ARGUMENT) for what no protocol can carry on.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bytes):
        return bytes(value)
    raise _bad(f"{name[:64]} is neither a number nor a text")


def _lifetime(value: Value) -> int:
    try:
        policy = composite_of(value)
    except FramingError as broken:
        raise _bad(broken.text) from None
    if isinstance(policy, DeleteOnClose):
        return ON_CLOSE
    if isinstance(policy, DeleteOnNoLinks):
        return ON_NO_LINKS
    if isinstance(policy, DeleteOnNoMessages):
        return ON_NO_MESSAGES
    if isinstance(policy, DeleteOnNoLinksOrMessages):
        return ON_NO_LINKS_OR_MESSAGES
    raise _bad(f"{LIFETIME} is none of the four of the specification")


def _flag(name: str, value: Value) -> bool:
    if not isinstance(value, bool):
        raise _bad(f"{name} must be true or false")
    return value


def _word(name: str, value: Value) -> str:
    if not isinstance(value, str):
        raise _bad(f"{name} must be a text")
    return str(value)


def _bad(text: str) -> BrokerError:
    return BrokerError(Condition.ILLEGAL_ARGUMENT, f"dynamic-node-properties: {text}")
