"""A node in miniature, and clients that talk to it over joined byte streams.

``MiniNode`` is broker, sessions, and a gate that tests open by hand (``hold=True``) or that opens
at once; it steps as the real node does. ``Client`` is the client role of our wire connection:
what it sends and understands is what any 0-10 client does. Both are deterministic.
"""

from __future__ import annotations

from collections import deque
from uuid import UUID

from tanist.core.broker import Broker, BrokerConfig
from tanist.core.message import Message
from tanist.sessions.amqp010.link import Link010
from tanist.sessions.amqp010.sessions import Sessions
from tanist.sessions.held import Held
from tanist.sessions.translation import headers_of
from tanist.sessions.work import Steps
from tanist.types import ReplicationLevel
from tanist.wire.amqp010 import codec, transfer
from tanist.wire.amqp010.codec import encode_header, make
from tanist.wire.amqp010.connection import Connection, ConnectionSettings
from tanist.wire.amqp010.events import (
    Closed,
    Command,
    Completed,
    Detached,
    Event,
    Exception_,
    Failed,
    Opened,
    Opening,
    Result,
    SaslStart,
    Transfer,
)
from tanist.wire.amqp010.session import Session
from tanist.wire.amqp010.values import Array, Struct

FAILOVER_URLS = ("amqp:tcp:127.0.0.1:7201", "amqp:tcp:127.0.0.1:7202")


def failover_message() -> Message:
    """What amq.failover sends (clients.md R10)."""
    properties = make(
        "message.message-properties",
        content_length=0,
        application_headers={"amq.failover": Array(0x95, list(FAILOVER_URLS))},
    )
    delivery = make("message.delivery-properties", routing_key="amq.failover")
    header = encode_header([properties, delivery])
    return Message(header, b"", "amq.failover", "amq.failover")


class ServerEnd:
    """One connection as the node sees it; ``dropped``: TCP must go."""

    def __init__(self, node: MiniNode, number: int, peer: str) -> None:
        settings = ConnectionSettings(role="server", server_properties={"product": "tanist"})
        self.connection = Connection(settings, node.now)
        self.number = number
        self.peer = peer
        self.link: Link010 | None = None
        self.dropped = False


class MiniNode:
    """Broker and sessions behind a gate. ``hold``: confirmations wait for ``open_gate()``."""

    def __init__(
        self, *, ha: bool = True, hold: bool = False, auth: bool = False, admit: bool = True
    ) -> None:
        self.now = 1000.0
        self.hold = hold
        self.admit = admit
        self.index = 0
        self.safe = 0
        self.records: list[object] = []
        self.line: deque[tuple[int, Held]] = deque()
        self.ends: dict[int, ServerEnd] = {}
        self._uuids = 0
        config = BrokerConfig(
            ha=ha,
            default_level=ReplicationLevel.ALL if ha else ReplicationLevel.NONE,
            failover_exchange=True,
        )
        self.broker = Broker(config, self._new_uuid, headers_of, failover_message)
        self.broker.now = self.now
        self.broker.promote()
        self.steps = Steps(self.broker)
        self.work = self.steps.work
        self.sessions = Sessions(self.broker, self.work, auth)

    def _new_uuid(self) -> UUID:
        self._uuids += 1
        return UUID(int=self._uuids)

    def connect(self, peer: str = "127.0.0.1:1") -> ServerEnd:
        """A new TCP connection."""
        end = ServerEnd(self, len(self.ends) + 1, peer)
        self.ends[end.number] = end
        return end

    def receive(self, end: ServerEnd, data: bytes) -> None:
        """One step: bytes arrived on ``end``."""
        self.begin()
        if end.link is not None:
            end.link.heard_at = self.now
        for event in end.connection.receive_data(data, self.now):
            self._on_event(end, event)
        self.finish()

    def disconnect(self, end: ServerEnd) -> None:
        """One step: TCP of ``end`` is gone."""
        self.begin()
        end.dropped = True
        if end.link is not None:
            self.sessions.close_link(end.link)
        self.finish()

    def tick(self, seconds: float = 0.0) -> None:
        """One step: time passed."""
        self.now += seconds
        self.begin()
        self.broker.tick()
        for end in self.ends.values():
            for event in end.connection.tick(self.now):
                self._on_event(end, event)
        self.finish()

    def begin(self) -> None:
        """The start of every step."""
        self.broker.now = self.now
        self.steps.begin()

    def finish(self) -> None:
        """The end of every step."""
        while self.steps.dispatch():
            self.steps.begin()  # as if the edge had been able to write at once
        self.records += self.broker.journal
        self.index += len(self.broker.journal)
        self.broker.journal.clear()
        self.broker.notices.clear()
        touched, self.work.touched = self.work.touched, []
        for held in touched:
            held.seal(self.index)
            if self.index <= self.safe:
                held.open_gate(self.index)
            else:
                self.line.append((self.index, held))
        if not self.hold:
            self.open_gate()
        if self.work.broken or self.broker.pending:
            self.begin()
            self.finish()

    def open_gate(self, index: int | None = None) -> None:
        """Records up to ``index`` (all) are safe."""
        limit = self.index if index is None else index
        self.safe = max(self.safe, limit)
        while self.line and self.line[0][0] <= limit:
            at, held = self.line.popleft()
            held.open_gate(at)

    def _on_event(self, end: ServerEnd, event: Event) -> None:
        if isinstance(event, SaslStart):
            user = "anonymous@QPID"
            if event.mechanism == "PLAIN" and event.response:
                user = event.response.split(b"\0")[1].decode() + "@QPID"
            end.connection.sasl_accept(user)
        elif isinstance(event, Opening):
            if not self.admit:
                end.dropped = True
                return
            end.connection.open_ok(list(FAILOVER_URLS))
            end.link = Link010(end.connection, end.number, end.connection.user, end.peer, self.now)
        elif isinstance(event, (Closed, Failed)):
            end.dropped = True
            if end.link is not None:
                self.sessions.close_link(end.link)
        else:
            assert end.link is not None
            self.sessions.on_event(end.link, event)


