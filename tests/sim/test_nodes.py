"""The simulated edge keeps the law of the real one, on clocks of its own."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from tanist.node.config import NodeConfig
from tanist.node.inputs import (
    Connected,
    Disconnected,
    Input,
    LinkUp,
    Received,
    Started,
    Tick,
    Writable,
)
from tanist.node.outputs import Arm, Close, Connect, Log, Output, Send, Stop
from tests.sim import nodes as module
from tests.sim.network import CLIENT, Network, Pipe
from tests.sim.nodes import RESTART_S, SimNode, Watcher
from tests.sim.plan import ClockPlan, NetworkPlan, Plan
from tests.sim.store import Store
from tests.sim.world import WALL_S, World

READY = SimpleNamespace(name="READY")


class Script:
    """A node that writes down its inputs and answers with what ``answers`` says to their type."""

    def __init__(self, config: NodeConfig) -> None:
        self.config = config
        self.inputs: list[Input] = []
        self.answers: dict[type[Input], list[Output]] = {}

    def step(self, happened: Input) -> list[Output]:
        self.inputs.append(happened)
        return self.answers.get(type(happened), [])

    def kinds(self) -> list[str]:
        return [type(happened).__name__ for happened in self.inputs]


class Client:
    """The other end of a pipe."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.closed: list[str] = []
        self.pipe: Pipe | None = None

    def pipe_data(self, pipe: Pipe, data: bytes) -> None:
        self.got.append(data)

    def pipe_closed(self, pipe: Pipe, reason: str) -> None:
        self.closed.append(reason)

    def pipe_full(self, pipe: Pipe, full: bool) -> None:
        pass


class Scene:
    """Two scripted nodes and a client."""

    def __init__(self, network: NetworkPlan | None = None, *clocks: ClockPlan) -> None:
        plan = Plan(1, network=network or NetworkPlan(0.01, 0.01), clocks=list(clocks))
        self.world = World(1)
        self.network = Network(self.world, plan.network)
        self.store = Store(self.world, self.network)
        make: Callable[[NodeConfig], Script] = Script
        self.nodes = [
            SimNode(self.world, self.network, self.store, plan, number, make)  # type: ignore[arg-type]
            for number in range(2)
        ]
        for node in self.nodes:
            node.meet(self.nodes)
            node.start()
        self.first, self.second = self.nodes
        self.client = Client()

    def script(self, node: SimNode) -> Script:
        script: object = node.node
        assert isinstance(script, Script)
        return script

    def answer(self, node: SimNode, to: type[Input], *outputs: Output) -> None:
        self.script(node).answers[to] = list(outputs)

    def run(self, seconds: float) -> None:
        self.world.run_until(self.world.now + seconds)

    def dial(self) -> Pipe:
        def answer(pipe: Pipe | None, reason: str) -> None:
            self.client.pipe = pipe

        self.network.connect("me", "c", self.first, self.client, answer)
        self.run(0.1)
        assert self.client.pipe is not None
        return self.client.pipe

    def send(self, pipe: Pipe, data: bytes = b"x") -> None:
        self.network.send(pipe, CLIENT, data)
        self.run(0.1)

    def kinds(self) -> list[str]:
        return self.script(self.first).kinds()


