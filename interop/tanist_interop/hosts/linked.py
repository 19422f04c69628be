"""Brokers whose links pass through proxies (``hosts.proxies``), as processes or as containers.

Each broker is given a list of members of its own: itself by its own address, every other one by the
route that leads there. Clients, where their links are to fail too, are given routes as well. Who
operates the cluster (``qpid-ha``) is in the room with the brokers and needs no link.

The proxies run in the drill's own process, on either host: routes between processes begin on the
loopback, those between containers on the address that this machine has in their network.
"""

from __future__ import annotations

import os
import subprocess
from abc import abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import Final

from tanist_interop.docker_api import Docker, DockerError
from tanist_interop.hosts.cluster import Cluster, Settings
from tanist_interop.hosts.containers import ContainerCluster, translated
from tanist_interop.hosts.local import LocalCluster
from tanist_interop.hosts.operator import HostError
from tanist_interop.hosts.proxies import CLIENTS, Proxies

DEPOSED: Final = "Shutting down: deposed"

VIRTUAL: Final = 0
"""The route to this node is the one that moves."""

LIBFAKETIME: Final = ("/usr/lib", "faketime/libfaketime.so.1")
"""Where Debian's package libfaketime has it: below a folder named for the machine."""

IN_IMAGE: Final = "/usr/$LIB/faketime/libfaketime.so.1"
"""The same in an image of Debian; the loader knows the folder."""

REMEDY: Final = "is there a firewall between it and its containers? else take --hosts local"

REACH_S: Final = 5
"""A container that cannot reach this machine in so long never will."""


def libfaketime() -> Path | None:
    """The library that fakes a process's clock, None if this machine has none."""
    given = os.environ.get("TANIST_LIBFAKETIME")
    if given:
        return Path(given)
    where, name = LIBFAKETIME
    return next(iter(sorted(Path(where).glob(f"*/{name}"))), None)


def missing(clock: bool) -> str:
    """What this machine lacks for a cluster of processes (whose clocks can jump, with ``clock``),
    empty if nothing."""
    if clock and libfaketime() is None:
        return "no libfaketime here; install the package libfaketime"
    return ""


def faked(settings: Settings, library: Path | str | None, clock: Path) -> Settings:
    """The same brokers, but their wall clock is ahead by what ``clock`` says; their monotonic clock
    goes on as it does when an administrator sets the time. Raises: HostError."""
    if library is None:
        raise HostError(missing(clock=True))
    clock.write_text("+0\n", "ascii")
    before = (
        "env", f"LD_PRELOAD={library}", f"FAKETIME_TIMESTAMP_FILE={clock}",
        "FAKETIME_CACHE_DURATION=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", "DONT_FAKE_MONOTONIC=1",
    )  # fmt: skip
    return replace(settings, qpidd=(*before, *settings.qpidd))


class Linked(Cluster):
    """What both kinds share; ``links`` says what happens between the brokers."""

    links: Proxies

    def wire(self, clients: bool, virtual: bool, clock: Path | None) -> None:
        """Once, before ``start``. ``clients``: the links of clients can fail, too. ``virtual``:
        clients know one address only, which moves to whoever is promoted. ``clock``: the file
        that says how far the brokers' clocks are ahead."""
        self.links = Proxies()
        self._clients = clients or virtual
        self._virtual = virtual
        self._clock = clock
        self._deposed: set[str] = set()

    @abstractmethod
    def ended(self, node: int, deadline_s: float) -> bool:
        """Whether a broker ends in that time, which is no trouble then."""

    @abstractmethod
    def has_faked_clock(self, node: int) -> bool:
        """Whether a broker that runs asks the library for the time; of a dead one nobody asks.
        Raises: HostError."""

    def addresses(self) -> list[str]:
        """Where clients reach every node."""
        every = self.peer_addresses()
        if not self._clients or not self.links.routes:
            return every
        if self._virtual:
            return [self.links.address(CLIENTS, VIRTUAL)]
        return [self.links.address(CLIENTS, node) for node in range(len(every))]

    @abstractmethod
    def peer_addresses(self) -> list[str]:
        """Where every node listens: the operator is in the room with them."""

    def members(self, node: int) -> list[str]:
        """Itself, and the routes to all others."""
        return [
            own if number == node else self.links.address(node, number)
            for number, own in enumerate(self.peer_addresses())
        ]

    def promote(self, node: int) -> None:
        """As any host; a virtual address moves along, as a resource manager moves it."""
        super().promote(node)
        if self._virtual:
            self.links.point(CLIENTS, VIRTUAL, node)

    def refusal(self, node: int) -> str:
        """Promote a node; what it said when it refused, empty if it did not."""
        try:
            self.promote(node)
        except HostError as refused:
            return str(refused)
        return ""

    def ends(self, node: int, deadline_s: float) -> bool:
        """Whether a broker ends by itself in that time; what it says of it is no trouble then."""
        if not self.ended(node, deadline_s):
            return False
        self._deposed.add(self.name(node))
        return True

    def trouble(self) -> list[tuple[str, str]]:
        """As any host, but for the last words of a primary that was to end by itself."""
        return [
            (name, line)
            for name, line in super().trouble()
            if name not in self._deposed or DEPOSED not in line
        ]

    def jump(self, seconds: float) -> None:
        """Let the brokers' wall clocks be ahead by so much. Raises: HostError."""
        if self._clock is None:
            raise HostError("the brokers' clocks were not made to jump")
        for node in range(len(self.peer_addresses())):
            if not self.has_faked_clock(node):
                raise HostError(f"{self.name(node)} runs without libfaketime")
        self._clock.write_text(f"{seconds:+.0f}\n", "ascii")


