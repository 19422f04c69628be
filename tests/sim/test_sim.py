"""The simulator as a whole: seeds pass, a seed is a whole run, broken rules are noticed."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from tests.sim.draw import draw, speak_protocols
from tests.sim.kinds import KINDS
from tests.sim.mutants import COMPILED, MUTANTS
from tests.sim.plan import ClientPlan, Fault, Plan, WorkPlan
from tests.sim.run import catch
from tests.sim.simulation import Simulation
from tests.sim.watch import Violation

ROOT = Path(__file__).resolve().parents[2]

CLIENT = ClientPlan(count=20, window=5, pause_s=0.3)


def plan_of(kind: str, faults: list[Fault], protocol: str = "0-10") -> Plan:
    """One work with one of everything that it knows; who need not declare speaks ``protocol``."""
    what = KINDS[kind]
    consumer = ClientPlan(window=10, pause_s=0.01, accept=not what.promise.at_most_once)
    work = WorkPlan(
        kind,
        "w0",
        choice=7,
        producers=[CLIENT] if what.topology != "nothing" else [],
        consumers=[consumer] if what.takes and what.consumers else [],
        browsers=[consumer] if what.takes and not what.temporary and not what.exclusive else [],
        actors=[ClientPlan(count=4, window=2, pause_s=0.5)] if what.actor else [],
    )
    work = speak_protocols(Random(5), work, float(protocol == "1.0"))
    return Plan(5, faults=faults, works=[work], faults_end_s=5.0)


@pytest.mark.parametrize("seed", range(1, 21))
def test_seeds_keep_every_promise(seed: int) -> None:
    Simulation(draw(seed)).play()


@pytest.mark.parametrize("protocol", ["0-10", "1.0"])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_each_workload_works_without_faults(kind: str, protocol: str) -> None:
    simulation = Simulation(plan_of(kind, [], protocol))
    simulation.play()
    assert simulation.history.events


@pytest.mark.parametrize("protocol", ["0-10", "1.0"])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_each_workload_survives_its_primary(kind: str, protocol: str) -> None:
    faults = [
        Fault("kill", 2.0, 1.0, "primary", 1),
        Fault("pause", 3.2, 4.0, "primary", 2),
    ]
    simulation = Simulation(plan_of(kind, faults, protocol))
    simulation.play()
    assert simulation.world.counts["promotions"] >= 3


def test_a_seed_is_a_whole_run() -> None:
    first, second = Simulation(draw(4)), Simulation(draw(4))
    first.play()
    second.play()
    assert first.world.trace == second.world.trace
    assert first.history.events == second.history.events
    assert first.history.events
    assert first.digest() == second.digest()
    other = Simulation(draw(5))
    other.play()
    assert other.digest() != first.digest()


def test_hash_order_makes_no_difference() -> None:
    """Sets of strings are in another order in every process; the history must not be."""
    digests = set()
    for hash_seed in ("0", "1", "12345"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        printed = subprocess.run(
            [sys.executable, str(ROOT / "tests/sim/run.py"), "--digests", "3"],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout
        assert len(printed.splitlines()) == 3
        digests.add(printed)
    assert len(digests) == 1, digests


NOTICED_IN = {
    "confirm in secret": 10,
    "expire on a backup": 38,
    "forget a binding": 5,
    "forget an alternate": 26,
    "forget arguments": 26,
    "forget the delivery-count at promotion": 10,
    "forget the time of delivery": 272,
    "forget the time to live": 13,
    "ignore epochs": 17,
    "settle early": 31,
    "shrink the set unasked": 5,
    "split a 1.0 transaction": 31,
    "split a transaction": 31,
}
"""The seed in which each of these was noticed first, once: to play it before others saves time."""


@pytest.mark.parametrize(
    "name", sorted(name for name in MUTANTS if not (COMPILED and MUTANTS[name].interpreted))
)
def test_a_broken_rule_is_noticed(name: str) -> None:
    caught = catch(name, first=NOTICED_IN.get(name, 1))
    assert caught.text, f"{caught.played} seeds passed although the rule is broken"


def test_who_never_finishes_is_stuck() -> None:
    """A producer whose messages are never confirmed: the only backup is away for good."""
    simulation = Simulation(replace(plan_of("queue", []), faults_end_s=10.0))
    simulation.world.run_until(3.0)
    for name in ("n2", "n3"):
        simulation.network.block([(name, "n1")])
    simulation.network.heal = lambda: None  # type: ignore[method-assign]
    with pytest.raises(Violation, match="not converged: did not converge within 30 s; n1 active"):
        simulation.play()


def test_an_error_text_says_who_waits_for_what() -> None:
    plan = Plan(1, works=[WorkPlan("queue", "w0", producers=[ClientPlan(count=9, pause_s=9.0)])])
    simulation = Simulation(plan)
    simulation.world.run_until(2.0)
    text = simulation.describe()
    assert "n1 active epoch 1" in text
    assert "w0.p0 0 unconfirmed" in text
