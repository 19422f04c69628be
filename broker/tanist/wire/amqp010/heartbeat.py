"""When to say that we live, and when to believe that the peer does not.

One ``Heartbeat`` per connection, started when tune-ok agrees on an interval. A heartbeat is due
every interval *whatever the traffic* (R5: the C++ client originates none, it echoes ours, so that
our silence would silence it). A peer of which no whole frame came for ``HEARTBEATS_MISSED_MAX``
intervals is gone.

One exception: if it is we who were away (stopped, suspended, starved), what the peer sent
meanwhile may still wait to be read. Lateness of our own is forgiven to the peer once, with one
more interval, until it is heard again.

Source: AMQP specification 0-10, "connection.heartbeat"; spec, qpidd-compat 2.10.
"""

from __future__ import annotations

from math import inf
from typing import Final

from tanist.types import HEARTBEATS_MISSED_MAX

NOTHING: Final = 0
BEAT: Final = 1
LOST: Final = 2
"""Verdicts of ``check``."""


class Heartbeat:
    """``interval_s`` 0 means none; then nothing is ever due. ``heard_at``: the last whole frame."""

    __slots__ = ("_forgiven", "_next_beat", "heard_at", "interval_s")

    def __init__(self) -> None:
        self.interval_s = 0
        self.heard_at = 0.0
        self._next_beat = inf
        self._forgiven = False

    def start(self, interval_s: int, now: float) -> None:
        """Both sides agreed on ``interval_s`` seconds, 0 for none."""
        self.interval_s = interval_s
        self.heard_at = now
        self._next_beat = now + interval_s if interval_s else inf

    def heard(self, now: float) -> None:
        """A whole frame arrived."""
        self.heard_at = now
        self._forgiven = False

    def deadline(self) -> float:
        """When ``check`` must be called next."""
        if not self.interval_s:
            return inf
        return min(self.heard_at + HEARTBEATS_MISSED_MAX * self.interval_s, self._next_beat)

    def check(self, now: float) -> int:
        """``BEAT``: send a heartbeat now; ``LOST``: the peer is gone; else ``NOTHING``."""
        interval_s = self.interval_s
        if not interval_s:
            return NOTHING
        late_s = now - self.heard_at - HEARTBEATS_MISSED_MAX * interval_s
        if late_s > interval_s and not self._forgiven:
            self._forgiven = True
            self.heard_at = now - (HEARTBEATS_MISSED_MAX - 1) * interval_s
        elif late_s >= 0:
            return LOST
        if now < self._next_beat:
            return NOTHING
        self._next_beat += interval_s
        if self._next_beat <= now:
            self._next_beat = now + interval_s
        return BEAT
