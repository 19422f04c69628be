"""An accepted connection that speaks AMQP 0-10: a client, an administrator or a backup's link."""

from __future__ import annotations

from typing import cast

from tanist.core.subscription import Subscription
from tanist.ha.membership import BrokerInfo
from tanist.ha.messages import ADMIN_PROPERTY, BACKUP_PROPERTY
from tanist.management.clients import ConnectionFacts, SessionFacts, SubscriptionFacts
from tanist.node.admission import CATEGORY, Admission, Refused
from tanist.node.cluster import Cluster
from tanist.node.front import Front, Kind, Verdict
from tanist.node.outbox import Outbox
from tanist.security.sasl import Authenticator
from tanist.sessions.amqp010.consumer import Consumer
from tanist.sessions.amqp010.link import Link010
from tanist.sessions.amqp010.sessions import Sessions
from tanist.sessions.amqp010.state import SessionState
from tanist.types import Condition
from tanist.wire.amqp010.connection import Connection
from tanist.wire.amqp010.events import Closed, Event, Failed, Opening, SaslStart
from tanist.wire.amqp010.values import Value

FORCED = Condition.CONNECTION_FORCED.code


class Front010(Front):
    """See ``Front``. ``connection`` is its machine."""

    __slots__ = (
        "_admission",
        "_authenticator",
        "_cluster",
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
        cluster: Cluster,
        sessions: Sessions,
        outbox: Outbox,
    ) -> None:
        super().__init__(number, peer, local, since)
        self.connection = connection
        self._link: Link010 | None = None
        self._admission = admission
        self._authenticator = authenticator
        self._cluster = cluster
        self._sessions = sessions
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
        events = self.connection.tick(now)
        self.silent = bool(events)
        return self._handle(events, now)

    def data_to_send(self) -> bytes:
        """See ``Front``."""
        return self.connection.data_to_send()

    def abandon(self) -> None:
        """See ``Front``."""
        self.connection.abandon()

    def close_sessions(self) -> None:
        """See ``Front``."""
        if self._link is not None:
            self._sessions.close_link(self._link)

    def _handle(self, events: list[Event], now: float) -> Verdict:
        for event in events:
            if isinstance(event, (Closed, Failed)):
                if isinstance(event, Failed):
                    self.fault = event.text
                return Verdict.ENDS
            link = self._link
            if link is not None:
                self._sessions.on_event(link, event)
            elif self.kind is Kind.BACKUP:
                self._cluster.backup_event(self.number, event, now)
            elif isinstance(event, SaslStart):
                self._authenticate(event)
            elif isinstance(event, Opening) and not self._open(now):
                return Verdict.DROP
        return Verdict.GOES_ON

    def _authenticate(self, event: SaslStart) -> None:
        outcome = self._authenticator.start(event.mechanism, event.response)
        if outcome.user:
            self.connection.sasl_accept(outcome.user)
            return
        level, who = "info", self.peer
        if BACKUP_PROPERTY in event.client_properties:  # rare, and worth a look
            level, who = "error", f"{self.peer}, a broker that wants to be a backup"
        self._outbox.log(level, CATEGORY, f"{who}: {outcome.text}")
        self.connection.close(FORCED, outcome.text)

    def _open(self, now: float) -> bool:
        """The client wants to open; false: drop it."""
        connection = self.connection
        properties = connection.client_properties
        info: BrokerInfo | None = None
        if BACKUP_PROPERTY in properties:
            info = self._cluster.backup_info(properties[BACKUP_PROPERTY])
        try:
            self._admission.admit(self, ADMIN_PROPERTY in properties, info)
        except Refused as refused:
            if refused.text:
                connection.close(FORCED, refused.text)
            return bool(refused.text)
        if self.kind is Kind.CLIENT:
            self.link = self._link = Link010(
                connection, self.number, connection.user, self.peer, now
            )
        connection.open_ok(self._cluster.known_hosts())
        return True

    def facts(self) -> ConnectionFacts:
        """See ``Front``."""
        connection = self.connection
        link = self._link
        states = [] if link is None else self._sessions.sessions_of(link)
        facts = ConnectionFacts(
            self.local,
            self.peer,
            connection.user,
            connection.mechanism,
            connection.client_properties,
            self.kind is Kind.BACKUP,
            connection.closed,
            self.since,
            self.heard_at,
            [_session(state) for state in states],
        )
        facts.frames_in = connection.frames_in
        facts.frames_out = connection.frames_out
        facts.bytes_in = connection.bytes_in
        facts.bytes_out = connection.bytes_out
        if link is not None:
            facts.messages_in = link.published + sum(state.published for state in states)
            facts.messages_out = link.delivered + sum(state.delivered for state in states)
        return facts


def _session(state: SessionState) -> SessionFacts:
    return SessionFacts(
        state.name,
        state.session.channel,
        len(state.unacked),
        state.created_at,
        [_subscription(each) for each in state.subscriptions.values()],
    )


def _subscription(subscription: Subscription) -> SubscriptionFacts:
    sink = subscription.sink
    return SubscriptionFacts(
        subscription.name,
        subscription.queue.name,
        not subscription.acquire,
        isinstance(sink, Consumer) and sink.explicit,
        subscription.exclusive,
        subscription.window,
        cast(dict[str, Value], subscription.arguments),
        subscription.delivered,
        subscription.created_at,
    )
