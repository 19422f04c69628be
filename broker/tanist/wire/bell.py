"""Which connections have something to write: they ring, so that nobody asks all of them.

A node with a thousand connections steps for one of them; the others must cost nothing. Its
connections share one line of numbers. A connection puts its number there with the first octets
that wait, and not again before they were taken (``Output.quiet`` of either protocol).
"""

from __future__ import annotations


class Bell:
    """Of connection ``number``. ``line``: where the numbers of those who rang are put, in order."""

    __slots__ = ("line", "number")

    def __init__(self, line: list[int], number: int) -> None:
        self.line = line
        self.number = number

    def ring(self) -> None:
        """There is something to write."""
        self.line.append(self.number)
