"""The gate: the whole promise of the product in one file.

A confirmation (0-10 completion and accept) of anything that became a record is **held** until that
record is on every in-sync backup. The node seals what a step held with the index of the step's last
record; when the confirmable index (``min`` over the in-sync backups, see ``ha.primary``) reaches
it, the gate **opens** for it, in order.

Indexes only grow, so one first-in-first-out line serves all sessions; the cost is one entry per
session and step, whatever the number of messages.
"""

from __future__ import annotations

from collections import deque

from mypy_extensions import mypyc_attr

from tanist.sessions.held import Held


@mypyc_attr(allow_interpreted_subclasses=True)
class Gate:
    """Holds confirmations until their records are safe."""

    def __init__(self) -> None:
        self._line: deque[tuple[int, Held]] = deque()
        self.opened_index = 0

    def hold(self, index: int, held: Held) -> None:
        """``held`` has confirmations that wait for record ``index`` (not lower than any before)."""
        self._line.append((index, held))

    def open(self, index: int) -> None:
        """Every record up to ``index`` is safe; confirm what waited for one of them."""
        self.opened_index = max(self.opened_index, index)
        line = self._line
        while line and line[0][0] <= index:
            at, held = line.popleft()
            held.open_gate(at)

    @property
    def waiting(self) -> int:
        """Entries that are held: one per session and step."""
        return len(self._line)
