"""A connected backup as the primary sees it.

A peer goes through phases::

    CONFIGURING  it is sent queues, exchanges and bindings as they were at one index
    FILLING      it is sent old messages, mixed with the batches of the log
    TAIL         only batches are sent; it lags, or was too slow
    SYNCING      everything in the log has been sent: from now on confirmations wait for it
    READY        it acknowledged everything that was ever confirmed: in sync, may be promoted

One that resumes begins at TAIL. The only way back is from SYNCING and READY to TAIL (too slow), or
from anywhere to CONFIGURING (it fell behind the log's end).
"""

from __future__ import annotations

from collections import deque
from enum import IntEnum
from typing import Final

from mypy_extensions import mypyc_attr

from tanist.ha.catchup import CatchUp
from tanist.ha.membership import BrokerInfo
from tanist.wire.amqp010.session import Session


class Phase(IntEnum):
    """How far a connected backup has come."""

    CONFIGURING = 0
    FILLING = 1
    TAIL = 2
    SYNCING = 3
    READY = 4


STEP: Final = 0
NEWS: Final = -1
"""``InFlight.index`` of what ends no stretch of the log: a step of catching up, or mere news."""


@mypyc_attr(acyclic=True)
class InFlight:
    """One transfer sent at ``at`` (seconds), not yet completed.

    ``index``: where the batch ends that it carries, or STEP (hello, configuration, old messages),
    or NEWS (members, commit).
    """

    __slots__ = ("at", "index", "size")

    def __init__(self, index: int, size: int, at: float) -> None:
        self.index = index
        self.size = size
        self.at = at


class Peer:
    """A connected backup that subscribed.

    ``sent_index``, ``acked_index``: how much of the log was sent and acknowledged, since the index
    at which it was said hello to (which means little before it is ``whole``). ``steps``: steps
    of catching up that are under way. ``told``: on its way, news that the in-sync set shrank;
    nothing is confirmed before it is there. ``reason``: why it is not in sync, empty if there is
    none but that it just came. ``sync_at``: it is not waited for again before this time (seconds).
    """

    __slots__ = (
        "acked_index",
        "began_at",
        "catch_up",
        "committed_told",
        "conn",
        "in_flight",
        "in_flight_bytes",
        "info",
        "phase",
        "reason",
        "sent_index",
        "session",
        "steps",
        "sync_at",
        "times_slow",
        "told",
    )

    def __init__(self, conn: int, session: Session, info: BrokerInfo, now: float) -> None:
        self.conn = conn
        self.session = session
        self.info = info
        self.phase = Phase.TAIL
        self.acked_index = 0
        self.sent_index = 0
        self.committed_told = 0
        self.catch_up: CatchUp | None = None
        self.in_flight: deque[InFlight] = deque()
        self.in_flight_bytes = 0
        self.steps = 0
        self.told: InFlight | None = None
        self.reason = ""
        self.began_at = now
        self.sync_at = now
        self.times_slow = 0

    @property
    def whole(self) -> bool:
        """It has everything up to ``acked_index``: no step of catching up is missing."""
        return self.phase >= Phase.TAIL and self.steps == 0

    def sent(self, index: int, size: int, now: float) -> None:
        """Note a transfer that was just sent."""
        self.in_flight.append(InFlight(index, size, now))
        self.in_flight_bytes += size
        if index == STEP:
            self.steps += 1

    def completed(self, transfers: int) -> None:
        """The backup completed its oldest ``transfers`` transfers (more than there are: all)."""
        in_flight = self.in_flight
        for _ in range(min(transfers, len(in_flight))):
            done = in_flight.popleft()
            self.in_flight_bytes -= done.size
            if done is self.told:
                self.told = None
            if done.index > self.acked_index:  # less: sent before it had to start over
                self.acked_index = done.index
            elif done.index == STEP:
                self.steps -= 1

    def silent_s(self, now: float) -> float:
        """Seconds for which its oldest transfer has been under way; 0 if none is."""
        return now - self.in_flight[0].at if self.in_flight else 0.0
