"""A client connection that speaks AMQP 1.0, as its sessions see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.sessions.link import ClientLink
from tanist.wire.amqp10.connection import Connection

if TYPE_CHECKING:
    from tanist.core.broker import Broker
    from tanist.sessions.amqp10.state import SessionState


class Link10(ClientLink):
    """A connection with 1.0 sessions; ``states``: those that have begun, oldest first.

    ``container_id``: of the client's Open; its links are named within it.
    """

    __slots__ = ("connection", "container_id", "states")

    def __init__(
        self,
        connection: Connection,
        number: int,
        user: str,
        peer: str,
        now: float,
        container_id: str = "",
    ) -> None:
        super().__init__(number, user, peer, now)
        self.connection = connection
        self.container_id = container_id
        self.states: list[SessionState] = []

    def wake(self, broker: Broker) -> None:
        """Wake all subscriptions of all sessions."""
        for state in self.states:
            state.wake(broker)
