"""The edge with a scripted node: inputs in order, outputs performed, steps never nested."""

from __future__ import annotations

import math

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from tanist.net.edge import STEP_BYTES, STOP_GRACE_S, Edge
from tanist.net.protocol import WRITE_MAX_BYTES, ConnectionLimits
from tanist.node.inputs import (
    Answered,
    Connected,
    Disconnected,
    LinkUp,
    Received,
    Started,
    Tick,
    Writable,
)
from tanist.node.outputs import Arm, Close, Connect, Consult, Log, Send, Stop

HEADER = b"AMQP\1\1\0\x0a"


class ScriptedNode:
    """Answers each input with what ``react`` says; notes inputs and nesting."""

    def __init__(self) -> None:
        self.inputs = []
        self.react = lambda event: []
        self.depth = 0

    def step(self, event):
        assert self.depth == 0, "a step within a step"
        self.depth += 1
        try:
            self.inputs.append(event)
            return self.react(event)
        finally:
            self.depth -= 1


class Wire(StringTransport):
    """Remembers whether it was cut off."""

    aborting = False

    def abortConnection(self):
        self.aborting = True


class ScriptedCommands:
    """Notes what is run; the test answers."""

    def __init__(self) -> None:
        self.runs = []
        self.killed = 0

    def run(self, arguments, document, timeout_s, answered):
        self.runs.append((arguments, document, timeout_s, answered))

    def kill_all(self):
        self.killed += 1


class World:
    """An edge on a clock."""

    def __init__(self) -> None:
        self.node = ScriptedNode()
        self.reactor = Clock()
        self.reactor.advance(100.0)
        self.lines = []
        self.codes = []
        self.attempt = None
        self.asked = []
        self.commands = ScriptedCommands()
        self.edge = Edge(
            self.node,
            self.reactor,
            self.endpoint,
            self.reactor.seconds,
            lambda level, category, text: self.lines.append((level, category, text)),
            ConnectionLimits(),
            self.commands,
            self.codes.append,
        )

    def endpoint(self, host, port, timeout_s):
        self.asked.append((host, port, timeout_s))
        world = self

        class Endpoint:
            def connect(self, factory):
                return world.attempt(factory)

        return Endpoint()

    def accept(self, transport=None):
        peer = self.edge.accept()
        peer.makeConnection(transport or Wire())
        return peer

    @property
    def kinds(self):
        return [type(event) for event in self.node.inputs]


def lose(peer):
    peer.connectionLost(Failure(ConnectionDone()))


def test_the_first_inputs():
    world = World()
    world.edge.start(1_700_000_000.0)
    world.edge.listening(5672)
    started, listening = world.node.inputs
    assert isinstance(started, Started)
    assert (started.now, started.wall_s) == (100.0, 1_700_000_000.0)
    assert listening.port == 5672


def test_the_life_of_a_connection():
    world = World()
    peer = world.accept()
    other = world.accept()
    peer.dataReceived(HEADER)
    lose(peer)
    assert world.kinds == [Connected, Connected, Received, Disconnected]
    first, second, received, gone = world.node.inputs
    assert (first.conn, second.conn) == (peer.conn, other.conn) == (1, 2)
    assert (received.conn, received.data) == (1, HEADER)
    assert (gone.conn, gone.reason) == (1, "closed by peer")


