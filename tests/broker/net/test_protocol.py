"""One connection in memory: header timer, write buffer, closing."""

from __future__ import annotations

import pytest
from twisted.internet.abstract import FileDescriptor
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from tanist.net.protocol import (
    CLOSE_GRACE_S,
    READ_BYTES,
    WRITE_HIGH_BYTES,
    WRITE_MAX_BYTES,
    ConnectionLimits,
    PeerProtocol,
    address_text,
)


class Owner:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.events = []

    def opened(self, peer):
        self.events.append(("opened", peer.conn, peer.peer, peer.local))

    def received(self, conn, data):
        self.events.append(("received", conn, data))

    def writable(self, conn, writable):
        self.events.append(("writable", conn, writable))

    def closed(self, peer, reason):
        self.events.append(("closed", peer.conn, reason))


@implementer(ITCPTransport)
class Wire(StringTransport):
    """A transport that asks its pull producer for more when it is empty, like Twisted's TCP."""

    options = ()
    aborting = False

    def abortConnection(self):
        self.aborting = True

    def setTcpNoDelay(self, enabled):
        self.options += (("nodelay", enabled),)

    def setTcpKeepAlive(self, enabled):
        self.options += (("keepalive", enabled),)

    def drain(self):
        """The peer read everything."""
        self.clear()
        if self.producer is not None:
            self.producer.resumeProducing()


class Line:
    """A connected ``PeerProtocol``."""

    def __init__(self, conn=7) -> None:
        self.owner = Owner()
        self.reactor = Clock()
        self.wire = Wire(IPv4Address("TCP", "10.0.0.1", 5672), IPv4Address("TCP", "10.0.0.2", 4))
        self.peer = PeerProtocol(conn, self.owner, self.reactor, ConnectionLimits(3.0))
        self.peer.makeConnection(self.wire)

    @property
    def news(self):
        events, self.owner.events = self.owner.events, []
        return events


def test_opening_tells_both_addresses_and_sets_the_socket_up():
    line = Line()
    assert line.news == [("opened", 7, "10.0.0.2:4", "10.0.0.1:5672")]
    assert line.wire.options == (("nodelay", True), ("keepalive", True))
    assert line.wire.bufferSize == READ_BYTES


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (IPv4Address("TCP", "1.2.3.4", 5), "1.2.3.4:5"),
        (IPv6Address("TCP", "::1", 5), "[::1]:5"),
        (UNIXAddress("/x"), "UNIXAddress('/x')"),
    ],
)
def test_address_text(address, text):
    assert address_text(address) == text


def test_bytes_are_handed_on_as_they_come():
    line = Line()
    _ = line.news
    line.peer.dataReceived(b"AM")
    line.peer.dataReceived(b"QP")
    assert line.news == [("received", 7, b"AM"), ("received", 7, b"QP")]


@pytest.mark.parametrize("sent", [b"", b"AMQP\1\1\0"])
def test_a_silent_or_slow_peer_is_dropped(sent):
    line = Line()
    if sent:
        line.peer.dataReceived(sent)
    line.reactor.advance(2.9)
    assert not line.wire.disconnecting
    line.reactor.advance(0.2)
    assert line.wire.aborting
    line.peer.connectionLost(Failure(ConnectionLost()))
    assert line.news[-1] == ("closed", 7, "no protocol header within 3 s")


def test_the_header_stops_the_timer():
    line = Line()
    line.peer.dataReceived(b"AMQP\1\1")
    line.peer.dataReceived(b"\0\x0a")
    assert line.reactor.getDelayedCalls() == []


def test_losing_the_connection_is_told_once_and_leaves_no_timer():
    line = Line()
    _ = line.news
    line.peer.connectionLost(Failure(ConnectionDone()))
    assert line.news == [("closed", 7, "closed by peer")]
    assert line.reactor.getDelayedCalls() == []
    line.peer.send(b"late")
    line.peer.close()
    line.peer.resumeProducing()
    assert line.news == []


def test_a_fault_of_the_network_is_told_in_its_words():
    line = Line()
    line.peer.connectionLost(Failure(ConnectionLost("cable cut")))
    assert "cable cut" in line.news[-1][2]


