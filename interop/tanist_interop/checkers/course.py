"""Course: was the run carried through, with enough load to mean something?

A run that was aborted, whose clients crashed or miscounted, or that moved fewer messages than its
scenario asks for, is unknown: it shows neither that the broker is right nor that it is wrong.
"""

from __future__ import annotations

from tanist_interop import history, protocol
from tanist_interop.checkers.finding import Finding, Valid
from tanist_interop.checkers.operations import Operations

NAME = "course"


def miscounts(ops: Operations) -> list[str]:
    """Tasks whose own count differs from the events that arrived: events were lost."""
    producers = ops.producers()
    sent = dict.fromkeys(producers.values(), 0)
    for (producer, _), n in ops.attempts.items():
        task = producers.get(producer)
        if task is not None:
            sent[task] += n
    received = dict.fromkeys(ops.receivers, 0)
    for delivery in ops.deliveries:
        received[delivery.receiver] = received.get(delivery.receiver, 0) + 1
    counted = sent | received
    out = []
    for task, (_, ended) in sorted(ops.ended.items()):
        if ended.count != counted.get(task, 0):
            out.append(f"{task[0]} counts {ended.count}, its events say {counted.get(task, 0)}")
    return out


def without_outcome(ops: Operations) -> int:
    """Messages of ended senders that were announced and never got ok, fail or info."""
    ended = {send.producer for task, send in ops.senders.items() if task in ops.ended}
    known = ops.acknowledged.keys() | ops.failed | ops.unknown
    return sum(1 for key in ops.attempts if key[0] in ended and key not in known)


def check(ops: Operations, records: history.Records, acknowledged_min: int) -> Finding:
    """Carried through, counted right, enough load."""
    problems = [
        f"{note.event['stage']}: {note.event['reason']}"
        for note in history.notes(records, "aborted")
    ]
    for note in history.notes(records, "client_exit"):
        if note.event["code"] != 0:
            problems.append(f"{note.source} ended with code {note.event['code']}")
    for record, error in history.messages(records, protocol.Error):
        if error.fatal:
            problems.append(f"{record.source}: {error.text}")
    problems += miscounts(ops)
    open_ends = without_outcome(ops)
    if open_ends:
        problems.append(f"{open_ends} messages were announced and have no outcome")
    if len(ops.acknowledged) < acknowledged_min:
        problems.append(f"{len(ops.acknowledged)} acknowledged, wanted {acknowledged_min}")
    if not history.mark_time(records, "finished"):
        problems.append("the run was not finished")
    return Finding(NAME, Valid.UNKNOWN if problems else Valid.TRUE, {}, tuple(problems))
