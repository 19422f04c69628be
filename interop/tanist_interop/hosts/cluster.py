"""What the runner needs of a set of brokers, wherever they run: the host.

Brokers are numbered from 0 and named n1, n2, ... A host starts them, does to them what a fault does
(kill, terminate, suspend, resume, restart), and knows under which address clients reach each
(``addresses``), under which the operator does (``peer_addresses``), and under which a broker
reaches the others (``members``): the same ones, unless their links are to fail (``linked``).
Everything an operator does goes through ``qpid-ha`` and ``qpid-config``, as people do it, and is
the same on every host: it is here. ``local`` runs the brokers as processes, ``docker`` as
containers. Brokers that are not ours are another matter (``external``).

A host knows nothing of clients and scenarios. Its files (logs, data) are in the folder of the run.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tanist_interop.hosts.logs import bad_lines
from tanist_interop.hosts.operator import HostError, Operator

STOP_S: Final = 5.0
"""A broker must have ended so long after SIGTERM."""

POLL_S: Final = 0.05

QUEUE_PATTERN: Final = "drill.*"
"""Brokers create queues of such names for AMQP 1.0 clients that name one: JMS has no other way."""


@dataclass(frozen=True)
class Settings:
    """How to run the cluster. Commands are argument lists; ``options`` go to every broker."""

    qpidd: tuple[str, ...]
    qpid_ha: tuple[str, ...]
    nodes: int = 3
    link_heartbeat_s: int = 1
    options: tuple[str, ...] = ()
    tell_first: bool = False
    """Clients are told the first broker's address only, until ``tell_all``."""
    qpid_config: tuple[str, ...] = ("qpid-config",)


