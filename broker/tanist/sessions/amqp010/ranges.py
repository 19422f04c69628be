"""Ranges of command ids against tables of what is outstanding.

A peer names transfers by ranges of 32-bit serial numbers (``session.command-fragments``, a sorted
sequence-set in good manners, anything at all otherwise). The work must be bounded by what *we* have
outstanding, never by the width of the ranges: ``[0-4294967295]`` is a legal way to say "all".
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final, TypeVar

SERIAL_MAX: Final = 0xFFFFFFFF
"""Command ids are 32-bit serial numbers (AMQP 0-10, ``sequence-no``)."""

Runs = list[tuple[int, int]]
"""Ids as ranges ``(first, last)``, both included."""

_T = TypeVar("_T")


def split_wrapped(ranges: Runs) -> Runs:
    """The same ids with every range that wraps past 2^32 - 1 cut in two."""
    for low, high in ranges:
        if low > high:
            break
    else:
        return ranges
    plain: Runs = []
    for low, high in ranges:
        if low <= high:
            plain.append((low, high))
        else:
            plain.append((low, SERIAL_MAX))
            plain.append((0, high))
    return plain


def merged(ranges: Runs) -> Runs:
    """The same ids as sorted ranges that neither overlap nor touch; none may wrap."""
    result: Runs = []
    for low, high in sorted(ranges):
        if result and low <= result[-1][1] + 1:
            if high > result[-1][1]:
                result[-1] = (result[-1][0], high)
        else:
            result.append((low, high))
    return result


def select(table: dict[int, _T], ranges: Runs) -> list[int]:
    """The keys of ``table`` within ``ranges``, each once, oldest first for ordered ranges.

    Costs O(min(ids in the ranges, len(table) * log(number of ranges))).
    """
    ranges = split_wrapped(ranges)
    width = 0
    for low, high in ranges:
        width += high - low + 1
    if width <= 2 * len(table):
        if len(ranges) == 1:
            low, high = ranges[0]
            return [key for key in range(low, high + 1) if key in table]
        ranges = merged(ranges)
        return [key for low, high in ranges for key in range(low, high + 1) if key in table]
    ranges = merged(ranges)
    if len(ranges) == 1:
        low, high = ranges[0]
        return [key for key in table if low <= key <= high]
    lows = [low for low, _ in ranges]
    found: list[int] = []
    for key in table:
        at = bisect_right(lows, key) - 1
        if at >= 0 and key <= ranges[at][1]:
            found.append(key)
    return found
