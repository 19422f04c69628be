from __future__ import annotations

import pytest

BACK, NEW = ((1, 10), True), ((11, 20), False)


def outcome(tale, fault, *parts, **more):
    subject = tale(fault).begin().load().stream().fault()
    if fault == "kill-primary":
        return subject.go_on().requeue(*parts, **more).end().cells()["requeue"]
    return subject.go_on().requeue(*parts, **more).end().cells()["requeue"]


@pytest.mark.parametrize("fault", ["kill-primary", "kill-client"])
def test_they_come_back_in_order_at_the_head_and_marked(tale, fault):
    assert outcome(tale, fault, BACK, NEW) == ("valid", [])


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ([((1, 9), True), NEW], "1 held ones never came back: [10]"),
        ([BACK, ((3, 3), True), NEW], "1 came back more than once"),
        ([((6, 10), True), ((1, 5), True), NEW], "they came back out of order"),
        ([((11, 12), False), BACK, ((13, 20), False)], "10 came back behind"),
        ([((1, 4), True), ((5, 10), False), NEW], "6 came back without a mark"),
        ([BACK, ((11, 19), False)], "1 that nobody had received never came"),
    ],
)
def test_what_is_not_so_is_wrong(tale, parts, text):
    verdict, findings = outcome(tale, "kill-client", *parts)
    assert verdict == "invalid"
    assert findings[0].startswith(text), findings


def test_a_client_that_cannot_hold_is_unsupported(tale):
    verdict, _ = outcome(tale, "kill-primary", unsupported="the library has no transactions")
    assert verdict == "unsupported"


def test_a_run_that_did_not_get_so_far_shows_nothing(tale):
    subject = tale().begin().load().stream().fault().go_on()
    assert subject.cell("requeue") == ("unknown", "the run did not get so far")


def test_if_nothing_was_held_nothing_is_shown(tale):
    subject = tale().begin().load(held=None).stream().fault().go_on()
    verdict, findings = subject.requeue(((1, 20), False)).end().cells()["requeue"]
    assert (verdict, findings) == ("unknown", ["nothing was held"])
