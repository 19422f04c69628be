from __future__ import annotations

import pytest

from tanist_interop.checkers.heartbeat import INTERVALS, interval_s, limit_s
from tanist_interop.scenarios.catalogue import CATALOGUE, KILL_PRIMARY, QUIET, SOAK
from tanist_interop.scenarios.proofs import MATRIX
from tanist_interop.scenarios.scenario import as_json, soaked


@pytest.mark.parametrize("scenario", CATALOGUE.values(), ids=lambda s: s.name)
def test_scenarios_make_sense(scenario):
    assert scenario.name in CATALOGUE
    assert scenario.summary
    proofs = scenario.course == "proofs"
    known = [other.fault for other in MATRIX] if proofs else ["", "kill", "suspend"]
    assert scenario.fault in known
    assert scenario.target in ("primary", "backup")
    assert scenario.promote == (scenario.fault != "" and scenario.target == "primary")
    assert scenario.fault or not scenario.heal
    assert scenario.failover in ("addresses", "exchange")
    assert scenario.failover == "exchange" or not scenario.change_urls
    assert scenario.fault_after[0] >= scenario.each_min or not scenario.fault or proofs
    assert not scenario.options or scenario.only
    assert scenario.fault_after[1] < scenario.acknowledged_min or not scenario.fault
    assert ("rejoin" in scenario.checks) == (scenario.heal or scenario.soak_s > 0)
    assert not (scenario.soak_s and scenario.fault)


def test_a_quiet_time_has_pauses_that_need_heartbeats_and_enough_messages():
    assert 1 / QUIET.rate_per_s > 3 * QUIET.client_heartbeat_s
    assert QUIET.quiet_s * QUIET.rate_per_s > QUIET.each_min
    assert 20 <= QUIET.quiet_s <= 30, "it is part of every run in CI"


def test_twenty_kills_acknowledge_two_hundred_thousand():
    assert 20 * KILL_PRIMARY.acknowledged_min >= 200_000


def test_half_an_hour_of_soak_fails_over_often_and_moves_a_million():
    long = soaked(SOAK, 1800)
    assert long.failovers_min >= 150
    assert long.acknowledged_min >= 1_000_000
    assert long.total_rate_per_s * 1800 >= 1.2 * long.acknowledged_min


def test_only_idle_timeout_explains_when_its_scenario_notices():
    scenario = CATALOGUE["jms-idle-timeout"]
    assert (scenario.links, scenario.losses) == ("clients", "silence")
    interval = interval_s(as_json(scenario))
    limit = limit_s(scenario.only, interval)
    assert scenario.fault_s > limit, "links that heal sooner would tell of the loss"
    assert INTERVALS * scenario.client_heartbeat_s > limit, "so would the property heartbeat"
