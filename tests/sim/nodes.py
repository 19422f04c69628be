"""Real nodes in the simulated world: ``Node.step`` with the world as its edge.

The edge here keeps the law of the real one: outputs are performed in order, steps never nest, the
timer of one ``Arm`` replaces the one before, each ``Connect`` and each ``Connected`` is answered by
exactly one ``Disconnected``. A node can be killed, lose its power, be stopped by SIGSTOP, and be
started again, empty; it has clocks of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from uuid import UUID

from tanist.node.config import NodeConfig
from tanist.node.inputs import (
    Answered,
    Connected,
    Disconnected,
    Input,
    LinkUp,
    Received,
    Started,
    Tick,
    Writable,
)
from tanist.node.node import Node
from tanist.node.outputs import Arm, Close, Connect, Consult, Log, Output, Send, Stop
from tests.sim import probe
from tests.sim.network import CLIENT, SERVER, Dial, Endpoint, Network, Pipe
from tests.sim.plan import BrokerPlan, Plan
from tests.sim.store import Store
from tests.sim.world import Clock, World

PORT = 5672
RESTART_S = 1.0
"""A broker that stopped itself is started again so much later."""

MakeNode = Callable[[NodeConfig], Node]


class Watcher:
    """Whoever looks at nodes from outside. All methods may be overridden."""

    def stepped(self, node: SimNode) -> None:
        """The node took a step."""

    def said(self, node: SimNode, text: str, stops: bool) -> None:
        """The node wrote a line to its log; ``stops``: the last one, it stops itself."""

    def ends(self, node: SimNode) -> None:
        """The process is about to end, whatever the reason."""


class PipeEnd:
    """A node's end of one pipe: knows the connection id that the node gave it."""

    __slots__ = ("conn", "owner", "pipe", "side")

    def __init__(self, owner: SimNode, conn: int, side: int) -> None:
        self.owner = owner
        self.conn = conn
        self.side = side
        self.pipe: Pipe | None = None

    def pipe_data(self, pipe: Pipe, data: bytes) -> None:
        """Bytes arrived."""
        self.owner.received(self, data)

    def pipe_closed(self, pipe: Pipe, reason: str) -> None:
        """The pipe is gone."""
        self.owner.disconnected(self, reason)

    def pipe_full(self, pipe: Pipe, full: bool) -> None:
        """What the node wrote piles up, or has drained."""
        self.owner.writable(self, not full)


