"""Containers of AMQP 1.0 that want to be connected once only (sole-connection-for-container).

The rule is that of 0-10 sessions' names (``sessions.amqp010.sessions``): whoever has a name keeps
it as long as he is evidently alive; after a stall the old connection of a client that has come back
may still look open to us, and then it is in the way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tanist.node.front import Front

STALE_S: Final = 2.0
"""A holder that has been silent for so long may be dropped."""


class InUse(Exception):
    """The container is connected, and alive."""


class Containers:
    """Who holds which container-id. ``drop`` closes a connection at once."""

    def __init__(self, drop: Callable[[Front], None]) -> None:
        self._drop = drop
        self._holders: dict[tuple[str, str], tuple[Front, float]] = {}

    def clear(self, user: str, container_id: str, now: float) -> None:
        """Somebody wants to hold it: drop a holder that has fallen silent. Raises: InUse."""
        present = self._holders.get((user, container_id))
        if present is None:
            return
        holder, interval_s = present
        if now - holder.heard_at <= max(STALE_S, interval_s):
            raise InUse(
                f"container {container_id!r} is connected already, from {holder.peer}; use "
                "another container-id (JMS: client id)"
            )
        self._drop(holder)

    def hold(self, front: Front, container_id: str, interval_s: float) -> None:
        """``front``, of which the user is known, holds it until it leaves.

        ``interval_s``: how often it says that it lives; it must.
        """
        self._holders[front.user, container_id] = (front, interval_s)

    def leave(self, front: Front, container_id: str) -> None:
        """``front`` is gone."""
        present = self._holders.get((front.user, container_id))
        if present is not None and present[0] is front:
            del self._holders[front.user, container_id]
