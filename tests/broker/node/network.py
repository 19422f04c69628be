"""Real nodes on one wire without delay: what a test says happens, in order, at once.

``Network`` has the clock and carries bytes; ``Host`` is a node with its edge; ``Guest`` is a 0-10
client, whose sessions are those of the sessions' tests. Everything runs in ``Network.run`` until
nobody has more to say; time passes only in ``Network.advance``. A host can be frozen (SIGSTOP) or
killed, and an address can be a black hole.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol
from uuid import UUID

from tanist.management.schema import HA_BROKER
from tanist.node.config import NodeConfig
from tanist.node.gate import Gate
from tanist.node.inputs import (
    Answered,
    Connected,
    Disconnected,
    Input,
    LinkUp,
    Listening,
    Received,
    Started,
    Tick,
    Writable,
)
from tanist.node.node import Node
from tanist.node.outputs import Arm, Close, Connect, Consult, Log, Output, Send, Stop
from tanist.wire.amqp010.codec import decode_list, decode_map, encode_header, encode_map, make
from tanist.wire.amqp010.connection import Connection, ConnectionSettings
from tanist.wire.amqp010.events import Opened
from tanist.wire.amqp010.transfer import encode_transfer, message_properties
from tanist.wire.amqp010.values import Value, uint32
from tests.broker.sessions.session_peer import Client, ClientSession

PORT = 5672
WALL_S = 1_700_000_000.0
STEPS_MAX = 100_000
CALL_MAX_S = 6


class Peer(Protocol):
    """Whoever is at the other end of a wire: a client."""

    def wire_data(self, conn: int, data: bytes) -> None:
        """Bytes for it."""

    def wire_gone(self, conn: int, reason: str) -> None:
        """The connection is gone."""


class Wire:
    """A TCP connection from ``dialler`` to ``accepter``, and what each of them calls it."""

    def __init__(
        self, network: Network, dialler: Host | Peer, dialled: int, accepter: Host, accepted: int
    ) -> None:
        self.network = network
        self.dialler = dialler
        self.dialled = dialled
        self.accepter = accepter
        self.accepted = accepted
        self.open = True

    def send(self, number: int, data: bytes) -> None:
        """Carry bytes to the other end; ``number`` is what the sender calls the connection."""
        other: Host | Peer = self.accepter
        theirs = self.accepted
        if number == self.accepted:
            other, theirs = self.dialler, self.dialled

        def arrive() -> None:
            if self.open:
                other.wire_data(theirs, data)

        self.network.later(arrive)

    def cut(self, reason: str) -> None:
        """Both ends learn that it is gone; what is under way arrives first."""

        def gone() -> None:
            if self.open:
                self.open = False
                self.dialler.wire_gone(self.dialled, reason)
                self.accepter.wire_gone(self.accepted, reason)

        self.network.later(gone)


class Network:
    """The clock, who is there, and what is under way."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.hosts: dict[str, Host] = {}
        self.black_holes: set[str] = set()
        self._todo: deque[Callable[[], object]] = deque()

    def later(self, action: Callable[[], object]) -> None:
        """Do it after what is under way."""
        self._todo.append(action)

    @property
    def busy(self) -> bool:
        """Something is under way."""
        return bool(self._todo)

    def step(self) -> None:
        """Do the next thing under way."""
        self._todo.popleft()()

    def run_until(self, done: Callable[[], bool]) -> None:
        """Stop in the middle of things."""
        while not done():
            self.step()

    def run(self) -> None:
        """Until nobody has more to say at this time."""
        for _ in range(STEPS_MAX):
            if self._todo:
                self._todo.popleft()()
            elif not any(host.tick_if_due() for host in self.hosts.values()):
                return
        raise AssertionError("something spins")

    def advance(self, seconds: float) -> None:
        """Let time pass; timers fire at their times."""
        end = self.now + seconds
        self.run()
        while True:
            due = min((host.armed_at for host in self.hosts.values() if host.awake), default=end)
            if due >= end:
                break
            self.now = max(due, self.now)
            self.run()
        self.now = end
        self.run()


