"""The first eight bytes of a connection choose the protocol.

Every AMQP peer opens with ``AMQP`` and four octets: class, instance (or major), version, revision.
``sniff`` names what a peer's first bytes ask for, as early as they decide it: bytes that can no
longer become any known header are ``UNKNOWN`` at once, so that an HTTP request or a TLS hello is
answered without waiting for eight bytes.

A broker answers what it does not speak with a header it does speak, and closes (specification
0-10, 4.3 "version negotiation"; AMQP 1.0, 2.2). The C++ client falls back to the other version
only because of that answer. This broker speaks 0-10; headers of 1.0 are recognised so that the
front door can choose once it is there.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

HEADER_SIZE: Final = 8
"""Octets of a protocol header, in every version."""

HEADER_0_10: Final = b"AMQP\x01\x01\x00\x0a"
"""AMQP 0-10 over TCP; also the answer to every header that is not spoken."""


class Protocol(IntEnum):
    """What a peer's first bytes ask for."""

    UNKNOWN = 0
    AMQP_0_10 = 1
    AMQP_1_0 = 2
    AMQP_1_0_TLS = 3
    AMQP_1_0_SASL = 4


HEADERS: Final[dict[bytes, Protocol]] = {
    HEADER_0_10: Protocol.AMQP_0_10,
    b"AMQP\x00\x01\x00\x00": Protocol.AMQP_1_0,
    b"AMQP\x02\x01\x00\x00": Protocol.AMQP_1_0_TLS,
    b"AMQP\x03\x01\x00\x00": Protocol.AMQP_1_0_SASL,
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
