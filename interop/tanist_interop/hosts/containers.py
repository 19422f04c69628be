"""Brokers as containers of the engine that answers, each with an address of its own.

All of a run is in one network without masquerading: brokers at fixed addresses, client programs
(``drivers.container``) at others. No names, so that no dead broker's is looked up. The folder of
the run is seen in every broker under its own path, so data directories and logs are where the local
host has them; a restart is a new container on the old address with a log of its own. The operator's
commands run on this machine and reach the addresses directly, so the engine must be this machine's
and Linux (``runner.hosting`` asks it).

A broker is the first process of its container and gets its signals as on the local host, also
SIGSTOP: the engine's own pause fails on a busy machine with cgroups v1 ("unable to freeze").

A node is two containers, as a machine and a process on it: one that holds the address, and the
broker inside its network. So a dead broker's port refuses connections at once, as that of a dead
process does.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tanist_interop.docker_api import Docker, DockerError, Network, Wish
from tanist_interop.hosts.cluster import STOP_S, Cluster, Settings
from tanist_interop.hosts.operator import HostError

IMAGE: Final = "tanist-broker"
PORT: Final = 5672


@dataclass
class Box:
    """One broker's address, its container and its logs."""

    name: str
    address: str
    holder: str = ""
    container: str = ""
    lives: int = 0
    expected_dead: bool = False
    code: int | None = None
    logs: list[Path] = field(default_factory=list)


