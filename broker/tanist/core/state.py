"""The replicated state of a broker, and ``apply``: the one function that changes it.

``State`` is memory only. On a replica the HA layer feeds it records; on the primary ``Messages``
and ``Broker``, which build on it, make the same records from commands and call the same functions
below, for objects that are not replicated too. Nothing here delivers, expires, reroutes,
auto-deletes, journals or announces (architecture.md section 2; qpidd-compat 6.2, 7.4).

Alternate exchanges are kept by name and resolved when used, because a replica may not have them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from tanist.core.arguments import REPLICATE, explicit_level, queue_settings
from tanist.core.delaying import Delays
from tanist.core.exchange import (
    Binding,
    DefaultExchange,
    Exchange,
    FailoverExchange,
    FanoutExchange,
    HeadersExchange,
    ManagementDirectExchange,
    ManagementTopicExchange,
    TopicExchange,
)
from tanist.core.message import Message
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
from tanist.core.source import Run, Source
from tanist.core.totals import Totals
from tanist.types import BrokerError, Condition, ReplicationLevel

REPLICATED_QUEUES_MAX: Final = 65_434
"""Queues that are replicated: the limit of the original, whose links have a channel for each."""

QUEUE_LIMIT_BYTES: Final = 104_857_600
"""default-queue-limit of the original (qpidd-compat 1.5)."""

EXCHANGE_TYPES: Final = ("direct", "topic", "fanout", "headers")
"""What clients may declare."""

FAILOVER: Final = "amq.failover"

RUNS_PER_RECORD: Final = 4096
"""Runs of copied messages in one record: some hundred kilobytes."""


@dataclass(frozen=True)
class BrokerConfig:
    """Settings of the core."""

    ha: bool = False
    """Replicate: objects get numbers, ``qpid.replicate`` and ``qpid.ha-uuid``; not serving until
    ``promote``."""
    default_level: ReplicationLevel = ReplicationLevel.NONE
    """Level of objects without ``qpid.replicate`` (ha-replicate)."""
    queue_limit_bytes: int = QUEUE_LIMIT_BYTES
    """Size limit of queues without ``qpid.max_size``, bytes, 0 = none."""
    failover_exchange: bool = False
    """Whether amq.failover exists (ha-cluster)."""
    agent_name: str = ""
    """The management agent's own key on qmf.default.direct."""
    replicated_queues_max: int = REPLICATED_QUEUES_MAX
    followed: bool = False
    """Whether queues may be copied elsewhere (ha-cluster or ha-queue-replication)."""


