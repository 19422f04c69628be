"""Brokers as processes of this machine.

The host creates the listening sockets (``hosts.ports``) and hands each to its broker with
``--socket-fd``; it keeps no copy, so a dead broker's port refuses connections at once.
Data directories and logs live in the run folder, one per node. A restart listens on the same port
and writes a log of its own (``n1.2.log`` for the second life of ``n1``).
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tanist_interop.hosts.operator import HostError, Operator
from tanist_interop.hosts.ports import LOOPBACK, choose, listen

STOP_S: Final = 5.0
"""A broker must have ended so long after SIGTERM."""

POLL_S: Final = 0.05

QUEUE_PATTERN: Final = "drill.*"
"""Brokers create queues of such names for AMQP 1.0 clients that name one: JMS has no other way."""

TROUBLE: Final = ("Traceback (most recent call last)", "] critical")
"""What must not be in a broker's log."""

MAX_TROUBLE_LINES: Final = 50
"""Lines taken from one log: enough for a human, whatever a broken broker writes."""


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


@dataclass
class Node:
    """One broker's address, its process and its logs."""

    name: str
    port: int
    process: subprocess.Popen[bytes] | None = None
    lives: int = 0
    expected_dead: bool = False
    logs: list[Path] = field(default_factory=list)

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"{LOOPBACK}:{self.port}"


