"""One run: start brokers and clients, stream, strike, finish, drain, judge.

Each stage is a method; a stage that cannot be carried through raises, the run is noted as aborted,
everything is taken down all the same, and the verdict is unknown. All that happens goes to the
history, and only the history is judged.
"""

from __future__ import annotations

import math
import operator
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from tanist_interop import protocol
from tanist_interop.checkers import replicas
from tanist_interop.checkers.judge import Verdict, judge
from tanist_interop.drivers.registry import ClientSpec
from tanist_interop.faults.process import Fault
from tanist_interop.history import DRILL, Journal, stream
from tanist_interop.hosts.operator import HostError
from tanist_interop.report import terminal
from tanist_interop.runner import statuses
from tanist_interop.runner.crew import Crew, DrillError, Member, StartProgram
from tanist_interop.runner.soak import Soak
from tanist_interop.runner.warden import Cluster, Warden, name_of
from tanist_interop.scenarios.scenario import (
    Flow,
    Scenario,
    as_json,
    fault_moment,
    planned,
    rate_of_each,
)

FORM_S: Final = 30.0
"""Three interpreters that start on two busy cores need a few seconds."""

REJOIN_S: Final = 20.0
CATCH_UP_S: Final = 5.0
"""What the receivers have not got by then is left to the drain."""

AGAIN_S: Final = 5.0
"""A queue that lacks what was acknowledged is empty when it gave nothing for so long: programs and
brokers may stand still for a moment, and that is no loss."""

BEGIN_S: Final = 60.0
"""Every receiver has begun within this, or never."""

AGREE_S: Final = 5.0
"""A backup that lacks something for so long after the last word of a client lacks it for good."""

SOAK_PROGRESS_S: Final = 5.0
"""Between two lines about a soak."""


Stage = Callable[[], None]


@dataclass(frozen=True)
class Plan:
    """What to run. ``context`` goes to the history as it is (version, command to run again)."""

    scenario: Scenario
    seed: int
    clients: list[ClientSpec]
    folder: Path
    context: dict[str, object] = field(default_factory=dict)


