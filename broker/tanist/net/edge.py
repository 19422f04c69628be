"""The edge of one node: makes inputs of what happens, performs the outputs, in order.

Steps never nest. Performing an output can make something happen at once (a full buffer, a
failed connect); its input waits until the outputs before it are performed. Everything a node can do
to the world is a method here, one per output class.

An exception out of ``step`` is a bug and an impossible state: the broker logs it and stops.
After ``Stop`` the node is not stepped again; connections get ``STOP_GRACE_S`` to write what they
have.

Driven by ``service``: ``start``, ``listening``, then the reactor; ``shutdown`` on a signal; the
result is told to ``stopped(code)``.
"""

from __future__ import annotations

import math
import traceback
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from tanist.net.clock import LogLine
from tanist.net.commands import Commands
from tanist.net.links import Endpoints, Links
from tanist.net.protocol import ConnectionLimits, PeerProtocol
from tanist.node.inputs import (
    Answered,
    Connected,
    Disconnected,
    Input,
    LinkUp,
    Listening,
    Received,
    Started,
    Tick,
    Writable,
)
from tanist.node.outputs import Arm, Close, Connect, Consult, Log, Output, Send, Stop

STOP_GRACE_S: Final = 1.0
"""How long connections may write their last bytes when the broker stops."""

STEP_BYTES: Final = 80 * 1024
"""Of what a client sent, so much is taken in one step: some hundred small messages. Backups then
work on the first of a read while the rest of it is parsed. With whole reads, of 120 KiB, a client
with 1000 messages of 100 bytes in flight got a tenth less through, with 48 KiB a tenth more of
AMQP 0-10 and no more of AMQP 1.0."""


class Steppable(Protocol):
    """A node."""

    def step(self, event: Input, /) -> list[Output]:
        """React to one input."""
        ...


