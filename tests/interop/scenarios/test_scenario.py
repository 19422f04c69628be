from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist_interop.scenarios.catalogue import (
    CROWD,
    DELAYED,
    KILL_PRIMARY,
    QUIET,
    REDELIVERED,
    SOAK,
    STOPPED_BACKUP,
    TYPES,
)
from tanist_interop.scenarios.scenario import (
    fault_moment,
    flows,
    from_some,
    matrix,
    planned,
    prolonged,
    rate_of_each,
    scaled,
    soaked,
)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from("abcdef"), min_size=1, unique=True))
def test_each_client_sends_once_and_receives_once(clients):
    plan = flows(clients)
    assert sorted(flow.sender for flow in plan) == sorted(clients)
    assert sorted(flow.receiver for flow in plan) == sorted(clients)
    assert len({flow.queue for flow in plan}) == len({flow.producer for flow in plan}) == len(plan)
    if len(clients) > 1:
        assert all(flow.sender != flow.receiver for flow in plan)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_the_moment_is_drawn_from_the_seed(seed):
    low, high = KILL_PRIMARY.fault_after
    assert low <= fault_moment(KILL_PRIMARY, seed) <= high
    assert fault_moment(KILL_PRIMARY, seed) == fault_moment(KILL_PRIMARY, seed)


def test_other_seeds_give_other_moments():
    assert len({fault_moment(KILL_PRIMARY, seed) for seed in range(20)}) > 10


def test_a_scaled_scenario_keeps_its_proportions():
    small = scaled(KILL_PRIMARY, 1000)
    assert small.acknowledged_min == 1000
    assert small.fault_after == (300, 600)
    assert (small.each_min, small.flow_min) == (2, 100)
    assert small.checks == KILL_PRIMARY.checks


@pytest.mark.parametrize("messages", [1, 5, 9, 10])
def test_however_small_a_matrix_stays_one(messages):
    small = scaled(KILL_PRIMARY, messages)
    assert (small.each_min, small.flow_min) == (1, 1)
    assert scaled(STOPPED_BACKUP, messages).flow_min == 0, "it has none"


@pytest.mark.parametrize(
    "scenario", [REDELIVERED, DELAYED, TYPES, QUIET], ids=lambda scenario: scenario.name
)
def test_without_a_number_of_messages_there_is_nothing_to_scale(scenario):
    assert scaled(scenario, 2_000) == scenario


def test_with_two_queues_each_client_sends_to_two_receivers():
    plan = flows(["a", "b"], 2)
    pairs = [(flow.sender, flow.receiver) for flow in plan]
    assert pairs == [("a", "b"), ("b", "a"), ("a", "a"), ("b", "b")]
    assert [flow.queue for flow in plan] == ["drill.1", "drill.2", "drill.3", "drill.4"]
    assert len({flow.producer for flow in plan}) == 4


def test_a_rate_is_of_each_sender_or_shared():
    assert rate_of_each(STOPPED_BACKUP, 4) == STOPPED_BACKUP.rate_per_s
    assert rate_of_each(SOAK, 4) == SOAK.total_rate_per_s / 4


def test_a_longer_soak_must_move_more():
    double = soaked(SOAK, 2 * SOAK.soak_s)
    assert double.soak_s == 2 * SOAK.soak_s
    assert double.acknowledged_min == 2 * SOAK.acknowledged_min
    assert double.failovers_min == 2 * SOAK.failovers_min


def test_a_longer_quiet_time_is_as_quiet():
    hour = prolonged(QUIET, 3600)
    assert hour.quiet_s == 3600
    assert replace(hour, quiet_s=QUIET.quiet_s) == QUIET


def test_in_a_matrix_each_client_sends_to_each():
    plan = matrix(["a", "b", "c"])
    assert {(flow.sender, flow.receiver) for flow in plan} == {(x, y) for x in "abc" for y in "abc"}
    assert len({flow.queue for flow in plan}) == len({flow.producer for flow in plan}) == 9
    assert planned(KILL_PRIMARY, ["a", "b", "c"]) == plan
    assert planned(SOAK, ["a", "b", "c"]) == flows(["a", "b", "c"], 2)


def test_a_crowd_is_one_program_with_many_queues():
    flows = planned(replace(CROWD, crowd=3), ["x"])
    assert [(f.queue, f.producer, f.sender, f.receiver) for f in flows] == [
        ("drill.1", "x.1", "x", "x"), ("drill.2", "x.2", "x", "x"), ("drill.3", "x.3", "x", "x"),
    ]  # fmt: skip


def test_some_send_to_all_and_each_of_them_sends():
    plan = from_some(["a", "b"], ["a", "b", "c"])
    assert [(f.sender, f.receiver) for f in plan] == [("a", "a"), ("b", "b"), ("a", "c")]
    assert [f.producer for f in plan] == ["a.1", "b.2", "a.3"]
    assert len({f.queue for f in plan}) == 3
    assert [f.sender for f in from_some(["a", "b"], ["c"])] == ["a", "b"]
