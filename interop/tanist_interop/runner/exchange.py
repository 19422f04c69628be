"""The scenario ``types``: every value from every program to every program.

Each pair has a queue of its own. Round after round, one value in one place of a message goes
through all queues at once; what came out is noted beside what went in.
"""

from __future__ import annotations

import itertools

from tanist_interop import protocol
from tanist_interop.drivers.registry import ClientSpec
from tanist_interop.runner.crew import DrillError, Member
from tanist_interop.runner.play import Play, Stage
from tanist_interop.scenarios.values import CASES

Pair = tuple[str, str]


class Exchange(Play):
    """Carries the exchange of one plan out; ``run`` once."""

    clients: list[str]

    def stages(self) -> tuple[Stage, ...]:
        return (self.launch, self.muster, self.connect, self.exchange, self.compare, self.drain)

    def muster(self) -> None:
        """Who is here, and knows values?"""
        names = [spec.name for spec in self._able()]
        self.clients = [n for n in names if "values" in self._main(n).capabilities]
        if not self.clients:
            raise DrillError("no client here knows values")

    def connect(self) -> None:
        """Open all connections and create the queues."""
        self._open([self._main(client) for client in self.clients])
        first = self._main(self.clients[0])
        told = [(first, self.crew.tell(first, protocol.Declare(first.next_id(), queue_of(pair))))
                for pair in self._pairs()]  # fmt: skip
        self.crew.call(told, "declaring queues")

    def exchange(self) -> None:
        """Every value of the scenario, in its place."""
        named = (name.split(" ", 1) for name in self.scenario.values)
        for place, cases in itertools.groupby(named, lambda words: words[0]):
            for _, case in cases:
                self._round(case, place, CASES[case])
            self._progress(f"values as {place}")

    def drain(self) -> None:
        """Nothing is left to do."""
        self.cluster.check_alive()

    def _round(self, case: str, place: str, value: protocol.Value) -> None:
        """One value in one place, through all queues."""
        puts = {}
        for sender, receiver in self._pairs():
            member = self._main(sender)
            put = protocol.Put(member.next_id(), queue_of((sender, receiver)), place, value)
            puts[sender, receiver] = (member, self.crew.tell(member, put))
        replies = self._replies(puts)
        takes = {}
        for (sender, receiver), reply in replies.items():
            if isinstance(reply, protocol.Done):
                member = self._main(receiver)
                take = protocol.Take(member.next_id(), queue_of((sender, receiver)), place)
                takes[sender, receiver] = (member, self.crew.tell(member, take))
        for pair, reply in (replies | self._replies(takes)).items():
            self._note_value(pair, case, place, value, reply)

    def _replies(self, told: dict[Pair, tuple[Member, int]]) -> dict[Pair, protocol.Reply]:
        self.crew.wait(lambda: all(i in m.replies for m, i in told.values()), "exchanging values")
        return {pair: member.replies[i] for pair, (member, i) in told.items()}

    def _note_value(
        self, pair: Pair, case: str, place: str, value: protocol.Value, reply: protocol.Reply
    ) -> None:
        note: dict[str, object] = {
            "case": case, "place": place, "sender": pair[0],
            "receiver": pair[1], "sent": value, "answer": reply.TYPE, "got": None, "reason": "",
        }  # fmt: skip
        if isinstance(reply, protocol.Taken):
            note["got"] = reply.value
        elif isinstance(reply, (protocol.Unsupported, protocol.Failed)):
            note["reason"] = reply.reason
        self._note("value", **note)

    def _names(self, spec: ClientSpec) -> list[str]:
        return [f"{spec.name}.main"]

    def _add_drainer(self, specs: list[ClientSpec]) -> None:
        """Nothing is left to drain."""

    def _main(self, client: str) -> Member:
        return self.crew.members[f"{client}.main"]

    def _pairs(self) -> list[Pair]:
        return [(sender, receiver) for sender in self.clients for receiver in self.clients]


def queue_of(pair: Pair) -> str:
    """The queue of a pair."""
    return f"drill.types.{pair[0]}.{pair[1]}"
