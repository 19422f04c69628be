"""What travels on a replication link: one message per transfer body, first octet its kind.

====  =========  =================================================================================
kind  name       body (big endian)
====  =========  =================================================================================
1     batch      epoch u64, first index u64, committed u64, count u32, records
2     hello      format u8, mode u8, index u64, end u64, count u16, epochs (number u64, owner 16,
                 begin u64)
3     snapshot   last u8, count u32, records of configuration
4     fill       last u8, state at u64, queue u32, position u64, done u64, total u64, count u32,
                 entries
5     members    version u64, list (AMQP) of two lists: broker-info maps, ids that are waited for
6     commit     committed u64
7     batches    batches, each after its length (u32): several in one transfer, for one that lags
====  =========  =================================================================================

The first message of a link is ``hello``: which history this is, and how the follower goes on (its
mode). *Resume*: batches follow, after ``index``; the follower forgets what it has behind it.
*Snapshot*: it forgets everything; all queues, exchanges and bindings at ``index`` follow, then,
mixed, the batches since and the old messages, queue by queue (``fill``). *Refill*: as snapshot, but
going on behind the place that the follower named.

A batch is what one step of the primary recorded. It comes in one transfer and is applied as a
whole, so a transaction, which is always inside one batch, is replicated all or not at all.
``committed`` is the index up to which the primary has confirmed: the follower applies no more than
that to its queues, so that what nobody confirmed can be taken back.
"""

from __future__ import annotations

from struct import Struct as Layout
from typing import Final
from uuid import UUID

from tanist.ha.log import HISTORY_MAX, Batch, Epoch
from tanist.ha.membership import Membership
from tanist.types import FramingError
from tanist.wire.amqp010.codec import decode_list, encode_list
from tanist.wire.amqp010.transfer import encode_transfer
from tanist.wire.amqp010.values import Value

REPLICATION_SOURCE: Final = "qpid.ha-log"
"""Queue name and destination of a backup's subscription."""
BACKUP_PROPERTY: Final = "qpid.ha-backup"
"""Client property of a backup's link: its broker-info map."""
ADMIN_PROPERTY: Final = "qpid.ha-admin"
"""Client property of a management tool: let in everywhere, whatever its value."""

FORMAT: Final = 4
"""Version of this format; brokers that speak different ones do not replicate with each other."""

KIND_BATCH: Final = 1
KIND_HELLO: Final = 2
KIND_SNAPSHOT: Final = 3
KIND_FILL: Final = 4
KIND_MEMBERS: Final = 5
KIND_COMMIT: Final = 6
KIND_BATCHES: Final = 7

RESUME: Final = 0
SNAPSHOT: Final = 1
REFILL: Final = 2

_BATCH: Final = Layout(">BQQQI")
_HELLO: Final = Layout(">BBBQQH")
_EPOCH: Final = Layout(">Q16sQ")
_SNAPSHOT: Final = Layout(">BBI")
_FILL: Final = Layout(">BBQIQQQI")
_MEMBERS: Final = Layout(">BQ")
_COMMIT: Final = Layout(">BQ")
_LENGTH: Final = Layout(">I")
_BATCHES: Final = bytes([KIND_BATCHES])

BATCH_HEAD_OCTETS: Final = _BATCH.size
SNAPSHOT_HEAD_OCTETS: Final = _SNAPSHOT.size
FILL_HEAD_OCTETS: Final = _FILL.size
"""Where the records of these messages begin."""


class Hello:
    """The primary's first word.

    ``mode``: RESUME, SNAPSHOT or REFILL. ``index``: where the follower stands from now on. ``end``:
    how far the primary's log went when it said this. ``history``: oldest first, never empty.
    """

    __slots__ = ("end", "history", "index", "mode")

    def __init__(self, mode: int, index: int, end: int, history: list[Epoch]) -> None:
        self.mode = mode
        self.index = index
        self.end = end
        self.history = history


class BatchHead:
    """Epoch, first index and number of records of a batch; the index committed when it was made."""

    __slots__ = ("committed", "count", "epoch", "first")

    def __init__(self, epoch: int, first: int, committed: int, count: int) -> None:
        self.epoch = epoch
        self.first = first
        self.committed = committed
        self.count = count


class FillHead:
    """The head of a chunk of old messages.

    ``last``: nothing is missing now. ``state_at``: the index at which the primary made the chunk;
    its log up to there was sent before. ``queue`` and ``position``: everything up to there was
    sent, which is where a refill goes on. ``done`` of ``total`` messages have been sent.
    """

    __slots__ = ("count", "done", "last", "position", "queue", "state_at", "total")

    def __init__(
        self,
        last: bool,
        state_at: int,
        queue: int,
        position: int,
        done: int,
        total: int,
        count: int,
    ) -> None:
        self.last = last
        self.state_at = state_at
        self.queue = queue
        self.position = position
        self.done = done
        self.total = total
        self.count = count


def replication_head() -> bytes:
    """The message.transfer segment that every message of a link starts with."""
    return encode_transfer(REPLICATION_SOURCE, 1, 0)


def message_kind(data: bytes) -> int:
    """The kind of a link message; 0 if it is empty."""
    return data[0] if data else 0


def batch_head(epoch: int, first: int, committed: int, count: int) -> bytes:
    """The head of a batch of ``count`` records; they follow it."""
    return _BATCH.pack(KIND_BATCH, epoch, first, committed, count)