class SimNode:
    """One broker of the cluster. ``powered`` false: the machine is off."""

    def __init__(
        self,
        world: World,
        network: Network,
        store: Store,
        plan: Plan,
        number: int,
        make_node: MakeNode,
    ) -> None:
        self.world = world
        self.network = network
        self.store = store
        self.name = plan.node_names[number]
        self.number = number
        self.alive = False
        self.frozen = False
        self.powered = True
        self.starts = 0
        self.watchers: list[Watcher] = []
        self._plan = plan
        self._make_node = make_node
        clock = plan.clocks[number] if number < len(plan.clocks) else None
        self.clock = (
            Clock() if clock is None else Clock(clock.rate, clock.offset_s, clock.wall_offset_s)
        )
        self._dice = world.dice(f"node {self.name}")
        self._peers: dict[str, SimNode] = {}
        self._ends: dict[int, PipeEnd] = {}
        self._dials: dict[int, Dial] = {}
        self._next_conn = 1
        self._armed = 0
        self._latest = 0.0
        self._missed: list[Input] = []
        self._tick_missed = False
        self.node = self._new_node()

    def meet(self, nodes: list[SimNode]) -> None:
        """Learn who else is there."""
        self._peers = {node.name: node for node in nodes}

    def _new_node(self) -> Node:
        plan, options = self._plan, self._plan.brokers
        boot = sha256(f"{plan.seed}/{self.name}/{self.starts}".encode()).digest()[:16]
        return self._make_node(
            node_config(options, self.number, boot, plan.node_names, plan.strict)
        )

    @property
    def system_id(self) -> UUID:
        """Who it is, whatever the restarts."""
        return self.node.config.system_id

    @property
    def awake(self) -> bool:
        """It runs and is not stopped."""
        return self.alive and not self.frozen

    # -- life -------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the process, empty; the machine too, if it was off."""
        if self.alive:
            return
        powered, self.powered = self.powered, True
        self.starts += 1
        self.node = self._new_node()
        self.alive = True
        self._latest = self.clock.local(self.world.now)
        self.world.note(f"{self.name} start")
        if not powered:
            self.network.powered_up(self.name)
        self._step(Started(self._now(), self.clock.wall(self.world.now)))

    def freeze(self) -> None:
        """SIGSTOP: connections stay open, nothing is read."""
        if self.awake:
            self.world.note(f"{self.name} frozen ({self._status})")
            self.frozen = True

    def thaw(self) -> None:
        """SIGCONT: what came meanwhile is read, connection by connection in any order."""
        if not self.frozen:
            return
        self.world.note(f"{self.name} thawed")
        self.frozen = False
        missed, self._missed = self._missed, []
        tick, self._tick_missed = self._tick_missed, False
        tick_first = self._dice.random() < 0.5
        if tick and tick_first:
            self._step(Tick(self._now()))
        for happened in _as_read(missed, self._dice.shuffle):
            happened.now = self._now()
            self._step(happened)
        if tick and not tick_first:
            self._step(Tick(self._now()))

    def kill(self, how: str = "killed") -> None:
        """SIGKILL: connections break, everything in memory is gone."""
        self._end(how, self.network.abort)

    def stop(self) -> None:
        """SIGTERM: connections are closed in order."""
        self._end("stopped", self.network.close)

    def lose_power(self) -> None:
        """The machine is off: as ``kill``, and nobody is told."""
        if self.alive:
            self.powered = False
            self._end("lost its power", self.network.vanish)

    def _end(self, how: str, drop: Callable[[Pipe, int], None]) -> None:
        if not self.alive:
            return
        for watcher in self.watchers:
            watcher.ends(self)
        self.world.note(f"{self.name} {how} ({self._status})")
        self.alive = self.frozen = False
        self._missed = []
        self._tick_missed = False
        ends = list(self._ends.values())
        self._ends.clear()
        for end in ends:
            if end.pipe is not None:
                drop(end.pipe, end.side)
        for dial in self._dials.values():
            self.network.give_up(dial)
        self._dials.clear()

    @property
    def _status(self) -> str:
        return probe.status(self.node).name.lower()

    # -- what happens to the node -----------------------------------------------------------

    def accept(self, pipe: Pipe) -> Endpoint:
        """Somebody connected; the kernel accepts even if the process is stopped."""
        end = PipeEnd(self, self._next_conn, SERVER)
        self._next_conn += 1
        end.pipe = pipe
        self._ends[end.conn] = end
        peer = pipe.name.partition(">")[0]
        self._step(Connected(self._now(), end.conn, f"{peer}:1", f"{self.name}:{PORT}"))
        return end

    def received(self, end: PipeEnd, data: bytes) -> None:
        """Bytes arrived."""
        if self._ends.get(end.conn) is end:
            self._step(Received(self._now(), end.conn, data))

    def disconnected(self, end: PipeEnd, reason: str) -> None:
        """A connection is gone."""
        if self._ends.get(end.conn) is end:
            del self._ends[end.conn]
            self._step(Disconnected(self._now(), end.conn, reason))

    def writable(self, end: PipeEnd, writable: bool) -> None:
        """A connection is full, or has room again."""
        if self._ends.get(end.conn) is end:
            self._step(Writable(self._now(), end.conn, writable))

    def _now(self) -> float:
        """What the clock shows; it never goes back."""
        self._latest = max(self._latest, self.clock.local(self.world.now))
        return self._latest

    def _step(self, happened: Input) -> None:
        if self.frozen:
            self._missed.append(happened)
            return
        if not self.alive:
            return
        outputs = self.node.step(happened)
        for watcher in self.watchers:
            watcher.stepped(self)
        for output in outputs:
            self._perform(output)

    # -- what the node wants ----------------------------------------------------------------

    def _perform(self, output: Output) -> None:
        if isinstance(output, Send):
            end = self._ends.get(output.conn)
            if end is not None and end.pipe is not None:
                self.network.send(end.pipe, end.side, output.data)
        elif isinstance(output, Arm):
            self._arm(output.at)
        elif isinstance(output, Connect):
            self._connect(output)
        elif isinstance(output, Close):
            self._close(output)
        elif isinstance(output, Consult):
            self._consult(output)
        elif isinstance(output, Log):
            if output.level not in ("trace", "debug"):
                self.world.note(f"{self.name} [{output.category}] {output.level} {output.text}")
                self._tell(output.text, stops=False)
        elif isinstance(output, Stop):
            self._tell(output.reason, stops=True)
            self.world.counts["stopped itself"] += 1
            self._end(f"stops: {output.reason}", self.network.close)
            self.world.after(RESTART_S, self.start)

    def _tell(self, text: str, stops: bool) -> None:
        for watcher in self.watchers:
            watcher.said(self, text, stops)

    def _arm(self, at: float) -> None:
        node = self.node
        self._armed += 1
        armed = self._armed

        def fire() -> None:
            if self.node is node and self._armed == armed and self.alive:
                if self.frozen:
                    self._tick_missed = True
                    return
                self._latest = max(self._latest, at)
                self._step(Tick(self._now()))

        self.world.at(self.clock.true(at), fire)

    def _consult(self, output: Consult) -> None:
        node = self.node

        def answered(code: int, text: str) -> None:
            if self.alive and self.node is node:
                self._step(Answered(self._now(), output.request, code, text))

        self.store.ask(self.name, output, answered)

    def _connect(self, output: Connect) -> None:
        node, conn = self.node, output.conn
        end = PipeEnd(self, conn, CLIENT)

        def answer(pipe: Pipe | None, reason: str) -> None:
            if self.node is not node or self._dials.pop(conn, None) is None:
                return
            if pipe is None:
                self._step(Disconnected(self._now(), conn, reason))
                return
            end.pipe = pipe
            self._ends[conn] = end
            self._step(LinkUp(self._now(), conn, f"{self.name}:2"))

        def time_out() -> None:
            if self.node is node and conn in self._dials:
                self.network.give_up(self._dials[conn])
                answer(None, f"gave up after {output.timeout_s:g} s")

        target = self._peers[output.host]
        self._dials[conn] = self.network.connect(self.name, self.name, target, end, answer)
        self.world.after(output.timeout_s / self.clock.rate, time_out)

    def _close(self, output: Close) -> None:
        conn = output.conn
        end = self._ends.pop(conn, None)
        if end is not None and end.pipe is not None:
            if output.abort:
                self.network.abort(end.pipe, end.side)
            else:
                self.network.close(end.pipe, end.side)
        elif conn in self._dials:
            self.network.give_up(self._dials.pop(conn))
        else:
            return  # gone already, and the node was told
        node = self.node

        def closed() -> None:
            if self.alive and self.node is node:
                self._step(Disconnected(self._now(), conn, "closed"))

        self.world.after(0.0, closed)


