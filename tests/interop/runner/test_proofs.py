"""Runs of the matrix with the stand-ins: real processes, no AMQP.

The stand-in's replication knows no links, so confirmations go on when they are frozen: each run
with it shows that the proof *resend* can fail.
"""

from __future__ import annotations

import pytest

from tanist_interop import history
from tanist_interop.checkers.finding import Valid
from tanist_interop.drivers.program import Program
from tanist_interop.drivers.registry import discover
from tanist_interop.hosts.cluster import Settings
from tanist_interop.hosts.linked import LinkedCluster
from tanist_interop.runner.play import Plan
from tanist_interop.runner.proofs import Proofs
from tanist_interop.scenarios.proofs import BY_NAME
from tanist_interop.scenarios.scenario import scaled

NOT_FROZEN = "confirmations went on although no backup was told of anything"

NOTHING_OPEN = "nothing was unconfirmed when the fault came"


@pytest.fixture
def play(tmp_path, clients_dir, fake_qpidd, fake_qpid_ha, monkeypatch):
    for name, value in (("DRAIN_S", 0.3), ("FREEZE_MAX_S", 0.6), ("QUIET_S", 0.5)):
        monkeypatch.setattr(f"tanist_interop.runner.proofs.{name}", value)

    def run(fault, names="ab"):
        scenario = scaled(BY_NAME[f"proofs-{fault}"], 100)
        specs = [spec for name, spec in discover(clients_dir).items() if name in names]
        settings = Settings(fake_qpidd, fake_qpid_ha)
        cluster = LinkedCluster(tmp_path, settings, scenario.links == "clients")
        subject = Proofs(Plan(scenario, 3, specs, tmp_path, {}), cluster, Program, lambda _: None)
        return subject.run(), subject

    return run


def cells(verdict):
    """By client and proof: the verdict."""
    found = verdict.as_json()["figures"]["proofs"]["cells"]
    return {(cell["client"], cell["proof"]): cell["verdict"] for cell in found}


def findings(verdict):
    """What is wrong."""
    found = verdict.as_json()["figures"]["proofs"]["cells"]
    return {text for cell in found if cell["verdict"] == "invalid" for text in cell["findings"]}


@pytest.mark.parametrize("fault", ["kill-primary", "partition", "kill-recovering"])
def test_a_failover(play, fault):
    verdict, _ = play(fault)
    assert findings(verdict) <= {NOT_FROZEN, NOTHING_OPEN}
    assert cells(verdict)["a", "resend"] == "invalid"
    assert cells(verdict)["a", "requeue"] == cells(verdict)["b", "requeue"] == "valid"
    assert cells(verdict)["a", "duplicates"] == "valid"
    assert cells(verdict)["a", "heartbeat"] == "unsupported", "the stand-in does not say it can"
    assert verdict.as_json()["verdicts"]["rejoin"] == "true"


@pytest.mark.parametrize("fault", ["kill-backup", "kill-client"])
def test_a_client_dies_where_nobody_fails_over(play, fault):
    verdict, subject = play(fault)
    assert findings(verdict) <= {NOT_FROZEN, NOTHING_OPEN}
    assert cells(verdict)["a", "resend"] == "invalid"
    assert cells(verdict)["a", "requeue"] == cells(verdict)["b", "duplicates"] == "valid"
    records = history.load(subject.journal.path)
    killed = [n.event["program"] for n in history.notes(records, "mark") if "program" in n.event]
    assert killed == ["a.receive", "b.receive"]


def test_a_client_that_is_stopped_for_a_while_goes_on(play):
    verdict, subject = play("pause-client")
    assert "requeue" not in str(findings(verdict))
    records = history.load(subject.journal.path)
    names = [n.event["name"] for n in history.notes(records, "mark") if "program" in n.event]
    assert names == ["pause", "pause", "resume", "resume"]


def test_large_messages_are_drained_as_well(play):
    verdict, _ = play("kill-in-large-message", "a")
    assert findings(verdict) <= {NOT_FROZEN, NOTHING_OPEN}
    assert cells(verdict)["a", "resend"] == "invalid"
    producers = verdict.as_json()["figures"]["total-queue"]["per_producer"]
    assert producers["a.large"]["acknowledged"] == producers["a.large"]["ok"] == 2


def test_a_client_without_transactions_holds_nothing_in_one(play, monkeypatch):
    monkeypatch.setenv("FAKE_CLIENT", "clumsy")
    verdict, _ = play("kill-in-transaction", "a")
    assert cells(verdict)["a", "requeue"] == "unsupported"
    assert cells(verdict)["a", "duplicates"] == "valid"


def test_a_client_that_may_wait_for_ever_is_left_out(play, monkeypatch):
    monkeypatch.setattr("tanist_interop.runner.proofs.UNBOUNDED", {"b": "it waits"})
    monkeypatch.setattr("tanist_interop.faults.catalogue.DEPOSED_S", 0.5)
    verdict, _ = play("hang-primary-unfenced")
    found = verdict.as_json()["figures"]["proofs"]["cells"]
    assert {cell["reason"] for cell in found if cell["client"] == "b"} == {"it waits"}
    assert verdict.as_json()["figures"]["evidence"]["seen"] == ["it did not end by itself"]
    assert verdict.valid is Valid.FALSE


def test_without_anybody_nothing_is_shown(play, monkeypatch):
    monkeypatch.setattr("tanist_interop.runner.proofs.UNBOUNDED", {"a": "x", "b": "x"})
    verdict, _ = play("hang-primary-unfenced")
    assert verdict.valid is Valid.UNKNOWN


@pytest.mark.parametrize(
    ("fault", "proof"), [("lose", "resend"), ("again", "duplicates"), ("forget", "requeue")]
)
def test_a_broker_that_breaks_its_promise_is_found_out(play, monkeypatch, fault, proof):
    monkeypatch.setenv("FAKE_FAULT", fault)
    verdict, _ = play("kill-primary", "a")
    assert cells(verdict)["a", proof] == "invalid"
    assert verdict.valid is Valid.FALSE
