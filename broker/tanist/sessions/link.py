"""One client connection as the sessions see it, whatever its protocol.

The node makes a link for each connection that it admits (``amqp010.link.Link010``,
``amqp10.link.Link10``) and hands it in with every event. ``writable`` follows the edge's write
buffer. Within one step a link is given about ``STEP_BYTES_MAX`` bytes of deliveries: the edge can
only say "full" after the step, and one step must not copy a whole queue into one write. A link that
used up its share waits for the next step (``work``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tanist.core.broker import Broker

STEP_BYTES_MAX: Final = 512 * 1024
"""Bytes of deliveries one link gets per step: well above the edge's high-water mark (64 KiB), so
that a slow peer fills its buffer and is paused, and small against memory."""


class ClientLink:
    """A connection with sessions.

    ``number`` is the node's connection id, ``user`` the authenticated identity, ``peer`` the
    remote ``host:port``. ``heard_at`` (monotonic seconds) is when bytes last arrived: the node
    keeps it. ``budget`` is what step number ``step`` may still deliver, bytes. ``published`` and
    ``delivered``: messages of its sessions that are over.
    """

    __slots__ = (
        "budget",
        "closed",
        "delivered",
        "heard_at",
        "number",
        "peer",
        "published",
        "step",
        "user",
        "writable",
    )

    def __init__(self, number: int, user: str, peer: str, now: float) -> None:
        self.number = number
        self.user = user
        self.peer = peer
        self.heard_at = now
        self.writable = True
        self.closed = False
        self.published = 0
        self.delivered = 0
        self.step = 0
        self.budget = STEP_BYTES_MAX

    def wake(self, broker: Broker) -> None:
        """It may be sent more again: wake all subscriptions of its sessions."""
        raise NotImplementedError