def test_much_of_a_client_is_taken_in_several_steps():
    world = World()
    peer = world.accept()
    data = bytes(range(256)) * (2 * STEP_BYTES // 256) + b"end"
    peer.dataReceived(data)
    parts = [event.data for event in world.node.inputs if isinstance(event, Received)]
    assert [len(part) for part in parts] == [STEP_BYTES, STEP_BYTES, 3]
    assert b"".join(parts) == data


def test_what_comes_by_a_link_is_one_step():
    world = World()
    world.edge.received(-1, bytes(3 * STEP_BYTES))
    assert [len(event.data) for event in world.node.inputs] == [3 * STEP_BYTES]


def test_outputs_are_performed_in_order():
    world = World()
    peer = world.accept()
    done = []
    peer.transport.write = done.append
    peer.transport.loseConnection = lambda: done.append("close")
    world.node.react = lambda event: [
        Log("info", "HA", "one"),
        Send(1, b"two"),
        Send(99, b"nobody"),
        Close(99),
        Close(1),
    ]
    peer.dataReceived(HEADER)
    assert done == [b"two", "close"]
    assert world.lines == [("info", "HA", "one")]


def test_abort_does_not_wait():
    world = World()
    peer = world.accept()
    world.node.react = lambda event: [Close(1, abort=True)] if isinstance(event, Received) else []
    peer.dataReceived(HEADER)
    assert peer.transport.aborting
    lose(peer)
    assert world.node.inputs[-1].reason == "dropped by this broker"


def test_steps_are_never_nested():
    world = World()
    peer = world.accept(Wire())

    def react(event):
        if isinstance(event, Received):
            return [Send(1, b"x"), Send(1, b"y" * WRITE_MAX_BYTES), Log("info", "HA", "after")]
        return [Log("info", "HA", type(event).__name__)]

    world.node.react = react
    peer.dataReceived(HEADER)
    assert world.kinds[-2:] == [Received, Writable]
    assert [text for _, _, text in world.lines] == ["after", "Writable"]
    assert world.node.inputs[-1].writable is False


def test_a_link_that_comes_up():
    world = World()
    peers = []

    def attempt(factory):
        peers.append(factory.buildProtocol(None))
        peers[0].makeConnection(StringTransport())
        return succeed(peers[0])

    world.attempt = attempt
    world.node.react = lambda event: (
        [Connect(-1, "b", 5672, 2.0)] if isinstance(event, Tick) else []
    )
    world.edge.feed(Tick(0.0))
    assert world.asked == [("b", 5672, 2.0)]
    assert world.kinds == [Tick, LinkUp]
    assert world.node.inputs[-1].conn == -1
    lose(peers[0])
    assert world.kinds == [Tick, LinkUp, Disconnected]


def test_a_link_that_fails_at_once():
    world = World()
    world.attempt = lambda factory: fail(ConnectionRefusedError("no"))
    world.node.react = lambda event: (
        [Connect(-1, "b", 5672, 2.0)] if isinstance(event, Tick) else []
    )
    world.edge.feed(Tick(0.0))
    assert world.kinds == [Tick, Disconnected]
    assert world.node.inputs[-1].reason.startswith("cannot connect to b:5672")


def test_the_timer_fires_at_the_time_armed_last():
    world = World()
    plan = iter([[Arm(105.0)], [Arm(110.0)], [Arm(103.0)]])
    world.node.react = lambda event: next(plan, [])
    for _ in range(2):
        world.edge.feed(Tick(0.0))
    world.reactor.advance(6.0)
    assert len(world.node.inputs) == 2
    world.reactor.advance(3.9)
    assert len(world.node.inputs) == 2
    world.reactor.advance(0.2)
    assert len(world.node.inputs) == 4  # at 110; that one armed 103, which is past: at once
    assert [event.now for event in world.node.inputs[2:]] == [100.0 + 6.0 + 3.9 + 0.2] * 2
    assert world.reactor.getDelayedCalls() == []


def test_an_earlier_time_moves_the_timer_forward():
    world = World()
    plan = iter([[Arm(200.0)], [Arm(101.0)]])
    world.node.react = lambda event: next(plan, [])
    for _ in range(2):
        world.edge.feed(Tick(0.0))
    world.reactor.advance(1.0)
    assert len(world.node.inputs) == 3
    assert world.reactor.getDelayedCalls() == []


def test_never_is_no_timer():
    world = World()
    plan = iter([[Arm(101.0)], [Arm(math.inf)]])
    world.node.react = lambda event: next(plan, [])
    for _ in range(2):
        world.edge.feed(Tick(0.0))
    world.reactor.advance(1000.0)
    assert len(world.node.inputs) == 2
    assert world.reactor.getDelayedCalls() == []


def test_stop_logs_one_line_closes_everything_and_tells_the_code():
    world = World()
    peer = world.accept()
    world.node.react = lambda event: [Send(1, b"bye"), Stop("misconfigured", 1)]
    peer.dataReceived(HEADER)
    assert world.lines == [("critical", "Broker", "misconfigured")]
    assert peer.transport.value() == b"bye"
    assert peer.transport.disconnecting
    assert world.edge.stopping
    count = len(world.node.inputs)
    lose(peer)
    world.reactor.advance(0.0)
    assert world.codes == [1]
    world.reactor.advance(10.0)
    assert world.codes == [1]
    assert len(world.node.inputs) == count


def test_a_polite_stop_is_no_error():
    world = World()
    world.node.react = lambda event: [Stop("done", 0)]
    world.edge.feed(Tick(0.0))
    assert world.lines == [("notice", "Broker", "done")]
    world.reactor.advance(0.0)
    assert world.codes == [0]


def test_a_peer_that_does_not_read_cannot_hold_up_the_end():
    world = World()
    world.accept()
    world.edge.shutdown(0)
    world.edge.shutdown(1)
    world.reactor.advance(STOP_GRACE_S - 0.1)
    assert world.codes == []
    world.reactor.advance(0.2)
    assert world.codes == [0]


def test_who_comes_too_late_is_dropped_and_no_timer_fires():
    world = World()
    world.node.react = lambda event: [Arm(100.5)]
    world.edge.feed(Tick(0.0))
    world.edge.shutdown(0)
    late = world.accept()
    assert late.transport.aborting
    world.reactor.advance(5.0)
    assert len(world.node.inputs) == 1


def test_shutdown_gives_up_connecting():
    world = World()
    cancelled = []

    def attempt(factory):
        return Deferred(cancelled.append)

    world.attempt = attempt
    world.node.react = lambda event: [Connect(-1, "b", 1, 9.0)]
    world.edge.feed(Tick(0.0))
    world.edge.shutdown(0)
    assert len(cancelled) == 1
    assert world.kinds == [Tick]


def test_a_bug_in_the_node_stops_the_broker():
    world = World()
    peer = world.accept()

    def react(event):
        raise KeyError("impossible")

    world.node.react = react
    peer.dataReceived(HEADER)
    level, category, text = world.lines[0]
    assert (level, category) == ("critical", "Broker")
    assert text.startswith("Unexpected error: KeyError: 'impossible' (at ")
    assert "test_edge.py" in text
    lose(peer)
    world.reactor.advance(0.0)
    assert world.codes == [1]


def test_closing_a_link_that_is_being_made():
    world = World()
    cancelled = []

    def attempt(factory):
        return Deferred(cancelled.append)

    world.attempt = attempt
    plan = iter([[Connect(-1, "b", 1, 9.0)], [Close(-1)]])
    world.node.react = lambda event: next(plan, [])
    world.edge.feed(Tick(0.0))
    world.edge.feed(Tick(0.0))
    assert len(cancelled) == 1
    assert world.kinds == [Tick, Tick, Disconnected]


def test_a_question_is_put_to_the_command_and_its_answer_is_an_input():
    world = World()
    world.node.react = lambda event: (
        [Consult(7, ["shrink", "3"], "{}", 5.0)] if isinstance(event, Started) else []
    )
    world.edge.start(0.0)
    ((arguments, document, timeout_s, answered),) = world.commands.runs
    assert (arguments, document, timeout_s) == (["shrink", "3"], "{}", 5.0)
    answered(1, "no")
    last = world.node.inputs[-1]
    assert isinstance(last, Answered)
    assert (last.request, last.code, last.text, last.now) == (7, 1, "no", 100.0)


def test_a_command_does_not_keep_a_broker_that_ends():
    world = World()
    world.edge.shutdown(0)
    assert world.commands.killed == 1
