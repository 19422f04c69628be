"""A quiet hour: nothing breaks, little is said, and heartbeats alone keep everybody connected.

Three brokers, whose clocks run a little apart, and clients of both protocols with heartbeats of
one, two and five seconds. A few messages come now and then, with pauses of many intervals; some
clients have nothing to do at all. From when the cluster is formed until the hour is over

* no client loses its connection (*connection lost*),
* no backup leaves the in-sync set (*backup dropped*),
* no broker has anything to say in its log (*not quiet*),
* no broker holds more objects at the end than once its log was full (*grown*),

and the rest is judged as in any run without faults: nothing lost, nothing twice, no replica
different. An hour in which no client had a pause of ``PAUSE_BEATS`` intervals shows nothing, and is
*not quiet* either.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from tanist.node.config import NodeConfig
from tanist.node.node import Node
from tests.sim import probe
from tests.sim.clients10 import SILENT
from tests.sim.history import Confirmed, Received, Sent
from tests.sim.nodes import MakeNode, SimNode, Watcher
from tests.sim.plan import BrokerPlan, ClientPlan, ClockPlan, Plan, WorkPlan
from tests.sim.simulation import Simulation
from tests.sim.watch import Violation

HOUR_S = 3600.0

FORMED_S = 10.0
"""The cluster is formed within this, and then the quiet begins."""

SETTLED_SHARE = 0.25
"""After so much of the time a broker holds what it will hold: its log is full."""

SAMPLES = 8
"""How often its objects are counted after that."""

LOG_BYTES = 4096
"""What each broker keeps of its log: some of the first messages fill it."""

GROWTH_MAX = 100
"""Objects more than in the first sample: a message under way. Hundreds come, and thousands of
heartbeats: whatever keeps something of each is found."""

PAUSE_BEATS = 4
"""Intervals of a client's heartbeat."""

BURST = 3
"""Messages of a producer at a time, at most."""


def _client(protocol: str, heartbeat_s: int, host: str, pause_s: float = 0.0) -> ClientPlan:
    """One that sends for longer than the hour, if it sends at all: ``pause_s`` between bursts."""
    client = ClientPlan(host=host, heartbeat_s=heartbeat_s, protocol=protocol)
    if not pause_s:
        return client
    count = BURST * int(HOUR_S / pause_s + 1)
    return replace(client, window=BURST, pause_s=pause_s, count=count)


def quiet_plan(duration_s: float = HOUR_S, seed: int = 1) -> Plan:
    """The hour, or a part of it, as a plan: both protocols send to both, and two clients wait for
    what nobody sends."""
    busy = WorkPlan(
        "queue",
        "w0",
        producers=[_client("0-10", 1, "c0", 23.0), _client("1.0", 2, "c1", 61.0)],
        consumers=[_client("0-10", 2, "c1"), _client("1.0", 1, "c0")],
        drain="1.0",
    )
    idle = WorkPlan("queue", "w1", consumers=[_client("0-10", 1, "c0"), _client("1.0", 5, "c1")])
    return Plan(
        seed,
        faults_end_s=duration_s,
        brokers=BrokerPlan(maintenance_s=2.0),
        clocks=[ClockPlan(1.0002, 5.0), ClockPlan(0.9998, 900.0)],
        works=[busy, idle],
    )


LINK_LOST = ("Backup", "Lost primary")
"""How a broker begins to tell that its backup, or its primary, is gone."""


