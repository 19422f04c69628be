"""Simulated 0-10 clients that do what the genuine ones do at failover.

``SimClient`` keeps a list of addresses and dials them in turn until one lets it in (a backup drops
the connection without a word), with a pause after each pass that doubles up to a limit. It keeps
heartbeats or none, re-attaches its session under the old name, and speaks through the real
connection and session machines in their client role. What it does with the session is up to
subclasses; all of them must be ready to lose it at any moment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from tanist.management.schema import HA_BROKER
from tanist.wire.amqp010.codec import decode_map, encode_header, encode_map, make
from tanist.wire.amqp010.connection import Connection, ConnectionSettings
from tanist.wire.amqp010.events import (
    Attached,
    Closed,
    Command,
    Completed,
    Detached,
    Event,
    Exception_,
    Failed,
    Opened,
    Result,
    Transfer,
)
from tanist.wire.amqp010.session import Session
from tanist.wire.amqp010.transfer import encode_transfer
from tanist.wire.amqp010.values import Struct, Value, uint32
from tests.sim.history import Event as HistoryEvent
from tests.sim.history import Refused
from tests.sim.network import CLIENT, Dial, Network, Pipe
from tests.sim.nodes import SimNode
from tests.sim.plan import ClientPlan
from tests.sim.world import World

CONNECT_S = 2.0
"""How long a client waits for TCP, and again for the broker to let it in."""

TICK_PAUSE_S = 0.001
"""Least time between two ticks: a deadline that has just come may have come by rounding only."""

RETRY_MAX_S = 0.5
"""The pause after a pass over all addresses doubles up to this."""

ID_MASK = 0xFFFFFFFF
"""Wire ids of commands are serial numbers of 32 bits."""

SESSION_BUSY = 1
"""session.detach-code: an older connection of ours still holds the name."""


@dataclass
class Site:
    """Where clients live: the world, the brokers, and where to write down what happens.

    ``calm``: nothing breaks any more, so that there is no reason to take one's time.
    """

    world: World
    network: Network
    nodes: list[SimNode]
    events: list[HistoryEvent]
    calm: bool = False
    startled: list[Callable[[], None]] = field(default_factory=list)
    """Called just before something breaks, so that much is under way then."""

    def startle(self) -> None:
        """Something is about to break."""
        for act in self.startled:
            act()

    def record(self, event: HistoryEvent) -> None:
        """Something happened."""
        self.events.append(event)


class SimClient:
    """Connects, reconnects, keeps heartbeats; subclasses do something with the session."""

    properties: ClassVar[Mapping[str, Value]] = {}
    tolerates: ClassVar[frozenset[int]] = frozenset()
    """Error codes that end a session and are no surprise: it tries again."""

    def __init__(
        self, site: Site, name: str, plan: ClientPlan, nodes: list[SimNode] | None = None
    ) -> None:
        self.site = site
        self.world = site.world
        self.name = name
        self.plan = plan
        self.running = True
        self.connections = 0
        self.session: Session | None = None
        self.dice = site.world.dice(f"client {name}")
        self._nodes = nodes or site.nodes
        self._address_at = self.dice.randrange(len(self._nodes))
        self._tries = 0
        self._pause_s = plan.retry_s
        self._dialling: Dial | None = None
        self._pipe: Pipe | None = None
        self._connection: Connection | None = None
        self._armed_at = float("inf")
        if plan.startle:
            site.startled.append(self._startle)
        self._dial()

    # -- for subclasses ---------------------------------------------------------------------

    def on_session(self, session: Session) -> None:
        """A session is there: a new one after every reconnect."""
        raise NotImplementedError

    def on_event(self, event: Event) -> None:
        """A transfer, a completion or a result on the session."""

    def on_lost(self) -> None:
        """The session is gone; ``self.session`` is None."""

    def on_startled(self) -> None:
        """Something is about to break, and ``self.session`` is there."""

    def on_refused(self, code: int, text: str) -> None:
        """The broker ended the session because of what we asked."""
        if code not in self.tolerates:
            self.site.record(Refused(self.world.now, self.name, code, text))
        self.world.note(f"{self.name} refused: {code} {text}")

    def later(self, delay_s: float, action: Callable[[], None]) -> None:
        """Do it after ``delay_s``, if this session is still there."""
        session = self.session

        def act() -> None:
            if self.session is session and session is not None:
                action()
                self.flush()

        self.world.after(delay_s, act)

    def _startle(self) -> None:
        if self.session is not None and self.running:
            self.on_startled()
            self.flush()

    # -- going ------------------------------------------------------------------------------

    def leave(self) -> None:
        """Close the connection in order, and do not come back unless ``come_back``."""
        self.running = False
        connection = self._connection
        if connection is not None and connection.opened:
            connection.close()
            self.flush()
            self._arm()
        elif self._pipe is not None or self._dialling is not None:
            self._lost("leaves")

    def come_back(self) -> None:
        """Connect again."""
        if not self.running:
            self.running = True
            if self._pipe is None and self._dialling is None:
                self._dial()

    @property
    def gone(self) -> bool:
        """It left, and its connection is closed."""
        return not self.running and self._pipe is None

    # -- the connection ---------------------------------------------------------------------

    def _dial(self) -> None:
        if not self.running or self._pipe is not None or self._dialling is not None:
            return
        node = self._nodes[self._address_at]
        self._address_at = (self._address_at + 1) % len(self._nodes)
        dial = self._dialling = self.site.network.connect(
            self.name, self.plan.host, node, self, self._answered
        )

        def time_out() -> None:
            if self._dialling is dial:
                self._lost("no connection in time")

        self.world.after(CONNECT_S, time_out)

    def _answered(self, pipe: Pipe | None, reason: str) -> None:
        self._dialling = None
        if pipe is None:
            self._lost(reason)
            return
        self._pipe = pipe
        self._connection = Connection(
            ConnectionSettings(
                role="client",
                heartbeat_s=self.plan.heartbeat_s,
                client_properties=self.properties,
            ),
            self.world.now,
        )
        self.flush()

        def time_out() -> None:
            if self._pipe is pipe and self.session is None:
                self._lost("not let in in time")

        self.world.after(CONNECT_S, time_out)

    def _arm(self) -> None:
        """Tick the connection at its deadline."""
        connection, pipe = self._connection, self._pipe
        if connection is None or connection.deadline >= self._armed_at:
            return
        self._armed_at = connection.deadline
        at = max(connection.deadline, self.world.now + TICK_PAUSE_S)

        def tick() -> None:
            if self._pipe is not pipe or self._connection is None:
                return
            if self._armed_at > self.world.now:
                return  # it was armed anew meanwhile
            self._armed_at = float("inf")
            self._take(self._connection.tick(self.world.now))
            self.flush()
            self._arm()

        self.world.at(at, tick)

    def pipe_data(self, pipe: Pipe, data: bytes) -> None:
        """Bytes from the broker."""
        if pipe is self._pipe and self._connection is not None:
            self._take(self._connection.receive_data(data, self.world.now))
            self.flush()
            self._arm()

    def pipe_closed(self, pipe: Pipe, reason: str) -> None:
        """The broker is gone, or does not want us."""
        if pipe is self._pipe:
            self._lost(reason)

    def pipe_full(self, pipe: Pipe, full: bool) -> None:
        """Clients write on: they are limited by their windows."""

    def _lost(self, reason: str) -> None:
        pipe, self._pipe = self._pipe, None
        dial, self._dialling = self._dialling, None
        self._connection = None
        self._armed_at = float("inf")
        if self.session is not None:
            self.world.note(f"{self.name} lost its connection: {reason}")
            self.session = None
            self.on_lost()
        if dial is not None:
            self.site.network.give_up(dial)
        if pipe is not None:
            self.site.network.abort(pipe, CLIENT)
        self._tries += 1
        if self._tries % len(self._nodes) == 0:
            self._pause_s = min(2 * self._pause_s, RETRY_MAX_S)
            self.world.after(self._pause_s, self._dial)
        else:
            self.world.after(0.0, self._dial)

    def flush(self) -> None:
        """Write what waits."""
        if self._pipe is not None and self._connection is not None:
            data = self._connection.data_to_send()
            if data:
                self.site.network.send(self._pipe, CLIENT, data)

    def _take(self, events: list[Event]) -> None:
        for event in events:
            if self._connection is None:
                return
            if isinstance(event, (Transfer, Completed, Result)):
                if event.session is self.session:
                    self.on_event(event)
            elif isinstance(event, Command):
                event.session.complete(event.id, event.id)
            elif isinstance(event, Opened):
                self.connections += 1
                self._connection.attach(self.name, force=self.plan.force)
            elif isinstance(event, Attached):
                self._attached(event.session)
            elif isinstance(event, Exception_):
                struct = event.struct
                self.on_refused(struct.number("error_code"), struct.text("description"))
            elif isinstance(event, Detached):
                self._detached(event.code)
            elif isinstance(event, (Closed, Failed)):
                self._lost(f"{type(event).__name__} {event.text}")

    def _attached(self, session: Session) -> None:
        self._tries = 0
        self._pause_s = self.plan.retry_s
        self.world.note(f"{self.name} attached")
        self.session = session
        self.on_session(session)

    def _detached(self, code: int) -> None:
        """The session ended: attach another one, when an old one of ours is out of the way."""
        if self.session is not None:
            self.session = None
            self.on_lost()
        if code == SESSION_BUSY:
            self.world.counts["session busy"] += 1
        pipe = self._pipe

        def again() -> None:
            connection = self._connection
            idle = self._pipe is pipe and self.session is None and self.running
            if connection is not None and idle:
                connection.attach(self.name, force=self.plan.force)
                self.flush()

        self.world.after(0.2, again)


class Promoter(SimClient):
    """Calls ``promote`` on one broker, as qpid-ha does, and reports what it answered, once.

    It connects once; "" is reported when it does not come to an answer.
    """

    properties: ClassVar[Mapping[str, Value]] = {"qpid.ha-admin": uint32(1)}

    def __init__(
        self, site: Site, name: str, host: str, node: SimNode, answered: Callable[[str], None]
    ) -> None:
        self._tell = answered
        super().__init__(site, name, ClientPlan(host=host, heartbeat_s=0), [node])

    def on_session(self, session: Session) -> None:
        """Make a reply queue and send the request."""
        queue = f"{self.name}-{self.connections}"
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
        if isinstance(event, Transfer) and self.running:
            values = decode_map(event.body).get("_values")
            text = values.get("error_text") if isinstance(values, dict) else "ok"
            self.leave()
            self._tell(str(text))

    def _lost(self, reason: str) -> None:
        unanswered, self.running = self.running, False
        super()._lost(reason)
        if unanswered:
            self._tell("")

    def give_up(self) -> None:
        """Wait no longer: the answer, if it comes, is not told."""
        self.running = False
        self._lost("gave up")


def covers(event: Completed, command_id: int) -> bool:
    """Whether the command with this wire id is among what was completed."""
    return any(
        (command_id - first) & ID_MASK <= (last - first) & ID_MASK for first, last in event.ranges
    )


def answer_of(event: Result) -> Struct:
    """The struct of a query's answer. Every query of ours has one."""
    assert event.value is not None
    return event.value