def test_bytes_beyond_the_transport_are_held_and_follow_in_order():
    line = Line()
    _ = line.news
    chunks = [bytes([number]) * (READ_BYTES // 2) for number in range(8)]
    for chunk in chunks:
        line.peer.send(chunk)
    got = b""
    assert len(line.wire.value()) < 2 * READ_BYTES
    while line.wire.value():
        got += line.wire.value()
        line.wire.drain()
    assert got == b"".join(chunks)
    assert line.news == []


def test_the_node_is_told_once_when_full_and_once_when_drained():
    line = Line()
    _ = line.news
    for _ in range(WRITE_HIGH_BYTES // READ_BYTES + 4):
        line.peer.send(b"x" * READ_BYTES)
    assert line.news == [("writable", 7, False)]
    drains = 0
    while line.wire.value():
        line.wire.drain()
        drains += 1
    assert drains > 3
    assert line.news == [("writable", 7, True)]


def test_a_peer_that_never_reads_is_aborted_at_the_hard_limit():
    line = Line()
    _ = line.news
    chunk = b"x" * (WRITE_MAX_BYTES // 8)
    sent = 0
    while not line.wire.aborting:
        line.peer.send(chunk)
        sent += len(chunk)
        assert sent < 2 * WRITE_MAX_BYTES
    line.peer.connectionLost(Failure(ConnectionLost()))
    assert line.news[-1][2].startswith("write buffer above")
    assert not line.peer._held


def test_one_message_larger_than_the_limit_is_taken():
    line = Line()
    line.peer.send(b"x" * (READ_BYTES + 1))
    line.peer.send(b"y" * (WRITE_MAX_BYTES + 1))
    assert not line.wire.aborting


class Descriptor(Wire, FileDescriptor):
    """A transport with a kernel behind it, which takes ``room`` octets at once."""

    room = 0
    broken = False

    def __init__(self, *addresses) -> None:
        Wire.__init__(self, *addresses)
        self.kernel = b""

    def getHandle(self):
        return self

    def send(self, data):
        if self.broken:
            raise ConnectionResetError
        if not self.room:
            raise BlockingIOError
        taken = data[: self.room]
        self.kernel += taken
        self.room -= len(taken)
        return len(taken)


def descriptor_line(room):
    line = Line.__new__(Line)
    line.owner = Owner()
    line.reactor = Clock()
    line.wire = Descriptor(IPv4Address("TCP", "10.0.0.1", 1), IPv4Address("TCP", "10.0.0.2", 2))
    line.wire.room = room
    line.peer = PeerProtocol(7, line.owner, line.reactor, ConnectionLimits(3.0))
    line.peer.makeConnection(line.wire)
    return line


def test_what_the_kernel_takes_never_waits_for_the_event_loop():
    line = descriptor_line(room=100)
    line.peer.send(b"one")
    line.peer.send(b"two")
    assert line.wire.kernel == b"onetwo"
    assert line.wire.value() == b""


def test_what_the_kernel_does_not_take_goes_through_the_transport_in_order():
    line = descriptor_line(room=5)
    line.peer.send(b"first")
    line.peer.send(b"second")
    line.peer.send(b"third")
    assert (line.wire.kernel, line.wire.value()) == (b"first", b"second")
    line.wire.room = 3
    line.wire.drain()
    assert (line.wire.kernel, line.wire.value()) == (b"firstthi", b"rd")
    line.wire.room = 9
    line.peer.send(b"fourth")
    assert line.wire.value() == b"rd"
    line.wire.drain()
    assert line.wire.kernel == b"firstthifourth"


def test_an_error_of_the_kernel_is_left_to_the_transport():
    line = descriptor_line(room=5)
    line.wire.broken = True
    line.peer.send(b"x")
    assert line.wire.value() == b"x"
    assert line.news[-1][0] == "opened"


def test_close_writes_what_was_sent_and_nothing_later():
    line = Line()
    _ = line.news
    for _ in range(5):
        line.peer.send(b"x" * READ_BYTES)
    line.peer.close()
    line.peer.close()
    line.peer.send(b"late")
    assert line.wire.value() == b"x" * 5 * READ_BYTES
    assert line.wire.disconnecting
    assert line.wire.producer is None
    line.peer.connectionLost(Failure(ConnectionDone()))
    assert line.news == [("closed", 7, "closed by this broker")]


def test_a_close_that_cannot_finish_is_cut_off():
    line = Line()
    line.peer.close()
    line.reactor.advance(CLOSE_GRACE_S - 0.1)
    assert not line.wire.aborting
    line.reactor.advance(0.2)
    assert line.wire.aborting


def test_drop_is_immediate():
    line = Line()
    _ = line.news
    line.peer.drop("because")
    assert line.wire.aborting
    line.peer.connectionLost(Failure(ConnectionLost()))
    assert line.news == [("closed", 7, "because")]
