"""The broker of one node: the commands on queues and subscriptions, and promotion.

``Broker`` is the whole core: ``State`` (memory and ``apply``), ``Messages`` (publish, settle),
``Delivery``, ``Bindings`` (exchanges, bindings), and here the rest. Each decides, makes a record,
does it to memory with the function that replicas use, appends it to ``journal`` if the object is
replicated, and says what changed in ``notices``. Commands carry an ``Actor``. Errors are those of
qpidd-compat 9.4; replication levels those of 7.1 to 7.4.

The node, each step: sets ``now``, lets sessions call commands, calls ``dispatch``, drains
``journal``, ``notices`` and ``agent_inbox``; calls ``tick`` at ``deadline`` and ``expire`` at its
interval.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final
from uuid import UUID

from tanist.core.arguments import HA_UUID, explicit_level, queue_settings
from tanist.core.bindings import (
    BoundResult,
    check_arguments,
    check_name,
    limit,
    locked,
    require_access,
)
from tanist.core.follower import Follower, IdRanges
from tanist.core.following import Following
from tanist.core.interest import Interest
from tanist.core.message import NEVER, Message
from tanist.core.notices import (
    Actor,
    QueueDeclareNotice,
    QueueDeleteNotice,
    SubscribeNotice,
    UnsubscribeNotice,
)
from tanist.core.queue import Queue
from tanist.core.records import DELAYED, Dequeued, QueueDeclared, QueueDeleted, QueueUsed
from tanist.core.relocation import Relocation
from tanist.core.state import BrokerConfig
from tanist.core.subscription import Sink, Subscription
from tanist.types import BrokerError, Condition, ReplicationLevel

__all__ = ["BoundResult", "Broker", "BrokerConfig"]

QUEUES_MAX: Final = 131_072
"""Queues in all: twice as many, so that tools and reply queues find room beside a full cluster."""

SUBSCRIPTIONS_MAX: Final = 65_536
"""Subscriptions of one queue: as bindings."""

FORCED_GAP: Final = 1 << 24
"""Positions that a promotion by force leaves out: more messages than it could lose on a queue."""

FOLLOWERS_MAX: Final = 64
"""Followers of one queue: each costs as much as a consumer of everything, a loop must end."""


class Broker(Relocation):
    """See the module. ``new_uuid`` names replicated objects (deterministic in the simulator).

    ``following``: the followers of all queues.
    """

    __slots__ = ("_doomed", "_owned", "following")

    def __init__(
        self,
        config: BrokerConfig,
        new_uuid: Callable[[], UUID],
        headers_of: Callable[[Message], Mapping[str, object]],
        failover_message: Callable[[], Message | None] | None = None,
    ) -> None:
        """``headers_of``: the application headers of a message, asked when a headers exchange needs
        them. ``failover_message``: what amq.failover sends now, None for nothing.
        """
        super().__init__(config, new_uuid, headers_of, failover_message)
        self._owned: dict[object, tuple[Actor, list[Queue]]] = {}
        self._doomed: dict[str, Queue] = {}
        self.following = Following(config.followed)

    # Queues.

    def declare_queue(
        self,
        name: str,
        actor: Actor,
        passive: bool = False,
        durable: bool = False,
        exclusive: bool = False,
        auto_delete: bool = False,
        alternate_exchange: str = "",
        arguments: Mapping[str, object] | None = None,
    ) -> Queue:
        """Create the queue, or check it (``passive``), or find it as it is.

        ``exclusive`` claims it for ``actor.owner`` until ``release_owner``; for an actor without
        owner it means nothing. An existing queue keeps its properties.
        Raises: BrokerError (ILLEGAL_ARGUMENT: empty name; NOT_FOUND: passive, or the alternate;
        RESOURCE_LOCKED: another's; INVALID_ARGUMENT: arguments; RESOURCE_LIMIT_EXCEEDED).
        """
        exclusive = exclusive and actor.owner is not None
        queue = self.find_queue(name) if passive or not name else self.queues.get(name)
        if passive and queue is not None:
            if exclusive and queue.owner is not actor.owner:
                raise locked(f"Cannot grant exclusive access to queue {name}")
            return queue
        if queue is not None:
            if exclusive:
                self._claim(queue, actor)
            if queue.owner is not None:
                queue.delete_at = NEVER  # it is in use again
            elif queue.delete_at != NEVER:
                self._schedule(queue)
            self._announce_queue(queue, actor, False)
            return queue
        record = self._decide_queue(
            name, durable, exclusive, auto_delete, alternate_exchange, arguments or {}
        )
        queue = self._add_queue(record)
        queue.creator = actor.user
        if record.number:
            self.journal.append(record)
        if exclusive:
            self._own(queue, actor)
        self._announce_queue(queue, actor, True)
        return queue

    def _decide_queue(
        self,
        name: str,
        durable: bool,
        exclusive: bool,
        auto_delete: bool,
        alternate_exchange: str,
        given: Mapping[str, object],
    ) -> QueueDeclared:
        check_name(name)
        self._check_alternate(alternate_exchange)
        arguments = dict(given)
        check_arguments(arguments)
        settings = queue_settings(arguments, self.config.queue_limit_bytes)
        if len(self.queues) >= QUEUES_MAX:
            raise limit(f"Cannot create queue {name}: there are {QUEUES_MAX}")
        number = 0
        if self.config.ha and self.serving:
            level = explicit_level(arguments)
            if level is None:
                temporary = exclusive and auto_delete and not settings.auto_delete_timeout_s
                level = ReplicationLevel.NONE if temporary else self.config.default_level
            self._write_level(arguments, level)
            if level != ReplicationLevel.NONE:
                number = self.next_number
                self._check_replicated(name)
        return QueueDeclared(
            name, number, durable, exclusive, auto_delete, alternate_exchange, arguments
        )

    def _check_replicated(self, name: str) -> None:
        count = len(self.queues_by_number)
        most = self.config.replicated_queues_max
        if count >= most:
            raise limit(
                f"Cannot create queue {name}: Exceeded replicated queue limit {count} >= {most}; "
                "delete some, or use qpid.replicate=none"
            )

    def _announce_queue(self, queue: Queue, actor: Actor, created: bool) -> None:
        self.notices.append(
            QueueDeclareNotice(
                actor,
                queue.name,
                queue.durable,
                queue.exclusive,
                queue.auto_delete,
                queue.alternate_exchange,
                queue.arguments,
                created,
            )
        )

    def _claim(self, queue: Queue, actor: Actor) -> None:
        if queue.owner is actor.owner:
            return
        if queue.owner is not None or queue.consumers:
            raise locked(f"Cannot grant exclusive access to queue {queue.name}")
        self._own(queue, actor)

    def _own(self, queue: Queue, actor: Actor) -> None:
        queue.owner = actor.owner
        queue.owner_origin = actor.origin
        queue.exclusive = True
        owned = self._owned.get(actor.owner)
        if owned is None:
            self._owned[actor.owner] = (actor, [queue])
        else:
            owned[1].append(queue)

    def release_owner(self, owner: object) -> None:
        """A session ended: its exclusive queues lose their owner, auto-delete ones go.

        Call it after the session's subscriptions were cancelled and its entries released.
        """
        owned = self._owned.pop(owner, None)
        if owned is not None:
            actor, queues = owned
            for queue in queues:
                if not queue.deleted and queue.owner is owner:
                    queue.owner = None
                    queue.owner_origin = 0
                    queue.exclusive = False
                    self._leave(queue, actor)

    def _leave(self, queue: Queue, actor: Actor) -> None:
        """Auto-delete ``queue`` if nobody uses it any more."""
        if (
            not queue.auto_delete
            or queue.deleted
            or queue.owner is not None
            or queue.consumers
            or queue.browsers
            or (queue.number and not self.serving)
            or (queue.source is not None and queue.source.active)
        ):
            return
        if queue.settings.auto_delete_timeout_s:
            self._schedule(queue)
        else:
            self._delete_queue(queue, actor)

    def _schedule(self, queue: Queue) -> None:
        queue.delete_at = self.now + queue.settings.auto_delete_timeout_s
        self._doomed[queue.name] = queue

    @property
    def deadline(self) -> float:
        """When ``tick`` must be called next, monotonic seconds, inf = never."""
        deadline = self.delays.deadline
        for queue in self._doomed.values():
            deadline = min(deadline, queue.delete_at)
        return deadline

    def tick(self) -> None:
        """Do what is due: delayed messages, auto-deletion. Costs nothing when nothing is."""
        if self.delays.deadline <= self.now:
            self._release_due()
        for name, queue in list(self._doomed.items()):
            if queue.deleted or queue.delete_at > self.now:
                if queue.deleted or queue.delete_at == NEVER:
                    del self._doomed[name]
                continue
            del self._doomed[name]
            self._delete_queue(queue, Actor(queue.creator, ""))

    def delete_queue(
        self, name: str, actor: Actor, if_unused: bool = False, if_empty: bool = False
    ) -> None:
        """Delete the queue; its entries go to the alternate exchange, held ones too.

        Raises: BrokerError (ILLEGAL_ARGUMENT, NOT_FOUND; RESOURCE_LOCKED: another session's;
        PRECONDITION_FAILED: used or not empty; NOT_ALLOWED on a replica).
        """
        queue = self.find_queue(name)
        require_access(queue, actor, "delete")
        if if_empty and queue.available + queue.delayed:
            raise BrokerError(
                Condition.PRECONDITION_FAILED, f"Cannot delete queue {name}; queue not empty"
            )
        if if_unused and queue.subscription_count:
            raise BrokerError(
                Condition.PRECONDITION_FAILED, f"Cannot delete queue {name}; queue in use"
            )
        self._require_writable(queue)
        self._delete_queue(queue, actor)

    def _delete_queue(self, queue: Queue, actor: Actor) -> None:
        queue.deleted = True
        if queue.alternate_exchange:
            self.abandoned_via_alternate += queue.count
            for entry in queue.entries():
                self._reroute(queue, entry.message)
        else:
            self.abandoned += queue.count
        if queue.number:
            self.journal.append(QueueDeleted(queue.name, queue.number))
        subscriptions = queue.subscriptions
        for follower in list(queue.followers):
            self.following.leave(follower)
            follower.sink.closed(follower)
        sources = [binding.exchange for binding in queue.bindings.values()]
        self._remove_queue(queue)
        self._doomed.pop(queue.name, None)
        self.notices.append(QueueDeleteNotice(actor, queue.name))
        for exchange in sources:
            self._abandon(exchange, actor)
        for subscription in subscriptions:
            self.notices.append(UnsubscribeNotice(subscription.actor, subscription.name))
            subscription.sink.closed(subscription)

    def purge(self, name: str, actor: Actor) -> int:
        """Drop the entries of a queue that nobody holds and return how many there were.

        Raises: BrokerError (ILLEGAL_ARGUMENT, NOT_FOUND; NOT_ALLOWED on a replica).
        """
        queue = self.find_queue(name)
        self._require_writable(queue)
        positions = [entry.position for entry in queue.entries() if entry.holder in (None, DELAYED)]
        queue.discards_purge += len(positions)
        self._remove(queue, positions)
        return len(positions)

    # Subscriptions.

    def subscribe(
        self,
        queue_name: str,
        name: str,
        sink: Sink,
        acquire: bool,
        exclusive: bool,
        arguments: Mapping[str, object],
        actor: Actor,
        interest: Interest | None = None,
    ) -> Subscription:
        """Subscribe to a queue; grant credit next (``flow``). ``interest`` None: in everything.

        Raises: BrokerError (ILLEGAL_ARGUMENT, NOT_FOUND; RESOURCE_LOCKED: another session's queue,
        or an exclusive consumer is there, or ``exclusive`` and any is; NOT_ALLOWED on a replica
        unless browsing; RESOURCE_LIMIT_EXCEEDED).
        """
        queue = self.find_queue(queue_name)
        if acquire:
            self._require_writable(queue)
            if queue.owner is not None and queue.owner is not actor.owner:
                raise locked(f"Cannot subscribe to exclusive queue {queue_name}")
            if queue.exclusive_consumer is not None:
                raise locked(f"Queue {queue_name} has an exclusive consumer")
            if exclusive and queue.consumers:
                raise locked(f"Queue {queue_name} has consumers; no exclusive access")
        if queue.subscription_count >= SUBSCRIPTIONS_MAX:
            raise limit(f"Queue {queue_name} has {SUBSCRIPTIONS_MAX} subscriptions")
        subscription = Subscription(
            queue, name, sink, acquire, exclusive, dict(arguments), actor, self.now
        )
        if acquire:
            queue.consumers.append(subscription)
            if exclusive:
                queue.exclusive_consumer = subscription
        else:
            queue.browsers.append(subscription)
        if interest is not None:
            self.set_interest(subscription, interest)
        self._use(queue)
        self.notices.append(
            SubscribeNotice(actor, queue_name, name, exclusive, subscription.arguments)
        )
        return subscription

    def follow(
        self,
        queue_name: str,
        name: str,
        sink: Sink,
        has: IdRanges,
        lineage: UUID | None,
        who: UUID,
        arguments: Mapping[str, object],
        actor: Actor,
    ) -> Follower:
        """Begin to feed the copy of a queue that broker ``who`` keeps; grant credit next.

        ``has``: ids that the copy has (``merge_ids``). ``lineage``: of the queue that it copied so
        far, None if it does not tell. Exclusive access is nothing to a follower.
        Raises: BrokerError (ILLEGAL_ARGUMENT, NOT_FOUND; RESOURCE_DELETED: it copied another queue
        of that name; NOT_ALLOWED: on a replica, in a circle, or followers are not enabled;
        RESOURCE_LIMIT_EXCEEDED).
        """
        if not self.following.enabled:
            raise BrokerError(
                Condition.NOT_ALLOWED,
                "Queues are not replicated from here: set ha-queue-replication=yes on this broker",
            )
        queue = self.find_queue(queue_name)
        self._require_writable(queue)
        if len(queue.followers) >= FOLLOWERS_MAX:
            raise limit(f"Queue {queue_name} is replicated to {FOLLOWERS_MAX} brokers")
        current = self.lineage_of(queue)
        if lineage is not None and lineage != current:
            raise BrokerError(
                Condition.RESOURCE_DELETED,
                f"Queue {queue_name} has been deleted. There is another one of that name now",
            )
        source = queue.source
        if source is not None and source.active and source.peer == who:
            raise BrokerError(
                Condition.NOT_ALLOWED,
                f"Queue {queue_name} is a copy of the queue of broker {who}: its messages would go "
                "in circles",
            )
        kept = self.following.kept
        foreign = lineage is None and has and has[-1][1] > queue.last_position
        follower = Follower(
            queue, name, sink, dict(arguments), actor, [] if foreign else has, who, kept
        )
        if foreign:
            follower.gone = has
        self.following.add(follower)
        return follower

    def wake(self, subscription: Subscription) -> None:
        """See ``Delivery``; a follower is fed by ``following``."""
        if isinstance(subscription, Follower):
            self.following.rouse(subscription)
        else:
            super().wake(subscription)

    def lineage_of(self, queue: Queue) -> UUID:
        """What names the numbering of its positions: it survives failovers if the messages do."""
        lineage = queue.lineage
        if lineage is None:
            identity = queue.arguments.get(HA_UUID) if queue.journaled else None
            lineage = identity if isinstance(identity, UUID) else self._new_uuid()
            queue.lineage = lineage
        return lineage

    def _use(self, queue: Queue) -> None:
        queue.delete_at = NEVER
        if not queue.used and (self.serving or not queue.number):
            queue.used = True
            if queue.number and queue.auto_delete:
                self.journal.append(QueueUsed(queue.name, queue.number))

    def cancel(self, subscription: Subscription) -> None:
        """End a subscription; what it holds stays held until settled. May auto-delete the queue."""
        if isinstance(subscription, Follower):
            self.following.leave(subscription)
            return
        if subscription.closed:
            return
        subscription.closed = True
        queue = subscription.queue
        if subscription.flushing:
            queue.flushes -= 1
        if subscription.acquire:
            queue.consumers.remove(subscription)
            queue.turn = 0
            if subscription.search is not None:
                queue.end_search(subscription.search)
            if queue.exclusive_consumer is subscription:
                queue.exclusive_consumer = None
        else:
            queue.browsers.remove(subscription)
        self.notices.append(UnsubscribeNotice(subscription.actor, subscription.name))
        self._leave(queue, subscription.actor)

    # Promotion.

    def promote(self, forced: bool = False) -> None:
        """Serve from now on (qpidd-compat 2.6, 7.3, 7.4).

        What is here may have been delivered before: it is marked redelivered. Replicated queues
        belong to nobody. Auto-delete queues that have been used and are not now are deleted, or
        their timeout starts. ``forced``: others may have had more messages; their positions are not
        used again, for copies of the queues have them as ids.
        """
        self.serving = True
        for queue in list(self.queues_by_number.values()):
            queue.redelivered_below = queue.last_position
            if forced and queue.journaled:
                queue.skip(queue.last_position + FORCED_GAP)
                self.journal.append(Dequeued(queue, [queue.last_position]))
            if queue.owner is None:
                queue.exclusive = False
            if queue.used:
                self._leave(queue, Actor(queue.creator, ""))
