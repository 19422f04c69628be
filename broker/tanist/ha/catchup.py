"""Catching up: everything that a primary has, for one backup, while the primary serves on.

First the configuration as it is at one index, in one piece; then the old messages, queue by queue
in the order of their positions, *mixed with the batches of what happens meanwhile*. A chunk of old
messages holds what is on the queues at the moment when it is made, and it is made only when the
whole log has been sent to that backup. So both kinds commute: what is dequeued later comes as a
dequeue behind its chunk; what was dequeued before is in no chunk, and its dequeue finds nothing;
what is enqueued meanwhile is in the batches only, because chunks stop at the position where each
queue stood at the beginning.

Nothing is copied in advance: the cursor is a queue number and a position, which is also where a
backup that lost its link goes on. A primary that serves never waits for any of this.
"""

from __future__ import annotations

from typing import Final

from tanist.core.broker import Broker
from tanist.core.records import Entry, Record
from tanist.ha.codec import RecordWriter
from tanist.ha.messages import FillHead, fill_head, snapshot_head

CHUNK_RECORDS: Final = 500
"""Records in a chunk: some 100 KB of small messages, a few milliseconds of work."""

CHUNK_BYTES: Final = 256 * 1024
"""A chunk ends here even if it has fewer records: large messages must not pile up."""


class CatchUp:
    """How far one backup has been brought.

    ``configured``: all configuration was handed out. ``whole``: all old messages, too. ``done`` of
    ``total`` messages; ``total`` is what was there at the beginning, less may come.
    """

    __slots__ = (
        "_at",
        "_position",
        "_queues",
        "_records",
        "_turn",
        "configured",
        "done",
        "total",
        "whole",
    )

    def __init__(self, broker: Broker, queue: int = -1, position: int = 0) -> None:
        """From the beginning, or (``queue`` not negative) going on behind that place."""
        self.configured = queue >= 0
        self.whole = False
        self._records: list[Record] = [] if self.configured else broker.configuration()
        self._at = 0
        queues = [q for q in broker.queues_by_number.values() if q.journaled and q.number >= queue]
        self._queues = sorted((q.number, q.last_position) for q in queues)
        self._turn = 0
        going_on = bool(self._queues) and self._queues[0][0] == queue
        self._position = position if going_on else 0
        self.done = 0
        self.total = sum(q.count for q in queues)

    def next_configuration(self, writer: RecordWriter) -> bytes:
        """The next chunk of configuration; sets ``configured`` with the last one."""
        body, count = writer.encode_some(self._records, self._at, CHUNK_RECORDS, CHUNK_BYTES)
        self._at += count
        self.configured = self._at >= len(self._records)
        if self.configured:
            self._records = []
        return snapshot_head(self.configured, count) + body

    def next_messages(self, broker: Broker, writer: RecordWriter, state_at: int) -> bytes:
        """The next chunk of old messages; sets ``whole`` with the last one.

        ``state_at`` is the index of the log now; all of it must have been sent to the backup.
        """
        entries = self._gather(broker)
        ended = self._turn >= len(self._queues)
        body, count = writer.encode_some(entries, 0, CHUNK_RECORDS, CHUNK_BYTES)
        if count < len(entries):
            self._go_back_to(entries[count - 1])
            ended = False
        self.done += count
        self.total = max(self.total, self.done)
        self.whole = ended
        number = self._queues[self._turn][0] if not ended else 0
        head = FillHead(ended, state_at, number, self._position, self.done, self.total, count)
        return fill_head(head) + body

    def _gather(self, broker: Broker) -> list[Record]:
        """Old messages behind the cursor, a chunk at most; moves the cursor behind them."""
        found: list[Record] = []
        while self._turn < len(self._queues) and len(found) < CHUNK_RECORDS:
            number, bound = self._queues[self._turn]
            queue = broker.queues_by_number.get(number)
            more: list[Entry] = []
            if queue is not None:
                more = queue.ordering.some_after(self._position, CHUNK_RECORDS - len(found))
                while more and more[-1].position > bound:
                    more.pop()
            if more:
                found.extend(more)
                self._position = more[-1].position
            else:
                self._turn += 1
                self._position = 0
        return found

    def _go_back_to(self, last: Record) -> None:
        assert isinstance(last, Entry)
        self._turn = min(self._turn, len(self._queues) - 1)
        while self._queues[self._turn][0] != last.queue.number:
            self._turn -= 1
        self._position = last.position
