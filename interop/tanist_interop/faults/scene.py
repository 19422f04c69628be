"""What a fault can reach: the brokers, the links between them and to them, the client programs.

These are the primitive acts; a host that has them has every fault of the catalogue.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Protocol

from tanist_interop.faults.process import Nodes

CLIENTS: Final = -1
"""In place of a node, where a link is meant: everybody who is none."""


class Brokers(Nodes, Protocol):
    """``Nodes``, and what an operator asks of one."""

    def statuses(self, nodes: list[int], timeout_s: float = ...) -> list[str]: ...

    def refusal(self, node: int) -> str:
        """Promote it; what it said when it refused, empty if it did not."""

    def ends(self, node: int, deadline_s: float) -> bool:
        """Whether it ends by itself in that time."""

    def jump(self, seconds: float) -> None:
        """Put the clocks of all brokers ahead by so much. Raises: HostError if they cannot be."""


class Links(Protocol):
    """Connections between two nodes, or a node and all clients; see ``hosts.proxies``."""

    def block(self, source: int, target: int) -> None: ...
    def unblock(self, source: int, target: int) -> None: ...
    def slow(self, source: int, target: int, delay_s: float, octets_per_s: float) -> None: ...
    def lossy(self, one: int, other: int, seed: int | None) -> None: ...
    def sever(self, one: int, other: int) -> None: ...


class Clients(Protocol):
    """The client programs that receive."""

    def finish(self) -> None:
        """Let them end what they acknowledge; what they hold they go on holding. Whoever is killed
        cannot tell any more what it acknowledged in its last moment."""

    def kill(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...


@dataclass
class Scene:
    """A running cluster under load; ``backups`` in the order in which they are hit."""

    brokers: Brokers
    links: Links
    clients: Clients
    primary: int
    backups: list[int]
    seed: int = 0
    with_clients: bool = False
    """Clients' links pass through proxies, too."""
    exit_codes: dict[int, int] = field(default_factory=dict)
    """Of brokers that were told to end."""
