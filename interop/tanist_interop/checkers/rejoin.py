"""Rejoin: a broker that came back is a ready backup at the end of the run."""

from __future__ import annotations

from tanist_interop import history
from tanist_interop.checkers.finding import Finding, Valid

NAME = "rejoin"


def check(records: history.Records) -> Finding:
    """After each healed fault the node was seen ready."""
    healed = {
        str(note.event["node"]): note.t
        for note in history.notes(records, "fault")
        if note.event.get("phase") == "end"
    }
    ready = {
        str(note.event.get("node")): note.t
        for note in history.notes(records, "mark")
        if note.event.get("name") == "rejoined"
    }
    missing = sorted(healed.keys() - ready.keys())
    took = {n: round((ready[n] - healed[n]) / 1e6, 1) for n in healed if n in ready}
    problems = tuple(f"{node} came back but was not ready in time" for node in missing)
    if not healed:
        return Finding(NAME, Valid.UNKNOWN, {}, ("no broker was brought back",))
    return Finding(NAME, Valid.FALSE if problems else Valid.TRUE, {"ready_ms": took}, problems)
