"""One simulated run: three nodes, clients, a resource manager, faults, then peace and judgement.

The resource manager is a model of a real one: it keeps the *in-sync set* in its own safe place, it
restarts what died, and when there is no primary it promotes the member of the set that has the
newest records. The faults never kill the last member of the set: confirmed means "on the primary
and every in-sync backup", and nothing else is promised.
"""

from __future__ import annotations

from collections.abc import Callable

from tanist.ha.roles import Status
from tanist.node.config import NodeConfig
from tanist.node.node import Node
from tests.sim.clients import QUEUE, Consumer, History, Producer, Promoter
from tests.sim.nodes import RESTART_S, MakeNode, SimNode
from tests.sim.world import World

FAULTS_END_S = 12.0
SETTLE_S = 60.0
"""Virtual seconds within which, after the last fault, every broker must be well again."""
WORK_S = 600.0
"""Virtual seconds for the clients to finish: one message at a time over a slow network."""
POLL_S = 0.3


class Violation(Exception):
    """A promise was broken; the text says which one and how."""


class ResourceManager:
    """Promotes when there is no primary; remembers who was in sync."""

    def __init__(self, world: World, nodes: list[SimNode]) -> None:
        self.world = world
        self.nodes = nodes
        self.in_sync: set[str] = set()
        self.epoch = 0
        self.promotions = 0
        self._busy = False
        self._poll()

    def observe(self) -> None:
        """Take the in-sync set from the primary of the newest epoch; leave out who restarted."""
        for node in self.nodes:
            primary = node.node.cluster.primary
            if self.is_current(node) and primary is not None:
                self.epoch = node.node.cluster.log.epoch
                ids = set(primary.in_sync())
                self.in_sync = {node.name} | {
                    n.name for n in self.nodes if n.node.config.system_id in ids and n.holds_data
                }

    def is_current(self, node: SimNode) -> bool:
        """A running primary that is not older than what was seen before."""
        return node.is_primary and node.node.cluster.log.epoch >= self.epoch

    def may_kill(self, node: SimNode) -> bool:
        """Whether the set keeps another living member."""
        self.observe()
        rest = [n for n in self.nodes if n.holds_data and n is not node and n.name in self.in_sync]
        return bool(rest) or not self.in_sync

    def candidate(self) -> SimNode | None:
        """Whom to promote now."""
        alive = [n for n in self.nodes if n.awake]
        if not self.in_sync:
            joining = [n for n in alive if n.status is Status.JOINING]
            return joining[0] if len(alive) == len(self.nodes) and joining else None
        ready = [n for n in alive if n.name in self.in_sync and n.status is Status.READY]
        return max(ready, key=_newest, default=None)

    def _poll(self) -> None:
        self.observe()
        if not self._busy and not any(self.is_current(node) for node in self.nodes):
            node = self.candidate()
            if node is not None:
                self._fence()
                self._busy = True
                self.world.note(f"rm promotes {node.name}; in sync {sorted(self.in_sync)}")
                promoter = Promoter(self.world, node, self._answered)
                self.world.after(5.0, lambda: self._give_up(promoter))
        self.world.after(POLL_S, self._poll)

    def _fence(self) -> None:
        """Kill a primary that hangs before another is promoted, as every resource manager must."""
        for node in self.nodes:
            if node.frozen and node.node.cluster.role.is_primary:
                self.world.note(f"rm fences {node.name}")
                node.kill()
                self.world.after(RESTART_S, node.start)

    def _give_up(self, promoter: Promoter) -> None:
        if promoter.running:
            promoter.stop()
            self._busy = False

    def _answered(self, text: str) -> None:
        self.world.note(f"rm: promote answered {text!r}")
        self.promotions += text == "ok"
        self._busy = False


def _newest(node: SimNode) -> tuple[int, int, str]:
    log = node.node.cluster.log
    return log.epoch, log.index, node.name


