"""An accepted connection that speaks AMQP 1.0: a client or an administrator.

What our Open says: who we are, the addresses of the cluster for clients that read
``failover-server-list`` (Qpid JMS), and capabilities. A client that wants its container-id for
itself (``sole-connection-for-container``, which is how Qpid JMS guards its client id) is refused as
long as another connection with that id is evidently alive; one that has fallen silent is a dead
predecessor, and dropped.

The idle time-out mirrors the client's, as in the original: we advertise what it advertises, and
believe it dead after twice that; a client that wants to be alone and has none gets one of ours.
"""

from __future__ import annotations

from typing import Final

from tanist.ha.messages import ADMIN_PROPERTY
from tanist.ha.url import Address
from tanist.management.clients import ConnectionFacts, SessionFacts, SubscriptionFacts
from tanist.node.admission import CATEGORY, Admission, Refused
from tanist.node.cluster import Cluster
from tanist.node.config import NodeConfig
from tanist.node.containers import Containers, InUse
from tanist.node.front import Front, Verdict
from tanist.node.identity import PRODUCT
from tanist.node.outbox import Outbox
from tanist.security.sasl import ANONYMOUS, Authenticator
from tanist.sessions.amqp10.consumer import Consumer
from tanist.sessions.amqp10.link import Link10
from tanist.sessions.amqp10.sessions import Sessions10
from tanist.sessions.amqp10.settings import OFFERED_CAPABILITIES
from tanist.sessions.amqp10.state import SessionState
from tanist.wire.amqp010.values import Value as Plain
from tanist.wire.amqp10.conditions import INVALID_FIELD, RESOURCE_LIMIT_EXCEEDED
from tanist.wire.amqp10.connection import Connection
from tanist.wire.amqp10.events import Closed, Event, Failed, Opening, SaslStart
from tanist.wire.amqp10.performatives import Open
from tanist.wire.amqp10.values import Fields, Symbol, UInt, Value

SOLE_CAPABILITY: Final = "sole-connection-for-container"

IDLE_LIMIT_MIN_S: Final = 1.0
"""However short a silence the client wants to notice, we wait at least so long for it."""

SOLE_LIMIT_S: Final = 60.0
"""The limit for a client without one that wants its container-id for itself: of a connection that
need not say anything nobody could tell whether it lives."""

NAME_BYTES_MAX: Final = 255
TEXT_BYTES_MAX: Final = 65_535
"""What management, which speaks 0-10, can show of a name and of a text."""

PROTOCOL: Final = "AMQP 1.0"


