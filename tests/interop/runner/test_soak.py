from __future__ import annotations

import random
from dataclasses import replace

import pytest

from tanist_interop import history
from tanist_interop.checkers.ranges import Numbers
from tanist_interop.faults.process import Kill
from tanist_interop.history import Journal
from tanist_interop.hosts.operator import HostError
from tanist_interop.runner import soak
from tanist_interop.runner.crew import Crew, DrillError
from tanist_interop.runner.soak import Soak
from tanist_interop.runner.warden import Warden
from tanist_interop.scenarios.catalogue import SOAK
from tanist_interop.scenarios.scenario import Flow
from tanist_interop.scenarios.strikes import Strike


class Cluster:
    """Three nodes in memory that do at once what they are told; ``slow`` ones never come back."""

    elects = False

    def __init__(self) -> None:
        self.state = ["active", "ready", "ready"]
        self.slow = set()
        self.awake_when_hung = False
        self.done = []
        self.refuses = False

    def in_sync(self, primary, timeout_s=0.0):
        if self.state[primary] != "active":
            return None
        return [node for node, state in enumerate(self.state) if state in ("ready", "hung")]

    def statuses(self, nodes, timeout_s=0.0):
        out = [self.state[node] for node in nodes]
        return [
            "" if state in ("dead", "hung") and not self.awake_when_hung else state for state in out
        ]

    def promote(self, node):
        if self.refuses:
            raise HostError("no")
        self.done.append(("promote", node))
        self.state[node] = "active"

    def kill(self, node):
        self.done.append(("kill", node))
        self.state[node] = "dead"

    def terminate(self, node):
        self.done.append(("terminate", node))
        self.state[node] = "dead"
        return 0

    def suspend(self, node):
        self.done.append(("suspend", node))
        self.state[node] = "hung"

    def back(self, node):
        self.done.append(("back", node))
        self.state[node] = "joining" if node in self.slow else "ready"

    restart = resume = back

    def memory_bytes(self, node):
        return 1

    def life(self, node):
        return 1


FLOW = Flow("q", "p", "s", "r")


class Talking(Crew):
    """Acknowledgements and receptions keep coming, unless somebody says otherwise."""

    acknowledging = True
    receiving = True
    limit_s = 0.5

    def pump(self, timeout_s):
        super().pump(0.001)
        if self.acknowledging:
            self.acknowledged["p"] += 60
        if self.receiving:
            self.received["p"] = Numbers((1, max(1, self.acknowledged["p"])))

    def wait(self, condition, stage, limit_s=0.0):
        super().wait(condition, stage, min(limit_s, self.limit_s))


@pytest.fixture
def subject(tmp_path):
    journal = Journal(tmp_path / "history")
    crew = Talking(journal, tmp_path, None)
    warden = Warden(Cluster(), crew, 3, random.Random(1))
    scenario = replace(SOAK, soak_s=0.5)
    yield Soak(warden, crew, scenario, [FLOW], random.Random(1))
    journal.close()


def strike(fault="kill", primary=True, impatient=False, fence_first=True, rest_s=0.0):
    return Strike(fault, primary, impatient, rest_s, 0.0, 0.0, fence_first, 0.0)


def carry_out(subject, wanted):
    target = subject._await_chance(wanted, float("inf"))
    subject._carry_out(wanted, target)
    return [verb for verb, _ in subject.warden.cluster.done]


def marks(subject, name):
    subject.crew.journal.flush()
    found = history.notes(history.load(subject.crew.journal.path), "mark")
    return [note.event["node"] for note in found if note.event["name"] == name]


def test_the_whole_of_it(subject, monkeypatch):
    monkeypatch.setattr("tanist_interop.scenarios.strikes.REST_S", (0.0, 0.05))
    monkeypatch.setattr("tanist_interop.scenarios.strikes.HANG_S", (0.0, 0.05))
    monkeypatch.setattr("tanist_interop.scenarios.strikes.DOWN_S", (0.0, 0.05))
    monkeypatch.setattr(soak, "LOOK_S", 0.01)
    monkeypatch.setattr(soak, "TRUST_S", 0.02)
    subject.crew.limit_s = 5.0
    subject.run()
    assert subject.strikes >= subject.failovers >= 1
    assert sorted(subject.warden.cluster.state) == ["active", "ready", "ready"]
    assert subject.returning == set()
    assert len(marks(subject, "promoted")) == subject.failovers
    summary = f"{subject.failovers} failovers, {subject.strikes} strikes; "
    assert subject.summary().startswith(summary)
    assert subject.summary().endswith("serves, nobody away")


