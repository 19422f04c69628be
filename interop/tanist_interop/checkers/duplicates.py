"""Duplicates: none without a fault, and few enough with one (spec/clients.md section 9).

The bound per failover and queue is what may have been under way: of each receiver its prefetch and
what it had not acknowledged yet, of each sender its window.
"""

from __future__ import annotations

from collections import Counter

from tanist_interop import history, protocol
from tanist_interop.checkers.finding import Finding, Valid
from tanist_interop.checkers.operations import Key, Operations

NAME = "duplicates"


def per_queue(ops: Operations) -> dict[str, int]:
    """How many further copies came out of each queue."""
    seen: set[Key] = set()
    out: Counter[str] = Counter()
    for delivery in ops.deliveries:
        if delivery.key in seen:
            out[ops.queue_of(delivery.receiver)] += 1
        seen.add(delivery.key)
    return dict(out)


def bounds(ops: Operations, failovers: int) -> dict[str, int]:
    """The most duplicates that so many failovers explain, per queue."""
    out: Counter[str] = Counter()
    for send in ops.senders.values():
        out[send.queue] += failovers * send.window
    for receive in ops.receivers.values():
        if isinstance(receive, protocol.Receive):
            out[receive.queue] += failovers * (receive.prefetch + receive.ack_every)
    return dict(out)


def failovers(records: history.Records) -> int:
    """How many faults made the clients move (a stopped backup does not)."""
    return sum(
        1
        for note in history.notes(records, "fault")
        if note.event.get("phase") == "begin" and note.event.get("failover")
    )


def check(ops: Operations, records: history.Records) -> Finding:
    """Duplicates of each queue are within its bound."""
    count = per_queue(ops)
    bound = bounds(ops, failovers(records))
    problems = [
        f"{queue}: {n} duplicates, explained are {bound.get(queue, 0)}"
        for queue, n in sorted(count.items())
        if n > bound.get(queue, 0)
    ]
    figures: dict[str, object] = {
        "duplicated": sum(count.values()),
        "bound": sum(bound.values()),
        "per_queue": {queue: [count.get(queue, 0), bound[queue]] for queue in sorted(bound)},
    }
    return Finding(NAME, Valid.FALSE if problems else Valid.TRUE, figures, tuple(problems))
