"""Whole runs with the stand-ins: real processes, real signals, no AMQP."""

from __future__ import annotations

import time

import pytest

from tanist_interop import history
from tanist_interop.checkers.finding import Valid
from tanist_interop.drivers.program import Program
from tanist_interop.drivers.registry import discover
from tanist_interop.hosts.local import LocalCluster, Settings
from tanist_interop.runner.play import Plan, Play
from tanist_interop.scenarios.catalogue import CATALOGUE
from tanist_interop.scenarios.scenario import scaled


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    monkeypatch.setattr("tanist_interop.runner.play.CATCH_UP_S", 0.5)


@pytest.fixture
def play(tmp_path, clients_dir, fake_qpidd, fake_qpid_ha):
    def run(name="kill-primary", messages=600):
        scenario = scaled(CATALOGUE[name], messages)
        folder = tmp_path / "run"
        folder.mkdir()
        plan = Plan(scenario, 3, list(discover(clients_dir).values()), folder, {"command": "x"})
        cluster = LocalCluster(folder, Settings(fake_qpidd, fake_qpid_ha))
        subject = Play(plan, cluster, Program, lambda _: None)
        return subject.run(), subject

    return run


def only(verdict, checker):
    """The problems of this checker, which must be the only ones."""
    problems = verdict.as_json()["problems"]
    assert problems, "no problems"
    assert all(text.startswith(checker) for text in problems), problems
    return problems


def test_kill_primary(play):
    verdict, subject = play()
    assert verdict.as_json()["problems"] == []
    assert verdict.valid is Valid.TRUE
    figures = verdict.as_json()["figures"]
    assert figures["total-queue"]["acknowledged"] >= 600
    assert len(figures["failover"]["first_ack_ms"]) == 2
    folder = subject.plan.folder
    assert history.load(folder / "history.jsonl") == subject.journal.records
    for name in ("n1.log", "n1.2.log", "a.send.log", "a.drain.log", "b.log", "qpid-ha.log"):
        assert (folder / name).exists(), name


def test_no_fault(play):
    verdict, _ = play("no-fault")
    assert verdict.valid is Valid.TRUE
    assert verdict.as_json()["figures"]["duplicates"] == {
        "duplicated": 0, "bound": 0, "per_queue": {"drill.1": [0, 0], "drill.2": [0, 0]},
    }  # fmt: skip


def test_backup_address_first(play):
    verdict, subject = play("backup-address-first", 200)
    assert verdict.valid is Valid.TRUE
    addresses = subject.cluster.addresses()
    requests = [n.event["request"] for n in history.notes(subject.journal.records, "request")]
    tried = {tuple(r["addresses"]) for r in requests if r["type"] == "connect"}
    assert tried == {(addresses[1], addresses[2], addresses[0])}


def test_a_stopped_backup_that_holds_nothing_up_is_wrong(play):
    verdict, _ = play("stopped-backup", 500)  # the stand-in never waits for its backups
    assert verdict.valid is Valid.FALSE
    only(verdict, "stall")


@pytest.mark.parametrize(
    ("fault", "checker", "word"),
    [
        ("lose", "total-queue", "lost"),
        ("invent", "total-queue", "unexpected"),
        ("again", "redelivery", "without the mark"),
        ("traceback", "brokers", "KeyError"),
    ],
)
def test_a_broker_that_breaks_its_promise_is_found_out(play, monkeypatch, fault, checker, word):
    monkeypatch.setenv("FAKE_FAULT", fault)
    verdict, _ = play()
    assert verdict.valid is Valid.FALSE
    problems = [text for text in verdict.as_json()["problems"] if text.startswith(checker)]
    assert word in problems[0]


def test_a_broker_that_dies_ends_the_run_soon(play, monkeypatch):
    monkeypatch.setenv("FAKE_FAULT", "crash")
    began = time.monotonic()
    verdict, _ = play(messages=6000)
    assert time.monotonic() - began < 15
    assert verdict.valid is Valid.FALSE
    assert any("ended by itself" in text for text in verdict.as_json()["problems"])


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ("liar", "cannot be believed"),
        ("babble", "not JSON"),
        ("crash", "ended with code 3"),
        ("missing", "no client can run here"),
    ],
)
def test_a_bad_client_gives_no_verdict(play, monkeypatch, fault, word):
    monkeypatch.setenv("FAKE_CLIENT", fault)
    verdict, _ = play()
    assert verdict.valid is Valid.UNKNOWN
    assert any(word in text for text in verdict.as_json()["problems"])


def test_a_missing_client_is_left_out(play, clients_dir):
    spec = clients_dir / "a" / "client.json"
    spec.write_text('{"name": "a", "command": ["./nothing"], "needs": "x", "setup": "do y"}')
    verdict, _ = play()
    assert verdict.valid is Valid.TRUE
    results = verdict.as_json()
    assert [flow["sender"] for flow in results["flows"]] == ["b"]
    assert results["context"]["not_run"][0]["client"] == "a"
    assert results["context"]["not_run"][0]["remedy"] == "do y"
