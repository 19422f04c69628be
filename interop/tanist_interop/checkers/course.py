"""Course: was the run carried through, with enough load to mean something?

A run that was aborted, whose clients crashed or miscounted, or that moved fewer messages than its
scenario asks for, is unknown: it shows neither that the broker is right nor that it is wrong.
"""

from __future__ import annotations

from collections import Counter

from tanist_interop import history, protocol
from tanist_interop.checkers.finding import Finding, Valid
from tanist_interop.checkers.operations import Operations

NAME = "course"


def miscounts(ops: Operations) -> list[str]:
    """Tasks whose own count differs from the events that arrived: events were lost."""
    counted = {task: ops.attempted[producer] for producer, task in ops.producers().items()}
    counted |= ops.taken
    out = []
    for task, (_, ended) in sorted(ops.ended.items()):
        if ended.count != counted.get(task, 0):
            out.append(f"{task[0]} counts {ended.count}, its events say {counted.get(task, 0)}")
    return out


def announced_twice(ops: Operations) -> int:
    """Announcements of messages that had been announced before."""
    return ops.attempted.total() - len(ops.attempts)


def without_outcome(ops: Operations) -> int:
    """Messages of ended senders that were announced and never got ok, fail or info."""
    ended = {send.producer for task, send in ops.senders.items() if task in ops.ended}
    open_ends = ops.attempts - ops.acknowledged - ops.failed - ops.unknown
    return sum(len(open_ends.of(producer)) for producer in ended)


def reopened(ops: Operations) -> dict[str, int]:
    """How often each program had to open a connection anew, because its library gave one up."""
    found = history.messages(ops.records, protocol.Reopened)
    return dict(Counter(record.source for record, _ in found))


def check(ops: Operations, acknowledged_min: int) -> Finding:
    """Carried through, counted right, enough load."""
    records = ops.records
    problems = [
        f"{note.event['stage']}: {note.event['reason']}"
        for note in history.notes(records, "aborted")
    ]
    for note in history.notes(records, "client_exit"):
        if note.event["code"] != 0 and not note.event.get("expected"):
            problems.append(f"{note.source} ended with code {note.event['code']}")
    for record, error in history.messages(records, protocol.Error):
        if error.fatal:
            problems.append(f"{record.source}: {error.text}")
    problems += miscounts(ops)
    open_ends = without_outcome(ops)
    if open_ends:
        problems.append(f"{open_ends} messages were announced and have no outcome")
    repeated = announced_twice(ops)
    if repeated:
        problems.append(f"{repeated} messages were announced again")
    if len(ops.acknowledged) < acknowledged_min:
        problems.append(f"{len(ops.acknowledged)} acknowledged, wanted {acknowledged_min}")
    if not history.mark_time(records, "finished"):
        problems.append("the run was not finished")
    figures: dict[str, object] = {"reopened": reopened(ops)}
    return Finding(NAME, Valid.UNKNOWN if problems else Valid.TRUE, figures, tuple(problems))
