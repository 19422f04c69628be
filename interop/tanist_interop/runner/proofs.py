"""A run of the matrix: one fault, every client, and what it needs for the four proofs.

Each client is two programs: one sends, the other receives and holds. Each sends a stream to itself
and holds ten of twenty messages of a further queue. Confirmations are frozen, the fault comes, a
backup is promoted where one must be. What was held is taken from its queue by the program that
sent it: after the failover, or, where there is none, after the program that held it was killed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol, cast

from tanist_interop import protocol
from tanist_interop.drivers.registry import ClientSpec
from tanist_interop.faults.catalogue import STAGED, VOID, WRONG, Staged
from tanist_interop.faults.scene import Brokers, Links, Scene
from tanist_interop.runner.crew import DrillError, Member, StartProgram
from tanist_interop.runner.play import Plan, Play, Stage
from tanist_interop.runner.warden import Cluster
from tanist_interop.scenarios.proofs import UNBOUNDED
from tanist_interop.scenarios.trials import HELD, SENT

DRAIN_S = 1.0
READY_S: Final = 60.0
"""Whoever was hit is a ready backup again within this, on a busy machine."""

GO_ON_S: Final = 60.0
"""Every sender goes on within this after a promotion, or never."""

QUIET_S: Final = 0.4
"""Confirmations are frozen when none came for so long."""
FREEZE_MAX_S: Final = 2.0
"""They must be by then; and a primary waits for its backups for two heartbeats of the link."""

LARGE: Final = 2
"""Large messages of each client."""


class LinkedHost(Cluster, Brokers, Protocol):
    """A host that has every primitive act of the catalogue."""

    @property
    def links(self) -> Links:
        """Between the brokers, and to clients."""


class Receivers:
    """The programs that receive, for a fault."""

    def __init__(self, run: Proofs) -> None:
        self._run = run

    def finish(self) -> None:
        """End the streams of all."""
        self._run.stop_receivers()

    def kill(self) -> None:
        """SIGKILL all."""
        self._run.kill_receivers()

    def pause(self) -> None:
        """SIGSTOP all."""
        for member in self._run.receiving():
            self._run.crew.pause(member)

    def resume(self) -> None:
        """SIGCONT all."""
        for member in self._run.receiving():
            self._run.crew.resume(member)


@dataclass
class Holding:
    """What one client holds, and by which task; ``unsupported`` says why it holds nothing."""

    client: str
    queue: str
    """Where it is, as clients call it."""
    task: int = 0
    unsupported: str = ""

    @property
    def producer(self) -> str:
        """Of the messages."""
        return f"{self.client}.held"


class Proofs(Play):
    """Carries one fault of the matrix out; ``run`` once."""

    def __init__(
        self,
        plan: Plan,
        cluster: Cluster,
        start_program: StartProgram,
        say: Callable[[str], None],
    ) -> None:
        left_out = UNBOUNDED if plan.scenario.bounded else {}
        taken = [spec for spec in plan.clients if spec.name not in left_out]
        super().__init__(replace(plan, clients=taken), cluster, start_program, say)
        self.left_out = [spec.name for spec in plan.clients if spec.name in left_out]
        self.host = cast("LinkedHost", cluster)
        self.held: list[Holding] = []
        self.killed = False
        self.large: list[tuple[Member, int]] = []

    def stages(self) -> tuple[Stage, ...]:
        return (
            self.launch, self.muster, self.connect, self.load, self.hold, self.stream,
            self.strike, self.requeue, self.finish, self.compare, self.drain,
        )  # fmt: skip

    def launch(self) -> None:
        """Without those that the fault is not for."""
        for client in self.left_out:
            self._cast(client, UNBOUNDED[client])
        for spec in self.plan.clients:
            self._cast(spec.name, "")
        if not self.plan.clients:
            raise DrillError("this fault is for none of the clients")
        super().launch()

    def muster(self) -> None:
        """Who is here; who can hold messages, and how?"""
        super().muster()
        for flow in self.flows:
            queue = self.cluster.address_of(f"drill.held.{flow.sender}")
            self.held.append(Holding(flow.sender, queue, unsupported=self._incapable(flow.sender)))

    def connect(self) -> None:
        """Also create the queues of what is held, and of large messages."""
        super().connect()
        queues = [holding.queue for holding in self.held]
        queues += [self._large_queue(flow.sender) for flow in self.flows] * bool(self._large_bytes)
        self._declare(queues)

    def load(self) -> None:
        """Send what will be held."""
        told = []
        for holding in self.held:
            member = self._member(holding.client, "send")
            send = protocol.Send(
                member.next_id(), holding.queue, holding.producer, 1, SENT,
                durable=self.scenario.durable,
            )  # fmt: skip
            told.append((member, self.crew.tell(member, send)))
        self._ended(told, "sending what is held")

    def hold(self) -> None:
        """Take some of it and keep it."""
        for holding in self._made():
            member = self._member(holding.client, "receive")
            receive = protocol.Receive(
                member.next_id(), holding.queue, HELD, count=HELD, hold=True,
                transaction=self._in_transaction,
            )  # fmt: skip
            holding.task = self.crew.tell(member, receive)
        told = [(self._member(h.client, "receive"), h.task) for h in self._made()]
        self.crew.call(told, "holding")
        received = self.crew.received
        self.crew.wait(
            lambda: all(len(received.get(h.producer, ())) >= HELD for h in self._made()), "holding"
        )

    def strike(self) -> None:
        """Freeze, inject, promote, see every sender go on, heal."""
        s = self.scenario
        self._wait_acks(0, s.each_min, {}, "before the fault")
        self._wait_receivers()
        self.warden.look()
        primary = self.warden.primary
        others = [node for node in range(s.nodes) if node != primary]
        backups = self.dice.sample(others, len(others))
        scene = Scene(self.host, self.host.links, Receivers(self), primary, backups, self.plan.seed)
        fault = STAGED[s.fault](scene)
        fault.prepare()
        for node in fault.hit:
            self.warden.note_fault(fault.name, node, "begin", False)
        self.warden.note_memory("fault")
        frozen = [node for node in backups if node not in fault.hit]
        self._freeze(frozen)
        self._send_large()
        before = self._inject(fault)
        began = time.monotonic()
        # Who hangs or is cut off must not be heard any more; but who hangs cannot elect anybody.
        early = s.losses != "silence" or self.cluster.elects
        if early:
            self._thaw(fault, frozen)
        if s.promote:
            before = self._promote(fault)
        if not early:
            self._thaw(fault, frozen)
        go_on_s = max(GO_ON_S, self.cluster.patience_s)
        self._wait_acks(0, s.each_min, before, "after the fault", go_on_s)
        while time.monotonic() < began + s.fault_s:
            self.crew.pump(0.05)
        self._progress("every sender goes on")
        self._heal(fault)

    def requeue(self) -> None:
        """What was held is nobody's any more: see how it comes back."""
        self._ended(self.large, "sending large messages")
        if not self.killed:
            if self.scenario.promote or self.scenario.fault == "pause-client":
                if not self._in_transaction:
                    self._stop_holders()
            else:
                self.stop_receivers()
                self.kill_receivers()
        death = "broker" if self.scenario.promote else "client"
        told = []
        for holding in self.held:
            self._note("held", client=holding.client, queue=holding.queue,
                       producer=holding.producer, holder=f"{holding.client}.receive",
                       task=holding.task, death=death,
                       unsupported=holding.unsupported)  # fmt: skip
            member = self._member(holding.client, "send")
            drain = protocol.Drain(member.next_id(), holding.queue, DRAIN_S)
            told.append((member, self.crew.tell(member, drain)))
        self._ended(told, "draining what was held")
        self._progress("what was held has come back")

    def stop_receivers(self) -> None:
        """End every task that receives a stream."""
        self._stop(self.receivers, "stopping receivers")
        self.receivers = []

    def finish(self) -> None:
        """Transactions end last: a library may close its whole connection when it learns at their
        end that they were aborted by the failover."""
        super().finish()
        if self._in_transaction:
            self._stop_holders()

    def _stop_holders(self) -> None:
        tasks = [(self._member(h.client, "receive"), h.task) for h in self._made()]
        self._stop(tasks, "stopping holders")

    @property
    def _in_transaction(self) -> bool:
        return self.scenario.hold_in == "transaction"

    def kill_receivers(self) -> None:
        """SIGKILL every program that receives."""
        for member in self.receiving():
            self.crew.kill(member)
        self.killed = True

    def receiving(self) -> list[Member]:
        """The programs that receive."""
        return [self._member(flow.receiver, "receive") for flow in self.flows]

    def _cast(self, client: str, unsupported: str) -> None:
        producers = [f"{client}.stream"] + [f"{client}.large"] * bool(self._large_bytes)
        self._note("cast", client=client, sender=f"{client}.send", receiver=f"{client}.receive",
                   producers=producers, unsupported=unsupported)  # fmt: skip

    def _incapable(self, client: str) -> str:
        able = self._member(client, "receive").capabilities
        if "hold" not in able:
            return "the program cannot hold messages"
        if self._in_transaction and "transaction" not in able:
            return "the library has no transactions"
        return ""

    def _freeze(self, backups: list[int]) -> None:
        """Let nothing more reach the backups, and wait until nothing is confirmed any more."""
        self.crew.pump(0.0)
        self.crew.mark("freeze")
        for node in backups:
            self.host.links.block(self.warden.primary, node)
        count, since = 0, time.monotonic()
        until = since + FREEZE_MAX_S
        while (now := time.monotonic()) < until and now - since < QUIET_S:
            self.crew.pump(0.05)
            acknowledged = sum(self.crew.acknowledged.values())
            if acknowledged != count:
                count, since = acknowledged, time.monotonic()
        self.crew.mark("frozen" if time.monotonic() - since >= QUIET_S else "not_frozen")

    def _thaw(self, fault: Staged, backups: list[int]) -> None:
        """Lift the freeze; after a failover what was kept back is lost with the old primary."""
        primary = fault.scene.primary
        for node in backups:
            if self.scenario.promote:
                self.host.links.sever(primary, node)
            if (primary, node) not in fault.blocked:
                self.host.links.unblock(primary, node)

    def _inject(self, fault: Staged) -> dict[str, int]:
        """Let it happen; what was acknowledged before."""
        s, scene = self.scenario, fault.scene
        known = list(fault.hit)
        target = scene.primary if s.promote else scene.backups[0] if "rejoin" in s.checks else None
        before = dict(self.crew.acknowledged)
        self.warden.note_fault(fault.name, target, "begin", s.promote)
        fault.inject()
        for node in fault.hit:
            if node != target and node not in known:
                self.warden.note_fault(fault.name, node, "begin", False)
        for node, code in scene.exit_codes.items():
            self.warden.note_exit(f"n{node + 1}", code, code == 0)
        self._progress(f"{fault.name} {fault.evidence}")
        return before

    def _promote(self, fault: Staged) -> dict[str, int]:
        """Promote as often as it takes; what was acknowledged before the last time."""
        before = self.warden.promote(fault.survivors)
        if fault.twice:
            self.warden.note_fault(fault.name, self.warden.primary, "begin", True)
            fault.hit_again(self.warden.primary)
            before = self.warden.promote(fault.survivors)
        fault.fence()
        self.crew.mark("settled")
        self._progress(f"promoted n{self.warden.primary + 1}")
        return before

    def _heal(self, fault: Staged) -> None:
        if not self.scenario.heal:
            return
        fault.heal()
        if fault.evidence:
            wrong, void = fault.evidence in WRONG, fault.evidence in VOID
            self._note("evidence", text=fault.evidence, wrong=wrong, void=void)
        self.crew.mark("healed")
        for node in fault.hit:
            self.warden.note_fault(fault.name, node, "end", False)
        for node in fault.hit:
            self.warden.wait_ready(node, READY_S, self._pause)
            self._progress(f"n{node + 1} is back, a ready backup")

    @property
    def _large_bytes(self) -> int:
        return self.scenario.large_bytes

    def _send_large(self) -> None:
        """Let every client begin to send large messages."""
        if not self._large_bytes:
            return
        for flow in self.flows:
            member = self._member(flow.sender, "send")
            send = protocol.Send(
                member.next_id(), self._large_queue(flow.sender), f"{flow.sender}.large", 1, LARGE,
                window=LARGE, body_bytes=self._large_bytes, durable=self.scenario.durable,
            )  # fmt: skip
            self.large.append((member, self.crew.tell(member, send)))
        self.crew.call(self.large, "starting large messages")

    def _queues(self) -> list[str]:
        queues = super()._queues()
        return queues + [self._large_queue(f.sender) for f in self.flows] * bool(self._large_bytes)

    def _large_queue(self, client: str) -> str:
        """Where large messages of a client are, as clients call it."""
        return self.cluster.address_of(f"drill.large.{client}")

    def _names(self, spec: ClientSpec) -> list[str]:
        return [f"{spec.name}.send", f"{spec.name}.receive"]

    def _made(self) -> list[Holding]:
        return [holding for holding in self.held if not holding.unsupported]

    def _ended(self, told: list[tuple[Member, int]], stage: str) -> None:
        self.crew.call(told, stage)
        self.crew.wait(lambda: all(i in member.ended for member, i in told), stage)
