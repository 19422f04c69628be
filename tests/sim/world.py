"""Virtual time, chance and the trace of one run.

Everything that happens is an event in one heap, ordered by (time, number); nothing runs in
parallel and nothing asks a real clock. Chance comes from *dice*, one stream for each user with a
name of its own, derived from the seed: taking one client away leaves the dice of all others as
they were, which is what makes shrinking work.

A ``Clock`` is what one machine believes: it runs a little too fast or too slow, started at another
moment, and its wall clock is off.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from random import Random

EVENTS_MAX = 2_000_000
"""Events of one run; a run that needs more is stuck in a loop."""

POLL_S = 0.1
"""How often ``run_until`` looks whether it is done, virtual seconds."""

WALL_S = 1_700_000_000.0
"""Unix time at the true time 0."""


class Clock:
    """A machine's clocks. ``rate``: its seconds per true second. ``wall_offset_s``: error of its
    Unix time."""

    __slots__ = ("offset_s", "rate", "wall_offset_s")

    def __init__(
        self, rate: float = 1.0, offset_s: float = 0.0, wall_offset_s: float = 0.0
    ) -> None:
        self.rate = rate
        self.offset_s = offset_s
        self.wall_offset_s = wall_offset_s

    def local(self, true_s: float) -> float:
        """What the monotonic clock shows at a true time."""
        return self.offset_s + true_s * self.rate

    def true(self, local_s: float) -> float:
        """The true time at which the monotonic clock shows ``local_s``."""
        return (local_s - self.offset_s) / self.rate

    def wall(self, true_s: float) -> float:
        """What the wall clock shows."""
        return WALL_S + true_s + self.wall_offset_s


class World:
    """The clock, the event heap, the dice, the trace and the counters of one run."""

    def __init__(self, seed: int, tracing: bool = True) -> None:
        self.seed = seed
        self.now = 0.0
        self.counts: Counter[str] = Counter()
        """What happened how often: faults by kind, what clients did. For the summary."""
        self._tracing = tracing
        self._lines: list[tuple[float, str]] = []
        self._heap: list[tuple[float, int, Callable[[], object]]] = []
        self._count = 0

    # -- trace ------------------------------------------------------------------------------

    def note(self, text: str) -> None:
        """Add a line to the trace."""
        if self._tracing:
            self._lines.append((self.now, text))

    @property
    def trace(self) -> list[str]:
        """What was noted, with its times."""
        return [f"{at:10.4f} {text}" for at, text in self._lines]

    # -- chance -----------------------------------------------------------------------------

    def dice(self, name: str) -> Random:
        """A stream of chance that depends on the seed and on ``name`` only."""
        return Random(f"{self.seed}/{name}")

    # -- time -------------------------------------------------------------------------------

    def at(self, when: float, action: Callable[[], object]) -> None:
        """Run ``action`` at true time ``when`` (now, if that is past)."""
        self._count += 1
        now = self.now
        heapq.heappush(self._heap, (when if when > now else now, self._count, action))

    def after(self, delay_s: float, action: Callable[[], object]) -> None:
        """Run ``action`` in ``delay_s`` true seconds."""
        self._count += 1
        heapq.heappush(self._heap, (self.now + delay_s, self._count, action))

    def run_until(self, when: float, done: Callable[[], bool] | None = None) -> bool:
        """Let events happen until ``when``, or until ``done()``; returns whether it is done."""
        if done is None:
            self._run_to(when)
            return False
        while not done():
            if self.now >= when:
                return False
            self._run_to(min(when, self.now + POLL_S))
        return True

    def _run_to(self, when: float) -> None:
        heap = self._heap
        pop = heapq.heappop
        while heap and heap[0][0] <= when:
            moment, _, action = pop(heap)
            self.now = moment
            if self._count > EVENTS_MAX:
                raise AssertionError(f"more than {EVENTS_MAX} events: something spins")
            action()
        self.now = when
