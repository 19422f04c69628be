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


def test_plain_data():
    assert json.loads(grid.document(FOUND)) == FOUND
    runs = [{"figures": {"proofs": {"cells": FOUND}}}, {"figures": {}}]
    assert grid.cells(runs) == FOUND


def test_a_fault_that_cannot_be_made_here():
    out = grid.left_out("clock-jump", ["a", "b"], ["resend"], "no library")
    assert [(c["client"], c["verdict"], c["reason"]) for c in out] == [
        ("a", "unsupported", "no library"), ("b", "unsupported", "no library"),
    ]  # fmt: skip
