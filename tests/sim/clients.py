"""Simulated clients that do what the genuine ones do at failover.

``SimClient`` keeps a list of addresses and dials them in turn until one lets it in (a backup drops
the connection without a word), with a pause after each pass that doubles up to a limit. It keeps
heartbeats or none, and speaks through the real connection machines in their client role:
``clients010`` and ``clients10`` say how. What it does with its session is up to the classes on top
(producers, consumers, ...); all of them must be ready to lose it at any moment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from tests.sim.history import Event as HistoryEvent
from tests.sim.history import Refused
from tests.sim.network import CLIENT, Dial, Network, Pipe
from tests.sim.nodes import SimNode
from tests.sim.plan import ClientPlan
from tests.sim.world import World

CONNECT_S = 2.0
"""How long a client waits for TCP, and again for the broker to let it in."""

TICK_PAUSE_S = 0.001
"""Least time between two ticks: a deadline that has just come may have come by rounding only."""

RETRY_MAX_S = 0.5
"""The pause after a pass over all addresses doubles up to this."""

AGAIN_S = 0.2
"""The pause before a session or a link that was refused is tried again."""


@dataclass
class Site:
    """Where clients live: the world, the brokers, and where to write down what happens.

    ``calm``: nothing breaks any more, so that there is no reason to take one's time.
    """

    world: World
    network: Network
    nodes: list[SimNode]
    events: list[HistoryEvent]
    calm: bool = False
    startled: list[Callable[[], None]] = field(default_factory=list)
    """Called just before something breaks, so that much is under way then."""
    bereft: list[Callable[[str, str], None]] = field(default_factory=list)
    """Called with its name and the reason when a client loses an open connection that it needs."""

    def startle(self) -> None:
        """Something is about to break."""
        for act in self.startled:
            act()

    def miss(self, name: str, reason: str) -> None:
        """A client has lost its connection."""
        for act in self.bereft:
            act(name, reason)

    def record(self, event: HistoryEvent) -> None:
        """Something happened."""
        self.events.append(event)


class Machine(Protocol):
    """What a connection of either protocol is to its client."""

    opened: bool
    deadline: float

    def receive_data(self, data: bytes, now: float) -> Sequence[object]:
        """Events."""
        ...

    def tick(self, now: float) -> Sequence[object]:
        """Events."""
        ...

    def data_to_send(self) -> bytes:
        """What waits to be written."""
        ...

    def close(self) -> None:
        """Begin to close in order."""
        ...


class SimClient:
    """Connects, reconnects, keeps heartbeats; subclasses do something with the session.

    ``session``: the one in use, None while there is none. ``connections``: how many there were.
    """

    protocol: ClassVar[str] = ""
    """"0-10" or "1.0"; counters are kept for each."""
    tolerates: ClassVar[frozenset[int | str]] = frozenset()
    """Errors that end a session or a link and are no surprise: it tries again."""

    def __init__(
        self, site: Site, name: str, plan: ClientPlan, nodes: list[SimNode] | None = None
    ) -> None:
        self.site = site
        self.world = site.world
        self.name = name
        self.plan = plan
        self.running = True
        self.connections = 0
        self.session: object | None = None
        self.dice = site.world.dice(f"client {name}")
        self._nodes = nodes or site.nodes
        self._address_at = self.dice.randrange(len(self._nodes))
        self._tries = 0
        self._pause_s = plan.retry_s
        self._dialling: Dial | None = None
        self._pipe: Pipe | None = None
        self._connection: Machine | None = None
        self._armed_at = float("inf")
        if plan.startle:
            site.startled.append(self._startle)
        self._dial()

    # -- for the protocols ------------------------------------------------------------------

    def connect(self) -> Machine:
        """A new connection in its client role."""
        raise NotImplementedError

    def take(self, events: Sequence[object]) -> None:
        """Handle events of the connection; it may be lost on the way."""
        raise NotImplementedError

    def let_in(self) -> None:
        """A broker serves us: the next search begins anew."""
        self._tries = 0
        self._pause_s = self.plan.retry_s
        self.world.note(f"{self.name} attached")

    def session_lost(self) -> None:
        """The session is over, whatever the connection."""
        if self.session is not None:
            self.session = None
            self.on_lost()

    # -- for subclasses ---------------------------------------------------------------------

    def on_lost(self) -> None:
        """The session is gone; ``self.session`` is None."""

    def on_startled(self) -> None:
        """Something is about to break, and ``self.session`` is there."""

    def on_refused(self, code: int | str, text: str) -> None:
        """The broker ended the session, or a link, because of what we asked."""
        if code not in self.tolerates:
            self.site.record(Refused(self.world.now, self.name, code, text))
        self.world.note(f"{self.name} refused: {code} {text}")

    def later(self, delay_s: float, action: Callable[[], None]) -> None:
        """Do it after ``delay_s``, if this session is still there."""
        session = self.session

        def act() -> None:
            if self.session is session and session is not None:
                action()
                self.flush()

        self.world.after(delay_s, act)

    def count(self, what: str) -> None:
        """One more of ``what``, for the summary."""
        self.world.counts[f"{self.protocol} {what}"] += 1

    def _startle(self) -> None:
        if self.session is not None and self.running:
            self.on_startled()
            self.flush()

    # -- going ------------------------------------------------------------------------------

    def leave(self) -> None:
        """Close the connection in order, and do not come back unless ``come_back``."""
        self.running = False
        connection = self._connection
        if connection is not None and connection.opened:
            connection.close()
            self.flush()
            self._arm()
        elif self._pipe is not None or self._dialling is not None:
            self._lost("leaves")

    def come_back(self) -> None:
        """Connect again."""
        if not self.running:
            self.running = True
            if self._pipe is None and self._dialling is None:
                self._dial()

    @property
    def gone(self) -> bool:
        """It left, and its connection is closed."""
        return not self.running and self._pipe is None

    # -- the connection ---------------------------------------------------------------------

    def _dial(self) -> None:
        if not self.running or self._pipe is not None or self._dialling is not None:
            return
        node = self._nodes[self._address_at]
        self._address_at = (self._address_at + 1) % len(self._nodes)
        dial = self._dialling = self.site.network.connect(
            self.name, self.plan.host, node, self, self._answered
        )

        def time_out() -> None:
            if self._dialling is dial:
                self._lost("no connection in time")

        self.world.after(CONNECT_S, time_out)

    def _answered(self, pipe: Pipe | None, reason: str) -> None:
        self._dialling = None
        if pipe is None:
            self._lost(reason)
            return
        self._pipe = pipe
        self._connection = self.connect()
        self.flush()

        def time_out() -> None:
            if self._pipe is pipe and self.session is None:
                self._lost("not let in in time")

        self.world.after(CONNECT_S, time_out)

    def _arm(self) -> None:
        """Tick the connection at its deadline."""
        connection, pipe = self._connection, self._pipe
        if connection is None or connection.deadline >= self._armed_at:
            return
        self._armed_at = connection.deadline
        at = max(connection.deadline, self.world.now + TICK_PAUSE_S)

        def tick() -> None:
            if self._pipe is not pipe or self._connection is None:
                return
            if self._armed_at > self.world.now:
                return  # it was armed anew meanwhile
            self._armed_at = float("inf")
            self.take(self._connection.tick(self.world.now))
            self.flush()
            self._arm()

        self.world.at(at, tick)

    def pipe_data(self, pipe: Pipe, data: bytes) -> None:
        """Bytes from the broker."""
        if pipe is self._pipe and self._connection is not None:
            self.take(self._connection.receive_data(data, self.world.now))
            self.flush()
            self._arm()

    def pipe_closed(self, pipe: Pipe, reason: str) -> None:
        """The broker is gone, or does not want us."""
        if pipe is self._pipe:
            self._lost(reason)

    def pipe_full(self, pipe: Pipe, full: bool) -> None:
        """Clients write on: they are limited by their windows."""

    def _lost(self, reason: str) -> None:
        pipe, self._pipe = self._pipe, None
        dial, self._dialling = self._dialling, None
        connection, self._connection = self._connection, None
        self._armed_at = float("inf")
        if self.running and connection is not None and connection.opened:
            self.site.miss(self.name, reason)
        if self.session is not None:
            self.world.note(f"{self.name} lost its connection: {reason}")
            self.session_lost()
        if dial is not None:
            self.site.network.give_up(dial)
        if pipe is not None:
            self.site.network.abort(pipe, CLIENT)
        self._tries += 1
        if self._tries % len(self._nodes) == 0:
            self._pause_s = min(2 * self._pause_s, RETRY_MAX_S)
            self.world.after(self._pause_s, self._dial)
        else:
            self.world.after(0.0, self._dial)

    def flush(self) -> None:
        """Write what waits."""
        if self._pipe is not None and self._connection is not None:
            data = self._connection.data_to_send()
            if data:
                self.site.network.send(self._pipe, CLIENT, data)
