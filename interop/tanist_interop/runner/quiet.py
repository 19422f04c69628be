"""The scenario ``quiet``: nothing happens, and every sender sends a message now and then.

Between two messages of a client lie several intervals of its heartbeat, so that it and the brokers
know by heartbeats alone that the others are there. Before and after that time the primary is asked
who is in sync; what brokers tell in their logs of connections that they lost is noted at the end of
every run.
"""

from __future__ import annotations

import time
from typing import Final

from tanist_interop.runner.play import Play, Stage
from tanist_interop.runner.warden import name_of

PROGRESS_S: Final = 5.0
"""Between two lines about a time in which nothing happens."""


class Quiet(Play):
    """Carries the quiet time of one plan out; ``run`` once."""

    def stages(self) -> tuple[Stage, ...]:
        return (
            self.launch, self.muster, self.connect, self.stream, self.rest, self.finish,
            self.compare, self.drain,
        )  # fmt: skip

    def rest(self) -> None:
        """Let the time pass."""
        self._note_in_sync()
        self.crew.mark("quiet_begin")
        until = time.monotonic() + self.scenario.quiet_s
        self.crew.wait(lambda: time.monotonic() >= until, "being quiet")
        self.crew.mark("quiet_end")
        self._note_in_sync()
        self._progress(f"{self.scenario.quiet_s:g} s were quiet")

    def _progress(self, what: str, passing: bool = False) -> None:
        if passing and self.stage == "rest" and time.monotonic() - self.told < PROGRESS_S:
            return
        super()._progress(what, passing)

    def _note_in_sync(self) -> None:
        """What the primary says; nothing is noted if it does not answer."""
        listed = self.cluster.in_sync(self.warden.primary)
        if listed is not None:
            self._note("in_sync", nodes=[name_of(node) for node in sorted(listed)])
