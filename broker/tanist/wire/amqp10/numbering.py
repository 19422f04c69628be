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
    """``travelled``: how many ids have been given to deliveries that began to be sent. ``shift``:
    by how much the ids that the owner knows are ahead of those; as long as that stays the same,
    ``begin`` does nothing but count.
    """

    __slots__ = ("_shifts", "_starts", "shift", "travelled")

    def __init__(self) -> None:
        self.travelled = 0
        self.shift = 0
        self._starts = [0]
        self._shifts = [0]

    def begin(self, number: int) -> int:
        """The delivery that the owner knows as ``number`` begins; returns the id that travels.

        Numbers grow from call to call.
        """
        travels = self.travelled
        self.travelled = travels + 1
        shift = number - travels
        if shift != self.shift:
            self.shift = shift
            self._starts.append(travels)
            self._shifts.append(shift)
            if len(self._starts) > STEPS_MAX:
                del self._starts[0], self._shifts[0]
        return travels

    def known(self, first: int, last: int) -> tuple[int, int] | None:
        """The ids that travelled, ``first`` to ``last``, as the owner knows them.

        Also a range, clipped to what has been sent; None if nothing is left. It covers the ids of
        what was dropped in between, which the owner has forgotten with the link.
        """
        starts, shifts = self._starts, self._shifts
        first = max(first, starts[0])
        last = min(last, self.travelled - 1)
        if first > last:
            return None
        if len(starts) == 1:
            return first + shifts[0], last + shifts[0]
        return (
            first + shifts[bisect_right(starts, first) - 1],
            last + shifts[bisect_right(starts, last) - 1],
        )

    def travelling(self, first: int, last: int) -> tuple[int, int] | None:
        """The ids that the owner knows, ``first`` to ``last``, as they travelled.

        Also a range: what was dropped in between has no place there. None if none was sent.
        """
        low, high = self._place(first), self._place(last + 1) - 1
        return (low, high) if low <= high else None

    def _place(self, number: int) -> int:
        """The id that travelled of the first delivery that is ``number`` or later."""
        begins = [start + shift for start, shift in zip(self._starts, self._shifts, strict=True)]
        index = bisect_right(begins, number) - 1
        if index < 0:
            return self._starts[0]
        end = self._starts[index + 1] if index + 1 < len(begins) else self.travelled
        return min(number - self._shifts[index], end)
