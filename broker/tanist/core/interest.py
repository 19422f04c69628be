"""Which entries a subscription wants, and how it finds them on a queue where others lie between.

A subscription without an ``Interest`` wants everything; nothing here concerns it. One that has an
interest has a ``Search``: a cursor of its own, so that each entry is tested once, however many that
it did not want lie in front. Behind the cursor only that is looked at again which became available
again: the queue keeps the positions in the order of their return, each search has read so many
of them, and what it wants of those goes into a heap that is served before the cursor moves on.

All of it is bounded: a search makes as many *looks* as it is given and goes on there next time.
Memory: what returned is a list of ``RETURNED_MAX`` at most. When its older half is dropped, a
search that has not read that (its consumer took nothing for long) looks again from the lowest
position that it missed.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Final

from mypy_extensions import mypyc_attr

from tanist.core.ordering import SEGMENT_MASK, SEGMENT_SHIFT, Fifo
from tanist.core.records import Entry

RETURNED_MAX: Final = 4096
"""Positions of released entries that a queue remembers for its searches: some ten prefetches."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Interest:
    """Which entries a subscription wants; implemented by the sessions layer."""

    __slots__ = ()

    def wants(self, entry: Entry) -> bool:
        """Whether ``entry``, which is available, may be delivered to the subscription.

        Asked once, before the entry is delivered, and again whenever somebody held it in between.
        So the answer may depend on the entry, its delivery count included, and on what became of
        earlier deliveries of it; whoever wants more for another reason calls
        ``Broker.set_interest``. Must not raise, and must not change anything of the broker.
        """
        raise NotImplementedError


class Search:
    """Finds what ``interest`` wants, in order of position.

    ``cursor``: everything up to this position has been looked at. ``looks``: how many entries (or
    segments without any) may still be looked at; set it before ``look``. ``expired``: positions
    that it came upon and whose time is over, for the caller to remove. ``again``: what was released
    is looked at again; a browser sees each entry once and does not.
    """

    __slots__ = ("_known", "_read", "_wanted", "again", "cursor", "expired", "interest", "looks")

    def __init__(self, interest: Interest, again: bool, cursor: int, read: int) -> None:
        """Begin behind ``cursor``; the first ``read`` returned positions do not matter to it."""
        self.interest = interest
        self.again = again
        self.cursor = cursor
        self.looks = 0
        self.expired: list[int] = []
        self._read = read
        self._wanted: list[int] = []
        self._known: set[int] = set()

    def look(self, ordering: Fifo, returned: list[int], now: float) -> Entry | None:
        """The first available entry that is wanted. The same again until ``take``.

        None with ``looks`` left: there is none. None without: ask again with more looks.
        """
        if self.again and self._read < len(returned):
            self._read_returned(ordering, returned)
            if self._read < len(returned):
                return None
        entry = self.candidate(ordering, now)
        return self._walk(ordering, now) if entry is None else entry

    def take(self) -> None:
        """What ``look`` found was delivered."""
        self._known.discard(heappop(self._wanted))

    def owes(self, returned: list[int]) -> bool:
        """Whether it has not looked yet at something that was released."""
        return self.again and self._read < len(returned)

    def candidate(self, ordering: Fifo, now: float) -> Entry | None:
        """The first of the entries that it knows to be wanted and that are still available."""
        wanted = self._wanted
        while wanted:
            position = wanted[0]
            entry = ordering.at(position)
            if entry is not None and entry.holder is None:
                if entry.message.expires_at > now:
                    return entry
                self.expired.append(position)
            self._known.discard(heappop(wanted))
        return None

    def forget(self, returned: list[int], count: int) -> None:
        """The first ``count`` of ``returned`` go: look again at what it did not read of them."""
        unread = returned[self._read : count]
        self._read = max(self._read - count, 0)
        low = min(unread, default=self.cursor + 1)
        if low <= self.cursor:
            if self._wanted:
                low = min(low, self._wanted[0])
            self.cursor = low - 1
            self._wanted = []
            self._known = set()

    def _read_returned(self, ordering: Fifo, returned: list[int]) -> None:
        """Look at what was released behind the cursor."""
        read = self._read
        count = min(self.looks, len(returned) - read)
        self.looks -= count
        self._read = read + count
        for position in returned[read : read + count]:
            if position > self.cursor:
                continue
            entry = ordering.at(position)
            if entry is None or entry.holder is not None:
                continue
            wanted = self.interest.wants(entry)
            if position not in self._known:
                if wanted:
                    self._known.add(position)
                    heappush(self._wanted, position)
            elif not wanted:  # somebody had it meanwhile, and it is not what it was
                self._known.discard(position)
                self._wanted.remove(position)
                heapify(self._wanted)

    def _walk(self, ordering: Fifo, now: float) -> Entry | None:
        """Move the cursor on to the next entry that is wanted."""
        interest = self.interest
        looks = self.looks
        cursor = self.cursor
        found: Entry | None = None
        while looks > 0 and found is None:
            segment = ordering.segment_behind(cursor)
            if segment is None:
                cursor = ordering.last_position
                break
            start = segment.number << SEGMENT_SHIFT
            slots = segment.slots
            length = len(slots)
            index = max(cursor + 1 - start, 0)
            while index < length and looks > 0:
                entry = slots[index]
                index += 1
                if entry is None or entry.holder is not None:
                    continue
                looks -= 1
                if entry.message.expires_at <= now:
                    self.expired.append(entry.position)
                elif interest.wants(entry):
                    found = entry
                    break
            cursor = start + index - 1
            if found is None and index >= length:
                if segment.next is None:
                    cursor = ordering.last_position
                    break
                cursor = start | SEGMENT_MASK
                looks = max(looks - 1, 0)
        self.looks = looks
        self.cursor = cursor
        if found is not None:
            self._known.add(cursor)
            heappush(self._wanted, cursor)
        return found
