"""Links that can fail: TCP proxies between brokers, and between clients and brokers.

Every pair has a route of its own: what ``n2`` dials ``n1`` through, say. A route passes octets on
and knows nothing of AMQP. What can be done to it:

* ``block``: nothing passes from one to the other any more, neither octets nor the end of a
  connection, and no new connection comes about (it is refused, as by a router that knows no way).
  What is on its way is kept, as TCP does, and goes on when the block is lifted.
* ``sever``: every connection is reset, and what was on its way is lost.
* ``slow``: octets arrive later, and only so many in a second.
* ``lossy``: TCP hides lost packets from who uses it, but not the time that sending them again
  takes, and gives a connection up when that does not help. So a lossy route stalls now and then,
  and now and then resets its connections.

One thread with an event loop runs all routes of a cluster. The methods of ``Proxies`` may be called
from any other thread.
"""

from __future__ import annotations

import asyncio
import random
import socket
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar

from tanist_interop.hosts.ports import LOOPBACK, choose, listen

CLIENTS: Final = -1
"""In place of a node: everybody who is none."""

CALL_S: Final = 10.0
"""The loop answers within this, or the machine stands still."""

HELD_MAX_BYTES: Final = 1 << 20
"""What a route keeps of one connection and way before it stops reading."""

PAUSE_S: Final = (0.1, 1.2)
STALL_S: Final = (0.1, 0.6)
"""A lossy route: between two losses, and how long the sender needs to make up for one."""

RESET_SHARE: Final = 0.25
"""Of the losses that TCP cannot make up for."""

Tap = Callable[[object, bool, bytes], bytes]
"""Sees and may change what passes: which connection, whether to the dialled side, the octets."""

T = TypeVar("T")


@dataclass
class Rule:
    """What happens to what passes one way."""

    blocked: bool = False
    stalled: bool = False
    delay_s: float = 0.0
    octets_per_s: float = 0.0
    """0 = no limit."""

    @property
    def holds(self) -> bool:
        """Nothing passes now."""
        return self.blocked or self.stalled


