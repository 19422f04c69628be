"""The selectors with the stand-ins: real processes, no AMQP."""

from __future__ import annotations

import pytest

from tanist_interop.checkers.finding import Valid
from tanist_interop.drivers.program import Program
from tanist_interop.drivers.registry import discover
from tanist_interop.hosts.cluster import Settings
from tanist_interop.hosts.local import LocalCluster
from tanist_interop.runner.play import Plan
from tanist_interop.runner.selectors import Selectors
from tanist_interop.scenarios.catalogue import SELECTED
from tanist_interop.scenarios.scenario import scaled


@pytest.fixture
def play(tmp_path, clients_dir, fake_qpidd, fake_qpid_ha, monkeypatch):
    monkeypatch.setattr("tanist_interop.runner.selectors.QUIET_S", 0.4)

    def run():
        plan = Plan(scaled(SELECTED, 300), 3, list(discover(clients_dir).values()), tmp_path, {})
        cluster = LocalCluster(tmp_path, Settings(fake_qpidd, fake_qpid_ha))
        return Selectors(plan, cluster, Program, lambda _: None).run()

    return run


def test_each_gets_what_it_selects_through_a_failover(play):
    verdict = play()
    assert verdict.as_json()["problems"] == []
    assert verdict.valid is Valid.TRUE
    figures = verdict.as_json()["figures"]["selectors"]
    assert set(figures["selected"]) == {"a.receive", "b"}
    assert min(figures["selected"].values()) >= 100
    assert figures["left"] >= 60


def test_a_broker_that_does_not_select_is_found(play, monkeypatch):
    monkeypatch.setenv("FAKE_FAULT", "blind")
    verdict = play()
    assert verdict.valid is Valid.FALSE
    problems = verdict.as_json()["problems"]
    assert any("that it had not selected" in problem for problem in problems), problems


def test_programs_without_selectors_show_nothing(play, monkeypatch):
    monkeypatch.setenv("FAKE_CLIENT", "simple")
    verdict = play()
    assert verdict.valid is Valid.UNKNOWN
    assert "course: muster: no client here has selectors" in verdict.as_json()["problems"]
