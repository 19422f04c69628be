from __future__ import annotations

import pytest

from tanist_interop.checkers.finding import Valid
from tanist_interop.checkers.rejoin import check


def test_a_broker_that_came_back_is_ready(story):
    result = check(story.good().records)
    assert result.valid is Valid.TRUE
    assert list(result.figures["ready_ms"]) == ["n1"]
    assert result.figures["count"] == 1


@pytest.mark.parametrize("mark", ["finished", "not_ready"])
def test_a_broker_that_stays_away_is_wrong(story, mark):
    story.fault("end", node="n3")
    story.mark(mark, node="n3")
    result = check(story.records)
    assert result.valid is Valid.FALSE
    assert "n3" in result.problems[0]


def test_nothing_came_back(story):
    assert check(story.records).valid is Valid.UNKNOWN


def test_each_time_counts_unless_it_was_hit_again(story):
    for back in (True, False, True):
        story.fault("begin", node="n2")
        story.fault("end", node="n2")
        if back:
            story.mark("rejoined", node="n2")
    result = check(story.records)
    assert result.valid is Valid.TRUE
    assert result.figures["count"] == 2
    story.fault("begin", node="n2")
    story.fault("end", node="n2")
    story.mark("finished")
    assert check(story.records).valid is Valid.FALSE


def test_a_run_that_broke_off_says_nothing_of_who_was_on_his_way(story):
    story.fault("end", node="n3")
    result = check(story.records)
    assert result.valid is Valid.UNKNOWN
    assert result.problems == ("n3 was not waited for: the run broke off",)
