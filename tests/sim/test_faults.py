"""Each fault does what it says, is over when it says, and never takes the last copy."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.sim import faults, probe
from tests.sim.faults import KINDS
from tests.sim.plan import ClientPlan, Fault, Plan, WorkPlan
from tests.sim.simulation import Simulation

BUSY = WorkPlan(
    "queue",
    "w0",
    producers=[ClientPlan(count=60, window=5, pause_s=0.4)],
    consumers=[ClientPlan()],
)


def running(*struck: Fault, seconds: float = 2.0) -> Simulation:
    """A cluster with one primary and two ready backups, and what strikes it."""
    simulation = Simulation(Plan(1, faults=list(struck), works=[BUSY], faults_end_s=12.0))
    simulation.world.run_until(seconds)
    return simulation


def hosts(simulation: Simulation) -> list[str]:
    return [node.name for node in simulation.nodes] + [*faults.CLIENT_HOSTS, "rm"]


def closed_ways(simulation: Simulation) -> set[tuple[str, str]]:
    """Pairs of hosts that do not hear each other, one way at least."""
    names = hosts(simulation)
    is_open = simulation.network.is_open
    return {(a, b) for a in names for b in names if a < b and not is_open(a, b)}


def test_everybody_is_well_without_faults() -> None:
    simulation = running()
    assert simulation.converged()
    assert closed_ways(simulation) == set()


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("target", ["primary", "backup", "any"])
def test_a_run_survives_each_fault(kind: str, target: str) -> None:
    plan = Plan(
        seed=3,
        faults=[Fault(kind, 2.0, 2.5, target, choice) for choice in (1, 2, 3)],
        works=[BUSY],
        faults_end_s=6.0,
    )
    simulation = Simulation(plan)
    simulation.play()
    struck = simulation.world.counts[f"fault {kind}"]
    assert struck + simulation.world.counts["faults without a victim"] == 3
    assert struck >= 1
    assert simulation.history.faults == struck


@pytest.mark.parametrize(("kind", "powered"), [("kill", True), ("stop", True), ("power", False)])
def test_a_broker_goes_and_comes_back_empty(kind: str, powered: bool) -> None:
    simulation = running(Fault(kind, 2.0, 1.0, "n2"), seconds=2.5)
    node = simulation.nodes[1]
    assert (node.alive, node.powered) == (False, powered)
    simulation.world.run_until(9.0)
    assert node.starts == 2
    assert simulation.converged()


def test_a_stopped_process_goes_on_where_it_was() -> None:
    simulation = running(Fault("pause", 2.0, 1.0, "n2"), seconds=2.5)
    assert simulation.nodes[1].frozen
    simulation.world.run_until(9.0)
    assert simulation.nodes[1].starts == 1
    assert simulation.converged()


def test_all_can_be_stopped_at_once() -> None:
    simulation = running(Fault("pause all", 2.0, 1.0), seconds=2.5)
    assert all(node.frozen for node in simulation.nodes)
    simulation.world.run_until(9.0)
    assert simulation.converged()


def test_connections_are_cut() -> None:
    simulation = running(seconds=2.0)
    before = [pipe for pipe in simulation.network.pipes if "n1" in pipe.ways[1]]
    faults.cut_all(scene_of(simulation), Fault("cut all", 2.0, 1.0, "n1"))
    assert before
    assert all(pipe.broken for pipe in before)
    assert faults.cut(scene_of(simulation), Fault("cut", 2.0, 1.0)) is None


def scene_of(simulation: Simulation) -> faults.Scene:
    return faults.Scene(
        simulation.world,
        simulation.network,
        simulation.nodes,
        simulation.manager,
        simulation.world.dice("test"),
    )


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("split", lambda ways: sum(a[0] == b[0] == "n" for a, b in ways) == 2),
        ("isolate", lambda ways: {("n1", "n2"), ("n1", "n3")} <= ways),
        ("one way", lambda ways: ways and all("n1" in way for way in ways)),
        ("partial", lambda ways: len(ways) == 1 and all("n1" in way for way in ways)),
        ("clients apart", lambda ways: ways and all(way[0].startswith("c") for way in ways)),
        ("manager apart", lambda ways: ways == {("n1", "rm")}),
    ],
)
def test_partitions_block_the_ways_that_they_say(
    kind: str, expected: Callable[[set[tuple[str, str]]], bool]
) -> None:
    for choice in range(8):
        simulation = running(Fault(kind, 2.0, 0.5, "n1", choice), seconds=2.1)
        ways = closed_ways(simulation)
        assert expected(ways), ways
        simulation.world.run_until(2.6)
        assert closed_ways(simulation) == set()


def test_one_way_means_one_way() -> None:
    simulation = running(seconds=2.0)
    undo = faults.one_way(scene_of(simulation), Fault("one way", 2.0, 1.0, "n1"))
    assert undo is not None
    blocked = simulation.network.blocked_ways()
    assert blocked
    assert not any((b, a) in blocked for a, b in blocked)
    undo()
    assert simulation.network.blocked_ways() == set()


def test_slow_and_storm_end() -> None:
    simulation = running(Fault("slow", 2.0, 1.0, "n2"), Fault("storm", 2.0, 1.0), seconds=2.5)
    assert list(simulation.network.slow) == ["n2"]
    assert simulation.network.storm_s > 0
    simulation.world.run_until(3.5)
    assert (simulation.network.slow, simulation.network.storm_s) == ({}, 0.0)


def test_the_last_copy_is_never_destroyed() -> None:
    simulation = running(
        Fault("kill", 2.0, 9.0, "n2"),
        Fault("kill", 2.0, 9.0, "n3"),
        Fault("kill", 5.0, 9.0, "n1"),
        Fault("power", 5.0, 9.0, "n1"),
        Fault("stop", 5.0, 9.0, "n1"),
        seconds=6.0,
    )
    assert [node.alive for node in simulation.nodes] == [True, False, False]
    assert simulation.world.counts["faults without a victim"] == 3


def test_heal_ends_everything_at_once() -> None:
    simulation = running(
        Fault("kill", 2.0, 60.0, "n2"),
        Fault("pause", 2.0, 60.0, "n3"),
        Fault("isolate", 2.1, 60.0, "n1"),
        Fault("cut", 90.0, 1.0),
        seconds=3.0,
    )
    simulation.faults.heal()
    assert all(node.awake for node in simulation.nodes)
    assert closed_ways(simulation) == set()
    simulation.world.run_until(100.0)
    assert simulation.world.counts["fault cut"] == 0
    assert probe.status(simulation.nodes[1].node) is probe.READY
