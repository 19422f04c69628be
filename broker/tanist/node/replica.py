"""One queue that is a copy of its namesake on another broker: the link that keeps it so.

The link dials the addresses of the source in turn: of a cluster only the primary lets it in. A pass
over the list is made without delay between addresses; after a pass that found nobody, and before a
link that did not last is made again, it waits ``link-maintenance-interval``. What travels on it is
the matter of ``inflow``.

It ends by itself when the source has no such queue (any more). Whoever refuses it in words (a
wrong identity, replication that is off) is asked again after ``REFUSED_RETRY_S``, and the log has
one line for it. Driven by ``replicas``. Specification qpidd-compat 4.1, 6.1, 6.3.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from tanist.core.broker import Broker
from tanist.core.queue import Queue
from tanist.ha.membership import BrokerInfo
from tanist.ha.roles import Status
from tanist.ha.standing import SYSTEM_ID_PROPERTY, PeerStatus
from tanist.ha.url import Address, Url
from tanist.node.config import NodeConfig
from tanist.node.identity import PRODUCT, UuidSource
from tanist.node.inflow import Inflow, session_name
from tanist.node.links import CATEGORY, HANDSHAKE_MIN_S
from tanist.node.outbox import Outbox
from tanist.node.outputs import Close, Connect, Send
from tanist.types import BrokerError, Condition
from tanist.wire.amqp010.connection import Connection, ConnectionSettings
from tanist.wire.amqp010.events import (
    Attached,
    Closed,
    Command,
    Detached,
    Event,
    Exception_,
    Failed,
    Opened,
    Transfer,
)
from tanist.wire.amqp010.values import Value, int32, uint64

REFUSED_RETRY_S: Final = 30.0
"""Who refused us in words is not asked more often: somebody must change a configuration first."""

GONE_CODES: Final = (Condition.NOT_FOUND.code, Condition.RESOURCE_DELETED.code, 410)
"""Error codes that mean that the source has no such queue; of 410 only documents speak."""

NEVER: Final = float("inf")


class Replica:
    """A copied queue, and its source at ``url``.

    ``conn``: its connection, 0 = none. ``ended``: why it is over, "" if not. ``dial_at`` (seconds):
    when it dials next.
    """

    def __init__(
        self,
        config: NodeConfig,
        broker: Broker,
        outbox: Outbox,
        uuids: UuidSource,
        touched: list[Inflow],
        conns: dict[int, Replica],
        queue: Queue,
        url: Url,
        fresh: bool,
    ) -> None:
        """``conns``: who has which connection; it enters itself. ``fresh``: somebody asked for it,
        it is not merely continued. If the source has another queue of that name than the one that
        was copied before, copying then begins anew.
        """
        self._config = config
        self._broker = broker
        self._outbox = outbox
        self._uuids = uuids
        self._conns = conns
        self.url = url
        self._fresh = fresh
        self.queue = queue
        self.inflow = Inflow(config, broker, queue, touched)
        self.conn = 0
        self.dial_at = 0.0
        self.ended = ""
        self._turn = 0
        self._connection: Connection | None = None
        self._address: Address | None = None
        self._give_up_at = NEVER
        self._judged = False
        self._ours = False
        self._attached = False
        self._linked_at = NEVER
        self._refused = False
        self._told = ""
        self._reason = ""

    # -- what others see ----------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The source, without a login."""
        return Url(self.url.addresses).canonical()

    @property
    def is_linked(self) -> bool:
        """The source takes us for a copy of its queue."""
        return self._linked_at < NEVER

    def describe(self) -> Value:
        """What ``habroker`` shows."""
        state = "connecting" if not self._told else "refused"
        if self.is_linked:
            standing = self.inflow.standing
            state = "linked"
            if standing is not None:
                state = "in-sync" if standing.waited_for else "catching-up"
        found: dict[str, Value] = {
            "queue": self.queue.name,
            "source": self.name,
            "state": state,
            "reason": "" if self.is_linked else self._reason,
        }
        if self.inflow.lag >= 0:
            found["lag"] = uint64(self.inflow.lag)
        return found

    # -- time ---------------------------------------------------------------------------------

    def deadline(self) -> float:
        """When ``tick`` has something to do."""
        if not self.conn:
            return self.dial_at
        connection = self._connection
        return (
            self._give_up_at if connection is None else min(self._give_up_at, connection.deadline)
        )

    def tick(self, now: float) -> None:
        """Dial if it is time; drop what takes too long or fell silent."""
        if self.conn and now >= self._give_up_at:
            self._drop(now, "no answer in time")
        elif self._connection is not None and now >= self._connection.deadline:
            self._events(self._connection.tick(now), now)
        if not self.conn and now >= self.dial_at and not self.ended:
            self._dial(now)

    def _dial(self, now: float) -> None:
        addresses = self.url.addresses
        self._address = address = addresses[self._turn % len(addresses)]
        wanted_s = max(HANDSHAKE_MIN_S, 2 * self._config.link_heartbeat_interval_s)
        limit_s = min(wanted_s, self._config.max_negotiate_time_s)
        self.conn = self._outbox.next_conn()
        self._conns[self.conn] = self
        self._give_up_at = now + limit_s
        self._outbox.put(Connect(self.conn, address.host, address.port, limit_s))

    # -- what the edge reports ----------------------------------------------------------------

    def up(self, now: float) -> None:
        """The TCP connection is there."""
        self._connection = Connection(self._settings(), now)
        self._judged = self._ours = self._attached = False

    def received(self, data: bytes, now: float) -> None:
        """Bytes from the source."""
        connection = self._connection
        if connection is None:
            return
        events = connection.receive_data(data, now)
        if not self._judged and connection.server_properties:
            self._judged = True
            if not self._judge(connection.server_properties, now):
                return
        self._events(events, now)
        if self._attached and not self.is_linked and self.conn:
            self._link_up(now)

    def gone(self, now: float, reason: str) -> None:
        """The TCP connection is gone, or could not be made."""
        self._forget(now, reason)

    def write(self) -> None:
        """Send what waits."""
        connection = self._connection
        if self.conn and connection is not None and connection.has_data():
            self._outbox.put(Send(self.conn, connection.data_to_send()))

    # -- one link -----------------------------------------------------------------------------

    @property
    def _tag(self) -> str:
        return self._config.federation_tag or str(self._config.system_id)

    def _settings(self) -> ConnectionSettings:
        config = self._config
        url = self.url
        return ConnectionSettings(
            role="client",
            client_properties={
                "product": PRODUCT,
                "qpid.fed_link": int32(1),
                "qpid.federation_tag": self._tag,
            },
            username=url.user or config.ha_username,
            password=url.password if url.user else config.ha_password,
            mechanism=config.ha_mechanism,
            heartbeat_s=int(config.link_heartbeat_interval_s),
        )

    def _judge(self, properties: dict[str, Value], now: float) -> bool:
        """Look at who answered; false if the connection was dropped."""
        peer = properties.get(SYSTEM_ID_PROPERTY)
        if peer == self._config.system_id:
            self._refuse(now, "that is this broker itself")
            return False
        status = PeerStatus.from_properties(properties)
        if status is not None and not status.is_primary:
            self._drop(now, "not the primary")
            return False
        self._ours = properties.get("product") == PRODUCT
        self.inflow.source.peer = peer if isinstance(peer, UUID) else None
        return True

    def _events(self, events: list[Event], now: float) -> None:
        for event in events:
            if not self.conn:
                return
            if isinstance(event, Transfer):
                try:
                    self.inflow.transfer(event)
                except BrokerError as error:
                    self._refuse(now, error.text)
            elif isinstance(event, Command):
                self.inflow.command(event)
            elif isinstance(event, Opened):
                self._open()
            elif isinstance(event, Attached):
                self._attached = True
                self._give_up_at = NEVER
            elif isinstance(event, Exception_):
                self._failed(event, now)
            elif isinstance(event, Detached):
                self._drop(now, "the source ended the session")
            elif isinstance(event, (Closed, Failed)):
                self._closed(event, now)

    def _open(self) -> None:
        """The source lets us in: subscribe."""
        assert self._connection is not None
        name = session_name(self.queue.name, self._uuids(), self._tag)
        status = Status.ACTIVE if self._config.ha_cluster else Status.STANDALONE
        info = BrokerInfo(self._config.system_id, status)
        self.inflow.begin(self._connection.attach(name), info, self._ours)

    def _link_up(self, now: float) -> None:
        self._linked_at = now
        self._fresh = self._refused = False
        self._told = self._reason = ""
        self._log("notice", f"is copied from {self._address_name} now")

    def _failed(self, event: Exception_, now: float) -> None:
        """The source raised an error on our session."""
        text = event.struct.text("description")
        code = event.struct.number("error_code")
        if code not in GONE_CODES:
            self._refuse(now, text)
        elif (
            code == Condition.RESOURCE_DELETED.code
            and self._fresh
            and self.inflow.source.lineage is not None
        ):
            # Another queue of that name was copied here before. This time it is this one.
            self._fresh = False
            self._broker.set_source(self.queue, self.url.canonical(), None)
            self._drop(now, text)
            self.dial_at = now
        else:
            self.ended = text
            self._drop(now, text)

    def _closed(self, event: Closed | Failed, now: float) -> None:
        """The connection ended in words; before it was open, they are about who we are."""
        connection = self._connection
        refused = connection is not None and not connection.opened
        if isinstance(event, Failed) and connection is not None and connection.mechanism:
            refused = False
        self.write()
        if refused:
            user = self.url.user or self._config.ha_username or "anonymous"
            self._refuse(
                now,
                f"refuses the link as user {user}: {event.text}. Check ha-username, ha-password "
                "and ha-mechanism",
            )
        else:
            self._drop(now, event.text)

    def _refuse(self, now: float, text: str) -> None:
        """It will not work until somebody changes something: one line, and a long pause."""
        line = f"cannot be copied from {self._address_name}: {text}"
        if line != self._told:
            self._told = line
            self._log("error", line)
        self._refused = True
        self._drop(now, text)

    @property
    def _address_name(self) -> str:
        return "" if self._address is None else self._address.canonical()

    def _log(self, level: str, text: str) -> None:
        self._outbox.log(level, CATEGORY, f"Queue {self.queue.name} {text}")

    def close(self) -> None:
        """Nobody wants this copy to be kept any more."""
        if self.conn:
            self._outbox.put(Close(self.conn, abort=True))
            del self._conns[self.conn]
            self.conn = 0
        self.inflow.end()

    def _drop(self, now: float, reason: str) -> None:
        if self.conn:
            self._outbox.put(Close(self.conn, abort=True))
            self._forget(now, reason)

    def _forget(self, now: float, reason: str) -> None:
        """The connection is no more: say so, and when to dial again."""
        pause_s = self._config.link_maintenance_interval_s
        linked_for_s = now - self._linked_at if self.is_linked else 0.0
        self._reason = f"{self._address_name}: {reason}"
        if self.is_linked:
            if not self.ended:
                self._log("warning", f"lost its source {self._address_name}: {reason}")
            self._turn = 0
            at_once = linked_for_s > pause_s and not self._refused
        else:
            self._outbox.log("debug", CATEGORY, f"No source of {self.queue.name}: {self._reason}")
            self._turn += 1
            at_once = self._turn % len(self.url.addresses) != 0
        self.dial_at = now
        if not at_once:
            self.dial_at += max(REFUSED_RETRY_S, pause_s) if self._refused else pause_s
            self._refused = False
        del self._conns[self.conn]
        self.conn = 0
        self._connection = None
        self._linked_at = NEVER
        self._give_up_at = NEVER
        self.inflow.end()
