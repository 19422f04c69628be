"""What one sender and one receiver of one queue have seen, counted as they say it.

That a message is lost can be told while all goes on, because the queue keeps its order and nobody
else reads it: when a message comes that was first sent after another one had been confirmed, that
other one must have come before. Nothing is guessed by the clock.
"""

from __future__ import annotations

from collections import deque

from tanist_interop.checkers.ranges import Numbers


class Tally:
    """Counts of one producer's messages; sequence numbers begin with 1."""

    def __init__(self) -> None:
        self.sent = 0
        """Messages announced, whatever came of them: also the greatest number."""
        self.confirmed = Numbers()
        self.received = Numbers()
        """Each once."""
        self.redelivered = 0
        """Copies that were marked so."""
        self.duplicates = 0
        """Copies beyond the first."""
        self.lost = Numbers()
        """Confirmed, and overtaken by what was sent later. None if they come all the same."""
        self._newest = 0
        self._due: deque[tuple[int, int, int]] = deque()

    def announce(self, first: int, last: int) -> None:
        """These are about to be sent."""
        self.sent = max(self.sent, last)

    def confirm(self, first: int, last: int) -> None:
        """The broker has these. Whatever is announced from now on comes behind them."""
        self.confirmed.add(first, last)
        self._due.append((self.sent, first, last))

    def receive(self, first: int, last: int, redelivered: bool) -> None:
        """These came."""
        copies = last - first + 1
        self.duplicates += copies - sum(b - a + 1 for a, b in self.received.add(first, last))
        if redelivered:
            self.redelivered += copies
        if self.lost:
            self.lost -= Numbers((first, last))
        self._newest = max(self._newest, last)
        while self._due and self._due[0][0] < self._newest:
            self._overtaken(*self._due.popleft()[1:])

    def settle(self) -> None:
        """Nothing more will come: what was confirmed and did not is lost."""
        while self._due:
            self._overtaken(*self._due.popleft()[1:])

    def missing(self) -> int:
        """Confirmed and not received so far."""
        return len(self.confirmed - self.received)

    def __str__(self) -> str:
        """One line for people."""
        return (
            f"sent {self.sent:,}  confirmed {len(self.confirmed):,}  "
            f"received {len(self.received):,}  redelivered {self.redelivered:,}  "
            f"duplicates {self.duplicates:,}  lost {len(self.lost):,}"
        )

    def _overtaken(self, first: int, last: int) -> None:
        for a, b in (Numbers((first, last)) - self.received).ranges():
            self.lost.add(a, b)
