from __future__ import annotations

import argparse

import pytest

from tanist_interop.demo.elect import SILENT_POLLS, Elector, brokers_of
from tanist_interop.hosts.operator import HostError

BROKERS = {"n1": "h:1", "n2": "h:2", "n3": "h:3"}


class Cluster:
    """Answers as ``Operator`` does; ``words`` are the statuses."""

    def __init__(self) -> None:
        self.words = ["joining", "joining", "joining"]
        self.promoted = []
        self.refuses = False

    def statuses(self, addresses, timeout_s):
        assert addresses == list(BROKERS.values())
        return list(self.words)

    def promote(self, address):
        if self.refuses:
            raise HostError("Still catching up, cannot be promoted.")
        self.promoted.append(address)
        self.words[list(BROKERS.values()).index(address)] = "active"


@pytest.fixture
def cluster():
    return Cluster()


@pytest.fixture
def said():
    return []


@pytest.fixture
def elector(cluster, said):
    return Elector(BROKERS, cluster, False, said.append)


def failed(elector, cluster):
    """The cluster was elected, and the primary died."""
    elector.step()
    cluster.words = ["active", "ready", "ready"]
    elector.step()
    cluster.words[0] = ""
    cluster.promoted.clear()


def test_the_first_is_promoted_when_all_are_there(elector, cluster, said):
    cluster.words[2] = ""
    elector.step()
    assert cluster.promoted == []
    cluster.words[2] = "joining"
    elector.step()
    assert cluster.promoted == ["h:1"]
    assert said == [
        "n1 joining  n2 joining  n3 silent",
        "n1 joining  n2 joining  n3 joining",
        "promoted n1",
    ]


def test_who_serves_already_is_left_alone(elector, cluster):
    cluster.words = ["ready", "recovering", ""]
    elector.step()
    assert cluster.promoted == []


def test_started_anew_it_promotes_who_has_everything(elector, cluster):
    cluster.words = ["joining", "ready", "ready"]
    elector.step()
    assert cluster.promoted == ["h:2"]


def test_only_a_change_is_printed(elector, said):
    for _ in range(3):
        elector.step()
    assert said.count("n1 active  n2 joining  n3 joining") == 1


def test_later_it_promotes_nobody_and_says_once_what_to_do(elector, cluster, said):
    failed(elector, cluster)
    for _ in range(SILENT_POLLS + 5):
        elector.step()
    assert cluster.promoted == []
    assert said[-1] == ("no primary: promote a ready backup by hand (qpid-ha promote -b h:2)")
    assert sum("by hand" in line for line in said) == 1


def test_with_again_a_ready_backup_is_promoted_after_some_silence(elector, cluster, said):
    elector.again = True
    failed(elector, cluster)
    cluster.words[1] = "catchup"
    for _ in range(SILENT_POLLS - 1):
        elector.step()
    assert cluster.promoted == []
    elector.step()
    assert cluster.promoted == ["h:3"]


def test_a_primary_that_answers_again_starts_the_count_anew(elector, cluster):
    elector.again = True
    failed(elector, cluster)
    for word in ["", "", "active"] * 3:
        cluster.words[0] = word
        elector.step()
    assert cluster.promoted == []


def test_a_refusal_is_printed_and_tried_again(elector, cluster, said):
    cluster.refuses = True
    elector.step()
    assert said[-1] == "Still catching up, cannot be promoted."
    cluster.refuses = False
    elector.step()
    assert cluster.promoted == ["h:1"]


def test_brokers_of_a_command_line():
    assert brokers_of("n1=h:1,n2=h:2,n3=h:3") == BROKERS
    for wrong in ("", "h:1", "n1=", "n1=h:1,"):
        with pytest.raises(argparse.ArgumentTypeError):
            brokers_of(wrong)