class Delivered:
    """A transfer that a client received."""

    def __init__(self, event: Transfer) -> None:
        self.id = event.id
        self.destination = event.destination
        self.header = event.header
        self.body = None if event.bodiless else event.body
        self.accept_mode = event.accept_mode
        self.acquire_mode = event.acquire_mode
        self.properties = transfer.scan_header(event.header)

    @property
    def redelivered(self) -> bool:
        """The flag as sent."""
        return self.properties.redelivered


class ClientSession:
    """What a test says on one session and what came back."""

    def __init__(self, client: Client, session: Session) -> None:
        self.client = client
        self.session = session
        self.results: dict[int, Struct | None] = {}
        self.completed: set[int] = set()
        self.order: list[str] = []
        self.messages: list[Delivered] = []
        self.accepted: list[tuple[int, int]] = []
        self.exception: Struct | None = None
        self.detached: int | None = None

    def do(self, command: str, **fields: object) -> int:
        """Send a command, let the node step; returns its id."""
        command_id = self.tell(command, **fields)
        self.client.pump()
        return command_id

    def tell(self, command: str, **fields: object) -> int:
        """Send a command without letting anybody step."""
        return self.session.send(make(command, **fields), sync=True)  # type: ignore[arg-type]

    def ask(self, command: str, **fields: object) -> Struct:
        """Send a query; returns its result."""
        value = self.results[self.do(command, **fields)]
        assert value is not None
        return value

    def publish(
        self,
        key: str,
        body: bytes | None = b"x",
        *,
        exchange: str = "",
        explicit: bool = False,
        pump: bool = True,
        properties: dict[str, object] | None = None,
        **delivery: object,
    ) -> int:
        """Send a message to ``exchange`` with routing key ``key``; returns its id."""
        structs = [make("message.delivery-properties", routing_key=key, **delivery)]  # type: ignore[arg-type]
        if properties:
            structs.append(make("message.message-properties", **properties))  # type: ignore[arg-type]
        head = transfer.encode_transfer(exchange, 0 if explicit else 1, 0)
        header = codec.encode_header(structs)
        command_id = self.session.send_transfer(head, header, body or b"", body is None)
        if pump:
            self.client.pump()
        return command_id

    def subscribe(
        self,
        queue: str,
        destination: str = "d",
        *,
        accept: int = 0,
        acquire: int = 0,
        window: bool = False,
        credit: int = 0xFFFFFFFF,
        **more: object,
    ) -> None:
        """Subscribe and grant ``credit`` messages."""
        self.tell(
            "message.subscribe",
            queue=queue,
            destination=destination,
            accept_mode=accept,
            acquire_mode=acquire,
            **more,
        )
        self.tell("message.set-flow-mode", destination=destination, flow_mode=int(window))
        self.tell("message.flow", destination=destination, unit=1, value=0xFFFFFFFF)
        self.do("message.flow", destination=destination, unit=0, value=credit)

    def finish(self, first: int, last: int | None = None) -> None:
        """Complete transfers that we received."""
        self.session.complete(first, first if last is None else last)
        self.client.pump()

    @property
    def bodies(self) -> list[bytes | None]:
        """Bodies received so far; None where there was no body segment."""
        return [message.body for message in self.messages]


class Client:
    """One client connection to ``node``. ``pump`` moves bytes until nobody has more to say."""

    def __init__(self, node: MiniNode, user: str = "guest", heartbeat_s: int = 0) -> None:
        self.node = node
        self.end = node.connect()
        settings = ConnectionSettings(
            role="client",
            username=user,
            password="guest",
            mechanism="PLAIN",
            heartbeat_s=heartbeat_s,
        )
        self.connection = Connection(settings, node.now)
        self.sessions: dict[Session, ClientSession] = {}
        self.opened = False
        self.pump()

    def attach(self, name: str = "", *, force: bool = False) -> ClientSession:
        """Attach a session, by default of a name that nobody has."""
        name = name or f"session {len(self.sessions)} of {self.end.number}"
        session = ClientSession(self, self.connection.attach(name, force))
        self.sessions[session.session] = session
        self.pump()
        return session

    def pump(self) -> None:
        """Exchange bytes until both sides are quiet."""
        for _ in range(1000):
            outgoing = self.connection.data_to_send()
            if outgoing and not self.end.dropped:
                self.node.receive(self.end, outgoing)
            incoming = self.end.connection.data_to_send()
            if not outgoing and not incoming:
                return
            for event in self.connection.receive_data(incoming, self.node.now) if incoming else ():
                self._on_event(event)
        raise AssertionError("client and node never stop talking")

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Opened):
            self.opened = True
            return
        session = getattr(event, "session", None)
        mine = self.sessions.get(session) if session is not None else None
        if mine is None:
            return
        if isinstance(event, Transfer):
            mine.messages.append(Delivered(event))
            mine.order.append("transfer")
        elif isinstance(event, Result):
            mine.results[event.command_id] = event.value
            mine.order.append("result")
        elif isinstance(event, Completed):
            for first, last in event.ranges:
                mine.completed.update(range(first, last + 1))
            mine.order.append("completed")
        elif isinstance(event, Command):
            if event.struct.name == "message.accept":
                mine.accepted += event.struct.ranges("transfers")
            mine.order.append(event.struct.name)
            mine.session.complete(event.id, event.id)
        elif isinstance(event, Exception_):
            mine.exception = event.struct
        elif isinstance(event, Detached):
            mine.detached = event.code
