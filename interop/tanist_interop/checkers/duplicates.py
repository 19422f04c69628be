"""Duplicates: none without a reason, and few enough with one (spec/clients.md section 9).

Copies come of **breaks**: a failover, or a connection that a client lost beside it. What one break
explains of a queue is what may have been under way: of each receiver its prefetch and what it had
not acknowledged yet, of each sender its window; and what a receiver had acknowledged just before,
for nobody tells it when the backups know. How long that may take is measured: messages go the same
way until they are confirmed, so what the slowest of them took right before the break, an
acknowledgement may have taken.

Each copy is charged to the last break before it. What a break leaves unused is carried over to the
next one only while the queue had not been worked off: queues are first in first out, so when a
message that was sent after a break has been received, so have all copies of that break.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from typing import Final

from tanist_interop import history, protocol
from tanist_interop.checkers.finding import Finding, Valid
from tanist_interop.checkers.operations import Delivery, Operations, Task
from tanist_interop.checkers.ranges import Messages, Numbers, Range

NAME = "duplicates"

MAX_PROBLEMS: Final = 10
"""Of one run; more of the same tell nothing new."""

BATCH_NS: Final = 100_000_000
"""A line about deliveries has the time of its first one; the last one came so much later at most
(20 ms, on a machine that keeps up)."""


ACK_NS: Final = 250_000_000
"""An acknowledgement may be under way to broker and backups for so long, on any machine."""

ACK_MAX_NS: Final = 2_000_000_000
"""And never for longer than this, however slow the confirmations of the time were."""


@dataclass
class Break:
    """A moment at which messages under way may come again, for one queue."""

    t: int
    explained: int
    copies: int = 0
    """That came after it, less those whose acknowledgement was under way."""
    acks_lost: int = 0
    """Copies of messages whose acknowledgement was."""
    ack_ns: int = ACK_NS
    """How long an acknowledgement may have been under way."""
    worked_off: bool = False
    """A message that was sent after it has been received."""


def under_way(ops: Operations, tasks: set[Task]) -> dict[str, int]:
    """The most messages that these tasks may have under way on each queue."""
    out: Counter[str] = Counter()
    for task in tasks & ops.senders.keys():
        out[ops.senders[task].queue] += ops.senders[task].window
    for task in tasks & ops.receivers.keys():
        receive = ops.receivers[task]
        if isinstance(receive, protocol.Receive):
            out[receive.queue] += receive.prefetch + receive.ack_every
    return dict(out)


def capabilities(init_ok: object) -> list[str]:
    """The words in a program's greeting."""
    return list(init_ok.get("capabilities", [])) if isinstance(init_ok, dict) else []


def beside(ops: Operations) -> list[tuple[int, set[Task]]]:
    """What broke beside the failovers: when, and whose tasks. A program that the drill killed or
    stopped leaves its messages to others. Of a crowd nobody can tell whose connection was lost, so
    it gets nothing explained but failovers. The first loss that a program reports
    after a failover is that failover; further ones, and connections that it opened anew, are its
    own."""
    failovers = [note.t for note in history.failovers(ops.records)]
    tasks = {*ops.senders, *ops.receivers}
    out: list[tuple[int, set[Task]]] = []
    last: dict[str, int] = {}
    crowds = {
        note.source
        for note in history.notes(ops.records, "client")
        if "crowd" in capabilities(note.event["init_ok"])
    }
    for record, _ in history.messages(ops.records, protocol.Disconnected):
        source = record.source
        if source in crowds:
            continue
        known = bisect_right(failovers, record.t)
        if last.get(source, 0) == known:
            out.append((record.t, {task for task in tasks if task[0] == source}))
        last[source] = known
    for record, reopened in history.messages(ops.records, protocol.Reopened):
        out.append((record.t, {(record.source, reopened.task)}))
    for note in history.notes(ops.records, "mark"):
        if note.event["name"] in ("kill", "pause"):
            source = str(note.event["program"])
            out.append((note.t, {task for task in tasks if task[0] == source}))
    return out


def breaks(ops: Operations) -> dict[str, list[Break]]:
    """Per queue: its breaks, ascending."""
    everybody = {*ops.senders, *ops.receivers}
    events = [(note.t, everybody) for note in history.failovers(ops.records)] + beside(ops)
    used = [*ops.senders.values(), *ops.receivers.values()]
    out: dict[str, list[Break]] = {task.queue: [] for task in used}
    for t, tasks in sorted(events, key=lambda event: event[0]):
        for queue, explained in under_way(ops, tasks).items():
            out[queue].append(Break(t, explained, ack_ns=ACK_NS))
    return out


