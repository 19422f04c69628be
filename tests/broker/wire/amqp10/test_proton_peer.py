"""Proton's engine as the peer of our server, in memory: written by others, used by most clients."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from tanist.wire.amqp10.composites import Accepted, Modified, Rejected, Released
from tanist.wire.amqp10.connection import Connection, ConnectionSettings
from tanist.wire.amqp10.events import (
    Attaching,
    Begun,
    Closed,
    Delivery,
    Detached,
    Disposed,
    Ended,
    Event,
    Failed,
    Flowed,
    Opening,
    SaslStart,
)
from tanist.wire.amqp10.receiver import Receiver
from tanist.wire.amqp10.sender import Sender
from tests.broker.wire.amqp10.pair import Owner, of
from tests.broker.wire.amqp10.proton_oracle import ProtonOracle


class Peer:
    """Proton on one side, our server and its owner on the other."""

    def __init__(
        self,
        settings: ConnectionSettings | None = None,
        sasl: bool = True,
        auto: bool = True,
        frame_max: int = 0,
    ) -> None:
        self.proton: Any = importlib.import_module("proton")
        self.cproton: Any = importlib.import_module("cproton")
        self.owner = Owner(Connection(settings or ConnectionSettings(), 0.0), 1000, auto)
        self.server = self.owner.connection
        self.connection: Any = self.proton.Connection()
        self.connection.container = "proton"
        self.connection.hostname = "host.example"
        self.transport: Any = self.proton.Transport()
        if frame_max:
            self.transport.max_frame_size = frame_max
        if sasl:
            self.transport.sasl().allowed_mechs("ANONYMOUS")
        self.transport.bind(self.connection)
        self.connection.open()

    def run(self, now: float = 0.0) -> list[Event]:
        """Carry bytes until there are none; returns what our owner was told."""
        told: list[Event] = []
        while True:
            pending = self.transport.pending()
            data = bytes(self.transport.peek(pending)) if pending > 0 else b""
            if data:
                self.transport.pop(len(data))
                told += self.owner.handle(self.server.receive_data(data, now))
            answer = self.server.data_to_send()
            at = 0
            while at < len(answer):
                room = self.transport.capacity()
                assert room > 0, self.transport.condition
                self.transport.push(answer[at : at + room])
                at += room
            if not data and not answer:
                assert not of(Failed, told)
                assert self.transport.condition is None
                return told

    def session(self, capacity: int = 0):
        session = self.connection.session()
        if capacity:
            session.incoming_capacity = capacity
        session.open()
        self.run()
        return session

    def sender(self, session, name: str = "out") -> tuple[Any, Receiver]:
        """A link on which Proton sends; its end, and ours."""
        link = session.sender(name)
        link.target.address = "queue"
        link.open()
        self.run()
        ours = self.link(name)
        assert isinstance(ours, Receiver)
        return link, ours

    def receiver(self, session, credit: int, name: str = "in") -> tuple[Any, Sender]:
        """A link on which Proton receives; its end, and ours."""
        link = session.receiver(name)
        link.source.address = "queue"
        link.open()
        if credit:
            link.flow(credit)
        self.run()
        ours = self.link(name)
        assert isinstance(ours, Sender)
        return link, ours

    def link(self, name: str):
        found = [
            link
            for session in self.server.sessions.values()
            for link in session.links.values()
            if link.name == name
        ]
        assert len(found) == 1
        return found[0]

    def tag(self, delivery) -> bytes:
        """Its octets: Proton's own accessor insists on UTF-8."""
        raw = self.cproton.lib.pn_delivery_tag(delivery._impl)
        return bytes(self.cproton.ffi.buffer(raw.start, raw.size))

    def send(self, link, tag, message: bytes):
        delivery = link.delivery(tag)
        assert link.send(message) == len(message)
        link.advance()
        return delivery

    def take(self, link) -> list[tuple[bytes, bytes]]:
        """Receive and accept what is there, in Proton: tags and messages."""
        taken = []
        while link.current is not None and not link.current.partial:
            delivery = link.current
            message = link.recv(delivery.pending) if delivery.pending else b""
            taken.append((self.tag(delivery), bytes(message or b"")))
            delivery.update(delivery.ACCEPTED)
            link.advance()
            delivery.settle()
        return taken


