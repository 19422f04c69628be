"""Simulated 0-10 clients that do what the genuine ones do at failover.

Each keeps a list of addresses and dials them in turn until one lets it in; it resends, in order,
every message that was not confirmed; a consumer forgets what it had not accepted and gets it
again. They speak through the real connection and session machines in their client role.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from tanist.management.schema import HA_BROKER
from tanist.wire.amqp010.codec import decode_map, encode_header, encode_map, make
from tanist.wire.amqp010.connection import Connection, ConnectionSettings
from tanist.wire.amqp010.events import (
    Attached,
    Closed,
    Completed,
    Detached,
    Event,
    Exception_,
    Failed,
    Opened,
    Transfer,
)
from tanist.wire.amqp010.session import Session
from tanist.wire.amqp010.transfer import encode_transfer, scan_header
from tanist.wire.amqp010.values import Value, uint32
from tests.sim.nodes import SimNode
from tests.sim.world import Pipe, World

RETRY_S = 0.05
TICK_S = 0.25
QUEUE = "q"


class History:
    """What clients did: sends called, sends confirmed, messages received, in order of happening."""

    def __init__(self) -> None:
        self.attempts: list[tuple[str, int]] = []
        self.acknowledged: list[tuple[str, int]] = []
        self.received: list[tuple[str, str, int, bool]] = []


class SimClient:
    """Connects, reconnects, keeps heartbeats; subclasses do something with the session."""

    properties: ClassVar[dict[str, Value]] = {}

    def __init__(self, world: World, name: str, nodes: list[SimNode], heartbeat_s: int) -> None:
        self.world = world
        self.name = name
        self.running = True
        self.connections = 0
        self._nodes = nodes
        self._next = world.random.randrange(len(nodes))
        self._heartbeat_s = heartbeat_s
        self._pipe: Pipe | None = None
        self._connection: Connection | None = None
        self._dial()

    # -- the connection ---------------------------------------------------------------------

    def _dial(self) -> None:
        if not self.running or self._pipe is not None:
            return
        node = self._nodes[self._next]
        self._next = (self._next + 1) % len(self._nodes)
        if not node.alive:
            self.world.after(RETRY_S, self._dial)
            return
        self._pipe = node.accept(self, self.name)
        self._connection = Connection(
            ConnectionSettings(
                role="client", heartbeat_s=self._heartbeat_s, client_properties=self.properties
            ),
            self.world.now,
        )
        self._flush()
        self._tick_later(self._pipe)

    def _tick_later(self, pipe: Pipe) -> None:
        def tick() -> None:
            if self._pipe is pipe and self._connection is not None:
                if self.world.now >= self._connection.deadline:
                    self._events(self._connection.tick(self.world.now))
                self._flush()
                self._tick_later(pipe)

        self.world.after(TICK_S, tick)

    def pipe_data(self, pipe: Pipe, data: bytes) -> None:
        """Bytes from the broker."""
        if pipe is self._pipe and self._connection is not None:
            self._events(self._connection.receive_data(data, self.world.now))
            self._flush()

    def pipe_closed(self, pipe: Pipe, reason: str) -> None:
        """The broker is gone, or does not want us."""
        if pipe is self._pipe:
            self._lost()

    def _lost(self) -> None:
        pipe = self._pipe
        self._pipe = None
        self._connection = None
        self.on_lost()
        if pipe is not None:
            self.world.cut(pipe, "closed by client")
        self.world.after(RETRY_S, self._dial)

    def _flush(self) -> None:
        if self._pipe is not None and self._connection is not None:
            data = self._connection.data_to_send()
            if data:
                self.world.send(self._pipe, True, data)

    def _events(self, events: list[Event]) -> None:
        for event in events:
            if self._connection is None:
                return
            if isinstance(event, Opened):
                self.connections += 1
                self._connection.attach(self.name, force=True)
            elif isinstance(event, Attached):
                self.on_attached(event.session)
            elif isinstance(event, (Closed, Failed, Detached, Exception_)):
                self.world.note(f"{self.name} {type(event).__name__} {getattr(event, 'text', '')}")
                self._lost()
            else:
                self.on_event(event)

    def stop(self) -> None:
        """Go away for good."""
        self.running = False
        if self._pipe is not None:
            self._lost()

    # -- for subclasses ---------------------------------------------------------------------

    def on_attached(self, session: Session) -> None:
        """A session is there: a new one after every reconnect."""
        raise NotImplementedError

    def on_event(self, event: Event) -> None:
        """Something on the session."""
        raise NotImplementedError

    def on_lost(self) -> None:
        """The session is gone."""


def declare(session: Session, queue: str) -> None:
    """Declare the replicated queue; harmless if it is there."""
    session.send(make("queue.declare", queue=queue))


class Producer(SimClient):
    """Sends ``count`` numbered messages, ``window`` unconfirmed at most."""

    def __init__(
        self,
        world: World,
        name: str,
        nodes: list[SimNode],
        history: History,
        count: int,
        window: int,
        pause_s: float,
    ) -> None:
        self.history = history
        self.count = count
        self.window = window
        self.pause_s = pause_s
        self.next_number = 1
        self.unconfirmed: dict[int, bool] = {}
        self._ids: dict[int, int] = {}
        self._session: Session | None = None
        super().__init__(world, name, nodes, heartbeat_s=1)

    @property
    def done(self) -> bool:
        """Everything was sent and confirmed."""
        return self.next_number > self.count and not self.unconfirmed

    def on_attached(self, session: Session) -> None:
        """Declare the queue, resend what was not confirmed, go on."""
        self._session = session
        self._ids = {}
        declare(session, QUEUE)
        for number in list(self.unconfirmed):
            self._send(session, number, again=True)
        self._more(session)

    def on_lost(self) -> None:
        """Wait for a new session."""
        self._session = None

    def on_event(self, event: Event) -> None:
        """Confirmations."""
        if isinstance(event, Completed) and event.session is self._session:
            for first, last in event.ranges:
                for command_id in range(first, last + 1):
                    number = self._ids.pop(command_id, 0)
                    if number and self.unconfirmed.pop(number, None) is not None:
                        self.history.acknowledged.append((self.name, number))

    def _more(self, session: Session) -> None:
        if self._session is not session:
            return
        burst = self.world.random.randrange(1, self.window + 1)
        while burst and len(self.unconfirmed) < self.window and self.next_number <= self.count:
            burst -= 1
            number = self.next_number
            self.next_number += 1
            self.unconfirmed[number] = True
            self.history.attempts.append((self.name, number))
            self._send(session, number, again=False)
        self._flush()
        if self.next_number <= self.count:
            self.world.after(self.pause_s, lambda: self._more(session))

    def _send(self, session: Session, number: int, again: bool) -> None:
        header = encode_header(
            [make("message.delivery-properties", routing_key=QUEUE, redelivered=again)]
        )
        body = f"{self.name}:{number}".encode()
        self._ids[session.send_transfer(encode_transfer("", 0, 0), header, body)] = number


class Consumer(SimClient):
    """Receives with explicit accept; thinks a little before it accepts."""

    def __init__(
        self,
        world: World,
        name: str,
        nodes: list[SimNode],
        history: History,
        prefetch: int,
        think_s: float,
    ) -> None:
        self.history = history
        self.prefetch = prefetch
        self.think_s = think_s
        self._session: Session | None = None
        super().__init__(world, name, nodes, heartbeat_s=1)

    def on_attached(self, session: Session) -> None:
        """Subscribe with a window of ``prefetch`` messages."""
        self._session = session
        declare(session, QUEUE)
        session.send(make("message.subscribe", queue=QUEUE, destination="d", accept_mode=0))
        session.send(make("message.set-flow-mode", destination="d", flow_mode=1))
        session.send(make("message.flow", destination="d", unit=1, value=0xFFFFFFFF))
        session.send(make("message.flow", destination="d", unit=0, value=self.prefetch))

    def on_lost(self) -> None:
        """What was not accepted will come again."""
        self._session = None

    def on_event(self, event: Event) -> None:
        """A message."""
        if isinstance(event, Transfer):
            producer, _, number = event.body.decode().partition(":")
            redelivered = scan_header(event.header).redelivered
            self.history.received.append((self.name, producer, int(number), redelivered))
            session, command_id = event.session, event.id

            def accept() -> None:
                if session is self._session:
                    session.complete(command_id, command_id)
                    session.send(make("message.accept", transfers=[(command_id, command_id)]))
                    self._flush()

            self.world.after(self.think_s, accept)


class Promoter(SimClient):
    """Calls ``promote`` on one broker, as qpid-ha does, and reports what it answered."""

    properties: ClassVar[dict[str, Value]] = {"qpid.ha-admin": uint32(1)}

    def __init__(self, world: World, node: SimNode, answered: Callable[[str], None]) -> None:
        self._answered = answered
        super().__init__(world, f"rm-{node.name}-{world.now:.3f}", [node], heartbeat_s=0)

    def on_attached(self, session: Session) -> None:
        """Make a reply queue and send the request."""
        queue = self.name
        session.send(make("queue.declare", queue=queue, exclusive=True, auto_delete=True))
        session.send(make("exchange.bind", queue=queue, exchange="amq.direct", binding_key=queue))
        session.send(make("message.subscribe", queue=queue, destination="r", accept_mode=1))
        for unit in (0, 1):
            session.send(make("message.flow", destination="r", unit=unit, value=0xFFFFFFFF))
        content = encode_map(
            {
                "_object_id": {"_object_name": HA_BROKER.object_name("ha-broker")},
                "_method_name": "promote",
                "_arguments": {},
            }
        )
        header = encode_header(
            [
                make("message.delivery-properties", routing_key="broker"),
                make(
                    "message.message-properties",
                    content_length=len(content),
                    app_id=b"qmf2",
                    correlation_id=b"1",
                    reply_to=make("message.reply-to", exchange="amq.direct", routing_key=queue),
                    application_headers={"qmf.opcode": "_method_request"},
                ),
            ]
        )
        session.send_transfer(encode_transfer("qmf.default.direct", 1, 0), header, content)

    def on_event(self, event: Event) -> None:
        """The answer."""
        if isinstance(event, Transfer):
            values = decode_map(event.body).get("_values")
            text = values.get("error_text") if isinstance(values, dict) else "ok"
            self._answered(str(text))
            self.stop()
