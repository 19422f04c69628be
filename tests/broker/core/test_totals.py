"""Sums over queues, those that are gone included."""

from __future__ import annotations

from tanist.core.totals import Totals
from tanist.types import Condition
from tests.broker.core.core_model import (
    actor,
    bodies,
    consume,
    make_broker,
    message,
    publish,
    refused,
)


def test_sums_never_fall() -> None:
    broker = make_broker()
    for name in ("q", "r", "idle"):
        broker.declare_queue(name, actor())
    publish(broker, b"12", b"34")
    publish(broker, b"5", key="r")
    subscription, sink = consume(broker, credit=1)
    broker.dispatch()
    broker.release([sink.got[0]], redelivered=True)
    broker.cancel(subscription)
    broker.purge("r", actor())

    def sums() -> tuple[int, ...]:
        total = broker.retired.with_queues(broker.queues.values())
        return (
            total.enqueues,
            total.enqueued_bytes,
            total.acquires,
            total.releases,
            total.discards_purge,
        )

    assert sums() == (3, 5, 1, 1, 1)
    total = broker.retired.with_queues(broker.queues.values())
    assert (total.dequeues, total.dequeued_bytes) == (1, 1)
    broker.delete_queue("q", actor())
    assert sums() == (3, 5, 1, 1, 1)
    total = broker.retired.with_queues(broker.queues.values())
    assert (total.dequeues, total.dequeued_bytes) == (3, 5), "what was on it left with it"
    assert broker.abandoned == 2


def test_refusals_of_an_unused_queue_count() -> None:
    broker = make_broker(queue_limit_bytes=1)
    broker.declare_queue("q", actor())
    with refused(Condition.RESOURCE_LIMIT_EXCEEDED):
        publish(broker, b"too long")
    assert broker.retired.with_queues(broker.queues.values()).discards_overflow == 1


def test_abandoned_to_the_alternate_exchange() -> None:
    broker = make_broker()
    broker.declare_queue("r", actor())
    broker.bind("amq.fanout", "r", "", None, actor())
    broker.declare_queue("q", actor(), alternate_exchange="amq.fanout")
    publish(broker, b"1", b"2")
    broker.delete_queue("q", actor())
    assert bodies(broker, "r") == [b"1", b"2"]
    assert (broker.abandoned, broker.abandoned_via_alternate) == (0, 2)
    assert broker.retired.with_queues([]).reroutes == 2


def test_a_sum_is_a_copy() -> None:
    first = Totals()
    first.with_queues([]).enqueues = 7
    assert first.enqueues == 0


def test_created_at_is_the_time_of_creation() -> None:
    broker = make_broker(ha=True)
    broker.now = 5.0
    queue = broker.declare_queue("q", actor())
    exchange = broker.declare_exchange("x", "direct", actor())
    broker.now = 6.0
    broker.bind("x", "q", "k", None, actor())
    (binding,) = exchange.bindings.values()
    subscription, _ = consume(broker)
    created = [each.created_at for each in (queue, exchange, binding, subscription)]
    assert created == [5.0, 5.0, 6.0, 6.0]
    assert broker.exchanges["amq.topic"].created_at == 0.0


def test_how_far_readers_lag() -> None:
    broker = make_broker()
    broker.declare_queue("q", actor())
    assert broker.readers_lag(message(), "missing") == -1
    assert broker.readers_lag(message(key="nobody"), "") == -1
    assert broker.readers_lag(message(), "") == 0
    publish(broker, b"1", b"2")
    consume(broker, credit=1)
    broker.dispatch()
    assert broker.readers_lag(message(), "") == 1