class Host:
    """A broker. ``config``: fields of ``NodeConfig`` that differ from a cluster member's."""

    def __init__(self, network: Network, name: str, number: int, **config: object) -> None:
        self.network = network
        self.name = name
        self.number = number
        fields: dict[str, object] = {
            "ha_cluster": True,
            "ha_replicate": "all",
            "ha_brokers_url": "a,b,c",
            "link_heartbeat_interval_s": 1.0,
            "link_maintenance_interval_s": 0.5,
            "ha_backup_timeout_s": 5.0,
        }
        self.fields = {**fields, **config}
        self.starts = 0
        self.command: Callable[[Consult], tuple[int, str] | None] = lambda consult: (0, "")
        """``ha-insync-command``: exit status and text, or None for no answer (yet)."""
        network.hosts[name] = self
        self.start()

    def start(self, gate: Gate | None = None) -> None:
        """Start, or start again, empty."""
        self.starts += 1
        self.node = Node(
            NodeConfig(
                system_id=UUID(int=self.number, version=4),
                boot_id=bytes((self.number, self.starts)) * 8,
                **self.fields,  # type: ignore[arg-type]
            ),
            gate,
        )
        self.alive = True
        self.frozen = False
        self.armed_at = float("inf")
        self.stop_reasons: list[str] = []
        self.lines: list[tuple[str, str, str]] = []
        self.outputs: list[Output] = []
        self.wires: dict[int, Wire] = {}
        self._last_conn = 0
        self._missed: list[Callable[[], Input]] = []
        self.take(lambda: Started(self.network.now, WALL_S + self.network.now))
        self.take(lambda: Listening(self.network.now, PORT))

    # -- what tests look at ----------------------------------------------------------------

    @property
    def system_id(self) -> UUID:
        """Who it is."""
        return self.node.config.system_id

    @property
    def status(self) -> str:
        """HA status."""
        return self.node.cluster.ha_status()

    @property
    def awake(self) -> bool:
        """It lives and is not stopped by SIGSTOP."""
        return self.alive and not self.frozen

    @property
    def log(self) -> list[str]:
        """Texts of the log lines of level info and above."""
        return [text for level, _, text in self.lines if level not in ("trace", "debug")]

    def bodies(self, queue: str) -> list[bytes]:
        """What is on a queue."""
        return [entry.message.body for entry in self.node.broker.queues[queue].entries()]

    def members(self) -> dict[int, int]:
        """The members as habroker shows them: number of the host -> status."""
        found = {}
        for member in self.node.cluster.ha_members():
            assert isinstance(member, dict)
            who, status = member["system-id"], member["status"]
            assert isinstance(who, UUID)
            assert isinstance(status, int)
            found[UUID(int=who.int).int & 0xFFFF] = int(status)
        return found

    # -- life ------------------------------------------------------------------------------

    def kill(self) -> None:
        """SIGKILL."""
        self.alive = False
        for wire in list(self.wires.values()):
            wire.cut("connection reset")

    def freeze(self) -> None:
        """SIGSTOP: connections stay, nothing is read."""
        self.frozen = True

    def cut_off(self) -> None:
        """Its connections break, and what it had not read is lost with them."""
        self._missed.clear()
        for conn, wire in list(self.wires.items()):
            wire.open = False
            self.wire_gone(conn, "connection reset")

    def thaw(self) -> None:
        """SIGCONT."""
        self.frozen = False
        missed, self._missed = self._missed, []
        for make_input in missed:
            self.take(make_input)

    # -- the edge --------------------------------------------------------------------------

    def take(self, make_input: Callable[[], Input]) -> None:
        """One step, unless nobody is there to make it."""
        if self.frozen:
            self._missed.append(make_input)
        elif self.alive:
            for output in self.node.step(make_input()):
                self.outputs.append(output)
                self._perform(output)

    def tick_if_due(self) -> bool:
        """Fire the timer if it is time."""
        if not self.awake or self.armed_at > self.network.now:
            return False
        self.armed_at = float("inf")
        self.take(lambda: Tick(self.network.now))
        return True

    def accept(self, dialler: Host | Peer, dialled: int = 0) -> Wire:
        """Somebody connects; the kernel accepts even if the process is stopped."""
        self._last_conn += 1
        conn = self._last_conn
        wire = Wire(self.network, dialler, dialled, self, conn)
        self.wires[conn] = wire
        self.take(lambda: Connected(self.network.now, conn, f"client:{conn}", f"{self.name}:1"))
        return wire

    def wire_data(self, conn: int, data: bytes) -> None:
        """Bytes for a connection."""
        if conn in self.wires:
            self.take(lambda: Received(self.network.now, conn, data))

    def wire_gone(self, conn: int, reason: str) -> None:
        """A connection is gone."""
        if self.wires.pop(conn, None) is not None:
            self.take(lambda: Disconnected(self.network.now, conn, reason))

    def writable(self, wire: Wire, writable: bool) -> None:
        """The write buffer of a connection filled or drained."""
        self.take(lambda: Writable(self.network.now, wire.accepted, writable))
        self.network.run()

    def _perform(self, output: Output) -> None:
        if isinstance(output, Send):
            wire = self.wires.get(output.conn)
            if wire is not None:
                wire.send(output.conn, output.data)
        elif isinstance(output, Close):
            wire = self.wires.get(output.conn)
            if wire is not None:
                wire.cut("closed")
        elif isinstance(output, Connect):
            self._connect(output)
        elif isinstance(output, Consult):
            self._consult(output)
        elif isinstance(output, Arm):
            self.armed_at = output.at
        elif isinstance(output, Log):
            self.lines.append((output.level, output.category, output.text))
        elif isinstance(output, Stop):
            self.stop_reasons.append(output.reason)
            self.kill()

    def _consult(self, output: Consult) -> None:
        answer = self.command(output)
        if answer is not None:
            code, text = answer
            self.network.later(lambda: self.answer(output, code, text))

    def answer(self, question: Consult, code: int, text: str = "") -> None:
        """``ha-insync-command`` ends so."""
        self.take(lambda: Answered(self.network.now, question.request, code, text))

    def _connect(self, output: Connect) -> None:
        network, conn = self.network, output.conn
        if output.host in network.black_holes:
            return
        target = network.hosts.get(output.host)
        if target is None or not target.alive:
            network.later(
                lambda: self.take(lambda: Disconnected(network.now, conn, "connection refused"))
            )
            return

        def up() -> None:
            self.wires[conn] = target.accept(self, conn)
            self.take(lambda: LinkUp(network.now, conn, f"{self.name}:2"))

        network.later(up)


