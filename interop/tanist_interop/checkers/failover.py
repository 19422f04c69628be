"""Failover time, taken apart: fault to detection, to promotion, to the first new acknowledgement.

All from the moment of the fault, in milliseconds: *detect* = a client's library says that the
connection is lost; *ask* = somebody began to promote; *promote* = ``qpid-ha promote`` came back;
*accept* and *active* = the new primary's own log says that it took the promotion (and recovers its
backups from then on), and that it serves; *first ack* = a sender's first acknowledgement after the
promotion began. A failover counts when every sender got one before the
next failover; a run in which one did not, or with fewer than wanted, shows nothing: unknown.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import pairwise

from tanist_interop import history, protocol
from tanist_interop.checkers.finding import MAX_EXAMPLES, Finding, Valid
from tanist_interop.checkers.operations import Operations

NAME = "failover"


@dataclass
class Failover:
    """One failover; times of the drill's clock in ns, 0 for what never happened."""

    fault: int
    until: int
    """When the next one began."""
    promotion: int = 0
    promoted: int = 0
    detect_ms: dict[str, float] = field(default_factory=dict)
    """Per client program."""
    first_ack_ms: dict[str, float] = field(default_factory=dict)
    """Per sender."""
    fault_name: str = ""
    node: str = ""
    """Which broker was promoted."""
    accepted: int = 0
    active: int = 0

    def as_json(self, began: int) -> dict[str, object]:
        """The failover as JSON values; ``at_ms`` since ``began``, None for what never happened."""
        moments = {
            "ask_ms": self.promotion,
            "accept_ms": self.accepted,
            "promote_ms": self.promoted,
            "active_ms": self.active,
        }
        return {
            "at_ms": _ms(began, self.fault),
            "fault": self.fault_name,
            "promoted": self.node,
            **{name: _ms(self.fault, t) if t else None for name, t in moments.items()},
            "detect_ms": self.detect_ms,
            "first_ack_ms": self.first_ack_ms,
        }

    @property
    def promote_ms(self) -> float:
        """From the fault to the end of the promotion."""
        return _ms(self.fault, self.promoted)


def _ms(since: int, until: int) -> float:
    return round((until - since) / 1e6, 1)


def failovers(ops: Operations) -> list[Failover]:
    """Every failover of the run, in order."""
    begun = list(history.failovers(ops.records))
    faults = [note.t for note in begun]
    ends = [*faults, ops.span[1] + 1]
    out = [Failover(*pair) for pair in pairwise(ends)]
    for each, note in zip(out, begun, strict=True):
        each.fault_name = str(note.event["name"])

    def current(t: int) -> Failover | None:
        at = bisect_right(faults, t) - 1
        return out[at] if at >= 0 else None

    for note in history.notes(ops.records, "mark"):
        failover = current(note.t)
        if failover is not None and note.event["name"] == "promote_begin":
            failover.promotion = failover.promotion or note.t
        elif failover is not None and note.event["name"] == "promoted" and not failover.promoted:
            failover.promoted = note.t
            failover.node = str(note.event.get("node", ""))
    for record, _ in history.messages(ops.records, protocol.Disconnected):
        failover = current(record.t)
        if failover is not None:
            failover.detect_ms.setdefault(record.source, _ms(failover.fault, record.t))
    for note in history.notes(ops.records, "status"):
        failover = current(note.t)
        if failover is not None and note.event["node"] == failover.node:
            _read_status(failover, note.t, str(note.event["status"]))
    for failover in out:
        if failover.promotion:
            failover.first_ack_ms = first_acks(ops, failover)
    return out


def _read_status(failover: Failover, t: int, status: str) -> None:
    """What the promoted broker said that it became."""
    if status == "recovering":
        failover.accepted = failover.accepted or t
    elif status == "active":
        failover.active = failover.active or t


def first_acks(ops: Operations, failover: Failover) -> dict[str, float]:
    """Per sender: milliseconds from the fault to its first acknowledgement by the new primary."""
    out: dict[str, float] = {}
    for task, acks in ops.acks.items():
        after = bisect_right(acks.times, failover.promotion)
        if after < len(acks.times) and acks.times[after] < failover.until:
            out[ops.name_of(task)] = _ms(failover.fault, acks.times[after])
    return out


def senders_at(ops: Operations, t: int) -> set[str]:
    """Who was sending then: a sender that had ended has nothing more to be acknowledged."""
    over = {task for task, (ended, _) in ops.ended.items() if ended <= t}
    return {ops.name_of(task) for task in ops.senders.keys() - over}


def spread(values: list[float]) -> dict[str, float]:
    """Median, 95th percentile (by the nearest rank) and maximum; empty for no values."""
    ordered = sorted(values)
    if not ordered:
        return {}
    half, most = (math.ceil(share * len(ordered)) - 1 for share in (0.5, 0.95))
    return {"p50": ordered[half], "p95": ordered[most], "max": ordered[-1]}


def faults(records: history.Records) -> dict[str, int]:
    """How often what was done to whom."""
    begun = [n.event for n in history.notes(records, "fault") if n.event["phase"] == "begin"]
    whom = [(str(e["name"]), "primary" if e["failover"] else "backup") for e in begun]
    return {f"{name} {target}": whom.count((name, target)) for name, target in sorted(set(whom))}


def check(ops: Operations, failovers_min: int = 1, must: bool = False) -> Finding:
    """Every sender went on after each promotion, and there were enough of them. ``must``: that they
    go on is what the run is about, so it is wrong if one does not."""
    found = failovers(ops)
    problems = []
    count = 0
    for number, failover in enumerate(found, 1):
        idle = sorted(senders_at(ops, failover.fault) - failover.first_ack_ms.keys())
        where = "" if len(found) == 1 else f" {number} at {_ms(ops.span[0], failover.fault)} ms"
        if not failover.promoted:
            problems.append(f"nobody was promoted after fault{where}")
        problems += [f"{name}: no acknowledgement after the promotion{where}" for name in idle]
        count += bool(failover.promoted) and not idle
    if count < failovers_min:
        problems.append(f"{count} failovers, wanted {failovers_min}")
    figures: dict[str, object] = {
        "count": count,
        "faults": faults(ops.records),
        "each": [failover.as_json(ops.span[0]) for failover in found],
        "spread_ms": {
            "detect": spread([ms for each in found for ms in each.detect_ms.values()]),
            "promote": spread([each.promote_ms for each in found if each.promoted]),
            "first_ack": spread([ms for each in found for ms in each.first_ack_ms.values()]),
        },
    }
    if len(found) == 1 and found[0].promoted:
        (only,) = found
        figures |= {
            "detect_ms": only.detect_ms,
            "promote_ms": only.promote_ms,
            "first_ack_ms": only.first_ack_ms,
        }
    shown = tuple(problems[:MAX_EXAMPLES])
    bad = Valid.FALSE if must and count < len(found) else Valid.UNKNOWN
    return Finding(NAME, bad if problems else Valid.TRUE, figures, shown)
