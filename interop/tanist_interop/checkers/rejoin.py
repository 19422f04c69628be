"""Rejoin: a broker that came back became a ready backup, unless it was hit again before."""

from __future__ import annotations

from tanist_interop import history
from tanist_interop.checkers.finding import Finding, Valid

NAME = "rejoin"


def check(records: history.Records) -> Finding:
    """After each healed fault the node was seen ready."""
    away: dict[str, int] = {}
    took: dict[str, list[float]] = {}
    for record in records:
        node = str(record.event.get("node"))
        if record.type == "fault" and record.event.get("phase") == "begin":
            away.pop(node, None)
        elif record.type == "fault" and record.event.get("phase") == "end":
            away[node] = record.t
        elif record.type == "mark" and record.event.get("name") == "rejoined" and node in away:
            took.setdefault(node, []).append(round((record.t - away.pop(node)) / 1e6, 1))
    if not away and not took:
        return Finding(NAME, Valid.UNKNOWN, {}, ("no broker was brought back",))
    figures: dict[str, object] = {
        "count": sum(map(len, took.values())),
        "ready_ms": {node: max(times) for node, times in sorted(took.items())},
    }
    problems = tuple(f"{node} came back but was not ready in time" for node in sorted(away))
    return Finding(NAME, Valid.FALSE if problems else Valid.TRUE, figures, problems)
