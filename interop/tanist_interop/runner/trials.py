"""The scenario ``redelivered``: messages are held, and something happens to them.

All cases of all programs run side by side. A program has two processes: one sends, holds and
drains; the other holds the messages of the case ``killed`` and is killed. The last case is the
failover.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from tanist_interop import protocol
from tanist_interop.drivers.registry import ClientSpec
from tanist_interop.history import DRILL
from tanist_interop.runner.crew import Member
from tanist_interop.runner.play import Play, Stage
from tanist_interop.scenarios.trials import DEAD_EXCHANGE, HELD, SENT, Trial, trials

DRAIN_S = 1.0


@dataclass
class Holding:
    """A trial and the task that holds its messages; ``unsupported`` says why it was not made."""

    trial: Trial
    holder: Member
    task: int = 0
    unsupported: str = ""


class Trials(Play):
    """Carries the trials of one plan out; ``run`` once."""

    held: list[Holding]
    clients: list[str]

    def stages(self) -> tuple[Stage, ...]:
        return (
            self.launch, self.muster, self.connect, self.load, self.hold, self.settle,
            self.fail_over, self.compare, self.drain,
        )  # fmt: skip

    def muster(self) -> None:
        """Who is here, and who can hold messages?"""
        self.clients = [spec.name for spec in self._able()]
        self.held = [
            Holding(trial, self._holder(trial), unsupported=self._incapable(trial))
            for trial in trials(self.clients)
        ]

    def connect(self) -> None:
        """Open all connections and create the queues, those with an alternate exchange as an
        operator does."""
        names = [f"{client}.{role}" for client in self.clients for role in ("main", "hold")]
        self._open([self.crew.members[name] for name in names])
        first = self._main(self.clients[0])
        plain = [h.trial.queue for h in self.held if not h.trial.dead]
        dead = [h.trial for h in self.held if h.trial.dead]
        configure = self.cluster.configure
        configure(self.warden.primary, [["add", "exchange", "direct", DEAD_EXCHANGE]])
        alternate = ["--alternate-exchange", DEAD_EXCHANGE]
        configure(self.warden.primary, [
            *(["add", "queue", trial.dead] for trial in dead),
            *(["add", "queue", trial.queue, *alternate] for trial in dead),
        ])  # fmt: skip
        configure(
            self.warden.primary,
            [["bind", DEAD_EXCHANGE, trial.dead, trial.queue] for trial in dead],
        )
        told = [(first, self.crew.tell(first, protocol.Declare(first.next_id(), queue)))
                for queue in plain]  # fmt: skip
        self.crew.call(told, "declaring queues")

    def load(self) -> None:
        """Send every message."""
        told = []
        for trial in (holding.trial for holding in self.held):
            member = self._main(trial.client)
            send = protocol.Send(member.next_id(), trial.queue, trial.producer, 1, SENT)
            told.append((member, self.crew.tell(member, send)))
        self.crew.call(told, "starting senders")
        self._ended(told, "sending")

    def hold(self) -> None:
        """Take messages and keep them."""
        for holding in self._made():
            trial, member = holding.trial, holding.holder
            receive = protocol.Receive(
                member.next_id(), trial.queue, HELD, count=HELD, hold=True,
                transaction=trial.case == "rolled-back",
            )  # fmt: skip
            holding.task = self.crew.tell(member, receive)
        self._answered((h, h.task) for h in self._made())
        self.crew.wait(lambda: all(map(self._holds_all, self._made())), "holding")
        self._progress("messages are held")

    def settle(self) -> None:
        """What happens to them while the primary lives; then see what the queues give."""
        asked = []
        for holding in self._made():
            if holding.trial.outcome:
                member = holding.holder
                settle = protocol.Settle(member.next_id(), holding.task, holding.trial.outcome)
                asked.append((holding, self.crew.tell(member, settle)))
        self._answered(asked)
        killed = [h for h in self._made() if h.trial.case == "killed"]
        for holding in killed:
            self.crew.kill(holding.holder)
        calm = [h for h in self.held if h.trial.case != "failover"]
        self._release(h for h in calm if h.task and h not in killed)
        self._progress("they have their outcomes, or nobody holds them any more")
        self._empty(calm)

    def fail_over(self) -> None:
        """Kill the primary under those that hold messages still."""
        fault = self._begin_fault()
        others = [node for node in range(self.scenario.nodes) if node != fault.node]
        self.warden.promote(others)
        self._progress(f"promoted n{self.warden.primary + 1}")
        rest = [h for h in self.held if h.trial.case == "failover"]
        self._release(h for h in rest if h.task)
        self._empty(rest)

    def drain(self) -> None:
        """Note what there was to judge."""
        for holding in self.held:
            trial = holding.trial
            self.journal.add(time.monotonic_ns(), DRILL, {
                "type": "trial", "case": trial.case, "client": trial.client,
                "queue": trial.queue, "dead": trial.dead, "producer": trial.producer,
                "holder": holding.holder.name, "task": holding.task,
                "unsupported": holding.unsupported,
            })  # fmt: skip
        self.cluster.check_alive()

    def _names(self, spec: ClientSpec) -> list[str]:
        return [f"{spec.name}.main", f"{spec.name}.hold"]

    def _add_drainer(self, specs: list[ClientSpec]) -> None:
        """The programs drain what is theirs."""

    def _main(self, client: str) -> Member:
        return self.crew.members[f"{client}.main"]

    def _holder(self, trial: Trial) -> Member:
        return self.crew.members[f"{trial.client}.{'hold' if trial.case == 'killed' else 'main'}"]

    def _incapable(self, trial: Trial) -> str:
        able = self._main(trial.client).capabilities
        if "hold" not in able:
            return "the program cannot hold messages"
        if trial.case == "rolled-back" and "transaction" not in able:
            return "the library has no transactions"
        return ""

    def _made(self) -> list[Holding]:
        return [holding for holding in self.held if not holding.unsupported]

    def _answered(self, asked: Iterable[tuple[Holding, int]]) -> None:
        """Wait for the answers; ``unsupported`` takes the trial out, others must be ``done``."""
        waiting = list(asked)
        self.crew.wait(lambda: all(i in h.holder.replies for h, i in waiting), "holding")
        for holding, i in waiting:
            reply = holding.holder.replies[i]
            if isinstance(reply, protocol.Unsupported):
                holding.unsupported = reply.reason or "unsupported"
        self.crew.call([(h.holder, i) for h, i in waiting if not h.unsupported], "holding")

    def _holds_all(self, holding: Holding) -> bool:
        return len(self.crew.received.get(holding.trial.producer, ())) >= HELD

    def _release(self, holdings: Iterable[Holding]) -> None:
        """Stop the tasks that hold messages."""
        self._stop([(h.holder, h.task) for h in holdings], "stopping holders")

    def _empty(self, holdings: list[Holding]) -> None:
        """Drain the queues of these trials, with the program that holds."""
        told = []
        for trial in (holding.trial for holding in holdings):
            member = self._main(trial.client)
            for queue in filter(None, (trial.queue, trial.dead)):
                drain = protocol.Drain(member.next_id(), queue, DRAIN_S)
                told.append((member, self.crew.tell(member, drain)))
        self.crew.call(told, "draining")
        self._ended(told, "draining")

    def _ended(self, told: list[tuple[Member, int]], stage: str) -> None:
        self.crew.wait(lambda: all(i in member.ended for member, i in told), stage)
