from __future__ import annotations

import pytest

from tanist_interop.checkers.brokers import ALLOWANCE_BYTES, check, memory
from tanist_interop.checkers.finding import Valid
from tanist_interop.checkers.operations import read


def finding(story):
    return check(read(story.records), story.records)


def test_quiet_brokers_are_right(story):
    story.note("broker_exit", node="n1", code=-9, expected=True)
    story.note("memory", node="n1", bytes=5, moment="ready")
    story.note("memory", node="n1", bytes=6, moment="end")
    assert finding(story).valid is Valid.TRUE
    assert memory(story.records) == {"n1": {"ready": 5, "end": 6}}


def test_a_bad_line_in_a_log_is_wrong_and_many_are_told_briefly(story):
    for _ in range(15):
        story.note("broker_log", node="n2", line="Traceback")
    result = finding(story)
    assert result.valid is Valid.FALSE
    assert result.problems[0] == "n2 logged: Traceback"
    assert result.problems[-1] == "and 5 more lines"


def test_a_death_that_nobody_caused_is_wrong(story):
    story.note("broker_exit", node="n1", code=1, expected=False)
    assert finding(story).problems == ("n1 ended by itself, code 1",)


@pytest.mark.parametrize(("growth", "valid"), [(-1, Valid.TRUE), (1, Valid.FALSE)])
def test_memory_may_grow_by_the_allowance(story, growth, valid):
    story.note("memory", node="n1", bytes=100, moment="ready")
    story.note("memory", node="n1", bytes=100 + ALLOWANCE_BYTES + growth, moment="end")
    assert finding(story).valid is valid
