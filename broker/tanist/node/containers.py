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
        self._holders: dict[tuple[str, str], Front] = {}
        self._held: dict[int, tuple[str, str]] = {}
        self._intervals: dict[int, float] = {}

    def claim(self, front: Front, container_id: str, interval_s: float, now: float) -> None:
        """``front``, of which the user is known, wants to be the only one.

        ``interval_s``: how often it says that it lives, 0 if it does not. Raises: InUse.
        """
        key = (front.user, container_id)
        holder = self._holders.get(key)
        if holder is not None:
            patience_s = max(STALE_S, self._intervals[holder.number])
            if now - holder.heard_at <= patience_s:
                raise InUse(
                    f"container {container_id!r} is connected already, from {holder.peer}; use "
                    "another container-id (JMS: client id)"
                )
            self._drop(holder)
        self._holders[key] = front
        self._held[front.number] = key
        self._intervals[front.number] = interval_s

    def leave(self, front: Front) -> None:
        """``front`` is gone."""
        key = self._held.pop(front.number, None)
        self._intervals.pop(front.number, None)
        if key is not None and self._holders.get(key) is front:
            del self._holders[key]
