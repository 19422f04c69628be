"""One AMQP 1.0 connection, either role, sans I/O.

The owner feeds bytes and time in, handles the events that come back, and writes what
``data_to_send`` returns::

    connection = Connection(ConnectionSettings(role="server"), now)
    for event in connection.receive_data(data, now): ...
    transport.write(connection.data_to_send())
    arm a timer for connection.deadline, and then: connection.tick(now)
    if connection.closed: drop the transport (after writing)

A server is told of credentials (``SaslStart``) and of the wish to open (``Opening``) and answers
with ``sasl_accept`` and ``open_ok``, at once or later; before ``opened`` the edge bounds the time.
Clients send ahead of these answers; what they sent is held until then, and both calls return the
events of it. A client does the whole handshake by itself up to ``Opened``. What is legal when is
the table in ``connection_state``; sessions and links have theirs.

Nothing a peer sends makes a method raise: what was good is reported, then comes ``Failed``, and a
Close with the error condition is queued. Empty frames go out at half the peer's idle-time-out, and
a peer silent for our own has failed (``idle``).

Source: AMQP 1.0, 2.2 "Version negotiation", 2.4 "Connections", 5.3 "SASL".
"""

from __future__ import annotations

from math import inf
from typing import Final

from tanist.types import FramingError, LocalProtocolError
from tanist.wire.amqp10 import connection_state as state
from tanist.wire.amqp10 import session_state
from tanist.wire.amqp10.channels import Channels
from tanist.wire.amqp10.codec import decode_performative, decode_sasl
from tanist.wire.amqp10.composites import Error
from tanist.wire.amqp10.conditions import (
    CONNECTION_FORCED,
    DECODE_ERROR,
    FRAMING_ERROR,
    INVALID_FIELD,
    NOT_ALLOWED,
    RESOURCE_LIMIT_EXCEEDED,
    UNAUTHORIZED_ACCESS,
    Violation,
)
from tanist.wire.amqp10.events import (
    Closed,
    Event,
    Failed,
    Opened,
    Opening,
    SaslChallenged,
    SaslResponse,
    SaslStart,
)
from tanist.wire.amqp10.express import take_frames
from tanist.wire.amqp10.framing import (
    FRAME_SIZE_MIN_MAX,
    TYPE_AMQP,
    TYPE_SASL,
    Frame,
    FrameParser,
)
from tanist.wire.amqp10.idle import ADVERTISED_SHARE, BEAT, LOST, Idle
from tanist.wire.amqp10.performatives import (
    Close,
    Open,
    SaslChallenge,
    SaslInit,
    SaslMechanisms,
    SaslOutcome,
    Transfer,
)
from tanist.wire.amqp10.performatives import SaslResponse as SaslResponseFrame
from tanist.wire.amqp10.session import Session, Shared
from tanist.wire.amqp10.settings import ConnectionSettings
from tanist.wire.amqp10.values import Composite, Fields
from tanist.wire.bell import Bell
from tanist.wire.negotiate import HEADER_1_0, HEADER_1_0_SASL, Protocol, sniff

__all__ = ["Connection", "ConnectionSettings"]

SASL_FRAME_MAX: Final = 8192
"""Octets of a SASL frame. The specification says 512, but responses of 4096 are taken."""

HELD_MAX: Final = 1 << 20
"""Octets that a peer may send ahead while the owner has the word: a client that does so sends some
attaches and flows, and cannot have credit for more."""

CLOSE_TIMEOUT_S: Final = 5.0
"""How long our Close waits for the peer's before the connection counts as closed."""

IDLE_MIN_MS: Final = 20
"""The shortest idle-time-out of a peer that is honoured: below that, empty frames are a flood."""

SASL_OK: Final = 0
SASL_AUTH: Final = 1
"""sasl-outcome codes: accepted; credentials refused."""

NO_SASL: Final = "NONE"
"""``settings.mechanism`` of a client that wants no SASL layer."""

FAILED_PROPERTY: Final = "amqp:connection-establishment-failed"
"""Property of an Open that a Close follows at once (2.7.1): clients do not report success."""


