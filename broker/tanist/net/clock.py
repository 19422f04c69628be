"""Time at the edge: the reactor that counts it monotonically, and a watch on long turns.

Twisted's reactors schedule by the wall clock; when an operator or NTP sets it back by an hour,
every heartbeat and timeout would stand still for an hour, in a program whose job is to notice
failures.
``install_reactor`` therefore installs epoll (poll where there is none) with monotonic seconds.
Call it before anything imports ``twisted.internet.reactor``, and after forking: an epoll
descriptor must not be shared with a parent process.

``StallWatch`` reports turns of the reactor that took too long; while one lasts, no heartbeat is
sent and peers start to believe that we are dead.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.internet.main import installReactor
from twisted.internet.posixbase import PosixReactorBase

monotonic: Final = time.monotonic
"""The clock of every input: seconds that never go back."""

STALL_S: Final = 1.0
"""Longest turn that is not reported; the shortest heartbeat is 1 s and dies after 2."""

WATCH_INTERVAL_S: Final = 1.0


class LogLine(Protocol):
    """``line`` of a log: level, category, text."""

    def __call__(self, level: str, category: str, text: str) -> None:
        """Log one line."""
        ...


def install_reactor() -> PosixReactorBase:
    """Install and return the reactor of this process; may be called once."""
    base: type[PosixReactorBase]
    try:
        from twisted.internet.epollreactor import EPollReactor as base  # noqa: PLC0415 - Linux only
    except ImportError:  # pragma: no cover - not on Linux
        from twisted.internet.pollreactor import PollReactor as base  # noqa: PLC0415

    class MonotonicReactor(base):  # type: ignore[misc, valid-type]  # chosen at run time
        seconds = staticmethod(monotonic)

    reactor: PosixReactorBase = MonotonicReactor()
    installReactor(reactor)  # type: ignore[no-untyped-call]
    return reactor


class StallWatch:
    """Warns when a turn of the reactor took more than ``STALL_S`` seconds."""

    def __init__(self, reactor: IReactorTime, clock: Callable[[], float], log: LogLine) -> None:
        self._reactor = reactor
        self._clock = clock
        self._log = log
        self._due = 0.0

    def start(self) -> None:
        """Watch from now on, for as long as the reactor runs."""
        self._due = self._clock() + WATCH_INTERVAL_S
        self._reactor.callLater(WATCH_INTERVAL_S, self._look)

    def _look(self) -> None:
        late_s = self._clock() - self._due
        if late_s > STALL_S:
            self._log(
                "warning", "System", f"Nothing was served for {late_s:.1f} s: a turn was long"
            )
        self.start()