class Run:
    """A run of one seed. ``play`` raises ``Violation`` (or any exception) if it fails."""

    def __init__(self, seed: int, make_node: MakeNode | None = None) -> None:
        self.world = World(seed)
        random = self.world.random
        names = ["n1", "n2", "n3"]
        maker = make_node or _plain_node
        self.nodes = [SimNode(self.world, i, names, maker) for i in range(len(names))]
        for node in self.nodes:
            node.meet(self.nodes)
            node.start()
        self.manager = ResourceManager(self.world, self.nodes)
        self.history = History()
        self.kills = 0
        self.cuts = 0
        self.freezes = 0
        self.producers = [
            Producer(
                self.world,
                f"p{i}",
                self.nodes,
                self.history,
                count=random.randrange(20, 200),
                window=random.choice((1, 5, 50)),
                pause_s=random.choice((0.01, 0.05, 0.1)),
            )
            for i in range(random.randrange(1, 4))
        ]
        self.consumers = [self._consumer(f"c{i}") for i in range(random.randrange(0, 3))]
        for _ in range(random.randrange(1, 8)):
            self.world.at(random.uniform(1.0, FAULTS_END_S), self._fault)

    def _consumer(self, name: str) -> Consumer:
        random = self.world.random
        return Consumer(
            self.world,
            name,
            self.nodes,
            self.history,
            prefetch=random.choice((1, 10, 100)),
            think_s=random.choice((0.001, 0.02, 0.1)),
        )

    # -- faults -----------------------------------------------------------------------------

    def _fault(self) -> None:
        random = self.world.random
        if random.random() < 0.4:
            pipes = [pipe for pipe in self.world.pipes if pipe.open]
            if pipes:
                pipe = random.choice(pipes)
                self.cuts += 1
                self.world.note(f"cut {pipe.name}")
                self.world.cut(pipe, "cut by the network")
            return
        alive = [node for node in self.nodes if node.awake]
        if not alive:
            return
        primaries = [node for node in alive if node.is_primary]
        victims = primaries if primaries and random.random() < 0.6 else alive
        victim = random.choice(victims)
        if not self.manager.may_kill(victim):
            return
        if random.random() < 0.3:
            self.freezes += 1
            victim.freeze()
            self.world.after(random.uniform(0.1, 8.0), victim.thaw)
        else:
            self.kills += 1
            victim.kill()
            self.world.after(random.uniform(0.1, 4.0), victim.start)

    # -- the run ----------------------------------------------------------------------------

    def play(self) -> None:
        """Faults, peace, drain, judgement."""
        self.world.run_until(FAULTS_END_S)
        self._wait("every node up, one primary active, all backups ready", self._healed)
        self._wait("every producer confirmed", lambda: all(p.done for p in self.producers), WORK_S)
        if not self.consumers:
            self.consumers.append(self._consumer("drain"))
        self._wait("the queue drained", self._drained, WORK_S)
        self._wait("replicas equal", self._replicas_equal)
        self._judge()

    def _wait(self, what: str, done: Callable[[], bool], limit_s: float = SETTLE_S) -> None:
        if not self.world.run_until(self.world.now + limit_s, done):
            raise Violation(f"not within {limit_s:.0f} s: {what}; {self._describe()}")

    def _describe(self) -> str:
        nodes = ", ".join(
            f"{n.name} {n.status.name.lower() if n.alive else 'dead'} "
            f"epoch {n.node.cluster.log.epoch} index {n.node.cluster.log.index} "
            f"held {n.node.gate.waiting}"
            for n in self.nodes
        )
        waiting = ", ".join(f"{p.name} {len(p.unconfirmed)} unconfirmed" for p in self.producers)
        return f"{nodes}; {waiting}"

    def _healed(self) -> bool:
        if not all(node.alive for node in self.nodes):
            for node in self.nodes:
                if not node.alive:
                    node.start()
            return False
        if any(node.frozen for node in self.nodes):
            return False
        statuses = sorted(node.status for node in self.nodes)
        return statuses == [Status.READY, Status.READY, Status.ACTIVE]

    def _primary(self) -> SimNode | None:
        return next((node for node in self.nodes if node.is_primary), None)

    def _drained(self) -> bool:
        primary = self._primary()
        if primary is None:
            return False
        queue = primary.node.broker.queues.get(QUEUE)
        return queue is not None and queue.count == 0

    def _replicas_equal(self) -> bool:
        digests = [node.digest() for node in self.nodes]
        return all(digest == digests[0] for digest in digests)

    def _judge(self) -> None:
        history = self.history
        attempts = set(history.attempts)
        acknowledged = set(history.acknowledged)
        got = {(producer, number) for _, producer, number, _ in history.received}
        lost = sorted(acknowledged - got)
        unexpected = sorted(got - attempts)
        if lost:
            raise Violation(f"lost {len(lost)} acknowledged messages: {lost[:5]}")
        if unexpected:
            raise Violation(f"received {len(unexpected)} never sent: {unexpected[:5]}")
        self._judge_order()
        if not (self.kills or self.cuts or self.freezes) and len(history.received) != len(got):
            raise Violation("duplicates although nothing was broken")

    def _judge_order(self) -> None:
        highest: dict[tuple[str, str], int] = {}
        seen: set[tuple[str, int]] = set()
        for consumer, producer, number, redelivered in self.history.received:
            first_time = (producer, number) not in seen
            seen.add((producer, number))
            key = (consumer, producer)
            if first_time and not redelivered and number < highest.get(key, 0):
                raise Violation(
                    f"{consumer} got {producer}:{number} after {highest[key]}, not redelivered"
                )
            highest[key] = max(highest.get(key, 0), number)


def _plain_node(config: NodeConfig) -> Node:
    return Node(config)
