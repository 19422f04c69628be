"""Connections, sessions and subscriptions as managed objects (qpidd-compat 5.2).

The agent does not know the sessions' layer: the node tells what there is, as facts, each time it is
asked (``ClientFacts``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mypy_extensions import mypyc_attr

from tanist.management.broker_objects import VHOST_REFERENCE
from tanist.management.codec import text_of
from tanist.management.managed import ManagedObject, ObjectSource, WallClock
from tanist.management.schema import CONNECTION, QUEUE, SESSION, SUBSCRIPTION
from tanist.wire.amqp010.values import Value

PROTOCOL: Final = "AMQP 0-10"
NAME_CHARACTERS_MAX: Final = 254
"""A session's name is cut after so many; its full name is beside it."""

PROCESS_PROPERTY: Final = "qpid.client_process"
PID_PROPERTY: Final = "qpid.client_pid"
PARENT_PROPERTY: Final = "qpid.client_ppid"


class SubscriptionFacts:
    """A subscription; ``created_at`` is in monotonic seconds, here and below."""

    __slots__ = (
        "acknowledged",
        "arguments",
        "browsing",
        "created_at",
        "delivered",
        "exclusive",
        "name",
        "queue",
        "window",
    )

    def __init__(
        self,
        name: str,
        queue: str,
        browsing: bool,
        acknowledged: bool,
        exclusive: bool,
        window: bool,
        arguments: dict[str, Value],
        delivered: int,
        created_at: float,
    ) -> None:
        self.name = name
        self.queue = queue
        self.browsing = browsing
        self.acknowledged = acknowledged
        self.exclusive = exclusive
        self.window = window
        self.arguments = arguments
        self.delivered = delivered
        self.created_at = created_at


class SessionFacts:
    """A session; ``unacked``: messages that were delivered and are not settled."""

    __slots__ = ("channel", "created_at", "name", "subscriptions", "unacked")

    def __init__(
        self,
        name: str,
        channel: int,
        unacked: int,
        created_at: float,
        subscriptions: list[SubscriptionFacts],
    ) -> None:
        self.name = name
        self.channel = channel
        self.unacked = unacked
        self.created_at = created_at
        self.subscriptions = subscriptions


class ConnectionFacts:
    """An accepted connection. ``local``, ``peer``: ``host:port``; ``heard_at``: bytes came last."""

    __slots__ = (
        "backup",
        "bytes_in",
        "bytes_out",
        "closing",
        "created_at",
        "frames_in",
        "frames_out",
        "heard_at",
        "local",
        "mechanism",
        "messages_in",
        "messages_out",
        "peer",
        "properties",
        "protocol",
        "sessions",
        "user",
    )

    def __init__(
        self,
        local: str,
        peer: str,
        user: str,
        mechanism: str,
        properties: dict[str, Value],
        backup: bool,
        closing: bool,
        created_at: float,
        heard_at: float,
        sessions: list[SessionFacts],
    ) -> None:
        self.local = local
        self.peer = peer
        self.user = user
        self.mechanism = mechanism
        self.properties = properties
        self.backup = backup
        self.closing = closing
        self.created_at = created_at
        self.heard_at = heard_at
        self.sessions = sessions
        self.protocol = PROTOCOL
        self.frames_in = 0
        self.frames_out = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.messages_in = 0
        self.messages_out = 0

    @property
    def address(self) -> str:
        """What identifies the connection in management."""
        return f"qpid.{self.local}-{self.peer}"


@mypyc_attr(allow_interpreted_subclasses=True)
class ClientFacts:
    """Who is connected; implemented by the node."""

    def connections(self) -> list[ConnectionFacts]:
        """The open connections, oldest first."""
        raise NotImplementedError


