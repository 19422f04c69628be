"""A message: the bytes that arrived, and the few facts that routing and delivery need.

The content stays the bytes that the producer sent, in the form of its protocol; the core never
decodes them. The sessions layer reads them once (exchange, key, durability, priority, time to live)
into the slots below. One ``Message`` is shared by every queue it is routed to and is never changed
afterwards, except that ``headers`` is filled on first use (``headers`` exchanges, header filters).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mypy_extensions import mypyc_attr

AMQP_0_10: Final = 0
"""``form`` of a message from AMQP 0-10: its header and body segments."""

AMQP_1_0: Final = 1
"""``form`` of a message from AMQP 1.0: its sections from the message annotations on, undecoded, in
``body``; ``header`` is empty. What the section "header" says is in the slots, the delivery
annotations are not kept (AMQP 1.0, 3.2)."""

NEVER: Final = float("inf")
"""``expires_at`` of a message without time to live."""

PRIORITY_DEFAULT: Final = 4
"""Priority of a message that names none (AMQP 0-10 delivery-properties.priority)."""


@mypyc_attr(acyclic=True)
class Message:
    """What was published.

    ``form``: what ``header`` and ``body`` are, ``AMQP_0_10`` (as they arrived; ``header`` may be
    empty) or ``AMQP_1_0``. ``exchange``: the name it was sent to ("" = default exchange).
    ``bodiless``: it came without a body segment, which is not an empty one (0-10 only).
    ``expires_at``: monotonic seconds, ``NEVER`` when it has no time to live. ``redelivered``: as
    flagged by its producer (1.0: it had delivered it before). ``available_at``: monotonic seconds
    before which it must not be delivered, 0 = at once. ``headers``: application headers,
    None until somebody needed them. ``origin``: number of the connection it came on, 0 = none or
    not this broker's. ``size``: ``len(header) + len(body)``, bytes.
    """

    __slots__ = (
        "available_at",
        "bodiless",
        "body",
        "durable",
        "exchange",
        "expires_at",
        "form",
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
        form: int = AMQP_0_10,
        available_at: float = 0.0,
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
        self.form = form
        self.available_at = available_at
        self.headers: Mapping[str, object] | None = None
        self.size = len(header) + len(body)
