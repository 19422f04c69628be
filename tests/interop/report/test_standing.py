from __future__ import annotations

import pytest

from tanist_interop.report.results import document
from tanist_interop.report.standing import HEADS, rows

NBSP = "\N{NO-BREAK SPACE}"


@pytest.fixture
def run(new_story):
    def make(broker, scenario="kill-primary", lost=0):
        story = new_story()
        story.good()
        out = document(story.verdict().as_json(), 1)
        out["versions"]["broker"] = broker
        out["scenario"] = {**out["scenario"], "name": scenario}
        if lost:
            out["valid"] = "false"
            out["clients"]["c"]["lost"] = lost
        return out

    return make


def test_a_row_per_broker_and_scenario(run):
    ours, theirs = "qpidd (tanist) version 0.1.0 (interpreted)", "RabbitMQ 3.10.8"
    found = rows([run(ours), run(ours, "no-fault"), run(theirs, lost=3), run(ours), run("")])
    assert found[0] == list(HEADS)
    assert [row[:5] for row in found[1:]] == [
        ["kill-primary", "qpidd (tanist)", "0.1.0 (interpreted)", "2", "2 valid"],
        ["kill-primary", "RabbitMQ", "3.10.8", "1", "INVALID"],
        ["kill-primary", "a broker that does not tell its version", "", "1", "valid"],
        ["no-fault", "qpidd (tanist)", "0.1.0 (interpreted)", "1", "valid"],
    ]
    assert found[1][5:] == ["40", "0", "0", "4", f"5{NBSP}ms, at most 5{NBSP}ms", "-"]
    assert found[2][5:9] == ["20", "3", "0", "2"]


def test_what_is_not_known_is_not_told(run):
    undrained = run("a 1")
    undrained["clients"]["c"]["lost"] = None
    undrained["failovers"] = []
    (row,) = rows([undrained])[1:]
    assert (row[6], row[9]) == ("?", "-")
    undrained["clients"] = {}
    (row,) = rows([undrained])[1:]
    assert row[5:9] == ["-"] * 4


def test_proofs_are_counted_by_client(run):
    verdicts = {"resend": "valid valid", "requeue": "valid invalid", "heartbeat": "unknown valid",
                "duplicates": "unsupported valid"}  # fmt: skip
    with_proofs = run("a 1")
    with_proofs["figures"]["proofs"] = {
        "cells": [
            {"client": client, "proof": proof, "verdict": verdict}
            for proof, words in verdicts.items()
            for client, verdict in zip("xy", words.split(), strict=True)
        ]
    }
    (row,) = rows([with_proofs])[1:]
    assert row[-1] == "2/2 1/2 1/2 1/1"


def test_the_worst_verdict_comes_first(run):
    (row,) = rows([run("a 1"), run("a 1", lost=1), run("a 1")])[1:]
    assert row[4] == "1 INVALID, 2 valid"
