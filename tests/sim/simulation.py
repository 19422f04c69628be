"""One run of one plan: nodes, clients, resource manager, faults, then peace and judgement.

The phases:

1. everything at once, until ``plan.faults_end_s``;
2. ``heal``; then within ``SETTLE_S`` one broker is active and all others are ready;
3. clients finish what they have to do, consumers go, fresh ones drain every queue;
4. the history is judged.

Replicas are compared twice: when nobody changes anything any more and queues hold what was not
consumed, and after the drain.

Each wait has a bound of virtual time: who is not done by then is *stuck*, and that is a violation.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

from tanist.node.config import NodeConfig
from tanist.node.node import Node
from tests.sim import probe
from tests.sim.checks import judge
from tests.sim.clients import Site
from tests.sim.clients010 import Promoter
from tests.sim.faults import Faults
from tests.sim.history import Dropped, History
from tests.sim.network import Network
from tests.sim.nodes import MakeNode, SimNode, Watcher
from tests.sim.plan import Plan
from tests.sim.resource_manager import ResourceManager, StrictManager
from tests.sim.store import HOST, Store
from tests.sim.watch import Violation, Watch
from tests.sim.workloads import Work
from tests.sim.world import World

SETTLE_S = 30.0
"""Virtual seconds after the last fault until every broker must be well again."""
WORK_S = 120.0
"""Virtual seconds for the clients to finish their work after that."""
ROUND_TRIPS = 4
"""A fault strikes so many delays of the network after clients were startled, or sooner."""
DRAIN_S = 60.0
"""Virtual seconds for each step of the end: leaving, draining, being identical."""


class Ledger(Watcher):
    """Adds up what brokers say they discarded, also those that die."""

    def __init__(self, dropped: dict[str, Dropped]) -> None:
        self._dropped = dropped

    def ends(self, node: SimNode) -> None:
        """Take the counters before they are gone."""
        for name, counts in probe.discards(node.node).items():
            if any(counts):
                total = self._dropped.setdefault(name, Dropped())
                total.expired += counts.expired
                total.purged += counts.purged
                total.ring += counts.ring


class Simulation:
    """A run. ``play`` raises ``Violation`` (or any exception: a bug that raised) if it fails."""

    def __init__(self, plan: Plan, make_node: MakeNode | None = None, tracing: bool = True) -> None:
        self.plan = plan
        self.world = World(plan.seed, tracing)
        self.history = History()
        self.network = Network(self.world, plan.network)
        maker = make_node or _plain_node
        store = Store(self.world, self.network)
        self.nodes = [
            SimNode(self.world, self.network, store, plan, number, maker)
            for number in range(plan.nodes)
        ]
        self.site = Site(self.world, self.network, self.nodes, self.history.events)
        self._promoters = 0
        self.manager = self._manager(store)
        self._ledger = Ledger(self.history.dropped)
        self._watch = Watch(self.nodes)
        for node in self.nodes:
            node.meet(self.nodes)
            node.watchers = [self._watch, self.manager, self._ledger]
        for node in self.nodes:
            node.start()
        self.works = [Work(self.site, work) for work in plan.works]
        self.faults = Faults(
            self.world,
            self.network,
            self.nodes,
            self.manager,
            plan.faults,
            self.site.startle,
            ROUND_TRIPS * plan.network.delay_max_s,
        )

    def _manager(self, store: Store) -> ResourceManager:
        world, network, nodes, detect_s = self.world, self.network, self.nodes, self.plan.detect_s
        if self.plan.strict:
            return StrictManager(world, network, nodes, detect_s, self._promote, store)
        return ResourceManager(world, network, nodes, detect_s, self._promote)

    def _promote(self, node: SimNode, answered: Callable[[str], None]) -> Callable[[], None]:
        self._promoters += 1
        promoter = Promoter(self.site, f"rm{self._promoters}", HOST, node, answered)
        return promoter.give_up

    # -- the run ----------------------------------------------------------------------------

    def play(self) -> None:
        """Faults, peace, the end, judgement."""
        self.world.run_until(self.plan.faults_end_s)
        self.faults.heal()
        self.site.calm = True
        self._wait("converge", SETTLE_S, self.converged)
        self._wait("finish their work", WORK_S, lambda: self._all(lambda w, p: w.worked(p)))
        self._each(Work.wind_up)
        self._wait("wind up", DRAIN_S, lambda: self._all(lambda w, _: w.wound_up()))
        self._wait("have equal replicas", DRAIN_S, self._replicas_equal)
        self._each(Work.drain)
        self._wait("drain", DRAIN_S, lambda: self._all(lambda w, p: w.drained(p)))
        self._each(Work.finish)
        self._wait("leave", DRAIN_S, lambda: self._all(lambda w, p: w.finished(p)))
        self._wait("have equal replicas", DRAIN_S, self._replicas_equal)
        self._judge()

    def _each(self, action: Callable[[Work], None]) -> None:
        for work in self.works:
            action(work)

    def _wait(self, what: str, limit_s: float, done: Callable[[], bool]) -> None:
        self.world.note(f"wait: {what}")
        if not self.world.run_until(self.world.now + limit_s, done):
            check = {"converge": "not converged", "have equal replicas": "replicas differ"}
            text = f"did not {what} within {limit_s:.0f} s; {self.describe()}"
            raise Violation(check.get(what, "stuck"), text)

    # -- what is waited for -----------------------------------------------------------------

    def primary(self) -> SimNode | None:
        """The broker that serves, if there is one."""
        return next((n for n in self.nodes if n.awake and probe.is_primary(n.node)), None)

    def _all(self, done: Callable[[Work, SimNode], bool]) -> bool:
        primary = self.primary()
        return primary is not None and all(done(work, primary) for work in self.works)

    def converged(self) -> bool:
        """One is active, all others say that they are ready, the active one says so too, and
        nobody was asked to take its place."""
        wanted = [probe.READY] * (len(self.nodes) - 1) + [probe.ACTIVE]
        primary = self.primary()
        return (
            primary is not None
            and not self.manager.waits
            and sorted(probe.status(n.node) for n in self.nodes if n.awake) == wanted
            and len(probe.in_sync(primary.node)) == len(self.nodes) - 1
        )

    def _replicas_equal(self) -> bool:
        return not self.differences()

    def differences(self) -> list[str]:
        """Where replicas differ from the primary: configuration, ids and bodies of messages."""
        primary = self.primary()
        if primary is None:
            return ["there is no primary"]
        lines = probe.configuration(primary.node)
        contents = probe.messages(primary.node)
        found = []
        for node in self.nodes:
            if node is primary:
                continue
            theirs = probe.configuration(node.node)
            found += [f"{node.name} lacks {line}" for line in lines if line not in theirs]
            found += [f"{node.name} has {line}" for line in theirs if line not in lines]
            messages = probe.messages(node.node)
            found += [
                f"{node.name} differs in {queue}: {len(messages[queue])} messages, "
                f"{primary.name} has {len(there)}"
                for queue, there in contents.items()
                if queue in messages and messages[queue] != there
            ]
        return found

    def describe(self) -> str:
        """The state of everybody, for an error text."""
        nodes = []
        for node in self.nodes:
            standing = probe.standing(node.node)
            status = probe.status(node.node).name.lower() if node.alive else "dead"
            nodes.append(
                f"{node.name} {status} epoch {standing.epoch} index {standing.last_index} "
                f"held {probe.held(node.node)}"
            )
        waiting = [text for text in (work.waiting() for work in self.works) if text]
        return "; ".join([*nodes, *waiting, *self.differences()[:3]])

    def digest(self) -> str:
        """Names the history: two runs with the same digest were the same in every detail."""
        state = sha256()
        for line in (*self.world.trace, *map(repr, self.history.events)):
            state.update(line.encode() + b"\n")
        return state.hexdigest()[:16]

    # -- judgement --------------------------------------------------------------------------

    def _judge(self) -> None:
        for node in self.nodes:
            self._ledger.ends(node)
        history = self.history
        for work in self.works:
            history.promises.update(work.promises())
        history.failovers = self._watch.failovers
        history.faults = self.faults.struck
        walls = [clock.wall_offset_s for clock in self.plan.clocks] or [0.0]
        history.wall_spread_s = max(walls) - min(walls)
        rates = [1.0, *(clock.rate for clock in self.plan.clocks)]
        history.drift = max(rates) - min(rates)
        findings = judge(history)
        if findings:
            check, text = findings[0]
            more = f" (and {len(findings) - 1} more findings)" if len(findings) > 1 else ""
            raise Violation(check, text + more)


def _plain_node(config: NodeConfig) -> Node:
    return Node(config)
