"""A network that misbehaves the way networks do: TCP connections between named hosts.

A *pipe* is one connection. Each direction keeps its order and every write takes its own random
time, so different connections overtake each other. A write may arrive in two pieces. What a
direction carries waits in one line: the head is delivered when its time has come **and** the way is
open. Hence a *blocked* way (a partition) loses nothing of a connection that outlives it, delivers
nothing meanwhile, and tells nobody: the ends find out by their heartbeats.

Ways are blocked for pairs ``(from, to)`` of hosts, so that partitions may be one-way or partial.
Whoever drops a connection stops it for himself at once; the other end learns when the news gets
through. A host without power says nothing at all; its peers learn when it is back.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from random import Random
from typing import Protocol

from tests.sim.plan import NetworkPlan
from tests.sim.world import World

CLIENT = 0
SERVER = 1
"""The two ends of a pipe: who dialled, who accepted."""

RETRANSMIT_S = 1.0
"""After a way is open again, TCP tries within this time."""

HIGH_BYTES_FACTOR = 4
"""A full connection is writable again when it holds this much less."""

Way = tuple[str, str]


class Endpoint(Protocol):
    """One end of a pipe."""

    def pipe_data(self, pipe: Pipe, data: bytes) -> None:
        """Bytes arrived."""

    def pipe_closed(self, pipe: Pipe, reason: str) -> None:
        """The pipe is gone; called once, unless this end closed it itself."""

    def pipe_full(self, pipe: Pipe, full: bool) -> None:
        """What this end wrote piles up, or has drained."""


class Listener(Protocol):
    """A host that accepts connections."""

    name: str
    powered: bool
    alive: bool

    def accept(self, pipe: Pipe) -> Endpoint:
        """Somebody connected."""


class Pipe:
    """A connection. Index 0 is the dialler's end, 1 the accepter's; lines are named by receiver."""

    __slots__ = ("broken", "dice", "ends", "full", "last", "lines", "name", "open", "size", "ways")

    def __init__(self, name: str, hosts: Way, client: Endpoint, dice: Random) -> None:
        self.name = name
        self.dice = dice
        self.ends: list[Endpoint] = [client, client]
        self.ways: tuple[Way, Way] = ((hosts[1], hosts[0]), hosts)
        self.open = [True, True]
        self.broken = False
        """Cut in the middle: nothing written from now on arrives."""
        self.lines: tuple[deque[Piece], deque[Piece]] = (deque(), deque())
        self.last = [0.0, 0.0]
        self.size = [0, 0]
        self.full = [False, False]


class Piece:
    """Bytes under way; ``data`` empty: the end of the connection, for ``reason``."""

    __slots__ = ("data", "ready", "reason")

    def __init__(self, ready: float, data: bytes, reason: str = "") -> None:
        self.ready = ready
        self.data = data
        self.reason = reason


class Dial:
    """An attempt to connect. ``over``: it succeeded, failed or was given up."""

    __slots__ = ("answer", "client", "dice", "hosts", "name", "over", "target", "waiting")

    def __init__(
        self,
        name: str,
        hosts: Way,
        client: Endpoint,
        target: Listener,
        answer: Callable[[Pipe | None, str], None],
        dice: Random,
    ) -> None:
        self.name = name
        self.dice = dice
        self.hosts = hosts
        self.client = client
        self.target = target
        self.answer = answer
        self.over = False
        self.waiting = False


class Network:
    """All connections, and which ways are blocked or slow."""

    def __init__(self, world: World, plan: NetworkPlan) -> None:
        self.world = world
        self.plan = plan
        self.pipes: list[Pipe] = []
        self.storm_s = 0.0
        """Every delay may be longer by so much."""
        self.slow: dict[str, tuple[float, float]] = {}
        """Host -> (seconds added to each delay, bytes a second)."""
        self._busy_until: dict[str, float] = {}
        self._blocked: Counter[Way] = Counter()
        self._dials: list[Dial] = []
        self._numbers: Counter[str] = Counter()

    # -- ways -------------------------------------------------------------------------------

    def block(self, ways: Iterable[Way]) -> Callable[[], None]:
        """Let nothing through on these ways; returns what opens them again (once)."""
        taken = list(ways)
        self._blocked.update(taken)

        def unblock() -> None:
            for way in taken:
                self._blocked[way] -= 1
                if self._blocked[way] <= 0:
                    del self._blocked[way]
            taken.clear()
            self._resume()

        return unblock

    def is_open(self, source: str, target: str) -> bool:
        """Whether anything gets from one host to the other, and back."""
        blocked = self._blocked
        return (source, target) not in blocked and (target, source) not in blocked

    def blocked_ways(self) -> set[Way]:
        """The ways on which nothing gets through."""
        return set(self._blocked)

    def heal(self) -> None:
        """Open all ways, at full speed. What was blocked stays counted by its owner: harmless."""
        self._blocked.clear()
        self.slow.clear()
        self.storm_s = 0.0
        self._resume()

    def _resume(self) -> None:
        for pipe in self.pipes:
            for end in (CLIENT, SERVER):
                if pipe.lines[end]:
                    self._pump_later(pipe, end, pipe.dice.uniform(0.0, RETRANSMIT_S))
        for dial in self._dials:
            if dial.waiting:
                dial.waiting = False
                self._try_later(dial)

    # -- connecting -------------------------------------------------------------------------

    def connect(
        self,
        who: str,
        host: str,
        target: Listener,
        client: Endpoint,
        answer: Callable[[Pipe | None, str], None],
    ) -> Dial:
        """``who`` on ``host`` dials. ``answer(pipe, "")`` or ``answer(None, why)`` follows.

        Not while the way is blocked or the target has no power: give up in time (``give_up``).
        """
        way = f"{who}>{target.name}"
        self._numbers[way] += 1
        name = f"{way}#{self._numbers[way]}"
        hosts = (host, target.name)
        dial = Dial(name, hosts, client, target, answer, self.world.dice(name))
        self._dials.append(dial)
        self._try_later(dial)
        return dial

    def give_up(self, dial: Dial) -> None:
        """The dialler waits no longer; nothing is answered any more."""
        dial.over = True
        if dial in self._dials:
            self._dials.remove(dial)

    def _try_later(self, dial: Dial) -> None:
        self.world.after(self._delay(dial.dice, *dial.hosts), lambda: self._try(dial))

    def _try(self, dial: Dial) -> None:
        """The dial arrives, or waits for its way."""
        if dial.over:
            return
        if not dial.target.powered or not self.is_open(*dial.hosts):
            dial.waiting = True
            return
        self.give_up(dial)
        if not dial.target.alive:
            dial.answer(None, "connection refused")
            return
        pipe = Pipe(dial.name, dial.hosts, dial.client, dial.dice)
        self.pipes = [p for p in self.pipes if p.open[CLIENT] or p.open[SERVER]]
        self.pipes.append(pipe)
        pipe.ends[SERVER] = dial.target.accept(pipe)
        dial.answer(pipe, "")

    def powered_up(self, name: str) -> None:
        """A host has power again: what its peers still hold open is reset, dials go on."""
        for pipe in self.pipes:
            for end in (CLIENT, SERVER):
                if pipe.ways[end][0] == name and not pipe.open[1 - end] and pipe.open[end]:
                    self._end(pipe, end, "connection reset")
        self._resume()

    # -- sending ----------------------------------------------------------------------------

    def send(self, pipe: Pipe, sender: int, data: bytes) -> None:
        """Write at one end; it arrives at the other later, in order, perhaps in two pieces."""
        if not pipe.open[sender] or pipe.broken:
            return
        receiver = 1 - sender
        size = len(data)
        if size > 1 and pipe.dice.random() < self.plan.split_probability:
            middle = pipe.dice.randrange(1, size)
            self._send_piece(pipe, receiver, data[:middle])
            data = data[middle:]
        self._send_piece(pipe, receiver, data)
        pipe.size[receiver] += size
        if pipe.size[receiver] > self.plan.buffer_bytes and not pipe.full[sender]:
            pipe.full[sender] = True
            self.world.after(0.0, lambda: pipe.ends[sender].pipe_full(pipe, True))

    def _send_piece(self, pipe: Pipe, receiver: int, data: bytes) -> None:
        source, target = pipe.ways[receiver]
        when = self.world.now + self._delay(pipe.dice, source, target)
        if self.slow:
            when = self._queued(source, target, len(data), when)
        when = max(when, pipe.last[receiver])
        pipe.last[receiver] = when
        pipe.lines[receiver].append(Piece(when, data))
        self.world.at(when, lambda: self._pump(pipe, receiver))

    def _queued(self, source: str, target: str, size: int, when: float) -> float:
        """On a slow host bytes stand in line behind each other."""
        for host in (source, target):
            if host in self.slow:
                start = max(when, self._busy_until.get(host, 0.0))
                when = self._busy_until[host] = start + size / self.slow[host][1]
        return when

    def _delay(self, dice: Random, source: str, target: str) -> float:
        plan = self.plan
        delay = dice.uniform(plan.delay_min_s, plan.delay_max_s)
        if plan.spike_probability and dice.random() < plan.spike_probability:
            delay += plan.spike_s
        if self.storm_s:
            delay += dice.uniform(0.0, self.storm_s)
        if self.slow:
            for host in (source, target):
                delay += self.slow.get(host, (0.0, 0.0))[0]
        return delay

    # -- arriving ---------------------------------------------------------------------------

    def _pump_later(self, pipe: Pipe, receiver: int, delay_s: float) -> None:
        self.world.after(delay_s, lambda: self._pump(pipe, receiver))

    def _pump(self, pipe: Pipe, receiver: int) -> None:
        line = pipe.lines[receiver]
        now = self.world.now
        blocked = self._blocked
        while line and line[0].ready <= now:
            if blocked and pipe.ways[receiver] in blocked:
                return
            piece = line.popleft()
            if not pipe.open[receiver]:
                continue
            if not piece.data:
                pipe.open[receiver] = False
                pipe.ends[receiver].pipe_closed(pipe, piece.reason)
                continue
            self._drained(pipe, receiver, len(piece.data))
            pipe.ends[receiver].pipe_data(pipe, piece.data)

    def _drained(self, pipe: Pipe, receiver: int, size: int) -> None:
        pipe.size[receiver] -= size
        sender = 1 - receiver
        if pipe.full[sender] and pipe.size[receiver] * HIGH_BYTES_FACTOR <= self.plan.buffer_bytes:
            pipe.full[sender] = False
            if pipe.open[sender]:
                self.world.after(0.0, lambda: pipe.ends[sender].pipe_full(pipe, False))

    # -- ending -----------------------------------------------------------------------------

    def close(self, pipe: Pipe, end: int, reason: str = "closed by peer") -> None:
        """This end closes in order: what it wrote arrives, then the news."""
        if pipe.open[end]:
            pipe.open[end] = False
            pipe.lines[end].clear()
            receiver = 1 - end
            when = self.world.now + self._delay(pipe.dice, *pipe.ways[receiver])
            when = pipe.last[receiver] = max(when, pipe.last[receiver])
            pipe.lines[receiver].append(Piece(when, b"", reason))
            self.world.at(when, lambda: self._pump(pipe, receiver))

    def abort(self, pipe: Pipe, end: int, reason: str = "connection reset") -> None:
        """This end drops the connection: what would arrive after the news is lost."""
        if pipe.open[end]:
            pipe.open[end] = False
            pipe.lines[end].clear()
            self._end(pipe, 1 - end, reason)

    def vanish(self, pipe: Pipe, end: int) -> None:
        """This end has lost its power: nobody is told, what is under way may arrive."""
        pipe.open[end] = False
        pipe.lines[end].clear()

    def cut(self, pipe: Pipe, reason: str = "reset by the network") -> None:
        """Something between the ends resets the connection; each end learns in its own time."""
        if not pipe.broken:
            pipe.broken = True
            self._end(pipe, CLIENT, reason)
            self._end(pipe, SERVER, reason)

    def _end(self, pipe: Pipe, receiver: int, reason: str) -> None:
        """Put the news into the line; what would arrive after it is lost."""
        plan = self.plan
        line = pipe.lines[receiver]
        way = pipe.ways[receiver]
        when = self.world.now + pipe.dice.uniform(plan.delay_min_s, plan.delay_max_s)
        if way in self._blocked:
            line.clear()
        while line and line[-1].ready > when:
            line.pop()
        pipe.last[receiver] = max(when, pipe.last[receiver])
        line.append(Piece(when, b"", reason))
        self.world.at(when, lambda: self._pump(pipe, receiver))