class ConnectionObject(ManagedObject):
    """A connection. There is no security layer: saslSsf is 0."""

    def __init__(self, facts: ConnectionFacts, clock: WallClock) -> None:
        super().__init__(CONNECTION, facts.address, clock.ns(facts.created_at))
        self._facts = facts
        self._updated_ns = clock.ns(facts.heard_at)

    def updated_ns(self, now_ns: int) -> int:
        """When it said something last: qpid-stat shows the time since as idle."""
        return self._updated_ns

    def values(self) -> dict[str, Value]:
        """See ``schema.CONNECTION``."""
        facts = self._facts
        properties = facts.properties
        return {
            "vhostRef": VHOST_REFERENCE,
            "address": self.key,
            "incoming": True,
            "SystemConnection": facts.backup,
            "userProxyAuth": False,
            "federationLink": facts.backup,
            "authIdentity": facts.user,
            "remoteProcessName": text_of(properties.get(PROCESS_PROPERTY)) or None,
            "remotePid": _number(properties.get(PID_PROPERTY)),
            "remoteParentPid": _number(properties.get(PARENT_PROPERTY)),
            "shadow": False,
            "saslMechanism": facts.mechanism,
            "saslSsf": 0,
            "remoteProperties": properties,
            "protocol": facts.protocol,
            "closing": facts.closing,
            "framesFromClient": facts.frames_in,
            "framesToClient": facts.frames_out,
            "bytesFromClient": facts.bytes_in,
            "bytesToClient": facts.bytes_out,
            "msgsFromClient": facts.messages_in,
            "msgsToClient": facts.messages_out,
        }


def _number(value: Value) -> Value:
    """``value`` as the schema's number, None if it is none."""
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else None


def session_key(user: str, name: str) -> str:
    """What identifies a session in management."""
    return f"{user}.{name}"[:NAME_CHARACTERS_MAX]


class SessionObject(ManagedObject):
    """A session, which is always attached. Transactions and credit are not counted: always 0."""

    def __init__(
        self, connection: ConnectionFacts, session: SessionFacts, clock: WallClock
    ) -> None:
        key = session_key(connection.user, session.name)
        super().__init__(SESSION, key, clock.ns(session.created_at))
        self._connection = connection
        self._session = session

    def values(self) -> dict[str, Value]:
        """See ``schema.SESSION``."""
        return {
            "vhostRef": VHOST_REFERENCE,
            "name": self.key,
            "fullName": f"{self._connection.user}.{self._session.name}",
            "channelId": self._session.channel,
            "connectionRef": CONNECTION.reference(self._connection.address),
            "detachedLifespan": 0,
            "attached": True,
            "expireTime": None,
            "maxClientRate": None,
            "unackedMessages": self._session.unacked,
            "TxnStarts": 0,
            "TxnCommits": 0,
            "TxnRejects": 0,
            "TxnCount": 0,
            "clientCredit": 0,
            "framesOutstanding": 0,
        }


class SubscriptionObject(ManagedObject):
    """A subscription of a session."""

    def __init__(self, session: str, facts: SubscriptionFacts, clock: WallClock) -> None:
        """``session``: the key of its session."""
        key = f"{SESSION.object_name(session)},{QUEUE.object_name(facts.queue)},{facts.name}"
        super().__init__(SUBSCRIPTION, key, clock.ns(facts.created_at))
        self._session = session
        self._facts = facts

    def values(self) -> dict[str, Value]:
        """See ``schema.SUBSCRIPTION``."""
        facts = self._facts
        return {
            "sessionRef": SESSION.reference(self._session),
            "queueRef": QUEUE.reference(facts.queue),
            "name": facts.name,
            "browsing": facts.browsing,
            "acknowledged": facts.acknowledged,
            "exclusive": facts.exclusive,
            "creditMode": "WINDOW" if facts.window else "CREDIT",
            "arguments": facts.arguments,
            "delivered": facts.delivered,
        }


class ConnectionSource(ObjectSource):
    """All connections."""

    def __init__(self, clients: ClientFacts, clock: WallClock) -> None:
        super().__init__(CONNECTION)
        self._clients = clients
        self._clock = clock

    def objects(self) -> Iterator[ManagedObject]:
        """See ``ObjectSource``."""
        for connection in self._clients.connections():
            yield ConnectionObject(connection, self._clock)


class SessionSource(ObjectSource):
    """All sessions."""

    def __init__(self, clients: ClientFacts, clock: WallClock) -> None:
        super().__init__(SESSION)
        self._clients = clients
        self._clock = clock

    def objects(self) -> Iterator[ManagedObject]:
        """See ``ObjectSource``."""
        for connection in self._clients.connections():
            for session in connection.sessions:
                yield SessionObject(connection, session, self._clock)


class SubscriptionSource(ObjectSource):
    """All subscriptions."""

    def __init__(self, clients: ClientFacts, clock: WallClock) -> None:
        super().__init__(SUBSCRIPTION)
        self._clients = clients
        self._clock = clock

    def objects(self) -> Iterator[ManagedObject]:
        """See ``ObjectSource``."""
        for connection in self._clients.connections():
            for session in connection.sessions:
                key = session_key(connection.user, session.name)
                for subscription in session.subscriptions:
                    yield SubscriptionObject(key, subscription, self._clock)
