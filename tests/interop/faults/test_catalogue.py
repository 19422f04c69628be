from __future__ import annotations

import pytest

from tanist_interop.faults.catalogue import NOT_REFUSED, STAGED, VOID, WENT_ON, WRONG
from tanist_interop.faults.scene import CLIENTS, Scene
from tanist_interop.scenarios.proofs import MATRIX


class Recorder:
    """Notes what is asked of it."""

    def __init__(self, log, **answers) -> None:
        self.log = log
        self.answers = answers

    def __getattr__(self, verb: str) -> object:
        def act(*arguments):
            self.log.append((verb, *arguments))
            return self.answers.get(verb)

        return act


class Stage:
    """A scene of three brokers; n1 is primary, n3 is hit first of the backups."""

    def __init__(self, name, **answers) -> None:
        self.log = []
        given = {"terminate": 0, "ends": True, "refusal": "no", "statuses": ["catchup"], **answers}
        brokers = Recorder(self.log, **given)
        links, clients = Recorder(self.log), Recorder(self.log)
        self.fault = STAGED[name](Scene(brokers, links, clients, 0, [2, 1], seed=7))

    def take(self, step, *arguments):
        """Take one step; what was asked for."""
        self.log.clear()
        getattr(self.fault, step)(*arguments)
        return list(self.log)


@pytest.mark.parametrize(
    ("name", "inject", "fence", "heal"),
    [
        ("none", [], [], []),
        ("kill-primary", [("kill", 0)], [], [("restart", 0)]),
        ("kill-backup", [("kill", 2)], [], [("restart", 2)]),
        ("kill-two", [("kill", 0), ("kill", 2)], [], [("restart", 0), ("restart", 2)]),
        ("kill-backups", [("kill", 2), ("kill", 1)], [], [("restart", 2), ("restart", 1)]),
        ("hang-primary", [("suspend", 0)], [("kill", 0)], [("restart", 0)]),
        ("hang-backup", [("suspend", 2)], [], [("resume", 2)]),
        ("stop-primary", [("terminate", 0)], [], [("restart", 0)]),
        ("stop-backup", [("terminate", 2)], [], [("restart", 2)]),
        ("restart-primary", [("kill", 0), ("restart", 0)], [], []),
        ("kill-in-transaction", [("kill", 0)], [], [("restart", 0)]),
        ("kill-in-large-message", [("kill", 0)], [], [("restart", 0)]),
        ("kill-client", [("kill",)], [], []),
        ("pause-client", [("pause",)], [], [("resume",)]),
        ("clock-jump", [("jump", 3600.0)], [], [("jump", 0.0)]),
        ("partition-partial", [("block", 0, 2), ("block", 2, 0)], [],
         [("unblock", 0, 2), ("unblock", 2, 0)]),
    ],
)  # fmt: skip
def test_what_is_done_and_undone(name, inject, fence, heal):
    stage = Stage(name)
    assert stage.take("inject") == inject
    assert stage.take("fence") == fence
    assert stage.take("heal") == heal


def test_every_scenario_has_its_fault_and_every_fault_its_scenario():
    assert [scenario.fault for scenario in MATRIX] == list(STAGED)


def test_who_may_be_promoted_was_not_hit():
    stage = Stage("kill-two")
    stage.take("inject")
    assert stage.fault.survivors == [1]


def test_a_cut_off_primary_hears_and_tells_nothing():
    stage = Stage("partition")
    blocked = {(a, b) for _, a, b in stage.take("inject")}
    assert blocked == {(0, CLIENTS), (CLIENTS, 0), (0, 1), (1, 0), (0, 2), (2, 0)}
    assert set(stage.fault.blocked) == blocked
    assert stage.take("fence") == [("kill", 0)]
    assert {verb for verb, *_ in stage.take("heal")} == {"unblock", "restart"}


def test_one_way_it_hears():
    stage = Stage("partition-one-way")
    assert {(a, b) for _, a, b in stage.take("inject")} == {(0, CLIENTS), (0, 1), (0, 2)}


def test_the_promoted_one_is_killed_as_well():
    stage = Stage("kill-recovering")
    stage.take("inject")
    assert stage.fault.twice
    assert stage.take("hit_again", 1) == [("kill", 1)]
    assert stage.fault.survivors == [2]
    assert stage.take("heal") == [("restart", 0), ("restart", 1)]


def test_a_backup_is_caught_while_it_catches_up():
    stage = Stage("kill-catching-up")
    assert [verb for verb, *_ in stage.take("prepare")] == ["kill", "slow", "restart"]
    assert stage.take("inject") == [("statuses", [2]), ("kill", 0)]
    assert stage.fault.evidence == "the backup was catchup"
    assert stage.fault.survivors == [1]
    assert stage.take("heal") == [("slow", 0, 2, 0.0, 0.0), ("restart", 0)]


def test_one_that_had_caught_up_already_was_not_caught():
    stage = Stage("kill-catching-up", statuses=["ready"])
    stage.take("prepare")
    stage.take("inject")
    assert stage.fault.evidence in VOID


@pytest.mark.parametrize(
    ("refusal", "evidence", "wrong"), [("no", "no", False), ("", NOT_REFUSED, True)]
)
def test_the_wrong_one_must_refuse(refusal, evidence, wrong):
    stage = Stage("promote-wrong", refusal=refusal)
    done = [verb for verb, *_ in stage.take("inject")]
    assert done == ["kill", "block", "block", "restart", "refusal"]
    assert stage.fault.evidence == evidence
    assert (stage.fault.evidence in WRONG) is wrong
    assert stage.take("heal") == [("unblock", 2, 0), ("unblock", 0, 2)]


@pytest.mark.parametrize(("ends", "last"), [(True, ["restart"]), (False, ["kill", "restart"])])
def test_a_primary_that_was_replaced_must_end_by_itself(ends, last):
    stage = Stage("hang-primary-unfenced", ends=ends)
    stage.take("inject")
    assert stage.take("fence") == []
    assert [verb for verb, *_ in stage.take("heal")] == ["resume", "ends", *last]
    assert (stage.fault.evidence == WENT_ON) is not ends


@pytest.mark.parametrize("name", ["slow-links", "lossy-links"])
def test_every_link_between_brokers(name):
    stage = Stage(name)
    pairs = {tuple(sorted(done[1:3])) for done in stage.take("inject")}
    assert pairs == {(0, 1), (0, 2), (1, 2)}
    assert {tuple(sorted(done[1:3])) for done in stage.take("heal")} == pairs


@pytest.mark.parametrize("name", ["slow-clients", "lossy-clients"])
def test_every_link_of_clients(name):
    stage = Stage(name)
    pairs = {tuple(sorted(done[1:3])) for done in stage.take("inject")}
    assert pairs == {(CLIENTS, 0), (CLIENTS, 1), (CLIENTS, 2)}
