"""The ids of what a session sends: those the owner knows, and those that travel.

The owner is told the id of a delivery when it sends it. The delivery may have to wait for the
peer's window, and its link may be gone before its turn comes. Then it is never sent; but peers
close a session whose delivery ids have a gap. Therefore ids that travel are given out when a
delivery really begins, and ``Numbering`` knows by how much the two differ: by how many deliveries
were dropped before. That is nothing, nearly always.

Ids on both sides are unwrapped (plain growing integers whose low 32 bits travel).
Source: AMQP 1.0, 2.6.12 "Transferring a message", 2.8.10 "delivery-number".
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

STEPS_MAX: Final = 4096
"""Remembered changes of the difference. A peer makes one with every link that it detaches while
its window is shut; ids older than all that are settled, or lost to a peer that plays games."""


class Numbering:
    """``travelled``: how many ids have been given to deliveries that began to be sent."""

    __slots__ = ("_shift", "_shifts", "_starts", "travelled")

    def __init__(self) -> None:
        self.travelled = 0
        self._shift = 0
        self._starts = [0]
        self._shifts = [0]

    def begin(self, number: int) -> int:
        """The delivery that the owner knows as ``number`` begins; returns the id that travels.

        Numbers grow from call to call.
        """
        travels = self.travelled
        self.travelled = travels + 1
        shift = number - travels
        if shift != self._shift:
            self._shift = shift
            self._starts.append(travels)
            self._shifts.append(shift)
            if len(self._starts) > STEPS_MAX:
                del self._starts[0], self._shifts[0]
        return travels

    def known(self, first: int, last: int) -> list[tuple[int, int]]:
        """The ids that travelled, ``first`` to ``last``, as the owner knows them: ranges."""
        first = max(first, self._starts[0])
        last = min(last, self.travelled - 1)
        if first > last:
            return []
        if len(self._starts) == 1:
            return [(first + self._shift, last + self._shift)]
        ranges: list[tuple[int, int]] = []
        index = bisect_right(self._starts, first) - 1
        while first <= last:
            index += 1
            end = last
            if index < len(self._starts):
                end = min(last, self._starts[index] - 1)
            shift = self._shifts[index - 1]
            ranges.append((first + shift, end + shift))
            first = end + 1
        return ranges

    def travelling(self, first: int, last: int) -> list[tuple[int, int]]:
        """The ids that the owner knows, ``first`` to ``last``, as they travelled: ranges.

        Those of deliveries that never began are left out.
        """
        ranges: list[tuple[int, int]] = []
        for index, start in enumerate(self._starts):
            end = self.travelled
            if index + 1 < len(self._starts):
                end = self._starts[index + 1]
            shift = self._shifts[index]
            low, high = max(start, first - shift), min(end - 1, last - shift)
            if low <= high:
                ranges.append((low, high))
        return ranges
