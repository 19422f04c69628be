"""Clients of AMQP 0-10: sessions under one name, re-attached after each reconnect."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
from tests.sim.clients import AGAIN_S, SimClient, Site
from tests.sim.nodes import SimNode
from tests.sim.plan import ClientPlan

ID_MASK = 0xFFFFFFFF
"""Wire ids of commands are serial numbers of 32 bits."""

SESSION_BUSY = 1
"""session.detach-code: an older connection of ours still holds the name."""


class Client010(SimClient):
    """Speaks 0-10. ``on_session`` is called for each new session, ``on_event`` with its events."""

    protocol = "0-10"
    properties: ClassVar[Mapping[str, Value]] = {}
    session: Session | None
    _connection: Connection | None

    # -- for subclasses ---------------------------------------------------------------------

    def on_session(self, session: Session) -> None:
        """A session is there: a new one after every reconnect."""
        raise NotImplementedError

    def on_event(self, event: Event) -> None:
        """A transfer, a completion or a result on the session."""

    # -- the protocol -----------------------------------------------------------------------

    def connect(self) -> Connection:
        """See ``SimClient``."""
        return Connection(
            ConnectionSettings(
                role="client",
                heartbeat_s=self.plan.heartbeat_s,
                client_properties=self.properties,
            ),
            self.world.now,
        )

    def take(self, events: Sequence[object]) -> None:
        """See ``SimClient``."""
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
                self.let_in()
                self.session = event.session
                self.on_session(event.session)
            elif isinstance(event, Exception_):
                struct = event.struct
                self.on_refused(struct.number("error_code"), struct.text("description"))
            elif isinstance(event, Detached):
                self._detached(event.code)
            elif isinstance(event, (Closed, Failed)):
                self._lost(f"{type(event).__name__} {event.text}")

    def _detached(self, code: int) -> None:
        """The session ended: attach another one, when an old one of ours is out of the way."""
        self.session_lost()
        if code == SESSION_BUSY:
            self.count("session busy")
        pipe = self._pipe

        def again() -> None:
            connection = self._connection
            idle = self._pipe is pipe and self.session is None and self.running
            if connection is not None and idle:
                connection.attach(self.name, force=self.plan.force)
                self.flush()

        self.world.after(AGAIN_S, again)


class Promoter(Client010):
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
