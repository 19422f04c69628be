"""What travels between a queue and its copy on another broker: the original's protocol.

The copy's broker subscribes to the queue with ``REPSUB`` among the arguments and says which ids it
has (qpidd-compat 6.3, 6.4). On that subscription come the messages, as they are, and *events*:
messages that have only a routing key and a body.

=============  ==================================================================================
routing key    body (big endian)
=============  ==================================================================================
qpid.ha-id     u32: id of the message that comes next
qpid.ha-de     a set of ids: gone, drop them
qpid.ha-queue  lineage 16, flags u8, behind u64: what the copy is to the queue (see ``Standing``)
=============  ==================================================================================

A set of ids is a u16, its length in octets, and pairs u32 (first, last), both included. It has room
for 8191 ranges.

Between two brokers of ours three things are added, none of which the original would see: the
argument ``LINEAGE_ARGUMENT``; the event ``qpid.ha-queue``, which answers it; and an id is left out
when it follows upon the one before. Directly after an id event comes its message, always, so that a
message whose own routing key looks like that of an event is not taken for one.
"""

from __future__ import annotations

from struct import Struct as Layout
from typing import Final
from uuid import UUID

from tanist.core.follower import IdRanges
from tanist.types import FramingError
from tanist.wire.amqp010.codec import encode_header, make
from tanist.wire.amqp010.transfer import scan_header
from tanist.wire.amqp010.values import Value

REPSUB_ARGUMENT: Final = "qpid.ha-repsub"
REPSUB: Final = "qpid.ha-qrep"
IDS_ARGUMENT: Final = "qpid.ha-ids"
SYNC_ARGUMENT: Final = "qpid.sync_frequency"
LINEAGE_ARGUMENT: Final = "qpid.ha-lineage"
"""Lineage of what the copy has, 16 octets or none. Only brokers of ours say it."""

EVENT_PREFIX: Final = "qpid.ha-"
ID_EVENT: Final = "qpid.ha-id"
GONE_EVENT: Final = "qpid.ha-de"
STANDING_EVENT: Final = "qpid.ha-queue"

ID_MAX: Final = 0xFFFFFFFF
"""Highest id; a queue that came further cannot be copied."""

RANGES_MAX: Final = 8191
"""Ranges in one set: its length has 16 bits."""

SETS_MAX: Final = 13
"""Sets in one snapshot between brokers of ours, one behind the other: a command has 1 MiB."""

SET_BYTES_MAX: Final = SETS_MAX * (2 + 8 * RANGES_MAX)

_SIZE: Final = Layout(">H")
_PAIR: Final = Layout(">II")
_ID: Final = Layout(">I")
_STANDING: Final = Layout(">16sBQ")
_WAITED_FOR: Final = 1

GONE: Final = -1
STANDING: Final = -2
NOTHING: Final = -3
"""What ``Stream.take`` says of a transfer that is no message."""


def encode_ids(ranges: IdRanges) -> bytes:
    """The sets of ``ranges``, as many as they need, one behind the other; one at least."""
    parts: list[bytes] = []
    for at in range(0, max(1, len(ranges)), RANGES_MAX):
        part = ranges[at : at + RANGES_MAX]
        parts.append(_SIZE.pack(_PAIR.size * len(part)))
        parts += [_PAIR.pack(first, last) for first, last in part]
    return b"".join(parts)


def decode_ids(data: bytes) -> IdRanges:
    """The ranges of one or more sets, in their order. Raises: FramingError."""
    if len(data) > SET_BYTES_MAX:
        raise FramingError(f"a set of ids of {len(data)} octets")
    ranges: IdRanges = []
    at = 0
    while at < len(data) or not at:
        if at + 2 > len(data):
            raise FramingError("a set of ids ends within its length")
        size: int = _SIZE.unpack_from(data, at)[0]
        at += 2
        if size % _PAIR.size or at + size > len(data):
            raise FramingError(f"a set of ids of {size} octets, {len(data) - at} are there")
        for first, last in _PAIR.iter_unpack(data[at : at + size]):
            if first > last:
                raise FramingError(f"a set of ids with the range {first} to {last}")
            ranges.append((first, last))
        at += size
    return ranges


class Standing:
    """What a copy is to its queue, as the queue's broker sees it.

    ``waited_for``: producers wait for it, it was sent everything. ``behind``: how many messages
    have still to be sent, at most.
    """

    __slots__ = ("behind", "lineage", "waited_for")

    def __init__(self, lineage: UUID, waited_for: bool, behind: int) -> None:
        self.lineage = lineage
        self.waited_for = waited_for
        self.behind = behind


def event_header(key: str) -> bytes:
    """The header segment of an event."""
    return encode_header([make("message.delivery-properties", routing_key=key)])


def encode_id(number: int) -> bytes:
    """The body of an id event."""
    return _ID.pack(number)


def encode_standing(standing: Standing) -> bytes:
    """The body of a standing event."""
    flags = _WAITED_FOR if standing.waited_for else 0
    return _STANDING.pack(standing.lineage.bytes, flags, standing.behind)


def decode_lineage(value: Value) -> UUID | None:
    """The lineage in an argument; None if it is empty or not one."""
    return UUID(bytes=bytes(value)) if isinstance(value, bytes) and len(value) == 16 else None


class Stream:
    """Reads what comes on one subscription of a copy, in order.

    ``take`` returns the id of a message; or ``GONE``, and then ``gone`` holds the ids; or
    ``STANDING``, and then ``standing`` is the new one; or ``NOTHING``.
    """

    __slots__ = ("_announced", "_next", "gone", "standing")

    def __init__(self) -> None:
        self._announced = False
        self._next = -1
        self.gone: IdRanges = []
        self.standing: Standing | None = None

    def take(self, header: bytes, body: bytes) -> int:
        """What this transfer is. Raises: FramingError."""
        if not self._announced:
            key = scan_header(header).routing_key
            if key.startswith(EVENT_PREFIX):
                return self._event(key, body)
        self._announced = False
        number = self._next
        if number < 0:
            raise FramingError("a message of a copied queue came before its id")
        self._next = number + 1 & ID_MAX
        return number

    def _event(self, key: str, body: bytes) -> int:
        if key == ID_EVENT:
            if len(body) != _ID.size:
                raise FramingError(f"an id event of {len(body)} octets")
            self._next = _ID.unpack(body)[0]
            self._announced = True
            return NOTHING
        if key == GONE_EVENT:
            self.gone = decode_ids(body)
            return GONE
        if key == STANDING_EVENT:
            if len(body) != _STANDING.size:
                raise FramingError(f"a standing event of {len(body)} octets")
            octets, flags, behind = _STANDING.unpack(body)
            self.standing = Standing(UUID(bytes=octets), bool(flags & _WAITED_FOR), behind)
            return STANDING
        return NOTHING
