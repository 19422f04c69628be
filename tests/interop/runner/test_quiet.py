"""A quiet time with the stand-ins: real processes, no AMQP."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tanist_interop import history
from tanist_interop.checkers.finding import Valid
from tanist_interop.drivers.program import Program
from tanist_interop.drivers.registry import discover
from tanist_interop.hosts.cluster import Settings
from tanist_interop.hosts.local import LocalCluster
from tanist_interop.runner.play import Plan
from tanist_interop.runner.quiet import Quiet
from tanist_interop.scenarios.catalogue import QUIET

QUIET_S = 2.5


@pytest.fixture
def play(tmp_path, clients_dir, fake_qpidd, fake_qpid_ha, monkeypatch):
    monkeypatch.setattr("tanist_interop.checkers.quiet.INTERVALS", 0.2)
    monkeypatch.setenv("FAKE_CLIENT", "telling")
    scenario = replace(QUIET, quiet_s=QUIET_S, rate_per_s=2.0, window=1, each_min=4)

    def run(say=lambda _: None, **changes):
        clients = list(discover(clients_dir).values())
        plan = Plan(replace(scenario, **changes), 3, clients, tmp_path, {})
        cluster = LocalCluster(tmp_path, Settings(fake_qpidd, fake_qpid_ha))
        subject = Quiet(plan, cluster, Program, say)
        return subject.run(), subject

    return run


def test_nobody_is_lost(play):
    verdict, subject = play()
    assert verdict.as_json()["problems"] == []
    assert verdict.valid is Valid.TRUE
    figures = verdict.as_json()["figures"]["quiet"]
    assert QUIET_S <= figures["watched_s"] < QUIET_S + 2
    assert figures["intervals"] == int(figures["watched_s"])
    assert set(figures["pauses_s"]) == {"a.send", "a.receive", "b"}
    assert (figures["connections_lost"], figures["dropped"], figures["untold"]) == (0, 0, {})
    assert figures["mute"] == ["n1", "n2", "n3"], "the stand-ins log nothing"
    records = history.load(subject.journal.path)
    assert [n.event["nodes"] for n in history.notes(records, "in_sync")] == [["n2", "n3"]] * 2
    assert verdict.as_json()["figures"]["duplicates"]["duplicated"] == 0


@pytest.mark.parametrize(("between_s", "told"), [(9.0, False), (0.0, True)])
def test_little_is_said_of_a_quiet_time(play, monkeypatch, between_s, told):
    monkeypatch.setattr("tanist_interop.runner.quiet.PROGRESS_S", between_s)
    said = []
    play(said.append)
    assert any(line.endswith("2.5 s were quiet") for line in said)
    assert any(line.endswith("  rest") for line in said) == told


def test_a_broker_that_drops_clients_is_found(play, monkeypatch):
    monkeypatch.setenv("FAKE_FAULT", "impatient")
    verdict, _ = play()
    assert verdict.valid is Valid.FALSE
    problems = [p for p in verdict.as_json()["problems"] if p.startswith("quiet: ")]
    assert any("a.send lost a connection without cause" in p for p in problems), problems
    assert verdict.as_json()["figures"]["total-queue"]["lost"] == 0


def test_a_backup_that_is_dropped_is_found(play, monkeypatch):
    listed = iter([[1, 2], [1]])
    monkeypatch.setattr(LocalCluster, "in_sync", lambda *_: next(listed))
    verdict, _ = play()
    assert verdict.valid is Valid.FALSE
    assert verdict.as_json()["problems"] == ["quiet: in sync were n2, not all 2"]


def test_a_primary_that_does_not_say_shows_nothing(play, monkeypatch):
    monkeypatch.setattr(LocalCluster, "in_sync", lambda *_: None)
    verdict, _ = play()
    assert verdict.valid is Valid.UNKNOWN
    (problem,) = verdict.as_json()["problems"]
    assert problem == "quiet: the primary did not say who was in sync, before and after"


def test_programs_that_do_not_tell_show_nothing(play, monkeypatch):
    monkeypatch.delenv("FAKE_CLIENT")
    verdict, _ = play()
    assert verdict.valid is Valid.UNKNOWN
    (problem,) = verdict.as_json()["problems"]
    assert problem == "quiet: no program tells when it loses its connection"
    untold = verdict.as_json()["figures"]["quiet"]["untold"]
    assert set(untold) == {"a.send", "a.receive", "b"}


def test_a_time_that_is_not_quiet_shows_nothing(play, monkeypatch):
    monkeypatch.setattr("tanist_interop.checkers.quiet.INTERVALS", 100.0)
    verdict, _ = play()
    assert verdict.valid is Valid.UNKNOWN
    problems = verdict.as_json()["problems"]
    assert len(problems) == 3
    assert all("had no pause of two intervals" in problem for problem in problems)
