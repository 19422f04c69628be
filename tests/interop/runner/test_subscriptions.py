"""The subscriptions with the stand-ins: real processes, no AMQP."""

from __future__ import annotations

import pytest

from tanist_interop.checkers.finding import Valid
from tanist_interop.drivers.program import Program
from tanist_interop.drivers.registry import discover
from tanist_interop.hosts.cluster import Settings
from tanist_interop.hosts.local import LocalCluster
from tanist_interop.runner.play import Plan
from tanist_interop.runner.subscriptions import Subscriptions
from tanist_interop.scenarios.catalogue import SUBSCRIBED
from tanist_interop.scenarios.scenario import scaled


@pytest.fixture
def play(tmp_path, clients_dir, fake_qpidd, fake_qpid_ha, fake_qpid_config, monkeypatch):
    monkeypatch.setattr("tanist_interop.runner.subscriptions.AGAIN_S", 1.0)

    def run():
        plan = Plan(scaled(SUBSCRIBED, 600), 3, list(discover(clients_dir).values()), tmp_path, {})
        settings = Settings(fake_qpidd, fake_qpid_ha, qpid_config=fake_qpid_config)
        cluster = LocalCluster(tmp_path, settings)
        return Subscriptions(plan, cluster, Program, lambda _: None).run()

    return run


def test_every_subscription_gets_everything_through_a_failover(play):
    verdict = play()
    assert verdict.as_json()["problems"] == []
    assert verdict.valid is Valid.TRUE
    found = verdict.as_json()["figures"]["subscriptions"]["subscriptions"]
    assert {each["kind"] for each in found} == {"temporary", "active", "inactive"}
    assert len(found) == 6
    assert min(each["got"] for each in found) >= 200
    assert min(each["kept"] for each in found if each["kind"] == "inactive") >= 20
    assert [flow["lost"] for flow in verdict.flows] == [0, 0]


@pytest.mark.parametrize("fault", ["absent", "amnesia"])
def test_a_broker_that_keeps_nothing_is_found(play, monkeypatch, fault):
    monkeypatch.setenv("FAKE_FAULT", fault)
    verdict = play()
    assert verdict.valid is Valid.FALSE
    problems = verdict.as_json()["problems"]
    assert any("the inactive subscription" in text and " lost: " in text for text in problems)


def test_programs_without_subscriptions_show_nothing(play, monkeypatch):
    monkeypatch.setenv("FAKE_CLIENT", "simple")
    verdict = play()
    assert verdict.valid is Valid.UNKNOWN
    assert "course: muster: no client here has subscriptions" in verdict.as_json()["problems"]
