"""Punctual: a message that is to come later does not come before, whoever has become primary.

How late it comes is told, and judged only in so far as it comes at all (``total-queue``): a
failover and a busy machine are in it.
"""

from __future__ import annotations

from typing import Final

from tanist_interop.checkers.finding import MAX_EXAMPLES, Finding, Valid
from tanist_interop.checkers.operations import Delivery, Operations

NAME = "punctual"

SLACK_NS: Final = 100_000_000
"""A line about deliveries has the time of its first one; the others came up to 20 ms later on a
machine that keeps up. And programs read one clock, brokers another one."""


def lateness_ns(ops: Operations, delivery: Delivery, number: int, delay_ms: int) -> int:
    """How long after it was due a message came, negative if before. It is due so long after it was
    announced, or later: it may have been sent again."""
    announced = ops.attempts.time_of((delivery.producer, number)) or 0
    return delivery.t - announced - delay_ms * 1_000_000


def check(ops: Operations) -> Finding:
    """None came early; a run without delayed messages that came shows nothing."""
    early: list[str] = []
    figures: dict[str, object] = {}
    came = 0
    for producer, task in sorted(ops.producers().items()):
        delay_ms = ops.senders[task].delay_ms
        late: list[int] = []
        for delivery in ops.deliveries:
            if delivery.producer != producer or not delay_ms:
                continue
            for number in range(delivery.first, delivery.last + 1):
                late.append(lateness_ns(ops, delivery, number, delay_ms))
                if late[-1] < -SLACK_NS:
                    early.append(f"{producer}:{number} came {-late[-1] / 1e6:.0f} ms too early")
        came += len(late)
        if late:
            figures[producer] = {
                "delay_ms": delay_ms,
                "came": len(late),
                "earliest_ms": round(min(late) / 1e6),
                "latest_ms": round(max(late) / 1e6),
            }
    problems = tuple(early[:MAX_EXAMPLES])
    if not came:
        problems = ("no delayed message came",)
    valid = Valid.FALSE if early else Valid.TRUE if came else Valid.UNKNOWN
    return Finding(NAME, valid, figures, problems)
