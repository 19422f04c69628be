from __future__ import annotations

import pytest

from tanist_interop.report import failovers
from tanist_interop.report.failovers import Split, of_runs, rows, splits
from tanist_interop.report.results import document


def failover(**changes):
    return {
        "ask_ms": 300.0, "accept_ms": 420.0, "promote_ms": 480.0, "active_ms": 500.0,
        "detect_ms": {"c.send": 20.0, "c.receive": 30.0},
        "first_ack_ms": {"c.send to q": 600.0, "c.send to r": 650.0}, **changes,
    }  # fmt: skip


NBSP = "\N{NO-BREAK SPACE}"
NAMED = {"c.send": "c", "c.receive": "c"}


def test_the_parts_add_up_to_the_whole():
    (split,) = splits(failover(), NAMED)
    assert split.client == "c"
    assert split.parts() == {
        "detected": 30, "deciding": 300, "promoting": 120, "recovering": 80,
        "first confirmation": 150, "in all": 650,
    }  # fmt: skip
    bars = split.bars()
    assert bars[0] == ("detected", 0.0, 0.03)
    assert [name for name, _, _ in bars[1:]] == [
        "deciding", "promoting", "recovering", "first confirmation",
    ]  # fmt: skip
    ends = [end for _, _, end in bars[1:]]
    assert ends == pytest.approx([0.3, 0.42, 0.5, 0.65])
    assert [begin for _, begin, _ in bars[1:]] == pytest.approx([0.0, *ends[:-1]])


def test_of_a_broker_that_tells_nothing_the_command_is_all_there_is():
    (split,) = splits(failover(accept_ms=None, active_ms=None), NAMED)
    parts = split.parts()
    assert (parts["promoting"], parts["recovering"]) == (180, None)
    assert parts["first confirmation"] == 170
    assert [name for name, _, _ in split.bars()] == [
        "detected", "deciding", "promoting", "first confirmation",
    ]  # fmt: skip


def test_who_never_went_on_has_no_last_part():
    (split,) = splits(failover(first_ack_ms={}), NAMED)
    assert split.parts()["in all"] is None
    assert failovers.median_bars({"c": [split]}) == {}


def test_a_confirmation_before_the_new_primary_told_takes_no_negative_time():
    (split,) = splits(failover(first_ack_ms={"c.send": 490.0}), NAMED)
    parts = split.parts()
    assert (parts["recovering"], parts["first confirmation"], parts["in all"]) == (70, 0, 490)
    assert max(end for _, _, end in split.bars()) == 0.49
    untold = failover(accept_ms=None, active_ms=None, first_ack_ms={"c.send": 400.0})
    (split,) = splits(untold, NAMED)
    assert split.parts()["promoting"] == 100, "the command came back at 480"


def test_a_run_has_a_row_per_program(story):
    run = document(story.good().verdict().as_json(), 1)
    (row,) = rows(of_runs([run]))
    assert (row["client"], row["failovers"], row["in all"]) == ("c", "1", f"5{NBSP}ms")
    assert row["recovering"] == "-", "nobody told"


def test_of_several_failovers_there_are_three_numbers():
    moments = {"deciding": 10.0, "promoting": 20.0, "recovering": 30.0}
    every = [Split("c", None, moments, float(ms)) for ms in (1000, 40, 70, 50, 60)]
    (row,) = rows({"c": every})
    assert row["in all"] == f"60{NBSP}ms / 1.00{NBSP}s / 1.00{NBSP}s"
    assert row["detected"] == "-"
    assert failovers.median_bars({"c": every})["c"][-1][2] == pytest.approx(0.06)


def test_spread():
    assert failovers.spread([]) is None
    assert failovers.spread([7.0]) == (7.0, 7.0, 7.0)
    assert failovers.spread([3.0, 1.0, 2.0]) == (2.0, 3.0, 3.0)
    assert failovers.spread([float(n) for n in range(1, 101)]) == (50.0, 95.0, 100.0)
