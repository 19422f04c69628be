"""A plan is data: drawn from a seed, written as JSON, read back, with good words for bad ones."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from tests.sim import faults, kinds
from tests.sim.draw import QUIET_SEEDS, draw
from tests.sim.plan import MANNERS_10, ClientPlan, Fault, NetworkPlan, Plan, WorkPlan


@pytest.mark.parametrize("seed", range(20))
def test_json_and_back_gives_the_same_plan(seed: int) -> None:
    plan = draw(seed)
    assert Plan.from_json(plan.to_json()) == plan


def test_defaults_are_left_out() -> None:
    plan = Plan(seed=7, faults=[Fault("kill", 1.0, 2.0)])
    text = '{"seed": 7, "faults": [{"kind": "kill", "at_s": 1.0, "for_s": 2.0}]}'
    assert json.loads(plan.to_json()) == json.loads(text)


def test_a_whole_number_will_do_for_a_time() -> None:
    assert Plan.from_json('{"seed": 1, "faults_end_s": 5}').faults_end_s == 5.0


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[]", "plan must be an object"),
        ("{}", "seed"),
        ('{"seed": "x"}', "plan.seed must be int, is 'x'"),
        ('{"seed": true}', "plan.seed must be int, is True"),
        ('{"seed": 1, "node": 3}', "plan has no field node; it has seed, nodes"),
        ('{"seed": 1, "faults": 3}', "plan.faults must be a list, is 3"),
        ('{"seed": 1, "works": [{"kind": "queue"}]}', r"plan.works\[0\]: .*name"),
        ('{"seed": 1, "faults": [{"kind": 1}]}', r"plan.faults\[0\].kind must be str"),
        ('{"seed": 1, "network": {"speed": 1}}', "plan.network has no field speed"),
    ],
)
def test_a_bad_plan_is_refused_with_its_reason(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Plan.from_json(text)


def test_the_same_seed_draws_the_same_plan_and_another_seed_another_one() -> None:
    assert draw(5) == draw(5)
    assert draw(5) != draw(6)


def test_a_few_hundred_seeds_draw_every_kind_of_everything() -> None:
    broken: Counter[str] = Counter()
    works: Counter[str] = Counter()
    sizes: Counter[int] = Counter()
    quiet = 0
    for seed in range(400):
        plan = draw(seed)
        broken.update(fault.kind for fault in plan.faults)
        works.update(work.kind for work in plan.works)
        sizes[plan.nodes] += 1
        quiet += not plan.faults
    assert set(broken) == set(faults.KINDS)
    assert set(works) == set(kinds.KINDS)
    assert set(sizes) == {3, 4, 5}
    assert 0 < quiet < 400 * QUIET_SEEDS * 3
    assert min(broken.values()) > 10
    assert min(works.values()) > 10


def test_a_few_hundred_seeds_draw_every_manner_of_every_protocol() -> None:
    seen: dict[str, Counter[object]] = {}
    defaults = [getattr(ClientPlan(), name) for name in MANNERS_10]
    mixed = 0
    for seed in range(400):
        for work in draw(seed).works:
            clients = [*work.producers, *work.consumers, *work.browsers, *work.actors]
            mixed += len({client.protocol for client in clients}) == 2
            for client in clients:
                for name in ("protocol", *MANNERS_10):
                    seen.setdefault(name, Counter())[getattr(client, name)] += 1
                if client.protocol != "1.0":
                    assert [getattr(client, name) for name in MANNERS_10] == defaults
    assert mixed > 100
    assert set(seen["protocol"]) == {"0-10", "1.0"}
    rare = [name for name, found in seen.items() if len(found) < 2 or min(found.values()) < 20]
    assert rare == []


def test_who_must_declare_speaks_0_10() -> None:
    for seed in range(400):
        for work in draw(seed).works:
            kind = kinds.KINDS[work.kind]
            if (kind.redeclares or kind.exclusive) and work.consumers:
                assert work.consumers[0].protocol == "0-10"
            if work.kind == "level none":
                assert {producer.protocol for producer in work.producers} == {"0-10"}
            if kind.protocol == "1.0":
                clients = [*work.producers, *work.consumers, *work.browsers, *work.actors]
                assert {client.protocol for client in clients} == {"1.0"}


def test_seeds_enable_subsets_of_faults() -> None:
    enabled = {len({fault.kind for fault in draw(seed).faults}) for seed in range(100)}
    assert {1, 2, 3} <= enabled


def test_only_one_work_of_a_plan_uses_a_shared_fanout() -> None:
    for seed in range(200):
        names = [work.kind for work in draw(seed).works]
        assert len(names) == len(set(names))


def test_plans_compare_by_value() -> None:
    work = WorkPlan("queue", "w0", producers=[ClientPlan(count=3)])
    assert Plan(1, network=NetworkPlan(), works=[work]) == Plan(1, works=[work])
