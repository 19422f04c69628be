"""Questions to the command that decides over the in-sync set."""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from tanist.ha.membership import BrokerInfo, Membership
from tanist.ha.roles import Status
from tanist.node.arbiter import ANSWER_MAX_S, SHRINK, Arbiter
from tanist.node.outbox import Outbox
from tanist.node.outputs import Consult

A, B, C = UUID(int=1), UUID(int=2), UUID(int=3)


def members() -> Membership:
    found = Membership()
    found.put(BrokerInfo(A, Status.ACTIVE, "tcp", "a", 1))
    found.put(BrokerInfo(B, Status.READY, "tcp", "b", 2))
    found.put(BrokerInfo(C, Status.READY))
    return found


def asked() -> tuple[Arbiter, Consult]:
    outbox = Outbox()
    arbiter = Arbiter(True, outbox, "run")
    arbiter.ask(SHRINK, 4, A, members(), [A, B], [C], "C is gone", "primary")
    (output,) = outbox.take()
    assert isinstance(output, Consult)
    return arbiter, output


def test_a_question_has_short_arguments_and_a_document() -> None:
    _, consult = asked()
    assert consult.arguments == ["shrink", "4", str(A), f"{A},{B}"]
    assert json.loads(consult.document) == {
        "action": "shrink",
        "epoch": 4,
        "primary": str(A),
        "run": "run",
        "status": "primary",
        "inSync": [str(A), str(B)],
        "leaving": [str(C)],
        "reason": "C is gone",
        "addresses": {str(A): "a:1", str(B): "b:2"},
    }
    assert consult.timeout_s == ANSWER_MAX_S


def test_one_question_at_a_time() -> None:
    arbiter, _ = asked()
    assert arbiter.waiting
    with pytest.raises(AssertionError):
        arbiter.ask(SHRINK, 4, A, members(), [A])


def test_an_answer_is_taken_once_and_a_yes_is_what_is_recorded() -> None:
    arbiter, consult = asked()
    assert arbiter.take_answer() is None
    arbiter.answered(consult.request, 0, "")
    assert not arbiter.waiting
    question = arbiter.take_answer()
    assert question is not None
    assert (question.code, question.leaving) == (0, [C])
    assert arbiter.recorded == {A, B}
    assert arbiter.take_answer() is None


def test_a_no_records_nothing() -> None:
    arbiter, consult = asked()
    arbiter.answered(consult.request, 1, "no quorum")
    question = arbiter.take_answer()
    assert question is not None
    assert (question.code, question.text) == (1, "no quorum")
    assert arbiter.recorded == set()


def test_an_answer_to_something_else_is_ignored() -> None:
    arbiter, consult = asked()
    arbiter.answered(consult.request + 1, 0, "")
    assert arbiter.waiting
