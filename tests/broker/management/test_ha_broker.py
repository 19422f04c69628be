"""The habroker object shows and does what the node says."""

from __future__ import annotations

from uuid import UUID

import pytest

from tanist.management.ha_broker import METHODS, HaBroker, HaOperations, QueueReplication
from tanist.wire.amqp010.values import Value
from tests.broker.core.core_model import make_broker
from tests.broker.management.management_model import ADMIN


class Operations(HaOperations):
    """Records what was asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    def ha_status(self) -> str:
        return "ready"

    def ha_brokers_url(self) -> str:
        return "amqp:tcp:a:1"

    def ha_public_url(self) -> str:
        return "amqp:tcp:b:2"

    def ha_members(self) -> list[Value]:
        return ["member"]

    def ha_details(self) -> dict[str, Value]:
        return {"epoch": 7}

    def ha_promote(self, force: bool) -> None:
        self.calls.append(("promote", "by force" if force else ""))

    def ha_set_brokers_url(self, url: str) -> None:
        self.calls.append(("brokers", url))

    def ha_set_public_url(self, url: str) -> None:
        self.calls.append(("public", url))


class Replication(QueueReplication):
    """Records what was asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []

    def details(self) -> dict[str, Value]:
        return {"replicas": [{"queue": "q"}], "followers": []}

    def replicate(self, url: str, queue: str) -> None:
        self.calls.append(("replicate", url, queue))

    def unreplicate(self, queue: str) -> None:
        self.calls.append(("unreplicate", queue))


def test_all_properties_are_there() -> None:
    ha_broker = HaBroker(Operations(), Replication(), make_broker(), UUID(int=3), "all", 77)
    assert ha_broker.name == "org.apache.qpid.ha:habroker:ha-broker"
    assert ha_broker.created_ns == 77
    assert ha_broker.values() == {
        "name": "ha-broker",
        "status": "ready",
        "brokersUrl": "amqp:tcp:a:1",
        "publicUrl": "amqp:tcp:b:2",
        "replicateDefault": "all",
        "members": ["member"],
        "systemId": UUID(int=3),
        "epoch": 7,
        "replicas": [{"queue": "q"}],
        "followers": [],
    }


def test_methods_reach_the_node() -> None:
    operations = Operations()
    replication = Replication()
    ha_broker = HaBroker(operations, replication, make_broker(), UUID(int=3), "all", 0)
    assert ha_broker.methods() == METHODS
    assert ha_broker.call("promote", {}, ADMIN) == {}
    assert ha_broker.invoke("setBrokersUrl", {"url": b"x"}) == {}
    assert ha_broker.invoke("setPublicUrl", {"url": "y"}) == {}
    assert operations.calls == [("promote", ""), ("brokers", "x"), ("public", "y")]
    ha_broker.invoke("promote", {"force": True})
    ha_broker.invoke("promote", {"force": 1})
    assert operations.calls[3:] == [("promote", "by force"), ("promote", "")]

    ha_broker.invoke("replicate", {"broker": "b", "queue": b"q"})
    ha_broker.invoke("unreplicate", {"queue": "q"})
    ha_broker.invoke("unreplicate", {})
    assert replication.calls == [("replicate", "b", "q"), ("unreplicate", "q"), ("unreplicate", "")]


@pytest.mark.parametrize(
    "call",
    [
        lambda o: o.ha_status(),
        lambda o: o.ha_brokers_url(),
        lambda o: o.ha_public_url(),
        lambda o: o.ha_members(),
        lambda o: o.ha_details(),
        lambda o: o.ha_promote(False),
        lambda o: o.ha_set_brokers_url(""),
        lambda o: o.ha_set_public_url(""),
    ],
)
def test_the_base_class_does_nothing(call) -> None:
    with pytest.raises(NotImplementedError):
        call(HaOperations())


@pytest.mark.parametrize(
    "call",
    [
        lambda r: r.details(),
        lambda r: r.replicate("", ""),
        lambda r: r.unreplicate(""),
    ],
)
def test_nor_does_the_other(call) -> None:
    with pytest.raises(NotImplementedError):
        call(QueueReplication())
