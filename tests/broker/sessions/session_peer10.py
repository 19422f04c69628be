"""The node in miniature of ``session_peer`` with 1.0 sessions, and a client that talks to it.

``Client10`` is the client role of our wire connection. It keeps everything that it was told,
settles nothing and answers nothing by itself, but for detaches of ours, which it confirms.
"""

from __future__ import annotations

from uuid import UUID

from session_peer import MiniNode

from tanist.sessions.amqp10.link import Link10
from tanist.sessions.amqp10.sessions import Sessions10
from tanist.sessions.amqp10.settings import SessionSettings
from tanist.sessions.amqp10.state import SessionState
from tanist.wire.amqp10.composites import (
    Accepted,
    Coordinator,
    Declare,
    Declared,
    DeliveryState,
    Discharge,
    Error,
    Header,
    Properties,
    Rejected,
    Source,
    Target,
    TransactionalState,
)
from tanist.wire.amqp10.connection import Connection, ConnectionSettings
from tanist.wire.amqp10.encoding import encode_composite
from tanist.wire.amqp10.events import (
    Attached,
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
from tanist.wire.amqp10.link import Link
from tanist.wire.amqp10.receiver import Receiver
from tanist.wire.amqp10.sections import (
    MESSAGE_ANNOTATIONS,
    MessageParts,
    encode_body_value,
    encode_data,
    encode_map_section,
    split_message,
)
from tanist.wire.amqp10.sender import Sender
from tanist.wire.amqp10.session import Session

UNLIMITED = 0xFFFF_FFFF


class Node10(MiniNode):
    """Both protocols on one broker. ``patterns``: of queues, then of topics."""

    def __init__(
        self, *, hold: bool = False, auth: bool = False, ha: bool = True, **settings: object
    ) -> None:
        super().__init__(ha=ha, hold=hold, auth=auth)
        options = SessionSettings(check_user_ids=auth, **settings)  # type: ignore[arg-type]
        self.sessions10 = Sessions10(self.broker, self.work, options)

    def disconnect(self, end) -> None:
        """One step: TCP of ``end`` is gone."""
        if not isinstance(end, End10):
            super().disconnect(end)
            return
        self.begin()
        end.dropped = True
        if end.link is not None:
            self.sessions10.close_link(end.link)
        self.finish()

    def _on_event(self, end, event) -> None:
        if not isinstance(end, End10):
            super()._on_event(end, event)
        elif isinstance(event, SaslStart):
            user = "anonymous@QPID"
            if event.mechanism == "PLAIN" and event.response:
                user = event.response.split(b"\0")[1].decode() + "@QPID"
            self._all(end, end.connection.sasl_accept(user))
        elif isinstance(event, Opening):
            end.link = Link10(
                end.connection,
                end.number,
                end.connection.user,
                end.peer,
                self.now,
                event.open.container_id,
            )
            self._all(end, end.connection.open_ok("node"))
        elif isinstance(event, (Closed, Failed)):
            end.dropped = True
            if end.link is not None:
                self.sessions10.close_link(end.link)
        else:
            self.sessions10.on_event(end.link, event)

    def _all(self, end, events) -> None:
        for event in events:
            self._on_event(end, event)


class End10:
    """One 1.0 connection as the node sees it."""

    def __init__(self, node: Node10, number: int) -> None:
        self.connection = Connection(ConnectionSettings(), node.now)
        self.number = number
        self.peer = f"127.0.0.1:{number}"
        self.link: Link10 | None = None
        self.dropped = False


class Got:
    """A delivery that a client received."""

    def __init__(self, event: Delivery) -> None:
        self.id = event.id
        self.tag = event.tag
        self.settled = event.settled
        self.link = event.link.name
        self.parts: MessageParts = split_message(event.payload)
        self.header = self.parts.read_header()

    @property
    def body(self) -> object:
        """Octets of data, or the value."""
        parts = self.parts
        return parts.read_data() if parts.body_kind == 0x75 else parts.read_body_value()

    @property
    def count(self) -> int:
        """delivery-count."""
        return self.header.delivery_count

    @property
    def annotations(self) -> dict[object, object]:
        """Message annotations."""
        return dict(self.parts.read_message_annotations())


def message(
    body: bytes = b"x",
    *,
    annotations: dict[str, object] | None = None,
    properties: Properties | None = None,
    application: dict[str, object] | None = None,
    **header: object,
) -> bytes:
    """The octets of a message."""
    octets = encode_composite(Header(**header)) if header else b""  # type: ignore[arg-type]
    if annotations:
        octets += encode_map_section(MESSAGE_ANNOTATIONS, annotations)  # type: ignore[arg-type]
    if properties is not None:
        octets += encode_composite(properties)
    if application:
        octets += encode_map_section(0x74, application)  # type: ignore[arg-type]
    return octets + encode_data(body)


class Session10:
    """What a test says on one session, and what came back.

    ``outcomes``, ``settled``: of what we sent; ``confirmed``: what we received and the node
    settled.
    """

    def __init__(self, client: Client10, session: Session) -> None:
        self.client = client
        self.session = session
        self.got: list[Got] = []
        self.outcomes: dict[int, DeliveryState | None] = {}
        self.settled: set[int] = set()
        self.confirmed: set[int] = set()
        self.ended: Error | None = None
        self.over = False
        self.detached: dict[str, Error | None] = {}
        self.closed: dict[str, bool] = {}
        self.attached: dict[str, Attached] = {}
        self.drains: list[str] = []
        self.tags = 0

    # -- links

    def sender(
        self, address: str | None = "q", name: str = "", *, pump: bool = True, **target: object
    ) -> Sender:
        """Attach a link on which we send to ``address``."""
        settle = {k: target.pop(k) for k in ("snd_settle_mode", "rcv_settle_mode") if k in target}
        outcomes = target.pop("outcomes", ())
        link = self.session.sender(
            name or f"to {address}",
            Source("here", outcomes=outcomes),  # type: ignore[arg-type]
            Target(address, **target),  # type: ignore[arg-type]
            **settle,  # type: ignore[arg-type]
        )
        if pump:
            self.client.pump()
        return link

    def receiver(
        self,
        address: str | None = "q",
        name: str = "",
        *,
        credit: int = 0,
        mode: int = 2,
        second: int = 0,
        pump: bool = True,
        **source: object,
    ) -> Receiver:
        """Attach a link on which we receive, and grant credit."""
        link = self.session.receiver(
            name or f"from {address}",
            Source(address, **source),  # type: ignore[arg-type]
            Target("there"),
            snd_settle_mode=mode,
            rcv_settle_mode=second,
        )
        if credit:
            link.flow(credit)
        if pump:
            self.client.pump()
        return link

    def refused(self, link: Link) -> str:
        """The condition with which ``link`` was refused."""
        attached = self.attached[link.name].attach
        assert (attached.source if attached.role is False else attached.target) is None
        error = self.detached[link.name]
        assert error is not None
        assert error.description
        return str(error.condition)

    def source(self, link: Link) -> Source:
        """The source that answered."""
        source = self.attached[link.name].attach.source
        assert isinstance(source, Source)
        return source

    def target(self, link: Link) -> Target:
        """The target that answered."""
        target = self.attached[link.name].attach.target
        assert isinstance(target, Target)
        return target

    def close(self, link: Link, closed: bool = True) -> None:
        """Detach ``link``."""
        link.detach(closed)
        self.client.pump()

    # -- messages

    def send(
        self,
        link: Sender,
        octets: bytes = b"",
        *,
        settled: bool = False,
        state: DeliveryState | None = None,
        pump: bool = True,
        format: int = 0,
    ) -> int:
        """Send a message; returns its id."""
        self.tags += 1
        number = link.send(
            self.tags.to_bytes(4, "big"), octets or message(), settled, b"", state, format
        )
        if pump:
            self.client.pump()
        return number

    def flow(self, link: Receiver, credit: int, drain: bool = False) -> None:
        """Set the credit."""
        link.flow(credit, drain)
        self.client.pump()

    def settle(self, first: int, outcome: DeliveryState | None = None, last: int = -1) -> None:
        """Settle what we received: accepted, unless something else is said."""
        self.session.settle(first, max(first, last), outcome or Accepted())
        self.client.pump()

    def dispose(self, first: int, outcome: DeliveryState | None) -> None:
        """Tell the outcome, and let the node settle first."""
        self.session.dispose(first, first, outcome)
        self.client.pump()

    def outcome(self, number: int) -> str:
        """What became of a message that we sent: the name of its outcome, or the error in it."""
        state = self.outcomes[number]
        if isinstance(state, Rejected):
            assert state.error is not None
            return str(state.error.condition)
        return type(state).__name__

    @property
    def bodies(self) -> list[object]:
        """Of all messages received."""
        return [got.body for got in self.got]

    # -- transactions

    def coordinator(self, name: str = "coordinator") -> Sender:
        """Attach the coordinator."""
        link = self.session.sender(name, Source(), Coordinator())
        self.client.pump()
        return link

    def request(self, link: Sender, request: Declare | Discharge) -> DeliveryState | None:
        """Ask the coordinator; returns the outcome, None if there is none yet."""
        return self.outcomes.get(self.send(link, encode_body_value(request)))

    def declare(self, link: Sender) -> bytes:
        """The id of a new transaction."""
        declared = self.request(link, Declare())
        assert isinstance(declared, Declared)
        return declared.txn_id

    def within(self, txn_id: bytes, outcome: DeliveryState | None = None) -> TransactionalState:
        """A state in a transaction."""
        return TransactionalState(txn_id, outcome)


class Client10:
    """One client connection to ``node``. ``pump`` moves bytes until nobody has more to say."""

    def __init__(self, node: Node10, user: str = "guest", container: str = "") -> None:
        self.node = node
        number = len(node.ends) + 1
        self.end = End10(node, number)
        node.ends[number] = self.end  # type: ignore[assignment]
        settings = ConnectionSettings(
            role="client",
            username=user,
            password="guest",
            mechanism="PLAIN",
            container_id=container or f"container {number}",
        )
        self.connection = Connection(settings, node.now)
        self.sessions: dict[Session, Session10] = {}
        self.failed: Failed | None = None
        self.pump()

    def begin(self) -> Session10:
        """Begin a session."""
        session = Session10(self, self.connection.begin())
        self.sessions[session.session] = session
        self.pump()
        return session

    @property
    def link(self) -> Link10:
        """The node's side."""
        assert self.end.link is not None
        return self.end.link

    @property
    def state(self) -> SessionState:
        """The node's side of the only session."""
        (state,) = self.node.sessions10.sessions_of(self.link)
        return state

    def drop(self) -> None:
        """TCP is gone."""
        self.node.disconnect(self.end)

    def pump(self) -> None:
        """Exchange bytes until both sides are quiet."""
        for _ in range(1000):
            outgoing = self.connection.data_to_send()
            if outgoing and not self.end.dropped:
                self.node.receive(self.end, outgoing)  # type: ignore[arg-type]
            incoming = self.end.connection.data_to_send()
            if not outgoing and not incoming:
                return
            for event in self.connection.receive_data(incoming, self.node.now) if incoming else ():
                self._on_event(event)
        raise AssertionError("client and node never stop talking")

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Failed):
            self.failed = event
            return
        session = getattr(event, "session", None)
        if session is None:
            session = getattr(getattr(event, "link", None), "session", None)
        mine = self.sessions.get(session) if session is not None else None
        if mine is None:
            return
        if isinstance(event, Delivery):
            mine.got.append(Got(event))
        elif isinstance(event, Disposed):
            for number in range(event.first, event.last + 1):
                if event.role:
                    mine.outcomes[number] = event.state
                if event.settled:
                    (mine.settled if event.role else mine.confirmed).add(number)
        elif isinstance(event, Attached):
            mine.attached[event.link.name] = event
        elif isinstance(event, Detached):
            mine.detached[event.link.name] = event.error
            mine.closed[event.link.name] = event.closed
            if event.link.alive:
                event.link.detach()
        elif isinstance(event, Flowed):
            if isinstance(event.link, Receiver) and event.flow is not None and event.flow.drain:
                mine.drains.append(event.link.name)
        elif isinstance(event, Ended):
            mine.ended, mine.over = event.error, True


def new_uuid(number: int) -> str:
    """The name of the dynamic node that is the ``number``th to ask for an id."""
    return str(UUID(int=number))
