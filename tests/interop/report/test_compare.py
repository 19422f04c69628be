from __future__ import annotations

import pytest

from tanist_interop.report.compare import lines, split
from tanist_interop.report.results import document


@pytest.fixture
def pair(story, new_story):
    """A good run, and a run of another scenario that lost a message and was slower."""
    bad = new_story()
    bad.run("no-fault")
    bad.program("o", "other")
    bad.sender("o", producer="p")
    bad.receiver()
    bad.sent((1, 3), source="o")
    bad.got(1)
    bad.ended("o", 3)
    bad.ended("r", 1)
    bad.drained(3)
    return [document(s.verdict().as_json(), 1) for s in (story.good(), bad)]


def rows(text):
    return {line.split("  ")[0].strip(): line.split() for line in text if line}


def test_two_runs_side_by_side(pair):
    text = lines(*pair)
    assert ["verdict", "valid", "INVALID"] in [line.split() for line in text]
    assert ["total-queue", "valid", "INVALID"] in [line.split() for line in text]
    assert ["failover", "valid", "-"] in [line.split() for line in text]
    assert ["c", "first", "20", "20", "22", "0", "0", "2", "0"] in [line.split() for line in text]
    assert ["c", "second", "-", "-", "-", "-", "-", "-", "-"] in [line.split() for line in text]
    assert ["other", "second", "3", "3", "2", "1", "0", "0", "0"] in [line.split() for line in text]


def test_the_same_run_twice_differs_in_nothing(pair):
    text = lines(pair[0], pair[0])
    assert any(line.split()[-2:] == ["+0.00", "s"] for line in text)


def test_the_failover_time_is_a_median_per_program(story):
    story.good()
    run = document(story.verdict().as_json(), 1)
    assert split(run)["promote command back"] == 3.0
    assert split(run)["first confirmation, c"] == 5.0
    slow = {**run["failovers"][0], "first_ack_ms": {"s to q": 11.0, "s to r": 45.0}}
    run["failovers"] = [*run["failovers"], slow, slow]
    assert split(run)["first confirmation, c"] == 45.0, "of a program the slowest sender"


def test_three_runs_have_three_columns_and_no_difference(pair):
    text = [line.split() for line in lines(*pair, pair[0])]
    assert text[0] == ["first", "second", "third"]
    assert ["verdict", "valid", "INVALID", "valid"] in text
    assert ["promote", "command", "back", "0.00", "s", "-", "0.00", "s"] in text
    assert not any("difference" in line for line in text)
    text = [line.split() for line in lines(*[pair[0]] * 5)]
    assert text[0] == ["first", "second", "third", "fourth", "run", "5"]


def test_brokers_stand_beside_each_other(pair):
    pair[0]["versions"]["broker"] = "RabbitMQ 3.10.8"
    text = "\n".join(lines(*pair))
    assert "RabbitMQ" in text
    assert "3.10.8" in text


def test_without_a_failover_no_times_are_told(pair):
    assert not any("from the fault" in line for line in lines(pair[1], pair[1]))