def slowest_ns(ops: Operations, t: int) -> int:
    """How long the slowest message needed to be confirmed that was announced shortly before ``t``;
    one that was not confirmed by then, until then."""
    longest = 0
    for key in ops.attempts.between(t - ACK_MAX_NS, t):
        sent, confirmed = ops.attempts.time_of(key), ops.acknowledged.time_of(key)
        assert sent is not None
        longest = max(longest, min(confirmed or t, t) - sent)
    return longest


def charge(ops: Operations) -> dict[str, list[Break]]:
    """The breaks of each queue with the copies that came after each; before the first one no copy
    is explained at all."""
    found = _charge(ops, {})
    if not _problems(ops, found):  # a long run has many breaks, and most machines are prompt
        return found
    times = {entry.t for every in found.values() for entry in every if entry.t}
    return _charge(ops, {t: slowest_ns(ops, t) for t in times})


def _charge(ops: Operations, measured: dict[int, int]) -> dict[str, list[Break]]:
    """As ``charge``. ``measured``: how long acknowledgements may have taken before each break."""
    out = {queue: [Break(0, 0), *found] for queue, found in breaks(ops).items()}
    for entry in (entry for found in out.values() for entry in found):
        entry.ack_ns = max(entry.ack_ns, measured.get(entry.t, 0))
    times = {queue: [entry.t for entry in found] for queue, found in out.items()}
    seen = Messages()
    for delivery in ops.deliveries:
        queue = ops.queue_of(delivery.receiver)
        entry = out[queue][bisect_right(times[queue], delivery.t + BATCH_NS) - 1]
        new = seen.add(delivery.producer, delivery.first, delivery.last)
        copies = len(delivery) - sum(last - first + 1 for first, last in new)
        if copies and entry.t:
            lost = _acks_lost(ops, delivery, new, entry)
            entry.acks_lost += lost
            copies -= lost
        entry.copies += copies
        if new and not entry.worked_off:
            attempted = ops.attempts.time_of((delivery.producer, new[-1][1]))
            entry.worked_off = attempted is not None and attempted > entry.t
    return out


def _acks_lost(ops: Operations, delivery: Delivery, new: list[Range], entry: Break) -> int:
    """How many of the copies in ``delivery`` had been acknowledged just before a break."""
    fresh = Numbers(*new)
    numbers = (n for n in range(delivery.first, delivery.last + 1) if n not in fresh)
    times = (ops.tried.time_of((delivery.producer, number)) for number in numbers)
    since = entry.t - entry.ack_ns
    return sum(1 for at in times if at is not None and since <= at < entry.t)


def excesses(queue: str, found: list[Break], began: int) -> list[str]:
    """What is wrong with the copies of one queue."""
    out = []
    left = 0
    for entry in found:
        budget = entry.explained + left
        if entry.copies > budget:
            when = f"{max(0, entry.t - began) / 1e9:.1f} s" if entry.t else "the start"
            out.append(f"{queue}: {entry.copies} duplicates after {when}, explained are {budget}")
        left = 0 if entry.worked_off else max(0, budget - entry.copies)
    return out


def _problems(ops: Operations, queues: dict[str, list[Break]]) -> list[str]:
    began = ops.span[0]
    return [text for name, found in sorted(queues.items()) for text in excesses(name, found, began)]


def check(ops: Operations) -> Finding:
    """Duplicates of each queue are within what its breaks explain."""
    queues = charge(ops)
    problems = _problems(ops, queues)
    every = [entry for found in queues.values() for entry in found]
    figures: dict[str, object] = {
        "duplicated": sum(entry.copies + entry.acks_lost for entry in every),
        "acks_lost": sum(entry.acks_lost for entry in every),
        "ack_ms": round(max((entry.ack_ns for entry in every if entry.t), default=0) / 1e6),
        "bound": sum(entry.explained for entry in every),
        "failovers": len(list(history.failovers(ops.records))),
        "beside": len(beside(ops)),
        "most_at_once": max((entry.copies for entry in every), default=0),
        "bound_at_once": max((entry.explained for entry in every), default=0),
        "per_queue": {
            queue: [sum(e.copies + e.acks_lost for e in found), sum(e.explained for e in found)]
            for queue, found in sorted(queues.items())
        },
    }
    shown = tuple(problems[:MAX_PROBLEMS])
    return Finding(NAME, Valid.FALSE if problems else Valid.TRUE, figures, shown)
