"""The scenario ``selectors``: receivers that want some of the messages only, and a failover.

Each queue has a receiver for each selector, of two different programs. What nobody selects is left
for the drain.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Final

from tanist_interop import protocol
from tanist_interop.runner.crew import DrillError, Member
from tanist_interop.runner.play import Play
from tanist_interop.scenarios.scenario import Flow
from tanist_interop.scenarios.selectors import SELECTORS

TAKE_S: Final = 8.0
"""Patience with receivers after the last message was sent, on a busy machine."""

QUIET_S: Final = 2.0
"""They have what they want when they got enough, and nothing came for so long."""


class Selectors(Play):
    """Carries the selectors of one plan out; ``run`` once."""

    able: list[str]

    def muster(self) -> None:
        """Who is here, and whose library knows selectors?"""
        super().muster()
        names = [flow.receiver for flow in self.flows]
        self.able = [name for name in names if selects(self._member(name, "receive"))]
        if not self.able:
            raise DrillError("no client here has selectors")
        for name in names:
            if name not in self.able:
                self._note("unable", client=name, reason="it has no selectors")

    def finish(self) -> None:
        """Wait until the receivers have all that they want."""
        s = self.scenario
        self._wait_acks(s.acknowledged_min, s.each_min, {}, "streaming")
        self._stop(self.senders, "stopping senders")
        until = time.monotonic() + TAKE_S
        count, since = 0, time.monotonic()
        while (now := time.monotonic()) < until:
            self.crew.pump(0.05)
            if sum(self._received()) != count:
                count, since = sum(self._received()), now
            elif now - since > QUIET_S and self._caught_up():
                break
        self._stop(self.receivers, "stopping receivers")

    def _receives(self, flow: Flow) -> list[tuple[Member, protocol.Receive]]:
        """One receiver for each selector: the flow's own, and the programs after it."""
        out = []
        first = self.able.index(flow.receiver) if flow.receiver in self.able else 0
        for number, (selector, kinds) in enumerate(SELECTORS.items()):
            client = self.able[(first + number) % len(self.able)]
            member = self._member(client, "receive")
            receive = replace(self._receive(member, flow), selector=selector)
            self._note("selection", program=member.name, task=receive.id, kinds=list(kinds))
            out.append((member, receive))
        return out

    def _caught_up(self) -> bool:
        """Every flow has brought as many as are selected of what was acknowledged."""
        share = sum(map(len, SELECTORS.values())) / self.scenario.kinds
        sent = [self.crew.acknowledged[flow.producer] for flow in self.flows]
        pairs = zip(self._received(), sent, strict=True)
        return all(came >= int(count * share) for came, count in pairs)


def selects(member: Member) -> bool:
    """Whether the program can give a selector."""
    return "selector" in member.capabilities
