"""A soak: one strike after the other for a given time, under clients that never pause.

The plan is drawn from the seed step by step (``scenarios.strikes``). Between strikes the soak is
the resource manager: it sees that the primary is gone, promotes a backup that the primary itself
had listed as in sync, starts what died, lets go on what hung, and waits until the cluster is whole,
or at least safe to strike. It never destroys the last copy of what was acknowledged.

It raises when the cluster does not become whole, or a sender does not go on, in bounded time.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tanist_interop.faults.process import Fault, Suspend
from tanist_interop.hosts.operator import HostError
from tanist_interop.runner.crew import Crew
from tanist_interop.runner.warden import Warden, name_of
from tanist_interop.scenarios.scenario import Flow, Scenario
from tanist_interop.scenarios.strikes import Strike, choose_target, draw

GO_ON_S: Final = 90.0
"""Every sender has new acknowledgements within this after a promotion, or never: the JMS client may
block for a minute in its own failover, whatever the brokers do."""

WHOLE_S: Final = 90.0
"""After a strike the cluster is whole and every flow caught up within this, or never: a restart, a
catch-up and ``ha-backup-timeout`` (10 s) take less than what a client may."""

LOOK_S: Final = 0.4
"""Between two questions to the primary; each costs the start of an interpreter."""

TRUST_S: Final = 1.0
"""So long after it went on, a backup that hung is not believed to be in sync: the primary may be
about to drop it. What it lists later it has heard from."""

NOTICE_S: Final = 1.0
"""A primary that does not answer a question for so long counts as hung."""


@dataclass
class Away:
    """A broker that is down or hangs, and when that ends (monotonic seconds)."""

    fault: Fault
    until: float


class Soak:
    """Carries the strikes of one run out; ``run`` once."""

    def __init__(
        self,
        warden: Warden,
        crew: Crew,
        scenario: Scenario,
        flows: list[Flow],
        dice: random.Random,
    ) -> None:
        self.warden = warden
        self.crew = crew
        self.scenario = scenario
        self.flows = flows
        self.dice = dice
        self.strikes = 0
        self.failovers = 0
        self.away: dict[int, Away] = {}
        self.returning: set[int] = set()
        self._trusted_from: dict[int, float] = {}
        self._looked = 0.0
        self._ready: list[int] = []
        self._was_whole = True

    def run(self) -> None:
        """Strike until the time is up, then make everything whole. Raises: DrillError, HostError,
        OSError."""
        until = time.monotonic() + self.scenario.soak_s
        while time.monotonic() < until:
            strike = draw(self.dice)
            target = self._await_chance(strike, until)
            if target is not None:
                self._carry_out(strike, target)
        for away in self.away.values():
            away.until = 0.0
        self._wait(self._is_whole, "making the cluster whole", WHOLE_S)
        self.warden.note_memory("whole")

    def summary(self) -> str:
        """What happened so far and how things stand, for the progress line."""
        away = ", ".join(name_of(node) for node in sorted(self.away)) or "nobody"
        serves = name_of(self.warden.primary)
        return f"{self.failovers} failovers, {self.strikes} strikes; {serves} serves, {away} away"

    def _await_chance(self, strike: Strike, until: float) -> int | None:
        """Wait until the strike may hit somebody; who, or None when the time is up."""
        while True:
            self._wait(lambda: self._may_strike(strike), "waiting to strike", WHOLE_S)
            self._pause(strike.rest_s)
            if time.monotonic() > until:
                return None
            self._look()  # what was true before the pause may not be true any more
            target = choose_target(strike, self.warden.primary, self._ready)
            if target is not None and (strike.impatient or self._is_whole()):
                return target

    def _may_strike(self, strike: Strike) -> bool:
        if not strike.impatient:
            return self._is_whole()
        self._look_now_and_then()
        return bool(self._ready) and self._caught_up()

    def _is_whole(self) -> bool:
        """Every backup in sync, nothing piled up: a moment at which memory can be compared."""
        self._look_now_and_then()
        whole = len(self._ready) == self.scenario.nodes - 1 and self._caught_up()
        if whole and not self._was_whole:
            self.warden.note_memory("whole")
        self._was_whole = whole
        return whole

    def _look_now_and_then(self) -> None:
        if time.monotonic() - self._looked >= LOOK_S:
            self._look()

    def _look(self) -> None:
        """Ask the primary who is in sync; what hangs or is down may still be on its list."""
        now = time.monotonic()
        usable = {
            node
            for node in range(self.scenario.nodes)
            if node not in self.away and self._trusted_from.get(node, now) <= now
        }
        listed = self.warden.cluster.in_sync(self.warden.primary) or []
        self._ready = [node for node in listed if node in usable]
        self._looked = time.monotonic()
        for node in sorted(self.returning.intersection(self._ready)):
            self.returning.discard(node)
            self.warden.rejoined(node)

    def _carry_out(self, strike: Strike, target: int) -> None:
        self.strikes += 1
        failover = target == self.warden.primary
        candidates = [node for node in self._ready if node != target]
        self.returning.discard(target)
        self._was_whole = False
        fault = self.warden.begin(strike.fault, target, failover)
        if failover:
            self._fail_over(strike, fault, candidates)
        hangs = isinstance(fault, Suspend) and not fault.deadly
        after_s = strike.hang_s if hangs else strike.down_s
        self.away[target] = Away(fault, time.monotonic() + after_s)
        self._ready = []

    def _fail_over(self, strike: Strike, fault: Fault, candidates: list[int]) -> None:
        """Promote a backup, and see every sender go on."""
        if isinstance(fault, Suspend):
            self._notice_hung(fault.node)
            if strike.fence_first:
                fault.fence()
        try:
            before = self.warden.promote(candidates)
        finally:
            if isinstance(fault, Suspend) and not fault.deadly:
                fault.fence()
        self._wait(lambda: self._went_on(before), "every sender goes on", GO_ON_S)
        self.failovers += 1

    def _notice_hung(self, node: int) -> None:
        (status,) = self.warden.cluster.statuses([node], NOTICE_S)
        if status:
            raise HostError(f"{name_of(node)} says {status} although it is stopped")

    def _went_on(self, before: dict[str, int]) -> bool:
        acks = self.crew.acknowledged
        new = [acks[flow.producer] - before.get(flow.producer, 0) for flow in self.flows]
        return min(new) >= self.scenario.each_min

    def _caught_up(self) -> bool:
        """No more than what may be under way lies between senders and receivers."""
        limit = self.scenario.window + self.scenario.prefetch
        return all(
            self.crew.acknowledged[flow.producer] - self._received(flow) <= limit
            for flow in self.flows
        )

    def _received(self, flow: Flow) -> int:
        received = self.crew.received.get(flow.producer)
        return 0 if received is None else len(received)

    def _mend(self) -> None:
        """Bring back whose time has come."""
        now = time.monotonic()
        for node, away in list(self.away.items()):
            if away.until <= now:
                del self.away[node]
                self.warden.heal(away.fault)
                self.returning.add(node)
                if not away.fault.deadly:
                    self._trusted_from[node] = time.monotonic() + TRUST_S

    def _wait(self, condition: Callable[[], bool], stage: str, limit_s: float) -> None:
        def mended() -> bool:
            self._mend()
            return condition()

        self.crew.wait(mended, stage, limit_s)

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        self._wait(lambda: time.monotonic() >= until, "resting", math.inf)
