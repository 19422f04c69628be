"""A message: the bytes that arrived, and the few facts that routing and delivery need.

The header and body segments stay the bytes the producer sent; the core never decodes them. The
sessions layer reads them once (exchange, key, durability, priority, time to live) into the slots
below. One ``Message`` is shared by every queue it is routed to and is never changed afterwards,
except that ``headers`` is filled on first use (``headers`` exchanges only).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mypy_extensions import mypyc_attr

NEVER: Final = float("inf")
"""``expires_at`` of a message without time to live."""

PRIORITY_DEFAULT: Final = 4
"""Priority of a message that names none (AMQP 0-10 delivery-properties.priority)."""


@mypyc_attr(acyclic=True)
class Message:
    """What was published.

    ``header`` and ``body``: segments as they arrived (``header`` may be empty). ``exchange``: the
    name it was sent to ("" = default exchange). ``bodiless``: it came without a body segment, which
    is not an empty one. ``expires_at``: monotonic seconds, ``NEVER`` when it has no time to live.
    ``redelivered``: as flagged by its producer. ``headers``: application headers, None until
    somebody needed them. ``origin``: number of the connection it came on, 0 = none or not this
    broker's. ``size``: ``len(header) + len(body)``, bytes.
    """

    __slots__ = (
        "bodiless",
        "body",
        "durable",
        "exchange",
        "expires_at",
        "header",
        "headers",
        "origin",
        "priority",
        "redelivered",
        "routing_key",
        "size",
    )

    def __init__(
        self,
        header: bytes,
        body: bytes,
        exchange: str,
        routing_key: str,
        durable: bool = False,
        priority: int = PRIORITY_DEFAULT,
        expires_at: float = NEVER,
        redelivered: bool = False,
        bodiless: bool = False,
        origin: int = 0,
    ) -> None:
        self.header = header
        self.body = body
        self.bodiless = bodiless
        self.exchange = exchange
        self.routing_key = routing_key
        self.durable = durable
        self.priority = priority
        self.expires_at = expires_at
        self.redelivered = redelivered
        self.origin = origin
        self.headers: Mapping[str, object] | None = None
        self.size = len(header) + len(body)
