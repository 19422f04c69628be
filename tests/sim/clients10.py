"""Clients of AMQP 1.0: one session, and links on it that are attached anew after each reconnect.

What they send before the broker has answered is sent ahead, as Proton does. A link or a session
that the broker ends is a refusal; the client begins another session then. A client whose own
machine finds a fault in what the broker sent writes that down as a refusal as well.
"""

from __future__ import annotations

from collections.abc import Sequence

from tanist.wire.amqp10.composites import Error
from tanist.wire.amqp10.conditions import INVALID_FIELD, RESOURCE_LIMIT_EXCEEDED
from tanist.wire.amqp10.connection import FAILED_PROPERTY, Connection
from tanist.wire.amqp10.events import (
    Attached,
    Closed,
    Delivery,
    Detached,
    Disposed,
    Ended,
    Failed,
    Flowed,
    Opened,
)
from tanist.wire.amqp10.link import Link
from tanist.wire.amqp10.performatives import Attach
from tanist.wire.amqp10.session import Session
from tanist.wire.amqp10.settings import ConnectionSettings
from tests.sim.clients import AGAIN_S, SimClient

NOT_FOUND = "amqp:not-found"
RESOURCE_LOCKED = "amqp:resource-locked"
RESOURCE_DELETED = "amqp:resource-deleted"

QUEUE = "queue"
ON_DEMAND = "create-on-demand"
"""Capabilities of a terminus: it is a queue, which is made if it is not there."""

SOLE = "sole-connection-for-container"
"""What Qpid JMS desires, so that two clients cannot have one client id."""

SILENT = "no frame for"
"""How the error begins of a broker that has not heard us, when only the way to it is blocked."""

NO_SASL = "NONE"


class Client10(SimClient):
    """Speaks 1.0. ``on_session`` is called for each new session, the others with its events."""

    protocol = "1.0"
    session: Session | None
    _connection: Connection | None

    # -- for subclasses ---------------------------------------------------------------------

    @property
    def container_id(self) -> str:
        """Who it is, whatever the connection."""
        return self.name

    def on_session(self, session: Session) -> None:
        """A session is there: a new one after every reconnect."""
        raise NotImplementedError

    def on_attached(self, link: Link, attach: Attach) -> None:
        """The broker attached a link of ours; ``attach``: what it said."""

    def on_detached(self, link: Link) -> None:
        """The broker confirmed that we detached a link."""

    def on_delivery(self, event: Delivery) -> None:
        """A message."""

    def on_disposed(self, event: Disposed) -> None:
        """What became of deliveries."""

    def on_flow(self, link: Link) -> None:
        """The credit of a link is not what it was."""

    # -- going ------------------------------------------------------------------------------

    def leave(self) -> None:
        """See ``SimClient``. Nothing more happens on the session."""
        super().leave()
        self.session_lost()

    # -- the protocol -----------------------------------------------------------------------

    def connect(self) -> Connection:
        """See ``SimClient``."""
        plan = self.plan
        return Connection(
            ConnectionSettings(
                role="client",
                container_id=self.container_id,
                idle_timeout_s=2.0 * plan.heartbeat_s,
                max_frame_size=plan.frame_bytes,
                incoming_window=plan.session_window,
                mechanism=NO_SASL if plan.bare else "",
                desired_capabilities=(SOLE,) if plan.sole else (),
            ),
            self.world.now,
        )

    def take(self, events: Sequence[object]) -> None:
        """See ``SimClient``."""
        for event in events:
            if self._connection is None:
                return
            if isinstance(event, Delivery):
                if event.link.alive and event.link.session is self.session:
                    self.on_delivery(event)
            elif isinstance(event, Disposed):
                if event.session is self.session:
                    self.on_disposed(event)
            elif isinstance(event, Flowed):
                if event.link.alive and event.link.session is self.session:
                    self.on_flow(event.link)
            else:
                self._take_rare(self._connection, event)

    def _take_rare(self, connection: Connection, event: object) -> None:
        if isinstance(event, Opened):
            self.connections += 1
            announced = FAILED_PROPERTY in (event.open.properties or {})
            if self.running and not announced and not connection.closed:
                self.let_in()
                self._begin(connection)
        elif isinstance(event, Attached):
            link = event.link
            refused = (event.attach.source if link.role else event.attach.target) is None
            if link.session is self.session and not refused:
                self.on_attached(link, event.attach)
        elif isinstance(event, Detached):
            self._detached(event)
        elif isinstance(event, Ended):
            self._refused(event.error)
            if event.session is self.session:
                self._restart()
        elif isinstance(event, Closed):
            self._closed(event.error)
            self._lost("Closed")
        elif isinstance(event, Failed):
            if not event.silent:
                self._refused(Error(event.condition, event.text))
            self._lost(f"Failed {event.text}")

    def _closed(self, error: Error | None) -> None:
        """The broker closed: another one with our name is there, or it has not heard us."""
        condition = "" if error is None else error.condition
        text = "" if error is None else error.description or ""
        if condition == INVALID_FIELD and self.plan.sole:
            self.count("container busy")
        elif condition == RESOURCE_LIMIT_EXCEEDED and text.startswith(SILENT):
            self.count("not heard")
        else:
            self._refused(error)

    def _begin(self, connection: Connection) -> None:
        session = connection.begin()
        self.session = session
        self.on_session(session)

    def _detached(self, event: Detached) -> None:
        link = event.link
        ours = not link.alive and not event.ours
        if link.alive:
            link.detach()
        self._refused(event.error)
        if link.session is self.session:
            if ours and event.error is None:
                self.on_detached(link)
            else:
                self._restart()

    def _refused(self, error: Error | None) -> None:
        if error is not None:
            self.on_refused(error.condition, error.description or "")

    def _restart(self) -> None:
        """The session, or a link of it, is over: begin anew."""
        session, pipe = self.session, self._pipe
        self.session_lost()
        if session is not None:
            session.end()

        def again() -> None:
            connection = self._connection
            idle = self._pipe is pipe and self.session is None and self.running
            if connection is not None and idle and connection.opened:
                self._begin(connection)
                self.flush()

        self.world.after(AGAIN_S, again)
