"""Serial numbers: 32 bits on the wire, plain growing integers inside.

The commands of AMQP 0-10 and the transfers and deliveries of AMQP 1.0 have serial numbers
(specification 0-10, "session"; 1.0, 2.8.10 "sequence-no": RFC 1982 arithmetic modulo 2^32). Inside
a session they are kept *unwrapped*: ordinary integers whose low 32 bits are the wire id.
``unwrap`` finds the integer nearest to a reference that has these low bits; after that, order,
differences and sets are ordinary arithmetic, and no comparison needs to remember that ids wrap.

``Ranges`` is a set of such integers as sorted, disjoint, non-adjacent ranges. Extending the last
range, which is what nearly every call does, is O(1); everything else is a binary search and a
splice. A range costs the same whether it holds one id or two billion, so the largest set a peer
can write (CVE-2015-0203, CVE-2015-0224) is no more work than the smallest.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

WIRE_MASK: Final = 0xFFFFFFFF
"""The bits of an id that travel."""

HALF: Final = 0x80000000
"""Serial numbers further apart than this have no order (RFC 1982)."""


def unwrap(wire: int, near: int) -> int:
    """The integer nearest to ``near`` whose low 32 bits are ``wire``."""
    return near + ((wire - near + HALF) & WIRE_MASK) - HALF


class Ranges:
    """A set of unwrapped ids. ``firsts[i] <= lasts[i] < firsts[i + 1] - 1``.

    The two lists are open to the session machine, which extends ``lasts[-1]`` in place.
    """

    __slots__ = ("firsts", "lasts")

    def __init__(self) -> None:
        self.firsts: list[int] = []
        self.lasts: list[int] = []

    def __len__(self) -> int:
        return len(self.firsts)

    def pairs(self) -> list[tuple[int, int]]:
        """The ranges, ascending, as (first, last)."""
        return list(zip(self.firsts, self.lasts, strict=True))

    def index(self, number: int) -> int:
        """The index of the first range that ends at or after ``number`` (or ``len``)."""
        return bisect_left(self.lasts, number)

    def contains(self, number: int) -> bool:
        """Whether ``number`` is in the set."""
        index = bisect_left(self.lasts, number)
        return index < len(self.firsts) and self.firsts[index] <= number

    def add(self, first: int, last: int) -> list[tuple[int, int]]:
        """Add ``first`` to ``last``, both included; returns the parts that were not there."""
        assert first <= last, "a range runs upwards"
        firsts, lasts = self.firsts, self.lasts
        if not lasts or first > lasts[-1] + 1:
            firsts.append(first)
            lasts.append(last)
            return [(first, last)]
        if first >= firsts[-1]:
            # It touches the last range only; a peer that names everything it ever completed.
            end = lasts[-1]
            if last <= end:
                return []
            lasts[-1] = last
            return [(end + 1, last)]
        low = bisect_left(lasts, first - 1)
        high = low
        fresh: list[tuple[int, int]] = []
        cursor = first
        while high < len(firsts) and firsts[high] <= last + 1:
            if cursor < firsts[high] and cursor <= last:
                fresh.append((cursor, min(firsts[high] - 1, last)))
            cursor = max(cursor, lasts[high] + 1)
            high += 1
        if cursor <= last:
            fresh.append((cursor, last))
        if high > low:
            first = min(first, firsts[low])
            last = max(last, lasts[high - 1])
        firsts[low:high] = [first]
        lasts[low:high] = [last]
        return fresh

    def forget_below(self, number: int) -> None:
        """Drop everything below ``number``."""
        index = bisect_left(self.lasts, number)
        del self.firsts[:index]
        del self.lasts[:index]
        if self.firsts and self.firsts[0] < number:
            self.firsts[0] = number
