"""Broker, system, virtual host, memory."""

from __future__ import annotations

from uuid import UUID

import pytest

from tanist.core.broker import Broker
from tanist.management.broker_objects import (
    MALLOC_FIGURES,
    BrokerFacts,
    BrokerObject,
    MemoryObject,
    SystemObject,
    VhostObject,
)
from tanist.wire.amqp010.values import type_code
from tests.broker.core.core_model import actor, make_broker, message, publish
from tests.broker.management.management_model import ADMIN, STARTED, a_clock, finish, has_all_fields

SYSTEM_ID = UUID(int=7)
FACTS = BrokerFacts(
    SYSTEM_ID,
    "Linux",
    "node1",
    "6.1",
    "#1 SMP",
    "x86_64",
    port=5672,
    max_connections=500,
    backlog=10,
    pub_interval_s=10,
    version="1.2",
    data_dir="/var/lib/qpidd",
    federation_tag="tag",
    log_rules="notice+",
)


def made(broker: Broker) -> BrokerObject:
    return BrokerObject(broker, FACTS, a_clock())


def test_the_broker_says_who_and_what_it_is() -> None:
    managed = made(make_broker())
    assert managed.name == "org.apache.qpid.broker:broker:amqp-broker"
    assert has_all_fields(managed)
    values = managed.values()
    assert values["systemRef"] == {"_object_name": f"org.apache.qpid.broker:system:{SYSTEM_ID}"}
    wanted = {"port": 5672, "maxConns": 500, "connBacklog": 10, "mgmtPubInterval": 10}
    assert {name: values[name] for name in wanted} == wanted
    assert (values["version"], values["dataDir"]) == ("1.2", "/var/lib/qpidd")
    assert (values["workerThreads"], values["mgmtPublish"]) == (1, False)


def test_without_a_data_directory_there_is_none() -> None:
    assert (
        BrokerObject(make_broker(), BrokerFacts(SYSTEM_ID), a_clock()).values()["dataDir"] is None
    )


def test_uptime_is_what_has_passed_since_the_start() -> None:
    clock = a_clock()
    managed = BrokerObject(make_broker(), FACTS, clock)
    clock.now = STARTED + 2.5
    assert managed.values()["uptime"] == 2_500_000_000


def test_what_all_queues_counted() -> None:
    broker = make_broker()
    for name in ("q", "r"):
        broker.declare_queue(name, actor())
    publish(broker, b"12", b"3")
    publish(broker, b"4", key="r")
    broker.publish(message(key="nobody"), "")
    broker.purge("q", actor())
    broker.delete_queue("r", actor())
    values = made(broker).values()
    wanted = {
        "queueCount": 1,
        "msgTotalEnqueues": 3,
        "msgTotalDequeues": 3,
        "byteTotalEnqueues": 4,
        "byteTotalDequeues": 4,
        "msgDepth": 0,
        "byteDepth": 0,
        "discardsPurge": 2,
        "discardsNoRoute": 1,
        "abandoned": 1,
        "abandonedViaAlt": 0,
    }
    assert {name: values[name] for name in wanted} == wanted


def test_methods_that_change_something() -> None:
    managed = made(make_broker())
    assert {name for name in managed.methods() if managed.changes(name)} == {
        "create",
        "delete",
        "queueMoveMessages",
    }


def test_each_method_does_its_work() -> None:
    broker = make_broker()
    managed = made(broker)
    for name in ("q", "r"):
        managed.call("create", {"type": "queue", "name": name}, ADMIN)
    publish(broker, b"1")
    finish(managed.call("queueMoveMessages", {"srcQueue": "q", "destQueue": "r"}, ADMIN))
    assert broker.queues["r"].count == 1
    managed.call("delete", {"type": "queue", "name": "r"}, ADMIN)
    assert set(broker.queues) == {"q"}
    assert managed.call("getLogLevel", {}, ADMIN) == {"level": "notice+"}


@pytest.mark.parametrize("body", ["hello", b"\xff", {"a": 1}, None])
def test_echo_says_what_it_heard(body) -> None:
    out = made(make_broker()).call("echo", {"sequence": 7, "body": body}, ADMIN)
    assert out == {"sequence": 7, "body": body}
    assert isinstance(out, dict)
    assert type_code(out["sequence"]) == 0x22


def test_system_and_virtual_host() -> None:
    system, vhost = SystemObject(FACTS, a_clock()), VhostObject(FACTS, a_clock())
    assert has_all_fields(system)
    assert has_all_fields(vhost)
    assert system.name == f"org.apache.qpid.broker:system:{SYSTEM_ID}"
    assert system.values() == {
        "systemId": SYSTEM_ID,
        "osName": "Linux",
        "nodeName": "node1",
        "release": "6.1",
        "version": "#1 SMP",
        "machine": "x86_64",
    }
    assert vhost.name == (
        "org.apache.qpid.broker:vhost:org.apache.qpid.broker:broker:amqp-broker,/"
    )
    assert vhost.values() == {
        "brokerRef": {"_object_name": "org.apache.qpid.broker:broker:amqp-broker"},
        "name": "/",
        "federationTag": "tag",
    }


def test_memory_is_what_the_edge_told() -> None:
    memory = MemoryObject(a_clock())
    assert memory.name == "amqp-broker"
    assert has_all_fields(memory)
    assert set(memory.values().values()) == {"amqp-broker", 0}
    memory.figures = [1, 2, 3, 4, 5, 6, 7]
    values = memory.values()
    assert [values[name] for name in MALLOC_FIGURES] == [1, 2, 3, 4, 5, 6, 7]
