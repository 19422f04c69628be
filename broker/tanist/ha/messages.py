"""What travels on a replication link: one message per transfer body, first octet its kind.

====  ============  ======================================================================
kind  name          body (big endian)
====  ============  ======================================================================
1     batch         epoch u64, first index u64, count u32, records
2     hello         epoch u64, owner 16, fork index u64, resume u8, index u64
3     snapshot      count u32, records
4     snapshot end  index u64
5     members       list of broker-info maps (AMQP list)
====  ============  ======================================================================

A record is one octet of kind and a body. Enqueued content travels as the octets that the producer
sent; only configuration, which is rare, is a map. A second copy of one message (a fanout) is a
record without content. Dequeues are ranges of positions.

The first message of a link is ``hello``. A batch is applied as a whole: it comes in one transfer,
so a transaction, which is always inside one batch, is replicated all or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct as Layout
from struct import error as LayoutError
from typing import Final, cast
from uuid import UUID

from mypy_extensions import mypyc_attr

from tanist.core.broker import Broker
from tanist.core.message import Message
from tanist.core.records import (
    Bound,
    Dequeued,
    Entry,
    ExchangeDeclared,
    ExchangeDeleted,
    QueueDeclared,
    QueueDeleted,
    QueueUsed,
    Record,
    Unbound,
)
from tanist.ha.membership import Membership
from tanist.types import BrokerError, FramingError
from tanist.wire.amqp010.codec import decode_list, decode_map, encode_list, encode_map
from tanist.wire.amqp010.transfer import encode_transfer
from tanist.wire.amqp010.values import Value

REPLICATION_SOURCE: Final = "qpid.ha-log"
"""Queue name and destination of a backup's subscription."""
BACKUP_PROPERTY: Final = "qpid.ha-backup"
"""Client property of a backup's link: its broker-info map."""
ADMIN_PROPERTY: Final = "qpid.ha-admin"
"""Client property of a management tool: let in everywhere, whatever its value."""
STATUS_PROPERTY: Final = "qpid.ha-status"
"""Server property: HA status number of the broker."""
SYSTEM_ID_PROPERTY: Final = "qpid.ha-system-id"
EPOCH_PROPERTY: Final = "qpid.ha-epoch"
CONFIRMED_PROPERTY: Final = "qpid.ha-confirmed"
"""Server property of a primary: records it confirmed since its epoch began."""
OWNER_PROPERTY: Final = "qpid.ha-owner"
INDEX_PROPERTY: Final = "qpid.ha-index"
WHOLE_PROPERTY: Final = "qpid.ha-whole"
INFO_PROPERTY: Final = "qpid.ha-info"

KIND_BATCH: Final = 1
KIND_HELLO: Final = 2
KIND_SNAPSHOT: Final = 3
KIND_SNAPSHOT_END: Final = 4
KIND_MEMBERS: Final = 5

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

_BATCH: Final = Layout(">BQQI")
_HELLO: Final = Layout(">BQ16sQBQ")
_SNAPSHOT: Final = Layout(">BI")
_SNAPSHOT_END: Final = Layout(">BQ")
# kind, queue number, position, expiry (Unix ms, 0 never), flags, priority, address, header, body
_ENQUEUE: Final = Layout(">BIQQBBHII")
_ENQUEUE_SAME: Final = Layout(">BIQ")
_DEQUEUE: Final = Layout(">BII")
_RANGE: Final = Layout(">QQ")
_CONFIGURATION: Final = Layout(">BI")

_DURABLE: Final = 1
_REDELIVERED: Final = 2
_BODILESS: Final = 4
_NEVER: Final = float("inf")
_CACHE_MAX: Final = 4096
"""Entries of an address cache; beyond it the cache starts afresh, so names cannot fill memory."""


