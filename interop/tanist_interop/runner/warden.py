"""The warden: hits brokers as a run asks, and does what a resource manager does then.

It fences what hangs, promotes a backup that is ready, starts again what died, and notes each step
in the history. Everything that decides (when, whom) is its caller's.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final, Protocol

from tanist_interop.faults.process import FAULTS, Fault, Nodes, Restart
from tanist_interop.history import DRILL
from tanist_interop.hosts.operator import HostError
from tanist_interop.runner.crew import Crew

PROMOTE_S: Final = 15.0
"""A backup that is ready can be promoted at once, or after two seconds if a member hangs."""


NOBODY: Final = "-"
"""In place of a node's name: the fault is none of a broker."""


class Cluster(Nodes, Protocol):
    """What a run needs of a host."""

    @property
    def elects(self) -> bool: ...
    @property
    def patience_s(self) -> float: ...

    def start(self) -> None: ...
    def addresses(self) -> list[str]: ...
    def address_of(self, queue: str) -> str: ...
    def options_of(self, client: str) -> dict[str, str]: ...
    def declare(self, queues: list[str]) -> bool: ...
    def leader(self) -> int | None: ...
    def form(self, deadline_s: float, pause: Callable[[float], None]) -> None: ...
    def statuses(self, nodes: list[int], timeout_s: float = ...) -> list[str]: ...
    def in_sync(self, primary: int, timeout_s: float = ...) -> list[int] | None: ...
    def digests(self) -> list[dict[str, object] | None]: ...
    def life(self, node: int) -> int: ...
    def promote(self, node: int) -> None: ...
    def tell_all(self, node: int) -> None: ...
    def configure(self, node: int, commands: list[list[str]]) -> None: ...
    def wait_ready(self, node: int, deadline_s: float, pause: Callable[[float], None]) -> None: ...
    def check_alive(self) -> None: ...
    def memory_bytes(self, node: int) -> int: ...
    def stop(self) -> list[tuple[str, int, bool]]: ...
    def trouble(self) -> list[tuple[str, str]]: ...


def name_of(node: int) -> str:
    """The name of a node in the history."""
    return f"n{node + 1}"


class Warden:
    """Acts on the cluster of one run. ``primary`` is the node that serves."""

    def __init__(self, cluster: Cluster, crew: Crew, nodes: int, dice: random.Random) -> None:
        self.cluster = cluster
        self.crew = crew
        self.nodes = nodes
        self.dice = dice
        self.primary = 0

    def begin(self, name: str, node: int, failover: bool) -> Fault:
        """Let a fault happen. ``failover``: the clients will have to move. Raises: HostError."""
        fault = FAULTS[name](self.cluster, node)
        self.note_fault(fault.name, fault.node, "begin", failover)
        fault.inject()
        if isinstance(fault, Restart):
            self.note_exit(name_of(node), fault.exit_code, fault.exit_code == 0)
        return fault

    def heal(self, fault: Fault) -> None:
        """Undo a fault. Raises: HostError, OSError."""
        fault.heal()
        self.note_fault(fault.name, fault.node, "end", False)

    def promote(self, candidates: list[int]) -> dict[str, int]:
        """Promote one of these that is ready; as a resource manager does: ask them, take one, again
        until it works. Of brokers that elect one by themselves, wait until they did. Returns the
        acknowledgements per producer when it began. Raises: HostError.
        """
        if self.cluster.elects:
            return self._await_elected(candidates)
        until = time.monotonic() + PROMOTE_S
        while True:
            try:
                return self._promote_ready(candidates)
            except HostError:
                if time.monotonic() > until:
                    raise
                self.crew.pump(0.1)

    def look(self) -> None:
        """Find out who is the primary, of brokers that tell. Raises: HostError."""
        leader = self.cluster.leader()
        if leader is not None:
            self.primary = leader

    def tell_all(self) -> None:
        """Make the brokers tell clients every address from now on. Raises: HostError."""
        self.cluster.tell_all(self.primary)
        self.crew.mark("urls_changed")

    def rejoined(self, node: int) -> None:
        """Note that a node which came back is a ready backup."""
        self.crew.mark("rejoined", node=name_of(node))

    def wait_ready(self, node: int, deadline_s: float, pause: Callable[[float], None]) -> None:
        """Wait until a node that came back is a ready backup. Raises: HostError."""
        until = time.monotonic() + deadline_s
        try:
            self.cluster.wait_ready(node, deadline_s, pause)
        except HostError:
            if time.monotonic() >= until:  # else a broker ended by itself
                self.crew.mark("not_ready", node=name_of(node))
            raise
        self.rejoined(node)

    def note_fault(self, name: str, node: int | None, phase: str, failover: bool) -> None:
        """Note that a fault begins or ends, of a node or of none. ``failover``: clients will have
        to move."""
        where = NOBODY if node is None else name_of(node)
        self._note("fault", name=name, phase=phase, node=where, failover=failover)

    def note_memory(self, moment: str) -> None:
        """Note what each running broker holds."""
        for node in range(self.nodes):
            used = self.cluster.memory_bytes(node)
            if used:
                life = self.cluster.life(node)
                self._note("memory", node=name_of(node), bytes=used, moment=moment, life=life)

    def note_exit(self, name: str, code: int, expected: bool) -> None:
        """Note how a broker ended."""
        self._note("broker_exit", node=name, code=code, expected=expected)

    def _await_elected(self, candidates: list[int]) -> dict[str, int]:
        self.crew.pump(0.0)
        before = dict(self.crew.acknowledged)
        self.crew.mark("promote_begin")
        until = time.monotonic() + self.cluster.patience_s
        while (leader := self.cluster.leader()) is None or leader not in candidates:
            if time.monotonic() > until:
                named = "nobody" if leader is None else name_of(leader)
                waited = self.cluster.patience_s
                raise HostError(f"nobody else leads after {waited:g} s; the brokers say {named}")
            self.crew.pump(0.05)
        self.crew.mark("promoted", node=name_of(leader))
        self.primary = leader
        return before

    def _promote_ready(self, nodes: list[int]) -> dict[str, int]:
        statuses = self.cluster.statuses(nodes)
        ready = [n for n, status in zip(nodes, statuses, strict=True) if status == "ready"]
        if not ready:
            raise HostError(f"no backup is ready: {statuses}")
        node = self.dice.choice(ready)
        self.crew.pump(0.0)
        before = dict(self.crew.acknowledged)
        self.crew.mark("promote_begin", node=name_of(node))
        self.cluster.promote(node)
        self.crew.mark("promoted", node=name_of(node))
        self.primary = node
        return before

    def _note(self, kind: str, **more: object) -> None:
        self.crew.journal.add(time.monotonic_ns(), DRILL, {"type": kind, **more})
