"""Reply addresses: exchange and routing key in AMQP 0-10, one string in AMQP 1.0.

``exchange/key`` names both, ``exchange`` an exchange without a key, ``name`` a queue. What a string
means depends on the nodes that there are, which the caller knows: their names are given. Where none
are, a string without a slash is a queue, and with one the part before the first slash an exchange.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final

NAME_MAX: Final = 255
"""Octets of an exchange or a routing key: a str8."""

NO_NAMES: Final[Container[str]] = frozenset()
"""For those who know no nodes."""


def join_address(exchange: str, key: str) -> str:
    """The address of an exchange with a routing key, either of which may be empty."""
    if exchange and key:
        return f"{exchange}/{key}"
    return exchange or key


def split_address(
    address: str, queues: Container[str] = NO_NAMES, exchanges: Container[str] = NO_NAMES
) -> tuple[str, str]:
    """Exchange and routing key that ``address`` means; the exchange of a queue is empty.

    ``queues`` and ``exchanges``: the names of those that there are.
    """
    if address in queues:
        return "", address
    exchange, slash, key = address.partition("/")
    if slash or exchange in exchanges:
        return exchange, key
    return "", address


def fits(exchange: str, key: str) -> bool:
    """Whether both fit the fields of a 0-10 reply-to."""
    return len(exchange.encode()) <= NAME_MAX and len(key.encode()) <= NAME_MAX
