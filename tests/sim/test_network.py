"""Connections keep their order, lose what they must and nothing else, and tell nobody too much."""

from __future__ import annotations

from dataclasses import replace

from tests.sim.network import CLIENT, SERVER, Network, Pipe
from tests.sim.plan import NetworkPlan
from tests.sim.world import World

CALM = NetworkPlan(delay_min_s=0.01, delay_max_s=0.01)


class Peer:
    """An end of pipes; writes down what happens."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.powered = True
        self.got: list[bytes] = []
        self.closed: list[str] = []
        self.full: list[bool] = []
        self.pipes: list[Pipe] = []

    def accept(self, pipe: Pipe) -> Peer:
        self.pipes.append(pipe)
        return self

    def pipe_data(self, pipe: Pipe, data: bytes) -> None:
        self.got.append(data)

    def pipe_closed(self, pipe: Pipe, reason: str) -> None:
        self.closed.append(reason)

    def pipe_full(self, pipe: Pipe, full: bool) -> None:
        self.full.append(full)


class Scene:
    """A client, a server, a network between them."""

    def __init__(self, plan: NetworkPlan = CALM, seed: int = 1) -> None:
        self.world = World(seed)
        self.network = Network(self.world, plan)
        self.client = Peer("client")
        self.server = Peer("server")
        self.answers: list[str] = []

    def dial(self) -> None:
        def answer(pipe: Pipe | None, reason: str) -> None:
            self.answers.append(reason if pipe is None else "up")
            if pipe is not None:
                self.client.pipes.append(pipe)

        self.last = self.network.connect("me", "c", self.server, self.client, answer)

    def connected(self) -> Pipe:
        self.dial()
        self.run(9.0)
        assert self.answers[-1] == "up"
        return self.client.pipes[-1]

    def run(self, seconds: float) -> None:
        self.world.run_until(self.world.now + seconds)

    def block(self, *ways: str) -> None:
        self.undo = self.network.block([(way.split(">")[0], way.split(">")[1]) for way in ways])


def test_bytes_arrive_later_and_in_order_whatever_the_delays() -> None:
    scene = Scene(NetworkPlan(0.001, 0.5, 0.3, 1.0, 0.5))
    pipe = scene.connected()
    for number in range(100):
        scene.network.send(pipe, CLIENT, b"%03d" % number)
    assert scene.server.got == []
    scene.run(10.0)
    assert b"".join(scene.server.got) == b"".join(b"%03d" % n for n in range(100))
    assert len(scene.server.got) > 100


def test_different_connections_overtake_each_other() -> None:
    scene = Scene(NetworkPlan(0.001, 0.5))
    pipes = [scene.connected() for _ in range(10)]
    for number, pipe in enumerate(pipes):
        scene.network.send(pipe, CLIENT, b"%d" % number)
    scene.run(1.0)
    assert len(scene.server.got) == 10
    assert scene.server.got != sorted(scene.server.got)


def test_a_blocked_way_holds_everything_until_it_is_open_again() -> None:
    scene = Scene()
    pipe = scene.connected()
    scene.block("c>server")
    for number in range(5):
        scene.network.send(pipe, CLIENT, b"%d" % number)
        scene.run(1.0)
    scene.network.send(pipe, SERVER, b"other direction")
    scene.run(1.0)
    assert (scene.server.got, scene.client.got) == ([], [b"other direction"])
    scene.undo()
    scene.network.send(pipe, CLIENT, b"5")
    scene.run(2.0)
    assert b"".join(scene.server.got) == b"012345"


def test_blocks_add_up() -> None:
    scene = Scene()
    pipe = scene.connected()
    scene.block("c>server")
    first = scene.undo
    scene.block("c>server", "server>c")
    first()
    scene.network.send(pipe, CLIENT, b"x")
    scene.run(2.0)
    assert scene.server.got == []
    assert not scene.network.is_open("c", "server")
    scene.undo()
    scene.run(2.0)
    assert scene.server.got == [b"x"]


def test_a_dial_waits_for_its_way_or_is_given_up() -> None:
    scene = Scene()
    scene.block("server>c")
    scene.dial()
    scene.run(5.0)
    assert scene.answers == []
    scene.undo()
    scene.run(1.0)
    assert scene.answers == ["up"]
    scene.block("c>server")
    scene.dial()
    scene.run(1.0)
    scene.network.give_up(scene.last)
    scene.undo()
    scene.run(1.0)
    assert scene.answers == ["up"]


def test_a_dead_process_refuses_and_a_dead_machine_says_nothing() -> None:
    scene = Scene()
    scene.server.alive = False
    scene.dial()
    scene.run(1.0)
    assert scene.answers == ["connection refused"]
    scene.server.powered = False
    scene.dial()
    scene.run(9.0)
    assert scene.answers == ["connection refused"]
    scene.server.powered = scene.server.alive = True
    scene.network.powered_up("server")
    scene.run(1.0)
    assert scene.answers[1:] == ["up"]


def test_an_orderly_close_comes_after_what_was_written() -> None:
    scene = Scene()
    pipe = scene.connected()
    scene.network.send(pipe, CLIENT, b"last words")
    scene.network.close(pipe, CLIENT, "done")
    scene.network.send(pipe, CLIENT, b"too late")
    scene.network.send(pipe, SERVER, b"nobody listens")
    scene.run(1.0)
    assert (scene.server.got, scene.server.closed) == ([b"last words"], ["done"])
    assert (scene.client.got, scene.client.closed) == ([], [])


def test_an_abort_overtakes_what_would_arrive_after_it() -> None:
    scene = Scene(replace(CALM, spike_probability=1.0, spike_s=5.0))
    pipe = scene.connected()
    scene.network.send(pipe, CLIENT, b"slow")
    scene.network.abort(pipe, CLIENT, "reset")
    scene.run(9.0)
    assert (scene.server.got, scene.server.closed) == ([], ["reset"])


def test_news_of_an_abort_waits_for_a_blocked_way_and_the_bytes_are_lost() -> None:
    scene = Scene()
    pipe = scene.connected()
    scene.block("c>server")
    scene.network.send(pipe, CLIENT, b"lost")
    scene.network.abort(pipe, CLIENT)
    scene.run(5.0)
    assert (scene.server.got, scene.server.closed) == ([], [])
    scene.undo()
    scene.run(2.0)
    assert (scene.server.got, scene.server.closed) == ([], ["connection reset"])


def test_a_cut_is_told_to_both_ends() -> None:
    scene = Scene()
    pipe = scene.connected()
    scene.network.cut(pipe)
    scene.network.cut(pipe)
    scene.network.send(pipe, CLIENT, b"lost")
    scene.run(1.0)
    assert scene.client.closed == scene.server.closed == ["reset by the network"]
    assert scene.server.got == []


def test_who_lost_power_is_silent_until_it_is_back() -> None:
    scene = Scene()
    pipe = scene.connected()
    scene.network.send(pipe, SERVER, b"on its way")
    scene.network.vanish(pipe, SERVER)
    scene.network.send(pipe, CLIENT, b"into the void")
    scene.run(9.0)
    assert (scene.client.got, scene.client.closed) == ([b"on its way"], [])
    scene.network.powered_up("server")
    scene.run(2.0)
    assert scene.client.closed == ["connection reset"]


def test_a_slow_host_takes_its_time_and_one_thing_after_the_other() -> None:
    scene = Scene()
    pipe = scene.connected()
    scene.network.slow["server"] = (0.5, 1000.0)
    scene.network.send(pipe, CLIENT, bytes(500))
    scene.network.send(pipe, CLIENT, bytes(500))
    scene.run(0.9)
    assert scene.server.got == []
    scene.run(0.3)
    assert len(scene.server.got) == 1
    scene.run(0.5)
    assert len(scene.server.got) == 2


def test_a_storm_delays_everything() -> None:
    scene = Scene()
    pipe = scene.connected()
    scene.network.storm_s = 10.0
    for _ in range(5):
        scene.network.send(pipe, CLIENT, b"x")
    scene.run(0.1)
    assert len(scene.server.got) < 5
    scene.run(11.0)
    assert len(scene.server.got) == 5


def test_a_full_connection_says_so_and_says_when_it_has_room() -> None:
    scene = Scene(replace(CALM, buffer_bytes=100))
    pipe = scene.connected()
    scene.network.send(pipe, SERVER, bytes(80))
    scene.network.send(pipe, SERVER, bytes(80))
    scene.run(0.005)
    assert scene.server.full == [True]
    scene.run(1.0)
    assert scene.server.full == [True, False]


def test_heal_opens_everything() -> None:
    scene = Scene()
    pipe = scene.connected()
    scene.block("c>server", "server>c")
    scene.network.slow["c"] = (9.0, 1.0)
    scene.network.storm_s = 9.0
    scene.network.heal()
    scene.undo()
    scene.network.send(pipe, CLIENT, b"x")
    scene.run(0.1)
    assert scene.server.got == [b"x"]


def test_closed_pipes_are_forgotten() -> None:
    scene = Scene()
    for _ in range(5):
        scene.network.cut(scene.connected())
        scene.run(1.0)
    scene.connected()
    assert len(scene.network.pipes) == 1
