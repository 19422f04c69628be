"""The scenario ``transactions``: senders and receivers that work in transactions, and a failover
in the middle of these.

Each program whose library has transactions sends, to every program in turn; those of the receivers
that can acknowledge in transactions do.
"""

from __future__ import annotations

from dataclasses import replace

from tanist_interop import protocol
from tanist_interop.runner.crew import DrillError, Member
from tanist_interop.runner.play import Play
from tanist_interop.scenarios.scenario import Flow, from_some


class Transactions(Play):
    """Carries the transactions of one plan out; ``run`` once."""

    def muster(self) -> None:
        """Who is here, and who has transactions?"""
        super().muster()
        names = list(dict.fromkeys(flow.sender for flow in self.flows))
        able = [name for name in names if transacts(self._member(name, "send"))]
        if not able:
            raise DrillError("no client here has transactions")
        for name in names:
            if name not in able:
                self._note("unable", client=name, reason="it has no transactions")
        self.flows = self._addressed(from_some(able, names))

    def _receive(self, receiver: Member, flow: Flow) -> protocol.Receive:
        plain = super()._receive(receiver, flow)
        return replace(plain, transaction=transacts(receiver))

    def _up(self) -> list[Member]:
        return [m for m in self.crew.members.values() if m.state == "up"]


def transacts(member: Member) -> bool:
    """Whether the program can work in transactions."""
    return "transaction" in member.capabilities
