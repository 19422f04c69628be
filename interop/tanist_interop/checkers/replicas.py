"""Replicas: once nothing moves, the primary and every ready backup hold the same.

Each broker was asked for a digest of every queue: over its messages in their order, by position
and content (``qpid-ha digest``). What is compared is what they say at last: a backup may be behind
for a moment, and then no more. A run in which fewer than two could be compared shows nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final, cast

from tanist_interop import history
from tanist_interop.checkers.finding import MAX_EXAMPLES, Finding, Valid

NAME = "replicas"

WHOLE: Final = ("active", "ready")
"""Who is in another status is not expected to have everything."""

Answer = Mapping[str, object]
"""What one broker said: ``status``, and ``queues``: by name ``messages`` and ``digest``, or None if
it did not say."""


def whole(nodes: Mapping[str, Answer]) -> dict[str, Answer]:
    """The brokers that can be compared, by name."""
    return {
        name: told
        for name, told in sorted(nodes.items())
        if told["status"] in WHOLE and told["queues"] is not None
    }


def equal(nodes: Mapping[str, Answer]) -> bool:
    """Whether something was compared, and all of it is equal."""
    return not differences(nodes) and not unclear(nodes)


def unclear(nodes: Mapping[str, Answer]) -> list[str]:
    """Why equal answers show nothing, a text each; empty if they do."""
    found = whole(nodes)
    statuses = [told["status"] for told in found.values()]
    if "active" not in statuses or len(found) < 2:
        words = ", ".join(f"{name} is {told['status']}" for name, told in sorted(nodes.items()))
        return [f"nothing to compare: {words or 'no broker said what it holds'}"]
    if not any(map(_queues, found.values())):
        return ["nothing to compare: no broker has a queue"]
    return [
        f"{name} is {told['status']} and did not say what it holds"
        for name, told in sorted(nodes.items())
        if told["status"] in WHOLE and told["queues"] is None
    ]


def differences(nodes: Mapping[str, Answer]) -> list[str]:
    """Where the replicas differ, a text each; empty if they are equal."""
    found = whole(nodes)
    primary = next((name for name, told in found.items() if told["status"] == "active"), "")
    if not primary:
        return []
    out = []
    ours = _queues(found[primary])
    for name, told in found.items():
        theirs = _queues(told)
        for queue in sorted(ours.keys() | theirs.keys()):
            here, there = ours.get(queue), theirs.get(queue)
            if here != there:
                out.append(f"{queue}: {primary} has {_words(here)}, {name} {_words(there, here)}")
    return out


def _queues(told: Answer) -> dict[str, dict[str, object]]:
    return cast("dict[str, dict[str, object]]", told["queues"] or {})


def _words(one: dict[str, object] | None, other: dict[str, object] | None = None) -> str:
    if one is None:
        return "no such queue"
    same = other is not None and one["messages"] == other["messages"]
    return "as many with other content" if same else f"{one['messages']} messages"


def check(records: history.Records) -> Finding:
    """All that can be compared are equal."""
    notes = list(history.notes(records, "replicas"))
    nodes = cast("dict[str, Answer]", notes[-1].event["nodes"]) if notes else {}
    problems, doubts = differences(nodes), unclear(nodes)
    valid = Valid.FALSE if problems else Valid.UNKNOWN if doubts else Valid.TRUE
    figures: dict[str, object] = {
        "nodes": [
            _figures(name, told) for name, told in nodes.items() if told["queues"] is not None
        ]
    }
    return Finding(NAME, valid, figures, tuple((problems + doubts)[:MAX_EXAMPLES]))


def _figures(name: str, told: Answer) -> dict[str, object]:
    """One broker in a report; ``digest`` is that of all its queues."""
    queues = _queues(told)
    total = hashlib.sha256()
    for queue, held in sorted(queues.items()):
        total.update(f"{queue}\n{held['messages']} {held['digest']}\n".encode())
    return {
        "node": name,
        "status": told["status"],
        "queues": len(queues),
        "messages": sum(int(str(held["messages"])) for held in queues.values()),
        "digest": total.hexdigest()[:16],
    }