class Connection:
    """One AMQP 1.0 connection.

    ``sessions``: our channel -> session; one that is no longer ``alive`` may linger here until its
    channel is free. ``bare``: there is no SASL layer. ``user``: set by ``sasl_accept``.
    ``mechanism``: from sasl-init. ``remote``: the peer's Open, None until it came. ``opened``:
    both Opens are there. ``closed``: nothing will be read any more; write ``data_to_send``, then
    drop the transport. ``deadline``: when ``tick`` must be called next, perhaps too soon, infinite
    if never. ``context``: a free slot for the owner. ``bytes_in``, ``bytes_out``, ``frames_in``:
    counters.
    """

    __slots__ = (
        "_channels",
        "_close_by",
        "_held",
        "_idle",
        "_now",
        "_out",
        "_parser",
        "_settings",
        "_shared",
        "bare",
        "bytes_in",
        "bytes_out",
        "closed",
        "context",
        "deadline",
        "frames_in",
        "mechanism",
        "opened",
        "remote",
        "sessions",
        "state",
        "user",
    )

    def __init__(self, settings: ConnectionSettings, now: float, bell: Bell | None = None) -> None:
        """A client queues its protocol header at once; a server waits for the peer's.

        ``bell`` rings when ``data_to_send`` gets something to do.
        """
        self._settings = settings
        self._parser = FrameParser(SASL_FRAME_MAX)
        self._shared = Shared(settings, bell)
        self._out = self._shared.output
        self._channels = Channels(self._shared)
        self._idle = Idle()
        self._now = now
        self._close_by = inf
        self._held = 0
        self.sessions = self._channels.sessions
        self.bare = False
        self.user = ""
        self.mechanism = ""
        self.remote: Open | None = None
        self.opened = False
        self.closed = False
        self.context: object | None = None
        self.deadline = inf
        self.bytes_in = 0
        self.bytes_out = 0
        self.frames_in = 0
        self.state = state.AWAIT_HEADER
        if settings.role == "client":
            self.bare = settings.mechanism == NO_SASL
            if self.bare:
                self.state = state.EXPECT_AMQP
                self._send_client_open()
            else:
                self.state = state.EXPECT_SASL
                self._out.raw(HEADER_1_0_SASL)

    @property
    def frames_out(self) -> int:
        """Frames put into the output."""
        return self._out.frames

    # -- bytes and time -----------------------------------------------------------------------

    def receive_data(self, data: bytes, now: float) -> list[Event]:
        """Take what the transport brought; returns what happened, in order. Never raises.

        The caller handles the events, then writes ``data_to_send``.
        """
        events: list[Event] = []
        self._now = now
        self.bytes_in += len(data)
        if self.closed:
            return events
        self._parser.push(data)
        if self.state in state.HELD_STATES:
            self._held += len(data)
            if self._held > HELD_MAX:
                text = f"more than {HELD_MAX} octets were sent ahead"
                self._fail(RESOURCE_LIMIT_EXCEEDED, text, events)
            return events
        self._advance(events)
        return events

    def has_data(self) -> bool:
        """Whether ``data_to_send`` has something to do."""
        return not self._out.quiet

    def data_to_send(self) -> bytes:
        """All that waits to be written; the caller must write it.

        Dispositions and flows come last: those of one step as few frames.
        """
        if self._shared.touched:
            self._channels.announce()
        data = self._out.take()
        self.bytes_out += len(data)
        return data

    def abandon(self) -> None:
        """The transport is gone: let go of all octets now, not when garbage is collected."""
        self._end()
        self._out.take()

    def tick(self, now: float) -> list[Event]:
        """Time has passed: send empty frames, judge silence. Harmless at any time."""
        events: list[Event] = []
        self._now = now
        if self.closed:
            return events
        if now >= self._close_by:
            self._end()
            text = f"no close within {CLOSE_TIMEOUT_S} s of ours"
            events.append(Failed(CONNECTION_FORCED, text, silent=True))
            return events
        verdict = self._idle.check(now)
        if verdict == BEAT:
            self._out.empty()
        elif verdict == LOST:
            silent_s = now - self._idle.heard_at
            text = f"no frame for {silent_s:.1f} s, the limit is {self._idle.limit_s} s"
            self._fail(RESOURCE_LIMIT_EXCEEDED, text, events, silent=True)
            return events
        self._set_deadline()
        return events

    def _set_deadline(self) -> None:
        self.deadline = min(self._idle.deadline(), self._close_by)

    # -- the server's answers -----------------------------------------------------------------

    def sasl_challenge(self, challenge: bytes) -> None:
        """Ask the client for more; ``SaslResponse`` follows."""
        if self._move(state.DO_CHALLENGE):
            self._out.sasl(SaslChallenge(challenge))

    def sasl_accept(self, user: str) -> list[Event]:
        """The client is ``user``. Returns the events of what it sent ahead, often ``Opening``."""
        events: list[Event] = []
        if self._move(state.DO_ACCEPT):
            self.user = user
            self._out.sasl(SaslOutcome(SASL_OK))
            self._advance(events)
        return events

    def sasl_fail(self, code: int = SASL_AUTH) -> None:
        """Refuse the credentials (sasl-outcome ``code``: 1 auth, 4 temporary) and be ``closed``."""
        judging = self.state == state.JUDGING
        self._move(state.DO_FAIL)
        if judging:
            self._out.sasl(SaslOutcome(code))
            self._end()

    def open_ok(
        self,
        container_id: str,
        idle_timeout_s: float | None = None,
        offered_capabilities: tuple[str, ...] = (),
        properties: Fields | None = None,
    ) -> list[Event]:
        """Let the client in. Returns the events of what it sent ahead (sessions, links).

        ``idle_timeout_s`` (None: that of the settings): a peer silent for so long has failed; half
        of it is advertised. Frame size and channels are those of the settings. ``properties`` that
        do not fit into a frame of the client are left out.
        """
        events: list[Event] = []
        if self._move(state.DO_OPEN_OK):
            limit_s = self._settings.idle_timeout_s if idle_timeout_s is None else idle_timeout_s
            ours = self._open_frame(container_id, limit_s)
            ours.offered_capabilities = offered_capabilities
            ours.properties = properties
            if not self._out.fits(ours):
                ours.properties = None
            self._out.performative(0, ours)
            self._become_open(limit_s)
            self._advance(events)
        return events

    def close(self, condition: str = "", text: str = "", info: Fields | None = None) -> None:
        """Close in order; ``Closed`` comes when the peer has confirmed. Either role, any time.

        A server that did not answer ``Opening`` yet sends an Open that announces the Close
        (property ``amqp:connection-establishment-failed``). Never use that to turn a client away
        from a backup: drop the transport instead.
        """
        if self.closed or self.state == state.CLOSING:
            return
        if self.state in state.HEADER_STATES or self.state in state.SASL_STATES:
            self._end()
            return
        self._send_close(Error(condition, text, info) if condition else None)
        self._channels.kill()
        self.state = state.CLOSING
        self._close_by = self._now + CLOSE_TIMEOUT_S
        self._set_deadline()

    # -- the client's wishes ------------------------------------------------------------------

    def sasl_respond(self, response: bytes) -> list[Event]:
        """Client: answer ``SaslChallenged``. Returns the events of what has come meanwhile."""
        events: list[Event] = []
        if self._move(state.DO_RESPOND):
            self._out.sasl(SaslResponseFrame(response))
            self._advance(events)
        return events

    def begin(self) -> Session:
        """Client: begin a session; it can be used at once, ``Begun`` comes when confirmed.

        On a connection that is over the session is not ``alive``.

        Raises: LocalProtocolError before ``Opened``, or if all channels are in use.
        """
        if self._move(state.DO_BEGIN):
            return self._channels.begin()
        session = Session(0, session_state.END_SENT, self._shared)
        session.alive = False
        return session

    # -- states -------------------------------------------------------------------------------

    def _move(self, wish: int) -> bool:
        """Do what we want ourselves; False if the connection is over.

        Raises: LocalProtocolError if the state does not allow it.
        """
        target = state.LEGAL.get((self.state, wish), -1)
        if target < 0:
            raise LocalProtocolError(f"input {wish} is not legal in connection state {self.state}")
        self.state = target
        return target not in (state.CLOSING, state.CLOSED)

    def _open_frame(self, container_id: str, limit_s: float) -> Open:
        """Our Open: our limits."""
        settings = self._settings
        ours = Open(container_id, None, settings.max_frame_size, settings.channel_max)
        if limit_s:
            ours.idle_time_out = max(1, int(limit_s * ADVERTISED_SHARE * 1000))
        return ours

    def _send_client_open(self) -> None:
        settings = self._settings
        self._out.raw(HEADER_1_0)
        ours = self._open_frame(settings.container_id, settings.idle_timeout_s)
        ours.hostname = settings.hostname or None
        ours.desired_capabilities = settings.desired_capabilities
        ours.properties = dict(settings.properties) or None
        self._out.performative(0, ours)

    def _become_open(self, limit_s: float) -> None:
        """Both Opens are there; only now an empty frame may be sent."""
        self.opened = True
        self._idle.watch(limit_s, self._now)
        if self.remote is not None:
            self._idle.beat((self.remote.idle_time_out or 0) / 1000, self._now)
        self._set_deadline()

    def _end(self) -> None:
        """Nothing more is read, and nothing more is sent but what waits already."""
        self._channels.kill()
        self._parser = FrameParser()
        self.state = state.CLOSED
        self.closed = True
        self.deadline = inf

    def _send_close(self, error: Error | None) -> None:
        """Close, and the Open that must come before it."""
        self._channels.announce()
        if self.state in (state.AWAIT_OPEN, state.ADMITTING):
            ours = self._open_frame("", 0.0)
            ours.properties = {FAILED_PROPERTY: True}
            self._out.performative(0, ours)
        self._out.performative(0, Close(error))

    def _fail(self, condition: str, text: str, events: list[Event], silent: bool = False) -> None:
        if self.closed:
            return
        if (
            self.state not in state.HEADER_STATES
            and self.state not in state.SASL_STATES
            and self.state != state.CLOSING
        ):
            self._send_close(Error(condition, text))
        self._end()
        events.append(Failed(condition, text, silent))

    # -- what arrives -------------------------------------------------------------------------

    def _advance(self, events: list[Event]) -> None:
        """Take headers and frames from the parser, as long as there are and we have the word."""
        self._held = 0
        frames = self.frames_in
        condition = FRAMING_ERROR
        try:
            while not self.closed and self.state not in state.HELD_STATES:
                if self.state == state.OPEN:
                    self.frames_in += take_frames(self._parser, self._channels.mapped, events)
                elif self.state in state.HEADER_STATES:
                    if not self._take_header(events):
                        break
                    continue
                frame = self._parser.next_frame()
                if frame is None:
                    break
                self.frames_in += 1
                condition = DECODE_ERROR
                self._on_frame(frame, events)
                condition = FRAMING_ERROR
        except FramingError as error:
            self._fail(condition, error.text, events)
        except Violation as violation:
            self._fail(violation.condition, violation.text, events)
        if self.frames_in != frames:
            # That can only put ``deadline`` off; ``tick`` finds out when the old one has come.
            self._idle.heard(self._now)

    def _take_header(self, events: list[Event]) -> bool:
        """The next protocol header; False if it is not complete."""
        header = self._parser.next_header()
        if header is None:
            return False
        protocol = sniff(header)
        got = -1
        if protocol == Protocol.AMQP_1_0_SASL:
            got = state.GOT_SASL_HEADER
        elif protocol == Protocol.AMQP_1_0:
            got = state.GOT_AMQP_HEADER
        before = self.state
        target = state.LEGAL.get((before, got), -1)
        if before == state.AWAIT_HEADER and got == state.GOT_AMQP_HEADER:
            self.bare = True
            if not self._settings.allow_bare:
                target = -1
        if target < 0:
            if before == state.AWAIT_HEADER:
                self._out.raw(HEADER_1_0_SASL)
            text = f"a protocol header {header.hex(' ')} that is not spoken here"
            self._fail(FRAMING_ERROR, text, events)
            return True
        self.state = target
        self._on_header(target)
        return True

    def _on_header(self, target: int) -> None:
        settings = self._settings
        if target == state.AWAIT_INIT:
            self._out.raw(HEADER_1_0_SASL)
            self._out.sasl(SaslMechanisms(settings.mechanisms))
        elif target == state.AWAIT_OPEN:
            self._out.raw(HEADER_1_0)
            self._parser.frame_max = settings.max_frame_size
        elif target == state.EXPECT_OPEN:
            self._parser.frame_max = settings.max_frame_size

    def _on_frame(self, frame: Frame, events: list[Event]) -> None:
        """Raises: FramingError, Violation."""
        body = frame.body
        if self.state in state.SASL_STATES:
            if frame.type != TYPE_SASL:
                raise Violation(FRAMING_ERROR, "an AMQP frame within the SASL layer")
            self._on_sasl(decode_sasl(body), events)
            return
        if frame.type != TYPE_AMQP:
            raise Violation(FRAMING_ERROR, "a SASL frame behind the SASL layer")
        if not body:
            self._judge(state.GOT_EMPTY, "an empty frame")
            return
        performative, at = decode_performative(body)
        if self.state == state.OPEN and isinstance(performative, Transfer):
            session = self._channels.mapped.get(frame.channel)
            if session is not None:
                session.on_transfer(performative, body[at:], events)
                return
        if isinstance(performative, Close):
            self._on_close(performative, events)
        elif isinstance(performative, Open):
            self.state = self._judge(state.GOT_OPEN, "open")
            if self.state != state.CLOSING:
                self._on_open(performative, events)
        else:
            self._judge(state.GOT_SESSION, type(performative).__name__.lower())
            if self.state == state.OPEN:
                self._channels.on_frame(frame.channel, performative, body[at:], events)

    def _judge(self, got: int, what: str) -> int:
        """The state that follows. Raises: Violation if there is none."""
        target = state.LEGAL.get((self.state, got), -1)
        if target < 0:
            raise Violation(state.ILLEGAL[self.state], f"{what} in connection state {self.state}")
        return target

    def _on_close(self, close: Close, events: list[Event]) -> None:
        target = self._judge(state.GOT_CLOSE, "close")
        if self.state == state.OPEN:
            self._channels.announce()
        if self.state != state.CLOSING:
            self._out.performative(0, Close())
        self.state = target
        self._end()
        events.append(Closed(close.error))

    def _on_open(self, remote: Open, events: list[Event]) -> None:
        """The peer's Open. Raises: Violation."""
        self.remote = remote
        server = self.state == state.ADMITTING
        if remote.max_frame_size < FRAME_SIZE_MIN_MAX:
            text = f"max-frame-size {remote.max_frame_size} is below {FRAME_SIZE_MIN_MAX}"
            raise Violation(INVALID_FIELD, text)
        limit_ms = remote.idle_time_out or 0
        if 0 < limit_ms < IDLE_MIN_MS:
            raise Violation(NOT_ALLOWED, f"idle-time-out {limit_ms} ms is below {IDLE_MIN_MS}")
        self._out.frame_max = remote.max_frame_size
        self._channels.limit(remote.channel_max)
        if server:
            events.append(Opening(remote))
        else:
            self._become_open(self._settings.idle_timeout_s)
            events.append(Opened(remote))

    def _on_sasl(self, body: Composite, events: list[Event]) -> None:
        """Raises: Violation."""
        if isinstance(body, SaslInit):
            self.state = self._judge(state.GOT_INIT, "sasl-init")
            self.mechanism = body.mechanism
            events.append(SaslStart(body.mechanism, body.initial_response, body.hostname or ""))
        elif isinstance(body, SaslResponseFrame):
            self.state = self._judge(state.GOT_RESPONSE, "sasl-response")
            events.append(SaslResponse(body.response))
        elif isinstance(body, SaslMechanisms):
            self.state = self._judge(state.GOT_MECHANISMS, "sasl-mechanisms")
            self._on_mechanisms(body)
        elif isinstance(body, SaslChallenge):
            self.state = self._judge(state.GOT_CHALLENGE, "sasl-challenge")
            events.append(SaslChallenged(body.challenge))
        elif isinstance(body, SaslOutcome):
            self.state = self._judge(state.GOT_OUTCOME, "sasl-outcome")
            if body.code != SASL_OK:
                text = f"the server refused {self.mechanism}: sasl-outcome {body.code}"
                raise Violation(UNAUTHORIZED_ACCESS, text)
            self._send_client_open()

    def _on_mechanisms(self, body: SaslMechanisms) -> None:
        settings = self._settings
        offered = body.sasl_server_mechanisms
        choice = settings.choose_mechanism(offered)
        if choice is None:
            wanted = settings.mechanism or "what is configured"
            raise Violation(UNAUTHORIZED_ACCESS, f"the server offers {offered}, not {wanted}")
        self.mechanism, response = choice
        self._out.sasl(SaslInit(self.mechanism, response, settings.hostname or None))
