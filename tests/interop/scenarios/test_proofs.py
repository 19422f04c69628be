from __future__ import annotations

import pytest

from tanist_interop.checkers import proofs as checker
from tanist_interop.checkers.judge import CHECKERS
from tanist_interop.scenarios import proofs
from tanist_interop.scenarios.catalogue import CATALOGUE
from tanist_interop.scenarios.proofs import BY_NAME, IN_CI, MATRIX, chosen
from tanist_interop.scenarios.scenario import planned


def test_every_scenario_can_be_judged():
    assert tuple(checker.PROOFS) == proofs.PROOFS
    for scenario in MATRIX:
        assert set(scenario.checks) <= CHECKERS.keys()
        assert "proofs" in scenario.checks
        assert scenario.name == f"proofs-{scenario.fault}"
        assert scenario.links, "confirmations could not be frozen"
    assert not BY_NAME.keys() & CATALOGUE.keys()


def test_a_sender_runs_into_its_window_while_confirmations_are_frozen():
    for scenario in MATRIX:
        each = scenario.total_rate_per_s / 6
        assert scenario.window <= each * 2 * scenario.link_heartbeat_s


def test_parts_of_the_matrix():
    assert chosen("full") == list(MATRIX)
    assert [scenario.fault for scenario in chosen("ci")] == list(IN_CI)
    assert len(IN_CI) >= 12
    assert [scenario.fault for scenario in chosen("none,kill-two")] == ["none", "kill-two"]
    with pytest.raises(KeyError, match="'nonsense'"):
        chosen("none,nonsense")


def test_each_client_sends_to_itself():
    flows = planned(MATRIX[0], ["a", "b"])
    assert [(f.queue, f.sender, f.receiver) for f in flows] == [
        ("drill.a", "a", "a"), ("drill.b", "b", "b"),
    ]  # fmt: skip


def test_whoever_moves_may_lose_connections():
    for scenario in MATRIX:
        assert bool(scenario.promote) is (scenario.losses in ("reset", "silence"))
