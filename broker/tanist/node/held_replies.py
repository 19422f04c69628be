"""Answers of management that wait in the gate, as the confirmations of a session do.

What a step holds back is sealed with the index of its newest record; when the gate opens for that
index, the replies are ``ready`` and the next step publishes them.
"""

from __future__ import annotations

from collections import deque

from tanist.management.codec import Reply
from tanist.sessions.held import Held


class HeldReplies(Held):
    """Replies that wait in the gate. ``ready``: their records are safe, publish them."""

    def __init__(self) -> None:
        self._unsealed: list[Reply] = []
        self._line: deque[tuple[int, list[Reply]]] = deque()
        self.ready: list[Reply] = []
        self.waiting = 0

    def add(self, reply: Reply) -> bool:
        """Hold ``reply``. Returns True for the first one since the last seal."""
        self._unsealed.append(reply)
        self.waiting += 1
        return len(self._unsealed) == 1

    def seal(self, index: int) -> None:
        """What was added since the last seal waits for record ``index``."""
        self._line.append((index, self._unsealed))
        self._unsealed = []

    def open_gate(self, index: int) -> None:
        """Records up to ``index`` are safe."""
        line = self._line
        while line and line[0][0] <= index:
            replies = line.popleft()[1]
            self.waiting -= len(replies)
            self.ready.extend(replies)
