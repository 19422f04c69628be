"""The matrix of several runs as plain data for programs; people are shown it by ``proofs``."""

from __future__ import annotations

import json

from tanist_interop.report.columns import Results

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
