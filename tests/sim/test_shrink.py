"""A failing plan gets small, keeps failing in the same way, and time is kept."""

from __future__ import annotations

from dataclasses import replace

from tests.sim.draw import draw
from tests.sim.mutants import MUTANTS
from tests.sim.plan import ClientPlan, ClockPlan, Fault, NetworkPlan, Plan, WorkPlan
from tests.sim.shrink import shrink, size
from tests.sim.simulation import Simulation
from tests.sim.watch import Violation


def never() -> bool:
    return False


def large_plan() -> Plan:
    return Plan(
        seed=1,
        nodes=5,
        detect_s=2.0,
        network=NetworkPlan(spike_probability=0.01),
        clocks=[ClockPlan(1.01)] * 5,
        faults=[Fault(kind, float(at), 1.0) for at, kind in enumerate(["cut", "kill"] * 4, 1)],
        works=[
            WorkPlan(
                "queue",
                f"w{number}",
                producers=[ClientPlan(count=64), ClientPlan(count=64)],
                consumers=[ClientPlan()],
            )
            for number in range(3)
        ],
    )


def test_only_what_the_failure_needs_is_left() -> None:
    """It fails when there is a kill and somebody who sends at least five messages."""
    tried: list[Plan] = []

    def fails(plan: Plan) -> str:
        tried.append(plan)
        kills = [fault for fault in plan.faults if fault.kind == "kill"]
        senders = [p for work in plan.works for p in work.producers if p.count >= 5]
        return "lost" if kills and senders else ""

    smallest = shrink(large_plan(), "lost", fails, never)
    assert size(smallest) == (1, 1, 8)
    assert smallest.nodes == 3
    assert (smallest.clocks, smallest.network, smallest.detect_s) == ([], NetworkPlan(), 0.5)
    assert smallest.faults_end_s < large_plan().faults_end_s
    assert len(tried) < 200


def test_another_failure_is_not_taken_for_the_same() -> None:
    def fails(plan: Plan) -> str:
        return "lost" if len(plan.faults) == 8 else "stuck"

    assert len(shrink(large_plan(), "lost", fails, never).faults) == 8


def test_clients_lose_their_manners_and_their_protocol_if_these_do_not_matter() -> None:
    picky = ClientPlan(count=8, protocol="1.0", relay=True, bare=True, session_window=10)
    plan = Plan(1, works=[WorkPlan("queue", "w0", producers=[picky, picky])])

    def fails(plan: Plan) -> str:
        producers = [producer for work in plan.works for producer in work.producers]
        speakers = [producer for producer in producers if producer.protocol == "1.0"]
        return "lost" if len(producers) == 2 and speakers else ""

    smallest = shrink(plan, "lost", fails, never)
    assert smallest.works[0].producers == [ClientPlan(count=1), ClientPlan(count=1, protocol="1.0")]


def test_it_stops_when_time_is_up() -> None:
    calls = 0

    def fails(plan: Plan) -> str:
        nonlocal calls
        calls += 1
        return "lost"

    shrink(large_plan(), "lost", fails, lambda: calls >= 3)
    assert calls == 3


def test_a_broken_broker_leaves_a_small_plan() -> None:
    """The real thing: a broker that confirms in secret, seen by what is lost."""
    mutant = MUTANTS["confirm in secret"]

    def fails(plan: Plan) -> str:
        try:
            Simulation(plan, mutant.make, tracing=False).play()
        except Violation as violation:
            return violation.check
        return ""

    seed = next(seed for seed in range(1, 200) if fails(draw(seed)) == "lost")
    calls = 0

    def counted(plan: Plan) -> str:
        nonlocal calls
        calls += 1
        return fails(plan)

    plan = draw(seed)
    smallest = shrink(plan, "lost", counted, lambda: calls >= 60)
    assert fails(smallest) == "lost"
    faults, clients, _ = size(smallest)
    assert faults <= 3
    assert clients <= 3, "of up to a dozen"
    assert fails(replace(smallest, faults=[])) == ""