class Play:
    """Carries one plan out; ``run`` once."""

    def __init__(
        self,
        plan: Plan,
        cluster: Cluster,
        start_program: StartProgram,
        say: Callable[[str], None],
    ) -> None:
        self.plan = plan
        self.scenario = plan.scenario
        self.cluster = cluster
        self.dice = random.Random(plan.seed)
        self.say = say
        self.now = terminal.of(say).now
        self.journal = Journal(plan.folder / "history.jsonl")
        self.crew = Crew(self.journal, plan.folder, start_program, self._tick)
        self.warden = Warden(cluster, self.crew, self.scenario.nodes, self.dice)
        self.soak: Soak | None = None
        self.flows: list[Flow] = []
        self.senders: list[tuple[Member, int]] = []
        self.receivers: list[tuple[Member, int]] = []
        self.stage = "start"
        self.began = self.told = time.monotonic()

    def run(self) -> Verdict:
        """From the first process to the verdict. Never raises for what a run can meet."""
        first = {"type": "run", "scenario": as_json(self.scenario), "seed": self.plan.seed}
        self.journal.add(time.monotonic_ns(), DRILL, first | self.plan.context)
        try:
            for stage in self.stages():
                self.stage = stage.__name__
                stage()
            self.crew.mark("finished")
        except (DrillError, HostError, OSError) as error:
            note: dict[str, object] = {"type": "aborted", "stage": self.stage}
            self.journal.add(time.monotonic_ns(), DRILL, {**note, "reason": str(error)})
            self._progress(f"aborted: {error}")
        finally:
            self.take_down()
        return judge(stream(self.journal.path))

    def stages(self) -> tuple[Stage, ...]:
        """What is done, in order."""
        return (
            self.launch, self.muster, self.connect, self.stream,
            self.strike, self.finish, self.compare, self.drain,
        )  # fmt: skip

    def launch(self) -> None:
        """Brokers first, then the clients, which start while the brokers form a cluster."""
        self.crew.quiet_s = max(self.crew.quiet_s, self.cluster.patience_s)
        self.cluster.start()
        self.crew.add_all([(n, spec) for spec in self.plan.clients for n in self._names(spec)])
        self._add_drainer(self.plan.clients)
        self.cluster.form(FORM_S, self.crew.pump)
        self.warden.note_memory("ready")
        self.crew.mark("formed")
        who = "they chose a primary" if self.cluster.elects else "n1 is primary"
        self._progress(f"{self.scenario.nodes} brokers, {who}, the others are ready")

    def muster(self) -> None:
        """Who is here, and who sends to whom?"""
        able = self._able()
        members = self.crew.members.values()
        self.flows = self._addressed(planned(self.scenario, [spec.name for spec in able]))
        if not any(map(drains, self._up())):
            self._add_drainer(able)
            self.crew.wait(lambda: all(m.state != "starting" for m in members), "greeting clients")

    def _addressed(self, flows: list[Flow]) -> list[Flow]:
        """The flows with their queues as clients of this host call them."""
        return [replace(flow, queue=self.cluster.address_of(flow.queue)) for flow in flows]

    def _able(self) -> list[ClientSpec]:
        """The clients that greeted. One that cannot run here is noted and left out."""
        members = self.crew.members.values()
        self.crew.wait(lambda: all(m.state != "starting" for m in members), "greeting clients")
        able = []
        for spec in self.plan.clients:
            missing = [m for m in members if m.spec is spec and m.state == "cannot run"]
            if missing:
                note: dict[str, object] = {"type": "not_run", "client": spec.name}
                note |= {"reason": missing[0].reason or spec.needs, "remedy": spec.remedy}
                note["optional"] = spec.optional
                self.journal.add(time.monotonic_ns(), DRILL, note)
                self._progress(f"{spec.name} not run: {note['reason']} (try {spec.remedy})")
            else:
                able.append(spec)
        if not able:
            raise DrillError("no client can run here")
        return able

    def connect(self) -> None:
        """Open all connections and create the queues."""
        members = [m for m in self._up() if not drains(m)]
        if self.scenario.failover == "exchange" and not any(map(asks_exchange, members)):
            raise DrillError("no client here can ask amq.failover for addresses")
        self._open(members)
        self._declare([flow.queue for flow in self.flows])

    def _declare(self, queues: list[str]) -> None:
        """Let the host make these queues if it is its affair, else the first program."""
        if self.cluster.declare(queues):
            return
        first = self._member(self.flows[0].sender, "send")
        durable = self.scenario.durable
        told = [
            (first, self.crew.tell(first, protocol.Declare(first.next_id(), queue, durable)))
            for queue in queues
        ]
        self.crew.call(told, "declaring queues")

    def stream(self) -> None:
        """Start receivers, then senders."""
        for flow in self.flows:
            for receiver, receive in self._receives(flow):
                self.receivers.append((receiver, self.crew.tell(receiver, receive)))
        self.crew.call(self.receivers, "starting receivers")
        for flow in self.flows:
            sender = self._member(flow.sender, "send")
            self.senders.append((sender, self.crew.tell(sender, self._send(sender, flow))))
        self.crew.call(self.senders, "starting senders")
        self.crew.mark("streaming")

    def strike(self) -> None:
        """The fault at its drawn moment, the promotion, the recovery; or a soak of them."""
        if self.scenario.soak_s:
            strikes = random.Random(self.plan.seed)  # its own, so that it is a plan
            self.soak = Soak(self.warden, self.crew, self.scenario, self.flows, strikes)
            self.soak.run()
            self._progress(self.soak.summary())
        elif self.scenario.fault:
            self._strike_once()

    def _strike_once(self) -> None:
        moment = fault_moment(self.scenario, self.plan.seed)
        if self.scenario.change_urls:
            self._wait_acks(moment // 2, 1, {}, "before the change of URLs")
            self._change_urls()
        self._wait_acks(moment, self.scenario.each_min, {}, "before the fault")
        self._wait_receivers()
        self.warden.note_memory("fault")
        fault = self._begin_fault()
        before = dict(self.crew.acknowledged)
        if self.scenario.promote:
            others = [node for node in range(self.scenario.nodes) if node != fault.node]
            before = self.warden.promote(others)
            self._progress(f"promoted n{self.warden.primary + 1}")
        self._wait_acks(0, self.scenario.each_min, before, "after the fault")
        self._progress("every sender goes on")
        if self.scenario.heal:
            self.warden.heal(fault)
            self.warden.wait_ready(fault.node, REJOIN_S, self._pause)
            self._progress(f"n{fault.node + 1} is back, a ready backup")

    def _change_urls(self) -> None:
        """Let clients be told all addresses; returns when all must have heard of it: when more has
        passed through each since than can have been under way to it."""
        self.warden.tell_all()
        self._progress("clients are told all addresses")
        self.crew.pump(0.0)
        s, stage = self.scenario, "after the change of URLs"
        enough = max(s.each_min, s.window + s.prefetch)
        before = dict(self.crew.acknowledged)
        wanted = [count + enough for count in self._received()]
        self._wait_acks(0, enough, before, stage)
        self.crew.wait(lambda: all(map(operator.ge, self._received(), wanted)), stage)

    def finish(self) -> None:
        """Enough acknowledged: stop the senders, let the receivers catch up, stop them."""
        s = self.scenario
        if s.flow_min:
            self._stop_each()
        elif not s.soak_s:
            self._wait_acks(s.acknowledged_min, s.each_min, {}, "streaming")
        self._stop(self.senders, "stopping senders")
        self._progress("senders have stopped")
        if not self.receivers:
            return
        until = time.monotonic() + CATCH_UP_S
        while time.monotonic() < until and not self._caught_up():
            self.crew.pump(0.05)
        self._stop(self.receivers, "stopping receivers")

    def _stop_each(self) -> None:
        """Stop each sender as soon as its flow has its share, so that the slow ones (some libraries
        send one message at a time) have the machine for themselves in the end."""
        s, acks = self.scenario, self.crew.acknowledged
        share = max(s.flow_min, math.ceil(s.acknowledged_min / len(self.flows)))
        going = dict(zip([flow.producer for flow in self.flows], self.senders, strict=True))

        def enough() -> bool:
            for producer in [producer for producer in going if acks[producer] >= share]:
                member, task = going.pop(producer)
                self.crew.tell(member, protocol.Stop(member.next_id(), task))
            return not going and min(self._received()) >= s.flow_min

        self.crew.wait(enough, "streaming")

    def compare(self) -> None:
        """Note what each broker holds, now that nothing moves: as soon as they agree, or what they
        say after some time."""
        until = time.monotonic() + AGREE_S
        told = self._held()
        while told and not replicas.equal(told) and time.monotonic() < until:
            self._pause(0.3)
            told = self._held()
        self._note("replicas", nodes=told)

    def _held(self) -> dict[str, replicas.Answer]:
        """By name what each broker says that it holds; of one that lives and does not say it
        ``queues`` is None."""
        told: dict[str, replicas.Answer] = {}
        for node, answer in enumerate(self.cluster.digests()):
            status = "" if answer else self.cluster.statuses([node])[0]
            if answer or status:
                told[name_of(node)] = answer or {"status": status, "queues": None}
        return told

    def drain(self) -> None:
        """A fresh client takes what is left. Where that is not all, it looks again, and longer."""
        member = next(filter(drains, self._up()))
        self._open([member])
        self._drain(member, self._queues(), self.scenario.empty_s)
        lacking = [flow.queue for flow in self.flows if self._lacks(flow)]
        if lacking:
            self._progress(f"not all came of {', '.join(lacking)}; looking again")
            self._drain(member, lacking, max(AGAIN_S, self.scenario.empty_s))
        self.cluster.check_alive()
        self.warden.note_memory("end")

    def _drain(self, member: Member, queues: list[str], empty_s: float) -> None:
        s = self.scenario
        told = []
        for queue in queues:
            i = member.next_id()
            drain = protocol.Drain(i, queue, empty_s, s.prefetch, s.ack_every)
            told.append((member, self.crew.tell(member, drain)))
        self.crew.call(told, "draining")
        self.crew.wait(lambda: all(i in m.ended for m, i in told), "draining")
        for m, i in told:
            if m.ended[i].reason != "empty":
                raise DrillError(f"{m.name}: the drain ended with {m.ended[i].reason}")

    def _lacks(self, flow: Flow) -> bool:
        """Whether fewer of its messages came than were acknowledged."""
        came = self.crew.received.get(flow.producer, ())
        return len(came) < self.crew.acknowledged[flow.producer]

    def take_down(self) -> None:
        """End clients and brokers, look through the brokers' logs."""
        self.crew.end()
        for name, code, expected in self.cluster.stop():
            self.warden.note_exit(name, code, expected)
        for name, line in self.cluster.trouble():
            note: dict[str, object] = {"type": "broker_log", "node": name, "line": line}
            self.journal.add(time.monotonic_ns(), DRILL, note)
        for change in statuses.changes(self.plan.folder, int(self.began * 1e9)):
            self.journal.add(time.monotonic_ns(), DRILL, change.note(), change.t)
        self.journal.close()

    def _note(self, kind: str, /, **more: object) -> None:
        self.journal.add(time.monotonic_ns(), DRILL, {"type": kind, **more})

    def _queues(self) -> list[str]:
        """What is drained in the end."""
        return [flow.queue for flow in self.flows]

    def _add_drainer(self, specs: list[ClientSpec]) -> None:
        """A fresh program for the end, started early; one that starts fast if there is one."""
        drainer = min(specs, key=lambda spec: spec.shared)
        self.crew.add(f"{drainer.name}.drain", drainer)

    def _names(self, spec: ClientSpec) -> list[str]:
        return [spec.name] if spec.shared else [f"{spec.name}.send", f"{spec.name}.receive"]

    def _member(self, client: str, role: str) -> Member:
        members = self.crew.members
        return members[client] if client in members else members[f"{client}.{role}"]

    def _up(self) -> list[Member]:
        clients = {flow.sender for flow in self.flows}
        return [m for m in self.crew.members.values() if m.state == "up" and m.spec.name in clients]

    def _open(self, members: list[Member]) -> None:
        told = [(m, self.crew.tell(m, self._connect(m))) for m in members]
        self.crew.call(told, "connecting")

    def _connect(self, member: Member) -> protocol.Connect:
        """How this program is to connect. The drainer fails over to nobody: it is given all
        addresses, because a library that knows one gives up soon, however busy the machine is."""
        s, number = self.scenario, member.next_id()
        addresses = self.cluster.addresses()
        options = self.cluster.options_of(member.spec.name)
        options |= dict(option.split("=", 1) for option in s.options)
        if s.failover == "exchange" and asks_exchange(member) and not drains(member):
            first = addresses[self.warden.primary]
            return protocol.Connect(
                number, [first], s.client_heartbeat_s, failover="exchange", reopen=s.reopen,
                options=options,
            )  # fmt: skip
        if s.backup_first:
            addresses = addresses[1:] + addresses[:1]
        return protocol.Connect(
            number, addresses, s.client_heartbeat_s, reopen=s.reopen, options=options
        )

    def _receives(self, flow: Flow) -> list[tuple[Member, protocol.Receive]]:
        """Who is to receive a flow, and how."""
        receiver = self._member(flow.receiver, "receive")
        return [(receiver, self._receive(receiver, flow))]

    def _receive(self, receiver: Member, flow: Flow) -> protocol.Receive:
        s = self.scenario
        return protocol.Receive(receiver.next_id(), flow.queue, s.prefetch, s.ack_every)

    def _send(self, sender: Member, flow: Flow) -> protocol.Send:
        """How this program is to send a flow."""
        s = self.scenario
        return protocol.Send(
            sender.next_id(), flow.queue, flow.producer, 1, s.each_count,
            rate_of_each(s, len(self.flows)), s.window, s.body_bytes, s.durable, s.delay_ms,
            s.transaction, s.rollback_every, s.kinds,
        )  # fmt: skip

    def _stop(self, tasks: list[tuple[Member, int]], stage: str) -> None:
        for member, task in tasks:
            self.crew.tell(member, protocol.Stop(member.next_id(), task))
        self.crew.wait(lambda: all(task in m.ended for m, task in tasks), stage)

    def _received(self) -> list[int]:
        """For each flow: how many of its messages were received."""
        return [len(self.crew.received.get(flow.producer, ())) for flow in self.flows]

    def _caught_up(self) -> bool:
        sent = [self.crew.acknowledged[flow.producer] for flow in self.flows]
        return all(map(operator.ge, self._received(), sent))

    def _wait_acks(
        self,
        total: int,
        each: int,
        before: dict[str, int],
        stage: str,
        limit_s: float = math.inf,
    ) -> None:
        acks = self.crew.acknowledged

        def enough() -> bool:
            new = [acks[f.producer] - before.get(f.producer, 0) for f in self.flows]
            return sum(new) >= total and min(new) >= each

        self.crew.wait(enough, stage, limit_s)

    def _wait_receivers(self) -> None:
        """Wait until every flow has a receiver that works: a library may take seconds to begin, and
        what it does to begin it does not do again by itself after a failover."""
        self.crew.wait(lambda: min(self._received()) > 0, "before the fault", BEGIN_S)

    def _begin_fault(self) -> Fault:
        self.warden.look()
        backups = [n for n in range(self.scenario.nodes) if n != self.warden.primary]
        at_primary = self.scenario.target == "primary"
        node = self.warden.primary if at_primary else self.dice.choice(backups)
        fault = self.warden.begin(self.scenario.fault, node, self.scenario.promote)
        self._progress(f"{fault.name} n{node + 1}")
        return fault

    def _pause(self, _seconds: float) -> None:
        until = time.monotonic() + 0.3  # each question costs the start of an interpreter
        while time.monotonic() < until:
            self.crew.pump(0.05)

    def _tick(self) -> None:
        self.warden.note_memory("running")
        self.journal.flush()
        self.cluster.check_alive()
        if self.stage in ("launch", "muster"):
            return
        if self.soak is None or self.stage != "strike":
            self._progress(self.stage, passing=True)
        elif time.monotonic() - self.told > SOAK_PROGRESS_S:
            self._progress(self.soak.summary(), passing=True)

    def _progress(self, what: str, passing: bool = False) -> None:
        """Tell what was done, or (``passing``) what is going on."""
        acks = sum(self.crew.acknowledged.values())
        received = sum(len(sns) for sns in self.crew.received.values())
        passed = time.monotonic() - self.began
        self.told = time.monotonic()
        tell = self.now if passing else self.say
        tell(f"{passed:6.1f} s  {acks:7,} acknowledged {received:7,} received  {what}")


def drains(member: Member) -> bool:
    """Whether the program is the fresh one for the end."""
    return member.name.endswith(".drain")


def asks_exchange(member: Member) -> bool:
    """Whether the program can learn addresses from ``amq.failover``."""
    return "failover_exchange" in member.capabilities
