"""A client connection that speaks AMQP 0-10, as its sessions see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.sessions.link import ClientLink
from tanist.wire.amqp010.connection import Connection

if TYPE_CHECKING:
    from tanist.core.broker import Broker
    from tanist.sessions.amqp010.state import SessionState


class Link010(ClientLink):
    """A connection with 0-10 sessions; ``states``: those that are attached, oldest first."""

    __slots__ = ("connection", "states")

    def __init__(
        self, connection: Connection, number: int, user: str, peer: str, now: float
    ) -> None:
        super().__init__(number, user, peer, now)
        self.connection = connection
        self.states: list[SessionState] = []

    def wake(self, broker: Broker) -> None:
        """Wake all subscriptions of all sessions."""
        for state in self.states:
            for subscription in state.subscriptions.values():
                broker.wake(subscription)
