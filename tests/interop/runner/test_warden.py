from __future__ import annotations

import random
from pathlib import Path

import pytest

from tanist_interop import history
from tanist_interop.history import Journal
from tanist_interop.hosts.operator import HostError
from tanist_interop.runner import warden
from tanist_interop.runner.crew import Crew
from tanist_interop.runner.warden import Warden


class Cluster:
    """Three nodes in memory."""

    elects = False
    patience_s = 0.3

    def __init__(self) -> None:
        self.leaders = []
        self.status = {0: "active", 1: "ready", 2: "ready"}
        self.promoted = []
        self.refusals = 0
        self.exit_code = 0
        self.done = []

    def statuses(self, nodes, timeout_s=0.0):
        return [self.status[node] for node in nodes]

    def promote(self, node):
        if self.refusals:
            self.refusals -= 1
            raise HostError("not yet")
        self.promoted.append(node)

    def leader(self):
        return self.leaders.pop(0) if len(self.leaders) > 1 else self.leaders[0]

    def terminate(self, node):
        return self.exit_code

    def memory_bytes(self, node):
        return 100 * node

    def life(self, node):
        return node + 1

    def __getattr__(self, verb) -> object:
        return lambda node: self.done.append((verb, node))


@pytest.fixture
def subject(tmp_path):
    journal = Journal(tmp_path / "history")
    crew = Crew(journal, Path(tmp_path), None)
    yield Warden(Cluster(), crew, 3, random.Random(1))
    journal.close()


def notes(subject, kind):
    subject.crew.journal.flush()
    return [n.event for n in history.notes(history.load(subject.crew.journal.path), kind)]


def test_a_fault_and_its_end_are_noted(subject):
    fault = subject.begin("kill", 0, True)
    subject.heal(fault)
    begin, end = notes(subject, "fault")
    assert (begin["name"], begin["node"], begin["failover"]) == ("kill", "n1", True)
    assert (end["phase"], end["failover"]) == ("end", False)
    assert subject.cluster.done == [("kill", 0), ("restart", 0)]


@pytest.mark.parametrize("code", [0, 1])
def test_how_a_restarted_broker_ended_is_noted(subject, code):
    subject.cluster.exit_code = code
    subject.begin("restart", 2, False)
    (note,) = notes(subject, "broker_exit")
    assert (note["node"], note["code"], note["expected"]) == ("n3", code, code == 0)


def test_one_that_is_ready_is_promoted(subject):
    subject.cluster.status[1] = "catchup"
    subject.crew.acknowledged["p"] = 5
    assert subject.promote([1, 2]) == {"p": 5}
    assert subject.cluster.promoted == [2]
    assert subject.primary == 2
    assert [n["name"] for n in notes(subject, "mark")] == ["promote_begin", "promoted"]


def test_a_promotion_is_tried_again(subject):
    subject.cluster.refusals = 2
    subject.promote([1, 2])
    assert len(subject.cluster.promoted) == 1


def test_a_promotion_that_never_works_says_why(subject, monkeypatch):
    monkeypatch.setattr(warden, "PROMOTE_S", 0.2)
    subject.cluster.status = dict.fromkeys(range(3), "joining")
    with pytest.raises(HostError, match="no backup is ready"):
        subject.promote([1, 2])


def test_brokers_that_elect_are_waited_for(subject):
    subject.cluster.elects = True
    subject.cluster.leaders = [0, None, 2]
    subject.crew.acknowledged["p"] = 5
    assert subject.promote([1, 2]) == {"p": 5}
    assert subject.primary == 2
    assert subject.cluster.promoted == []
    begin, end = notes(subject, "mark")
    assert (begin["name"], end["name"], end["node"]) == ("promote_begin", "promoted", "n3")


@pytest.mark.parametrize(("leader", "word"), [(0, "say n1"), (None, "say nobody")])
def test_an_election_that_never_comes_says_who_leads(subject, leader, word):
    subject.cluster.elects = True
    subject.cluster.leaders = [leader]
    with pytest.raises(HostError, match=f"nobody else leads after 0.3 s; the brokers {word}"):
        subject.promote([1, 2])
    assert [n["name"] for n in notes(subject, "mark")] == ["promote_begin"]


def test_who_is_the_primary_is_known_or_found_out(subject):
    subject.cluster.leaders = [None, 2]
    subject.look()
    assert subject.primary == 0
    subject.look()
    assert subject.primary == 2


def test_a_change_of_urls_is_asked_of_the_primary_and_noted(subject):
    subject.primary = 2
    subject.tell_all()
    assert subject.cluster.done == [("tell_all", 2)]
    assert [n["name"] for n in notes(subject, "mark")] == ["urls_changed"]


def test_memory_of_what_runs_is_noted(subject):
    subject.note_memory("whole")
    found = [(n["node"], n["bytes"], n["life"]) for n in notes(subject, "memory")]
    assert found == [("n2", 100, 2), ("n3", 200, 3)]