pytestmark = pytest.mark.usefixtures("proton")


def test_the_fixture_is_proton(proton):
    assert isinstance(proton, ProtonOracle)


@pytest.mark.parametrize("sasl", [True, False])
def test_open_begin_attach_and_back(sasl):
    peer = Peer(sasl=sasl)
    told = peer.run()
    assert [type(event) for event in told] == [SaslStart, Opening] if sasl else [Opening]
    opening = of(Opening, told)[0].open
    assert (opening.container_id, opening.hostname) == ("proton", "host.example")
    assert peer.connection.state & peer.proton.Endpoint.REMOTE_ACTIVE
    assert peer.connection.remote_container == "server"
    session = peer.session()
    assert session.state & peer.proton.Endpoint.REMOTE_ACTIVE
    sending, ours = peer.sender(session)
    receiving, _ = peer.receiver(session, 0)
    assert sending.remote_target.address == "queue"
    assert receiving.remote_source.address == "queue"
    assert sending.credit == 1000
    sending.close()
    receiving.detach()
    told = peer.run()
    assert [event.closed for event in of(Detached, told)] == [True, False]
    assert not ours.alive
    assert sending.state & peer.proton.Endpoint.REMOTE_CLOSED
    session.close()
    assert [type(event) for event in peer.run()] == [Ended]
    peer.connection.close()
    assert [type(event) for event in peer.run()] == [Closed]
    assert peer.connection.state & peer.proton.Endpoint.REMOTE_CLOSED
    assert peer.server.closed


@pytest.mark.parametrize("count", [1, 2, 999, 1000])
def test_messages_to_us(count):
    peer = Peer()
    link, ours = peer.sender(peer.session())
    messages = [(b"%d" % number, b"m" * (number % 300)) for number in range(count)]
    sent = [peer.send(link, tag, message) for tag, message in messages]
    told = of(Delivery, peer.run())
    assert [(event.tag, event.payload) for event in told] == messages
    assert all(delivery.remote_state == delivery.ACCEPTED for delivery in sent)
    assert all(delivery.settled for delivery in sent)
    assert link.credit == ours.credit == 1000 - count


@pytest.mark.parametrize("count", [1, 2, 999, 1000])
def test_messages_from_us(count):
    peer = Peer()
    link, ours = peer.receiver(peer.session(), count + 3)
    messages = [(b"%d" % number, b"m" * (number % 300)) for number in range(count)]
    for tag, message in messages:
        ours.send(tag, message[:7], prefix=message[7:])
    peer.run()
    assert peer.take(link) == [(tag, message[7:] + message[:7]) for tag, message in messages]
    told = of(Disposed, peer.run())
    assert [event.settled for event in told] == [True] * len(told)
    assert {number for event in told for number in range(event.first, event.last + 1)} == set(
        range(count)
    )
    assert all(isinstance(event.state, Accepted) for event in told)
    assert link.credit == ours.credit == 3


