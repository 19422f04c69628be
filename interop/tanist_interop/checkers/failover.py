"""Failover time, taken apart: fault to detection, to promotion, to the first new acknowledgement.

All from the moment of the kill, in milliseconds: *detect* = a client's library says that the
connection is lost; *promote* = ``qpid-ha promote`` came back; *first ack* = a sender's first
acknowledgement after the promotion began. A run in which a sender got no new acknowledgement shows
nothing: unknown.
"""

from __future__ import annotations

from tanist_interop import history, protocol
from tanist_interop.checkers.finding import Finding, Valid
from tanist_interop.checkers.operations import Operations

NAME = "failover"


def _ms(since: int, until: int) -> float:
    return round((until - since) / 1e6, 1)


def detections(records: history.Records, fault: int) -> dict[str, float]:
    """Per client program: milliseconds from the fault to its first notice of loss."""
    out: dict[str, float] = {}
    for record, _ in history.messages(records, protocol.Disconnected):
        if record.t >= fault:
            out.setdefault(record.source, _ms(fault, record.t))
    return out


def first_acks(records: history.Records, fault: int, promotion: int) -> dict[str, float]:
    """Per sender: milliseconds from the fault to its first acknowledgement by the new primary."""
    out: dict[str, float] = {}
    for record, _ in history.messages(records, protocol.Ok):
        if record.t > promotion:
            out.setdefault(record.source, _ms(fault, record.t))
    return out


def check(ops: Operations, records: history.Records) -> Finding:
    """Every sender went on after the promotion."""
    fault = history.fault_time(records)
    began = history.mark_time(records, "promote_begin")
    promoted = history.mark_time(records, "promoted")
    if fault is None or began is None or promoted is None:
        return Finding(NAME, Valid.UNKNOWN, {}, ("no fault followed by a promotion",))
    detect = detections(records, fault)
    acks = first_acks(records, fault, began)
    figures: dict[str, object] = {
        "detect_ms": detect,
        "promote_ms": _ms(fault, promoted),
        "first_ack_ms": acks,
    }
    idle = sorted({source for source, _ in ops.senders} - acks.keys())
    problems = tuple(f"{source}: no acknowledgement after the promotion" for source in idle)
    return Finding(NAME, Valid.UNKNOWN if problems else Valid.TRUE, figures, problems)
