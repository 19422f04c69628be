from __future__ import annotations

import json

from tanist_interop.report import grid


def cell(client, fault, proof, verdict="valid", reason="", findings=()):
    return {"client": client, "fault": fault, "proof": proof, "verdict": verdict,
            "reason": reason, "findings": list(findings), "figures": {}}  # fmt: skip


FOUND = [
    cell("a", "none", "resend"),
    cell("a", "none", "requeue", "invalid", findings=["1 never came", "2 unmarked"]),
    cell("b", "none", "resend", "unsupported", "no transactions"),
    cell("b", "none", "requeue", "known", "b 1: forgets"),
    cell("a", "kill", "resend", "unknown", findings=["not drained"]),
    cell("a", "kill", "requeue", reason="unexpected pass"),
]


def test_a_mark_per_proof():
    lines = grid.lines(FOUND)
    assert [line.split() for line in lines[:3]] == [["a", "b"], ["none", "+X", "uk"],
                                                    ["kill", "?+", "-"]]  # fmt: skip
    assert lines[3].startswith("each: resend, requeue (+ valid, X invalid")
    assert "invalid: a: 1 never came; 2 unmarked (none requeue)" in lines
    assert "valid: a: unexpected pass (kill requeue)" in lines
    assert lines[-1] == (
        "2 clients x 2 faults x 2 proofs: 2 valid, 1 invalid, 1 unknown, 1 unsupported, 1 known"
    )


def test_what_has_one_reason_is_one_line():
    many = [cell("a", f"f{n}", "resend", "unsupported", "cannot") for n in range(3)]
    assert grid.reasons(many) == ["unsupported: a: cannot (f0 resend, f1 resend, f2 resend)"]


def test_the_terminal_is_not_flooded():
    many = [cell("a", "f", "resend", "invalid", findings=[str(n)]) for n in range(50)]
    assert grid.reasons(many)[-1] == "and 10 more"


def test_plain_data():
    assert json.loads(grid.document(FOUND)) == FOUND
    runs = [{"figures": {"proofs": {"cells": FOUND}}}, {"figures": {}}]
    assert grid.cells(runs) == FOUND
    assert grid.lines([]) == []


def test_a_fault_that_cannot_be_made_here():
    out = grid.left_out("clock-jump", ["a", "b"], ["resend"], "no library")
    assert [(c["client"], c["verdict"], c["reason"]) for c in out] == [
        ("a", "unsupported", "no library"), ("b", "unsupported", "no library"),
    ]  # fmt: skip
