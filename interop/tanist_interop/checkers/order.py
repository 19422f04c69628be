"""Order: what one receiver gets of one producer comes in the order in which it was sent.

Looked at are first copies: a message that was not marked redelivered, that nobody had received
before, and that comes after a later one of the same producer at the same receiver, jumped back.
(Copies of what was received before are the business of the checkers ``redelivery`` and
``duplicates``; a jump forward is either filled by another receiver or a loss.)
"""

from __future__ import annotations

from tanist_interop.checkers.finding import Finding, Valid, examples
from tanist_interop.checkers.operations import Operations, Task
from tanist_interop.checkers.ranges import Messages

NAME = "order"


def jumps_back(ops: Operations) -> Messages:
    """First copies, not marked redelivered, that came after a later message."""
    seen = Messages()
    highest: dict[tuple[Task, str], int] = {}
    out = Messages()
    for delivery in ops.deliveries:
        place = (delivery.receiver, delivery.producer)
        for first, last in seen.add(delivery.producer, delivery.first, delivery.last):
            reached = highest.get(place, first - 1)
            if first < reached and not delivery.redelivered:
                out.add(delivery.producer, first, min(last, reached - 1))
            highest[place] = max(reached, last)
    return out


def check(ops: Operations) -> Finding:
    """No unmarked first copy jumps back."""
    jumps = jumps_back(ops)
    if not jumps:
        return Finding(NAME, Valid.TRUE, {"jumps_back": 0})
    text = f"{len(jumps)} out of order and not marked redelivered: {examples(jumps)}"
    return Finding(NAME, Valid.FALSE, {"jumps_back": len(jumps)}, (text,))