class QuietTime(Watcher):
    """Plays a plan without faults. ``play`` raises ``Violation``; ``pauses_s`` and ``sizes`` are
    there afterwards: by client, and by broker the objects in each sample."""

    def __init__(self, plan: Plan, make_node: MakeNode = Node, tracing: bool = True) -> None:
        def make(config: NodeConfig) -> Node:
            node = make_node(config)
            probe.shorten_log(node, LOG_BYTES)
            return node

        assert not plan.faults
        self.plan = plan
        self.simulation = Simulation(plan, make, tracing)
        self.sizes: dict[str, list[int]] = defaultdict(list)
        self.pauses_s: dict[str, float] = {}
        self.formed_s = self.plan.faults_end_s
        self.simulation.site.bereft.append(self._bereft)

    def play(self) -> None:
        """Form, be quiet, end, judge."""
        simulation, world = self.simulation, self.simulation.world
        for node in simulation.nodes:
            node.watchers = [*node.watchers, self]
        if not world.run_until(FORMED_S, simulation.converged):
            raise Violation("not converged", simulation.describe())
        self.formed_s = world.now
        begin_s = SETTLED_SHARE * self.plan.faults_end_s
        step_s = (self.plan.faults_end_s - begin_s) / SAMPLES
        for number in range(SAMPLES):
            world.run_until(begin_s + number * step_s)
            for node in simulation.nodes:
                self.sizes[node.name].append(probe.objects(node.node))
        simulation.play()
        self._judge()

    @property
    def _quiet(self) -> bool:
        """The time that is watched: the cluster is formed, and nobody has been told to leave."""
        return self.formed_s <= self.simulation.world.now < self.plan.faults_end_s

    def stepped(self, node: SimNode) -> None:
        """Nobody leaves the in-sync set."""
        if self._quiet and probe.is_primary(node.node):
            missing = len(self.simulation.nodes) - 1 - len(probe.in_sync(node.node))
            if missing:
                raise Violation("backup dropped", f"{node.name} has dropped {missing} backups")

    def said(self, node: SimNode, text: str, stops: bool) -> None:
        """There is nothing to tell, unless somebody is lost; then that is told first."""
        if self._quiet:
            raise Violation(self._check(text), f"{node.name} says: {text}")

    def _check(self, text: str) -> str:
        """Which rule is broken when a broker logs this."""
        peer, _, more = text.partition(":")
        if text.startswith(LINK_LOST) or peer in self.plan.node_names:
            return "backup dropped"
        return "connection lost" if SILENT in more else "not quiet"

    def _bereft(self, name: str, reason: str) -> None:
        raise Violation("connection lost", f"{name} lost its connection: {reason}")

    def summary(self) -> Iterator[str]:
        """A line for each client and each broker."""
        watched_s = self.plan.faults_end_s - self.formed_s
        for name, client in self._clients():
            yield (
                f"{name}: {client.protocol}, {watched_s / client.heartbeat_s:.0f} intervals of "
                f"{client.heartbeat_s} s, longest pause {self.pauses_s[name]:.1f} s"
            )
        for name, sizes in self.sizes.items():
            yield f"{name}: {sizes[0]} objects when its log was full, at most {max(sizes)} later"

    def _clients(self) -> Iterator[tuple[str, ClientPlan]]:
        """Name and manners of each that sends or receives."""
        for work in self.simulation.works:
            for client in (*work.producers, *work.consumers):
                yield client.name, client.plan

    def _judge(self) -> None:
        for name, sizes in self.sizes.items():
            if max(sizes) - sizes[0] > GROWTH_MAX:
                raise Violation("grown", f"{name} holds more and more objects: {sizes}")
        self.pauses_s = self._pauses()
        for name, client in self._clients():
            least_s = PAUSE_BEATS * client.heartbeat_s
            if self.pauses_s[name] < least_s:
                raise Violation("not quiet", f"{name} never paused for {least_s} s")

    def _pauses(self) -> dict[str, float]:
        """By client, the longest time within the hour in which it neither sent nor got a message,
        nor a confirmation."""
        begin_s, end_s = self.formed_s, self.plan.faults_end_s
        times = {name: [begin_s] for name, _ in self._clients()}
        for event in self.simulation.history.events:
            if isinstance(event, (Sent, Confirmed, Received)) and begin_s < event.at < end_s:
                who = event.consumer if isinstance(event, Received) else event.producer
                times[who].append(event.at)
        return {
            name: max(late - early for early, late in pairwise([*at, end_s]))
            for name, at in times.items()
        }
