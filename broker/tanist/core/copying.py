"""Keeping a copy of a queue that lives elsewhere: what its link does to the local queue.

``Copying`` adds to ``Messages`` the commands of a copy's link (qpidd-compat 6.3). Copied messages
go into the queue itself, past all exchanges, and are never refused: the original has them, and
judged its own limits. Everything here is recorded, so that the backups of this broker know what
came, and whoever is promoted can go on (``source``).
"""

from __future__ import annotations

from uuid import UUID

from tanist.core.message import Message
from tanist.core.messages import Messages
from tanist.core.queue import Queue
from tanist.core.records import Copied, SourceSet
from tanist.core.source import Source


class Copying(Messages):
    """Messages that come from another broker's queue."""

    __slots__ = ()

    def set_source(self, queue: Queue, url: str, lineage: UUID | None) -> Source:
        """``queue`` is a copy of its namesake at ``url`` ("": copying ends).

        With the ``lineage`` that it had, or if it had none, the ids of what came are kept.
        """
        self._set_source(queue, url, lineage)
        if queue.number:
            self.journal.append(SourceSet(queue.name, queue.number, url, lineage))
        source = queue.source
        assert source is not None
        return source

    def copy_in(self, queue: Queue, number: int, message: Message) -> bool:
        """Put in the message that has id ``number`` in the original; False if it came before.

        Call ``note_copied`` before the step ends.
        """
        source = queue.source
        assert source is not None
        if source.copies.has(number):
            return False
        victims = queue.policy.make_room(queue, message, True)
        if victims:
            self.dequeue(victims)
        self._push(queue, message)
        position = queue.last_position
        source.copies.add(number, position)
        if queue.journaled:
            came = source.came
            if came:
                first, at, count = came[-1]
                if first + count == number and at + count == position:
                    came[-1] = (first, at, count + 1)
                    return True
            came.append((number, position, 1))
        return True

    def copy_out(self, queue: Queue, first: int, last: int) -> int:
        """The ids from ``first`` to ``last`` are gone in the original: drop what is here of them.

        Messages that local clients hold go, too. Return how many messages went.
        """
        source = queue.source
        assert source is not None
        taken = source.copies.take(first, last)
        if taken and queue.journaled:
            if source.came:
                self.note_copied(queue)  # the order of coming and going matters
            source.went.append((first, last))
        positions = [
            at
            for _, position, count in taken
            for at in range(position, position + count)
            if queue.at(at) is not None
        ]
        self._remove(queue, positions)
        return len(positions)

    def forget_copies(self, queue: Queue) -> None:
        """Nobody knows any more what the ids mean; the messages stay."""
        source = queue.source
        assert source is not None
        source.came = []
        source.went = []
        ids = source.copies.ranges()
        if ids:
            source.copies.take(ids[0][0], ids[-1][1])
            if queue.journaled:
                source.went.append((ids[0][0], ids[-1][1]))
                self.note_copied(queue)

    def note_copied(self, queue: Queue) -> None:
        """Record which ids came and went in this step."""
        source = queue.source
        if source is not None and (source.came or source.went) and not queue.deleted:
            record = Copied(queue.name, queue.number, source.came, source.went)
            source.came = []
            source.went = []
            self.journal.append(record)