class Hello:
    """The primary's first word: its epoch, and whether the follower goes on after ``index``."""

    __slots__ = ("epoch", "fork_index", "index", "owner", "resume")

    def __init__(self, epoch: int, owner: UUID, fork_index: int, resume: bool, index: int) -> None:
        self.epoch = epoch
        self.owner = owner
        self.fork_index = fork_index
        self.resume = resume
        self.index = index


class Position:
    """Where a follower stands; ``whole`` is false in the middle of a snapshot."""

    __slots__ = ("epoch", "index", "owner", "whole")

    def __init__(self, epoch: int, owner: UUID, index: int, whole: bool) -> None:
        self.epoch = epoch
        self.owner = owner
        self.index = index
        self.whole = whole


class BatchHead:
    """Epoch, first index and number of records of a batch."""

    __slots__ = ("count", "epoch", "first")

    def __init__(self, epoch: int, first: int, count: int) -> None:
        self.epoch = epoch
        self.first = first
        self.count = count


def replication_head() -> bytes:
    """The message.transfer segment that every message of a link starts with."""
    return encode_transfer(REPLICATION_SOURCE, 1, 0)


def message_kind(data: bytes) -> int:
    """The kind of a link message; 0 if it is empty."""
    return data[0] if data else 0


def encode_hello(hello: Hello) -> bytes:
    """Encode the first message of a link."""
    return _HELLO.pack(
        KIND_HELLO,
        hello.epoch,
        hello.owner.bytes,
        hello.fork_index,
        1 if hello.resume else 0,
        hello.index,
    )


def decode_hello(data: bytes) -> Hello:
    """Decode ``hello``. Raises: FramingError if its length is wrong."""
    if len(data) != _HELLO.size:
        raise FramingError(f"replication link: hello of {len(data)} octets")
    _, epoch, owner, fork_index, resume, index = _HELLO.unpack(data)
    return Hello(epoch, UUID(bytes=owner), fork_index, bool(resume), index)


def encode_snapshot_end(index: int) -> bytes:
    """Encode "the snapshot is complete; it is the state at ``index``"."""
    return _SNAPSHOT_END.pack(KIND_SNAPSHOT_END, index)


def decode_snapshot_end(data: bytes) -> int:
    """The index of a snapshot's end. Raises: FramingError if its length is wrong."""
    if len(data) != _SNAPSHOT_END.size:
        raise FramingError(f"replication link: snapshot end of {len(data)} octets")
    index: int = _SNAPSHOT_END.unpack(data)[1]
    return index


def encode_members(membership: Membership) -> bytes:
    """Encode the membership list."""
    return bytes((KIND_MEMBERS,)) + encode_list(membership.to_list())


def decode_members(data: bytes) -> list[Value]:
    """The broker-info maps of a members message. Raises: FramingError if malformed."""
    return list(decode_list(data[1:]))


