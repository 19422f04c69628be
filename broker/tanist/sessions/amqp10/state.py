"""One session of AMQP 1.0."""

from __future__ import annotations

from tanist.core.broker import Broker
from tanist.sessions.amqp10.link import Link10
from tanist.sessions.held import Held
from tanist.sessions.work import StepWork
from tanist.wire.amqp10.session import Session


class SessionState(Held):
    """The session on channel ``session.channel`` of ``link``."""

    __slots__ = ("alive", "created_at", "delivered", "link", "published", "session", "work")

    def __init__(
        self, link: Link10, session: Session, work: StepWork, created_at: float = 0.0
    ) -> None:
        self.link = link
        self.session = session
        self.work = work
        self.created_at = created_at
        self.alive = True
        self.published = 0
        self.delivered = 0

    def wake(self, broker: Broker) -> None:
        """Wake all its subscriptions."""

    def end(self, broker: Broker) -> None:
        """The session is over: undo everything that is only its own. Idempotent."""
