"""Numbers given out lowest first: the channels of a connection, the handles of a session.

AMQP asks to use low numbers (AMQP 1.0, 2.7.1 "channel-max", 2.7.2 "handle-max"): peers keep tables
indexed by them. A number is given back when both sides are done with it, and used again before a
new one is begun, so that ten thousand links one after the other need one handle.
"""

from __future__ import annotations

from heapq import heappop, heappush


class Handles:
    """``limit``: the highest number that may be given out."""

    __slots__ = ("_free", "_next", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._free: list[int] = []
        self._next = 0

    def take(self) -> int:
        """The lowest free number, -1 if there is none."""
        if self._free:
            if self._free[0] > self.limit:
                return -1
            return heappop(self._free)
        if self._next > self.limit:
            return -1
        self._next += 1
        return self._next - 1

    def give(self, number: int) -> None:
        """``number`` is free again."""
        heappush(self._free, number)
