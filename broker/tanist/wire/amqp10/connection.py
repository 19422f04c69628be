"""One AMQP 1.0 connection, either role, sans I/O.

The owner feeds bytes and time in, handles the events that come back, and writes what
``data_to_send`` returns::

    connection = Connection(ConnectionSettings(role="server"), now)
    for event in connection.receive_data(data, now): ...
    transport.write(connection.data_to_send())
    arm a timer for connection.deadline, and then: connection.tick(now)
    if connection.closed: drop the transport (after writing)

A server is told of credentials (``SaslStart``) and of the wish to open (``Opening``) and answers
with ``sasl_accept`` and ``open_ok``, at once or later. Clients send ahead of these answers; what
they sent is held until then, and both calls return the events of it.

Source: AMQP 1.0, 2.2 "Version negotiation", 2.4 "Connections", 5.3 "SASL".
"""

from __future__ import annotations

from tanist.wire.amqp10.events import Event
from tanist.wire.amqp10.performatives import Open
from tanist.wire.amqp10.session import Session
from tanist.wire.amqp10.settings import ConnectionSettings
from tanist.wire.amqp10.values import Fields

__all__ = ["Connection", "ConnectionSettings"]


class Connection:
    """One AMQP 1.0 connection.

    ``sessions``: our channel -> session; one that is no longer ``alive`` may linger here until its
    channel is free. ``bare``: there is no SASL layer. ``user``: set by ``sasl_accept``.
    ``mechanism``: from sasl-init. ``remote``: the peer's Open, None until it came. ``opened``:
    both Opens are there. ``closed``: nothing will be read any more; write ``data_to_send``, then
    drop the transport. ``deadline``: when ``tick`` must be called next, perhaps too soon, infinite
    if never. ``context``: a free slot for the owner. ``bytes_in``, ``bytes_out``: counters.
    """

    __slots__ = (
        "bare",
        "bytes_in",
        "bytes_out",
        "closed",
        "context",
        "deadline",
        "mechanism",
        "opened",
        "remote",
        "sessions",
        "state",
        "user",
    )

    remote: Open | None
    sessions: dict[int, Session]

    def __init__(self, settings: ConnectionSettings, now: float) -> None:
        """A client queues its protocol header at once; a server waits for the peer's."""

    @property
    def frames_in(self) -> int:
        """Frames received."""
        raise NotImplementedError

    @property
    def frames_out(self) -> int:
        """Frames put into the output."""
        raise NotImplementedError

    def receive_data(self, data: bytes, now: float) -> list[Event]:
        """Take what the transport brought; returns what happened, in order. Never raises.

        The caller handles the events, then writes ``data_to_send``.
        """
        raise NotImplementedError

    def has_data(self) -> bool:
        """Whether ``data_to_send`` has something to do."""
        raise NotImplementedError

    def data_to_send(self) -> bytes:
        """All that waits to be written; the caller must write it.

        Dispositions and flows come last: those of one step as few frames.
        """
        raise NotImplementedError

    def abandon(self) -> None:
        """The transport is gone: let go of all octets now, not when garbage is collected."""

    def tick(self, now: float) -> list[Event]:
        """Time has passed: send empty frames, judge silence. Harmless at any time."""
        raise NotImplementedError

    def sasl_challenge(self, challenge: bytes) -> None:
        """Ask the client for more; ``SaslResponse`` follows."""

    def sasl_accept(self, user: str) -> list[Event]:
        """The client is ``user``. Returns the events of what it sent ahead, often ``Opening``."""
        raise NotImplementedError

    def sasl_fail(self, code: int = 1) -> None:
        """Refuse the credentials (sasl-outcome ``code``: 1 auth, 4 temporary) and be ``closed``."""

    def open_ok(
        self,
        container_id: str,
        idle_timeout_s: float | None = None,
        offered_capabilities: tuple[str, ...] = (),
        properties: Fields | None = None,
    ) -> list[Event]:
        """Let the client in. Returns the events of what it sent ahead (sessions, links).

        ``idle_timeout_s`` (None: that of the settings): a peer silent for so long has failed; half
        of it is advertised. Frame size and channels are those of the settings.
        """
        raise NotImplementedError

    def sasl_respond(self, response: bytes) -> None:
        """Client: answer ``SaslChallenged``."""

    def begin(self) -> Session:
        """Client: begin a session; it can be used at once, ``Begun`` comes when confirmed.

        Raises: LocalProtocolError before ``Opened``, or if all channels are in use.
        """
        raise NotImplementedError

    def close(self, condition: str = "", text: str = "", info: Fields | None = None) -> None:
        """Close in order; ``Closed`` comes when the peer has confirmed. Either role, any time.

        A server that did not answer ``Opening`` yet sends an Open that announces the Close
        (property ``amqp:connection-establishment-failed``). Never use that to turn a client away
        from a backup: drop the transport instead.
        """
