"""The trials with the stand-ins: real processes, no AMQP."""

from __future__ import annotations

import pytest

from tanist_interop.checkers.finding import Valid
from tanist_interop.drivers.program import Program
from tanist_interop.drivers.registry import discover
from tanist_interop.hosts.cluster import Settings
from tanist_interop.hosts.local import LocalCluster
from tanist_interop.runner.play import Plan
from tanist_interop.runner.trials import Trials
from tanist_interop.scenarios.catalogue import REDELIVERED
from tanist_interop.scenarios.trials import HELD, OUTCOMES


@pytest.fixture
def play(tmp_path, clients_dir, fake_qpidd, fake_qpid_ha, fake_qpid_config, monkeypatch):
    monkeypatch.setattr("tanist_interop.runner.trials.DRAIN_S", 0.3)

    def run():
        plan = Plan(REDELIVERED, 3, list(discover(clients_dir).values()), tmp_path, {})
        settings = Settings(fake_qpidd, fake_qpid_ha, qpid_config=fake_qpid_config)
        return Trials(plan, LocalCluster(tmp_path, settings), Program, lambda _: None).run()

    return run


def made(verdict):
    """The trials by client and case."""
    trials = verdict.as_json()["figures"]["outcomes"]["trials"]
    return {(trial["client"], trial["case"]): trial for trial in trials}


def test_every_case_with_every_client(play, tmp_path):
    verdict = play()
    assert verdict.as_json()["problems"] == []
    assert verdict.valid is Valid.TRUE
    found = made(verdict)
    assert set(found) == {(client, case) for client in "ab" for case in OUTCOMES}
    assert all(trial["held"] == HELD for trial in found.values())
    assert found["a", "rejected"]["dead"] == HELD
    assert found["a", "dropped"]["again"] == 0
    assert found["b", "released"]["marked"] == 0
    assert found["b", "failover"]["marked"] == HELD
    assert (
        "bind drill.dead drill.dead.a drill.rejected.a -> 0"
        in (tmp_path / "qpid-config.log").read_text()
    )


def test_marks_that_are_missing_are_found(play, monkeypatch):
    monkeypatch.setenv("FAKE_FAULT", "forget")
    verdict = play()
    assert verdict.valid is Valid.FALSE
    wrong = {key for key, trial in made(verdict).items() if trial["problems"]}
    assert wrong == {(c, case) for c in "ab"
                     for case in ("killed", "modified", "rolled-back", "failover")}  # fmt: skip


def test_messages_that_do_not_come_again_are_found(play, monkeypatch):
    monkeypatch.setenv("FAKE_FAULT", "hoard")
    verdict = play()
    assert verdict.valid is Valid.FALSE
    assert made(verdict)["a", "killed"]["problems"] == [f"{HELD} never came again"]


def test_what_a_program_cannot_do_is_unsupported(play, monkeypatch):
    monkeypatch.setenv("FAKE_CLIENT", "clumsy")
    listed = dict.fromkeys("ab", ("rejected", "dropped", "rolled-back"))
    monkeypatch.setattr("tanist_interop.checkers.outcomes.CANNOT", listed)
    verdict = play()
    assert verdict.as_json()["problems"] == []
    assert verdict.valid is Valid.TRUE
    reasons = {case: trial["unsupported"] for (c, case), trial in made(verdict).items() if c == "a"}
    assert reasons["rolled-back"] == "the library has no transactions"
    assert reasons["rejected"] == reasons["dropped"] == "never rejects"
    assert reasons["killed"] == ""


def test_what_a_program_should_be_able_to_do_is_not_unsupported(play, monkeypatch):
    monkeypatch.setenv("FAKE_CLIENT", "clumsy")
    verdict = play()
    assert verdict.valid is Valid.UNKNOWN
    text = "outcomes: a, rejected: unsupported (never rejects), and not listed as such"
    assert text in verdict.as_json()["problems"]
    assert len(verdict.as_json()["problems"]) == 2 * 3


def test_if_nobody_can_hold_nothing_is_shown(play, monkeypatch):
    monkeypatch.setenv("FAKE_CLIENT", "simple")
    verdict = play()
    assert verdict.valid is Valid.UNKNOWN
    assert "outcomes: no case was made" in verdict.as_json()["problems"]
