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
from dataclasses import dataclass, field
from pathlib import Path

from tanist_interop.hosts.cluster import STOP_S, Cluster, Settings
from tanist_interop.hosts.operator import HostError
from tanist_interop.hosts.ports import LOOPBACK, choose, listen


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


class LocalCluster(Cluster):
    """Brokers n1, n2, ...; ``start`` first, ``stop`` always."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        super().__init__(folder, settings)
        self.nodes: list[Node] = []

    def start(self) -> None:
        """Start every broker; they are joining until one is promoted. Raises: OSError."""
        listeners = choose(self.settings.nodes)
        self.nodes = [
            Node(f"n{number}", listener.getsockname()[1])
            for number, listener in enumerate(listeners, 1)
        ]
        self.tell_clients()
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
            *self.options(self.nodes.index(node), str(self.folder / node.name), str(log)),
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

    def life(self, node: int) -> int:
        """The number of its process: 1 is the first one."""
        return self.nodes[node].lives

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

    def logs(self) -> list[tuple[str, Path]]:
        """Node and path of every log, and of what its process wrote to standard error."""
        return [(node.name, log) for node in self.nodes for log in node.logs]

    def _process(self, node: int) -> subprocess.Popen[bytes]:
        process = self.nodes[node].process
        if process is None:
            raise HostError(f"{self.nodes[node].name} was never started")
        return process
