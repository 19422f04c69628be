"""Which entry of a queue is next, and where entries are kept.

Entries live in segments of 256 neighbouring positions, linked in order, found by number in a dict.
Append, removal anywhere and lookup by position are O(1); a segment goes when its last entry goes,
so that one entry stuck at the front of a busy queue costs one segment, and gaps cost nothing to
skip. An acquired entry keeps its place, so that a release puts it back where it was.

``Fifo`` hands out by position. All available entries before its frontier are in ``_returned``, a
heap of released positions; each entry is passed by the frontier once. The frontier moves only when
the heap is empty, so that the heap is never longer than what lay behind the frontier then. A
further kind of queue (priority, last value) is a subclass with its own index of what is available,
over the same segments.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Final

from tanist.core.records import Entry

SEGMENT_SHIFT: Final = 8
SEGMENT_SIZE: Final = 1 << SEGMENT_SHIFT
SEGMENT_MASK: Final = SEGMENT_SIZE - 1


class Segment:
    """Entries at positions ``number * SEGMENT_SIZE + index``; None where there is none."""

    __slots__ = ("live", "next", "number", "previous", "slots")

    def __init__(self, number: int) -> None:
        self.number = number
        self.slots: list[Entry | None] = []
        self.live = 0
        self.next: Segment | None = None
        self.previous: Segment | None = None


class Fifo:
    """First in, first out, by position."""

    __slots__ = (
        "_filled",
        "_front",
        "_front_index",
        "_head",
        "_heaped",
        "_returned",
        "_segments",
        "_tail",
        "last_position",
    )

    def __init__(self) -> None:
        first = Segment(0)
        self._segments: dict[int, Segment] = {0: first}
        self._head = first
        self._tail = first
        self._front = first
        self._front_index = 0
        self._filled = first
        self._returned: list[int] = []
        self._heaped: set[int] = set()
        self.last_position = 0

    @property
    def segment_count(self) -> int:
        """Segments in memory."""
        return len(self._segments)

    @property
    def returned_count(self) -> int:
        """Released positions remembered, stale ones too."""
        return len(self._returned)

    def push(self, entry: Entry) -> None:
        """Append ``entry``; its position must be above ``last_position``."""
        position = entry.position
        assert position > self.last_position
        self.last_position = position
        tail = self._tail
        if position >> SEGMENT_SHIFT != tail.number:
            tail = self._extend(position >> SEGMENT_SHIFT)
        slots = tail.slots
        index = position & SEGMENT_MASK
        if len(slots) != index:
            slots.extend([None] * (index - len(slots)))
        slots.append(entry)
        tail.live += 1

    def _extend(self, number: int) -> Segment:
        segment = Segment(number)
        tail = self._tail
        segment.previous = tail
        tail.next = segment
        self._tail = segment
        self._segments[number] = segment
        if not tail.live:
            self._drop(tail)
        return segment

    def _drop(self, segment: Segment) -> None:
        """Unlink an empty segment that is not the tail."""
        following = segment.next
        assert following is not None
        previous = segment.previous
        following.previous = previous
        if previous is None:
            self._head = following
        else:
            previous.next = following
        if self._front is segment:
            self._front = following
            self._front_index = 0
        if self._filled is segment:
            self._filled = self._head if previous is None else previous
        del self._segments[segment.number]

    def fill(self, entry: Entry) -> None:
        """Put ``entry`` in at a free position that is not above ``last_position``.

        Cheap in order of position: each search begins where the last one ended.
        """
        position = entry.position
        assert position <= self.last_position
        number = position >> SEGMENT_SHIFT
        segment = self._segments.get(number)
        if segment is None:
            segment = self._squeeze_in(number)
        self._filled = segment
        slots = segment.slots
        index = position & SEGMENT_MASK
        while len(slots) <= index:
            slots.append(None)
        assert slots[index] is None
        slots[index] = entry
        segment.live += 1
        if number < self._front.number:
            self._front = segment
            self._front_index = index
        elif number == self._front.number:
            self._front_index = min(self._front_index, index)

    def _squeeze_in(self, number: int) -> Segment:
        """A new segment at its place between the others; its number may be above the last one's."""
        if number > self._tail.number:
            return self._extend(number)
        segment = Segment(number)
        previous: Segment | None = self._filled
        if number < self._filled.number:
            previous = None
        following = self._head if previous is None else previous.next
        while following is not None and following.number < number:
            previous = following
            following = following.next
        assert following is not None
        segment.previous = previous
        segment.next = following
        following.previous = segment
        if previous is None:
            self._head = segment
        else:
            previous.next = segment
        self._segments[number] = segment
        return segment

    def clear(self) -> None:
        """Forget all entries; ``last_position`` stays."""
        segment: Segment | None = self._head
        while segment is not None:
            following = segment.next
            segment.next = segment.previous = None
            segment.slots = []
            segment.live = 0
            segment = following
        last = Segment(self.last_position >> SEGMENT_SHIFT)
        self._segments = {last.number: last}
        self._head = self._tail = self._front = self._filled = last
        self._front_index = 0
        self._returned = []
        self._heaped = set()

    def at(self, position: int) -> Entry | None:
        """The entry at ``position``, None if there is none (any more)."""
        segment = self._segments.get(position >> SEGMENT_SHIFT)
        if segment is None:
            return None
        index = position & SEGMENT_MASK
        slots = segment.slots
        return slots[index] if index < len(slots) else None

    def remove(self, position: int) -> Entry | None:
        """Take the entry at ``position`` out and return it, None if there is none."""
        segment = self._segments.get(position >> SEGMENT_SHIFT)
        if segment is None:
            return None
        index = position & SEGMENT_MASK
        slots = segment.slots
        if index >= len(slots):
            return None
        entry = slots[index]
        if entry is not None:
            slots[index] = None
            segment.live -= 1
            if not segment.live and segment is not self._tail:
                self._drop(segment)
        return entry

    def peek(self) -> Entry | None:
        """The next available entry, None if there is none. The same again until it is taken."""
        if self._returned:
            entry = self._peek_returned()
            if entry is not None:
                return entry
        segment = self._front
        index = self._front_index
        while True:
            slots = segment.slots
            length = len(slots)
            while index < length:
                entry = slots[index]
                if entry is not None and entry.holder is None:
                    self._front_index = index
                    return entry
                index += 1
            following = segment.next
            if following is None:
                self._front_index = index
                return None
            self._front = segment = following
            index = 0

    def _peek_returned(self) -> Entry | None:
        returned = self._returned
        while returned:
            entry = self.at(returned[0])
            if entry is not None and entry.holder is None:
                return entry
            self._heaped.discard(heappop(returned))
        return None

    def released(self, entry: Entry) -> None:
        """``entry`` became available again."""
        position = entry.position
        frontier = (self._front.number << SEGMENT_SHIFT) + self._front_index
        if position >= frontier or position in self._heaped:
            return
        heappush(self._returned, position)
        self._heaped.add(position)

    def after(self, position: int) -> Entry | None:
        """The first available entry behind ``position``, for browsers."""
        return self._search(position + 1, False)

    def any_after(self, position: int) -> Entry | None:
        """The first entry behind ``position``, acquired or not, for sweeps."""
        return self._search(position + 1, True)

    def _search(self, start: int, held: bool) -> Entry | None:
        number = start >> SEGMENT_SHIFT
        index = start & SEGMENT_MASK
        segment = self._segments.get(number)
        if segment is None:
            segment = self._segment_from(number)
            index = 0
        while segment is not None:
            slots = segment.slots
            length = len(slots)
            while index < length:
                entry = slots[index]
                if entry is not None and (held or entry.holder is None):
                    return entry
                index += 1
            segment = segment.next
            index = 0
        return None

    def segment_behind(self, position: int) -> Segment | None:
        """The segment of the first place behind ``position``, or else the next one there is."""
        number = (position + 1) >> SEGMENT_SHIFT
        segment = self._segments.get(number)
        return self._segment_from(number) if segment is None else segment

    def _segment_from(self, number: int) -> Segment | None:
        """The first segment numbered ``number`` or higher, sought from the end that is nearer."""
        tail = self._tail
        if number > tail.number:
            return None
        segment = self._head
        if number - segment.number > tail.number - number:
            segment = tail
            previous = tail.previous
            while previous is not None and previous.number >= number:
                segment = previous
                previous = previous.previous
            return segment
        while segment.number < number:
            assert segment.next is not None
            segment = segment.next
        return segment

    def some_after(self, position: int, count_max: int) -> list[Entry]:
        """The first ``count_max`` entries behind ``position``, acquired or not (a new list)."""
        found: list[Entry] = []
        number = (position + 1) >> SEGMENT_SHIFT
        index = (position + 1) & SEGMENT_MASK
        segment = self._segments.get(number)
        if segment is None:
            segment = self._segment_from(number)
            index = 0
        while segment is not None and len(found) < count_max:
            found.extend([entry for entry in segment.slots[index:] if entry is not None])
            segment = segment.next
            index = 0
        return found[:count_max]

    def entries(self) -> list[Entry]:
        """All entries by position (a new list)."""
        result: list[Entry] = []
        segment: Segment | None = self._head
        while segment is not None:
            result.extend([entry for entry in segment.slots if entry is not None])
            segment = segment.next
        return result