class LinkedCluster(Linked, LocalCluster):
    """As ``LocalCluster``, with links that can fail."""

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        clients: bool,
        clock: bool = False,
        virtual: bool = False,
    ) -> None:
        """For the last three see ``wire``. Raises: HostError."""
        file = folder / "clock" if clock else None
        if file is not None:
            settings = faked(settings, libfaketime(), file)
        LocalCluster.__init__(self, folder, settings)
        self.wire(clients, virtual, file)

    def peer_addresses(self) -> list[str]:
        """Where every node listens."""
        return LocalCluster.addresses(self)

    def tell_clients(self) -> None:
        """The routes first: some may be told to clients. Raises: OSError."""
        self.links.start(self.peer_addresses(), self._clients)
        super().tell_clients()

    def ended(self, node: int, deadline_s: float) -> bool:
        """Whether its process ends in that time."""
        self.nodes[node].expected_dead = True
        try:
            self._process(node).wait(deadline_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def has_faked_clock(self, node: int) -> bool:
        """Whether the library is in the memory of its process."""
        process = self._process(node)
        if process.poll() is not None:
            return True
        maps = Path(f"/proc/{process.pid}/maps").read_text("utf-8", "replace")
        return str(libfaketime()) in maps

    def stop(self) -> list[tuple[str, int, bool]]:
        """The routes end when the brokers have."""
        out = LocalCluster.stop(self)
        self.links.close()
        return out


class LinkedContainers(Linked, ContainerCluster):
    """As ``ContainerCluster``, with links that can fail."""

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        engine: Docker,
        clients: bool,
        clock: bool = False,
        virtual: bool = False,
    ) -> None:
        """For the last three see ``wire``."""
        file = folder / "clock" if clock else None
        if file is not None:
            settings = faked(settings, IN_IMAGE, file)
        ContainerCluster.__init__(self, folder, settings, engine)
        self.wire(clients, virtual, file)

    def peer_addresses(self) -> list[str]:
        """Where every node listens."""
        return ContainerCluster.addresses(self)

    def tell_clients(self) -> None:
        """The routes first: some may be told to clients. Raises: HostError when they cannot be."""
        assert self.network is not None
        gateway = self.network.gateway
        try:
            self.links.start(self.peer_addresses(), self._clients, gateway)
        except OSError as error:
            raise HostError(f"no proxy can listen on {gateway}: {error}; {REMEDY}") from error
        host, _, port = self.links.address(0, 1).rpartition(":")
        knock = ["timeout", str(REACH_S), "bash", "-c", f": </dev/tcp/{host}/{port}"]
        try:
            self.engine.run_in(self.boxes[0].holder, knock)
        except DockerError as error:
            raise HostError(f"containers cannot reach {gateway} ({error}); {REMEDY}") from error
        super().tell_clients()

    def ended(self, node: int, deadline_s: float) -> bool:
        """Whether its container ends in that time."""
        box = self.boxes[node]
        box.expected_dead = True
        with translated():
            if self.engine.wait(box.container, deadline_s) is None:
                return False
            self._bury(box)
        return True

    def has_faked_clock(self, node: int) -> bool:
        """Whether the library is in the memory of the container's first process."""
        box = self.boxes[node]
        if box.code is not None:
            return True
        try:
            self.engine.run_in(box.container, ["grep", "-q", "libfaketime", "/proc/1/maps"])
        except DockerError:
            return False
        return True

    def stop(self) -> list[tuple[str, int, bool]]:
        """The routes end when the brokers have."""
        out = ContainerCluster.stop(self)
        self.links.close()
        return out
