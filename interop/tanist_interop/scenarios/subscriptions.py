"""The scenario ``subscriptions``: every topic has one subscription of each kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

TEMPORARY: Final = "temporary"
"""Not durable: it is the link's, and what nobody was there to take is nobody's."""

ACTIVE: Final = "active"
"""Durable, and somebody receives from it all the time."""

INACTIVE: Final = "inactive"
"""Durable; its receiver ends before the fault, and the next one comes after it."""

KINDS: Final = (TEMPORARY, ACTIVE, INACTIVE)


@dataclass(frozen=True)
class Subscription:
    """One subscription of a topic, and the client program that receives from it."""

    kind: str
    topic: str
    producer: str
    """Whose messages go to the topic."""
    client: str

    @property
    def name(self) -> str:
        """Of a durable subscription, as clients tell it; empty for a temporary one."""
        return "" if self.kind == TEMPORARY else f"{self.topic}.{self.kind}"


def subscribed(topics: list[tuple[str, str]], clients: list[str]) -> list[Subscription]:
    """The subscriptions of these topics (each with its producer): of each topic one of every kind,
    by the clients in turn, beginning with the one after the topic's own, so that each client has
    one of every kind."""
    return [
        Subscription(kind, topic, producer, clients[(number + step) % len(clients)])
        for number, (topic, producer) in enumerate(topics)
        for step, kind in enumerate(KINDS, 1)
    ]
