"""Virtual time and a network that misbehaves, from one seed.

Everything that happens is an event in one heap, ordered by (time, number); nothing runs in
parallel and nothing asks a real clock, so a seed is a whole run.

A *pipe* is one TCP connection between two endpoints. Each direction keeps its order; every write
takes its own random time, may be cut in two, and may be lost with the whole connection.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from random import Random
from typing import Protocol

EVENTS_MAX = 3_000_000
"""Events of one run; a run that needs more is stuck in a loop."""


class Endpoint(Protocol):
    """One end of a pipe."""

    def pipe_data(self, pipe: Pipe, data: bytes) -> None:
        """Bytes arrived."""

    def pipe_closed(self, pipe: Pipe, reason: str) -> None:
        """The pipe is gone; called once."""


class Pipe:
    """A connection from ``client`` to ``server``; ``name`` is for the trace."""

    __slots__ = ("arrives", "client", "name", "open", "server")

    def __init__(self, name: str, client: Endpoint, server: Endpoint) -> None:
        self.name = name
        self.client = client
        self.server = server
        self.open = True
        self.arrives = [0.0, 0.0]


class Options:
    """How bad the network is; drawn from the seed."""

    def __init__(self, random: Random) -> None:
        self.delay_min_s = random.choice((0.0001, 0.001, 0.005))
        self.delay_max_s = self.delay_min_s * random.choice((1.5, 5, 20))
        self.cut_probability = random.choice((0.0, 0.1, 0.5))
        self.spike_probability = random.choice((0.0, 0.0, 0.01))
        self.spike_s = random.choice((0.1, 0.5))


class World:
    """The clock, the event heap, the pipes and the trace of one run."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.options = Options(self.random)
        self.now = 0.0
        self.trace: list[str] = []
        self.pipes: list[Pipe] = []
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def note(self, text: str) -> None:
        """Add a line to the trace."""
        self.trace.append(f"{self.now:10.4f} {text}")

    # -- time -------------------------------------------------------------------------------

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Run ``action`` at time ``when`` (now, if that is past)."""
        self._count += 1
        heapq.heappush(self._heap, (max(when, self.now), self._count, action))

    def after(self, delay_s: float, action: Callable[[], None]) -> None:
        """Run ``action`` in ``delay_s`` seconds."""
        self.at(self.now + delay_s, action)

    def run_until(self, when: float, done: Callable[[], bool] | None = None) -> bool:
        """Let events happen until ``when``, or until ``done()``; returns whether it is done."""
        while self._heap and self._heap[0][0] <= when:
            if done is not None and done():
                return True
            moment, _, action = heapq.heappop(self._heap)
            self.now = moment
            if self._count > EVENTS_MAX:
                raise AssertionError(f"more than {EVENTS_MAX} events: something spins")
            action()
        self.now = max(self.now, when) if done is None else self.now
        return done is not None and done()

    # -- pipes ------------------------------------------------------------------------------

    def open_pipe(self, name: str, client: Endpoint, server: Endpoint) -> Pipe:
        """A new connection, open at both ends at once."""
        pipe = Pipe(name, client, server)
        self.pipes = [p for p in self.pipes if p.open]
        self.pipes.append(pipe)
        return pipe

    def send(self, pipe: Pipe, to_server: bool, data: bytes) -> None:
        """Write ``data``; it arrives later, in order, perhaps in two pieces."""
        if not pipe.open:
            return
        pieces = [data]
        if len(data) > 1 and self.random.random() < self.options.cut_probability:
            middle = self.random.randrange(1, len(data))
            pieces = [data[:middle], data[middle:]]
        for piece in pieces:
            self._send_piece(pipe, to_server, piece)

    def close(self, pipe: Pipe, by_server: bool, reason: str = "closed by peer") -> None:
        """Close after what was written has arrived; the other end learns then."""
        if not pipe.open:
            return
        direction = 0 if by_server else 1
        when = max(pipe.arrives[direction], self.now) + self._delay()

        def arrive() -> None:
            if pipe.open:
                pipe.open = False
                (pipe.client if by_server else pipe.server).pipe_closed(pipe, reason)

        pipe.arrives[direction] = when
        self.at(when, arrive)

    def cut(self, pipe: Pipe, reason: str) -> None:
        """Break the connection now: bytes under way are lost, both ends learn soon."""
        if not pipe.open:
            return
        pipe.open = False
        client, server = pipe.client, pipe.server
        self.after(self._delay(), lambda: client.pipe_closed(pipe, reason))
        self.after(self._delay(), lambda: server.pipe_closed(pipe, reason))

    def _send_piece(self, pipe: Pipe, to_server: bool, data: bytes) -> None:
        direction = 1 if to_server else 0
        when = max(pipe.arrives[direction], self.now + self._delay())
        pipe.arrives[direction] = when

        def arrive() -> None:
            if pipe.open:
                (pipe.server if to_server else pipe.client).pipe_data(pipe, data)

        self.at(when, arrive)

    def _delay(self) -> float:
        options = self.options
        delay = self.random.uniform(options.delay_min_s, options.delay_max_s)
        if options.spike_probability and self.random.random() < options.spike_probability:
            delay += options.spike_s
        return delay
