from __future__ import annotations

import pytest

from tanist_interop.report import failovers
from tanist_interop.report.failovers import Split, because, lines, of_runs, rows, splits
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


def test_beside_what_it_took_stands_what_the_settings_allow():
    moments = {"deciding": 10.0, "promoting": 20.0, "recovering": 250.0}
    times = ((700.0, (250.0, 850.0)), (400.0, (200.0, 800.0)), (900.0, (300.0, 900.0)))
    every = [Split("c", 5.0, moments, first, allowed) for first, allowed in times]
    (row,) = rows({"c": every, "other": []})[:1]
    assert row["by its settings"] == f"250{NBSP}ms to 850{NBSP}ms"
    silent = Split("silent", 5.0, moments, None)
    told = lines({"c": every, "silent": [silent]}, {"c": "200 ms before each address"})
    head, line, why = (" ".join(text.replace(NBSP, " ").split()) for text in told)
    assert head == (
        "first new confirmation after failovers half of them 95 of 100 the longest "
        "new primary serves by its settings"
    )
    assert line == "c 3 700 ms 900 ms 900 ms 250 ms 250 ms to 850 ms"
    assert why == "c waits: 200 ms before each address"
    assert lines({"silent": [silent]}, {}) == []


def test_settings_come_from_what_the_run_noted(story):
    run = story.good().verdict().as_json()
    retry = {"least_ms": 1.0, "most_ms": 9.0, "because": "1 ms"}
    run["context"]["retries"] = {"c": retry}
    run = document(run, 1)
    (found,) = of_runs([run])["c"]
    (allowed,) = (failover["by_settings_ms"]["c"] for failover in run["failovers"])
    assert found.allowed == allowed
    assert because([run]) == {"c": "1 ms"}