class Guest(Client):
    """A client of one host. ``dropped``: TCP is gone; ``raw``: the bytes that came."""

    def __init__(
        self,
        host: Host,
        *,
        properties: dict[str, Value] | None = None,
        heartbeat_s: int = 0,
        username: str = "",
        password: str = "",
        mechanism: str = "",
    ) -> None:
        self.host = host
        self.network = host.network
        self.connection = Connection(
            ConnectionSettings(
                role="client",
                client_properties=properties or {},
                heartbeat_s=heartbeat_s,
                username=username,
                password=password,
                mechanism=mechanism,
            ),
            self.network.now,
        )
        self.sessions = {}
        self.opened = False
        self.known_hosts: list[str] = []
        self.dropped = False
        self.raw = b""
        self.events: list[object] = []
        self.wire = host.accept(self)
        self.pump()

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
            if isinstance(event, Opened):
                self.known_hosts = event.known_hosts
            self._on_event(event)
        self.flush()

    def wire_gone(self, conn: int, reason: str) -> None:
        """The host is gone, or does not want us."""
        self.dropped = True

    def hang_up(self) -> None:
        """Close TCP."""
        self.wire.cut("client gone")
        self.network.run()

    def session(self) -> ClientSession:
        """A new session."""
        return self.attach(f"session {len(self.sessions)} of {self.wire.accepted}")


