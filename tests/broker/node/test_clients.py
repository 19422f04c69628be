"""What management is told of connections and their sessions."""

from __future__ import annotations

from tanist.node.clients import Clients
from tanist.wire.amqp010.values import Value
from tests.broker.node.console import Console
from tests.broker.node.network import Guest, Host, Network, running


def alone() -> Host:
    return Host(Network(), "a", 1, ha_cluster=False)


def clients(host: Host) -> Clients:
    return Clients(host.node._reception.fronts)


def test_a_client_and_what_it_does() -> None:
    host = alone()
    properties: dict[str, Value] = {"qpid.client_process": "sender", "qpid.client_pid": 77}
    guest = Guest(host, properties=properties, username="me", password="x", mechanism="PLAIN")
    session = guest.session()
    session.do("queue.declare", queue="q")
    for body in (b"1", b"2", b"3"):
        session.publish("q", body)
    session.subscribe("q", "one", credit=2)
    session.subscribe("q", "two", accept=1, acquire=1, window=True, credit=0)
    host.network.advance(3.0)
    (facts,) = clients(host).connections()
    assert (facts.local, facts.peer) == ("a:1", "client:1")
    assert (facts.user, facts.mechanism) == ("me@QPID", "PLAIN")
    assert facts.properties == properties
    assert (facts.backup, facts.closing) == (False, False)
    assert (facts.created_at, facts.heard_at) == (1000.0, 1000.0)
    assert (facts.messages_in, facts.messages_out) == (3, 2)
    assert facts.bytes_in > 100
    assert facts.frames_out > 5
    (one,) = facts.sessions
    assert (one.name, one.channel, one.unacked) == (session.session.name, 0, 2)
    first, second = one.subscriptions
    assert (first.name, first.queue, first.delivered) == ("one", "q", 2)
    assert (first.browsing, first.acknowledged, first.window) == (False, True, False)
    assert (second.browsing, second.acknowledged, second.window) == (True, False, True)


def test_messages_of_sessions_that_are_over_still_count() -> None:
    host = alone()
    guest = Guest(host)
    first, second = guest.session(), guest.session()
    first.do("queue.declare", queue="q")
    first.publish("q")
    second.publish("q")
    second.subscribe("q", accept=1)
    for session in (first, second):
        session.session.detach()
    guest.pump()
    (facts,) = clients(host).connections()
    assert facts.sessions == []
    assert (facts.messages_in, facts.messages_out) == (2, 2)


def test_who_is_not_in_yet_is_not_shown() -> None:
    host = alone()
    host.accept(Guest.__new__(Guest))
    host.network.run()
    assert clients(host).connections() == []


def test_a_backup_is_a_connection_without_sessions_of_clients() -> None:
    _, (a, _b) = running("a", "b")
    links = [facts for facts in clients(a).connections() if facts.backup]
    assert [facts.sessions for facts in links] == [[]]
    assert links[0].messages_in == 0
    shown = [values for values in Console(a).objects("connection") if values["federationLink"]]
    assert len(shown) == 1


def test_who_speaks_on_a_connection() -> None:
    host = alone()
    Guest(host, username="me", password="x", mechanism="PLAIN")
    known, unknown = clients(host).actor(1), clients(host).actor(9)
    assert (known.user, known.rhost, known.owner, known.origin) == ("me@QPID", "client:1", None, 1)
    assert (unknown.user, unknown.rhost, unknown.origin) == ("", "", 0)
