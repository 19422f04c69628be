"""Connections, sessions and subscriptions as objects, made of facts."""

from __future__ import annotations

import pytest

from tanist.management.clients import (
    ClientFacts,
    ConnectionFacts,
    ConnectionSource,
    SessionFacts,
    SessionSource,
    SubscriptionFacts,
    SubscriptionSource,
    session_key,
)
from tanist.wire.amqp010.values import Value, uint32
from tests.broker.management.management_model import (
    STARTED,
    WALL_S,
    a_clock,
    has_all_fields,
    keys,
)

VHOST = {"_object_name": "org.apache.qpid.broker:vhost:org.apache.qpid.broker:broker:amqp-broker,/"}


def subscription(name: str = "d", **more: object) -> SubscriptionFacts:
    fields: dict[str, object] = {
        "queue": "q",
        "browsing": False,
        "acknowledged": True,
        "exclusive": False,
        "window": True,
        "arguments": {"a": 1},
        "delivered": 4,
        "created_at": STARTED + 3.0,
    }
    return SubscriptionFacts(name, **{**fields, **more})  # type: ignore[arg-type]


def connection(**more: object) -> ConnectionFacts:
    properties: dict[str, Value] = {
        "qpid.client_process": "sender",
        "qpid.client_pid": 77,
        "qpid.client_ppid": uint32(7),
    }
    fields: dict[str, object] = {
        "user": "me@QPID",
        "mechanism": "PLAIN",
        "properties": properties,
        "backup": False,
        "closing": False,
        "created_at": STARTED + 1.0,
        "heard_at": STARTED + 9.0,
        "sessions": [SessionFacts("s", 5, 3, STARTED + 2.0, [subscription(), subscription("e")])],
    }
    return ConnectionFacts("10.0.0.1:5672", "10.0.0.2:4711", **{**fields, **more})  # type: ignore[arg-type]


class Facts(ClientFacts):
    def __init__(self, *connections: ConnectionFacts) -> None:
        self._connections = list(connections)

    def connections(self) -> list[ConnectionFacts]:
        return self._connections


def ns(seconds: float) -> int:
    return int((WALL_S + seconds) * 10**9)


def test_a_connection() -> None:
    facts = connection()
    facts.frames_in, facts.frames_out, facts.bytes_in = 1, 2, 3
    facts.bytes_out, facts.messages_in, facts.messages_out = 4, 5, 6
    (managed,) = ConnectionSource(Facts(facts), a_clock()).objects()
    assert managed.name == ("org.apache.qpid.broker:connection:qpid.10.0.0.1:5672-10.0.0.2:4711")
    assert (managed.created_ns, managed.updated_ns(ns(20))) == (ns(1), ns(9))
    assert has_all_fields(managed)
    values = managed.values()
    wanted = {
        "vhostRef": VHOST,
        "address": "qpid.10.0.0.1:5672-10.0.0.2:4711",
        "incoming": True,
        "federationLink": False,
        "authIdentity": "me@QPID",
        "saslMechanism": "PLAIN",
        "protocol": "AMQP 0-10",
        "remoteProcessName": "sender",
        "remotePid": 77,
        "remoteParentPid": 7,
        "closing": False,
        "framesFromClient": 1,
        "framesToClient": 2,
        "bytesFromClient": 3,
        "bytesToClient": 4,
        "msgsFromClient": 5,
        "msgsToClient": 6,
    }
    assert {name: values[name] for name in wanted} == wanted


@pytest.mark.parametrize("pid", [True, "77", None, {}])
def test_a_connection_that_does_not_say_who_it_is(pid: Value) -> None:
    facts = connection(properties={"qpid.client_pid": pid}, backup=True)
    (managed,) = ConnectionSource(Facts(facts), a_clock()).objects()
    assert has_all_fields(managed)
    values = managed.values()
    assert [values[f"remote{name}"] for name in ("ProcessName", "Pid", "ParentPid")] == [None] * 3
    assert values["federationLink"] is True


def test_a_session() -> None:
    source = SessionSource(Facts(connection()), a_clock())
    (managed,) = source.objects()
    assert managed.name == "org.apache.qpid.broker:session:me@QPID.s"
    assert managed.created_ns == ns(2)
    assert has_all_fields(managed)
    values = managed.values()
    wanted = {
        "vhostRef": VHOST,
        "name": "me@QPID.s",
        "fullName": "me@QPID.s",
        "channelId": 5,
        "attached": True,
        "unackedMessages": 3,
        "connectionRef": {
            "_object_name": "org.apache.qpid.broker:connection:qpid.10.0.0.1:5672-10.0.0.2:4711"
        },
    }
    assert {name: values[name] for name in wanted} == wanted
    assert source.find("me@QPID.s") is not None
    assert source.find("me@QPID.t") is None


def test_a_long_name_is_cut_and_stands_beside_in_full() -> None:
    long = "s" * 400
    facts = connection(sessions=[SessionFacts(long, 0, 0, STARTED, [])])
    (managed,) = SessionSource(Facts(facts), a_clock()).objects()
    assert len(managed.key) == 254
    assert managed.values()["fullName"] == f"me@QPID.{long}"
    assert session_key("me@QPID", long) == managed.key


@pytest.mark.parametrize(("window", "mode"), [(True, "WINDOW"), (False, "CREDIT")])
def test_a_subscription(window: bool, mode: str) -> None:
    session = SessionFacts("s", 0, 0, STARTED, [subscription(window=window)])
    (managed,) = SubscriptionSource(Facts(connection(sessions=[session])), a_clock()).objects()
    assert managed.key == (
        "org.apache.qpid.broker:session:me@QPID.s,org.apache.qpid.broker:queue:q,d"
    )
    assert managed.created_ns == ns(3)
    assert has_all_fields(managed)
    assert managed.values() == {
        "sessionRef": {"_object_name": "org.apache.qpid.broker:session:me@QPID.s"},
        "queueRef": {"_object_name": "org.apache.qpid.broker:queue:q"},
        "name": "d",
        "browsing": False,
        "acknowledged": True,
        "exclusive": False,
        "creditMode": mode,
        "arguments": {"a": 1},
        "delivered": 4,
    }


def test_everything_of_everybody() -> None:
    other = connection(user="you", sessions=[])
    facts = Facts(connection(), other)
    clock = a_clock()
    assert len(keys(ConnectionSource(facts, clock).objects())) == 2
    assert keys(SessionSource(facts, clock).objects()) == ["me@QPID.s"]
    assert [key[-1] for key in keys(SubscriptionSource(facts, clock).objects())] == ["d", "e"]


def test_the_base_class_knows_nobody() -> None:
    with pytest.raises(NotImplementedError):
        ClientFacts().connections()
