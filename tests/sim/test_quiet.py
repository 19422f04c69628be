"""Heartbeats: they keep an hour of silence, and end what is silent without a reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.sim.consumers import Consumer, Consumer010
from tests.sim.consumers10 import Consumer10
from tests.sim.network import CLIENT, Pipe
from tests.sim.plan import ClientPlan, ClockPlan, Fault
from tests.sim.quiet import FORMED_S, HOUR_S, PAUSE_BEATS, QuietTime, quiet_plan
from tests.sim.scene import Scene
from tests.sim.surgery import BEATS
from tests.sim.watch import Violation

SHORT_S = 150.0
SOON_S = 0.2
"""A look of the broker at its connections, and the network."""


def test_nobody_is_lost_in_a_quiet_hour() -> None:
    quiet = QuietTime(quiet_plan(), tracing=False)
    quiet.play()
    assert quiet.simulation.world.now > HOUR_S
    clients = {client.name: client for w in quiet.simulation.works for client in w.producers}
    clients |= {client.name: client for w in quiet.simulation.works for client in w.consumers}
    assert {client.protocol for client in clients.values()} == {"0-10", "1.0"}
    assert all(client.connections == 1 for client in clients.values())
    assert all(
        quiet.pauses_s[name] >= PAUSE_BEATS * client.plan.heartbeat_s > 0
        for name, client in clients.items()
    )
    assert quiet.pauses_s["w1.c0"] == HOUR_S - quiet.formed_s > HOUR_S - FORMED_S
    counts = quiet.simulation.world.counts
    for protocol in ("0-10", "1.0"):
        assert counts[f"{protocol} received"] > 100
        assert counts[f"{protocol} acknowledged"] == counts[f"{protocol} sent"] > 100
    assert set(quiet.sizes) == {"n1", "n2", "n3"}


def test_a_quiet_time_is_told_by_client_and_broker() -> None:
    quiet = QuietTime(quiet_plan(SHORT_S))
    quiet.play()
    lines = list(quiet.summary())
    assert lines[1] == "w0.p1: 1.0, 74 intervals of 2 s, longest pause 61.0 s"
    assert [line.split(":")[0] for line in lines[-3:]] == ["n1", "n2", "n3"]


def test_in_a_quiet_time_nobody_notes_anything() -> None:
    quiet = QuietTime(quiet_plan(SHORT_S))
    quiet.play()
    trace = [line.split(maxsplit=1) for line in quiet.simulation.world.trace]
    assert [text for at, text in trace if FORMED_S < float(at) < SHORT_S] == []


@pytest.mark.parametrize("name", ["w1.c0", "w1.c1"])
def test_a_client_without_heartbeats_does_not_last(name: str) -> None:
    quiet = QuietTime(quiet_plan(SHORT_S))
    network = quiet.simulation.network
    send = network.send

    def send_no_beats(pipe: Pipe, sender: int, data: bytes) -> None:
        if sender != CLIENT or data not in BEATS or not pipe.name.startswith(f"{name}>"):
            send(pipe, sender, data)

    network.send = send_no_beats  # type: ignore[method-assign]
    with pytest.raises(Violation) as raised:
        quiet.play()
    assert raised.value.check == "connection lost"
    assert name in raised.value.text


def test_a_broker_whose_clock_runs_much_too_fast_is_noticed() -> None:
    plan = replace(quiet_plan(SHORT_S), clocks=[ClockPlan(3.0)])
    with pytest.raises(Violation) as raised:
        QuietTime(plan).play()
    assert raised.value.check in ("connection lost", "backup dropped")


def test_a_primary_that_dies_is_noticed() -> None:
    quiet = QuietTime(quiet_plan(SHORT_S))
    quiet.simulation.world.at(50.0, quiet.simulation.nodes[0].kill)
    with pytest.raises(Violation, match=r"backup dropped|connection lost"):
        quiet.play()
    assert quiet.simulation.world.now < 51.0


def test_a_backup_that_dies_is_noticed() -> None:
    quiet = QuietTime(quiet_plan(SHORT_S))
    quiet.simulation.world.at(50.0, quiet.simulation.nodes[1].kill)
    with pytest.raises(Violation, match="backup dropped"):
        quiet.play()
    assert quiet.simulation.world.now < 51.0


def test_an_hour_that_does_not_begin_is_none() -> None:
    quiet = QuietTime(quiet_plan(SHORT_S))
    quiet.simulation.world.at(0.3, quiet.simulation.nodes[1].lose_power)
    with pytest.raises(Violation, match="not converged"):
        quiet.play()


def test_an_hour_with_faults_is_none() -> None:
    plan = replace(quiet_plan(SHORT_S), faults=[Fault("kill", 50.0, 1.0)])
    with pytest.raises(AssertionError):
        QuietTime(plan)


def test_without_long_pauses_nothing_is_shown() -> None:
    plan = quiet_plan(SHORT_S)
    busy = plan.works[0]
    producers = [replace(client, pause_s=1.0) for client in busy.producers]
    loud = replace(plan, works=[replace(busy, producers=producers), plan.works[1]])
    with pytest.raises(Violation, match=r"not quiet: w0\.p0 never paused for 4 s"):
        QuietTime(loud).play()


# -- who is silent ---------------------------------------------------------------------------


def idle_client(scene: Scene, protocol: str, heartbeat_s: int) -> tuple[Consumer, list[float]]:
    """A client with nothing to do, and when it loses its connection."""
    lost: list[float] = []
    scene.site.bereft.append(lambda *_: lost.append(scene.site.world.now))
    kind = Consumer010 if protocol == "0-10" else Consumer10
    plan = ClientPlan(host="c7", heartbeat_s=heartbeat_s, protocol=protocol)
    client = kind(scene.site, "c", plan, "q")
    scene.run(30.0)
    assert client.subscribed
    assert lost == []
    return client, lost


@pytest.mark.parametrize("heartbeat_s", [1, 3])
@pytest.mark.parametrize("protocol", ["0-10", "1.0"])
@pytest.mark.parametrize("way", [("n1", "c7"), ("c7", "n1")])
def test_silence_of_two_intervals_ends_a_connection(
    protocol: str, heartbeat_s: int, way: tuple[str, str]
) -> None:
    """What the broker says does not arrive: the client ends it. Or the other way round."""
    scene = Scene()
    _, lost = idle_client(scene, protocol, heartbeat_s)
    begin = scene.site.world.now
    unblock = scene.simulation.network.block([way])
    scene.run(2 * heartbeat_s + 1.0)
    assert len(lost) == 1
    assert heartbeat_s - SOON_S < lost[0] - begin <= 2 * heartbeat_s + SOON_S
    unblock()
    scene.run(3.0)
    assert len(lost) == 1


@pytest.mark.parametrize("protocol", ["0-10", "1.0"])
def test_without_heartbeats_silence_ends_nothing(protocol: str) -> None:
    scene = Scene()
    client, lost = idle_client(scene, protocol, 0)
    unblock = scene.simulation.network.block([("n1", "c7"), ("c7", "n1")])
    scene.run(60.0)
    unblock()
    scene.run(3.0)
    assert lost == []
    assert client.connections == 1
