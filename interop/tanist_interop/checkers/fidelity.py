"""Fidelity: what one client program sends as a value, another is handed out as the same value, or
as what the rules of ``losses`` say, with their reasons. Anything else is wrong.

Every known program that is there must know values, and every value of the scenario must have gone
from each of them to each; what is missing leaves the run without a verdict. When all programs
of the rules ran and nothing is missing, a reason that nothing needed is wrong as well: it would
hide the next loss.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final, cast

from tanist_interop import history
from tanist_interop.checkers import losses
from tanist_interop.checkers.finding import MAX_EXAMPLES, Finding, Valid
from tanist_interop.checkers.operations import Operations
from tanist_interop.protocol import Value

NAME = "fidelity"

PROGRAMS: Final = (
    "cpp-proton", "jms-0-10", "jms-1.0", "js-rhea", "python-proton", "python-qpid",
)  # fmt: skip
"""Whose losses are listed."""


@dataclass
class Cell:
    """What came of one value from one program to another."""

    case: str
    place: str
    sender: str
    receiver: str
    outcome: str
    """``same``, ``changed``, ``failed`` (a library did), or ``unsupported`` (by the sender's)."""
    got: str
    """What was handed out, in words."""
    losses: list[str]
    problem: str = ""


def words(value: Value | None) -> str:
    """A value for people."""
    if value is None:
        return "nothing"
    kind, inner = str(value["type"]), value["value"]
    if kind == "map":
        entries = [f"{words(key)}: {words(item)}" for key, item in losses.pairs(value)]
        return f"map {{{', '.join(sorted(entries))}}}"
    if isinstance(inner, list):
        return f"{kind} [{', '.join(words(item) for item in losses.parts(value))}]"
    return f"{kind} {inner}".strip()


def cells(ops: Operations) -> list[Cell]:
    """Every value of the run, in order."""
    return [_cell(note.event) for note in history.notes(ops.records, "value")]


def _cell(note: dict[str, object]) -> Cell:
    sender, receiver, place = str(note["sender"]), str(note["receiver"]), str(note["place"])
    sent, got = cast("Value", note["sent"]), cast("Value | None", note["got"])
    answer = str(note["answer"])
    expected = losses.expect(sender, receiver, place, sent)
    right = answer == expected.answer and losses.normal(got) == losses.normal(expected.value)
    outcome = answer
    if answer == "taken":
        outcome = "same" if losses.normal(got) == losses.normal(sent) else "changed"
    out = Cell(
        str(note["case"]), place, sender, receiver, outcome, words(got), expected.losses
    )  # fmt: skip
    if not right:
        wanted = words(expected.value) if expected.answer == "taken" else expected.answer
        said = words(got) if answer == "taken" else f"{answer} ({str(note['reason'])[:80]})"
        where = f"{sender} > {receiver}, {out.case} as {place}"
        out.problem = f"{where}: {said}, expected {wanted}"
    return out


def greeted(ops: Operations) -> dict[str, bool]:
    """The known programs that are there, in order, and whether all their processes know values."""
    out: dict[str, bool] = {}
    for note in history.notes(ops.records, "client"):
        greeting = cast("dict[str, object]", note.event["init_ok"])
        name = str(greeting["client"])
        if name in PROGRAMS:
            said = "values" in cast("list[str]", greeting.get("capabilities", []))
            out[name] = out.get(name, True) and said
    return dict(sorted(out.items()))


def missing(there: dict[str, bool], found: list[Cell], wanted: list[str]) -> list[str]:
    """What was to be exchanged between these programs and was not, a line per pair."""
    out = [f"{name} knows no values" for name, able in there.items() if not able]
    out += [] if wanted else ["the scenario names no values"]
    made = {(cell.sender, cell.receiver, f"{cell.place} {cell.case}") for cell in found}
    able = [name for name in there if there[name]]
    for sender, receiver in [(sender, receiver) for sender in able for receiver in able]:
        gaps = [value for value in wanted if (sender, receiver, value) not in made]
        if gaps:
            where = f"{sender} > {receiver}"
            out.append(f"{where}: {len(gaps)} of {len(wanted)} not exchanged, first {gaps[0]!r}")
    return out


def check(ops: Operations, wanted: list[str]) -> Finding:
    """Nothing is lost but what is listed, nothing is listed that is not lost, and none of the
    ``wanted`` values (``values`` of the scenario) was left out."""
    found = cells(ops)
    gaps = missing(greeted(ops), found, wanted)
    problems = [cell.problem for cell in found if cell.problem]
    used = {name for cell in found for name in cell.losses}
    if not gaps and {cell.sender for cell in found} >= set(PROGRAMS):
        stale = sorted(losses.LOSSES.keys() - used)
        problems += [f"nothing is lost by the reason {name!r} any more" for name in stale]
    figures: dict[str, object] = {
        "cells": [asdict(cell) for cell in found],
        "reasons": {name: text for name, text in losses.LOSSES.items() if name in used},
    }
    valid = Valid.FALSE if problems else Valid.UNKNOWN if gaps or not found else Valid.TRUE
    return Finding(NAME, valid, figures, tuple((problems + gaps)[: 2 * MAX_EXAMPLES]))
