"""One AMQP 0-10 connection, either role, sans I/O.

The owner feeds bytes and time in, handles the events that come back, and writes what
``data_to_send`` returns::

    connection = Connection(ConnectionSettings(role="server"), now)
    for event in connection.receive_data(data, now): ...
    transport.write(connection.data_to_send())
    arm a timer for connection.deadline, and then: connection.tick(now)
    if connection.closed: drop the transport (after writing)

A server is told of credentials (``SaslStart``) and of the wish to open (``Opening``) and answers
with ``sasl_accept`` and ``open_ok``, at once or later; before ``opened`` the edge bounds the time.
A client does the whole handshake by itself up to ``Opened``. What is legal when is the table in
``connection_state``; the channels have theirs in ``session_state``.

Nothing a peer sends makes a method raise: what was good is reported, then comes ``Failed``, and
connection.close with 501 is queued. Heartbeats go out every interval whatever the traffic (R5: the
C++ client sends none but echoes), and a peer silent for two intervals has failed (``heartbeat``).

Source: AMQP specification 0-10, part III "connection"; spec, clients R1 to R9.
"""

from __future__ import annotations

from math import inf
from typing import Final

from tanist.types import (
    CHANNEL_MAX,
    FRAME_SIZE_MAX,
    Condition,
    FramingError,
    LocalProtocolError,
)
from tanist.wire.amqp010 import connection_state as state
from tanist.wire.amqp010 import session_state
from tanist.wire.amqp010.assembly import Assembled, Assembler
from tanist.wire.amqp010.channels import Channels
from tanist.wire.amqp010.codec import decode_control, make
from tanist.wire.amqp010.commands import COMPLETED_START
from tanist.wire.amqp010.events import (
    Closed,
    Event,
    Failed,
    Opened,
    Opening,
    SaslResponse,
    SaslStart,
    Transfer,
)
from tanist.wire.amqp010.framing import FRAME_HEADER_SIZE, FRAME_SIZE_MIN_MAX
from tanist.wire.amqp010.heartbeat import BEAT, LOST, Heartbeat
from tanist.wire.amqp010.output import Output
from tanist.wire.amqp010.session import Session
from tanist.wire.amqp010.settings import ConnectionSettings
from tanist.wire.amqp010.transfer import TRANSFER_CODE, decode_transfer
from tanist.wire.amqp010.values import Array, Struct, Value
from tanist.wire.bell import Bell
from tanist.wire.negotiate import HEADER_0_10, HEADER_SIZE, Protocol, sniff

__all__ = ["Connection", "ConnectionSettings"]

LOCALE: Final = "en_US"
"""The one locale everybody has (specification: required-support)."""

STR16: Final = 0x95

HANDSHAKE_BYTES_MAX: Final = 2 * FRAME_SIZE_MAX
"""Incomplete octets before the connection is open: client properties fill a frame at most."""

CLOSE_TIMEOUT_S: Final = 5.0
"""How long our connection.close waits for close-ok before the connection counts as closed."""

CLOSE_TEXT_MAX: Final = 255
"""Octets of connection.close.reply-text, a str8."""

FORCED: Final = Condition.CONNECTION_FORCED.code
FRAMING: Final = Condition.FRAMING_ERROR.code


