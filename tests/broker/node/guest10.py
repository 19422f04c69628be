"""A 1.0 client of one host of a ``network.Network``: what a test wants to say, said at once."""

from __future__ import annotations

from tanist.wire.amqp10.composites import Source, Target
from tanist.wire.amqp10.connection import Connection
from tanist.wire.amqp10.events import Closed, Delivery, Disposed, Event, Failed, Opened
from tanist.wire.amqp10.receiver import Receiver
from tanist.wire.amqp10.sections import encode_data
from tanist.wire.amqp10.sender import Sender
from tanist.wire.amqp10.session import Session
from tanist.wire.amqp10.settings import ConnectionSettings
from tests.broker.node.network import Host


class Guest10:
    """``dropped``: TCP is gone; ``raw``: the bytes that came; ``events``: all of them."""

    def __init__(self, host: Host, settings: ConnectionSettings | None = None) -> None:
        self.host = host
        self.network = host.network
        wanted = settings or ConnectionSettings(role="client", container_id="guest")
        self.connection = Connection(wanted, self.network.now)
        self.dropped = False
        self.raw = b""
        self.events: list[Event] = []
        self.deliveries: list[Delivery] = []
        self.wire = host.accept(self)
        self.pump()

    @property
    def opened(self) -> bool:
        """The host's Open came."""
        return any(isinstance(event, Opened) for event in self.events)

    @property
    def error(self) -> tuple[str, str]:
        """Condition and text of the Close that came."""
        for event in self.events:
            if isinstance(event, Closed) and event.error is not None:
                return event.error.condition, event.error.description or ""
        return "", ""

    def pump(self) -> None:
        """Say what we have to say, let everybody answer."""
        self.flush()
        self.network.run()

    def flush(self) -> None:
        """Write what waits."""
        data = self.connection.data_to_send()
        if data and not self.dropped:
            self.wire.send(0, data)

    def wire_data(self, conn: int, data: bytes) -> None:
        """Bytes from the host."""
        self.raw += data
        for event in self.connection.receive_data(data, self.network.now):
            self.events.append(event)
            if isinstance(event, Delivery):
                self.deliveries.append(event)
        self.flush()

    def wire_gone(self, conn: int, reason: str) -> None:
        """The host dropped us, or is gone."""
        self.dropped = True

    def session(self) -> Session:
        """A session that has begun."""
        session = self.connection.begin()
        self.pump()
        return session

    def sender(self, session: Session, address: str, name: str = "out") -> Sender:
        """A link to a node, with the credit that the host gave."""
        link = session.sender(name, Source(), Target(address=address))
        self.pump()
        return link

    def receiver(self, session: Session, address: str, credit: int, name: str = "in") -> Receiver:
        """A link from a node, with ``credit``."""
        link = session.receiver(name, Source(address=address), Target())
        link.flow(credit)
        self.pump()
        return link

    def send(self, link: Sender, body: bytes) -> int:
        """Send a message of one data section; returns its delivery id."""
        number = link.send(str(link.delivery_count).encode(), encode_data(body))
        self.pump()
        return number

    def settled(self) -> list[tuple[int, int, str]]:
        """The dispositions of what we sent: first, last, outcome."""
        return [
            (event.first, event.last, type(event.state).__name__)
            for event in self.events
            if isinstance(event, Disposed) and event.role
        ]

    def failure(self) -> str:
        """Why our machine gave up, empty if it did not."""
        return "".join(event.text for event in self.events if isinstance(event, Failed))
