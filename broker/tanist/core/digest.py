"""The digest of what is on a queue, by which replicas of it are compared.

Equal queues have equal digests, in any process, compiled or interpreted. What goes in, of each
entry in order: its position, and all that a record of it carries but the times; a broker keeps
those by its own clock, and what is read back differs by a millisecond. It is made of the octets
(SHA-256), in pieces, because a step must be short; between two pieces a queue may change. Entries
behind the last one that there was at the beginning came later and are not looked at, so that it
ends.
"""

from __future__ import annotations

from hashlib import sha256
from struct import Struct as Layout
from typing import Final

from tanist.core.message import AMQP_1_0
from tanist.core.queue import Queue
from tanist.core.records import Entry

PIECE_MESSAGES: Final = 1024
"""Entries looked at in one piece, an empty queue counting as one: about a millisecond."""

PIECE_BYTES: Final = 512 * 1024
"""Bytes of bodies in one piece: about two milliseconds. Of a longer body it is a part."""

DIGITS: Final = 16
"""Hexadecimal digits of a digest: 64 bits tell apart what was not made to look alike."""

# position, flags, priority, lengths of exchange, routing key, header, body
_ENTRY: Final = Layout(">QBBIIII")

_DURABLE: Final = 1
_REDELIVERED: Final = 2
_BODILESS: Final = 4
_AMQP_1_0: Final = 8


class Digest:
    """What a queue had: ``messages``, how many; ``digest``, hexadecimal digits."""

    __slots__ = ("digest", "messages")

    def __init__(self, messages: int, digest: str) -> None:
        self.messages = messages
        self.digest = digest


class Digests:
    """Makes the digests of ``queues``, one after the other: ``go_on`` until it says True.

    ``found``: by name, those that are whole. A queue that is deleted meanwhile has none.
    """

    __slots__ = (
        "_body",
        "_bytes_left",
        "_hash",
        "_hashed",
        "_last",
        "_left",
        "_messages",
        "_position",
        "_queues",
        "_turn",
        "found",
    )

    def __init__(self, queues: list[Queue]) -> None:
        self._queues = queues
        self._turn = 0
        self._left = 0
        self._bytes_left = 0
        self.found: dict[str, Digest] = {}
        self._begin()

    def go_on(self) -> bool:
        """Do one piece. Returns True when there is no more to do; else call again soon."""
        self._left = PIECE_MESSAGES
        self._bytes_left = PIECE_BYTES
        while self._turn < len(self._queues) and self._left > 0 and self._bytes_left > 0:
            queue = self._queues[self._turn]
            if not self._go_on_with(queue):
                continue
            if not queue.deleted:
                digest = self._hash.hexdigest()[:DIGITS]
                self.found[queue.name] = Digest(self._messages, digest)
            self._left -= 1
            self._turn += 1
            self._begin()
        return self._turn >= len(self._queues)

    def _begin(self) -> None:
        """Nothing of the queue whose turn it is has been looked at."""
        self._hash = sha256()
        self._position = 0
        self._messages = 0
        self._body = b""
        self._hashed = 0
        more = self._turn < len(self._queues)
        self._last = self._queues[self._turn].last_position if more else 0

    def _go_on_with(self, queue: Queue) -> bool:
        """Look at as much of ``queue`` as the piece has room for. Returns whether that was all."""
        if not self._go_on_with_body():
            return False
        wanted = self._left
        entries = queue.ordering.some_after(self._position, wanted)
        for entry in entries:
            if entry.position > self._last:
                return True
            self._add(entry)
            if self._bytes_left <= 0:
                return False
        return len(entries) < wanted

    def _add(self, entry: Entry) -> None:
        message = entry.message
        flags = _DURABLE if message.durable else 0
        if message.redelivered:
            flags |= _REDELIVERED
        if message.bodiless:
            flags |= _BODILESS
        if message.form == AMQP_1_0:
            flags |= _AMQP_1_0
        exchange = message.exchange.encode()
        routing_key = message.routing_key.encode()
        header = message.header
        body = message.body
        fixed = _ENTRY.pack(
            entry.position,
            flags,
            message.priority,
            len(exchange),
            len(routing_key),
            len(header),
            len(body),
        )
        self._hash.update(fixed + exchange + routing_key + header)
        self._position = entry.position
        self._messages += 1
        self._left -= 1
        self._body = body
        self._hashed = 0
        self._go_on_with_body()

    def _go_on_with_body(self) -> bool:
        """Hash what is left of a body, or as much as there is room for. Returns whether all is."""
        end = self._hashed + self._bytes_left
        if not self._hashed and len(self._body) <= end:
            part = self._body
        else:
            part = self._body[self._hashed : end]
        self._hash.update(part)
        self._hashed += len(part)
        self._bytes_left -= len(part)
        if self._hashed < len(self._body):
            return False
        self._body = b""
        self._hashed = 0
        return True
