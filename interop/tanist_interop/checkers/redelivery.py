"""Redelivered marks: what may have been delivered before says so.

Judged are messages that the broker had acknowledged to their sender before the first fault: the
sender has no reason to send those again, so every further copy is the broker's own and must be
marked redelivered (spec/clients.md 0.2). Later ones may be copies that a library sent again
unmarked, which no broker can tell from new messages; they are only counted.
"""

from __future__ import annotations

from tanist_interop import history
from tanist_interop.checkers.finding import Finding, Valid, examples
from tanist_interop.checkers.operations import Key, Operations

NAME = "redelivery"


def check(ops: Operations, records: history.Records) -> Finding:
    """Copies after the first of messages acknowledged before the fault are marked."""
    fault = history.fault_time(records)
    seen: set[Key] = set()
    marked = 0
    unmarked: list[Key] = []
    resent = 0
    for delivery in ops.deliveries:
        if delivery.redelivered:
            marked += 1
        elif delivery.key in seen:
            acknowledged = ops.acknowledged.get(delivery.key)
            if acknowledged is not None and (fault is None or acknowledged < fault):
                unmarked.append(delivery.key)
            else:
                resent += 1
        seen.add(delivery.key)
    figures: dict[str, object] = {
        "marked": marked,
        "unmarked": len(unmarked),
        "unmarked_resent": resent,
    }
    if unmarked:
        text = f"{len(unmarked)} delivered again without the mark: {examples(unmarked)}"
        return Finding(NAME, Valid.FALSE, figures, (text,))
    return Finding(NAME, Valid.TRUE, figures)
