"""Who is connected, as management shows it, and who asks when a request arrives.

The facts are gathered from connections and sessions when somebody asks, and kept nowhere.
"""

from __future__ import annotations

from tanist.core.notices import Actor
from tanist.management.clients import ClientFacts, ConnectionFacts
from tanist.node.front import Front, Kind


class Clients(ClientFacts):
    """The connections of a node (``fronts`` is the reception's own table) and their sessions."""

    def __init__(self, fronts: dict[int, Front]) -> None:
        self._fronts = fronts

    def actor(self, number: int) -> Actor:
        """Who speaks on connection ``number``; nobody in particular if it is gone, or 0."""
        front = self._fronts.get(number)
        if front is None:
            return Actor("", "")
        return Actor(front.user, front.peer, None, number)

    def connections(self) -> list[ConnectionFacts]:
        """Clients and backups that were let in."""
        return [each.facts() for each in self._fronts.values() if each.kind is not Kind.OPENING]
