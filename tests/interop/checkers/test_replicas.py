from __future__ import annotations

import pytest

from tanist_interop.checkers.finding import Valid
from tanist_interop.checkers.replicas import check, differences, equal


def broker(status, **queues):
    held = {name: {"messages": n, "digest": digest} for name, (n, digest) in queues.items()}
    return {"status": status, "queues": held}


@pytest.fixture
def told(story):
    def tell(*answers):
        for nodes in answers:
            story.note("replicas", nodes=nodes)
        return check(story.records)

    return tell


def test_equal_replicas(told):
    same = {"a": (3, "aa"), "b": (0, "bb")}
    finding = told({"n1": broker("active", **same), "n3": broker("ready", **same)})
    assert (finding.valid, finding.problems) == (Valid.TRUE, ())
    first, second = finding.figures["nodes"]
    assert first["digest"] == second["digest"]
    assert (first["node"], first["status"], first["queues"], first["messages"]) == (
        "n1", "active", 2, 3,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("queues", "problem"),
    [
        ({"a": (2, "ab")}, "a: n1 has 3 messages, n3 2 messages"),
        ({"a": (3, "ab")}, "a: n1 has 3 messages, n3 as many with other content"),
        ({}, "a: n1 has 3 messages, n3 no such queue"),
        ({"a": (3, "aa"), "b": (1, "b")}, "b: n1 has no such queue, n3 1 messages"),
    ],
)
def test_replicas_that_differ(told, queues, problem):
    finding = told({"n1": broker("active", a=(3, "aa")), "n3": broker("ready", **queues)})
    assert (finding.valid, finding.problems) == (Valid.FALSE, (problem,))
    first, second = finding.figures["nodes"]
    assert first["digest"] != second["digest"]


def test_who_is_not_ready_need_not_have_it(told):
    whole = {"a": (3, "aa")}
    nodes = {
        "n1": broker("active", **whole),
        "n2": broker("catchup"),
        "n3": broker("ready", **whole),
    }
    finding = told(nodes)
    assert (finding.valid, finding.problems) == (Valid.TRUE, ())
    assert len(finding.figures["nodes"]) == 3


def test_what_they_say_at_last_counts(told):
    behind = {"n1": broker("active", a=(1, "a")), "n2": broker("ready")}
    same = {"n1": broker("active", a=(1, "a")), "n2": broker("ready", a=(1, "a"))}
    assert differences(behind)
    assert (equal(behind), equal(same)) == (False, True)
    assert told(behind, same).valid is Valid.TRUE
    assert told(same, behind).valid is Valid.FALSE


def test_who_is_there_and_does_not_say_what_it_holds_leaves_a_doubt(told):
    mute = {"status": "ready", "queues": None}
    nodes = {"n1": broker("active", a=(1, "a")), "n2": broker("ready", a=(1, "a")), "n3": mute}
    finding = told(nodes)
    assert not equal(nodes)
    assert (finding.valid, finding.problems) == (
        Valid.UNKNOWN, ("n3 is ready and did not say what it holds",),
    )  # fmt: skip
    assert [each["node"] for each in finding.figures["nodes"]] == ["n1", "n2"]


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        ((), "nothing to compare: no broker said what it holds"),
        (({"n1": broker("active")},), "nothing to compare: n1 is active"),
        (
            ({"n1": broker("active"), "n2": broker("ready")},),
            "nothing to compare: no broker has a queue",
        ),
        (
            ({"n1": broker("ready"), "n2": broker("ready")},),
            "nothing to compare: n1 is ready, n2 is ready",
        ),
        (
            ({"n1": broker("active"), "n2": broker("joining")},),
            "nothing to compare: n1 is active, n2 is joining",
        ),
    ],
)
def test_one_alone_shows_nothing(told, answers, problem):
    finding = told(*answers)
    assert (finding.valid, finding.problems) == (Valid.UNKNOWN, (problem,))
