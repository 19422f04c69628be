"""The four proofs of one fault, for every client that took part: a row of cells each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tanist_interop import history
from tanist_interop.checkers import copies, heartbeat, known, requeue, resend
from tanist_interop.checkers.cells import (
    INVALID,
    UNKNOWN,
    VALID,
    Cast,
    Cell,
    Proof,
    Run,
    casts,
    fault_begin,
    worst,
)
from tanist_interop.checkers.finding import MAX_EXAMPLES, Finding
from tanist_interop.checkers.operations import Operations

NAME = "proofs"

PROOFS: Final[dict[str, Proof]] = {
    resend.PROOF: resend.prove,
    requeue.PROOF: requeue.prove,
    heartbeat.PROOF: heartbeat.prove,
    copies.PROOF: copies.prove,
}


def cells(run: Run) -> list[Cell]:
    """Every proof of every client of the run. One whose run broke off can be wrong, or unknown."""
    broken = [str(n.event["reason"]) for n in history.notes(run.ops.records, "aborted")]
    return [_cell(run, cast, proof, broken) for cast in casts(run.ops.records) for proof in PROOFS]


def _cell(run: Run, cast: Cast, proof: str, broken: list[str]) -> Cell:
    cell = Cell(cast.client, run.fault, proof)
    if cast.unsupported:
        cell.unable(cast.unsupported)
    elif not run.begin:
        cell.unclear("the fault never came")
    else:
        PROOFS[proof](run, cast, cell)
    if broken and cell.verdict == VALID:
        cell.unclear(f"the run broke off: {broken[0]}")
    return cell


def check(ops: Operations, scenario: Mapping[str, object]) -> Finding:
    """All cells of the run."""
    moves = bool(scenario.get("promote"))
    run = Run(
        ops, str(scenario.get("fault", "")), str(scenario.get("losses", "")), moves,
        heartbeat.interval_s(scenario), fault_begin(ops.records, moves),
    )  # fmt: skip
    found = cells(run)
    news = known.apply(found)
    bad = [cell for cell in found if cell.verdict in (INVALID, UNKNOWN)]
    problems = [f"{c.client}, {c.proof}: {text}" for c in bad for text in c.findings]
    figures: dict[str, object] = {
        "cells": [cell.as_json() for cell in found],
        "unexpected_passes": news,
    }
    shown = tuple((problems + news)[: 2 * MAX_EXAMPLES])
    if not found:
        shown = ("no client took part",)
    return Finding(NAME, worst(found), figures, shown)
