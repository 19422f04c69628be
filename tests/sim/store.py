"""The outside record of the in-sync set: what ``ha-insync-command`` asks, in a strict run.

It decides as the reference command does (``tanist.cli.insync_file``), on a machine of its own in
the same network: a question or its answer may be lost, and then nobody knows whether it counted.
In a strict run nobody is fenced. Whoever is primary on the wrong side of a partition goes on, and
must not confirm anything.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from tanist.cli.insync_file import Question, Record, decide
from tanist.node.outputs import Consult
from tests.sim.network import Network
from tests.sim.world import World

HOST = "rm"
"""It runs where the resource manager does: one is of no use without the other."""

NO_ANSWER = -1

Answer = Callable[[int, str], None]
"""Takes the exit status and the text of an answer, or ``NO_ANSWER``."""


class Store:
    """The record of one cluster."""

    def __init__(self, world: World, network: Network) -> None:
        self.record = Record()
        self._under_way: list[tuple[str, ...]] = []
        """In-sync sets that brokers asked for, of which nobody knows whether they count."""
        self._world = world
        self._network = network
        self._dice = world.dice("store")

    @property
    def asked(self) -> bool:
        """A question is on its way that may change the record."""
        return bool(self._under_way)

    def surely_in_sync(self) -> set[str]:
        """Ids that are in the set now and whatever comes of the questions under way."""
        found = set(self.record.in_sync)
        for wanted in self._under_way:
            found &= set(wanted)
        return found

    def ask(self, name: str, consult: Consult, answer: Answer) -> None:
        """Broker ``name`` asks; ``answer`` is called once, at the latest when its time is over."""
        over = False
        wanted = tuple(consult.arguments[3].split(","))
        if consult.arguments[0] != "grow":
            self._under_way.append(wanted)

        def told(code: int, text: str) -> None:
            nonlocal over
            if not over:
                over = True
                answer(code, text)

        def arrives() -> None:
            if wanted in self._under_way:
                self._under_way.remove(wanted)
            if (name, HOST) in self._network.blocked_ways():
                return
            code, text = self._decide(consult)
            self._world.note(f"store: {name} {' '.join(consult.arguments)}: {code} {text}")
            self._world.after(self._delay_s(), lambda: comes_back(code, text))

        def comes_back(code: int, text: str) -> None:
            if (HOST, name) not in self._network.blocked_ways():
                told(code, text)

        self._world.after(self._delay_s(), arrives)
        self._world.after(consult.timeout_s, lambda: told(NO_ANSWER, ""))

    def _delay_s(self) -> float:
        """The command is a process, and there and back it is a round trip or two."""
        return self._dice.uniform(0.01, 0.1)

    def _decide(self, consult: Consult) -> tuple[int, str]:
        action, epoch, primary, members = consult.arguments
        document = json.loads(consult.document)
        in_sync = tuple(who for who in members.split(",") if who)
        question = Question(
            action,
            int(epoch),
            primary,
            in_sync,
            tuple(document["leaving"]),
            document["status"],
            document["run"],
        )
        code, text, self.record = decide(self.record, question)
        return code, text
