"""Outgoing attempts: success, refusal, silence, giving up."""

from __future__ import annotations

import pytest
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure

from tanist.net.links import Links, endpoints
from tanist.net.protocol import ConnectionLimits, PeerProtocol


class Owner:
    """Counts openings."""

    def __init__(self) -> None:
        self.opened_conns = []

    def received(self, conn, data):
        raise AssertionError("nothing was sent")

    def opened(self, peer):
        self.opened_conns.append(peer.conn)


class World:
    """Links on a reactor in memory."""

    def __init__(self) -> None:
        self.reactor = MemoryReactorClock()
        self.owner = Owner()
        self.failures = []
        self.links = Links(
            self.reactor,
            endpoints(self.reactor),
            lambda conn, reason: self.failures.append((conn, reason)),
        )

    def connect(self, host="10.0.0.1", conn=-1):
        peer = PeerProtocol(conn, self.owner, self.reactor, ConnectionLimits())
        self.links.connect(peer, host, 5672, 2.0)
        return peer


def test_an_established_link_is_told_through_its_protocol():
    world = World()
    peer = world.connect()
    host, port, factory, _, _ = world.reactor.tcpClients[0]
    assert (host, port) == ("10.0.0.1", 5672)
    factory.buildProtocol(None).makeConnection(StringTransport())
    assert world.owner.opened_conns == [-1]
    world.reactor.advance(5.0)
    assert world.failures == []
    assert not world.links.cancel(-1)
    assert peer.transport is not None


def test_a_refusal_is_told_once():
    world = World()
    world.connect()
    factory = world.reactor.tcpClients[0][2]
    factory.clientConnectionFailed(None, Failure(ConnectionRefusedError("no")))
    world.reactor.advance(5.0)
    assert len(world.failures) == 1
    conn, reason = world.failures[0]
    assert conn == -1
    assert reason.startswith("cannot connect to 10.0.0.1:5672: ")
    assert "refused" in reason


def test_silence_ends_after_the_timeout():
    world = World()
    world.connect()
    world.reactor.advance(1.9)
    assert world.failures == []
    world.reactor.advance(0.2)
    assert world.failures == [(-1, "cannot connect to 10.0.0.1:5672: gave up after at most 2 s")]
    assert world.reactor.connectors[0].stoppedConnecting


def test_cancelling():
    world = World()
    world.connect(conn=-1)
    world.connect(conn=-2)
    assert world.links.cancel(-1)
    assert [conn for conn, _ in world.failures] == [-1]
    world.links.cancel_all()
    assert [conn for conn, _ in world.failures] == [-1, -2]
    assert world.reactor.getDelayedCalls() == []


@pytest.mark.parametrize(
    ("host", "kind"),
    [
        ("10.0.0.1", TCP4ClientEndpoint),
        ("::1", TCP6ClientEndpoint),
        ("node1.example.com", HostnameEndpoint),
    ],
)
def test_names_are_resolved_and_addresses_are_not(host, kind):
    reactor = MemoryReactorClock()
    assert isinstance(endpoints(reactor)(host, 5672, 1.0), kind)
