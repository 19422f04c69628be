from __future__ import annotations

import pytest

from tanist_interop.scenarios.catalogue import CATALOGUE, KILL_PRIMARY


@pytest.mark.parametrize("scenario", CATALOGUE.values(), ids=lambda s: s.name)
def test_scenarios_make_sense(scenario):
    assert scenario.name in CATALOGUE
    assert scenario.summary
    assert scenario.fault in ("", "kill", "suspend")
    assert scenario.target in ("primary", "backup")
    assert scenario.promote == (scenario.fault != "" and scenario.target == "primary")
    assert scenario.fault or not scenario.heal
    assert scenario.fault_after[0] >= scenario.each_min or not scenario.fault
    assert scenario.fault_after[1] < scenario.acknowledged_min or not scenario.fault
    assert ("rejoin" in scenario.checks) == scenario.heal


def test_twenty_kills_acknowledge_two_hundred_thousand():
    assert 20 * KILL_PRIMARY.acknowledged_min >= 200_000
