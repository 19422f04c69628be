"""What one side of a 1.0 connection offers or wants: configuration, shared by many connections.

A client's choice of a SASL mechanism is made here too, from what the server offers and from what
is configured. Source: AMQP 1.0, 2.7.1 "open", 2.7.2 "begin", 5.3 "SASL".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tanist.types import MESSAGE_BYTES_MAX, SESSIONS_PER_CONNECTION_MAX
from tanist.wire.amqp10.values import Value

FRAME_SIZE_OFFERED: Final = 65536
"""Octets of the largest frame taken by default: a message of usual size is one frame, and a
connection that sends large ones still shares the reactor with others."""

INCOMING_WINDOW: Final = 2048
"""Transfers a peer may send before it hears from us: with ``max_frame_size`` that bounds what one
session can have under way, and it is far beyond what one read brings."""

HANDLE_MAX: Final = 65535
"""Highest link handle taken: applications with ten thousand links on one session exist."""

LINKS_MAX: Final = 65536
"""Links of one connection, over all its sessions: a hundred megabytes, when a peer wants them."""


@dataclass(frozen=True)
class ConnectionSettings:
    """What one side of a connection offers or wants; shared by many connections."""

    role: str = "server"
    """"server" or "client"."""
    allow_bare: bool = True
    """Server: take a connection without a SASL layer; the owner passes ``auth=no``."""
    mechanisms: tuple[str, ...] = ("ANONYMOUS", "PLAIN")
    """Server: what sasl-mechanisms offers; never empty."""
    idle_timeout_s: float = 0.0
    """A peer silent for so many seconds has failed; half of it is advertised. 0 for never."""
    max_frame_size: int = FRAME_SIZE_OFFERED
    """Largest frame this side takes, its header included; at least 512."""
    channel_max: int = SESSIONS_PER_CONNECTION_MAX - 1
    """Highest channel this side takes."""
    handle_max: int = HANDLE_MAX
    """Highest link handle this side takes, on each session."""
    links_max: int = LINKS_MAX
    """Links that the peer may attach, over all sessions."""
    incoming_window: int = INCOMING_WINDOW
    """Transfers a peer may have under way to us on each session; at least 1."""
    content_max: int = MESSAGE_BYTES_MAX
    """Octets of all deliveries of the peer that are incomplete, over all its links."""
    username: str = ""
    """Client: user of PLAIN."""
    password: str = ""
    """Client: password of PLAIN."""
    mechanism: str = ""
    """Client: the only mechanism wanted; empty = PLAIN with a username, else ANONYMOUS. "NONE":
    no SASL layer, the bare AMQP header."""
    container_id: str = ""
    """Client: container-id of its Open."""
    hostname: str = ""
    """Client: hostname of its Open and of sasl-init; empty is not sent."""
    desired_capabilities: tuple[str, ...] = ()
    """Client: desired-capabilities of its Open."""
    properties: Mapping[str, Value] = field(default_factory=dict)
    """Client: properties of its Open."""

    def choose_mechanism(self, offered: Sequence[str]) -> tuple[str, bytes] | None:
        """Client: the mechanism to use and its initial response; None if it is not offered."""
        wanted = self.mechanism or ("PLAIN" if self.username else "ANONYMOUS")
        if wanted not in offered:
            return None
        if wanted == "PLAIN":
            return wanted, f"\0{self.username}\0{self.password}".encode()
        return wanted, (self.username or "anonymous").encode()
