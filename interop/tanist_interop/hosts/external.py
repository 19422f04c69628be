"""Brokers that are not ours: whatever a profile describes (``hosts.profile``).

Everything that is done to them is a command of the profile. Each is run by ``sh`` in the folder of
the run, and noted with its output in ``commands.log``. ``docs/external-brokers.md`` lists the
variables that it finds in its environment.

Which of them leads is their own affair unless the profile has ``promote``: the drill hits whoever
leads, and waits until they name another one. What a client calls a queue is the profile's, too.
"""

from __future__ import annotations

import glob
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from tanist_interop.hosts import ports
from tanist_interop.hosts.cluster import POLL_S
from tanist_interop.hosts.logs import bad_lines
from tanist_interop.hosts.operator import HostError
from tanist_interop.hosts.profile import ALL, QUEUE, Profile

LOG: Final = "commands.log"

FROZEN: Final = "frozen"
SUSPENDED: Final = "suspended"
"""Why a broker hangs: the freeze before a fault, or a fault."""

SHOWN: Final = 400
"""Characters of a command's output that an error repeats."""


@dataclass
class Running:
    """A command that was started, and where its output goes. A daemon that it leaves behind may
    keep the file open: nobody waits for its end."""

    verb: str
    node: int | None
    process: subprocess.Popen[bytes]
    output: IO[bytes]


