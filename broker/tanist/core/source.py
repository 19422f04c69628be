"""What a queue is a copy of, and under which ids it has the messages of the original.

A *copied* message has an id, its position in the original queue, and a position here. Local clients
may publish and consume, too, so that the two differ. Ids and positions mostly run side by side, so
they are kept as runs: a million messages that came in order are one run.

An id stays when a local client has consumed the message: it came, and must not come again. It goes
when the original says that the message is gone there.
"""

from __future__ import annotations

from bisect import bisect_left
from uuid import UUID

Run = tuple[int, int, int]
"""First id, first position, how many."""


class Copies:
    """Ids and their positions. Runs in ascending order of id, apart."""

    __slots__ = ("_firsts", "_lasts", "_offsets")

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        self._offsets: list[int] = []

    def __len__(self) -> int:
        """How many runs there are."""
        return len(self._firsts)

    def has(self, number: int) -> bool:
        """Whether the message with this id came."""
        index = bisect_left(self._lasts, number)
        return index < len(self._firsts) and self._firsts[index] <= number

    def add(self, first: int, position: int, count: int = 1) -> None:
        """Messages ``first`` and the next, ``count`` in all, came; the first is at ``position``.

        Those that are here already stay as they are.
        """
        last = first + count - 1
        offset = position - first
        at = first
        while at <= last:
            index = bisect_left(self._lasts, at)
            end = last
            if index < len(self._lasts):
                if self._firsts[index] <= at:
                    at = self._lasts[index] + 1
                    continue
                end = min(last, self._firsts[index] - 1)
            self._put(index, at, end, offset)
            at = end + 1

    def _put(self, index: int, first: int, last: int, offset: int) -> None:
        """A run before run ``index``, or a longer run ``index - 1``."""
        before = index - 1
        if index and self._lasts[before] == first - 1 and self._offsets[before] == offset:
            self._lasts[before] = last
        else:
            self._firsts.insert(index, first)
            self._lasts.insert(index, last)
            self._offsets.insert(index, offset)

    def take(self, first: int, last: int) -> list[Run]:
        """Forget the ids from ``first`` to ``last``; return those that were here.

        The cost depends on what is here, not on how far the two are apart.
        """
        firsts, lasts, offsets = self._firsts, self._lasts, self._offsets
        begin = index = bisect_left(lasts, first)
        taken: list[Run] = []
        rest: list[tuple[int, int, int]] = []
        while index < len(firsts) and firsts[index] <= last:
            low, high, offset = firsts[index], lasts[index], offsets[index]
            start, end = max(low, first), min(high, last)
            taken.append((start, start + offset, end - start + 1))
            if low < start:
                rest.append((low, start - 1, offset))
            if end < high:
                rest.append((end + 1, high, offset))
            index += 1
        firsts[begin:index] = [low for low, _, _ in rest]
        lasts[begin:index] = [high for _, high, _ in rest]
        offsets[begin:index] = [offset for _, _, offset in rest]
        return taken

    def ranges(self) -> list[tuple[int, int]]:
        """The ids as ranges (first, last), ascending; runs that touch are one range."""
        found: list[tuple[int, int]] = []
        for first, last in zip(self._firsts, self._lasts, strict=True):
            if found and found[-1][1] == first - 1:
                found[-1] = (found[-1][0], last)
            else:
                found.append((first, last))
        return found

    def runs(self) -> list[Run]:
        """All there is (a new list)."""
        return [
            (first, first + offset, last - first + 1)
            for first, last, offset in zip(self._firsts, self._lasts, self._offsets, strict=True)
        ]


class Source:
    """The queue of the same name at ``url`` is the original; "" = copying has ended.

    ``last_url``: where it was then. ``lineage``: names the numbering that the ids belong to, None
    while unknown. ``peer``: the broker that feeds the copy, None while unknown. ``came``, ``went``:
    what changed in ``copies`` and is not in the journal yet.
    """

    __slots__ = ("came", "copies", "last_url", "lineage", "peer", "url", "went")

    def __init__(self, url: str, lineage: UUID | None) -> None:
        self.url = url
        self.last_url = url
        self.lineage = lineage
        self.peer: UUID | None = None
        self.copies = Copies()
        self.came: list[Run] = []
        self.went: list[tuple[int, int]] = []

    @property
    def active(self) -> bool:
        """Whether the queue is being copied."""
        return self.url != ""
