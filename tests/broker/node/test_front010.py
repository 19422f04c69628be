"""An accepted 0-10 connection: from credentials to sessions, and what management sees of it."""

from __future__ import annotations

from tanist.node.front import Kind, Verdict
from tanist.node.front010 import Front010
from tanist.wire.amqp010.events import Closed
from tests.broker.node.network import Guest, Host, running


def front_of(guest: Guest, host: Host) -> Front010:
    front = host.node._reception.fronts[guest.wire.accepted]
    assert isinstance(front, Front010)
    return front


def test_what_a_client_did_is_among_its_facts() -> None:
    _, (host,) = running("a")
    guest = Guest(host)
    session = guest.session()
    session.do("queue.declare", queue="q")
    session.publish("q", b"x")
    facts = front_of(guest, host).facts()
    assert facts.protocol == "AMQP 0-10"
    assert (facts.messages_in, facts.messages_out) == (1, 0)
    assert [each.channel for each in facts.sessions] == [session.session.channel]


def test_a_front_without_a_client_closes_nothing() -> None:
    _, (host,) = running("a")
    guest = Guest(host)
    front = front_of(guest, host)
    assert front.kind is Kind.CLIENT
    assert front.tick(0.0) is Verdict.GOES_ON
    guest.hang_up()
    front.close_sessions()
    assert not any(isinstance(event, Closed) for event in guest.events)
