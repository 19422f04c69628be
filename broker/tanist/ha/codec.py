"""Records as octets: ``RecordWriter`` on the primary, ``RecordReader`` on its backups.

A record is one octet of kind and a body (big endian). Enqueued content travels as the octets that
the producer sent; only configuration, which is rare, is a map. A second copy of one message (a
fanout) is a record without content. Dequeues are ranges of positions. The kinds are numbered below;
numbers are never used again. Where records stand in the messages of a link: see ``messages``.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct as Layout
from struct import error as LayoutError
from typing import Final, cast
from uuid import UUID

from mypy_extensions import mypyc_attr

from tanist.core.broker import Broker
from tanist.core.message import AMQP_0_10, AMQP_1_0, Message
from tanist.core.queue import Queue
from tanist.core.records import (
    Amended,
    Bound,
    Copied,
    Dequeued,
    Entry,
    ExchangeDeclared,
    ExchangeDeleted,
    QueueDeclared,
    QueueDeleted,
    QueueUsed,
    Record,
    SourceSet,
    Unbound,
)
from tanist.types import BrokerError, FramingError
from tanist.wire.amqp010.codec import decode_map, encode_map
from tanist.wire.amqp010.values import Value

RECORD_ENQUEUE: Final = 1
RECORD_ENQUEUE_SAME: Final = 2
RECORD_DEQUEUE: Final = 3
RECORD_QUEUE: Final = 4
RECORD_QUEUE_GONE: Final = 5
RECORD_EXCHANGE: Final = 6
RECORD_EXCHANGE_GONE: Final = 7
RECORD_BIND: Final = 8
RECORD_UNBIND: Final = 9
RECORD_QUEUE_USED: Final = 10
RECORD_SOURCE: Final = 11
RECORD_COPIED: Final = 12
RECORD_AMEND: Final = 13

# kind, queue number, position, expiry (Unix ms, 0 never), flags, priority, address, header, body
_ENQUEUE: Final = Layout(">BIQQBBHII")
_ENQUEUE_SAME: Final = Layout(">BIQ")
_DEQUEUE: Final = Layout(">BII")
_DUE: Final = Layout(">Q")
_RANGE: Final = Layout(">QQ")
_RUN: Final = Layout(">QQQ")
_CONFIGURATION: Final = Layout(">BI")

_DURABLE: Final = 1
_REDELIVERED: Final = 2
_BODILESS: Final = 4
_AMQP_1_0: Final = 8
_DELAYED: Final = 16
"""Behind the fixed fields stands when it is due (Unix ms)."""
_NEVER: Final = float("inf")
_CACHE_MAX: Final = 4096
"""Entries of an address cache; beyond it the cache starts afresh, so names cannot fill memory."""


def position_ranges(positions: list[int]) -> list[tuple[int, int]]:
    """Runs ``(first, last)`` of positions: ascending, apart, each position once."""
    ranges: list[tuple[int, int]] = []
    if not positions:
        return ranges
    first = last = positions[0]
    for position in positions[1:]:
        if position <= last:
            return position_ranges(sorted(set(positions)))
        if position > last + 1:
            ranges.append((first, last))
            first = position
        last = position
    ranges.append((first, last))
    return ranges


@mypyc_attr(allow_interpreted_subclasses=True)
class RecordWriter:
    """Turns records into octets; one per node, because expiry travels as Unix time.

    ``wall_offset_s`` is Unix time minus the node's monotonic time.
    """

    def __init__(self, wall_offset_s: float = 0.0) -> None:
        self.wall_offset_s = wall_offset_s
        self._addresses: dict[str, dict[str, bytes]] = {}
        self._cached = 0
        self._last: Message | None = None

    def encode(self, records: Sequence[Record], head: bytes = b"") -> bytes:
        """``head`` and all ``records`` behind it."""
        parts = [head]
        self._last = None
        for record in records:
            if isinstance(record, Entry):
                self._enqueue(parts, record)
            else:
                self._record(parts, record)
        self._last = None
        return b"".join(parts)

    def encode_some(
        self, records: Sequence[Record], start: int, count_max: int, bytes_max: int
    ) -> tuple[bytes, int]:
        """Records from ``start`` within these limits (one at least); also says how many it took."""
        parts: list[bytes] = []
        self._last = None
        size = count = 0
        for record in records[start : start + count_max]:
            count += 1
            if isinstance(record, Entry):
                size += record.message.size
            self._record(parts, record)
            if size >= bytes_max:
                break
        self._last = None
        return b"".join(parts), count

    def _record(self, parts: list[bytes], record: Record) -> None:
        if isinstance(record, Entry):
            self._enqueue(parts, record)
        elif isinstance(record, Amended):
            amended = Entry(record.message, record.queue, record.position)
            self._enqueue(parts, amended, RECORD_AMEND)
        elif isinstance(record, Dequeued):
            ranges = position_ranges(record.positions)
            parts.append(_DEQUEUE.pack(RECORD_DEQUEUE, record.queue.number, len(ranges)))
            for first, last in ranges:
                parts.append(_RANGE.pack(first, last))
        else:
            kind, fields = _configuration(record)
            body = encode_map(fields)
            parts.append(_CONFIGURATION.pack(kind, len(body)))
            parts.append(body)

    def _enqueue(self, parts: list[bytes], entry: Entry, kind: int = RECORD_ENQUEUE) -> None:
        message = entry.message
        if message is self._last and kind == RECORD_ENQUEUE:
            parts.append(
                _ENQUEUE_SAME.pack(RECORD_ENQUEUE_SAME, entry.queue.number, entry.position)
            )
            return
        self._last = message
        expiry = 0
        if message.expires_at != _NEVER:
            expiry = max(1, int((message.expires_at + self.wall_offset_s) * 1000))
        address = self._address(message.exchange, message.routing_key)
        header = message.header
        body = message.body
        flags = _DURABLE if message.durable else 0
        if message.redelivered:
            flags |= _REDELIVERED
        if message.bodiless:
            flags |= _BODILESS
        if message.form == AMQP_1_0:
            flags |= _AMQP_1_0
        if message.available_at:
            flags |= _DELAYED
        parts.append(
            _ENQUEUE.pack(
                kind,
                entry.queue.number,
                entry.position,
                expiry,
                flags,
                message.priority,
                len(address),
                len(header),
                len(body),
            )
        )
        if flags & _DELAYED:
            parts.append(_DUE.pack(round((message.available_at + self.wall_offset_s) * 1000)))
        parts.append(address)
        parts.append(header)
        parts.append(body)

    def _address(self, exchange: str, routing_key: str) -> bytes:
        keys = self._addresses.get(exchange)
        if keys is None:
            keys = self._addresses[exchange] = {}
        found = keys.get(routing_key)
        if found is None:
            name = exchange.encode()
            found = bytes((len(name),)) + name + routing_key.encode()
            self._cached += 1
            if self._cached > _CACHE_MAX:
                self._addresses = {}
                self._cached = 0
            else:
                keys[routing_key] = found
        return found


def _configuration(record: Record) -> tuple[int, dict[str, Value]]:
    if isinstance(record, QueueDeclared):
        return RECORD_QUEUE, {
            "name": record.name,
            "number": record.number,
            "durable": record.durable,
            "exclusive": record.exclusive,
            "auto-delete": record.auto_delete,
            "alternate": record.alternate_exchange,
            "arguments": cast(dict[str, Value], record.arguments),
        }
    if isinstance(record, QueueDeleted):
        return RECORD_QUEUE_GONE, {"name": record.name, "number": record.number}
    if isinstance(record, QueueUsed):
        return RECORD_QUEUE_USED, {"name": record.name, "number": record.number}
    if isinstance(record, ExchangeDeclared):
        return RECORD_EXCHANGE, {
            "name": record.name,
            "type": record.type,
            "durable": record.durable,
            "alternate": record.alternate_exchange,
            "arguments": cast(dict[str, Value], record.arguments),
            "auto-delete": record.auto_delete,
        }
    if isinstance(record, ExchangeDeleted):
        return RECORD_EXCHANGE_GONE, {"name": record.name}
    if isinstance(record, SourceSet):
        return RECORD_SOURCE, {
            "name": record.name,
            "number": record.number,
            "url": record.url,
            "lineage": record.lineage,
        }
    if isinstance(record, Copied):
        return RECORD_COPIED, {
            "name": record.name,
            "number": record.number,
            "came": b"".join([_RUN.pack(*run) for run in record.came]),
            "went": b"".join([_RANGE.pack(first, last) for first, last in record.went]),
        }
    if isinstance(record, Bound):
        return RECORD_BIND, {
            "exchange": record.exchange,
            "queue": record.queue,
            "key": record.key,
            "arguments": cast(dict[str, Value], record.arguments),
        }
    assert isinstance(record, Unbound), record
    return RECORD_UNBIND, {
        "exchange": record.exchange,
        "queue": record.queue,
        "key": record.key,
    }


class RecordReader:
    """Applies encoded records to a broker; the inverse of ``RecordWriter``."""

    def __init__(self, wall_offset_s: float = 0.0) -> None:
        self.wall_offset_s = wall_offset_s
        self._addresses: dict[bytes, tuple[str, str]] = {}

    def fill(self, broker: Broker, data: bytes, at: int, count: int) -> None:
        """``apply`` for entries that were on the primary's queues before (``State.fill``).

        Raises: FramingError.
        """
        self.apply(broker, data, at, count, True)

    def apply(
        self, broker: Broker, data: bytes, at: int, count: int, filling: bool = False
    ) -> None:
        """Apply the ``count`` records of ``data`` from octet ``at`` to its end.

        Raises: FramingError if they are malformed or impossible; the broker may hold some of them.
        """
        try:
            end = self._records(broker, data, at, count, filling)
        except (LayoutError, IndexError, KeyError, TypeError, UnicodeDecodeError) as error:
            raise FramingError(f"replication link: malformed record: {error!r}") from error
        except FramingError:
            raise
        except BrokerError as refused:
            raise FramingError(f"replication link: {refused.text}") from refused
        if end != len(data):
            raise FramingError(f"replication link: {len(data) - end} octets after the last record")

    def _records(self, broker: Broker, data: bytes, at: int, count: int, filling: bool) -> int:
        last: Message | None = None
        for _ in range(count):
            kind = data[at]
            if kind == RECORD_ENQUEUE or (kind == RECORD_AMEND and not filling):
                (_, number, position, expiry, flags, priority, n_address, n_header, n_body) = (
                    _ENQUEUE.unpack_from(data, at)
                )
                at += _ENQUEUE.size
                due_at = 0.0
                if flags & _DELAYED:
                    due_ms: int = _DUE.unpack_from(data, at)[0]
                    due_at = due_ms / 1000 - self.wall_offset_s
                    at += _DUE.size
                middle = at + n_address
                exchange, routing_key = self._address(data[at:middle])
                at = middle + n_header
                header = data[middle:at]
                body = data[at : at + n_body]
                at += n_body
                if at > len(data):
                    raise FramingError("replication link: record cut short")
                last = Message(
                    header,
                    body,
                    exchange,
                    routing_key,
                    bool(flags & _DURABLE),
                    priority,
                    expiry / 1000 - self.wall_offset_s if expiry else _NEVER,
                    bool(flags & _REDELIVERED),
                    bool(flags & _BODILESS),
                    0,
                    AMQP_1_0 if flags & _AMQP_1_0 else AMQP_0_10,
                    due_at,
                )
            elif kind == RECORD_ENQUEUE_SAME:
                _, number, position = _ENQUEUE_SAME.unpack_from(data, at)
                at += _ENQUEUE_SAME.size
                if last is None:
                    raise FramingError("replication link: a copy of no message")
            elif filling:
                raise FramingError(f"replication link: record kind {kind} among old messages")
            elif kind == RECORD_DEQUEUE:
                at = self._dequeue(broker, data, at)
                continue
            else:
                size: int = _CONFIGURATION.unpack_from(data, at)[1]
                at += _CONFIGURATION.size
                broker.apply(_read_configuration(kind, decode_map(data[at : at + size])))
                at += size
                continue
            queue = broker.queues_by_number[number]
            entry = Entry(last, queue, position)
            if kind == RECORD_AMEND:
                broker.apply(Amended(queue, position, last))
            elif filling:
                broker.fill(entry)
            else:
                broker.apply(entry)
        return at

    def _dequeue(self, broker: Broker, data: bytes, at: int) -> int:
        _, number, count = _DEQUEUE.unpack_from(data, at)
        at += _DEQUEUE.size
        queue = broker.queues_by_number[number]
        last_position = queue.last_position
        ranges: list[tuple[int, int]] = []
        before = named = 0
        for _ in range(count):
            first, last = _RANGE.unpack_from(data, at)
            at += _RANGE.size
            # Configuration names one position that is not here: where the numbering stands.
            if first <= before or last < first or (last > last_position and first != last):
                raise FramingError(
                    f"replication link: dequeue of {first} to {last} of queue {queue.name}, "
                    f"which has come to {last_position}"
                )
            before = last
            named += last - first + 1
            ranges.append((first, last))
        if named > queue.count + 1:
            positions = _present(queue, ranges)
        else:
            positions = [p for first, last in ranges for p in range(first, last + 1)]
        broker.apply(Dequeued(queue, positions))
        return at

    def _address(self, octets: bytes) -> tuple[str, str]:
        found = self._addresses.get(octets)
        if found is None:
            middle = 1 + octets[0]
            found = (octets[1:middle].decode(), octets[middle:].decode())
            if len(self._addresses) >= _CACHE_MAX:
                self._addresses.clear()
            self._addresses[octets] = found
        return found


def _present(queue: Queue, ranges: list[tuple[int, int]]) -> list[int]:
    """The positions in ``ranges`` (ascending) that ``queue`` has.

    A backup that is being filled lacks many; and whatever the octets say, no list grows longer.
    """
    found: list[int] = []
    turn = 0
    for entry in queue.entries():
        while turn < len(ranges) and ranges[turn][1] < entry.position:
            turn += 1
        if turn < len(ranges) and ranges[turn][0] <= entry.position:
            found.append(entry.position)
    return found


def _read_configuration(kind: int, fields: dict[str, Value]) -> Record:
    if kind == RECORD_QUEUE:
        return QueueDeclared(
            _text(fields, "name"),
            _number(fields, "number"),
            bool(fields["durable"]),
            bool(fields["exclusive"]),
            bool(fields["auto-delete"]),
            _text(fields, "alternate"),
            _map(fields, "arguments"),
        )
    if kind == RECORD_QUEUE_GONE:
        return QueueDeleted(_text(fields, "name"), _number(fields, "number"))
    if kind == RECORD_QUEUE_USED:
        return QueueUsed(_text(fields, "name"), _number(fields, "number"))
    if kind == RECORD_EXCHANGE:
        return ExchangeDeclared(
            _text(fields, "name"),
            _text(fields, "type"),
            bool(fields["durable"]),
            _text(fields, "alternate"),
            _map(fields, "arguments"),
            bool(fields["auto-delete"]),
        )
    if kind == RECORD_EXCHANGE_GONE:
        return ExchangeDeleted(_text(fields, "name"))
    if kind == RECORD_BIND:
        return Bound(
            _text(fields, "exchange"),
            _text(fields, "queue"),
            _text(fields, "key"),
            _map(fields, "arguments"),
        )
    if kind == RECORD_UNBIND:
        return Unbound(_text(fields, "exchange"), _text(fields, "queue"), _text(fields, "key"))
    return _read_copying(kind, fields)


def _read_copying(kind: int, fields: dict[str, Value]) -> Record:
    if kind == RECORD_SOURCE:
        lineage = fields["lineage"]
        return SourceSet(
            _text(fields, "name"),
            _number(fields, "number"),
            _text(fields, "url"),
            lineage if isinstance(lineage, UUID) else None,
        )
    if kind == RECORD_COPIED:
        came = [
            (first, at, count) for first, at, count in _RUN.iter_unpack(_octets(fields, "came"))
        ]
        went = [(first, last) for first, last in _RANGE.iter_unpack(_octets(fields, "went"))]
        return Copied(_text(fields, "name"), _number(fields, "number"), came, went)
    raise FramingError(f"replication link: unknown record kind {kind}")


def _text(fields: dict[str, Value], name: str) -> str:
    value = fields[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is not text")
    return value


def _number(fields: dict[str, Value], name: str) -> int:
    value = fields[name]
    if not isinstance(value, int):
        raise TypeError(f"{name} is no number")
    return value


def _octets(fields: dict[str, Value], name: str) -> bytes:
    value = fields[name]
    if not isinstance(value, bytes):
        raise TypeError(f"{name} is not octets")
    return value


def _map(fields: dict[str, Value], name: str) -> dict[str, object]:
    value = fields[name]
    if not isinstance(value, dict):
        raise TypeError(f"{name} is no map")
    return cast(dict[str, object], value)
