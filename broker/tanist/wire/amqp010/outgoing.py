"""Our commands by number: which of them the peer may complete, and which it did.

The peer may complete what was ever sent: from ``low``, the lowest id there was, to below the next
one, or below ``high`` when a replay went back behind ids that were sent before. Peers announce
whole merged ranges (``incoming``), so that nearly every session.completed names the one range that
the last one named, and a little more.

All ids here are unwrapped (``serial``), except those that methods take and return.

Source: AMQP specification 0-10, part III "session" (completed, command-point).
"""

from __future__ import annotations

from typing import Final

from tanist.wire.amqp010.incoming import START
from tanist.wire.serial import WIRE_MASK, Ranges, unwrap

HOLES_MAX: Final = 65536
"""Holes a peer may leave in what it completes: beyond any window of a client, and a few megabytes
of memory."""


class Outgoing:
    """What the peer of one session completed of our commands."""

    __slots__ = ("done", "high", "low")

    def __init__(self) -> None:
        self.low = START
        self.high = START
        self.done = Ranges()

    @property
    def full_of_holes(self) -> bool:
        """The peer completes in an order that nobody needs, and that costs memory."""
        return len(self.done) > HOLES_MAX

    def resume_at(self, command_id: int, next_id: int) -> int:
        """Ids go on with ``command_id`` (wire id) instead of ``next_id``; returns it unwrapped."""
        self.high = max(self.high, next_id)
        if self.high == self.low:
            self.low = self.high = unwrap(command_id, START)
            return self.low
        number = unwrap(command_id, self.high)
        self.low = min(self.low, number)
        return number

    def completed(self, ranges: list[tuple[int, int]], next_id: int) -> list[tuple[int, int]]:
        """The peer completed ``ranges``; returns what was not completed before (wire ids).

        ``next_id``: the id that no command has got yet.
        """
        done = self.done
        lasts = done.lasts
        if len(ranges) == 1 and lasts and next_id > self.high:
            first, last = ranges[0]
            known, end = lasts[-1], unwrap(last, next_id)
            start = end - ((last - first) & WIRE_MASK)
            if known < end < next_id and done.firsts[-1] <= start <= known + 1:
                lasts[-1] = end
                return [((known + 1) & WIRE_MASK, end & WIRE_MASK)]
        fresh: list[tuple[int, int]] = []
        ceiling = (next_id if next_id > self.high else self.high) - 1
        for first, last in ranges:
            start = unwrap(first, next_id)
            end = min(start + ((last - first) & WIRE_MASK), ceiling)
            start = max(start, self.low)
            if start <= end:
                for new, newest in done.add(start, end):
                    fresh.append((new & WIRE_MASK, newest & WIRE_MASK))
        return fresh