class Shell:
    """Runs the commands of a profile in a folder; every call goes to a log there."""

    def __init__(self, profile: Profile, folder: Path, variables: dict[str, str]) -> None:
        self.profile = profile
        self.folder = folder
        self.variables = variables

    def begin(self, verb: str, node: int | None = None, **more: str) -> Running:
        """Start a command, which the profile must have. Raises: OSError."""
        named = {} if node is None else {"DRILL_NODE": f"n{node + 1}"}
        output = tempfile.TemporaryFile()  # noqa: SIM115 (``finish`` closes it)
        process = subprocess.Popen(
            ["sh", "-c", self.profile.command(verb, node or 0)],
            cwd=self.folder,
            env={**os.environ, **self.variables, **named, **more},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        return Running(verb, node, process, output)

    def finish(self, running: Running, timeout_s: float) -> tuple[int, str]:
        """Its exit status, -1 if it had to be killed after that time, and what it printed."""
        try:
            code = running.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(running.process.pid, signal.SIGKILL)  # with all that it started
            running.process.wait()
            code = -1
        with running.output as output:
            output.seek(0)
            text = output.read().decode("utf-8", "replace").strip()
        where = "" if running.node is None else f" n{running.node + 1}"
        with (self.folder / LOG).open("a", encoding="utf-8") as log:
            log.write(f"{time.monotonic():.3f} {running.verb}{where} -> {code} {text}\n")
        return code, text

    def ask(self, verb: str, node: int | None = None, **more: str) -> tuple[int, str]:
        """Start it and wait for its end. Raises: OSError."""
        return self.finish(self.begin(verb, node, **more), self.profile.limits.command)

    def do(self, verb: str, *nodes: int | None, **more: str) -> None:
        """Run it for each of these nodes at the same time. Raises: OSError, HostError."""
        every = [self.begin(verb, node, **more) for node in nodes]
        told = [(each, *self.finish(each, self.profile.limits.command)) for each in every]
        for each, code, text in told:
            if code != 0:
                where = "" if each.node is None else f" of n{each.node + 1}"
                raise HostError(
                    f"{self.profile.name}: {verb}{where} failed ({code}): {text[-SHOWN:]}"
                )


def question(profile: Profile, verb: str) -> tuple[int, str]:
    """Run a command of a profile that needs no run: ``needs`` or ``version``. Raises: OSError."""
    with tempfile.TemporaryDirectory(prefix="tanist-interop-") as folder:
        return Shell(profile, Path(folder), {"DRILL_PROFILE": str(profile.path.parent)}).ask(verb)


class Hangs:
    """What stands for the links of such brokers: nothing reaches one that hangs. One that a fault
    suspended as well goes on when both are over."""

    def __init__(self, host: ExternalHost) -> None:
        self._host = host

    def block(self, _source: int, target: int) -> None:
        """Let the target hang. Raises: HostError, OSError."""
        self._host.hold(target, FROZEN)

    def unblock(self, _source: int, target: int) -> None:
        """Let it go on. Raises: HostError, OSError."""
        self._host.let_go(target, FROZEN)

    def sever(self, one: int, other: int) -> None:
        """Connections end with their processes."""

    def slow(self, source: int, target: int, delay_s: float, octets_per_s: float) -> None:
        """Raises: HostError, always."""
        raise HostError("brokers of a profile have no links that the drill could slow down")

    def lossy(self, one: int, other: int, seed: int | None) -> None:
        """Raises: HostError, always."""
        raise HostError("brokers of a profile have no links that the drill could break")


class ExternalHost:
    """The brokers of a profile; ``start`` first, ``stop`` always."""

    def __init__(self, folder: Path, profile: Profile) -> None:
        self.folder = folder
        self.profile = profile
        self.elects = bool(profile.lacks("promote"))
        """They make one of them the primary by themselves."""
        self.patience_s = max(profile.limits.elect, profile.limits.ready)
        """How long nothing may move in a run against them."""
        self.links = Hangs(self)
        self._count = len(profile.brokers)
        self._ports: dict[str, int] = {}
        self._shell = Shell(profile, folder, {"DRILL_PROFILE": str(profile.path.parent)})
        self._queues: dict[str, str] = {}
        self._pids: dict[int, int] = {}
        self._away: set[int] = set()
        self._hung: dict[int, set[str]] = {}
        """Why each hangs that does."""
        self._lives = [0] * self._count

    # ----------------------------------------------------------------------------- what a host does

    def start(self) -> None:
        """Prepare and start every broker, all at the same time. Raises: OSError, HostError."""
        self._choose_ports()
        self._shell.variables |= {
            "DRILL_FOLDER": str(self.folder),
            "DRILL_NODES": " ".join(map(self.name, range(self._count))),
            **{f"DRILL_{name.upper()}": str(port) for name, port in self._ports.items()},
        }
        self._lives = [1] * self._count
        if self.profile.command("prepare"):
            self._shell.do("prepare", None)
        if not self.profile.lacks("start"):
            self._shell.do("start", *range(self._count))
        for node in range(self._count):
            self._note_pid(node)

    def addresses(self) -> list[str]:
        """``host:port`` of every node, in order."""
        out = []
        for node, broker in enumerate(self.profile.brokers):
            chosen = {p: self._ports.get(f"{self.name(node)}_{p}", 0) for p in self.profile.ports}
            out.append(broker.address.format(**chosen))
        return out

    def kill(self, node: int) -> None:
        """As the profile says. Raises: HostError, OSError."""
        self._away.add(node)
        self._hung.pop(node, None)
        self._shell.do("kill", node)

    def terminate(self, node: int) -> int:
        """As the profile says; 0, for nobody tells how such a broker ended. One that hangs goes on
        first: it would not hear of it. Raises: HostError, OSError; it is killed then."""
        self._away.add(node)
        if self._hung.pop(node, None):
            self._shell.do("resume", node)
        try:
            self._shell.do("stop", node)
        except HostError:
            if not self.profile.lacks("kill"):
                self._shell.ask("kill", node)
            raise
        return 0

    def suspend(self, node: int) -> None:
        """As the profile says. Raises: HostError, OSError."""
        self.hold(node, SUSPENDED)

    def resume(self, node: int) -> None:
        """As the profile says. Raises: HostError, OSError."""
        self.let_go(node, SUSPENDED)

    def hold(self, node: int, why: str) -> None:
        """Suspend it, unless it hangs already. Raises: HostError, OSError."""
        if node not in self._hung:
            self._shell.do("suspend", node)
        self._hung.setdefault(node, set()).add(why)

    def let_go(self, node: int, why: str) -> None:
        """Let it go on if nothing else holds it. Raises: HostError, OSError."""
        held = self._hung.get(node, set())
        if held == {why}:
            self._shell.do("resume", node)
            del self._hung[node]
        held.discard(why)

    def restart(self, node: int) -> None:
        """As the profile says. Raises: HostError, OSError."""
        self._shell.do("start", node)
        self._lives[node] += 1
        self._note_pid(node)
        self._away.discard(node)

    def life(self, node: int) -> int:
        """The number of its process: 1 is the first one."""
        return self._lives[node]

    def check_alive(self) -> None:
        """Raises: HostError if a process ended that nobody ended."""
        for node in self._pids.keys() - self._away:
            if not running(self._pids[node]):
                raise HostError(f"{self.name(node)} ended by itself")

    def memory_bytes(self, node: int) -> int:
        """0: how a broker of others may grow is not for the drill to say."""
        return 0

    def stop(self) -> list[tuple[str, int, bool]]:
        """Stop what the profile started, kill what does not stop; never raises."""
        out = []
        for node in self._pids.keys() - self._away:
            died = not running(self._pids[node])
            out.append((self.name(node), -1 if died else 0, not died))
        for step in (self._resume_all, self._end, self._clean_up):
            try:
                step()
            except (HostError, OSError) as error:
                with (self.folder / LOG).open("a", encoding="utf-8") as log:
                    log.write(f"{time.monotonic():.3f} taking down: {error}\n")
        return out

    def _resume_all(self) -> None:
        for node in sorted(self._hung):
            self._shell.do("resume", node)

    def _clean_up(self) -> None:
        if self.profile.command("cleanup") and any(self._lives):
            self._shell.do("cleanup", None)

    def _end(self) -> None:
        if self.profile.lacks("start"):  # they were there before, and stay
            return
        left = [node for node, lives in enumerate(self._lives) if lives and node not in self._away]
        every = [self._shell.begin("stop", node) for node in left]
        for node, each in zip(left, every, strict=True):
            code, _ = self._shell.finish(each, self.profile.limits.command)
            if code != 0 and not self.profile.lacks("kill"):
                self._shell.ask("kill", node)

    def logs(self) -> list[tuple[str, Path]]:
        """Node and path of every log that the profile names and that is there."""
        out = []
        for node, broker in enumerate(self.profile.brokers):
            for pattern in broker.logs:
                names = glob.glob(pattern, root_dir=self.folder)
                out += [(self.name(node), self.folder / name) for name in sorted(names)]
        return out

    # ------------------------------------------------------------------------- what is asked of it

    def statuses(self, nodes: list[int], timeout_s: float = 5.0) -> list[str]:
        """``ready`` for each that says so (or, if the profile cannot ask, takes connections)."""
        if self.profile.lacks("ready"):
            addresses = self.addresses()
            return ["ready" * connectable(addresses[node], timeout_s) for node in nodes]
        every = [self._shell.begin("ready", node) for node in nodes]
        limit_s = min(timeout_s, self.profile.limits.command)
        return ["ready" * (self._shell.finish(each, limit_s)[0] == 0) for each in every]

    def in_sync(self, primary: int, timeout_s: float = 5.0) -> list[int] | None:
        """Those that are ready, but for the primary."""
        nodes = [node for node in range(self._count) if node != primary]
        words = self.statuses(nodes, timeout_s)
        return [node for node, word in zip(nodes, words, strict=True) if word == "ready"]

    def digests(self) -> list[dict[str, object] | None]:
        """Nobody can be asked."""
        return []

    def promote(self, node: int) -> None:
        """As the profile says. Raises: HostError, OSError."""
        self._shell.do("promote", node)

    def leader(self) -> int | None:
        """Who leads by the word of the profile, which may be a name or an address."""
        if not self.profile.command("leader"):
            return None
        code, text = self._shell.ask("leader")
        last = text.splitlines()[-1].strip() if code == 0 and text else ""
        names = [self.name(node) for node in range(self._count)]
        for known in (names, self.addresses()):
            if last in known:
                return known.index(last)
        return None

    def address_of(self, queue: str) -> str:
        """What the profile makes of its name."""
        address = self.profile.address.replace(QUEUE, queue)
        self._queues[address] = queue
        return address

    def options_of(self, client: str) -> dict[str, str]:
        """What the profile says for all programs, and for this one."""
        options = self.profile.options
        return {**options.get(ALL, {}), **options.get(client, {})}

    def declare(self, queues: list[str]) -> bool:
        """As the profile says, at whoever leads. Raises: HostError, OSError."""
        if self.profile.lacks("declare"):
            return False
        node = self.leader() or 0
        for address in queues:
            self._shell.do("declare", node, DRILL_QUEUE=self._queues[address])
        return True

    def tell_all(self, node: int) -> None:
        """Raises: HostError, always."""
        raise HostError("a profile has no command that changes what brokers tell clients")

    def configure(self, node: int, commands: list[list[str]]) -> None:
        """Raises: HostError, always."""
        raise HostError("qpid-config is for our own brokers")

    def form(self, deadline_s: float, pause: Callable[[float], None] = time.sleep) -> None:
        """Wait until all are ready; make node 0 the primary if the drill promotes. Raises:
        HostError, OSError."""
        until = time.monotonic() + max(deadline_s, self.profile.limits.form)
        if not self.elects:
            self.promote(0)
        for node in range(self._count):
            self._await(node, until, pause)

    def wait_ready(
        self, node: int, deadline_s: float, pause: Callable[[float], None] = time.sleep
    ) -> None:
        """Wait until a node is ready. Raises: HostError."""
        self._await(node, time.monotonic() + max(deadline_s, self.profile.limits.ready), pause)

    def trouble(self) -> list[tuple[str, str]]:
        """Per bad line in a log, as the profile names them: the node and the line."""
        marks = self.profile.bad_lines
        return [(name, line) for name, log in self.logs() for line in bad_lines(log, marks)]

    @staticmethod
    def name(node: int) -> str:
        """What a node is called in histories and reports."""
        return f"n{node + 1}"

    def _await(self, node: int, until: float, pause: Callable[[float], None]) -> None:
        began = time.monotonic()
        while self.statuses([node]) != ["ready"]:
            self.check_alive()
            if time.monotonic() > until:
                waited = time.monotonic() - began
                raise HostError(f"{self.name(node)} is not ready after {waited:.0f} s")
            pause(POLL_S)

    def _choose_ports(self) -> None:
        names = list(self.profile.shared_ports)
        names += [f"{self.name(n)}_{p}" for n in range(self._count) for p in self.profile.ports]
        listeners = ports.choose(len(names))
        self._ports = {}
        for name, listener in zip(names, listeners, strict=True):
            self._ports[name] = listener.getsockname()[1]
            listener.close()

    def _note_pid(self, node: int) -> None:
        if not self.profile.command("pid", node):
            return
        code, text = self._shell.ask("pid", node)
        if code != 0 or not re.fullmatch(r"\d+", text):
            raise HostError(f"{self.name(node)}: pid says {text[:SHOWN]!r} ({code}), no number")
        self._pids[node] = int(text)


def connectable(address: str, timeout_s: float) -> bool:
    """Whether somebody takes connections there."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout_s):
            return True
    except OSError:
        return False


def running(pid: int) -> bool:
    """Whether there is such a process on this machine, and not only its remains."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return True
    return state != "Z"