@pytest.fixture(autouse=True)
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing inside these nodes to look at."""
    look = SimpleNamespace(status=lambda node: READY)
    monkeypatch.setattr(module, "probe", look)


def test_a_clock_of_its_own_shows_in_every_input() -> None:
    scene = Scene(None, ClockPlan(rate=1.5, offset_s=100.0, wall_offset_s=7.0))
    started = scene.script(scene.first).inputs[0]
    assert isinstance(started, Started)
    assert (started.now, started.wall_s) == (100.0, WALL_S + 7.0)
    scene.dial()
    assert scene.script(scene.first).inputs[1].now == pytest.approx(100.0 + 0.01 * 1.5)


def test_the_timer_fires_when_its_clock_shows_the_time_and_not_before() -> None:
    scene = Scene(None, ClockPlan(rate=0.9, offset_s=1e6 / 3))
    scene.answer(scene.first, Connected, Arm(1e6 / 3 + 1.8))
    scene.dial()
    scene.world.run_until(1.99)
    assert "Tick" not in scene.kinds()
    scene.world.run_until(2.01)
    assert scene.kinds()[-1] == "Tick"
    assert scene.script(scene.first).inputs[-1].now >= 1e6 / 3 + 1.8


def test_a_new_timer_replaces_the_old_one() -> None:
    scene = Scene()
    scene.answer(scene.first, Connected, Arm(1.0))
    scene.answer(scene.first, Received, Arm(2.0))
    scene.send(scene.dial())
    scene.world.run_until(1.5)
    assert "Tick" not in scene.kinds()
    scene.world.run_until(2.5)
    assert scene.kinds().count("Tick") == 1


def test_bytes_go_both_ways() -> None:
    scene = Scene()
    scene.answer(scene.first, Received, Send(1, b"answer"), Send(99, b"to nobody"))
    scene.send(scene.dial(), b"question")
    assert scene.client.got == [b"answer"]
    assert scene.kinds() == ["Started", "Connected", "Received"]


@pytest.mark.parametrize("abort", [True, False])
def test_a_close_is_answered_by_one_disconnected(abort: bool) -> None:
    scene = Scene()
    scene.answer(scene.first, Received, Send(1, b"bye"), Close(1, abort), Close(1, abort))
    scene.send(scene.dial())
    scene.run(1.0)
    assert scene.kinds().count("Disconnected") == 1
    assert len(scene.client.closed) == 1
    if not abort:
        assert scene.client.got == [b"bye"]


def connecting(timeout_s: float = 1.0) -> Scene:
    """The first node dials the second when a client sends it something."""
    scene = Scene()
    scene.answer(scene.first, Received, Connect(-1, "n2", 5672, timeout_s))
    return scene


def test_a_link_comes_up_and_carries() -> None:
    scene = connecting()
    scene.answer(scene.first, LinkUp, Send(-1, b"hello"))
    scene.send(scene.dial())
    scene.run(0.1)
    assert scene.kinds()[-1] == "LinkUp"
    assert scene.script(scene.second).kinds() == ["Started", "Connected", "Received"]


def test_a_dead_process_refuses() -> None:
    scene = connecting()
    scene.second.kill()
    scene.send(scene.dial())
    gone = scene.script(scene.first).inputs[-1]
    assert isinstance(gone, Disconnected)
    assert (gone.conn, gone.reason) == (-1, "connection refused")


def test_a_dead_machine_is_given_up_in_time() -> None:
    scene = connecting(timeout_s=3.0)
    scene.second.lose_power()
    scene.send(scene.dial())
    scene.run(2.5)
    assert scene.kinds()[-1] == "Received"
    scene.run(1.0)
    gone = scene.script(scene.first).inputs[-1]
    assert isinstance(gone, Disconnected)
    assert gone.reason == "gave up after 3 s"
    scene.second.start()
    scene.run(5.0)
    assert "LinkUp" not in scene.kinds()


def test_an_attempt_can_be_cancelled() -> None:
    scene = connecting()
    scene.answer(scene.first, Received, Connect(-1, "n2", 5672, 9.0), Close(-1))
    scene.send(scene.dial())
    scene.run(1.0)
    assert scene.kinds().count("Disconnected") == 1
    assert "LinkUp" not in scene.kinds()


def test_a_stopped_process_reads_everything_afterwards() -> None:
    scene = Scene()
    scene.answer(scene.first, Connected, Arm(1.0))
    pipe = scene.dial()
    scene.first.freeze()
    scene.send(pipe, b"one ")
    scene.send(pipe, b"two")
    scene.run(2.0)
    assert scene.kinds() == ["Started", "Connected"]
    scene.network.close(pipe, CLIENT)
    scene.run(1.0)
    scene.first.thaw()
    assert sorted(scene.kinds()[2:]) == ["Disconnected", "Received", "Tick"]
    received = [i for i in scene.script(scene.first).inputs if isinstance(i, Received)]
    assert received[0].data == b"one two"
    assert received[0].now == pytest.approx(scene.world.now)


def test_a_killed_process_forgets_everything() -> None:
    scene = Scene()
    pipe = scene.dial()
    scene.first.kill()
    scene.run(0.1)
    assert scene.client.closed == ["connection reset"]
    scene.first.start()
    scene.send(pipe)
    assert scene.kinds() == ["Started"]
    assert scene.first.starts == 2
    assert scene.script(scene.first).config.boot_id != scene.script(scene.second).config.boot_id


def test_each_start_has_a_boot_id_of_its_own() -> None:
    scene = Scene()
    before = scene.script(scene.first).config
    scene.first.kill()
    scene.first.start()
    after = scene.script(scene.first).config
    assert before.boot_id != after.boot_id
    assert before.system_id == after.system_id


def test_a_machine_without_power_says_nothing() -> None:
    scene = Scene()
    scene.dial()
    scene.first.lose_power()
    scene.run(9.0)
    assert scene.client.closed == []
    scene.first.start()
    scene.run(2.0)
    assert scene.client.closed == ["connection reset"]


def test_a_broker_that_stops_itself_says_its_last_words_and_is_started_again() -> None:
    scene = Scene()
    scene.answer(scene.first, Received, Send(1, b"last"), Log("info", "HA", "x"), Stop("because"))
    scene.send(scene.dial())
    assert (scene.client.got, scene.client.closed) == ([b"last"], ["closed by peer"])
    assert not scene.first.alive
    scene.run(RESTART_S + 0.1)
    assert scene.first.starts == 2
    assert "n1 stops: because (ready)" in "\n".join(scene.world.trace)
    assert "n1 [HA] info x" in "\n".join(scene.world.trace)


def test_the_timer_of_a_former_life_is_void() -> None:
    scene = Scene()
    scene.answer(scene.first, Connected, Arm(1.0))
    scene.dial()
    scene.first.kill()
    scene.first.start()
    scene.run(2.0)
    assert scene.kinds() == ["Started"]


def test_a_full_connection_is_told() -> None:
    scene = Scene(NetworkPlan(0.01, 0.01, buffer_bytes=10))
    scene.answer(scene.first, Received, Send(1, bytes(50)))
    scene.send(scene.dial())
    written = [i.writable for i in scene.script(scene.first).inputs if isinstance(i, Writable)]
    assert written == [False, True]


def test_watchers_see_every_step_and_every_end() -> None:
    seen: list[str] = []

    class Eyes(Watcher):
        def stepped(self, node: SimNode) -> None:
            seen.append("step")

        def ends(self, node: SimNode) -> None:
            assert node.alive
            seen.append("end")

    scene = Scene()
    scene.first.watchers = [Eyes()]
    scene.dial()
    scene.first.stop()
    scene.first.stop()
    assert seen == ["step", "end"]


def test_nothing_happens_twice() -> None:
    scene = Scene()
    scene.first.start()
    scene.first.thaw()
    assert scene.kinds() == ["Started"]
    scene.first.freeze()
    scene.first.freeze()
    scene.first.thaw()
    assert scene.kinds() == ["Started"]
    assert isinstance(Tick(0.0), Input)
