"""All 1.0 sessions of a node: events of client connections in, commands to the broker out."""

from __future__ import annotations

from tanist.core.broker import Broker
from tanist.sessions.amqp10.link import Link10
from tanist.sessions.amqp10.settings import SessionSettings
from tanist.sessions.amqp10.state import SessionState
from tanist.sessions.work import StepWork
from tanist.wire.amqp10.events import Begun, Ended, Event


class Sessions10:
    """The 1.0 sessions of one node. ``work``: what they leave for the end of the step."""

    __slots__ = ("broker", "settings", "work")

    def __init__(self, broker: Broker, work: StepWork, settings: SessionSettings) -> None:
        """Raises: BrokerError (INVALID_ARGUMENT) for a pattern that is no regular expression."""
        self.broker = broker
        self.work = work
        self.settings = settings

    def on_event(self, link: Link10, event: Event) -> None:
        """Handle an event of ``link``'s connection, other than those of opening and closing."""
        if isinstance(event, Begun):
            state = SessionState(link, event.session, self.work, self.broker.now)
            event.session.context = state
            link.states.append(state)
        elif isinstance(event, Ended):
            ended = event.session.context
            if isinstance(ended, SessionState):
                ended.end(self.broker)

    def close_link(self, link: Link10) -> None:
        """The connection is gone: all its sessions end. Idempotent."""
        link.closed = True
        link.writable = False
        for state in list(link.states):
            state.end(self.broker)

    def sessions_of(self, link: Link10) -> list[SessionState]:
        """The sessions of ``link`` that have begun, oldest first (a new list)."""
        return list(link.states)
