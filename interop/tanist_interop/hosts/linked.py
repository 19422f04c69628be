"""Brokers as processes of this machine, whose links pass through proxies (``hosts.proxies``).

Each broker is given a list of members of its own: itself by its own address, every other one by the
route that leads there. Clients, where their links are to fail too, are given routes as well. Who
operates the cluster (``qpid-ha``) is in the room with the brokers and needs no link.
"""

from __future__ import annotations

import os
import socket
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Final

from tanist_interop.hosts.cluster import Settings
from tanist_interop.hosts.local import LocalCluster, Node
from tanist_interop.hosts.operator import HostError
from tanist_interop.hosts.proxies import CLIENTS, Proxies

DEPOSED: Final = "Shutting down: deposed"
BROKERS_URL: Final = "--ha-brokers-url="


VIRTUAL: Final = 0
"""The route to this node is the one that moves."""

LIBFAKETIME: Final = ("/usr/lib", "faketime/libfaketime.so.1")
"""Where Debian's package libfaketime has it: below a folder named for the machine."""


def libfaketime() -> Path | None:
    """The library that fakes a process's clock, None if this machine has none."""
    given = os.environ.get("TANIST_LIBFAKETIME")
    if given:
        return Path(given)
    where, name = LIBFAKETIME
    return next(iter(sorted(Path(where).glob(f"*/{name}"))), None)


def missing(clock: bool) -> str:
    """What this machine lacks for a cluster (whose clocks can jump, with ``clock``), empty if
    nothing."""
    if clock and libfaketime() is None:
        return "no libfaketime here; install the package libfaketime"
    return ""


def faked(clock: Path) -> tuple[str, ...]:
    """What to put before a broker's command so that its wall clock is ahead by what ``clock`` says;
    its monotonic clock goes on as it does when an administrator sets the time. Raises: HostError.
    """
    library = libfaketime()
    if library is None:
        raise HostError(missing(clock=True))
    return (
        "env", f"LD_PRELOAD={library}", f"FAKETIME_TIMESTAMP_FILE={clock}",
        "FAKETIME_CACHE_DURATION=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", "DONT_FAKE_MONOTONIC=1",
    )  # fmt: skip


class LinkedCluster(LocalCluster):
    """As ``LocalCluster``; ``links`` says what happens between its brokers."""

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        clients: bool,
        clock: bool = False,
        virtual: bool = False,
    ) -> None:
        """``clients``: the links of clients can fail, too. ``clock``: clocks can jump. ``virtual``:
        clients know one address only, which moves to whoever is promoted. Raises: HostError."""
        self._clock = folder / "clock" if clock else None
        if self._clock is not None:
            self._clock.write_text("+0\n", "ascii")
            settings = replace(settings, qpidd=(*faked(self._clock), *settings.qpidd))
        super().__init__(folder, settings)
        self.links = Proxies()
        self._clients = clients or virtual
        self._virtual = virtual
        self._deposed: set[str] = set()

    def addresses(self) -> list[str]:
        """Where clients reach every node."""
        if not self._clients or not self.links.routes:
            return super().addresses()
        if self._virtual:
            return [self.links.address(CLIENTS, VIRTUAL)]
        return [self.links.address(CLIENTS, node) for node in range(len(self.nodes))]

    def promote(self, node: int) -> None:
        """As ``LocalCluster``; a virtual address moves along, as a resource manager moves it."""
        super().promote(node)
        if self._virtual:
            self.links.point(CLIENTS, VIRTUAL, node)

    def peer_addresses(self) -> list[str]:
        """Where every node listens: the operator is in the room with them."""
        return [node.address for node in self.nodes]

    def command(self, node: Node, descriptor: int, log: Path) -> list[str]:
        """The broker's command line, with the members as this one reaches them."""
        own = self.nodes.index(node)
        members = [
            each.address if number == own else self.links.address(own, number)
            for number, each in enumerate(self.nodes)
        ]
        words = super().command(node, descriptor, log)
        return [
            f"{BROKERS_URL}{','.join(members)}" if word.startswith(BROKERS_URL) else word
            for word in words
        ]

    def refusal(self, node: int) -> str:
        """Promote a node; what it said when it refused, empty if it did not."""
        try:
            self.promote(node)
        except HostError as refused:
            return str(refused)
        return ""

    def ends(self, node: int, deadline_s: float) -> bool:
        """Whether a broker ends by itself in that time, which is no trouble then."""
        self.nodes[node].expected_dead = True
        try:
            self._process(node).wait(deadline_s)
        except subprocess.TimeoutExpired:
            return False
        self._deposed.add(self.nodes[node].name)
        return True

    def trouble(self) -> list[tuple[str, str]]:
        """As ``LocalCluster``, but for the last words of a primary that was to end by itself."""
        return [
            (name, line)
            for name, line in super().trouble()
            if name not in self._deposed or DEPOSED not in line
        ]

    def jump(self, seconds: float) -> None:
        """Let the brokers' wall clocks be ahead by so much. Raises: HostError."""
        if self._clock is None:
            raise HostError("the brokers' clocks were not made to jump")
        self._clock.write_text(f"{seconds:+.0f}\n", "ascii")

    def stop(self) -> list[tuple[str, int, bool]]:
        """As ``LocalCluster``; the routes end when the brokers have."""
        out = super().stop()
        self.links.close()
        return out

    def _start_node(self, node: Node, listener: socket.socket) -> None:
        if not self.links.routes:
            self.links.start([each.port for each in self.nodes], self._clients)
            self.tell_clients()
        super()._start_node(node, listener)
