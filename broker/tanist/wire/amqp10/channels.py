"""The sessions of one connection, by channel.

Each side numbers its own half of a session: frames of the peer carry the peer's channel, ours carry
ours. ``Channels`` makes sessions when the peer begins one (server) or the owner does (client),
answers Begin and End, and gives channels back when both sides have ended. ``announce`` lets all
sessions send what they put off to the end of a step.

What may arrive when is the table in ``session_state``.
Source: AMQP 1.0, 2.5.1 "Establishing a session", 2.5.2 "Ending a session".
"""

from __future__ import annotations

from tanist.types import LocalProtocolError
from tanist.wire.amqp10.conditions import FRAMING_ERROR, NOT_ALLOWED, Violation
from tanist.wire.amqp10.events import Begun, Ended, Event
from tanist.wire.amqp10.handles import Handles
from tanist.wire.amqp10.performatives import Begin, End
from tanist.wire.amqp10.session import Session, Shared
from tanist.wire.amqp10.session_state import (
    BEGIN_SENT,
    GOT_BEGIN,
    GOT_BEGUN,
    GOT_END,
    GOT_FRAME,
    IDLE,
    ILLEGAL,
    LEGAL,
    MAPPED,
)
from tanist.wire.amqp10.values import Composite


class Channels:
    """``sessions``: our channel -> session. ``mapped``: the peer's channel -> session."""

    __slots__ = ("_handles", "_shared", "mapped", "sessions")

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._handles = Handles(shared.settings.channel_max)
        self.sessions: dict[int, Session] = {}
        self.mapped: dict[int, Session] = {}

    def limit(self, channel_max: int) -> None:
        """The peer takes channels up to ``channel_max``."""
        self._handles.limit = min(self._handles.limit, channel_max)

    def begin(self) -> Session:
        """The owner wants a session. Raises: LocalProtocolError if all channels are in use."""
        channel = self._handles.take()
        if channel < 0:
            raise LocalProtocolError("all channels of the connection are in use")
        session = Session(channel, BEGIN_SENT, self._shared)
        self.sessions[channel] = session
        session.send(session.begin_frame())
        return session

    def on_frame(
        self, channel: int, performative: Composite, payload: bytes, events: list[Event]
    ) -> None:
        """A performative of a session. Raises: Violation."""
        if isinstance(performative, Begin):
            self._on_begin(channel, performative, events)
            return
        session = self.mapped.get(channel)
        kind = GOT_END if isinstance(performative, End) else GOT_FRAME
        self._judge(channel, session, kind)
        assert session is not None, "without a session nothing is legal but Begin"
        if isinstance(performative, End):
            self._on_end(session, performative, events)
        else:
            session.on_frame(performative, payload, events)

    def announce(self) -> None:
        """Let all sessions send what they put off."""
        touched = self._shared.touched
        for session in touched:
            session.announce()
        touched.clear()

    def kill(self) -> None:
        """The connection is over, and with it all sessions."""
        for session in self.sessions.values():
            session.die()
        self._shared.touched.clear()

    def _judge(self, channel: int, session: Session | None, kind: int) -> int:
        """The state that follows. Raises: Violation if there is none."""
        state = IDLE if session is None else session.state
        target = LEGAL.get((state, kind), -1)
        if target < 0:
            text = f"input {kind} in session state {state}, channel {channel}"
            raise Violation(ILLEGAL[state], text)
        return target

    def _on_begin(self, channel: int, begin: Begin, events: list[Event]) -> None:
        if channel > self._shared.settings.channel_max:
            raise Violation(FRAMING_ERROR, f"begin on channel {channel} above the agreed")
        answered = begin.remote_channel
        if answered is not None:
            session = self.sessions.get(answered)
            target = self._judge(channel, session, GOT_BEGUN)
            assert session is not None, "the answer to a Begin has its session"
            if channel in self.mapped or session.remote is not None:
                raise Violation(NOT_ALLOWED, f"begin on channel {channel}, which is in use")
            session.state = target
        else:
            self._judge(channel, self.mapped.get(channel), GOT_BEGIN)
            ours = self._handles.take()
            if ours < 0:
                raise Violation(NOT_ALLOWED, "no channel is left for another session")
            session = Session(ours, MAPPED, self._shared)
            self.sessions[ours] = session
        self.mapped[channel] = session
        session.on_begin(begin, channel)
        if answered is None:
            session.send(session.begin_frame())
        if session.alive:
            events.append(Begun(session, begin))

    def _on_end(self, session: Session, end: End, events: list[Event]) -> None:
        if session.state == MAPPED:
            session.flush()
            session.send(End())
            session.die()
        session.state = IDLE
        del self.mapped[session.remote_channel]
        del self.sessions[session.channel]
        self._handles.give(session.channel)
        session.release()
        if not session.told:
            events.append(Ended(session, end.error))
