"""The sessions of one connection, by channel.

A channel is 16 bits in every frame; a session is attached to one at a time. ``Channels`` makes
sessions when the peer attaches (server) or the owner does (client), hands each session control to
the session of its channel, answers for channels that have none, and frees a channel when its
session is over. ``announce`` lets all sessions send what they put off to the end of a step.

What a channel may receive when is the table in ``session_state``.
Source: AMQP specification 0-10, part III "session" (attach, detach).
"""

from __future__ import annotations

from tanist.types import CHANNEL_MAX, SESSIONS_PER_CONNECTION_MAX, LocalProtocolError
from tanist.wire.amqp010.codec import make
from tanist.wire.amqp010.events import Attached, Event
from tanist.wire.amqp010.output import Output
from tanist.wire.amqp010.session import Session
from tanist.wire.amqp010.session_state import (
    ATTACHED,
    ATTACHING,
    CONTROL_INPUTS,
    FREE,
    GOT_ATTACH,
    GOT_CONTROL,
    IDLE,
    LEGAL,
    NOT_ATTACHED,
    TRANSPORT_BUSY,
)
from tanist.wire.amqp010.values import Struct, vbin16


class Channels:
    """Channel -> session.

    ``sessions``: also those that are no longer ``alive``, until their channel is free.
    ``touched``: sessions with something to announce. ``channel_max``: the highest channel agreed.
    """

    __slots__ = ("_output", "_server", "channel_max", "sessions", "touched")

    def __init__(self, output: Output, server: bool) -> None:
        self._output = output
        self._server = server
        self.channel_max = CHANNEL_MAX
        self.sessions: dict[int, Session] = {}
        self.touched: list[Session] = []

    def attach(self, name: str, force: bool) -> Session:
        """Client: attach a session on the lowest free channel.

        Raises: LocalProtocolError if all are in use.
        """
        channel = 0
        while channel in self.sessions:
            channel += 1
        if channel > min(self.channel_max, SESSIONS_PER_CONNECTION_MAX - 1):
            raise LocalProtocolError("all channels of the connection are in use")
        session = Session(channel, name.encode(), ATTACHING, self._output, self.touched)
        self.sessions[channel] = session
        self._output.control(channel, make("session.attach", name=vbin16(name), force=force))
        return session

    def on_control(self, channel: int, control: Struct, events: list[Event]) -> None:
        """The peer sent a session control."""
        session = self.sessions.get(channel)
        before = IDLE if session is None else session.state
        kind = CONTROL_INPUTS.get(control.name, GOT_CONTROL)
        if kind == GOT_ATTACH and before in FREE:
            if self._server:
                self._on_attach(channel, control, events)
            else:
                self._detached(channel, control, NOT_ATTACHED)
        elif session is not None:
            session.on_control(control, events)
            if session.state == IDLE and not session.alive:
                self._free(session)
        elif (before, kind) not in LEGAL:
            self._detached(channel, control, NOT_ATTACHED)

    def announce(self) -> None:
        """Let all sessions send what they put off."""
        for session in self.touched:
            session.announce()
            if session.state == IDLE:
                self._free(session)
        self.touched.clear()

    def kill(self) -> None:
        """The connection is over, and with it all sessions."""
        for session in self.sessions.values():
            session.alive = False
        self.touched.clear()

    def _on_attach(self, channel: int, control: Struct, events: list[Event]) -> None:
        before = self.sessions.get(channel)
        if before is not None:
            before.announce()
        elif len(self.sessions) >= SESSIONS_PER_CONNECTION_MAX:
            self._detached(channel, control, TRANSPORT_BUSY)
            return
        session = Session(channel, control.octets("name"), ATTACHED, self._output, self.touched)
        self.sessions[channel] = session
        events.append(Attached(session, control.flag("force")))

    def _detached(self, channel: int, control: Struct, code: int) -> None:
        """Answer for a channel without a session."""
        name = control.fields.get("name", vbin16(b""))
        self._output.control(channel, make("session.detached", name=name, code=code))

    def _free(self, session: Session) -> None:
        if self.sessions.get(session.channel) is session:
            del self.sessions[session.channel]