class LocalCluster:
    """Brokers n1, n2, ...; ``start`` first, ``stop`` always."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder = folder
        self.settings = settings
        self.nodes: list[Node] = []
        self.told: list[str] = []
        """Addresses that the brokers tell clients."""
        self.operator = Operator(settings.qpid_ha, folder / "qpid-ha.log")
        self.configurator = Operator(settings.qpid_config, folder / "qpid-config.log")

    def start(self) -> None:
        """Start every broker; they are joining until one is promoted. Raises: OSError."""
        listeners = choose(self.settings.nodes)
        self.nodes = [
            Node(f"n{number}", listener.getsockname()[1])
            for number, listener in enumerate(listeners, 1)
        ]
        self.told = self.addresses()[: 1 if self.settings.tell_first else None]
        for node, listener in zip(self.nodes, listeners, strict=True):
            self._start_node(node, listener)

    def addresses(self) -> list[str]:
        """``host:port`` of every node, in order."""
        return [node.address for node in self.nodes]

    def command(self, node: Node, descriptor: int, log: Path) -> list[str]:
        """The broker's command line."""
        return [
            *self.settings.qpidd,
            f"--socket-fd={descriptor}",
            "--listen-disable=tcp",
            f"--port={node.port}",
            "--auth=no",
            f"--data-dir={self.folder / node.name}",
            "--ha-cluster=yes",
            f"--ha-brokers-url={','.join(self.addresses())}",
            f"--ha-public-url={','.join(self.told)}",
            "--ha-replicate=all",
            f"--queue-patterns={QUEUE_PATTERN}",
            "--link-maintenance-interval=0.1",
            "--max-negotiate-time=2000",
            f"--link-heartbeat-interval={self.settings.link_heartbeat_s}",
            "--log-enable=info+",
            f"--log-to-file={log}",
            "--log-to-stderr=no",
            *self.settings.options,
        ]

    def _start_node(self, node: Node, listener: socket.socket) -> None:
        node.lives += 1
        node.expected_dead = False
        stem = node.name if node.lives == 1 else f"{node.name}.{node.lives}"
        log, errors = self.folder / f"{stem}.log", self.folder / f"{stem}.err"
        node.logs += [log, errors]
        (self.folder / node.name).mkdir(exist_ok=True)
        with listener, errors.open("wb") as stderr:
            node.process = subprocess.Popen(
                self.command(node, listener.fileno(), log),
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                pass_fds=(listener.fileno(),),
                start_new_session=True,
            )

    def kill(self, node: int) -> None:
        """SIGKILL; returns when the process is gone."""
        process = self._process(node)
        self.nodes[node].expected_dead = True
        process.kill()
        process.wait()

    def terminate(self, node: int) -> int:
        """SIGTERM; the exit code. Raises: HostError if it does not end (it is killed then)."""
        process = self._process(node)
        self.nodes[node].expected_dead = True
        process.terminate()
        try:
            return process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            name = self.nodes[node].name
            raise HostError(f"{name} did not end {STOP_S:g} s after SIGTERM") from None

    def suspend(self, node: int) -> None:
        """SIGSTOP."""
        self._process(node).send_signal(signal.SIGSTOP)

    def resume(self, node: int) -> None:
        """SIGCONT."""
        self._process(node).send_signal(signal.SIGCONT)

    def restart(self, node: int) -> None:
        """Start a dead broker again on its old port. Raises: OSError, HostError."""
        subject = self.nodes[node]
        if self._process(node).poll() is None:
            raise HostError(f"{subject.name} is still running")
        self._start_node(subject, listen(subject.port))

    def statuses(self, nodes: list[int], timeout_s: float = 5.0) -> list[str]:
        """Status words of these nodes by ``qpid-ha status``; empty for no answer."""
        return self.operator.statuses([self.nodes[node].address for node in nodes], timeout_s)

    def in_sync(self, primary: int, timeout_s: float = 5.0) -> list[int] | None:
        """The backups that this primary itself lists as ready; None if it does not say so as a
        primary. Raises: HostError."""
        ready = self.operator.ready_members(self.nodes[primary].address, timeout_s)
        if ready is None:
            return None
        return [number for number, node in enumerate(self.nodes) if node.address in ready]

    def life(self, node: int) -> int:
        """The number of its process: 1 is the first one."""
        return self.nodes[node].lives

    def promote(self, node: int) -> None:
        """``qpid-ha promote``. Raises: HostError."""
        self.operator.promote(self.nodes[node].address)

    def tell_all(self, node: int) -> None:
        """Make the brokers tell clients every address, as an operator does: those that run by
        ``qpid-ha set`` on this one, those that start later by their options. Raises: HostError."""
        self.told = self.addresses()
        self.operator.set_public_url(self.nodes[node].address, ",".join(self.told))

    def configure(self, node: int, commands: list[list[str]]) -> None:
        """Let ``qpid-config`` do these, as an operator does, in any order. Raises: HostError."""
        self.configurator.run(self.nodes[node].address, commands)

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
        for node in range(1, len(self.nodes)):
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
                name = self.nodes[node].name
                raise HostError(f"{name} is {status or 'silent'}, not ready, after {deadline_s} s")
            pause(POLL_S)

    def check_alive(self) -> None:
        """Raises: HostError if a broker ended that nobody killed."""
        for node in self.nodes:
            code = None if node.process is None else node.process.poll()
            if code is not None and not node.expected_dead:
                raise HostError(f"{node.name} ended by itself with code {code}")

    def memory_bytes(self, node: int) -> int:
        """Resident memory of a broker, 0 if it does not run or this is not Linux."""
        process = self.nodes[node].process
        if process is None or process.poll() is not None:
            return 0
        try:
            text = Path(f"/proc/{process.pid}/statm").read_text("ascii")
        except OSError:
            return 0
        return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def stop(self) -> list[tuple[str, int, bool]]:
        """SIGTERM to all, SIGKILL to the slow; per node its name, code and whether that was to be
        expected. Never raises."""
        early = set()
        for node in self.nodes:
            if node.process is None:
                continue
            if node.process.poll() is None:
                node.process.send_signal(signal.SIGCONT)
                node.process.terminate()
            elif not node.expected_dead:
                early.add(node.name)
        until = time.monotonic() + STOP_S
        out = []
        for node in self.nodes:
            if node.process is None:
                continue
            try:
                code = node.process.wait(max(0.01, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                node.process.kill()
                code = node.process.wait()
            expected = node.expected_dead or (code == 0 and node.name not in early)
            out.append((node.name, code, expected))
        return out

    def trouble(self) -> list[tuple[str, str]]:
        """Per bad line in a log: the node and the line (of a traceback, its last line too)."""
        out = []
        for node in self.nodes:
            for log in node.logs:
                if log.exists():
                    out += [(node.name, line) for line in bad_lines(log)]
        return out

    def _process(self, node: int) -> subprocess.Popen[bytes]:
        process = self.nodes[node].process
        if process is None:
            raise HostError(f"{self.nodes[node].name} was never started")
        return process


def bad_lines(log: Path) -> list[str]:
    """Lines of a broker's log that must not be there."""
    out: list[str] = []
    in_traceback = False
    with log.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            text = line.rstrip()
            if in_traceback and text and not text.startswith((" ", "\t")):
                out[-1] += " ... " + text
                in_traceback = False
            elif any(mark in text for mark in TROUBLE):
                out.append(text)
                in_traceback = TROUBLE[0] in text
            if len(out) >= MAX_TROUBLE_LINES:
                break
    return out
