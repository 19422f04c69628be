"""Records: the facts that change replicated state (architecture.md section 2).

A command on the primary becomes records; each is applied to memory by the function that replicas
use (``State.apply``) and appended to the journal if it is about a replicated object. A replica gets
the same records, re-created from the wire: names and numbers are resolved by whoever decodes them,
so that an ``Entry`` or ``Dequeued`` always carries the replica's own ``Queue``.

Not records, on purpose (qpidd-compat 7.2): credit, acquisition, delivery counts, subscriptions.
A record is never changed once made (an ``Entry`` keeps its volatile fields beside its facts:
``deliveries``, ``holder``, ``gone``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from mypy_extensions import mypyc_attr

from tanist.core.message import Message

if TYPE_CHECKING:
    from uuid import UUID

    from tanist.core.queue import Queue
    from tanist.core.source import Run

ENQUEUED: Final = 1
DEQUEUED: Final = 2
QUEUE_DECLARED: Final = 3
QUEUE_DELETED: Final = 4
EXCHANGE_DECLARED: Final = 5
EXCHANGE_DELETED: Final = 6
BOUND: Final = 7
UNBOUND: Final = 8
QUEUE_USED: Final = 9
SOURCE_SET: Final = 10
COPIED: Final = 11
AMENDED: Final = 12

DELAYED: Final = object()
"""``Entry.holder`` of an entry that nobody may have yet (``delaying``)."""


@mypyc_attr(acyclic=True)
class Record:
    """A fact. ``KIND`` is one of the constants above (stable: it may go on the wire)."""

    __slots__ = ()
    KIND: ClassVar[int] = 0


@mypyc_attr(acyclic=True)
class Entry(Record):
    """A message on a queue; also the record of its enqueueing (queue, position, message).

    ``position`` is unique in its queue, grows from 1, and may have gaps on a replica. ``holder`` is
    the subscription that acquired it, None when available, ``DELAYED`` before its time.
    ``deliveries`` counts deliveries that count (a release without "redelivered" undoes one); it is
    1 while the entry is delivered for the first time. ``gone``: dequeued (or its queue deleted);
    settling it again does nothing.

    Compiled, the collector of garbage does not look at entries and messages (``acyclic``): walking
    over all that is queued took half of the time. So whoever ends a cycle that they are part of
    must break it: a queue that is removed forgets its entries, a session that ends what it holds.
    """

    __slots__ = ("deliveries", "gone", "holder", "message", "position", "queue")
    KIND: ClassVar[int] = ENQUEUED

    def __init__(self, message: Message, queue: Queue, position: int) -> None:
        self.message = message
        self.queue = queue
        self.position = position
        self.deliveries = 0
        self.holder: object | None = None
        self.gone = False

    @property
    def redelivered(self) -> bool:
        """Whether this delivery must be flagged redelivered (clients.md 0.2)."""
        return (
            self.deliveries > 1
            or self.message.redelivered
            or self.position <= self.queue.redelivered_below
        )

    @property
    def delivery_count(self) -> int:
        """Deliveries before this one, as AMQP 1.0 tells them (header.delivery-count, 3.2.1).

        At least 1 when it may have been delivered before by somebody whose count is not known: its
        producer's broker, or the primary before this one.
        """
        before = self.deliveries - 1
        return before if before > 0 else int(self.redelivered)


class Dequeued(Record):
    """The entries at ``positions`` left ``queue`` (accepted, expired, purged, rerouted...).

    One record per command and queue. ``apply`` ignores positions it does not have, but never uses
    them again: a snapshot says so where the numbering stands.
    """

    __slots__ = ("positions", "queue")
    KIND: ClassVar[int] = DEQUEUED

    def __init__(self, queue: Queue, positions: list[int]) -> None:
        self.queue = queue
        self.positions = positions


class Amended(Record):
    """The message at ``position`` of ``queue`` is ``message`` from now on: the same one with other
    annotations. Nothing happens where it is not (yet)."""

    __slots__ = ("message", "position", "queue")
    KIND: ClassVar[int] = AMENDED

    def __init__(self, queue: Queue, position: int, message: Message) -> None:
        self.queue = queue
        self.position = position
        self.message = message


class QueueDeclared(Record):
    """A queue was created. ``number`` names it in later records; ``alternate_exchange`` "" = none.

    ``arguments`` carry ``qpid.replicate`` and ``qpid.ha-uuid`` as the primary wrote them.
    """

    __slots__ = (
        "alternate_exchange",
        "arguments",
        "auto_delete",
        "durable",
        "exclusive",
        "name",
        "number",
    )
    KIND: ClassVar[int] = QUEUE_DECLARED

    def __init__(
        self,
        name: str,
        number: int,
        durable: bool,
        exclusive: bool,
        auto_delete: bool,
        alternate_exchange: str,
        arguments: dict[str, object],
    ) -> None:
        self.name = name
        self.number = number
        self.durable = durable
        self.exclusive = exclusive
        self.auto_delete = auto_delete
        self.alternate_exchange = alternate_exchange
        self.arguments = arguments


class QueueUsed(Record):
    """An auto-delete queue got its first subscription (qpidd-compat 7.4): unused, it may go now."""

    __slots__ = ("name", "number")
    KIND: ClassVar[int] = QUEUE_USED

    def __init__(self, name: str, number: int) -> None:
        self.name = name
        self.number = number


class QueueDeleted(Record):
    """A queue is gone, with its entries and bindings."""

    __slots__ = ("name", "number")
    KIND: ClassVar[int] = QUEUE_DELETED

    def __init__(self, name: str, number: int) -> None:
        self.name = name
        self.number = number


class ExchangeDeclared(Record):
    """An exchange was created; ``alternate_exchange`` "" = none."""

    __slots__ = ("alternate_exchange", "arguments", "auto_delete", "durable", "name", "type")
    KIND: ClassVar[int] = EXCHANGE_DECLARED

    def __init__(
        self,
        name: str,
        type: str,
        durable: bool,
        alternate_exchange: str,
        arguments: dict[str, object],
        auto_delete: bool = False,
    ) -> None:
        self.name = name
        self.type = type
        self.durable = durable
        self.alternate_exchange = alternate_exchange
        self.arguments = arguments
        self.auto_delete = auto_delete


class ExchangeDeleted(Record):
    """An exchange is gone, with its bindings."""

    __slots__ = ("name",)
    KIND: ClassVar[int] = EXCHANGE_DELETED

    def __init__(self, name: str) -> None:
        self.name = name


class Bound(Record):
    """``queue`` (a name) was bound to ``exchange`` (a name) with ``key`` and ``arguments``."""

    __slots__ = ("arguments", "exchange", "key", "queue")
    KIND: ClassVar[int] = BOUND

    def __init__(self, exchange: str, queue: str, key: str, arguments: dict[str, object]) -> None:
        self.exchange = exchange
        self.queue = queue
        self.key = key
        self.arguments = arguments


class Unbound(Record):
    """The binding of ``queue`` to ``exchange`` with ``key`` is gone (names, not objects)."""

    __slots__ = ("exchange", "key", "queue")
    KIND: ClassVar[int] = UNBOUND

    def __init__(self, exchange: str, queue: str, key: str) -> None:
        self.exchange = exchange
        self.queue = queue
        self.key = key


class SourceSet(Record):
    """A queue is a copy of the one at ``url`` from now on, "" = it is copied no more.

    ``lineage`` names the numbering of the original, None while unknown. With another one than
    before, the ids of what came are void.
    """

    __slots__ = ("lineage", "name", "number", "url")
    KIND: ClassVar[int] = SOURCE_SET

    def __init__(self, name: str, number: int, url: str, lineage: UUID | None) -> None:
        self.name = name
        self.number = number
        self.url = url
        self.lineage = lineage


class Copied(Record):
    """Which messages of its original came to a copy, as runs, and which ids are void, as ranges."""

    __slots__ = ("came", "name", "number", "went")
    KIND: ClassVar[int] = COPIED

    def __init__(
        self, name: str, number: int, came: list[Run], went: list[tuple[int, int]]
    ) -> None:
        self.name = name
        self.number = number
        self.came = came
        self.went = went
