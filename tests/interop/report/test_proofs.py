from __future__ import annotations

import pytest

from tanist_interop.report import proofs
from tanist_interop.report.proofs import Cell, cells, fault_of, matrix


def of(story):
    return {cell.key: cell for cell in cells(story.verdict().as_json(), "folder")}


def two(story, new_story=None, **changes):
    """A good run of the programs ``c`` and ``other``."""
    story.run(**changes)
    story.program("o", "other")
    story.sender()
    story.sender("o", producer="x", queue="y")
    story.receiver()
    return story


def test_a_good_run_proves_what_its_checkers_ask(story):
    found = of(story.good())
    assert {proof for _, _, proof in found} == {"resend", "requeue", "duplicates", "brokers"}
    assert {cell.verdict for cell in found.values()} == {"valid"}
    assert {(client, fault) for client, fault, _ in found} == {("c", "kill primary")}
    assert found["c", "kill primary", "resend"].runs == ["folder"]


def test_a_problem_counts_against_whom_it_names(story):
    verdict = two(story).verdict().as_json()
    for finding in verdict["findings"]:
        finding |= {"valid": "true", "problems": []}
    (failover,) = [f for f in verdict["findings"] if f["checker"] == "failover"]
    failover |= {"valid": "unknown", "problems": ["o to y: no acknowledgement after it"]}
    found = {cell.key: cell for cell in cells(verdict)}
    assert found["other", "kill primary", "resend"].verdict == "unknown"
    assert found["other", "kill primary", "resend"].why == [
        "failover: o to y: no acknowledgement after it"
    ]
    assert found["c", "kill primary", "resend"].verdict == "valid"
    assert found["other", "kill primary", "duplicates"].verdict == "valid"


@pytest.mark.parametrize(
    "problems",
    [
        ["somebody: 3 lost"],
        ["o: x", "somebody: 3 lost"],
        [],
        [f"o: {i}" for i in range(10)],
    ],
)
def test_a_problem_that_names_nobody_or_is_left_out_counts_against_all(story, problems):
    verdict = two(story).verdict().as_json()
    for finding in verdict["findings"]:
        finding |= {"valid": "true", "problems": []}
    (queue,) = [f for f in verdict["findings"] if f["checker"] == "total-queue"]
    queue |= {"valid": "false", "problems": problems}
    found = {cell.key: cell.verdict for cell in cells(verdict)}
    assert found["c", "kill primary", "resend"] == "invalid"
    assert found["other", "kill primary", "resend"] == "invalid"


def test_a_run_that_broke_off_proves_nothing(story):
    story.run()
    story.note("aborted", stage="strike", reason="nobody answers")
    assert {cell.verdict for cell in of(story).values()} == {"unknown"}


def test_who_judges_client_by_client_is_believed(story):
    verdict = story.good().verdict().as_json()
    verdict["figures"]["proofs"] = {
        "cells": [
            {"client": "c", "fault": "kill-two", "proof": "resend", "verdict": "known",
             "reason": "its library", "findings": ["3 lost"]},
        ]
    }  # fmt: skip
    (cell,) = cells(verdict, "f")
    assert (cell.key, cell.verdict) == (("c", "kill-two", "resend"), "known")
    assert cell.why == ["3 lost", "its library"]


@pytest.mark.parametrize(
    ("scenario", "fault"),
    [
        ({"name": "x", "fault": "kill", "target": "primary"}, "kill primary"),
        ({"name": "x", "fault": "suspend", "target": "backup"}, "suspend backup"),
        ({"name": "x", "fault": "kill-backup", "target": "primary"}, "kill-backup"),
        ({"name": "x", "fault": "slow", "target": "primary", "course": "proofs"}, "slow"),
        ({"name": "soak", "fault": "", "soak_s": 90.0}, "soak"),
        ({"name": "no-fault", "fault": ""}, "none"),
        ({"name": "types", "fault": "", "course": "exchange"}, "types"),
    ],
)
def test_names_of_faults(scenario, fault):
    assert fault_of(scenario) == fault


def test_of_several_runs_the_worst_counts_and_is_looked_at_first():
    found = [
        Cell("a", "kill", "resend", "valid", runs=["1"]),
        Cell("a", "kill", "resend", "invalid", ["lost"], ["2"]),
        Cell("a", "kill", "resend", "valid", runs=["3"]),
        Cell("b", "kill", "resend", "unsupported", runs=["1"]),
    ]
    table = matrix(found)
    assert table.cell("a", "kill", "resend").verdict == "invalid"
    assert table.cell("a", "kill", "resend").runs == ["2", "1", "3"]
    assert table.cell("b", "kill", "resend").verdict == "unsupported"
    assert table.cell("b", "kill", "requeue") is None
    assert table.count() == {"invalid": 1, "unsupported": 1}


def test_the_matrix_as_text():
    found = [
        Cell("a", "kill", "duplicates", "known"),
        Cell("a", "kill", "resend", "valid"),
        Cell("b", "kill", "resend", "invalid"),
        Cell("b", "hang", "zeal", "unknown"),
    ]
    lines = proofs.lines(matrix(found))
    assert [line.split() for line in lines[:3]] == [
        ["proofs", "a", "b"], ["kill", "+k.", "X.."], ["hang", "...", "..?"],
    ]  # fmt: skip
    assert lines[3].startswith("in this order: resend, duplicates, zeal;")
    assert lines[4] == "4 proofs: 1 proved, 1 VIOLATED, 1 not shown, 1 fails, as is known"
    assert proofs.lines(matrix([])) == []
