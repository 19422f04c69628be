"""Faults of a broker's process: killed (SIGKILL) and hung (SIGSTOP)."""

from __future__ import annotations

from typing import Final, Protocol


class Nodes(Protocol):
    """What a fault needs of a host; nodes are numbered from 0."""

    def kill(self, node: int) -> None: ...
    def restart(self, node: int) -> None: ...
    def suspend(self, node: int) -> None: ...
    def resume(self, node: int) -> None: ...


class Fault:
    """Something done to one node. Call ``heal`` at most once, after ``begin``."""

    name = ""

    def __init__(self, nodes: Nodes, node: int) -> None:
        self.nodes = nodes
        self.node = node

    def begin(self) -> None:
        """Let it happen."""
        raise NotImplementedError

    def heal(self) -> None:
        """Undo it: the node comes back as what the cluster lets it be."""
        raise NotImplementedError


class Kill(Fault):
    """SIGKILL; healed by starting the broker again (same address, empty memory)."""

    name = "kill"

    def begin(self) -> None:
        """Returns when the process is gone."""
        self.nodes.kill(self.node)

    def heal(self) -> None:
        """Start the broker again."""
        self.nodes.restart(self.node)


class Suspend(Fault):
    """SIGSTOP: the kernel still takes connections and bytes, nobody answers."""

    name = "suspend"

    def begin(self) -> None:
        """Stop the process where it is."""
        self.nodes.suspend(self.node)

    def heal(self) -> None:
        """Let it go on, with whatever it believed before."""
        self.nodes.resume(self.node)


FAULTS: Final[dict[str, type[Fault]]] = {fault.name: fault for fault in (Kill, Suspend)}
"""Every fault by the name that scenarios use."""