class Front10(Front):
    """See ``Front``. ``connection`` is its machine."""

    __slots__ = (
        "_admission",
        "_authenticator",
        "_cluster",
        "_config",
        "_containers",
        "_link",
        "_outbox",
        "_sessions",
        "connection",
    )

    def __init__(
        self,
        number: int,
        peer: str,
        local: str,
        since: float,
        connection: Connection,
        admission: Admission,
        authenticator: Authenticator,
        containers: Containers,
        cluster: Cluster,
        sessions: Sessions10,
        config: NodeConfig,
        outbox: Outbox,
    ) -> None:
        super().__init__(number, peer, local, since)
        self.connection = connection
        self._link: Link10 | None = None
        self._admission = admission
        self._authenticator = authenticator
        self._containers = containers
        self._cluster = cluster
        self._sessions = sessions
        self._config = config
        self._outbox = outbox

    @property
    def user(self) -> str:
        """See ``Front``."""
        return self.connection.user

    @property
    def deadline(self) -> float:
        """See ``Front``."""
        return self.connection.deadline

    def receive(self, data: bytes, now: float) -> Verdict:
        """See ``Front``."""
        link = self._link
        if link is not None:
            link.heard_at = now
        return self._handle(self.connection.receive_data(data, now), now)

    def tick(self, now: float) -> Verdict:
        """See ``Front``."""
        return self._handle(self.connection.tick(now), now)

    def data_to_send(self) -> bytes:
        """See ``Front``."""
        return self.connection.data_to_send()

    def abandon(self) -> None:
        """See ``Front``."""
        self.connection.abandon()

    def close_sessions(self) -> None:
        """See ``Front``."""
        link = self._link
        if link is not None:
            self._containers.leave(self, link.container_id)
            self._sessions.close_link(link)

    def _handle(self, events: list[Event], now: float) -> Verdict:
        for event in events:
            if isinstance(event, (Closed, Failed)):
                if isinstance(event, Failed):
                    self.fault = event.text
                    self.silent = event.silent
                return Verdict.ENDS
            link = self._link
            if link is not None:
                self._sessions.on_event(link, event)
                continue
            verdict = Verdict.GOES_ON
            if isinstance(event, SaslStart):
                verdict = self._authenticate(event, now)
            elif isinstance(event, Opening):
                verdict = self._open(event.open, now)
            if verdict is not Verdict.GOES_ON:
                return verdict
        return Verdict.ENDS if self.connection.closed else Verdict.GOES_ON

    def _authenticate(self, event: SaslStart, now: float) -> Verdict:
        outcome = self._authenticator.start(event.mechanism, event.response)
        if outcome.user:
            return self._handle(self.connection.sasl_accept(outcome.user), now)
        self._outbox.log("info", CATEGORY, f"{self.peer}: {outcome.text}")
        self.connection.sasl_fail()
        return Verdict.ENDS

    def _open(self, wanted: Open, now: float) -> Verdict:
        connection = self.connection
        if connection.bare:
            connection.user = self._authenticator.start(ANONYMOUS, None).user
        properties = wanted.properties or {}
        peer_limit_s = (wanted.idle_time_out or 0) / 1000
        sole = SOLE_CAPABILITY in wanted.desired_capabilities
        try:
            if sole and self._cluster.serves_clients:
                self._containers.clear(self.user, wanted.container_id, now)
            self._admission.admit(self, ADMIN_PROPERTY in properties)
        except Refused as refused:
            if not refused.text:
                return Verdict.DROP
            connection.close(RESOURCE_LIMIT_EXCEEDED, refused.text)
            return Verdict.GOES_ON
        except InUse as in_use:
            self._outbox.log("info", CATEGORY, f"{self.peer}: {in_use}")
            info: Fields = {"invalid-field": Symbol("container-id")}
            connection.close(INVALID_FIELD, str(in_use), info)
            return Verdict.GOES_ON
        self.link = self._link = Link10(
            connection, self.number, connection.user, self.peer, now, wanted.container_id
        )
        limit_s = max(2 * peer_limit_s, IDLE_LIMIT_MIN_S) if peer_limit_s else 0.0
        if sole:
            limit_s = limit_s or SOLE_LIMIT_S
            self._containers.hold(self, wanted.container_id, limit_s / 2)
        capabilities = (*OFFERED_CAPABILITIES, SOLE_CAPABILITY) if sole else OFFERED_CAPABILITIES
        more = connection.open_ok(
            str(self._config.system_id), limit_s, capabilities, self._properties()
        )
        return self._handle(more, now)

    def _properties(self) -> Fields:
        """The properties of our Open."""
        config = self._config
        properties: dict[str, Value] = {
            "product": PRODUCT,
            "version": config.version,
            "platform": "Python",
            "host": config.node_name,
        }
        servers: list[Value] = [_server(each) for each in self._cluster.client_addresses()]
        if servers:
            properties["failover-server-list"] = servers
        return properties

    def facts(self) -> ConnectionFacts:
        """See ``Front``."""
        connection = self.connection
        link = self._link
        states = [] if link is None else self._sessions.sessions_of(link)
        remote = connection.remote
        facts = ConnectionFacts(
            self.local,
            self.peer,
            connection.user,
            connection.mechanism,
            _plain({} if remote is None else remote.properties or {}),
            False,
            connection.closed,
            self.since,
            self.heard_at,
            [_session(state) for state in states],
        )
        facts.protocol = PROTOCOL
        facts.frames_in = connection.frames_in
        facts.frames_out = connection.frames_out
        facts.bytes_in = connection.bytes_in
        facts.bytes_out = connection.bytes_out
        if link is not None:
            facts.messages_in = link.published + sum(state.published for state in states)
            facts.messages_out = link.delivered + sum(state.delivered for state in states)
        return facts


def _server(address: Address) -> Value:
    """One element of failover-server-list."""
    server: dict[Value, Value] = {
        Symbol("network-host"): address.host,
        Symbol("port"): UInt(address.port),
        Symbol("scheme"): "amqp",
    }
    return server


def _plain(properties: Fields) -> dict[str, Plain]:
    """What management shows of a client's properties: texts and numbers."""
    plain: dict[str, Plain] = {}
    for name, value in properties.items():
        if len(str(name).encode()) > NAME_BYTES_MAX:
            continue
        if isinstance(value, bool):
            plain[str(name)] = value
        elif isinstance(value, int):
            plain[str(name)] = int(value)
        elif isinstance(value, str) and len(value.encode()) <= TEXT_BYTES_MAX:
            plain[str(name)] = str(value)
    return plain


def _session(state: SessionState) -> SessionFacts:
    return SessionFacts(
        state.name,
        state.session.channel,
        len(state.unsettled),
        state.created_at,
        [_subscription(consumer) for consumer in state.consumers.values()],
    )


def _subscription(consumer: Consumer) -> SubscriptionFacts:
    subscription = consumer.subscription
    return SubscriptionFacts(
        subscription.name.encode()[:NAME_BYTES_MAX].decode("utf-8", "ignore"),
        subscription.queue.name,
        not subscription.acquire,
        not consumer.settles,
        subscription.exclusive,
        subscription.window,
        {},
        subscription.delivered,
        subscription.created_at,
    )