class Admin(Guest):
    """A management client, as qpid-ha is."""

    def __init__(self, host: Host, **more: object) -> None:
        super().__init__(host, properties={"qpid.ha-admin": uint32(1)}, **more)  # type: ignore[arg-type]
        self._count = 0
        self._session = self.attach(f"admin {id(self)}")
        self._queue = f"reply-{host.name}-{host.starts}-{self.wire.accepted}"
        self._session.do("queue.declare", queue=self._queue, exclusive=True, auto_delete=True)
        self._session.do(
            "exchange.bind", queue=self._queue, exchange="amq.direct", binding_key=self._queue
        )
        self._session.subscribe(self._queue, accept=1)

    def request(
        self,
        opcode: str,
        body: dict[str, Value],
        answer_to: str = "",
        exchange: str = "amq.direct",
    ) -> bytes:
        """Send a request; returns its correlation id. The answer may come later."""
        self._count += 1
        correlation = f"{self._queue} {self._count}".encode()
        content = encode_map(body)
        header = encode_header(
            [
                make("message.delivery-properties", routing_key="broker"),
                make(
                    "message.message-properties",
                    content_length=len(content),
                    app_id=b"qmf2",
                    correlation_id=correlation,
                    reply_to=make(
                        "message.reply-to",
                        exchange=exchange,
                        routing_key=answer_to or self._queue,
                    ),
                    application_headers={"qmf.opcode": opcode},
                ),
            ]
        )
        self._session.session.send_transfer(
            encode_transfer("qmf.default.direct", 1, 0), header, content
        )
        self.pump()
        return correlation

    def answer(self, correlation: bytes) -> bytes | None:
        """The body of the answer, None if it has not come."""
        for message in self._session.messages:
            properties = message_properties(message.header)
            if properties is not None and properties.octets("correlation_id") == correlation:
                return message.body
        return None

    def start_call(self, method: str, **arguments: Value) -> bytes:
        """Call a method of the habroker without waiting."""
        return self.request(
            "_method_request",
            {
                "_object_id": {"_object_name": HA_BROKER.object_name("ha-broker")},
                "_method_name": method,
                "_arguments": dict(arguments),
            },
        )

    def error_of(self, correlation: bytes) -> str | None:
        """The error text of an answered call, "" if it went well, None if it was not answered."""
        body = self.answer(correlation)
        if body is None:
            return None
        values = decode_map(body).get("_values")
        return str(values["error_text"]) if isinstance(values, dict) else ""

    def call(self, method: str, **arguments: Value) -> str:
        """Call a method of the habroker; returns "" or the error text.

        Time passes only if the answer takes some: a promotion waits for members that are silent.
        """
        correlation = self.start_call(method, **arguments)
        for _ in range(CALL_MAX_S * 10):
            if self.answer(correlation) is not None:
                break
            self.network.advance(0.1)
        error = self.error_of(correlation)
        assert error is not None, "no answer"
        return error

    def ha_broker(self) -> dict[str, Value] | None:
        """The values of the habroker object; None if it does not exist."""
        body = self.answer(
            self.request(
                "_query_request", {"_what": "OBJECT", "_schema_id": {"_class_name": "habroker"}}
            )
        )
        assert body is not None, "no answer"
        objects = decode_list(body)
        if not objects:
            return None
        element = objects[0]
        assert isinstance(element, dict)
        values = element["_values"]
        assert isinstance(values, dict)
        return values


def promote(host: Host) -> str:
    """What a resource manager does; returns "" or why it was refused."""
    admin = Admin(host)
    error = admin.call("promote")
    admin.hang_up()
    return error


def cluster(*names: str, **config: object) -> tuple[Network, list[Host]]:
    """A network of members; nobody is primary yet."""
    network = Network()
    url = ",".join(names)
    hosts = [
        Host(network, name, number, **{"ha_brokers_url": url, **config})
        for number, name in enumerate(names, 1)
    ]
    network.run()
    return network, hosts


def running(*names: str, **config: object) -> tuple[Network, list[Host]]:
    """A cluster whose first member is primary and whose others are ready."""
    network, hosts = cluster(*names, **config)
    assert promote(hosts[0]) == ""
    network.advance(2.0)
    assert [host.status for host in hosts] == ["active"] + ["ready"] * (len(hosts) - 1)
    return network, hosts
