"""A client and a server connection that talk to each other, each with a trivial owner.

The server lets everybody in, attaches every link between the termini that were asked for, grants
``credit`` to the links on which it receives, accepts every delivery, and answers every detach. What
happened on either side stays in ``server_events`` and ``client_events``. ``Raw`` speaks to a server
in single performatives instead of through a client.
"""

from __future__ import annotations

from typing import TypeVar

from tanist.wire.amqp10.codec import decode_performative, decode_sasl, encode_performative
from tanist.wire.amqp10.composites import Accepted, Source, Target
from tanist.wire.amqp10.connection import Connection, ConnectionSettings
from tanist.wire.amqp10.events import (
    Attaching,
    Delivery,
    Detached,
    Event,
    Failed,
    Opening,
    SaslStart,
)
from tanist.wire.amqp10.framing import TYPE_AMQP, TYPE_SASL, FrameParser, encode_frame
from tanist.wire.amqp10.link import Link
from tanist.wire.amqp10.performatives import Attach, Begin, Flow, Open, SaslInit
from tanist.wire.amqp10.receiver import Receiver
from tanist.wire.amqp10.sender import Sender
from tanist.wire.amqp10.session import Session
from tanist.wire.amqp10.values import Composite
from tanist.wire.negotiate import HEADER_1_0, HEADER_1_0_SASL

CLIENT = ConnectionSettings(role="client", container_id="client")
BARE = ConnectionSettings(role="client", container_id="client", mechanism="NONE")

E = TypeVar("E", bound=Event)


def of(kind: type[E], events: list[Event]) -> list[E]:
    """The events of one kind."""
    return [event for event in events if isinstance(event, kind)]


class Owner:
    """Answers a server's events; ``auto`` False leaves links and deliveries to the test."""

    def __init__(self, connection: Connection, credit: int = 1000, auto: bool = True) -> None:
        self.connection = connection
        self.credit = credit
        self.auto = auto
        self.events: list[Event] = []

    def handle(self, events: list[Event]) -> list[Event]:
        """Handle events, and those that the answers bring; returns all."""
        seen: list[Event] = []
        for event in events:
            seen.append(event)
            self.events.append(event)
            if isinstance(event, SaslStart):
                seen += self.handle(self.connection.sasl_accept("somebody@QPID"))
            elif isinstance(event, Opening):
                seen += self.handle(self.connection.open_ok("server"))
            elif self.auto:
                self.serve(event)
        return seen

    def serve(self, event: Event) -> None:
        if isinstance(event, Attaching):
            event.link.attach_ok(event.attach.source, event.attach.target)
            if isinstance(event.link, Receiver):
                event.link.flow(self.credit)
        elif isinstance(event, Delivery):
            if not event.settled:
                event.link.session.settle(event.id, event.id, Accepted())
        elif isinstance(event, Detached) and event.link.alive:
            event.link.detach()


class Pair:
    """A client and a server; ``run`` lets them talk until both are silent."""

    def __init__(
        self,
        client: ConnectionSettings = CLIENT,
        server: ConnectionSettings | None = None,
        credit: int = 1000,
        auto: bool = True,
    ) -> None:
        self.client = Connection(client, 0.0)
        self.server = Connection(server or ConnectionSettings(), 0.0)
        self.owner = Owner(self.server, credit, auto)
        self.client_events: list[Event] = []

    @property
    def server_events(self) -> list[Event]:
        return self.owner.events

    def run(self, now: float = 0.0) -> list[Event]:
        """Carry bytes until there are none; returns what the client was told."""
        told: list[Event] = []
        while True:
            to_server = self.client.data_to_send()
            if to_server:
                self.owner.handle(self.server.receive_data(to_server, now))
            to_client = self.server.data_to_send()
            if to_client:
                told += self.client.receive_data(to_client, now)
            if not to_server and not to_client:
                self.client_events += told
                assert not of(Failed, told + self.server_events)
                return told

    def session(self) -> Session:
        """An open connection with one session; the server's half is ``server_session``."""
        self.run()
        session = self.client.begin()
        self.run()
        return session

    @property
    def server_session(self) -> Session:
        (session,) = self.server.sessions.values()
        return session

    def server_link(self, name: str) -> Link:
        (link,) = [link for link in self.server_session.links.values() if link.name == name]
        return link