def node_config(
    options: BrokerPlan, number: int, boot: bytes, names: list[str], strict: bool = False
) -> NodeConfig:
    """The configuration of broker ``number`` of a cluster of ``names``."""
    url = ",".join(f"{name}:{PORT}" for name in names)
    return NodeConfig(
        system_id=UUID(int=number + 1, version=4),
        boot_id=boot,
        node_name=names[number],
        ha_cluster=True,
        ha_brokers_url=url,
        ha_public_url=url,
        ha_replicate="all",
        ha_backup_timeout_s=options.backup_timeout_s,
        ha_flow_messages=options.flow_messages,
        ha_ack_timeout_s=options.ack_timeout_s,
        ha_insync_command=strict,
        link_maintenance_interval_s=options.maintenance_s,
        link_heartbeat_interval_s=options.heartbeat_s,
        queue_purge_interval_s=options.purge_interval_s,
    )


def _as_read(missed: list[Input], shuffle: Callable[[list[int]], None]) -> list[Input]:
    """What a process reads that was stopped: connections in any order, each with one large read."""
    by_conn: dict[int, list[Input]] = {}
    for happened in missed:
        conn = getattr(happened, "conn", 0)
        line = by_conn.setdefault(conn, [])
        last = line[-1] if line else None
        if isinstance(happened, Received) and isinstance(last, Received):
            last.data += happened.data
        else:
            line.append(happened)
    order = list(by_conn)
    shuffle(order)
    return [happened for conn in order for happened in by_conn[conn]]
