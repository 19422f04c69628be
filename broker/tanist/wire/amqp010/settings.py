"""What one side of a 0-10 connection offers or wants: configuration, shared by many connections.

Defaults are what the original broker offers (spec, qpidd-compat 2.10). A client's choice of a
SASL mechanism is made here too, from what the server offers and from what is configured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tanist.types import CHANNEL_MAX, FRAME_SIZE_MAX, HEARTBEAT_MAX_S, MESSAGE_BYTES_MAX
from tanist.wire.amqp010.values import Value


@dataclass(frozen=True)
class ConnectionSettings:
    """What one side of a connection offers or wants; shared by many connections."""

    role: str = "server"
    """"server" or "client"."""
    heartbeat_max_s: int = HEARTBEAT_MAX_S
    """Server: the longest heartbeat that tune offers (R4: at least 120)."""
    max_frame_size: int = FRAME_SIZE_MAX
    """Largest frame this side takes, its header included; 4096 to 65535."""
    content_max: int = MESSAGE_BYTES_MAX
    """Octets of all messages of the peer that are incomplete, once the connection is open."""
    channel_max: int = CHANNEL_MAX
    """Highest channel this side takes."""
    server_properties: Mapping[str, Value] = field(default_factory=dict)
    """Server: properties of connection.start."""
    mechanisms: tuple[str, ...] = ("ANONYMOUS", "PLAIN")
    """Server: what connection.start offers."""
    client_properties: Mapping[str, Value] = field(default_factory=dict)
    """Client: properties of connection.start-ok."""
    username: str = ""
    """Client: user of PLAIN."""
    password: str = ""
    """Client: password of PLAIN."""
    mechanism: str = ""
    """Client: the only mechanism wanted; empty = PLAIN with a username, else ANONYMOUS."""
    virtual_host: str = ""
    """Client: the virtual host to open."""
    heartbeat_s: int = 0
    """Client: the heartbeat interval wished, clipped to what the server offers."""

    def choose_mechanism(self, offered: Sequence[Value]) -> tuple[str, bytes] | None:
        """Client: the mechanism to use and its initial response; None if it is not offered."""
        wanted = self.mechanism or ("PLAIN" if self.username else "ANONYMOUS")
        if wanted not in offered:
            return None
        if wanted == "PLAIN":
            return wanted, f"\0{self.username}\0{self.password}".encode()
        return wanted, (self.username or "anonymous").encode()
