"""The life of messages on the primary: publish, settle, expire (``delivery`` has the rest).

``Messages`` adds to ``State`` the commands on messages. Each change becomes a record, is done by
the memory functions of ``Queue`` and, for recorded queues, appended to ``journal``, which the node
drains each step.

This is the hot path: publishing costs one ``Entry``, delivering none, accepting one ``Dequeued``
per command and queue. qpidd-compat 7.4, 7.5, 9.3; clients.md 0.2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from tanist.core.exchange import CONSUMED, COPIED, Exchange
from tanist.core.message import Message
from tanist.core.notices import Notice
from tanist.core.policy import Demand
from tanist.core.queue import Queue
from tanist.core.records import Amended, Dequeued, Entry, Record
from tanist.core.selector.values import Lookup
from tanist.core.state import BrokerConfig, State
from tanist.core.subscription import Subscription
from tanist.types import BrokerError, Condition

AGENT_INBOX_MAX: Final = 10_000
"""Requests to the management agent waiting in one step; more are dropped as unroutable."""


def no_headers(entry: Entry) -> Lookup:
    """Nothing of a message can be read."""
    return _nothing


def _nothing(name: str) -> None:
    return None


class Messages(State):
    """State that serves. ``serving`` false (a replica): replicated queues may only be browsed.

    ``lookup``: how a selector reads a message; set by who knows its form. ``journal``, ``notices``,
    ``agent_inbox``: drained by the node each step. Counters of messages:
    ``discards_no_route`` unroutable, ``abandoned`` and ``abandoned_via_alternate`` on queues that
    were deleted, the latter sent to an alternate exchange.
    """

    __slots__ = (
        "_dirty",
        "_sweep",
        "_sweep_position",
        "abandoned",
        "abandoned_via_alternate",
        "agent_inbox",
        "discards_no_route",
        "journal",
        "lookup",
        "notices",
        "serving",
    )

    def __init__(
        self, config: BrokerConfig, headers_of: Callable[[Message], Mapping[str, object]]
    ) -> None:
        super().__init__(config, headers_of)
        self.serving = not config.ha
        self.journal: list[Record] = []
        self.notices: list[Notice] = []
        self.agent_inbox: list[Message] = []
        self.lookup: Callable[[Entry], Lookup] = no_headers
        self.discards_no_route = 0
        self.abandoned = 0
        self.abandoned_via_alternate = 0
        self._dirty: list[Queue] = []
        self._sweep: list[Queue] = []
        self._sweep_position = 0

    # Publishing.

    def publish(self, message: Message, exchange_name: str) -> int:
        """Route ``message`` and enqueue it. Return how many queues (or agents) got it.

        0 means unroutable, also by the alternate exchange; the message is dropped and the caller
        tells the producer if it asked. All or nothing: when a queue refuses, none has it. A queue
        that takes nothing of its own connection (``no-local``) drops it without a word.
        Raises: BrokerError (NOT_FOUND: no such exchange; RESOURCE_LIMIT_EXCEEDED: a queue is full;
        NOT_ALLOWED: a replicated queue of a replica).
        """
        exchange = self.exchanges.get(exchange_name)
        if exchange is None:
            raise BrokerError(Condition.NOT_FOUND, f"Exchange not found: {exchange_name}")
        exchange.received += 1
        exchange.received_bytes += message.size
        queues = exchange.routes.get(message.routing_key)
        if queues is None or len(queues) != 1 or not self.serving:
            return self._publish_to_many(exchange, message)
        queue = queues[0]
        if queue.choosy and self._declines(queue, message):
            return self._count_routed(exchange, message, 1)
        victims = queue.policy.make_room(queue, message, False)
        if victims:
            self.dequeue(victims)
        self._push(queue, message)
        exchange.routed += 1
        exchange.routed_bytes += message.size
        return 1

    def publish_all(self, messages: list[Message]) -> None:
        """``publish`` each message to its ``exchange``, or none of them (tx.commit).

        Room is judged for all of them together, before anything is done.
        Raises: as ``publish``.
        """
        inbox = len(self.agent_inbox)
        routes: list[tuple[Exchange, Message, list[Queue], int]] = []
        demands: dict[Queue, Demand] = {}
        try:
            for message in messages:
                exchange = self.exchanges.get(message.exchange)
                if exchange is None:
                    raise BrokerError(
                        Condition.NOT_FOUND, f"Exchange not found: {message.exchange}"
                    )
                queues: list[Queue] = []
                observed = self._resolve(exchange, message, queues)
                routes.append((exchange, message, queues, observed))
                for queue in queues:
                    self._require_writable(queue)
                    if not (queue.choosy and self._declines(queue, message)):
                        demand = demands.get(queue)
                        if demand is None:
                            demand = demands[queue] = Demand()
                        demand.add(message.size)
            for queue, demand in demands.items():
                queue.policy.require_room(queue, demand)
        except BrokerError:
            del self.agent_inbox[inbox:]
            raise
        for exchange, message, queues, observed in routes:
            exchange.received += 1
            exchange.received_bytes += message.size
            self._enqueue(exchange, message, queues, observed)

    def _publish_to_many(self, exchange: Exchange, message: Message) -> int:
        queues: list[Queue] = []
        observed = self._resolve(exchange, message, queues)
        for queue in queues:
            self._require_writable(queue)
        return self._enqueue(exchange, message, queues, observed)

    def _enqueue(
        self, exchange: Exchange, message: Message, queues: list[Queue], observed: int
    ) -> int:
        victims: list[Entry] = []
        takers: list[Queue] = []
        for queue in queues:
            if queue.choosy and self._declines(queue, message):
                continue
            takers.append(queue)
            out = queue.policy.make_room(queue, message, False)
            if out:
                victims.extend(out)
        self.dequeue(victims)
        for queue in takers:
            self._push(queue, message)
        return self._count_routed(exchange, message, len(queues) + observed)

    def readers_lag(self, message: Message, exchange_name: str) -> int:
        """How many messages wait, held by nobody, on the fullest queue ``message`` would reach.

        -1: it would reach no queue. For a producer that must not run ahead of its readers.
        """
        exchange = self.exchanges.get(exchange_name)
        if exchange is None:
            return -1
        return max((queue.available for queue in exchange.route(message)), default=-1)

    def _count_routed(self, exchange: Exchange, message: Message, copies: int) -> int:
        if copies:
            exchange.routed += copies
            exchange.routed_bytes += message.size * copies
        else:
            exchange.dropped += 1
            exchange.dropped_bytes += message.size
            self.discards_no_route += 1
        return copies

    def _resolve(self, exchange: Exchange, message: Message, queues: list[Queue]) -> int:
        """Fill ``queues`` for ``message``, trying alternates. Return 1 if the agent got it too."""
        following: Exchange | None = exchange
        while following is not None:
            seen = following.observe(message)
            if seen in (CONSUMED, COPIED) and len(self.agent_inbox) < AGENT_INBOX_MAX:
                self.agent_inbox.append(message)
                if seen == CONSUMED:
                    return 1
                queues.extend(following.route(message))
                return 1
            if seen != CONSUMED:
                queues.extend(following.route(message))
            if queues:
                return 0
            # Ends: an alternate exists before the exchange that names it, and outlives it.
            following = self.exchanges.get(following.alternate_exchange or "\0")
        return 0

    def _declines(self, queue: Queue, message: Message) -> bool:
        """Whether ``queue``, which is ``choosy``, does not take ``message``."""
        if queue.no_local and queue.is_local(message):
            return True
        selector = queue.settings.selector
        if selector is None:
            return False
        return not selector.matches(self.lookup(Entry(message, queue, queue.last_position + 1)))

    def _require_writable(self, queue: Queue) -> None:
        """Refuse to change a replicated queue on a replica."""
        if queue.number and not self.serving:
            raise BrokerError(
                Condition.NOT_ALLOWED,
                f"Queue {queue.name} is replicated: only the primary may change it",
            )

    def _push(self, queue: Queue, message: Message) -> None:
        entry = Entry(message, queue, queue.ordering.last_position + 1)
        if queue.recorded:
            self.journal.append(entry)
        queue.insert(entry)
        if message.available_at > self.now:
            self.delays.hold(entry)
        if not queue.dirty and (queue.consumers or queue.browsers):
            queue.dirty = True
            self._dirty.append(queue)

    def _mark_dirty(self, queue: Queue) -> None:
        if not queue.dirty and (queue.consumers or queue.browsers):
            queue.dirty = True
            self._dirty.append(queue)

    # Settling.

    def dequeue(self, entries: list[Entry]) -> None:
        """Remove ``entries`` for good (accept). Those that are gone already are ignored."""
        if not entries:
            return
        queue = entries[0].queue
        positions: list[int] = []
        for entry in entries:
            if entry.queue is not queue:
                self._dequeue_groups(entries)
                return
            if not entry.gone:
                positions.append(entry.position)
        self._remove(queue, positions)

    def _dequeue_groups(self, entries: list[Entry]) -> None:
        groups: dict[Queue, list[int]] = {}
        for entry in entries:
            if not entry.gone:
                groups.setdefault(entry.queue, []).append(entry.position)
        for queue, positions in groups.items():
            self._remove(queue, positions)

    def _remove(self, queue: Queue, positions: list[int]) -> None:
        if positions and not queue.deleted:
            if queue.recorded:
                self.journal.append(Dequeued(queue, positions))
            self._drop(queue, positions)

    def release(self, entries: list[Entry], redelivered: bool) -> None:
        """Make held ``entries`` available again at their original positions.

        ``redelivered`` false undoes the delivery in the count; at the end of a session or a
        connection pass True for all that is unsettled. Entries that nobody holds are ignored.
        """
        for entry in entries:
            queue = entry.queue
            if entry.gone or entry.holder is None or queue.deleted:
                continue
            entry.holder = None
            if not redelivered:
                entry.deliveries -= 1
            queue.held -= 1
            queue.releases += 1
            queue.ordering.released(entry)
            if queue.searches:
                queue.note_returned(entry.position)
            self._mark_dirty(queue)

    def amend(self, entry: Entry, message: Message) -> bool:
        """Give ``entry`` a message with more in it. False, and nothing, if its queue has no room.

        Times and properties of ``message`` must be those of the one that it replaces.
        """
        queue = entry.queue
        if entry.gone or queue.deleted:
            return False
        bytes_max = queue.policy.bytes_max
        if bytes_max and queue.bytes + message.size - entry.message.size > bytes_max:
            return False
        queue.amend(entry, message)
        if queue.journaled:
            self.journal.append(Amended(queue, entry.position, message))
        return True

    def reject(self, entries: list[Entry]) -> None:
        """Send ``entries`` to their queue's alternate exchange; drop them if it has none."""
        for entry in entries:
            queue = entry.queue
            if entry.gone or queue.deleted:
                continue
            if queue.alternate_exchange:
                self._reroute(queue, entry.message)
            else:
                queue.discards_subscriber += 1
        self.dequeue(entries)

    def _reroute(self, queue: Queue, message: Message) -> None:
        """Give a message of ``queue`` to its alternate exchange; limits do not apply."""
        exchange = self.exchanges.get(queue.alternate_exchange)
        if exchange is None:  # a replica may lack it
            return
        targets: list[Queue] = []
        self._resolve(exchange, message, targets)
        for target in targets:
            if target.number and not self.serving:
                continue  # a replica changes only what its primary tells
            if not target.deleted and not (target.choosy and self._declines(target, message)):
                victims = target.policy.make_room(target, message, True)
                if victims:
                    self.dequeue(victims)
                self._push(target, message)
        queue.reroutes += 1

    def acquire(self, entries: list[Entry], subscription: Subscription) -> list[Entry]:
        """Acquire browsed ``entries`` for ``subscription`` (message.acquire).

        Return those that were still available; the others belong to somebody else or are gone.
        """
        acquired: list[Entry] = []
        for entry in entries:
            queue = entry.queue
            if entry.gone or entry.holder is not None or queue.deleted:
                continue
            self._require_writable(queue)
            entry.holder = subscription
            entry.deliveries += 1
            queue.held += 1
            queue.acquires += 1
            acquired.append(entry)
        return acquired

    def _release_due(self) -> None:
        """Make what is due available, at its place."""
        for entry in self.delays.take_due(self.now):
            queue = entry.queue
            queue.ordering.released(entry)
            if queue.searches:
                queue.note_returned(entry.position)
            self._mark_dirty(queue)

    # Expiry.

    def expire(self, tests_max: int) -> bool:
        """Look at up to ``tests_max`` entries for expired ones, going on where it stopped.

        Return True when all queues have been seen: call again at the next purge interval; False:
        call again soon. Entries that somebody holds do not expire. Does nothing on a replica.
        """
        if not self.serving:
            return True
        if not self._sweep:
            self._sweep = [queue for queue in self.queues.values() if queue.expiring]
            self._sweep_position = 0
        while self._sweep:
            tests_max = self._sweep_queue(self._sweep[-1], tests_max)
            if tests_max <= 0:
                return False
            self._sweep.pop()
            self._sweep_position = 0
        return True

    def _sweep_queue(self, queue: Queue, tests_max: int) -> int:
        positions: list[int] = []
        while tests_max > 0 and queue.expiring and not queue.deleted:
            entry = queue.ordering.any_after(self._sweep_position)
            if entry is None:
                break
            tests_max -= 1
            self._sweep_position = entry.position
            if entry.holder is None and entry.message.expires_at <= self.now:
                positions.append(entry.position)
        self._remove_expired(queue, positions)
        return tests_max

    def _remove_expired(self, queue: Queue, positions: list[int]) -> None:
        queue.discards_ttl += len(positions)
        self._remove(queue, positions)