@pytest.mark.parametrize(
    ("wanted", "verbs"),
    [
        (strike("kill"), ["kill", "promote"]),
        (strike("restart"), ["terminate", "promote"]),
        (strike("suspend", fence_first=True), ["suspend", "kill", "promote"]),
        (strike("suspend", fence_first=False), ["suspend", "promote", "kill"]),
        (strike("kill", primary=False), ["kill"]),
        (strike("suspend", primary=False), ["suspend"]),
    ],
)
def test_each_fault_is_answered_as_a_resource_manager_does(subject, wanted, verbs):
    assert carry_out(subject, wanted) == verbs
    subject._mend()
    assert subject.warden.cluster.done[-1][0] == "back"


def test_a_hung_primary_is_fenced_even_if_nobody_can_be_promoted(subject, monkeypatch):
    monkeypatch.setattr("tanist_interop.runner.warden.PROMOTE_S", 0.1)
    subject.warden.cluster.refuses = True
    with pytest.raises(HostError):
        carry_out(subject, strike("suspend", fence_first=False))
    assert subject.warden.cluster.done == [("suspend", 0), ("kill", 0)]


def test_a_stopped_broker_that_answers_is_an_error(subject):
    subject.warden.cluster.awake_when_hung = True
    with pytest.raises(HostError, match="n1 says hung although it is stopped"):
        carry_out(subject, strike("suspend"))


def test_a_patient_strike_waits_for_the_whole_cluster(subject):
    subject.warden.cluster.state[2] = "joining"
    with pytest.raises(DrillError, match="waiting to strike"):
        subject._await_chance(strike(), float("inf"))
    assert subject._await_chance(strike(impatient=True), float("inf")) == 0


def test_an_impatient_strike_leaves_the_last_copy_alone(subject):
    subject.warden.cluster.state[1:] = ["joining", "joining"]
    with pytest.raises(DrillError, match="waiting to strike"):
        subject._await_chance(strike(impatient=True), float("inf"))


def test_what_hangs_is_no_copy_although_the_primary_still_lists_it(subject):
    subject._carry_out(strike("suspend", primary=False), 1)
    subject.away[1].until = float("inf")
    subject._look()
    assert subject.warden.cluster.in_sync(0) == [1, 2]
    assert subject._ready == [2]


def test_what_hung_is_not_believed_at_once(subject, monkeypatch):
    monkeypatch.setattr(soak, "TRUST_S", 0.2)
    subject._carry_out(strike("suspend", primary=False), 1)
    subject._mend()
    subject._look()
    assert subject._ready == [2]
    subject._pause(0.25)
    subject._look()
    assert subject._ready == [1, 2]


def test_who_came_back_is_noted_when_the_primary_lists_it(subject, monkeypatch):
    monkeypatch.setattr(soak, "TRUST_S", 0.0)
    subject._carry_out(strike("kill", primary=False), 1)
    subject.warden.cluster.slow.add(1)
    subject._mend()
    subject._look()
    assert marks(subject, "rejoined") == []
    subject.warden.cluster.state[1] = "ready"
    subject._look()
    subject._look()
    assert marks(subject, "rejoined") == ["n2"]


def test_who_is_hit_again_while_it_comes_back_need_not_come_back_before(subject):
    subject.returning.add(1)
    subject._carry_out(strike("kill", primary=False), 1)
    assert subject.returning == set()


def test_a_cluster_that_does_not_become_whole_ends_the_run(subject):
    subject.warden.cluster.slow.update(range(3))
    subject._carry_out(strike("kill", primary=False), 1)
    subject.scenario = replace(subject.scenario, soak_s=0.0)
    with pytest.raises(DrillError, match="making the cluster whole"):
        subject.run()


def test_a_sender_that_does_not_go_on_ends_the_run(subject):
    def stop_acknowledging(_):
        subject.crew.acknowledging = False

    subject.warden.cluster.promote = stop_acknowledging
    with pytest.raises(DrillError, match="every sender goes on"):
        carry_out(subject, strike())
    assert subject.failovers == 0


def test_nobody_is_hit_while_messages_pile_up(subject):
    subject.crew.receiving = False
    subject.crew.acknowledged["p"] = 1000
    with pytest.raises(DrillError, match="waiting to strike"):
        subject._await_chance(strike(impatient=True), float("inf"))


def memory_notes(subject):
    subject.crew.journal.flush()
    return list(history.notes(history.load(subject.crew.journal.path), "memory"))


def test_memory_is_compared_when_the_cluster_is_whole_and_nothing_is_piled_up(subject):
    subject._was_whole = False
    subject.crew.acknowledged["p"] = 1000
    assert not subject._is_whole()
    assert memory_notes(subject) == []
    subject.crew.received["p"] = Numbers((1, 1000))
    assert subject._is_whole()
    assert subject._is_whole()
    assert len(memory_notes(subject)) == 3  # of each broker, once


def test_the_time_may_be_up_while_waiting(subject):
    assert subject._await_chance(strike(rest_s=0.01), 0.0) is None


def test_a_broker_that_is_down_is_somebody_away(subject):
    subject.away[2] = soak.Away(Kill(subject.warden.cluster, 2), 0.0)
    assert subject.summary() == "0 failovers, 0 strikes; n1 serves, n3 away"