def linked(**settings: object) -> tuple[Pair, Sender, Receiver]:
    """A pair with a link each way: the client's sender "out", its receiver "in" without credit."""
    pair = Pair(**settings)  # type: ignore[arg-type]
    session = pair.session()
    sender = session.sender("out", Source(), Target("queue"))
    receiver = session.receiver("in", Source("queue"), Target())
    pair.run()
    return pair, sender, receiver


def frame(performative: Composite, channel: int = 0, payload: bytes = b"") -> bytes:
    """The octets of a frame."""
    return encode_frame(channel, encode_performative(performative) + payload)


def sasl(body: Composite) -> bytes:
    """The octets of a SASL frame."""
    return encode_frame(0, encode_performative(body), TYPE_SASL)


def frames(data: bytes) -> list[tuple[int, Composite | None, bytes]]:
    """What was sent, headers left out: channel, performative (None: empty frame), payload."""
    for header in (HEADER_1_0_SASL, HEADER_1_0):
        data = data.replace(header, b"")
    parser = FrameParser(1 << 30)
    parser.push(data)
    found: list[tuple[int, Composite | None, bytes]] = []
    while True:
        next_frame = parser.next_frame()
        if next_frame is None:
            return found
        body = next_frame.body
        if next_frame.type == TYPE_AMQP and body:
            performative, at = decode_performative(body)
            found.append((next_frame.channel, performative, body[at:]))
        else:
            found.append((next_frame.channel, decode_sasl(body) if body else None, b""))


def sent(connection: Connection) -> list[Composite | None]:
    """The performatives that a connection wants to send."""
    return [performative for _, performative, _ in frames(connection.data_to_send())]


class Raw:
    """A server connection that a test feeds with single frames."""

    def __init__(self, settings: ConnectionSettings | None = None, auto: bool = True) -> None:
        self.server = Connection(settings or ConnectionSettings(), 0.0)
        self.owner = Owner(self.server, 10, auto)

    def feed(self, data: bytes) -> list[Event]:
        return self.owner.handle(self.server.receive_data(data, 0.0))

    def say(self, *performatives: Composite, payload: bytes = b"", channel: int = 0) -> list[Event]:
        """The peer sends these; returns what the owner was told."""
        return self.feed(b"".join(frame(item, channel, payload) for item in performatives))

    def sent(self) -> list[Composite | None]:
        return sent(self.server)

    def opened(self, open_: Open | None = None) -> Raw:
        self.feed(HEADER_1_0_SASL + sasl(SaslInit("ANONYMOUS")) + HEADER_1_0)
        self.say(open_ or Open("raw"))
        self.sent()
        return self

    def begun(self, begin: Begin | None = None) -> Raw:
        self.opened()
        self.say(begin or Begin(None, 0, 100, 100))
        self.sent()
        return self

    def sender(self, name: str = "out", handle: int = 0) -> Receiver:
        """The peer attaches a link on which it sends; ours."""
        self.say(Attach(name, handle, False, source=Source(), target=Target("q")))
        self.sent()
        link = self.link(name)
        assert isinstance(link, Receiver)
        return link

    def receiver(self, credit: int = 0, name: str = "in", handle: int = 1) -> Sender:
        """The peer attaches a link on which it receives, and grants credit."""
        self.say(Attach(name, handle, True, source=Source("q"), target=Target()))
        if credit:
            self.say(Flow(0, 100, 0, 100, handle, 0, credit))
        self.sent()
        link = self.link(name)
        assert isinstance(link, Sender)
        return link

    def link(self, name: str) -> Link:
        session = self.server.sessions[0]
        (link,) = [link for link in session.links.values() if link.name == name]
        return link
