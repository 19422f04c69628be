from __future__ import annotations

import pytest

from tanist_interop.checkers.cells import Cell, casts, fault_begin, worst
from tanist_interop.checkers.finding import Valid


def cell(verdict):
    return Cell("x", "none", "resend", verdict)


@pytest.mark.parametrize(
    ("verdicts", "valid"),
    [
        ([], Valid.UNKNOWN),
        (["valid", "unsupported", "known"], Valid.TRUE),
        (["valid", "unknown"], Valid.UNKNOWN),
        (["unknown", "invalid"], Valid.FALSE),
    ],
)
def test_the_worst_decides(verdicts, valid):
    assert worst([cell(verdict) for verdict in verdicts]) is valid


def test_what_is_wrong_stays_wrong():
    subject = cell("valid")
    subject.wrong("lost")
    subject.unclear("not drained")
    assert (subject.verdict, subject.findings) == ("invalid", ["lost", "not drained"])


def test_a_client_that_cannot_run_here_has_no_cells(story):
    for client in ("a", "b"):
        story.note("cast", client=client, sender="s", receiver="r", producers=[], unsupported="")
    story.note("not_run", client="a", reason="no Java", remedy="get it", optional=False)
    assert [cast.client for cast in casts(story.records)] == ["b"]


def test_the_fault_is_what_comes_after_the_freeze(story):
    story.fault(failover=False, node="n3")
    story.mark("freeze")
    story.fault(failover=True)
    begin = story.records[-1].t
    assert fault_begin(story.records, True) == begin
    assert fault_begin(story.records, False) == 0
