"""The delays with the stand-ins: real processes, no AMQP."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tanist_interop.checkers.finding import Valid
from tanist_interop.drivers.program import Program
from tanist_interop.drivers.registry import discover
from tanist_interop.hosts.cluster import Settings
from tanist_interop.hosts.local import LocalCluster
from tanist_interop.runner.delays import Delays
from tanist_interop.runner.play import Plan
from tanist_interop.scenarios.catalogue import DELAYED

COUNT = 15


@pytest.fixture
def play(tmp_path, clients_dir, fake_qpidd, fake_qpid_ha):
    scenario = replace(DELAYED, each_count=COUNT, acknowledged_min=2 * COUNT, delay_ms=1500)

    def run():
        plan = Plan(scenario, 3, list(discover(clients_dir).values()), tmp_path, {})
        cluster = LocalCluster(tmp_path, Settings(fake_qpidd, fake_qpid_ha))
        return Delays(plan, cluster, Program, lambda _: None).run()

    return run


def test_all_come_when_they_are_due_from_the_next_primary(play):
    verdict = play()
    assert verdict.as_json()["problems"] == []
    assert verdict.valid is Valid.TRUE
    figures = verdict.as_json()["figures"]["punctual"]
    assert [figures[f"{name}.{number}"]["came"] for number, name in ((1, "a"), (2, "b"))] == [
        COUNT,
        COUNT,
    ]
    assert all(flow["earliest_ms"] >= 0 for flow in figures.values())


def test_what_comes_early_is_found(play, monkeypatch):
    monkeypatch.setenv("FAKE_FAULT", "hasty")
    verdict = play()
    assert verdict.valid is Valid.FALSE
    assert any("ms too early" in problem for problem in verdict.as_json()["problems"])


def test_programs_that_cannot_delay_show_nothing(play, monkeypatch):
    monkeypatch.setenv("FAKE_CLIENT", "simple")
    verdict = play()
    assert verdict.valid is Valid.UNKNOWN
    assert "course: muster: no client here can delay messages" in verdict.as_json()["problems"]
