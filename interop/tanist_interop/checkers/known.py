"""Known failures: cells that do not come out right for a reason that is not the broker's.

Each names the client with the version it was seen in, the fault and the proof, why, and where that
is written. One that always fails and passed is reported: then its entry can go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tanist_interop.checkers.cells import INVALID, KNOWN, VALID, Cell


@dataclass(frozen=True)
class Known:
    """Why a cell fails. ``always``: a pass would be news."""

    client: str
    version: str
    fault: str
    proof: str
    reason: str
    link: str
    always: bool = True


FAILURES: Final[tuple[Known, ...]] = (
    Known(
        "python-qpid", "1.36.0", "kill-in-large-message", "heartbeat",
        "it copies all that waits for its socket anew for every piece that it sends; 10 MB keep it "
        "from hearing heartbeats on a busy machine",
        "docs/drill-matrix.md#known-failures", always=False,
    ),
)  # fmt: skip


def apply(cells: list[Cell], failures: tuple[Known, ...] = FAILURES) -> list[str]:
    """Mark the cells that fail as listed; returns what passed though it is listed as failing."""
    listed = {(known.client, known.fault, known.proof): known for known in failures}
    news = []
    for cell in cells:
        known = listed.get((cell.client, cell.fault, cell.proof))
        if known is None:
            continue
        text = f"{known.client} {known.version}: {known.reason} ({known.link})"
        if cell.verdict == INVALID:
            cell.verdict, cell.reason = KNOWN, text
        elif cell.verdict == VALID and known.always:
            cell.reason = "unexpected pass"
            news.append(f"{cell.client}, {cell.fault}, {cell.proof} passed, known was: {text}")
    return news