class Cluster(ABC):
    """Brokers n1, n2, ...; ``start`` first, ``stop`` always."""

    elects = False
    """Somebody promotes one of them."""
    patience_s = 0.0
    """They need no more time than a run gives."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder = folder
        self.settings = settings
        self.told: list[str] = []
        """Addresses that the brokers tell clients; ``start`` sets them with ``tell_clients``."""
        self.operator = Operator(settings.qpid_ha, folder / "qpid-ha.log")
        self.configurator = Operator(settings.qpid_config, folder / "qpid-config.log")

    # ------------------------------------------------------------------ what each host does its way

    @abstractmethod
    def start(self) -> None:
        """Start every broker; they are joining until one is promoted. Raises: OSError, HostError
        (``stop`` all the same)."""

    @abstractmethod
    def addresses(self) -> list[str]:
        """``host:port`` of every node in order, as clients reach it."""

    def peer_addresses(self) -> list[str]:
        """``host:port`` of every node in order, where it listens."""
        return self.addresses()

    def members(self, node: int) -> list[str]:
        """``host:port`` of every node in order, as this one is to reach it."""
        del node
        return self.peer_addresses()

    @abstractmethod
    def kill(self, node: int) -> None:
        """SIGKILL, hung or not; returns when the process is gone. Raises: HostError."""

    @abstractmethod
    def terminate(self, node: int) -> int:
        """SIGTERM; the exit code. Raises: HostError if it does not end (it is killed then)."""

    @abstractmethod
    def suspend(self, node: int) -> None:
        """Let it hang: the kernel still takes connections and bytes, nobody answers."""

    @abstractmethod
    def resume(self, node: int) -> None:
        """Let one that hangs go on."""

    @abstractmethod
    def restart(self, node: int) -> None:
        """Start a dead broker again under its old addresses. Raises: OSError, HostError."""

    @abstractmethod
    def life(self, node: int) -> int:
        """The number of its process: 1 is the first one."""

    @abstractmethod
    def check_alive(self) -> None:
        """Raises: HostError if a broker ended that nobody killed."""

    @abstractmethod
    def memory_bytes(self, node: int) -> int:
        """Memory that a broker's process holds; 0 if it does not run, or nobody can tell."""

    @abstractmethod
    def stop(self) -> list[tuple[str, int, bool]]:
        """SIGTERM to all, SIGKILL to the slow; per node its name, its code (negative: the signal
        that ended it) and whether that was to be expected. Leaves only files. Never raises."""

    @abstractmethod
    def logs(self) -> list[tuple[str, Path]]:
        """Node and path of every log that a broker wrote, in order; complete after ``stop``."""

    # ------------------------------------------------------------- what an operator does, anywhere

    def name(self, node: int) -> str:
        """What a node is called in histories and reports."""
        return f"n{node + 1}"

    def statuses(self, nodes: list[int], timeout_s: float = 5.0) -> list[str]:
        """Status words of these nodes by ``qpid-ha status``; empty for no answer."""
        every = self.peer_addresses()
        return self.operator.statuses([every[node] for node in nodes], timeout_s)

    def in_sync(self, primary: int, timeout_s: float = 5.0) -> list[int] | None:
        """The backups that this primary itself lists as ready; None if it does not say so as a
        primary. Raises: HostError."""
        every = self.peer_addresses()
        ready = self.operator.ready_members(every[primary], timeout_s)
        if ready is None:
            return None
        return [node for node, address in enumerate(every) if address in ready]

    def digests(self) -> list[dict[str, object] | None]:
        """What each node holds, as ``qpid-ha digest`` says; None for no answer. Empty if there is
        no such question."""
        return self.operator.digests(self.peer_addresses())

    def promote(self, node: int) -> None:
        """``qpid-ha promote``. Raises: HostError."""
        self.operator.promote(self.peer_addresses()[node])

    def leader(self) -> int | None:
        """Whoever was promoted: nobody needs to ask."""
        return None

    def address_of(self, queue: str) -> str:
        """What clients call this queue."""
        return queue

    def options_of(self, client: str) -> dict[str, str]:
        """What this client program needs to connect, beside an address: nothing."""
        del client
        return {}

    def declare(self, queues: list[str]) -> bool:
        """Whether the host made these queues: clients are to make them."""
        del queues
        return False

    def tell_all(self, node: int) -> None:
        """Make the brokers tell clients every address, as an operator does: those that run by
        ``qpid-ha set`` on this one, those that start later by their options. Raises: HostError."""
        self.told = self.addresses()
        self.operator.set_public_url(self.peer_addresses()[node], ",".join(self.told))

    def configure(self, node: int, commands: list[list[str]]) -> None:
        """Let ``qpid-config`` do these, as an operator does, in any order. Raises: HostError."""
        self.configurator.run(self.peer_addresses()[node], commands)

    def form(self, deadline_s: float, pause: Callable[[float], None] = time.sleep) -> None:
        """Make node 0 the primary and wait until the others are ready. Raises: HostError."""
        until = time.monotonic() + deadline_s
        while True:
            self.check_alive()
            try:
                self.promote(0)
                break
            except HostError:
                if time.monotonic() > until:
                    raise
            pause(POLL_S)
        for node in range(1, self.settings.nodes):
            self.wait_ready(node, max(0.1, until - time.monotonic()), pause)

    def wait_ready(
        self, node: int, deadline_s: float, pause: Callable[[float], None] = time.sleep
    ) -> None:
        """Wait until a node is a ready backup. Raises: HostError."""
        until = time.monotonic() + deadline_s
        patience_s = min(5.0, max(1.0, deadline_s))
        while (status := self.statuses([node], patience_s)[0]) != "ready":
            self.check_alive()
            if time.monotonic() > until:
                word = status or "silent"
                raise HostError(f"{self.name(node)} is {word}, not ready, after {deadline_s} s")
            pause(POLL_S)

    def trouble(self) -> list[tuple[str, str]]:
        """Per bad line in a log: the node and the line (of a traceback, its last line too)."""
        present = [(name, log) for name, log in self.logs() if log.exists()]
        return [(name, line) for name, log in present for line in bad_lines(log)]

    # ------------------------------------------------------------------------- for the hosts

    def tell_clients(self) -> None:
        """What brokers tell clients from the start; needs ``addresses``."""
        self.told = self.addresses()[: 1 if self.settings.tell_first else None]

    def options(self, node: int, data_dir: str, log: str) -> list[str]:
        """The options of a broker, where its data and its log are as the broker sees it; those of
        the command line go last. A host puts those about its sockets before them."""
        return [
            "--auth=no",
            f"--data-dir={data_dir}",
            "--ha-cluster=yes",
            f"--ha-brokers-url={','.join(self.members(node))}",
            f"--ha-public-url={','.join(self.told)}",
            "--ha-replicate=all",
            f"--queue-patterns={QUEUE_PATTERN}",
            "--link-maintenance-interval=0.1",
            "--max-negotiate-time=2000",
            f"--link-heartbeat-interval={self.settings.link_heartbeat_s}",
            "--log-enable=info+",
            f"--log-to-file={log}",
            "--log-to-stderr=no",
            "--log-hires-timestamp=yes",
            *self.settings.options,
        ]
