"""When to say that we live, and when to believe that the peer does not.

The two directions are independent (AMQP 1.0, 2.4.5 "Idle time out of a connection"). The peer's
Open says after how long a silence *it* gives up: we send an empty frame every half of that,
whatever the traffic, because that is cheap and cannot be forgotten. Ours says half of what we
enforce, as the specification advises against spurious time-outs.

One exception: if it is we who were away (stopped, suspended, starved), what the peer sent
meanwhile may still wait to be read. Lateness of our own is forgiven to the peer once, with half the
limit more, until it is heard again.
"""

from __future__ import annotations

from math import inf
from typing import Final

NOTHING: Final = 0
BEAT: Final = 1
LOST: Final = 2
"""Verdicts of ``check``."""

ADVERTISED_SHARE: Final = 0.5
"""What we advertise, of what we enforce; and how often we send, of what the peer advertises."""


class Idle:
    """``limit_s``: how long a peer may be silent, 0 for ever. ``heard_at``: its last frame."""

    __slots__ = ("_beat_s", "_forgiven", "_next_beat", "heard_at", "limit_s")

    def __init__(self) -> None:
        self.limit_s = 0.0
        self.heard_at = 0.0
        self._beat_s = 0.0
        self._next_beat = inf
        self._forgiven = False

    def watch(self, limit_s: float, now: float) -> None:
        """From now on the peer must be heard every ``limit_s`` seconds, 0 for never."""
        self.limit_s = limit_s
        self.heard_at = now

    def beat(self, peer_limit_s: float, now: float) -> None:
        """From now on the peer must hear us every ``peer_limit_s`` seconds, 0 for never."""
        self._beat_s = peer_limit_s * ADVERTISED_SHARE
        self._next_beat = now + self._beat_s if self._beat_s else inf

    def heard(self, now: float) -> None:
        """A whole frame arrived."""
        self.heard_at = now
        self._forgiven = False

    def deadline(self) -> float:
        """When ``check`` must be called next."""
        if not self.limit_s:
            return self._next_beat
        return min(self.heard_at + self.limit_s, self._next_beat)

    def check(self, now: float) -> int:
        """``BEAT``: send an empty frame now; ``LOST``: the peer is gone; else ``NOTHING``."""
        if self.limit_s:
            late_s = now - self.heard_at - self.limit_s
            if late_s > self.limit_s * ADVERTISED_SHARE and not self._forgiven:
                self._forgiven = True
                self.heard_at = now - self.limit_s * ADVERTISED_SHARE
            elif late_s >= 0:
                return LOST
        if now < self._next_beat:
            return NOTHING
        self._next_beat += self._beat_s
        if self._next_beat <= now:
            self._next_beat = now + self._beat_s
        return BEAT
