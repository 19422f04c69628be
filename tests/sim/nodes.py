"""Real nodes in the simulated world: ``Node.step`` with the world as its edge."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from tanist.ha.roles import Status
from tanist.node.config import NodeConfig
from tanist.node.inputs import (
    Connected,
    Disconnected,
    Input,
    LinkUp,
    Received,
    Started,
    Tick,
)
from tanist.node.node import Node
from tanist.node.outputs import Arm, Close, Connect, Log, Output, Send, Stop
from tests.sim.world import Endpoint, Pipe, World

PORT = 5672
WALL_S = 1_700_000_000.0
RESTART_S = 1.0
"""A broker that stopped itself is started again so much later."""

MakeNode = Callable[[NodeConfig], Node]


class PipeEnd:
    """A node's end of one pipe: knows the connection id that the node gave it."""

    def __init__(self, owner: SimNode, conn: int) -> None:
        self.owner = owner
        self.conn = conn

    def pipe_data(self, pipe: Pipe, data: bytes) -> None:
        """Bytes arrived."""
        self.owner.received(self, data)

    def pipe_closed(self, pipe: Pipe, reason: str) -> None:
        """The pipe is gone."""
        self.owner.disconnected(self, reason)


class SimNode:
    """One broker of the cluster, which can be killed and started again."""

    def __init__(self, world: World, number: int, names: list[str], make_node: MakeNode) -> None:
        self.world = world
        self.name = names[number]
        self.alive = False
        self.frozen = False
        self.starts = 0
        self.stop_reason = ""
        self._number = number
        self._names = names
        self._make_node = make_node
        self._pipes: dict[int, tuple[PipeEnd, Pipe]] = {}
        self._next_conn = 1
        self._armed = 0
        self._missed: list[Input] = []
        self._others: dict[str, SimNode] = {}
        self.node = self._new_node()

    def meet(self, nodes: list[SimNode]) -> None:
        """Learn who else is there."""
        self._others = {node.name: node for node in nodes}

    def _new_node(self) -> Node:
        boot = (self.world.seed * 1000 + self._number * 100 + self.starts).to_bytes(16, "big")
        return self._make_node(
            NodeConfig(
                system_id=UUID(int=1000 + self._number, version=4),
                boot_id=boot,
                node_name=self.name,
                ha_cluster=True,
                ha_brokers_url=",".join(f"{name}:{PORT}" for name in self._names),
                ha_public_url=",".join(f"{name}:{PORT}" for name in self._names),
                ha_replicate="all",
                ha_backup_timeout_s=5.0,
                link_maintenance_interval_s=0.2,
                link_heartbeat_interval_s=1.0,
            )
        )

    # -- life -------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the process, empty."""
        if self.alive:
            return
        self.starts += 1
        self.node = self._new_node()
        self.alive = True
        self.world.note(f"{self.name} start")
        self._step(Started(self.world.now, WALL_S + self.world.now))

    def freeze(self) -> None:
        """SIGSTOP: connections stay open, nothing is read."""
        if self.awake:
            self.world.note(f"{self.name} frozen ({self.status.name.lower()})")
            self.frozen = True

    def thaw(self) -> None:
        """SIGCONT: what came meanwhile is read, connection by connection in any order."""
        if not self.frozen:
            return
        self.world.note(f"{self.name} thawed")
        self.frozen = False
        missed, self._missed = self._missed, []
        conns = sorted({getattr(happened, "conn", 0) for happened in missed})
        self.world.random.shuffle(conns)
        for conn in conns:
            for happened in missed:
                if getattr(happened, "conn", 0) == conn:
                    happened.now = self.world.now
                    self._step(happened)

    @property
    def awake(self) -> bool:
        """It runs and is not stopped."""
        return self.alive and not self.frozen

    def kill(self) -> None:
        """SIGKILL: connections break, everything in memory is gone."""
        if not self.alive:
            return
        self.frozen = False
        self._missed = []
        self.world.note(f"{self.name} killed ({self.status.name.lower()})")
        self.alive = False
        pipes = [pipe for _, pipe in self._pipes.values()]
        self._pipes.clear()
        for pipe in pipes:
            self.world.cut(pipe, "connection reset")

    @property
    def status(self) -> Status:
        """HA status of the running node."""
        return self.node.cluster.role.status

    @property
    def is_primary(self) -> bool:
        """Running, and recovering or active."""
        return self.awake and self.node.cluster.role.is_primary

    @property
    def holds_data(self) -> bool:
        """It is the primary, or followed one and has a whole state: not freshly restarted."""
        return self.awake and self.status in (Status.READY, Status.RECOVERING, Status.ACTIVE)

    def digest(self) -> list[tuple[str, list[tuple[int, int]]]]:
        """Replicated queues and what is on them: names, positions, hashes of bodies."""
        queues = self.node.broker.queues_by_number.values()
        return sorted((queue.name, queue.digest()) for queue in queues)

    # -- the edge ---------------------------------------------------------------------------

    def accept(self, client: Endpoint, name: str) -> Pipe:
        """A client connects; the pipe is open at once."""
        conn = self._next_conn
        self._next_conn += 1
        end = PipeEnd(self, conn)
        pipe = self.world.open_pipe(f"{name}>{self.name}", client, end)
        self._pipes[conn] = (end, pipe)
        self._step(Connected(self.world.now, conn, f"{name}:1", f"{self.name}:{PORT}"))
        return pipe

    def received(self, end: PipeEnd, data: bytes) -> None:
        """Bytes arrived at this node."""
        if self._is_ours(end):
            self._step(Received(self.world.now, end.conn, data))

    def disconnected(self, end: PipeEnd, reason: str) -> None:
        """A connection of this node is gone."""
        if self._is_ours(end):
            del self._pipes[end.conn]
            self._step(Disconnected(self.world.now, end.conn, reason))

    def _is_ours(self, end: PipeEnd) -> bool:
        known = self._pipes.get(end.conn)
        return self.alive and known is not None and known[0] is end

    def _step(self, happened: Input) -> None:
        if self.frozen:
            if not isinstance(happened, Tick):
                self._missed.append(happened)
            return
        if not self.alive:
            return
        for output in self.node.step(happened):
            self._perform(output)

    def _perform(self, output: Output) -> None:
        if isinstance(output, Send):
            known = self._pipes.get(output.conn)
            if known is not None:
                end, pipe = known
                self.world.send(pipe, pipe.client is end, output.data)
        elif isinstance(output, Arm):
            self._arm(output.at)
        elif isinstance(output, Connect):
            self._connect(output)
        elif isinstance(output, Close):
            self._close(output)
        elif isinstance(output, Log):
            if output.level not in ("trace", "debug"):
                self.world.note(f"{self.name} [{output.category}] {output.level} {output.text}")
        elif isinstance(output, Stop):
            self.stop_reason = output.reason
            self.world.note(f"{self.name} stops: {output.reason}")
            self.kill()
            self.world.after(RESTART_S, self.start)

    def _arm(self, when: float) -> None:
        """Set the timer; the one that was set before is replaced, as at the real edge."""
        node = self.node
        self._armed += 1
        armed = self._armed

        def fire() -> None:
            if self.node is not node or self._armed != armed:
                return
            if self.frozen:
                self.world.after(0.05, fire)
            elif self.alive:
                self._step(Tick(self.world.now))

        self.world.at(when, fire)

    def _connect(self, output: Connect) -> None:
        node = self.node
        target = self._others.get(output.host)

        def arrive() -> None:
            if not self.alive or self.node is not node:
                return
            if target is None or not target.alive:
                self._step(Disconnected(self.world.now, output.conn, "connection refused"))
                return
            end = PipeEnd(self, output.conn)
            self._pipes[output.conn] = (end, target.accept(end, self.name))
            self._step(LinkUp(self.world.now, output.conn, f"{self.name}:2"))

        self.world.after(self.world.options.delay_max_s, arrive)

    def _close(self, output: Close) -> None:
        known = self._pipes.pop(output.conn, None)
        if known is not None:
            end, pipe = known
            if output.abort:
                self.world.cut(pipe, "connection reset")
            else:
                self.world.close(pipe, pipe.server is end)
        node = self.node

        def closed() -> None:
            if self.alive and self.node is node:
                self._step(Disconnected(self.world.now, output.conn, "closed"))

        self.world.after(0.0, closed)
