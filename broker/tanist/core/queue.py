"""A queue: its settings, its entries (kept by its ``ordering``), who consumes, what it counted.

The methods here are the memory functions behind the records: ``insert`` for ``Entry``, ``remove``
for ``Dequeued``. Primary and replica call the same ones; deciding, journalling and delivering is
the broker's part. ``ordering`` says which entry is next, ``policy`` what a full queue does; a
further kind of either is one more class (qpidd-compat 7.6).
"""

from __future__ import annotations

from uuid import UUID

from tanist.core.arguments import QueueSettings
from tanist.core.exchange import Binding
from tanist.core.follower import Follower
from tanist.core.interest import RETURNED_MAX, Search
from tanist.core.message import NEVER, Message
from tanist.core.ordering import Fifo
from tanist.core.policy import Policy, Ring
from tanist.core.records import DELAYED, Dequeued, Entry
from tanist.core.source import Source
from tanist.core.subscription import Subscription
from tanist.types import ReplicationLevel

__all__ = ["Dequeued", "Entry", "Queue"]


class Queue:
    """A queue. Read everything; change it through ``Broker`` only.

    ``number``: cluster-wide id, 0 = not replicated. ``owner``: the session whose exclusive queue it
    is, None = nobody's (``exclusive`` says whether somebody's). ``level``: what of it the backups
    get. ``alternate_exchange``: a name, "" = none. ``used``: it has had a subscription.
    ``redelivered_below``: entries up to this position may have been delivered before a promotion.
    ``bindings``: (exchange name, identity key) -> binding, without the default exchange's.
    ``no_local``: it takes nothing that comes on the connection (``owner_origin``) of its owner or
    exclusive consumer. ``choosy``: there are messages that it does not take. ``flushes``:
    subscriptions with an unfinished flush. ``searches``: those of the consumers that do not want
    everything; ``returned``: positions that were released, for them.
    ``delete_at``: monotonic seconds of a scheduled auto-deletion, NEVER = none. ``created_at``:
    monotonic seconds of its creation on this broker. ``journaled``: its messages are replicated to
    the backups; ``recorded``: they go into the journal, for the backups or for its ``followers``.
    ``lineage``: names the numbering of its positions to copies, None until one asked. ``source``:
    what it is a copy of, None = of nothing.
    """

    __slots__ = (
        "acquires",
        "alternate_exchange",
        "arguments",
        "auto_delete",
        "bindings",
        "browsers",
        "choosy",
        "consumers",
        "created_at",
        "creator",
        "delayed",
        "delete_at",
        "deleted",
        "dequeued_bytes",
        "dequeues",
        "dirty",
        "discards_overflow",
        "discards_purge",
        "discards_ring",
        "discards_subscriber",
        "discards_ttl",
        "durable",
        "enqueued_bytes",
        "enqueues",
        "exclusive",
        "exclusive_consumer",
        "expiring",
        "flushes",
        "followers",
        "held",
        "journaled",
        "level",
        "lineage",
        "name",
        "no_local",
        "number",
        "ordering",
        "owner",
        "owner_origin",
        "policy",
        "recorded",
        "redelivered_below",
        "releases",
        "reroutes",
        "returned",
        "searches",
        "settings",
        "source",
        "turn",
        "used",
    )

    def __init__(
        self,
        name: str,
        number: int,
        durable: bool,
        exclusive: bool,
        auto_delete: bool,
        alternate_exchange: str,
        arguments: dict[str, object],
        level: ReplicationLevel,
        settings: QueueSettings,
        created_at: float = 0.0,
    ) -> None:
        self.name = name
        self.number = number
        self.durable = durable
        self.exclusive = exclusive
        self.auto_delete = auto_delete or settings.auto_delete_timeout_s > 0
        self.alternate_exchange = alternate_exchange
        self.arguments = arguments
        self.level = level
        self.settings = settings
        self.created_at = created_at
        self.journaled = number > 0 and level == ReplicationLevel.ALL
        self.recorded = self.journaled
        self.owner: object | None = None
        self.owner_origin = 0
        self.no_local = settings.no_local
        self.choosy = settings.no_local or settings.selector is not None
        self.flushes = 0
        self.creator = ""
        self.ordering = Fifo()
        kind = Ring if settings.ring else Policy
        self.policy: Policy = kind(settings.count_max, settings.bytes_max)
        self.bindings: dict[tuple[str, str], Binding] = {}
        self.consumers: list[Subscription] = []
        self.browsers: list[Subscription] = []
        self.exclusive_consumer: Subscription | None = None
        self.searches: list[Search] = []
        self.returned: list[int] = []
        self.followers: list[Follower] = []
        self.lineage: UUID | None = None
        self.source: Source | None = None
        self.turn = 0
        self.dirty = False
        self.used = False
        self.deleted = False
        self.delete_at = NEVER
        self.redelivered_below = 0
        self.held = self.delayed = 0
        self.expiring = 0
        self.enqueues = 0
        self.enqueued_bytes = 0
        self.dequeues = 0
        self.dequeued_bytes = 0
        self.acquires = 0
        self.releases = 0
        self.reroutes = 0
        self.discards_ttl = 0
        self.discards_purge = 0
        self.discards_ring = 0
        self.discards_subscriber = 0
        self.discards_overflow = 0

    @property
    def count(self) -> int:
        """Entries on the queue, acquired ones too (management's msgDepth)."""
        return self.enqueues - self.dequeues

    @property
    def bytes(self) -> int:
        """Bytes on the queue: header and body segments (management's byteDepth)."""
        return self.enqueued_bytes - self.dequeued_bytes

    @property
    def available(self) -> int:
        """Entries that nobody acquired and that are due (queue.query's message-count)."""
        return self.enqueues - self.dequeues - self.held - self.delayed

    @property
    def subscriptions(self) -> list[Subscription]:
        """Consumers, then browsers (a new list)."""
        return self.consumers + self.browsers

    @property
    def subscription_count(self) -> int:
        """How many subscribe (queue.query's subscriber-count, management's consumerCount)."""
        return len(self.consumers) + len(self.browsers)

    @property
    def last_position(self) -> int:
        """The highest position ever used here, 0 if none."""
        return self.ordering.last_position

    def is_local(self, message: Message) -> bool:
        """Whether it came on the connection of the owner or of the exclusive consumer."""
        origin = message.origin
        if not origin:
            return False
        consumer = self.exclusive_consumer
        return self.owner_origin == origin or (
            consumer is not None and consumer.actor.origin == origin
        )

    def insert(self, entry: Entry) -> None:
        """Take ``entry`` in at its position, which must be above ``last_position``."""
        message = entry.message
        self.ordering.push(entry)
        self.enqueues += 1
        self.enqueued_bytes += message.size
        if message.expires_at != NEVER:
            self.expiring += 1

    def fill(self, entry: Entry) -> None:
        """Take ``entry`` in at its position, which is not above ``last_position`` and is free."""
        message = entry.message
        self.ordering.fill(entry)
        self.enqueues += 1
        self.enqueued_bytes += message.size
        if message.expires_at != NEVER:
            self.expiring += 1

    def remove(self, positions: list[int]) -> int:
        """Drop the entries at ``positions`` (unknown ones ignored). Return how many there were."""
        size = 0
        count = 0
        ordering = self.ordering
        for position in positions:
            entry = ordering.remove(position)
            if entry is None:
                continue
            entry.gone = True
            if entry.holder is DELAYED:
                self.delayed -= 1
            elif entry.holder is not None:
                self.held -= 1
            entry.holder = None
            message = entry.message
            if message.expires_at != NEVER:
                self.expiring -= 1
            count += 1
            size += message.size
        self.dequeues += count
        self.dequeued_bytes += size
        return count

    def amend(self, entry: Entry, message: Message) -> None:
        """Give ``entry`` another message, which other queues do not see."""
        self.enqueued_bytes += message.size - entry.message.size
        entry.message = message

    def note_returned(self, position: int) -> None:
        """The entry at ``position`` became available again: ``searches`` must look at it again."""
        returned = self.returned
        returned.append(position)
        if len(returned) >= RETURNED_MAX:
            for search in self.searches:
                search.forget(returned, RETURNED_MAX // 2)
            self.returned = returned[RETURNED_MAX // 2 :]

    def end_search(self, search: Search) -> None:
        """One of ``searches`` is over."""
        self.searches.remove(search)
        if not self.searches:
            self.returned = []

    def skip(self, position: int) -> None:
        """``position`` has been used here: the next entry must be above it."""
        self.ordering.last_position = max(self.ordering.last_position, position)

    def forget(self) -> None:
        """The queue was removed: nobody reaches its entries any more but those who hold them."""
        self.ordering.clear()

    def at(self, position: int) -> Entry | None:
        """The entry at ``position``, None if there is none (any more)."""
        return self.ordering.at(position)

    def entries(self) -> list[Entry]:
        """All entries in order of position (a new list: one reference an entry)."""
        return self.ordering.entries()

    def digest(self) -> list[tuple[int, int]]:
        """(position, hash of the content) of each entry: equal on equal replicas. For tests."""
        found: list[tuple[int, int]] = []
        for entry in self.ordering.entries():
            message = entry.message
            content = (message.form, message.header, message.body, message.bodiless)
            found.append((entry.position, hash(content)))
        return found