class Edge:
    """The hands of ``node``."""

    def __init__(
        self,
        node: Steppable,
        reactor: IReactorTime,
        endpoint: Endpoints,
        clock: Callable[[], float],
        log: LogLine,
        limits: ConnectionLimits,
        commands: Commands,
        stopped: Callable[[int], None],
    ) -> None:
        self._node = node
        self._reactor = reactor
        self._clock = clock
        self._log = log
        self._limits = limits
        self._commands = commands
        self._tell_stopped = stopped
        self._links = Links(reactor, endpoint, self._link_failed)
        self._peers: dict[int, PeerProtocol] = {}
        self._last_conn = 0
        self._pending: deque[Input] = deque()
        self._stepping = False
        self._stopping = False
        self._exit_code: int | None = None
        self._armed_at = math.inf
        self._timer: IDelayedCall | None = None
        self._timer_at = math.inf
        self._actions: dict[type[Output], Callable[[Output], None]] = {
            Close: self._close,
            Connect: self._connect,
            Consult: self._consult,
            Arm: self._arm,
            Log: self._write_log,
            Stop: self._stop,
        }

    # What the service calls

    def start(self, wall_s: float) -> None:
        """Give the node its first input. ``wall_s``: Unix time now."""
        self.feed(Started(self._clock(), wall_s))

    def listening(self, port: int) -> None:
        """Tell the node the port it is reached at."""
        self.feed(Listening(self._clock(), port))

    def accept(self) -> PeerProtocol:
        """A protocol for a connection that a listener accepted."""
        self._last_conn += 1
        return PeerProtocol(self._last_conn, self, self._reactor, self._limits)

    def shutdown(self, code: int) -> None:
        """Stop the broker; ``stopped(code)`` follows within ``STOP_GRACE_S``."""
        if self._stopping:
            return
        self._stopping = True
        self._exit_code = code
        self._pending.clear()
        self._cancel_timer()
        self._links.cancel_all()
        self._commands.kill_all()
        self._reactor.callLater(STOP_GRACE_S, self._finish)
        for peer in list(self._peers.values()):
            peer.close()
        self._finish_if_empty()

    @property
    def stopping(self) -> bool:
        """Whether the broker is about to end."""
        return self._stopping

    # What connections call

    def opened(self, peer: PeerProtocol) -> None:
        """A connection is established, in either direction."""
        self._peers[peer.conn] = peer
        if self._stopping:
            peer.drop("the broker stops")
        elif peer.conn > 0:
            self.feed(Connected(self._clock(), peer.conn, peer.peer, peer.local))
        else:
            self.feed(LinkUp(self._clock(), peer.conn, peer.local))

    def received(self, conn: int, data: bytes) -> None:
        """Bytes arrived: one step, more if a client sent much at once."""
        if len(data) <= STEP_BYTES or conn < 0:
            self.feed(Received(self._clock(), conn, data))
            return
        for at in range(0, len(data), STEP_BYTES):
            self.feed(Received(self._clock(), conn, data[at : at + STEP_BYTES]))

    def writable(self, conn: int, writable: bool) -> None:
        """The write buffer of ``conn`` became full or drained."""
        self.feed(Writable(self._clock(), conn, writable))

    def closed(self, peer: PeerProtocol, reason: str) -> None:
        """A connection is gone."""
        self._peers.pop(peer.conn, None)
        self.feed(Disconnected(self._clock(), peer.conn, reason))
        if self._stopping:
            self._finish_if_empty()

    def _link_failed(self, conn: int, reason: str) -> None:
        self.feed(Disconnected(self._clock(), conn, reason))

    # Steps

    def feed(self, event: Input) -> None:
        """Step the node with ``event`` and perform what it wants; later if a step is under way."""
        if self._stopping:
            return
        if self._stepping:
            self._pending.append(event)
            return
        self._stepping = True
        try:
            self._perform(self._node.step(event))
            while self._pending and not self.stopping:
                self._perform(self._node.step(self._pending.popleft()))
        except Exception as error:
            self._crash(error)
        finally:
            self._stepping = False

    def _perform(self, outputs: list[Output]) -> None:
        for output in outputs:
            if isinstance(output, Send):
                peer = self._peers.get(output.conn)
                if peer is not None:
                    peer.send(output.data)
            else:
                self._actions[type(output)](output)

    def _crash(self, error: Exception) -> None:
        trace = traceback.extract_tb(error.__traceback__)
        where = f"{trace[-1].filename}:{trace[-1].lineno}" if trace else "?"
        text = f"Unexpected error: {type(error).__name__}: {error} (at {where})"
        self._log("critical", "Broker", text)
        for line in "".join(traceback.format_exception(error)).splitlines():
            self._log("error", "Broker", line)
        self.shutdown(1)

    # Outputs

    def _close(self, output: Output) -> None:
        assert isinstance(output, Close)
        peer = self._peers.get(output.conn)
        if peer is None:
            self._links.cancel(output.conn)
        elif output.abort:
            peer.drop("dropped by this broker")
        else:
            peer.close()

    def _connect(self, output: Output) -> None:
        assert isinstance(output, Connect)
        peer = PeerProtocol(output.conn, self, self._reactor, self._limits)
        self._links.connect(peer, output.host, output.port, output.timeout_s)

    def _consult(self, output: Output) -> None:
        assert isinstance(output, Consult)
        request = output.request

        def answered(code: int, text: str) -> None:
            self.feed(Answered(self._clock(), request, code, text))

        self._commands.run(output.arguments, output.document, output.timeout_s, answered)

    def _write_log(self, output: Output) -> None:
        assert isinstance(output, Log)
        self._log(output.level, output.category, output.text)

    def _stop(self, output: Output) -> None:
        assert isinstance(output, Stop)
        self._log("critical" if output.code else "notice", "Broker", output.reason)
        self.shutdown(output.code)

    def _arm(self, output: Output) -> None:
        """Set the time of the next tick. The timer is moved only if it would fire too late."""
        assert isinstance(output, Arm)
        self._armed_at = output.at
        if output.at < self._timer_at:
            self._cancel_timer()
            self._set_timer()

    def _set_timer(self) -> None:
        self._timer_at = self._armed_at
        delay_s = max(0.0, self._armed_at - self._clock())
        self._timer = self._reactor.callLater(delay_s, self._tick)

    def _cancel_timer(self) -> None:
        timer, self._timer = self._timer, None
        self._timer_at = math.inf
        if timer is not None and timer.active():
            timer.cancel()

    def _tick(self) -> None:
        self._timer = None
        self._timer_at = math.inf
        if self._armed_at <= self._clock():
            self._armed_at = math.inf
            self.feed(Tick(self._clock()))
        elif self._armed_at < math.inf:
            self._set_timer()

    # The end

    def _finish_if_empty(self) -> None:
        if not self._peers:
            self._reactor.callLater(0, self._finish)

    def _finish(self) -> None:
        code, self._exit_code = self._exit_code, None
        if code is not None:
            self._tell_stopped(code)
