"""Queues as managed objects (qpidd-compat 5.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

from tanist.core.broker import Broker
from tanist.core.notices import Actor
from tanist.core.queue import Queue
from tanist.management.broker_objects import VHOST_REFERENCE, traffic
from tanist.management.managed import ManagedObject, ObjectSource, WallClock, Work
from tanist.management.methods import purge_queue, reroute_queue
from tanist.management.schema import EXCHANGE, QUEUE
from tanist.wire.amqp010.values import Value

PURGE: Final = "purge"
REROUTE: Final = "reroute"


class QueueObject(ManagedObject):
    """A queue. Not counted, always 0: what the broker does not count, latencies, flow control.

    The highest and lowest of a number are not kept: they are what it is now.
    """

    def __init__(self, broker: Broker, queue: Queue, clock: WallClock) -> None:
        super().__init__(QUEUE, queue.name, clock.ns(queue.created_at))
        self._broker = broker
        self._queue = queue

    def values(self) -> dict[str, Value]:
        """See ``schema.QUEUE``. Every queue is bound to the default exchange as well."""
        queue = self._queue
        alternate = queue.alternate_exchange
        consumers = queue.subscription_count
        bindings = len(queue.bindings) + 1
        values: dict[str, Value] = {
            "vhostRef": VHOST_REFERENCE,
            "name": queue.name,
            "durable": queue.durable,
            "autoDelete": queue.auto_delete,
            "exclusive": queue.exclusive,
            "arguments": cast(dict[str, Value], queue.arguments),
            "altExchange": EXCHANGE.reference(alternate) if alternate else None,
        }
        values.update(
            traffic(
                queue.enqueues,
                queue.enqueued_bytes,
                queue.dequeues,
                queue.dequeued_bytes,
                queue.acquires,
                queue.releases,
                queue.reroutes,
                queue.discards_ttl,
                queue.discards_ring,
                queue.discards_overflow,
                queue.discards_subscriber,
                queue.discards_purge,
            )
        )
        values.update(
            {
                "consumerCount": consumers,
                "consumerCountHigh": consumers,
                "consumerCountLow": consumers,
                "bindingCount": bindings,
                "bindingCountHigh": bindings,
                "bindingCountLow": bindings,
                "unackedMessages": queue.held,
                "unackedMessagesHigh": queue.held,
                "unackedMessagesLow": queue.held,
                "messageLatencyCount": 0,
                "messageLatencyMin": 0,
                "messageLatencyMax": 0,
                "messageLatencyAvg": 0,
                "flowStopped": False,
                "flowStoppedCount": 0,
                "redirectPeer": "",
                "redirectSource": False,
                "creator": queue.creator,
            }
        )
        return values

    def methods(self) -> tuple[str, ...]:
        """purge, reroute."""
        return (PURGE, REROUTE)

    def changes(self, method: str) -> bool:
        """Both do."""
        return True

    def call(
        self, method: str, arguments: dict[str, Value], actor: Actor
    ) -> dict[str, Value] | Work:
        """See ``methods``."""
        if method == PURGE:
            return purge_queue(self._broker, self._queue.name, arguments)
        return reroute_queue(self._broker, self._queue.name, arguments)


class QueueSource(ObjectSource):
    """All queues."""

    def __init__(self, broker: Broker, clock: WallClock) -> None:
        super().__init__(QUEUE)
        self._broker = broker
        self._clock = clock

    def objects(self) -> Iterator[ManagedObject]:
        """Those that are there now, less those that go until their turn comes."""
        for queue in list(self._broker.queues.values()):
            if not queue.deleted:
                yield QueueObject(self._broker, queue, self._clock)

    def find(self, key: str) -> ManagedObject | None:
        """The queue called ``key``."""
        queue = self._broker.queues.get(key)
        return None if queue is None else QueueObject(self._broker, queue, self._clock)
