from __future__ import annotations

from tanist_interop.scenarios.trials import HELD, OUTCOMES, SENT, trials


def test_each_client_has_each_case_with_a_queue_of_its_own():
    plan = trials(["a", "b"])
    assert [(t.case, t.client) for t in plan] == [(case, c) for case in OUTCOMES for c in "ab"]
    names = [t.queue for t in plan] + [t.dead for t in plan if t.dead]
    assert len(set(names)) == len(names)
    assert len({t.producer for t in plan}) == len(plan)


def test_only_what_is_rejected_has_somewhere_to_go():
    assert {t.case for t in trials(["a"]) if t.dead} == {"rejected"}
    assert {t.case for t in trials(["a"]) if not t.outcome} == {"killed", "failover"}


def test_some_messages_are_not_held():
    assert 0 < HELD < SENT
