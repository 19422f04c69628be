"""Faults of a broker's process: killed (SIGKILL), hung (SIGSTOP), restarted (SIGTERM)."""

from __future__ import annotations

from typing import Final, Protocol


class Nodes(Protocol):
    """What a fault needs of a host; nodes are numbered from 0."""

    def kill(self, node: int) -> None: ...
    def terminate(self, node: int) -> int: ...
    def restart(self, node: int) -> None: ...
    def suspend(self, node: int) -> None: ...
    def resume(self, node: int) -> None: ...


class Fault:
    """Something done to one node. Call ``heal`` at most once, after ``inject``."""

    name = ""
    deadly = True
    """The process is gone after ``inject``."""

    def __init__(self, nodes: Nodes, node: int) -> None:
        self.nodes = nodes
        self.node = node

    def inject(self) -> None:
        """Let it happen."""
        raise NotImplementedError

    def heal(self) -> None:
        """Undo it: the node comes back as what the cluster lets it be."""
        raise NotImplementedError


class Kill(Fault):
    """SIGKILL; healed by starting the broker again (same address, empty memory)."""

    name = "kill"

    def inject(self) -> None:
        """Returns when the process is gone."""
        self.nodes.kill(self.node)

    def heal(self) -> None:
        """Start the broker again."""
        self.nodes.restart(self.node)


class Restart(Fault):
    """SIGTERM, and started again when healed, as after a change of its configuration."""

    name = "restart"
    exit_code = 0

    def inject(self) -> None:
        """Returns when the process has ended, with ``exit_code``."""
        self.exit_code = self.nodes.terminate(self.node)

    def heal(self) -> None:
        """Start the broker again."""
        self.nodes.restart(self.node)


class Suspend(Fault):
    """SIGSTOP: the kernel still takes connections and bytes, nobody answers. ``fence`` it to make
    sure that it never goes on."""

    name = "suspend"
    deadly = False

    def inject(self) -> None:
        """Stop the process where it is."""
        self.nodes.suspend(self.node)

    def heal(self) -> None:
        """Let it go on, with whatever it believed before; start it again if it was fenced."""
        if self.deadly:
            self.nodes.restart(self.node)
        else:
            self.nodes.resume(self.node)

    def fence(self) -> None:
        """SIGKILL the hung process."""
        self.nodes.kill(self.node)
        self.deadly = True


FAULTS: Final[dict[str, type[Fault]]] = {fault.name: fault for fault in (Kill, Suspend, Restart)}
"""Every fault by the name that scenarios use."""