class Side(asyncio.Protocol):
    """One end of a connection; what it reads goes to ``other``."""

    def __init__(self, route: Route, dialled: bool) -> None:
        self.route = route
        self.rule = route.back if dialled else route.forth
        self.dialled = dialled
        self.transport: asyncio.Transport | None = None
        self.other: Side | None = None
        self.gone = False
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._held = 0
        self._free_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A connection came in, or ours is there."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if not self.dialled:
            self.route.accepted(self)

    def data_received(self, data: bytes) -> None:
        """Keep it until it may pass."""
        if self.route.tap is not None:
            key = self.other if self.dialled else self
            data = self.route.tap(key, not self.dialled, data)
        now = asyncio.get_running_loop().time()
        rate = self.rule.octets_per_s
        self._free_at = max(now, self._free_at) + (len(data) / rate if rate else 0.0)
        self._waiting.append((self._free_at + self.rule.delay_s, data))
        self._held += len(data)
        self.pump()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over; the other side hears of it when all before it has passed."""
        self.gone = True
        self.pump()

    def pump(self) -> None:
        """Pass on what is due."""
        other = self.other
        if self.rule.holds or other is None or other.transport is None:
            self._regulate()
            return
        now = asyncio.get_running_loop().time()
        while self._waiting and self._waiting[0][0] <= now:
            _, data = self._waiting.popleft()
            self._held -= len(data)
            other.transport.write(data)
        if self._waiting:
            if self._timer is None or self._timer.cancelled() or self._timer.when() <= now:
                self._timer = asyncio.get_running_loop().call_at(self._waiting[0][0], self.pump)
        elif self.gone:
            other.transport.close()
            self.route.sides.discard(self)
        self._regulate()

    def sever(self) -> None:
        """Reset; what was on its way is lost."""
        self._waiting.clear()
        self._held = 0
        if self.transport is not None:
            self.transport.abort()
        self.route.sides.discard(self)

    def _regulate(self) -> None:
        if self.transport is None or self.gone or self.transport.is_closing():
            return
        if self._held > HELD_MAX_BYTES:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()


@dataclass
class Route:
    """The way from who dials to one node. ``forth`` is towards the node, ``back`` from it."""

    dialler: int
    target: int
    leads_to: tuple[str, int]
    """Where the node listens."""
    host: str = LOOPBACK
    port: int = 0
    forth: Rule = field(default_factory=Rule)
    back: Rule = field(default_factory=Rule)
    sides: set[Side] = field(default_factory=set)
    tap: Tap | None = None
    _server: asyncio.Server | None = None
    _losses: asyncio.Task[None] | None = None
    _dials: set[asyncio.Task[None]] = field(default_factory=set)

    def rule(self, source: int) -> Rule:
        """Of what comes from ``source``."""
        return self.forth if source == self.dialler else self.back

    def accepted(self, side: Side) -> None:
        """Somebody dialled: dial the node."""
        self.sides.add(side)
        task = asyncio.get_running_loop().create_task(self._dial(side))
        self._dials.add(task)
        task.add_done_callback(self._dials.discard)

    async def _dial(self, side: Side) -> None:
        dialled = Side(self, dialled=True)
        try:
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: dialled, *self.leads_to)
        except OSError:
            side.sever()
            return
        self.sides.add(dialled)
        side.other, dialled.other = dialled, side
        side.pump()
        dialled.pump()

    async def serve(self, listener: socket.socket | None = None) -> None:
        """Take connections, if they can come about. Raises: OSError if the port is taken."""
        wanted = not (self.forth.blocked or self.back.blocked)
        if wanted and self._server is None:
            loop = asyncio.get_running_loop()
            listener = listener or listen(self.port, self.host)
            self._server = await loop.create_server(lambda: Side(self, False), sock=listener)
        elif not wanted and self._server is not None:
            self._server.close()
            self._server = None

    def pump(self) -> None:
        """The rules changed."""
        for side in list(self.sides):
            side.pump()

    def sever(self) -> None:
        """Reset every connection."""
        for side in list(self.sides):
            side.sever()

    def lose(self, seed: int | None) -> None:
        """Be lossy from now on, by this seed; None: no more."""
        if self._losses is not None:
            self._losses.cancel()
            self._losses = None
            self.forth.stalled = self.back.stalled = False
            self.pump()
        if seed is not None:
            dice = random.Random(f"{seed} {self.dialler} {self.target}")
            self._losses = asyncio.get_running_loop().create_task(self._losing(dice))

    async def _losing(self, dice: random.Random) -> None:
        while True:
            await asyncio.sleep(dice.uniform(*PAUSE_S))
            self.forth.stalled = self.back.stalled = True
            await asyncio.sleep(dice.uniform(*STALL_S))
            self.forth.stalled = self.back.stalled = False
            if dice.random() < RESET_SHARE:
                self.sever()
            self.pump()

    def close(self) -> None:
        """Take no more connections, drop those that are there."""
        self.lose(None)
        if self._server is not None:
            self._server.close()
        for task in self._dials:
            task.cancel()
        self.sever()


class Proxies:
    """All routes of a cluster. ``start`` first, ``close`` always."""

    def __init__(self) -> None:
        self.routes: dict[tuple[int, int], Route] = {}
        self._nodes: list[tuple[str, int]] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="proxies", daemon=True)

    def start(self, addresses: list[str], clients: bool, host: str = LOOPBACK) -> None:
        """Routes between nodes that listen on these addresses (``host:port``); with ``clients``
        also from clients to each. They begin at ports of ``host``, an address of this machine that
        nodes and clients reach. Raises: OSError."""
        nodes = range(len(addresses))
        pairs = [(source, target) for source in nodes for target in nodes if source != target]
        pairs += [(CLIENTS, target) for target in nodes] if clients else []
        listeners = choose(len(pairs), host)
        self._nodes = [_split(address) for address in addresses]
        self._thread.start()
        for (source, target), listener in zip(pairs, listeners, strict=True):
            route = Route(source, target, self._nodes[target], *listener.getsockname())
            self.routes[source, target] = route
            self._await(route.serve(listener))

    def address(self, dialler: int, target: int) -> str:
        """``host:port`` where ``dialler`` reaches ``target``."""
        route = self.routes[dialler, target]
        return f"{route.host}:{route.port}"

    def tap(self, dialler: int, target: int, tap: Tap | None) -> None:
        """Let ``tap`` see and change what passes from now on. It runs in the thread of the loop."""
        self.routes[dialler, target].tap = tap

    def point(self, dialler: int, target: int, node: int) -> None:
        """Let the way from ``dialler`` to ``target`` lead to another node now, as an address
        that moves. Connections that are there stay where they are."""
        route = self.routes[dialler, target]
        self._call(partial(setattr, route, "leads_to", self._nodes[node]))

    def block(self, source: int, target: int) -> None:
        """Let nothing pass from ``source`` to ``target``, and no new connection between them."""
        self._set(source, target, lambda rule: setattr(rule, "blocked", True))

    def unblock(self, source: int, target: int) -> None:
        """Let it pass again, first of all what was kept. Raises: OSError if the port is taken."""
        self._set(source, target, lambda rule: setattr(rule, "blocked", False))

    def slow(self, source: int, target: int, delay_s: float, octets_per_s: float) -> None:
        """Let octets take so long, and so many pass in a second (0 = no limit)."""

        def change(rule: Rule) -> None:
            rule.delay_s, rule.octets_per_s = delay_s, octets_per_s

        self._set(source, target, change)

    def lossy(self, one: int, other: int, seed: int | None) -> None:
        """Lose now and then what is between these two; None: no more."""
        for route in self._between(one, other):
            self._call(partial(route.lose, seed))

    def sever(self, one: int, other: int) -> None:
        """Reset every connection between these two."""
        for route in self._between(one, other):
            self._call(route.sever)

    def close(self) -> None:
        """End all connections and the thread. Safe to call twice, and if never started."""
        if not self._thread.is_alive():
            return
        for route in self.routes.values():
            self._call(route.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CALL_S)

    def _between(self, one: int, other: int) -> list[Route]:
        pairs = ((one, other), (other, one))
        return [self.routes[pair] for pair in pairs if pair in self.routes]

    def _set(self, source: int, target: int, change: Callable[[Rule], None]) -> None:
        for route in self._between(source, target):

            def apply(route: Route = route) -> None:
                change(route.rule(source))
                route.pump()

            self._call(apply)
            self._await(route.serve())

    def _call(self, function: Callable[[], T]) -> T:
        async def called() -> T:
            return function()

        return self._await(called())

    def _await(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(CALL_S)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.close()


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)