def decode_batch_head(data: bytes) -> BatchHead:
    """Read the head of a batch. Raises: FramingError if it is cut short."""
    if len(data) < _BATCH.size:
        raise FramingError(f"replication link: batch of {len(data)} octets")
    _, epoch, first, count = _BATCH.unpack_from(data)
    return BatchHead(epoch, first, count)


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

    def encode_batch(self, epoch: int, first: int, records: Sequence[Record]) -> bytes:
        """The message for ``records``, the first of which has index ``first``."""
        parts = [_BATCH.pack(KIND_BATCH, epoch, first, len(records))]
        self._last = None
        for record in records:
            self._record(parts, record)
        self._last = None
        return b"".join(parts)

    def encode_snapshot(
        self, records: Sequence[Record], start: int, count_max: int, bytes_max: int
    ) -> tuple[bytes, int]:
        """A snapshot chunk of records from ``start``; returns it and how many it took."""
        parts: list[bytes] = []
        self._last = None
        size = at = 0
        end = min(len(records), start + count_max)
        for at in range(start, end):
            record = records[at]
            if isinstance(record, Entry):
                size += record.message.size
            self._record(parts, record)
            if size >= bytes_max:
                break
        self._last = None
        count = at - start + 1
        return _SNAPSHOT.pack(KIND_SNAPSHOT, count) + b"".join(parts), count

    def _record(self, parts: list[bytes], record: Record) -> None:
        if isinstance(record, Entry):
            self._enqueue(parts, record)
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

    def _enqueue(self, parts: list[bytes], entry: Entry) -> None:
        message = entry.message
        if message is self._last:
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
        parts.append(
            _ENQUEUE.pack(
                RECORD_ENQUEUE,
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

    def apply_batch(self, broker: Broker, data: bytes) -> None:
        """Apply a batch. Raises: FramingError if malformed (the broker may hold part of it)."""
        _, _, _, count = _BATCH.unpack_from(data)
        self._apply(broker, data, _BATCH.size, count)

    def apply_snapshot(self, broker: Broker, data: bytes) -> None:
        """Apply a snapshot chunk. Raises: FramingError if malformed."""
        if len(data) < _SNAPSHOT.size:
            raise FramingError("replication link: snapshot chunk cut short")
        _, count = _SNAPSHOT.unpack_from(data)
        self._apply(broker, data, _SNAPSHOT.size, count)

    def _apply(self, broker: Broker, data: bytes, at: int, count: int) -> None:
        try:
            end = self._records(broker, data, at, count)
        except (LayoutError, IndexError, KeyError, TypeError, UnicodeDecodeError) as error:
            raise FramingError(f"replication link: malformed record: {error!r}") from error
        except FramingError:
            raise
        except BrokerError as refused:
            raise FramingError(f"replication link: {refused.text}") from refused
        if end != len(data):
            raise FramingError(f"replication link: {len(data) - end} octets after the last record")

    def _records(self, broker: Broker, data: bytes, at: int, count: int) -> int:
        last: Message | None = None
        for _ in range(count):
            kind = data[at]
            if kind == RECORD_ENQUEUE:
                (_, number, position, expiry, flags, priority, n_address, n_header, n_body) = (
                    _ENQUEUE.unpack_from(data, at)
                )
                at += _ENQUEUE.size
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
                )
                broker.apply(Entry(last, broker.queues_by_number[number], position))
            elif kind == RECORD_ENQUEUE_SAME:
                _, number, position = _ENQUEUE_SAME.unpack_from(data, at)
                at += _ENQUEUE_SAME.size
                if last is None:
                    raise FramingError("replication link: a copy of no message")
                broker.apply(Entry(last, broker.queues_by_number[number], position))
            elif kind == RECORD_DEQUEUE:
                at = self._dequeue(broker, data, at)
            else:
                size: int = _CONFIGURATION.unpack_from(data, at)[1]
                at += _CONFIGURATION.size
                broker.apply(_read_configuration(kind, decode_map(data[at : at + size])))
                at += size
        return at

    def _dequeue(self, broker: Broker, data: bytes, at: int) -> int:
        _, number, count = _DEQUEUE.unpack_from(data, at)
        at += _DEQUEUE.size
        queue = broker.queues_by_number[number]
        # A primary dequeues what is there, or (in a snapshot) names one last position: whatever the
        # octets say, no list grows longer than that.
        left = queue.count + 1
        before = 0
        positions: list[int] = []
        for _ in range(count):
            first, last = _RANGE.unpack_from(data, at)
            at += _RANGE.size
            left -= last - first + 1
            if first <= before or last < first or left < 0:
                raise FramingError(
                    f"replication link: dequeue of {first} to {last} of queue {queue.name}, "
                    f"which has {queue.count} messages"
                )
            before = last
            positions.extend(range(first, last + 1))
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


def _map(fields: dict[str, Value], name: str) -> dict[str, object]:
    value = fields[name]
    if not isinstance(value, dict):
        raise TypeError(f"{name} is no map")
    return cast(dict[str, object], value)
