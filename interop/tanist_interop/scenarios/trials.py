"""The cases of the scenario ``redelivered``: what becomes of messages that somebody holds.

In each a client program sends ``SENT`` messages to a queue of their own, takes ``HELD`` of them
without acknowledging, and something happens to these; then what the queue gives is drained.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SENT: Final = 20
HELD: Final = 10

DEAD_EXCHANGE: Final = "drill.dead"
"""A direct exchange: where queues send what is rejected, by their own names."""

OUTCOMES: Final[dict[str, str]] = {
    "killed": "",
    "released": "release",
    "modified": "modify",
    "rejected": "reject",
    "dropped": "reject",
    "rolled-back": "rollback",
    "failover": "",
}
"""Per case the outcome that is asked for. Without one it is the consumer that is killed, or the
primary."""


@dataclass(frozen=True)
class Trial:
    """One case with one client program."""

    case: str
    client: str

    @property
    def queue(self) -> str:
        """Where the messages are."""
        return f"drill.{self.case}.{self.client}"

    @property
    def dead(self) -> str:
        """The queue that gets what is rejected, empty for none."""
        return f"drill.dead.{self.client}" if self.case == "rejected" else ""

    @property
    def producer(self) -> str:
        """Of the messages."""
        return f"{self.client}.{self.case}"

    @property
    def outcome(self) -> str:
        """What ``settle`` is told, empty for none."""
        return OUTCOMES[self.case]


def trials(clients: list[str]) -> list[Trial]:
    """Every case with every client."""
    return [Trial(case, client) for case in OUTCOMES for client in clients]
