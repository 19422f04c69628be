"""What the tests of the core share: a recording sink, a broker to play with, a wire for records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from uuid import UUID

import pytest

from tanist.core.broker import Broker, BrokerConfig
from tanist.core.message import NEVER, Message
from tanist.core.notices import Actor
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
from tanist.core.subscription import Sink, Subscription
from tanist.types import CREDIT_UNLIMITED, BrokerError, Condition, ReplicationLevel


class RecordingSink(Sink):
    """Keeps what it is given; ``room`` limits it, ``broker`` dequeues at once."""

    def __init__(self, broker: Broker | None = None, room: int = 1 << 30) -> None:
        self.got: list[Entry] = []
        self.flags: list[bool] = []
        self.closings: list[Subscription] = []
        self.room = room
        self.broker = broker
        self.flushes = 0

    def ready(self) -> bool:
        return self.room > 0

    def deliver(self, subscription: Subscription, entry: Entry) -> None:
        self.room -= 1
        self.got.append(entry)
        self.flags.append(entry.redelivered)
        if self.broker is not None:
            self.broker.dequeue([entry])

    def flushed(self, subscription: Subscription) -> None:
        self.flushes += 1

    def closed(self, subscription: Subscription) -> None:
        self.closings.append(subscription)

    @property
    def bodies(self) -> list[bytes]:
        return [entry.message.body for entry in self.got]


def uuids() -> Iterator[UUID]:
    number = 0
    while True:
        number += 1
        yield UUID(int=number)


def headers_of(message: Message) -> Mapping[str, object]:
    """Test headers: ``name=value;name=value`` in the header bytes."""
    pairs = [pair.split("=") for pair in message.header.decode().split(";") if pair]
    return {name: value for name, value in pairs}


def make_broker(
    ha: bool = False,
    serving: bool = True,
    level: ReplicationLevel = ReplicationLevel.ALL,
    failover: Message | None = None,
    queue_limit_bytes: int = 104_857_600,
    followed: bool = True,
) -> Broker:
    ids = uuids()
    broker = Broker(
        BrokerConfig(ha, level, queue_limit_bytes, True, "agent:1", followed=followed),
        lambda: next(ids),
        headers_of,
        lambda: failover,
    )
    if ha and serving:
        broker.promote()
    return broker


def actor(owner: object | None = None, origin: int = 0) -> Actor:
    return Actor("guest", "host:1", owner, origin)


def message(
    body: bytes = b"body",
    key: str = "q",
    exchange: str = "",
    header: bytes = b"",
    expires_at: float = NEVER,
    origin: int = 0,
) -> Message:
    return Message(header, body, exchange, key, expires_at=expires_at, origin=origin)


def publish(broker: Broker, *bodies: bytes, key: str = "q", exchange: str = "") -> None:
    for body in bodies:
        broker.publish(message(body, key, exchange), exchange)


def consume(
    broker: Broker,
    queue: str = "q",
    credit: int = CREDIT_UNLIMITED,
    sink: RecordingSink | None = None,
    acquire: bool = True,
    by: Actor | None = None,
    exclusive: bool = False,
) -> tuple[Subscription, RecordingSink]:
    sink = sink or RecordingSink()
    who = by or actor(object())
    subscription = broker.subscribe(queue, "d", sink, acquire, exclusive, {}, who)
    if credit:
        broker.flow(subscription, 0, credit)
    broker.flow(subscription, 1, CREDIT_UNLIMITED)
    return subscription, sink


def bodies(broker: Broker, queue: str = "q") -> list[bytes]:
    return [entry.message.body for entry in broker.queues[queue].entries()]


class Refused:
    """``with refused(Condition.X):`` the block must raise a BrokerError of that condition."""

    def __init__(self, condition: Condition) -> None:
        self.condition = condition
        self._context = pytest.raises(BrokerError)

    def __enter__(self) -> None:
        self._info = self._context.__enter__()

    def __exit__(self, *exc: object) -> bool:
        done = self._context.__exit__(*exc)  # type: ignore[arg-type]
        assert self._info.value.condition is self.condition, self._info.value.text
        return bool(done)


def refused(condition: Condition) -> Refused:
    return Refused(condition)


def copy_record(record: Record, broker: Broker) -> Record:
    """The record as it would come off the wire at ``broker``: equal facts, no shared object."""
    if isinstance(record, Entry):
        old = record.message
        fresh = Message(
            old.header,
            old.body,
            old.exchange,
            old.routing_key,
            old.durable,
            old.priority,
            old.expires_at,
            old.redelivered,
            old.bodiless,
            form=old.form,
            available_at=old.available_at,
        )
        return Entry(fresh, broker.queues_by_number[record.queue.number], record.position)
    if isinstance(record, Amended):
        again = copy_record(Entry(record.message, record.queue, record.position), broker)
        assert isinstance(again, Entry)
        return Amended(again.queue, again.position, again.message)
    if isinstance(record, Dequeued):
        return Dequeued(broker.queues_by_number[record.queue.number], list(record.positions))
    if isinstance(record, QueueDeclared):
        return QueueDeclared(
            record.name,
            record.number,
            record.durable,
            record.exclusive,
            record.auto_delete,
            record.alternate_exchange,
            dict(record.arguments),
        )
    if isinstance(record, QueueUsed):
        return QueueUsed(record.name, record.number)
    if isinstance(record, QueueDeleted):
        return QueueDeleted(record.name, record.number)
    if isinstance(record, SourceSet):
        return SourceSet(record.name, record.number, record.url, record.lineage)
    if isinstance(record, Copied):
        return Copied(record.name, record.number, list(record.came), list(record.went))
    if isinstance(record, ExchangeDeclared):
        return ExchangeDeclared(
            record.name,
            record.type,
            record.durable,
            record.alternate_exchange,
            dict(record.arguments),
            record.auto_delete,
        )
    if isinstance(record, ExchangeDeleted):
        return ExchangeDeleted(record.name)
    if isinstance(record, Bound):
        return Bound(record.exchange, record.queue, record.key, dict(record.arguments))
    assert isinstance(record, Unbound)
    return Unbound(record.exchange, record.queue, record.key)


def feed(replica: Broker, records: Iterable[Record]) -> None:
    for record in records:
        replica.apply(copy_record(record, replica))


def join(primary: Broker, replica: Broker) -> None:
    """Bring an empty replica to where the primary is: configuration, then old messages."""
    feed(replica, primary.configuration())
    fill(primary, replica)


def fill(primary: Broker, replica: Broker) -> None:
    """Give the replica the primary's messages as they are now."""
    for queue in primary.queues_by_number.values():
        if queue.journaled:
            for entry in queue.entries():
                copied = copy_record(entry, replica)
                assert isinstance(copied, Entry)
                replica.fill(copied)


def replicate(primary: Broker, replica: Broker) -> None:
    """Drain the primary's journal into the replica."""
    records = primary.journal
    primary.journal = []
    feed(replica, records)


def replicated_state(broker: Broker) -> dict[str, object]:
    """All that replicas must agree on."""
    return {
        "exchanges": {
            exchange.name: (
                exchange.type,
                exchange.durable,
                exchange.alternate_exchange,
                exchange.arguments,
                exchange.auto_delete,
            )
            for exchange in broker.exchanges.values()
            if exchange.replicated
        },
        "queues": {
            number: (
                queue.name,
                queue.durable,
                queue.auto_delete,
                queue.alternate_exchange,
                queue.arguments,
                queue.level,
                queue.auto_delete and queue.used,
                (queue.last_position, queue.count, queue.bytes, queue.digest())
                if queue.journaled
                else None,
                (queue.source.url, queue.source.lineage, queue.source.copies.runs())
                if queue.source is not None
                else None,
            )
            for number, queue in broker.queues_by_number.items()
        },
        "bindings": {
            (exchange.name, *identity): (binding.key, binding.arguments)
            for exchange in broker.exchanges.values()
            for identity, binding in exchange.bindings.items()
            if binding.replicated
        },
    }
