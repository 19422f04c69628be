"""Two primaries are a suspicion first, and a problem when both were seen again."""

from __future__ import annotations

from uuid import UUID

from tanist.ha.roles import Status
from tanist.ha.standing import PeerStatus
from tanist.node.outlook import Outlook

A, B, C = UUID(int=1), UUID(int=2), UUID(int=3)


def peer(who: UUID, status: Status = Status.ACTIVE, epoch: int = 1) -> PeerStatus:
    return PeerStatus(who, status, epoch, who)


def test_one_primary_is_no_problem() -> None:
    outlook = Outlook()
    outlook.look("a", peer(A), 1.0)
    outlook.look("b", peer(B, Status.READY), 1.0)
    assert not outlook.suspects(False, 1.0)
    assert not outlook.judge(False, 1)
    assert outlook.problem == ""


def test_two_are_one_if_the_dead_one_does_not_answer_again() -> None:
    outlook = Outlook()
    outlook.look("a", peer(A), 1.0)
    outlook.look("b", peer(B, Status.RECOVERING, 2), 2.0)
    assert outlook.suspects(False, 2.0)
    assert not outlook.suspects(False, 2.5), "once is enough"
    assert not outlook.judge(False, 1)
    outlook.look("b", peer(B, epoch=2), 3.0)
    outlook.look("a", None, 3.0)
    assert not outlook.judge(False, 1)
    assert not outlook.suspects(False, 3.0)
    assert outlook.problem == ""


def test_two_that_both_say_it_again_are_a_problem_until_one_is_gone() -> None:
    outlook = Outlook()
    outlook.look("a", peer(A), 1.0)
    outlook.look("b", peer(B, epoch=2), 1.0)
    assert outlook.suspects(False, 1.0)
    outlook.look("a", peer(A), 2.0)
    assert not outlook.judge(False, 1)
    outlook.look("b", peer(B, epoch=2), 2.0)
    assert outlook.judge(False, 1)
    assert outlook.problem.startswith(
        f"Two primaries: {A} (active, epoch 1) and {B} (active, epoch 2)."
    )
    assert not outlook.judge(False, 1), "no news"
    outlook.look("a", peer(A, Status.JOINING), 3.0)
    assert outlook.judge(False, 1)
    assert outlook.problem == ""


def test_a_primary_counts_itself() -> None:
    outlook = Outlook()
    outlook.look("b", peer(B), 1.0)
    assert outlook.suspects(True, 1.0)
    outlook.look("b", peer(B), 2.0)
    assert outlook.judge(True, 7)
    assert "this broker (epoch 7)" in outlook.problem


def test_one_broker_with_two_addresses_is_one() -> None:
    outlook = Outlook()
    outlook.look("a", peer(A), 1.0)
    outlook.look("vip", peer(A), 2.0)
    assert not outlook.suspects(False, 2.0)
    assert outlook.seen["vip"].peer.system_id == A
