"""The scenario ``delayed``: messages that are not to come yet, and a failover before they may.

Each program that can delay messages sends some, to every program in turn; when all of them are
acknowledged the primary is killed. They come when they are due, from the new one.
"""

from __future__ import annotations

import time
from typing import Final

from tanist_interop.runner.crew import DrillError, Member
from tanist_interop.runner.play import Play
from tanist_interop.scenarios.scenario import from_some

DUE_S: Final = 30.0
"""Patience after the failover: the delay, and a slow machine."""


class Delays(Play):
    """Carries the delays of one plan out; ``run`` once."""

    def muster(self) -> None:
        """Who is here, and who can delay?"""
        super().muster()
        names = list(dict.fromkeys(flow.sender for flow in self.flows))
        able = [name for name in names if "delay" in self._member(name, "send").capabilities]
        if not able:
            raise DrillError("no client here can delay messages")
        self.flows = self._addressed(from_some(able, names))

    def stream(self) -> None:
        """As in any run, and wait until the senders are done."""
        super().stream()
        self.crew.wait(lambda: all(task in m.ended for m, task in self.senders), "sending")
        self._progress("all are acknowledged")

    def finish(self) -> None:
        """Let everything come that is to come."""
        until = time.monotonic() + DUE_S
        while time.monotonic() < until and not self._caught_up():
            self.crew.pump(0.05)
        self._stop(self.receivers, "stopping receivers")

    def _strike_once(self) -> None:
        fault = self._begin_fault()
        self.warden.promote([n for n in range(self.scenario.nodes) if n != fault.node])
        self._progress(f"promoted n{self.warden.primary + 1}")

    def _up(self) -> list[Member]:
        return [m for m in self.crew.members.values() if m.state == "up"]
