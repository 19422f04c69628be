"""Exchanges and bindings as objects."""

from __future__ import annotations

import pytest

from tanist.core.broker import Broker
from tanist.management.exchanges import BindingSource, ExchangeSource
from tanist.management.managed import ManagedObject
from tests.broker.core.core_model import actor, make_broker, publish
from tests.broker.management.management_model import (
    STARTED,
    WALL_S,
    a_clock,
    has_all_fields,
    keys,
)


def exchange(broker: Broker, name: str) -> ManagedObject:
    found = ExchangeSource(broker, a_clock()).find(name)
    assert found is not None
    return found


def bindings(broker: Broker) -> list[ManagedObject]:
    return list(BindingSource(broker, a_clock()).objects())


def test_an_exchange_says_what_it_is_and_counted() -> None:
    broker = make_broker(ha=True)
    broker.now = STARTED + 1.0
    broker.declare_exchange("x", "direct", actor(), durable=True, alternate_exchange="amq.fanout")
    broker.declare_queue("q", actor())
    broker.bind("x", "q", "q", None, actor())
    publish(broker, b"12", exchange="x")
    publish(broker, b"345", exchange="x", key="nobody")
    managed = exchange(broker, "x")
    assert managed.name == "org.apache.qpid.broker:exchange:x"
    assert managed.created_ns == int((WALL_S + 1) * 10**9)
    assert has_all_fields(managed)
    values = managed.values()
    wanted = {
        "type": "direct",
        "durable": True,
        "autoDelete": False,
        "altExchange": {"_object_name": "org.apache.qpid.broker:exchange:amq.fanout"},
        "bindingCount": 1,
        "msgReceives": 2,
        "msgRoutes": 1,
        "msgDrops": 1,
        "byteReceives": 5,
        "byteRoutes": 2,
        "byteDrops": 3,
        "producerCount": 0,
    }
    assert {name: values[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("qpid.management", "topic"),
        ("qmf.default.topic", "topic"),
        ("qmf.default.direct", "direct"),
        ("amq.match", "headers"),
        ("amq.failover", "amq.failover"),
        ("", "direct"),
    ],
)
def test_types_of_built_in_exchanges(name: str, shown: str) -> None:
    managed = exchange(make_broker(), name)
    assert has_all_fields(managed)
    assert managed.values()["type"] == shown
    assert managed.created_ns == int(WALL_S * 10**9)


def test_the_default_exchange_binds_every_queue() -> None:
    broker = make_broker()
    for name in ("q", "r"):
        broker.declare_queue(name, actor())
    assert exchange(broker, "").values()["bindingCount"] == 2


def test_all_exchanges() -> None:
    broker = make_broker()
    broker.declare_exchange("x", "direct", actor())
    source = ExchangeSource(broker, a_clock())
    assert set(keys(source.objects())) == set(broker.exchanges)
    assert source.find("y") is None
    objects = source.objects()
    next(objects)
    broker.delete_exchange("x", actor())
    assert "x" not in keys(objects)


def test_a_binding_says_what_it_binds() -> None:
    broker = make_broker()
    broker.declare_queue("q", actor())
    broker.now = STARTED + 2.0
    broker.bind("amq.match", "q", "k", {"x-match": "all", "n": 1}, actor())
    own, bound = bindings(broker)
    assert own.name == (
        "org.apache.qpid.broker:binding:"
        "org.apache.qpid.broker:exchange:,org.apache.qpid.broker:queue:q,q"
    )
    assert bound.key == "org.apache.qpid.broker:exchange:amq.match,org.apache.qpid.broker:queue:q,k"
    assert bound.created_ns == int((WALL_S + 2) * 10**9)
    assert has_all_fields(bound)
    assert bound.values() == {
        "exchangeRef": {"_object_name": "org.apache.qpid.broker:exchange:amq.match"},
        "queueRef": {"_object_name": "org.apache.qpid.broker:queue:q"},
        "bindingKey": "k",
        "arguments": {"x-match": "all", "n": 1},
        "origin": None,
        "msgMatched": 0,
    }


def test_bindings_that_go_are_left_out() -> None:
    broker = make_broker()
    for name in ("q", "r"):
        broker.declare_queue(name, actor())
        for key in ("a", "b"):
            broker.bind("amq.direct", name, key, None, actor())
    objects = BindingSource(broker, a_clock()).objects()
    next(objects)
    broker.delete_queue("r", actor())
    rest = list(objects)
    assert [managed.values()["bindingKey"] for managed in rest] == ["a", "b"]
    objects = BindingSource(broker, a_clock()).objects()
    for _ in range(2):
        next(objects)
    broker.unbind("amq.direct", "q", "b", actor())
    assert list(objects) == []


@pytest.mark.parametrize(
    ("exchange_name", "queue", "key"),
    [
        ("amq.direct", "q", "k"),
        ("amq.direct", "q", ""),
        ("amq.topic", "q", "#.#"),
        ("amq.direct", "a,b", "c,d"),
        ("x,org.apache.qpid.broker:queue:y", "a,b", "k"),
    ],
)
def test_a_binding_is_found_by_its_name(exchange_name: str, queue: str, key: str) -> None:
    broker = make_broker()
    broker.declare_exchange("x,org.apache.qpid.broker:queue:y", "direct", actor())
    for name in ("q", "a,b", "a"):
        broker.declare_queue(name, actor())
    broker.bind(exchange_name, queue, key, None, actor())
    wanted = bindings(broker)[-1]
    found = BindingSource(broker, a_clock()).find(wanted.key)
    assert found is not None
    assert found.values() == wanted.values()


def test_the_binding_to_the_default_exchange_is_found() -> None:
    broker = make_broker()
    broker.declare_queue("a,b", actor())
    source = BindingSource(broker, a_clock())
    (own,) = source.objects()
    found = source.find(own.key)
    assert found is not None
    assert found.values() == own.values()


@pytest.mark.parametrize(
    "key",
    [
        "",
        "x",
        "org.apache.qpid.broker:exchange:amq.direct",
        "org.apache.qpid.broker:exchange:missing,org.apache.qpid.broker:queue:q,k",
        "org.apache.qpid.broker:exchange:amq.direct,org.apache.qpid.broker:queue:missing,k",
        "org.apache.qpid.broker:exchange:amq.direct,org.apache.qpid.broker:queue:q,other",
        "org.apache.qpid.broker:exchange:amq.direct,org.apache.qpid.broker:queue:q",
        "org.apache.qpid.broker:exchange:,org.apache.qpid.broker:queue:q,other",
    ],
)
def test_names_of_no_binding(key: str) -> None:
    broker = make_broker()
    broker.declare_queue("q", actor())
    broker.bind("amq.direct", "q", "k", None, actor())
    assert BindingSource(broker, a_clock()).find(key) is None


def test_the_longest_binding_is_found_and_endless_names_cost_nothing() -> None:
    broker = make_broker()
    exchange_name, queue, key = ("," * 254 + letter for letter in "xqk")
    broker.declare_exchange(exchange_name, "direct", actor())
    broker.declare_queue(queue, actor())
    broker.bind(exchange_name, queue, key, None, actor())
    source = BindingSource(broker, a_clock())
    assert source.find(bindings(broker)[-1].key) is not None
    assert source.find(bindings(broker)[-1].key + "," * 60_000) is None
