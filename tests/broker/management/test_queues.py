"""Queues as objects."""

from __future__ import annotations

from tanist.core.broker import Broker
from tanist.management.queues import QueueObject, QueueSource
from tests.broker.core.core_model import actor, bodies, consume, make_broker, publish
from tests.broker.management.management_model import (
    ADMIN,
    STARTED,
    WALL_S,
    a_clock,
    finish,
    has_all_fields,
    keys,
)


def shown(broker: Broker, name: str = "q") -> QueueObject:
    found = QueueSource(broker, a_clock()).find(name)
    assert isinstance(found, QueueObject)
    return found


def test_a_queue_says_what_it_is() -> None:
    broker = make_broker(ha=True)
    broker.now = STARTED + 5.0
    broker.declare_exchange("alt", "fanout", actor())
    broker.declare_queue(
        "q",
        actor(),
        durable=True,
        auto_delete=True,
        alternate_exchange="alt",
        arguments={"qpid.max_count": 3},
    )
    managed = shown(broker)
    assert managed.name == "org.apache.qpid.broker:queue:q"
    assert managed.created_ns == int((WALL_S + 5) * 10**9)
    assert has_all_fields(managed)
    values = managed.values()
    assert values["vhostRef"] == {
        "_object_name": "org.apache.qpid.broker:vhost:org.apache.qpid.broker:broker:amqp-broker,/"
    }
    assert values["altExchange"] == {"_object_name": "org.apache.qpid.broker:exchange:alt"}
    assert (values["durable"], values["autoDelete"], values["exclusive"]) == (True, True, False)
    arguments = values["arguments"]
    assert isinstance(arguments, dict)
    assert (arguments["qpid.max_count"], arguments["qpid.replicate"]) == (3, "all")
    assert values["creator"] == "guest"


def test_a_plain_queue_has_no_alternate_exchange() -> None:
    broker = make_broker()
    broker.declare_queue("q", actor())
    managed = shown(broker)
    assert has_all_fields(managed)
    assert managed.values()["altExchange"] is None


def test_a_queue_says_what_it_counted() -> None:
    broker = make_broker()
    broker.declare_queue("q", actor())
    broker.bind("amq.topic", "q", "k", None, actor())
    publish(broker, b"12", b"34", b"5")
    subscription, sink = consume(broker, credit=2)
    broker.dispatch()
    broker.dequeue(sink.got[:1])
    values = shown(broker).values()
    wanted = {
        "msgTotalEnqueues": 3,
        "msgTotalDequeues": 1,
        "byteTotalEnqueues": 5,
        "byteTotalDequeues": 2,
        "msgDepth": 2,
        "byteDepth": 3,
        "acquires": 2,
        "releases": 0,
        "consumerCount": 1,
        "bindingCount": 2,
        "bindingCountHigh": 2,
        "bindingCountLow": 2,
        "unackedMessages": 1,
        "flowStopped": False,
    }
    assert {name: values[name] for name in wanted} == wanted
    broker.release(sink.got[1:], redelivered=True)
    broker.cancel(subscription)
    values = shown(broker).values()
    assert (values["releases"], values["consumerCount"], values["unackedMessages"]) == (1, 0, 0)


def test_purge_and_reroute_are_methods_that_change_something() -> None:
    broker = make_broker()
    for name in ("q", "r"):
        broker.declare_queue(name, actor())
    broker.bind("amq.fanout", "r", "", None, actor())
    publish(broker, b"1", b"2")
    managed = shown(broker)
    assert all(managed.changes(method) for method in managed.methods())
    finish(managed.call("purge", {"request": 1}, ADMIN))
    finish(managed.call("reroute", {"request": 0, "exchange": "amq.fanout"}, ADMIN))
    assert (bodies(broker), bodies(broker, "r")) == ([], [b"2"])


def test_all_queues() -> None:
    broker = make_broker()
    for name in ("q", "r", "s"):
        broker.declare_queue(name, actor())
    source = QueueSource(broker, a_clock())
    assert keys(source.objects()) == ["q", "r", "s"]
    assert source.find("t") is None
    objects = source.objects()
    first = next(objects)
    broker.delete_queue("r", actor())
    broker.declare_queue("t", actor())
    assert [first.key, *keys(objects)] == ["q", "s"], "gone is gone; what is new was not asked for"
