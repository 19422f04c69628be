"""The transactions with the stand-ins: real processes, no AMQP."""

from __future__ import annotations

import pytest

from tanist_interop.checkers.finding import Valid
from tanist_interop.drivers.program import Program
from tanist_interop.drivers.registry import discover
from tanist_interop.hosts.cluster import Settings
from tanist_interop.hosts.local import LocalCluster
from tanist_interop.runner.play import Plan
from tanist_interop.runner.transactions import Transactions
from tanist_interop.scenarios.catalogue import TRANSACTIONS
from tanist_interop.scenarios.scenario import scaled


@pytest.fixture
def play(tmp_path, clients_dir, fake_qpidd, fake_qpid_ha, monkeypatch):
    monkeypatch.setattr("tanist_interop.runner.play.CATCH_UP_S", 1.0)

    def run():
        scenario = scaled(TRANSACTIONS, 500)
        plan = Plan(scenario, 3, list(discover(clients_dir).values()), tmp_path, {})
        cluster = LocalCluster(tmp_path, Settings(fake_qpidd, fake_qpid_ha))
        return Transactions(plan, cluster, Program, lambda _: None).run()

    return run


def test_all_or_nothing_through_a_failover(play):
    verdict = play()
    assert verdict.as_json()["problems"] == []
    assert verdict.valid is Valid.TRUE
    figures = verdict.as_json()["figures"]["transactions"]
    assert [tally["sender"] for tally in figures["senders"]] == ["a.send", "b"]
    assert all(tally["committed"] >= 5 for tally in figures["senders"])
    assert all(tally["rolled_back"] >= 1 for tally in figures["senders"])
    assert sum(tally["in_doubt"] + tally["lost"] for tally in figures["senders"]) >= 1
    assert set(figures["receivers"]) == {"a.receive", "b"}


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ("lose", "(committed): 9 of 10 messages came"),
        ("eager", "(rolled back): 1 of 10 messages came"),
        ("sloppy", "messages came again after the commit"),
    ],
)
def test_a_broker_that_takes_transactions_apart_is_found(play, monkeypatch, fault, text):
    monkeypatch.setenv("FAKE_FAULT", fault)
    verdict = play()
    assert verdict.valid is Valid.FALSE
    problems = verdict.as_json()["problems"]
    assert any(p.startswith("transactions: ") and p.endswith(text) for p in problems), problems


def test_programs_without_transactions_show_nothing(play, monkeypatch):
    monkeypatch.setenv("FAKE_CLIENT", "simple")
    verdict = play()
    assert verdict.valid is Valid.UNKNOWN
    assert "course: muster: no client here has transactions" in verdict.as_json()["problems"]