class ContainerCluster(Cluster):
    """Brokers n1, n2, ...; ``start`` first, ``stop`` always."""

    def __init__(self, folder: Path, settings: Settings, engine: Docker) -> None:
        super().__init__(folder, settings)
        self.engine = engine
        self.group = f"tanist-{os.getpid()}-{folder.name}"[:60]
        self.network: Network | None = None
        self.boxes: list[Box] = []

    def start(self) -> None:
        """Make the network, start every broker. Raises: HostError."""
        with translated():
            if not self.engine.has_image(IMAGE):
                raise HostError(f"no image {IMAGE}; run interop/images.sh broker")
            self.network = self.engine.new_network(self.group, self.group)
            self.boxes = [
                Box(self.name(node), self.network.fixed(node))
                for node in range(self.settings.nodes)
            ]
            with ThreadPoolExecutor() as pool:
                list(pool.map(self._hold, self.boxes))
                self.tell_clients()
                list(pool.map(self._start, range(self.settings.nodes)))

    def addresses(self) -> list[str]:
        """``host:port`` of every node, in order."""
        return [f"{box.address}:{PORT}" for box in self.boxes]

    def _hold(self, box: Box) -> None:
        """The container that has the address, for as long as the run lasts."""
        box.holder = self.engine.create(
            Wish(
                IMAGE, ["sleep", "infinity"], self.group, name=f"{self.group}-{box.name}-address",
                network=self.network, address=box.address,
            )
        )  # fmt: skip
        self.engine.start(box.holder)

    def _start(self, node: int) -> None:
        box = self.boxes[node]
        box.lives += 1
        box.expected_dead = False
        box.code = None
        stem = box.name if box.lives == 1 else f"{box.name}.{box.lives}"
        log, errors = self.folder / f"{stem}.log", self.folder / f"{stem}.err"
        box.logs += [log, errors]
        (self.folder / box.name).mkdir(exist_ok=True)
        box.container = self.engine.create(
            Wish(
                IMAGE,
                [
                    *self.settings.qpidd,
                    f"--port={PORT}",
                    *self.options(node, str(self.folder / box.name), str(log)),
                ],
                self.group,
                name=f"{self.group}-{stem}",
                inside_of=box.holder,
                folder=self.folder,
                user=f"{os.getuid()}:{os.getgid()}",
                init=False,
            )
        )
        self.engine.start(box.container)

    def kill(self, node: int) -> None:
        """SIGKILL; returns when the process is gone."""
        box = self._box(node)
        box.expected_dead = True
        with translated():
            self.engine.signal(box.container, "SIGKILL")
            if self.engine.wait(box.container, STOP_S) is None:
                raise HostError(f"{box.name} did not end {STOP_S:g} s after SIGKILL")
            self._bury(box)

    def terminate(self, node: int) -> int:
        """SIGTERM; the exit code. Raises: HostError if it does not end (it is killed then)."""
        box = self._box(node)
        box.expected_dead = True
        with translated():
            self.engine.signal(box.container, "SIGTERM")
            code = self.engine.wait(box.container, STOP_S)
            if code is None:
                self.kill(node)
                raise HostError(f"{box.name} did not end {STOP_S:g} s after SIGTERM")
            self._bury(box)
        return code

    def suspend(self, node: int) -> None:
        """SIGSTOP."""
        with translated():
            self.engine.signal(self._box(node).container, "SIGSTOP")

    def resume(self, node: int) -> None:
        """SIGCONT."""
        with translated():
            self.engine.signal(self._box(node).container, "SIGCONT")

    def restart(self, node: int) -> None:
        """Start a dead broker again at its old address. Raises: HostError."""
        box = self._box(node)
        with translated():
            if box.code is None and self.engine.exit_code(box.container) is None:
                raise HostError(f"{box.name} is still running")
            self._bury(box)
            self._start(node)

    def life(self, node: int) -> int:
        """The number of its container: 1 is the first one."""
        return self.boxes[node].lives

    def check_alive(self) -> None:
        """Raises: HostError if a broker ended that nobody killed."""
        with translated():
            running = self.engine.running(self.group)
            for box in self.boxes:
                if box.container and box.container not in running and not box.expected_dead:
                    code = self.engine.exit_code(box.container)
                    raise HostError(f"{box.name} ended by itself with code {code}")

    def memory_bytes(self, node: int) -> int:
        """Memory of a broker without the kernel's caches, 0 if it does not run."""
        box = self.boxes[node]
        return self.engine.memory_bytes(box.container) if box.code is None else 0

    def stop(self) -> list[tuple[str, int, bool]]:
        """SIGTERM to all, SIGKILL to the slow; then nothing of the run is left in the engine."""
        out: list[tuple[str, int, bool]] = []
        try:
            started = [box for box in self.boxes if box.container]
            early = {
                box.name
                for box in started
                if not box.expected_dead and self.engine.exit_code(box.container) is not None
            }
            for box in started:
                if box.code is None and box.name not in early:
                    self.engine.signal(box.container, "SIGCONT")
                    self.engine.signal(box.container, "SIGTERM")
            for box in started:
                code = self._end(box)
                expected = box.expected_dead or (code == 0 and box.name not in early)
                out.append((box.name, code, expected))
        except DockerError as error:
            (self.folder / "engine.err").write_text(f"{error}\n", "utf-8")
        finally:
            with contextlib.suppress(DockerError):
                self.engine.sweep(self.group)
        return out

    def _end(self, box: Box) -> int:
        if box.code is not None:
            return box.code
        code = self.engine.wait(box.container, STOP_S)
        if code is None:
            self.engine.signal(box.container, "SIGKILL")
            code = self.engine.wait(box.container, STOP_S)
        self._bury(box)
        return -9 if code is None else code

    def logs(self) -> list[tuple[str, Path]]:
        """Node and path of every log, and of what the container printed."""
        return [(box.name, log) for box in self.boxes for log in box.logs]

    def _bury(self, box: Box) -> None:
        """Note how a dead container ended, keep what it printed, remove it."""
        if box.code is not None:
            return
        box.code = self.engine.exit_code(box.container)
        box.logs[-1].write_bytes(self.engine.printed(box.container))
        self.engine.remove(box.container)

    def _box(self, node: int) -> Box:
        if not self.boxes[node].container:
            raise HostError(f"{self.boxes[node].name} was never started")
        return self.boxes[node]


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """What the engine could not do is the host's error."""
    try:
        yield
    except DockerError as error:
        raise HostError(str(error)) from error