def encode_batches(batches: list[Batch]) -> bytes:
    """Several batches as one message; their bounds stay, because a log is cut at them."""
    parts = [_BATCHES]
    for batch in batches:
        parts.append(_LENGTH.pack(len(batch.data)))
        parts.append(batch.data)
    return b"".join(parts)


def decode_batches(data: bytes) -> list[bytes]:
    """The batches of such a message, each as it would have come alone.

    Raises: FramingError if a length does not fit.
    """
    found: list[bytes] = []
    at = 1
    while at < len(data):
        begin = at + _LENGTH.size
        if begin > len(data):
            raise FramingError("replication link: batches are cut short")
        length: int = _LENGTH.unpack_from(data, at)[0]
        at = begin + length
        if at > len(data):
            raise FramingError(f"replication link: a batch of {length} octets is cut short")
        found.append(data[begin:at])
    return found


def decode_batch_head(data: bytes) -> BatchHead:
    """Read the head of a batch. Raises: FramingError if it is cut short."""
    if len(data) < _BATCH.size:
        raise FramingError(f"replication link: batch of {len(data)} octets")
    _, epoch, first, committed, count = _BATCH.unpack_from(data)
    return BatchHead(epoch, first, committed, count)


def encode_hello(hello: Hello) -> bytes:
    """Encode the first message of a link."""
    count = len(hello.history)
    parts = [_HELLO.pack(KIND_HELLO, FORMAT, hello.mode, hello.index, hello.end, count)]
    for epoch in hello.history:
        parts.append(_EPOCH.pack(epoch.number, epoch.owner.bytes, epoch.begin))
    return b"".join(parts)


def decode_hello(data: bytes) -> Hello:
    """Decode ``hello``. Raises: FramingError if it is malformed or of another format."""
    if len(data) < 2 or data[1] != FORMAT:
        theirs = data[1] if len(data) > 1 else "none"
        raise FramingError(
            f"replication link: format {theirs}, this broker speaks {FORMAT}; "
            "run the same version on every broker of the cluster"
        )
    if len(data) < _HELLO.size:
        raise FramingError(f"replication link: hello of {len(data)} octets")
    _, _, mode, index, end, count = _HELLO.unpack_from(data)
    if mode not in (RESUME, SNAPSHOT, REFILL):
        raise FramingError(f"replication link: hello of mode {mode}")
    if count > HISTORY_MAX or len(data) != _HELLO.size + count * _EPOCH.size:
        raise FramingError(f"replication link: hello of {len(data)} octets with {count} epochs")
    history: list[Epoch] = []
    for at in range(_HELLO.size, len(data), _EPOCH.size):
        number, owner, begin = _EPOCH.unpack_from(data, at)
        history.append(Epoch(number, UUID(bytes=owner), begin))
    return Hello(mode, index, end, history)


def snapshot_head(last: bool, count: int) -> bytes:
    """The head of a chunk of ``count`` records of configuration; they follow it."""
    return _SNAPSHOT.pack(KIND_SNAPSHOT, last, count)


def decode_snapshot_head(data: bytes) -> tuple[bool, int]:
    """Whether this chunk completes the configuration, and how many records it has.

    Raises: FramingError if it is cut short.
    """
    if len(data) < _SNAPSHOT.size:
        raise FramingError("replication link: snapshot chunk cut short")
    _, last, count = _SNAPSHOT.unpack_from(data)
    return bool(last), int(count)


def fill_head(head: FillHead) -> bytes:
    """Encode the head of a chunk of old messages; the entries follow it."""
    return _FILL.pack(
        KIND_FILL,
        head.last,
        head.state_at,
        head.queue,
        head.position,
        head.done,
        head.total,
        head.count,
    )


def decode_fill_head(data: bytes) -> FillHead:
    """Read the head of a chunk of old messages. Raises: FramingError if it is cut short."""
    if len(data) < _FILL.size:
        raise FramingError(f"replication link: chunk of old messages of {len(data)} octets")
    _, last, state_at, queue, position, done, total, count = _FILL.unpack_from(data)
    return FillHead(bool(last), state_at, queue, position, done, total, count)


def encode_members(membership: Membership) -> bytes:
    """Encode the membership list and its version."""
    head = _MEMBERS.pack(KIND_MEMBERS, membership.version)
    waited_for: list[Value] = [*sorted(membership.waited_for)]
    return head + encode_list([membership.to_list(), waited_for])


def decode_members(data: bytes) -> tuple[int, list[Value], list[Value]]:
    """Version, broker-info maps and ids waited for of a members message.

    Raises: FramingError if malformed.
    """
    if len(data) < _MEMBERS.size:
        raise FramingError(f"replication link: members of {len(data)} octets")
    version: int = _MEMBERS.unpack_from(data)[1]
    lists = decode_list(data[_MEMBERS.size :])
    if len(lists) != 2:
        raise FramingError(f"replication link: members in {len(lists)} lists instead of 2")
    members, waited_for = lists
    if not isinstance(members, list) or not isinstance(waited_for, list):
        raise FramingError("replication link: members that are no lists")
    return version, members, waited_for


def encode_commit(committed: int) -> bytes:
    """Encode "everything up to this index is confirmed"."""
    return _COMMIT.pack(KIND_COMMIT, committed)


def decode_commit(data: bytes) -> int:
    """The index of a commit. Raises: FramingError if its length is wrong."""
    if len(data) != _COMMIT.size:
        raise FramingError(f"replication link: commit of {len(data)} octets")
    committed: int = _COMMIT.unpack(data)[1]
    return committed
