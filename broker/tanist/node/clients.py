"""Who is connected, as management shows it, and who asks when a request arrives.

The facts are gathered from connections and sessions when somebody asks, and kept nowhere.
"""

from __future__ import annotations

from typing import cast

from tanist.core.notices import Actor
from tanist.core.subscription import Subscription
from tanist.management.clients import (
    ClientFacts,
    ConnectionFacts,
    SessionFacts,
    SubscriptionFacts,
)
from tanist.node.admission import Kind, ServerConnection
from tanist.sessions.amqp010.consumer import Consumer
from tanist.sessions.amqp010.sessions import Sessions
from tanist.sessions.amqp010.state import SessionState
from tanist.wire.amqp010.values import Value


class Clients(ClientFacts):
    """The connections of a node (``connections`` is the node's own table) and their sessions."""

    def __init__(self, table: dict[int, ServerConnection], sessions: Sessions) -> None:
        self._table = table
        self._sessions = sessions

    def actor(self, number: int) -> Actor:
        """Who speaks on connection ``number``; nobody in particular if it is gone, or 0."""
        conn = self._table.get(number)
        if conn is None:
            return Actor("", "")
        return Actor(conn.connection.user, conn.peer, None, number)

    def connections(self) -> list[ConnectionFacts]:
        """Clients and backups that were let in."""
        return [self._facts(conn) for conn in self._table.values() if conn.kind is not Kind.OPENING]

    def _facts(self, conn: ServerConnection) -> ConnectionFacts:
        connection = conn.connection
        link = conn.link
        states = [] if link is None else self._sessions.sessions_of(link)
        facts = ConnectionFacts(
            conn.local,
            conn.peer,
            connection.user,
            connection.mechanism,
            connection.client_properties,
            conn.kind is Kind.BACKUP,
            connection.closed,
            conn.since,
            conn.heard_at,
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