class Connection:
    """One AMQP 0-10 connection.

    ``sessions``: channel -> session; one that is no longer ``alive`` may linger here until its
    channel is free. ``user``: set by ``sasl_accept``. ``mechanism``, ``client_properties``: from
    start-ok (server). ``server_properties``: from start (client). ``virtual_host``: from open.
    ``heartbeat_s``: agreed interval, 0 for none. ``opened``: open-ok was sent or received.
    ``closed``: nothing will be read any more; write ``data_to_send``, then drop the transport.
    ``deadline``: when ``tick`` must be called next, perhaps too soon, infinite if never.
    ``context``: a free slot for the owner. ``bytes_in``, ``bytes_out``: counters.
    """

    __slots__ = (
        "_assembler",
        "_channels",
        "_close_by",
        "_heartbeat",
        "_now",
        "_opening_bytes",
        "_out",
        "_settings",
        "bytes_in",
        "bytes_out",
        "client_properties",
        "closed",
        "context",
        "deadline",
        "heartbeat_s",
        "mechanism",
        "opened",
        "server_properties",
        "sessions",
        "state",
        "user",
        "virtual_host",
    )

    def __init__(self, settings: ConnectionSettings, now: float, bell: Bell | None = None) -> None:
        """A client queues its protocol header at once; a server waits for the peer's.

        ``bell`` rings when ``data_to_send`` gets something to do.
        """
        self._settings = settings
        self._assembler = Assembler(
            settings.max_frame_size, settings.channel_max, HANDSHAKE_BYTES_MAX
        )
        self._out = Output(bell=bell)
        self._channels = Channels(self._out, settings.role == "server")
        self._opening_bytes = b""
        self._now = now
        self._heartbeat = Heartbeat()
        self._close_by = inf
        self.sessions = self._channels.sessions
        self.user = ""
        self.mechanism = ""
        self.virtual_host = ""
        self.client_properties: dict[str, Value] = {}
        self.server_properties: dict[str, Value] = {}
        self.heartbeat_s = 0
        self.opened = False
        self.closed = False
        self.context: object | None = None
        self.deadline = inf
        self.bytes_in = 0
        self.bytes_out = 0
        self.state = state.AWAIT_HEADER
        if settings.role == "client":
            self.state = state.EXPECT_HEADER
            self._out.raw(HEADER_0_10)

    @property
    def frames_in(self) -> int:
        """Frames received."""
        return self._assembler.frames

    @property
    def frames_out(self) -> int:
        """Frames put into the output."""
        return self._out.frames

    # -- bytes and time ---------------------------------------------------------------------

    def receive_data(self, data: bytes, now: float) -> list[Event]:
        """Take what the transport brought; returns what happened, in order. Never raises.

        The caller handles the events, then writes ``data_to_send``.
        """
        events: list[Event] = []
        self._now = now
        self.bytes_in += len(data)
        if self.state in state.HEADER_STATES:
            data = self._take_header(data, events)
        if not data or self.closed:
            return events
        assembler = self._assembler
        frames = assembler.frames
        units = assembler.feed(data)
        if assembler.frames != frames:
            # That can only put ``deadline`` off; ``tick`` finds out when the old one has come.
            self._heartbeat.heard(now)
        try:
            self._dispatch(units, events)
        except FramingError as error:
            self._fail(FRAMING, error.text, events)
        failure = assembler.failure
        if failure is not None:
            self._fail(FRAMING, failure.text, events)
        return events

    def has_data(self) -> bool:
        """Whether ``data_to_send`` has something to do."""
        return not self._out.quiet

    def data_to_send(self) -> bytes:
        """All that waits to be written; the caller must write it. Completions come last."""
        if self._channels.touched:
            self._channels.announce()
        data = self._out.take()
        self.bytes_out += len(data)
        return data

    def abandon(self) -> None:
        """The transport is gone: let go of all octets now, not when garbage is collected."""
        self._end()
        self._out.take()

    def tick(self, now: float) -> list[Event]:
        """Time has passed: send heartbeats, judge silence. Harmless at any time."""
        events: list[Event] = []
        self._now = now
        if self.closed:
            return events
        if now >= self._close_by:
            self._fail(FORCED, f"no close-ok within {CLOSE_TIMEOUT_S} s", events)
            return events
        verdict = self._heartbeat.check(now)
        if verdict == BEAT:
            self._out.control(0, make("connection.heartbeat"))
        elif verdict == LOST:
            silent_s = now - self._heartbeat.heard_at
            self._end()
            text = f"no frame for {silent_s:.1f} s, heartbeat {self.heartbeat_s} s"
            events.append(Failed(FORCED, text))
            return events
        self._set_deadline()
        return events

    def _set_deadline(self) -> None:
        self.deadline = min(self._heartbeat.deadline(), self._close_by)

    # -- the server's answers ---------------------------------------------------------------

    def sasl_challenge(self, challenge: bytes) -> None:
        """Ask the client for more (connection.secure); ``SaslResponse`` follows."""
        if self._move(state.DO_CHALLENGE):
            self._out.control(0, make("connection.secure", challenge=challenge))

    def sasl_accept(self, user: str) -> None:
        """The client is ``user``: go on with tune; ``Opening`` follows."""
        if self._move(state.DO_ACCEPT):
            self.user = user
            settings = self._settings
            self._out.control(
                0,
                make(
                    "connection.tune",
                    channel_max=settings.channel_max,
                    max_frame_size=settings.max_frame_size,
                    heartbeat_min=0,
                    heartbeat_max=settings.heartbeat_max_s,
                ),
            )

    def open_ok(self, known_hosts: list[str]) -> None:
        """Let the client in. ``known_hosts`` are URLs of all brokers."""
        if self._move(state.DO_OPEN_OK):
            self._out.control(0, make("connection.open-ok", known_hosts=Array(STR16, known_hosts)))
            self._become_open()

    def close(self, code: int = 200, text: str = "OK") -> None:
        """Close in order; ``Closed`` comes when the peer has confirmed. Either role, any time.

        320 refuses credentials. Never use it to turn a client away from a backup (R1).
        """
        if self.closed or self.state == state.CLOSING:
            return
        if self.state in state.HEADER_STATES:
            self._end()
            return
        self._channels.announce()
        self._send_close(code, text)
        self._channels.kill()
        self.state = state.CLOSING
        self._close_by = self._now + CLOSE_TIMEOUT_S
        self._set_deadline()

    # -- the client's wishes ----------------------------------------------------------------

    def attach(self, name: str, force: bool = False) -> Session:
        """Client: attach a session; it can be used at once, ``Attached`` comes when confirmed.

        On a connection that is over the session is not ``alive``.

        Raises: LocalProtocolError before ``Opened``, or if all channels are in use.
        """
        if self._move(state.DO_ATTACH):
            return self._channels.attach(name, force)
        session = Session(0, name.encode(), session_state.ATTACHING, self._out, [])
        session.alive = False
        return session

    # -- states -----------------------------------------------------------------------------

    def _move(self, wish: int) -> bool:
        """Do what we want ourselves; False if the connection is over.

        Raises: LocalProtocolError if the state does not allow it.
        """
        target = state.LEGAL.get((self.state, wish), -1)
        if target < 0:
            raise LocalProtocolError(f"input {wish} is not legal in connection state {self.state}")
        self.state = target
        return target not in (state.CLOSING, state.CLOSED)

    def _become_open(self) -> None:
        self.opened = True
        self._assembler.content_max = self._settings.content_max

    def _end(self) -> None:
        """Nothing more is read, and nothing more is sent but what waits already."""
        self._channels.kill()
        self._assembler.clear()
        self.state = state.CLOSED
        self.closed = True
        self.deadline = inf

    def _send_close(self, code: int, text: str) -> None:
        short = text.encode()[:CLOSE_TEXT_MAX].decode("utf-8", "ignore")
        self._out.control(0, make("connection.close", reply_code=code, reply_text=short))

    def _fail(self, code: int, text: str, events: list[Event]) -> None:
        if self.closed:
            return
        if self.state not in state.HEADER_STATES and self.state != state.CLOSING:
            self._channels.announce()
            self._send_close(code, text)
        self._end()
        events.append(Failed(code, text))

    def _take_header(self, data: bytes, events: list[Event]) -> bytes:
        """Judge the protocol header; returns what follows it."""
        data = self._opening_bytes + data
        protocol = sniff(data)
        if protocol is None:
            self._opening_bytes = data
            return b""
        self._opening_bytes = b""
        server = self.state == state.AWAIT_HEADER
        if protocol != Protocol.AMQP_0_10:
            if server:
                self._out.raw(HEADER_0_10)
            start = data[:HEADER_SIZE].hex(" ")
            self._fail(FRAMING, f"the peer does not speak AMQP 0-10, it begins {start}", events)
            return b""
        self.state = state.LEGAL[self.state, state.GOT_HEADER]
        if server:
            self._out.raw(HEADER_0_10)
            self._send_start()
        return data[HEADER_SIZE:]

    def _send_start(self) -> None:
        settings = self._settings
        self._out.control(
            0,
            make(
                "connection.start",
                server_properties=dict(settings.server_properties),
                mechanisms=Array(STR16, settings.mechanisms),
                locales=Array(STR16, [LOCALE]),
            ),
        )

    # -- what arrives -----------------------------------------------------------------------

    def _dispatch(self, units: list[Assembled], events: list[Event]) -> None:
        """Raises: FramingError."""
        sessions = self.sessions
        for channel, track, segment, header, body in units:
            if track == 0:
                if self.state == state.OPEN and segment.startswith(COMPLETED_START):
                    session = sessions.get(channel)
                    if session is not None and session.on_completed(segment, events):
                        continue
                self._on_control(channel, segment, events)
                if self.closed:
                    return
                continue
            session = sessions.get(channel)
            if self.state != state.OPEN or session is None:
                if (self.state, state.GOT_SESSION) not in state.LEGAL:
                    raise FramingError("a command came before the connection was open")
                continue
            if segment.startswith(TRANSFER_CODE):
                number = session.take_id(events)
                if number >= 0:
                    head = decode_transfer(segment)
                    events.append(
                        Transfer(
                            session,
                            number,
                            head.sync,
                            head.destination,
                            head.accept_mode,
                            head.acquire_mode,
                            header,
                            b"" if body is None else body,
                            body is None,
                        )
                    )
            elif header or body:
                raise FramingError("only message.transfer carries header and body")
            else:
                session.on_command(segment, events)

    def _on_control(self, channel: int, segment: bytes, events: list[Event]) -> None:
        control = decode_control(segment)
        an_input = state.CONTROL_INPUTS.get(control.name, state.GOT_SESSION)
        target = state.LEGAL.get((self.state, an_input), -1)
        if target < 0:
            raise FramingError(f"{control.name} in connection state {self.state}")
        if an_input == state.GOT_SESSION:
            if self.state == state.OPEN:
                self._channels.on_control(channel, control, events)
            return
        if channel != 0:
            raise FramingError(f"{control.name} on channel {channel}")
        before, self.state = self.state, target
        if target == state.CLOSED:
            self._on_closed(an_input, control, events)
        elif before != target:
            self._on_handshake(an_input, control, events)

    def _on_closed(self, an_input: int, control: Struct, events: list[Event]) -> None:
        if an_input == state.GOT_CLOSE:
            self._out.control(0, make("connection.close-ok"))
        code = control.number("reply_code", Condition.NORMAL.code)
        events.append(Closed(code, control.text("reply_text")))
        self._end()

    def _on_handshake(self, an_input: int, control: Struct, events: list[Event]) -> None:
        if an_input == state.GOT_START_OK:
            self.client_properties = control.map("client_properties")
            self.mechanism = control.text("mechanism")
            response = control.octets("response") if control.has("response") else None
            events.append(SaslStart(self.mechanism, response, self.client_properties))
        elif an_input == state.GOT_SECURE_OK:
            events.append(SaslResponse(control.octets("response")))
        elif an_input == state.GOT_TUNE_OK:
            self._on_tune_ok(control)
        elif an_input == state.GOT_OPEN:
            self.virtual_host = control.text("virtual_host")
            events.append(Opening(self.virtual_host))
        elif an_input == state.GOT_START:
            self._on_start(control, events)
        elif an_input == state.GOT_TUNE:
            self._on_tune(control)
        else:
            self._become_open()
            hosts = [host for host in control.array("known_hosts") if isinstance(host, str)]
            events.append(Opened(hosts, self.server_properties))

    def _on_tune_ok(self, control: Struct) -> None:
        """The heartbeat is taken as asked: the Python client ignores what tune offered."""
        settings = self._settings
        channel_max = control.number("channel_max", settings.channel_max)
        frame_max = control.number("max_frame_size", settings.max_frame_size)
        if channel_max > settings.channel_max:
            raise FramingError(f"tune-ok: channel-max {channel_max} > {settings.channel_max}")
        if not FRAME_SIZE_MIN_MAX <= frame_max <= settings.max_frame_size:
            raise FramingError(
                f"tune-ok: max-frame-size {frame_max} is not from {FRAME_SIZE_MIN_MAX} to "
                f"{settings.max_frame_size}"
            )
        self._agree(channel_max, frame_max, control.number("heartbeat"))

    def _agree(self, channel_max: int, frame_max: int, heartbeat_s: int) -> None:
        self._assembler.channel_max = self._channels.channel_max = channel_max
        self._assembler.frame_max = frame_max
        self._out.max_payload = frame_max - FRAME_HEADER_SIZE
        self.heartbeat_s = heartbeat_s
        self._heartbeat.start(heartbeat_s, self._now)
        self._set_deadline()

    def _on_start(self, control: Struct, events: list[Event]) -> None:
        self.server_properties = control.map("server_properties")
        settings = self._settings
        offered = control.array("mechanisms")
        choice = settings.choose_mechanism(offered)
        if choice is None:
            wanted = settings.mechanism or "what is configured"
            self._fail(FORCED, f"the server offers {offered}, not {wanted}", events)
            return
        self.mechanism, response = choice
        self._out.control(
            0,
            make(
                "connection.start-ok",
                client_properties=dict(settings.client_properties),
                mechanism=self.mechanism,
                response=response,
                locale=LOCALE,
            ),
        )

    def _on_tune(self, control: Struct) -> None:
        """Clip our wishes to what the server offers, and open."""
        settings = self._settings
        channel_max = min(control.number("channel_max", CHANNEL_MAX), settings.channel_max)
        frame_max = min(control.number("max_frame_size", FRAME_SIZE_MAX), settings.max_frame_size)
        if frame_max < FRAME_SIZE_MIN_MAX:
            raise FramingError(f"tune: max-frame-size {frame_max} is below {FRAME_SIZE_MIN_MAX}")
        heartbeat_s = min(settings.heartbeat_s, control.number("heartbeat_max", 0xFFFF))
        heartbeat_s = max(heartbeat_s, control.number("heartbeat_min"))
        self._out.control(
            0,
            make(
                "connection.tune-ok",
                channel_max=channel_max,
                max_frame_size=frame_max,
                heartbeat=heartbeat_s,
            ),
        )
        self._agree(channel_max, frame_max, heartbeat_s)
        self._out.control(0, make("connection.open", virtual_host=settings.virtual_host))
