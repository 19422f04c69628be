"""The matrix of several runs: plain data for programs, a table of marks for the terminal."""

from __future__ import annotations

import json
from typing import Final

from tanist_interop.report.columns import Results, align

MARKS: Final = {"valid": "+", "invalid": "X", "unknown": "?", "unsupported": "u", "known": "k"}
"""A character per verdict."""

MAX_REASONS: Final = 40
"""Shown in the terminal; the data has them all."""

Cells = list[dict[str, object]]


def cells(runs: list[Results]) -> Cells:
    """Every cell of these runs: client, fault, proof, verdict, reason, findings, figures."""
    return [cell for run in runs for cell in run["figures"].get("proofs", {}).get("cells", [])]


def left_out(fault: str, clients: list[str], proofs: list[str], reason: str) -> Cells:
    """The cells of a fault that this machine cannot make."""
    return [
        {"client": client, "fault": fault, "proof": proof, "verdict": "unsupported",
         "reason": reason, "findings": [], "figures": {}}
        for client in clients
        for proof in proofs
    ]  # fmt: skip


def document(found: Cells) -> str:
    """The data as JSON, a line per cell."""
    return "[\n" + ",\n".join(json.dumps(cell) for cell in found) + "\n]\n"


def lines(found: Cells) -> list[str]:
    """A row per fault, a column per client, a mark per proof; then what is not valid, and why."""
    if not found:
        return []
    faults = list(dict.fromkeys(str(cell["fault"]) for cell in found))
    clients = list(dict.fromkeys(str(cell["client"]) for cell in found))
    proofs = list(dict.fromkeys(str(cell["proof"]) for cell in found))
    marks: dict[tuple[str, str], str] = {}
    for cell in found:
        where = str(cell["fault"]), str(cell["client"])
        marks[where] = marks.get(where, "") + MARKS[str(cell["verdict"])]
    table = [["", *clients]]
    table += [[fault, *(marks.get((fault, name), "-") for name in clients)] for fault in faults]
    verdicts = [str(cell["verdict"]) for cell in found]
    count = ", ".join(f"{verdicts.count(v)} {v}" for v in MARKS if v in verdicts)
    legend = ", ".join(f"{mark} {verdict}" for verdict, mark in MARKS.items())
    size = f"{len(clients)} clients x {len(faults)} faults x {len(proofs)} proofs"
    return [*align(table), f"each: {', '.join(proofs)} ({legend})", *reasons(found),
            f"{size}: {count}"]  # fmt: skip


def reasons(found: Cells) -> list[str]:
    """Why cells are not valid; one line for all clients and proofs of a fault that share it."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for cell in found:
        findings = cell["findings"]
        assert isinstance(findings, list)
        reason = str(cell["reason"]) or "; ".join(map(str, findings))
        if cell["verdict"] != "valid" or reason:
            key = str(cell["verdict"]), str(cell["client"]), reason
            groups.setdefault(key, []).append(f"{cell['fault']} {cell['proof']}")
    out = [
        f"{verdict}: {client}: {reason} ({', '.join(where)})"
        for (verdict, client, reason), where in groups.items()
    ]
    more = len(out) - MAX_REASONS
    return [*out[:MAX_REASONS], f"and {more} more"] if more > 0 else out
