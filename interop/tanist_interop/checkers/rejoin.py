"""Rejoin: a broker that came back became a ready backup, unless it was hit again before.

A run that broke off before the broker had its time says nothing about it.
"""

from __future__ import annotations

from tanist_interop import history
from tanist_interop.checkers.finding import Finding, Valid

NAME = "rejoin"


def check(records: history.Records) -> Finding:
    """After each healed fault the node was seen ready."""
    away: dict[str, int] = {}
    took: dict[str, list[float]] = {}
    late: set[str] = set()
    finished = False
    for record in records:
        node = str(record.event.get("node"))
        if record.type == "fault" and record.event.get("phase") == "begin":
            away.pop(node, None)
            late.discard(node)
        elif record.type == "fault" and record.event.get("phase") == "end":
            away[node] = record.t
        elif record.type == "mark" and record.event.get("name") == "rejoined" and node in away:
            took.setdefault(node, []).append(round((record.t - away.pop(node)) / 1e6, 1))
        elif record.type == "mark" and record.event.get("name") == "not_ready":
            late.add(node)
        elif record.type == "mark" and record.event.get("name") == "finished":
            finished = True
    if not away and not took:
        return Finding(NAME, Valid.UNKNOWN, {}, ("no broker was brought back",))
    figures: dict[str, object] = {
        "count": sum(map(len, took.values())),
        "ready_ms": {node: max(times) for node, times in sorted(took.items())},
    }
    if not away:
        return Finding(NAME, Valid.TRUE, figures)
    if finished or late:
        failed = sorted(away) if finished else sorted(late.intersection(away))
        problems = tuple(f"{node} came back but was not ready in time" for node in failed)
        return Finding(NAME, Valid.FALSE, figures, problems)
    problems = tuple(f"{node} was not waited for: the run broke off" for node in sorted(away))
    return Finding(NAME, Valid.UNKNOWN, figures, problems)