class State:
    """Queues, exchanges and bindings.

    ``queues_by_number`` has the replicated queues. ``alternate_uses``: how many objects name an
    exchange as their alternate. ``now``: monotonic seconds, set by the node at each step, and
    ``wall_offset_s``: Unix time minus that, set when it starts. ``delays``: what waits for its
    time. ``retired``: what queues that are gone had counted.
    """

    __slots__ = (
        "_headers_of",
        "alternate_uses",
        "config",
        "default_exchange",
        "delays",
        "exchanges",
        "next_number",
        "now",
        "queues",
        "queues_by_number",
        "retired",
        "wall_offset_s",
    )

    def __init__(
        self, config: BrokerConfig, headers_of: Callable[[Message], Mapping[str, object]]
    ) -> None:
        self.config = config
        self._headers_of = headers_of
        self.now = 0.0
        self.wall_offset_s = 0.0
        self.delays = Delays()
        self.retired = Totals()
        self.queues: dict[str, Queue] = {}
        self.queues_by_number: dict[int, Queue] = {}
        self.exchanges: dict[str, Exchange] = {}
        self.alternate_uses: dict[str, int] = {}
        self.next_number = 1
        self.default_exchange = DefaultExchange("", "direct", True, "", {}, True, False)
        self._add_builtin_exchanges()

    def _add_builtin_exchanges(self) -> None:
        self.exchanges[""] = self.default_exchange
        for type, name in (
            ("direct", "amq.direct"),
            ("topic", "amq.topic"),
            ("fanout", "amq.fanout"),
            ("headers", "amq.match"),
        ):
            self.exchanges[name] = self._new_exchange(name, type, True, "", {}, True, False)
        for name in ("qpid.management", "qmf.default.topic"):
            self.exchanges[name] = ManagementTopicExchange(
                name, "management-topic", {REPLICATE: "none"}
            )
        self.exchanges["qmf.default.direct"] = ManagementDirectExchange(
            "qmf.default.direct", "management-direct", {REPLICATE: "none"}, self.config.agent_name
        )
        if self.config.failover_exchange:
            self.exchanges[FAILOVER] = FailoverExchange(
                FAILOVER, FAILOVER, False, "", {}, True, False
            )

    def _new_exchange(
        self,
        name: str,
        type: str,
        durable: bool,
        alternate: str,
        arguments: dict[str, object],
        builtin: bool,
        replicated: bool,
    ) -> Exchange:
        if type == "direct":
            return Exchange(name, type, durable, alternate, arguments, builtin, replicated)
        if type == "topic":
            return TopicExchange(name, type, durable, alternate, arguments, builtin, replicated)
        if type == "fanout":
            return FanoutExchange(name, type, durable, alternate, arguments, builtin, replicated)
        if type == "headers":
            return HeadersExchange(
                name, type, durable, alternate, arguments, builtin, replicated, self._headers_of
            )
        raise BrokerError(
            Condition.NOT_FOUND,
            f"Exchange type not implemented: {type} (use one of {', '.join(EXCHANGE_TYPES)})",
        )

    def apply(self, record: Record) -> None:
        """Do to memory what ``record`` says; replicas only.

        ``Entry`` and ``Dequeued`` must carry a queue of this broker (``queues_by_number``).
        Raises: BrokerError (ILLEGAL_STATE) when the record cannot follow what was applied before;
        the caller must then stop, its state is not the primary's.
        """
        if isinstance(record, Entry):
            queue = record.queue
            if record.position <= queue.ordering.last_position or queue.deleted:
                raise _impossible(f"position {record.position} of queue {queue.name}")
            queue.insert(record)
            if record.message.available_at > self.now:
                self.delays.hold(record)
        elif isinstance(record, Dequeued):
            self._drop(record.queue, record.positions)
            record.queue.skip(max(record.positions, default=0))
        elif isinstance(record, Amended):
            present = record.queue.at(record.position)
            if present is not None:
                record.queue.amend(present, record.message)
        else:
            self._apply_configuration(record)

    def fill(self, entry: Entry) -> None:
        """Put in a message that was on the primary's queue before this replica followed it.

        Old messages come in between the records of what happens now: the position is not above
        ``last_position``, and the entry may be here already.
        Raises: BrokerError (ILLEGAL_STATE) for a position that the queue has not come to.
        """
        queue = entry.queue
        if entry.position > queue.last_position:
            raise _impossible(f"old position {entry.position} of queue {queue.name}")
        if queue.at(entry.position) is None:
            queue.fill(entry)
            if entry.message.available_at > self.now:
                self.delays.hold(entry)

    def _apply_configuration(self, record: Record) -> None:
        if isinstance(record, QueueDeclared):
            if record.number <= 0 or record.number in self.queues_by_number:
                raise _impossible(f"number {record.number} of new queue {record.name}")
            present = self.queues.get(record.name)
            if present is not None:
                self._remove_queue(present)
            self._add_queue(record)
        elif isinstance(record, QueueUsed):
            self._replicated_queue(record.name).used = True
        elif isinstance(record, SourceSet):
            self._set_source(self._replicated_queue(record.name), record.url, record.lineage)
        elif isinstance(record, Copied):
            self._note_copied(self._replicated_queue(record.name), record.came, record.went)
        elif isinstance(record, QueueDeleted):
            self._remove_queue(self._replicated_queue(record.name))
        elif isinstance(record, ExchangeDeclared):
            there = self.exchanges.get(record.name)
            if there is not None:
                self._remove_exchange(self._removable_exchange(record.name))
            self._add_exchange(record, True)
        elif isinstance(record, ExchangeDeleted):
            self._remove_exchange(self._removable_exchange(record.name))
        elif isinstance(record, Bound):
            exchange = self._known_exchange(record.exchange)
            queue = self._replicated_queue(record.queue)
            self._add_binding(exchange, queue, record.key, record.arguments, True)
        elif isinstance(record, Unbound):
            exchange = self._known_exchange(record.exchange)
            queue = self._replicated_queue(record.queue)
            self._remove_binding(exchange, queue, record.key)
        else:
            raise _impossible(f"record of kind {record.KIND}")

    def _replicated_queue(self, name: str) -> Queue:
        queue = self.queues.get(name)
        if queue is None or not queue.number:
            raise _impossible(f"queue {name}, which is not here")
        return queue

    def _known_exchange(self, name: str) -> Exchange:
        exchange = self.exchanges.get(name)
        if exchange is None:
            raise _impossible(f"exchange {name}, which is not here")
        return exchange

    def _removable_exchange(self, name: str) -> Exchange:
        exchange = self._known_exchange(name)
        if exchange.builtin:
            raise _impossible(f"exchange {name}, which is built in")
        return exchange

    # The memory functions: primary and replica call these and no others.

    def _drop(self, queue: Queue, positions: list[int]) -> None:
        delayed = queue.delayed
        queue.remove(positions)
        if delayed:
            self.delays.lose(delayed - queue.delayed)

    def _add_queue(self, record: QueueDeclared) -> Queue:
        level = explicit_level(record.arguments) or ReplicationLevel.NONE
        queue = Queue(
            record.name,
            record.number,
            record.durable,
            record.exclusive,
            record.auto_delete,
            record.alternate_exchange,
            record.arguments,
            level,
            queue_settings(record.arguments, self.config.queue_limit_bytes),
            self.now,
        )
        self.queues[record.name] = queue
        self.default_exchange.routes[record.name] = [queue]
        if record.number:
            self.queues_by_number[record.number] = queue
            self.next_number = max(self.next_number, record.number + 1)
        self._use_alternate(record.alternate_exchange, 1)
        return queue

    def _remove_queue(self, queue: Queue) -> None:
        for binding in list(queue.bindings.values()):
            binding.exchange.discard(queue, binding.exchange.identity(binding.key))
        del self.queues[queue.name]
        del self.default_exchange.routes[queue.name]
        if queue.number:
            del self.queues_by_number[queue.number]
        self._use_alternate(queue.alternate_exchange, -1)
        self.retired.add(queue, True)
        queue.deleted = True
        if queue.delayed:
            self.delays.lose(queue.delayed)
            queue.delayed = 0
        queue.forget()
        for subscription in queue.subscriptions:
            subscription.closed = True

    def _set_source(self, queue: Queue, url: str, lineage: UUID | None) -> None:
        if queue.source is None:
            queue.source = Source(url, lineage)
        elif queue.source.lineage in (None, lineage):
            queue.source.url = url
            queue.source.last_url = url or queue.source.last_url
            queue.source.lineage = lineage
        else:
            queue.source = Source(url, lineage)

    def _note_copied(self, queue: Queue, came: list[Run], went: list[tuple[int, int]]) -> None:
        source = queue.source
        if source is not None:
            for first, last in went:
                source.copies.take(first, last)
            for first_id, position, count in came:
                source.copies.add(first_id, position, count)

    def _add_exchange(self, record: ExchangeDeclared, replicated: bool) -> Exchange:
        exchange = self._new_exchange(
            record.name,
            record.type,
            record.durable,
            record.alternate_exchange,
            record.arguments,
            False,
            replicated,
        )
        exchange.auto_delete = record.auto_delete
        exchange.created_at = self.now
        self.exchanges[record.name] = exchange
        self._use_alternate(record.alternate_exchange, 1)
        return exchange

    def _remove_exchange(self, exchange: Exchange) -> None:
        for binding in list(exchange.bindings.values()):
            exchange.discard(binding.queue, exchange.identity(binding.key))
        del self.exchanges[exchange.name]
        self._use_alternate(exchange.alternate_exchange, -1)

    def _use_alternate(self, name: str, change: int) -> None:
        if name:
            uses = self.alternate_uses.get(name, 0) + change
            if uses:
                self.alternate_uses[name] = uses
            else:
                del self.alternate_uses[name]

    def _add_binding(
        self,
        exchange: Exchange,
        queue: Queue,
        key: str,
        arguments: dict[str, object],
        replicated: bool,
    ) -> None:
        if (queue.name, exchange.identity(key)) not in exchange.bindings:
            exchange.add(Binding(exchange, queue, key, arguments, replicated, self.now))

    def _remove_binding(self, exchange: Exchange, queue: Queue, key: str) -> None:
        identity = exchange.identity(key)
        if (queue.name, identity) in exchange.bindings:
            exchange.discard(queue, identity)

    # Whole state.

    def configuration(self) -> list[Record]:
        """Records that make all that is replicated but the messages, for an empty replica.

        They say where the numbering of each queue stands: whoever is promoted must go on where the
        primary was, others may have seen more. The messages follow (``fill``).
        """
        records: list[Record] = [
            ExchangeDeclared(
                exchange.name,
                exchange.type,
                exchange.durable,
                exchange.alternate_exchange,
                exchange.arguments,
                exchange.auto_delete,
            )
            for exchange in self.exchanges.values()
            if exchange.replicated
        ]
        queues = list(self.queues_by_number.values())
        for queue in queues:
            self._describe_queue(queue, records)
        for queue in queues:
            if queue.journaled and queue.last_position:
                records.append(Dequeued(queue, [queue.last_position]))
        return records

    def _describe_queue(self, queue: Queue, records: list[Record]) -> None:
        records.append(
            QueueDeclared(
                queue.name,
                queue.number,
                queue.durable,
                queue.exclusive,
                queue.auto_delete,
                queue.alternate_exchange,
                queue.arguments,
            )
        )
        if queue.used:
            records.append(QueueUsed(queue.name, queue.number))
        self._describe_source(queue, records)
        for binding in queue.bindings.values():
            if binding.replicated:
                records.append(
                    Bound(binding.exchange.name, queue.name, binding.key, binding.arguments)
                )

    def _describe_source(self, queue: Queue, records: list[Record]) -> None:
        source = queue.source
        if source is None:
            return
        name, number = queue.name, queue.number
        records.append(SourceSet(name, number, source.url, source.lineage))
        runs = source.copies.runs()
        for at in range(0, len(runs) if queue.journaled else 0, RUNS_PER_RECORD):
            records.append(Copied(name, number, runs[at : at + RUNS_PER_RECORD], []))

    def clear_replicated(self) -> None:
        """Forget every replicated object. The caller applies a snapshot next."""
        for queue in list(self.queues_by_number.values()):
            self._remove_queue(queue)
        for exchange in list(self.exchanges.values()):
            if exchange.replicated:
                self._remove_exchange(exchange)


def _impossible(what: str) -> BrokerError:
    return BrokerError(
        Condition.ILLEGAL_STATE, f"Replication is broken: the primary's log names {what}"
    )
