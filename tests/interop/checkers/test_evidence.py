from __future__ import annotations

from tanist_interop.checkers.evidence import check
from tanist_interop.checkers.finding import Valid


def test_a_refusal_is_right(story):
    story.note(
        "evidence", text="Joining active cluster, cannot be promoted.", wrong=False, void=False
    )
    finding = check(story.records)
    assert finding.valid is Valid.TRUE
    assert finding.figures["seen"] == ["Joining active cluster, cannot be promoted."]


def test_what_no_broker_may_do_is_wrong(story):
    story.note("evidence", text="it was promoted", wrong=True, void=False)
    assert check(story.records).problems == ("it was promoted",)
    assert check(story.records).valid is Valid.FALSE


def test_a_fault_that_was_none_shows_nothing(story):
    story.note("evidence", text="it had caught up", wrong=False, void=True)
    assert check(story.records).valid is Valid.UNKNOWN


def test_without_evidence_nothing_is_shown(story):
    assert check(story.records).valid is Valid.UNKNOWN