@pytest.mark.parametrize("size", [400, 512, 5_000, 300_000])
def test_large_messages_in_frames_of_512_octets(size):
    peer = Peer(ConnectionSettings(max_frame_size=512, incoming_window=10), frame_max=512)
    session = peer.session(capacity=512 * 4)
    message = bytes(range(256)) * (size // 256 + 1)
    sending, _ = peer.sender(session)
    peer.send(sending, b"big", message)
    peer.send(sending, b"small", b"s")
    told = of(Delivery, peer.run())
    assert [(event.tag, event.payload) for event in told] == [(b"big", message), (b"small", b"s")]
    receiving, ours = peer.receiver(session, 5)
    ours.send(b"large", message)
    ours.send(b"little", b"l")
    received = b""
    peer.run()
    while receiving.current is not None:
        delivery = receiving.current
        if delivery.pending:
            received += bytes(receiving.recv(delivery.pending))
        elif not delivery.partial:
            delivery.settle()
        peer.run()
    assert received == message + b"l"
    assert ours.session.writable


def test_parts_of_several_deliveries_may_be_interleaved():
    peer = Peer()
    session = peer.session()
    links = [peer.sender(session, f"out{number}")[0] for number in range(3)]
    for number, link in enumerate(links):
        link.delivery(b"tag%d" % number)
    told: list[Event] = []
    for part in range(5):
        for number, link in enumerate(links):
            link.stream(b"%d%d " % (number, part))
            told += peer.run()
    for link in reversed(links):
        link.advance()
        told += peer.run()
    deliveries = of(Delivery, told)
    assert [event.tag for event in deliveries] == [b"tag2", b"tag1", b"tag0"]
    assert deliveries[0].payload == b"20 21 22 23 24 "
    assert sorted(event.id for event in deliveries) == [0, 1, 2]


def test_an_aborted_delivery():
    peer = Peer()
    link, ours = peer.sender(peer.session())
    delivery = link.delivery(b"tag")
    link.stream(b"half a mess")
    assert peer.run() == []
    delivery.abort()
    assert [type(event) for event in peer.run()] == [Flowed]
    peer.send(link, b"next", b"whole")
    (whole,) = of(Delivery, peer.run())
    assert whole.payload == b"whole"
    assert link.credit == ours.credit


def test_tags_are_octets():
    peer = Peer()
    session = peer.session()
    sending, _ = peer.sender(session)
    receiving, ours = peer.receiver(session, 300)
    tags = [bytes([number]) for number in range(256)] + [bytes(range(255, 223, -1))]
    for tag in tags:
        peer.send(sending, tag, b"x")
        ours.send(tag, b"y")
    assert [event.tag for event in of(Delivery, peer.run())] == tags
    assert [tag for tag, _ in peer.take(receiving)] == tags


def test_drain_of_our_messages():
    peer = Peer()
    link, ours = peer.receiver(peer.session(), 0)
    link.drain(10)
    (event,) = of(Flowed, peer.run())
    assert event.link is ours
    assert (ours.credit, ours.drain) == (10, True)
    for number in range(4):
        ours.send(b"%d" % number, b"x")
    ours.drained()
    peer.run()
    assert len(peer.take(link)) == 4
    assert link.drained() == 6
    assert (link.credit, ours.credit) == (0, 0)
    link.drain(0)
    link.flow(5)
    peer.run()
    assert ours.credit == 5


def test_drain_of_their_messages():
    peer = Peer()
    link, ours = peer.sender(peer.session())
    ours.flow(10, drain=True)
    peer.run()
    assert link.drain_mode
    peer.send(link, b"t", b"x")
    assert link.drained() == 9
    told = peer.run()
    assert [type(event) for event in told] == [Delivery, Flowed]
    assert (ours.credit, link.credit) == (0, 0)
    ours.flow(20)
    peer.run()
    assert link.credit == 20


@pytest.mark.parametrize("capacity", [1, 3])
def test_a_session_window_of_few_frames(capacity):
    settings = ConnectionSettings(max_frame_size=512, incoming_window=1)
    peer = Peer(settings, frame_max=512)
    session = peer.session(capacity=512 * capacity)
    sending, _ = peer.sender(session)
    receiving, ours = peer.receiver(session, 100)
    for number in range(50):
        peer.send(sending, b"%d" % number, b"x" * number * 20)
        ours.send(b"%d" % number, b"y" * 100)
    told = of(Delivery, peer.run())
    taken = 0
    while batch := peer.take(receiving):
        taken += len(batch)
        told += of(Delivery, peer.run())
    assert taken == 50
    assert [event.tag for event in told] == [b"%d" % number for number in range(50)]


def test_a_link_that_goes_while_its_messages_wait_leaves_no_gap():
    peer = Peer(frame_max=512)
    session = peer.session(capacity=512)
    first, ours_first = peer.receiver(session, 100, "first")
    second, ours_second = peer.receiver(session, 100, "second")
    for number in range(10):
        ours_first.send(b"a%d" % number, b"x" * 100)
        ours_second.send(b"b%d" % number, b"y" * 100)
    peer.run()
    ours_first.detach()
    peer.run()
    tags = []
    while batch := peer.take(second) + peer.take(first):
        tags += [tag for tag, _ in batch]
        peer.run()
    assert [tag for tag in tags if tag.startswith(b"b")] == [b"b%d" % n for n in range(10)]
    assert len([tag for tag in tags if tag.startswith(b"a")]) < 10
    settled = {
        number
        for event in of(Disposed, peer.owner.events)
        for number in range(event.first, event.last + 1)
    }
    assert settled >= set(range(1, 20, 2)), "in our numbers"


def test_outcomes_both_ways():
    peer = Peer(auto=False)
    session = peer.connection.session()
    session.open()
    sending = session.sender("out")
    sending.open()
    receiving = session.receiver("in")
    receiving.open()
    receiving.flow(10)
    for event in of(Attaching, peer.run()):
        event.link.attach_ok(event.attach.source, event.attach.target)
        if isinstance(event.link, Receiver):
            event.link.flow(10)
    peer.run()
    deliveries = [peer.send(sending, b"%d" % number, b"x") for number in range(4)]
    ours = next(event.link.session for event in of(Delivery, peer.run()))
    for number, outcome in enumerate((Accepted(), Released(), Rejected(), Modified(True, True))):
        ours.settle(number, number, outcome)
    peer.run()
    kinds = peer.proton.Delivery
    states = [delivery.remote_state for delivery in deliveries]
    assert states == [kinds.ACCEPTED, kinds.RELEASED, kinds.REJECTED, kinds.MODIFIED]
    assert deliveries[3].remote.failed
    assert deliveries[3].remote.undeliverable
    link = peer.link("in")
    for number in range(4):
        link.send(b"%d" % number, b"x")
    peer.run()
    for kind in (kinds.ACCEPTED, kinds.RELEASED, kinds.REJECTED, kinds.MODIFIED):
        delivery = receiving.current
        delivery.local.failed = True
        delivery.update(kind)
        receiving.advance()
        delivery.settle()
    told = sorted(of(Disposed, peer.run()), key=lambda event: event.first)
    assert [type(event.state) for event in told] == [Accepted, Released, Rejected, Modified]
    assert [event.first for event in told] == [0, 1, 2, 3]
    assert isinstance(told[3].state, Modified)
    assert told[3].state.delivery_failed


def test_a_refusal_is_understood():
    peer = Peer(auto=False)
    session = peer.connection.session()
    session.open()
    link = session.receiver("in")
    link.source.address = "nowhere"
    link.open()
    (event,) = of(Attaching, peer.run())
    event.link.refuse("amqp:not-found", "no such queue")
    peer.run()
    assert link.remote_source.address is None
    assert link.state & peer.proton.Endpoint.REMOTE_CLOSED
    assert link.remote_condition.name == "amqp:not-found"
    assert link.remote_condition.description == "no such queue"
    link.close()
    peer.run()
    assert event.link.session.links == {}


def test_errors_of_sessions_and_connections_are_understood():
    peer = Peer()
    session = peer.session()
    peer.server.sessions[0].end("amqp:internal-error", "session")
    peer.run()
    assert session.remote_condition.name == "amqp:internal-error"
    session.close()
    assert [type(event) for event in peer.run()] == [Ended]
    peer.server.close("amqp:connection:forced", "connection", {"x": 1})
    peer.run()
    assert peer.connection.remote_condition.name == "amqp:connection:forced"
    assert peer.connection.remote_condition.info == {"x": 1}
    peer.connection.close()
    assert [type(event) for event in peer.run()] == [Closed]


def test_many_sessions_and_links_one_after_the_other():
    peer = Peer()
    for number in range(100):
        session = peer.session()
        for _ in range(3):
            link, ours = peer.sender(session)
            peer.send(link, b"t", b"%d" % number)
            (delivery,) = of(Delivery, peer.run())
            assert delivery.payload == b"%d" % number
            assert ours.handle == 0
            link.close()
            peer.run()
            link.free()
        session.close()
        peer.run()
        session.free()
    assert len(of(Begun, peer.owner.events)) == 100
    assert peer.server.sessions == {}


def test_idle_timeouts_keep_both_alive_and_silence_ends_it():
    peer = Peer(ConnectionSettings(idle_timeout_s=4.0))
    peer.transport.idle_timeout = 4.0
    peer.run()
    assert peer.server.remote is not None
    assert peer.server.remote.idle_time_out == 2000, "Proton advertises half of what it enforces"
    assert peer.transport.remote_idle_timeout == 2.0
    for tenth in range(1, 200):
        now = tenth / 10
        peer.server.tick(now)
        peer.transport.tick(now + 1000)
        peer.run(now)
    assert not peer.server.closed
    assert [type(event) for event in peer.server.tick(now + 4.1)] == [Failed]
