"""Messages that wait for their time: none is delivered before ``Message.available_at``.

A message that comes too early keeps its place on the queue and is held there, as if somebody had
acquired it (``Entry.holder`` is ``DELAYED``): nobody gets it, browsers do not see it, a purge drops
it, and it counts as depth. When its time has come it is available like everything else, at its
place. A replica does the same by its own clock; nothing of it is a record, so that after a
promotion each message still comes when it is due.

Whose time to live ends before that is let go then, to expire.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Final

from tanist.core.message import NEVER
from tanist.core.records import DELAYED, Entry

DUE_MAX: Final = 8192
"""Messages that become available in one step: others wait for the step."""

LOST_MIN: Final = 1024
"""So many entries that are gone may be remembered, or as many as are not gone."""


class Delays:
    """The delayed entries of all queues of a broker. ``deadline``: when the first is due, monotonic
    seconds, ``NEVER`` = none is delayed."""

    __slots__ = ("_heap", "_lost", "_number", "deadline")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Entry]] = []
        self._number = 0
        self._lost = 0
        self.deadline = NEVER

    @property
    def count(self) -> int:
        """Entries remembered, some of which may be gone from their queues."""
        return len(self._heap)

    def hold(self, entry: Entry) -> None:
        """Keep ``entry``, which was put on its queue just now, until it is due."""
        message = entry.message
        entry.holder = DELAYED
        entry.queue.delayed += 1
        self._number += 1  # entries cannot be compared
        due = min(message.available_at, message.expires_at)
        heappush(self._heap, (due, self._number, entry))
        self.deadline = self._heap[0][0]

    def take_due(self, now: float) -> list[Entry]:
        """Entries whose time has come, ``DUE_MAX`` at most. They are held no more.

        The caller tells their queues. More may be due: see ``deadline``.
        """
        heap = self._heap
        due: list[Entry] = []
        while heap and heap[0][0] <= now and len(due) < DUE_MAX:
            entry = heappop(heap)[2]
            if _waits(entry):
                entry.holder = None
                entry.queue.delayed -= 1
                due.append(entry)
            else:
                self._lost -= 1
        self.deadline = heap[0][0] if heap else NEVER
        return due

    def lose(self, count: int) -> None:
        """So many of the entries that wait have left their queues, or lost them."""
        self._lost += count
        if self._lost > max(LOST_MIN, len(self._heap) // 2):
            self._lost = 0
            self._heap = [one for one in self._heap if _waits(one[2])]
            heapify(self._heap)
            self.deadline = self._heap[0][0] if self._heap else NEVER


def _waits(entry: Entry) -> bool:
    return entry.holder is DELAYED and not entry.queue.deleted
