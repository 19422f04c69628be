"""Virtual time runs in order, clocks differ, dice depend on their names only."""

from __future__ import annotations

import pytest

from tests.sim import world as world_module
from tests.sim.world import WALL_S, Clock, World


def test_events_happen_in_order_of_time_then_of_scheduling() -> None:
    world = World(1)
    seen: list[str] = []
    world.at(2.0, lambda: seen.append("late"))
    world.at(1.0, lambda: seen.append("first"))
    world.at(1.0, lambda: seen.append("second"))
    world.after(0.5, lambda: seen.append("soon"))
    world.run_until(3.0)
    assert seen == ["soon", "first", "second", "late"]
    assert world.now == 3.0


def test_the_past_is_now() -> None:
    world = World(1)
    times: list[float] = []
    world.at(1.0, lambda: world.at(0.5, lambda: times.append(world.now)))
    world.run_until(2.0)
    assert times == [1.0]


def test_run_until_stops_when_it_is_done() -> None:
    world = World(1)
    seen: list[float] = []
    for second in (1.0, 2.0, 3.0):
        world.at(second, lambda: seen.append(world.now))
    assert world.run_until(10.0, lambda: len(seen) >= 2)
    assert 2.0 <= world.now < 3.0
    assert not world.run_until(4.0, lambda: False)
    assert world.now == pytest.approx(4.0)


def test_what_spins_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world_module, "EVENTS_MAX", 100)
    world = World(1)

    def spin() -> None:
        world.after(0.0, spin)

    spin()
    with pytest.raises(AssertionError, match="something spins"):
        world.run_until(1.0)


def test_dice_depend_on_seed_and_name_only() -> None:
    first, second = World(1), World(1)
    second.dice("somebody else").random()
    assert first.dice("a").random() == second.dice("a").random()
    assert first.dice("a").random() != first.dice("b").random()
    assert first.dice("a").random() != World(2).dice("a").random()


def test_a_clock_runs_at_its_own_rate() -> None:
    clock = Clock(rate=1.05, offset_s=1000.0, wall_offset_s=-3.0)
    assert clock.local(10.0) == 1010.5
    assert clock.true(clock.local(7.0)) == pytest.approx(7.0)
    assert clock.wall(10.0) == WALL_S + 7.0


def test_the_trace_tells_when_and_what() -> None:
    world = World(1)
    world.at(1.5, lambda: world.note("something"))
    world.run_until(2.0)
    assert world.trace == ["    1.5000 something"]
    silent = World(1, tracing=False)
    silent.note("something")
    assert silent.trace == []
