"""The first eight bytes of a connection choose the protocol.

Every AMQP peer opens with ``AMQP`` and four octets: class, instance (or major), version, revision.
``sniff`` names what a peer's first bytes ask for, as early as they decide it: bytes that can no
longer become any known header are ``UNKNOWN`` at once, so that an HTTP request or a TLS hello is
answered without waiting for eight bytes.

A broker answers what it does not speak with a header it does speak, and closes (specification
0-10, 4.3 "version negotiation"; AMQP 1.0, 2.2). The C++ client falls back to the other version
only because of that answer. TLS within the connection (header 2 of AMQP 1.0) is not spoken: it is
for a listener of its own, so that such a client is told to begin with SASL.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

HEADER_SIZE: Final = 8
"""Octets of a protocol header, in every version."""

HEADER_0_10: Final = b"AMQP\x01\x01\x00\x0a"
"""AMQP 0-10 over TCP; also the answer to every header that is not known."""

HEADER_1_0: Final = b"AMQP\x00\x01\x00\x00"
"""AMQP 1.0, behind a SASL layer or without one."""

HEADER_1_0_TLS: Final = b"AMQP\x02\x01\x00\x00"
"""The TLS layer of AMQP 1.0."""

HEADER_1_0_SASL: Final = b"AMQP\x03\x01\x00\x00"
"""The SASL layer of AMQP 1.0; the answer to what of AMQP 1.0 is not spoken."""


class Protocol(IntEnum):
    """What a peer's first bytes ask for."""

    UNKNOWN = 0
    AMQP_0_10 = 1
    AMQP_1_0 = 2
    AMQP_1_0_TLS = 3
    AMQP_1_0_SASL = 4


HEADERS: Final[dict[bytes, Protocol]] = {
    HEADER_0_10: Protocol.AMQP_0_10,
    HEADER_1_0: Protocol.AMQP_1_0,
    HEADER_1_0_TLS: Protocol.AMQP_1_0_TLS,
    HEADER_1_0_SASL: Protocol.AMQP_1_0_SASL,
}
"""The headers that are recognised."""


def sniff(data: bytes) -> Protocol | None:
    """What the first bytes ``data`` of a connection ask for; None while that is open.

    With None the caller waits for more bytes and asks again with all of them.
    """
    start = data[:HEADER_SIZE]
    protocol = HEADERS.get(start)
    if protocol is not None:
        return protocol
    for header in HEADERS:
        if header.startswith(start):
            return None
    return Protocol.UNKNOWN
