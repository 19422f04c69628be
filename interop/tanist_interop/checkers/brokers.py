"""Brokers: nothing in a log that must not be there, no death that nobody caused, memory flat.

Memory is judged by samples taken when every queue was empty or nearly so.

* A broker may hold more than in its first sample by a fixed allowance and a little per message
  that was acknowledged meanwhile (allocator slack, the log that it keeps for backups), up to a
  limit that no number of messages lifts.
* Where many brokers were started one after the other (a soak), one that has just caught up holds
  at the end what one held at the beginning: what had leaked into the replicated state would show.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from statistics import median
from typing import Final

from tanist_interop import history
from tanist_interop.checkers.finding import MAX_EXAMPLES, Finding, Valid
from tanist_interop.checkers.operations import Operations

NAME = "brokers"

ALLOWANCE_BYTES: Final = 48 * 1024 * 1024
"""First use of code, buffers and the replication log, whatever the number of messages."""

PER_MESSAGE_BYTES: Final = 400
"""Less than one queued message costs; a broker that keeps messages is far above after 10,000."""

GROWTH_MAX_BYTES: Final = ALLOWANCE_BYTES + 64 * 1024 * 1024
"""However many messages passed: the log kept for backups is full then."""

LARGE_MIN_BYTES: Final = 1_000_000
LARGE_FACTOR: Final = 2
"""What large messages leave behind in a process that had them all at once: the log kept for
backups, and buffers that its allocator does not give back."""

YOUNG_ALLOWANCE_BYTES: Final = 8 * 1024 * 1024
"""Between brokers that have just caught up; they differ by 3 MiB of allocator slack."""

YOUNG_MIN: Final = 8
"""Fewer starts say nothing about a trend."""

QUIET_MOMENTS: Final = ("ready", "whole", "end")
"""Of samples: formed, whole again, drained."""


@dataclass(frozen=True)
class Sample:
    """What one process held at one quiet moment."""

    node: str
    life: int
    t: int
    size: int


def memory(records: history.Records) -> dict[str, dict[str, int]]:
    """Per node: bytes by moment (the last sample of each moment)."""
    out: dict[str, dict[str, int]] = {}
    for note in history.notes(records, "memory"):
        sample = out.setdefault(str(note.event["node"]), {})
        sample[str(note.event["moment"])] = int(str(note.event["bytes"]))
    return out


def quiet_samples(records: history.Records) -> list[Sample]:
    """The samples that are judged, in order."""
    return [
        Sample(
            str(note.event["node"]),
            int(str(note.event.get("life", 1))),
            note.t,
            int(str(note.event["bytes"])),
        )
        for note in history.notes(records, "memory")
        if note.event["moment"] in QUIET_MOMENTS
    ]


def large_bytes(ops: Operations) -> int:
    """Of all messages that are far larger than ``PER_MESSAGE_BYTES`` allows for."""
    return sum(
        send.count * send.body_bytes
        for send in ops.senders.values()
        if send.body_bytes >= LARGE_MIN_BYTES
    )


def growth(ops: Operations, samples: list[Sample], spare: int = 0) -> list[str]:
    """Brokers that hold more than they may, and ``spare`` bytes beside that."""
    first: dict[str, Sample] = {}
    out: dict[str, str] = {}
    series = [(acks.times, list(accumulate(acks.counts))) for acks in ops.acks.values()]

    def acknowledged(t: int) -> int:
        counts = ((sums, bisect_right(times, t)) for times, sums in series)
        return sum(sums[at - 1] for sums, at in counts if at)

    for sample in samples:
        begin = first.setdefault(sample.node, sample)
        messages = acknowledged(sample.t) - acknowledged(begin.t)
        limit = min(GROWTH_MAX_BYTES, ALLOWANCE_BYTES + PER_MESSAGE_BYTES * messages) + spare
        grown = sample.size - begin.size
        if grown > limit:
            text = f"{sample.node} grew by {grown >> 20} MiB (limit {limit >> 20} MiB)"
            out.setdefault(sample.node, text)
    return [out[node] for node in sorted(out)]


def young(samples: list[Sample]) -> tuple[int, int] | None:
    """What a broker held that had just caught up: in the first quarter of the starts and in the
    last, each a median; None if there were too few."""
    first: dict[tuple[str, int], int] = {}
    for sample in samples:
        first.setdefault((sample.node, sample.life), sample.size)
    sizes = list(first.values())
    quarter = len(sizes) // 4
    if len(sizes) < YOUNG_MIN:
        return None
    return int(median(sizes[:quarter])), int(median(sizes[-quarter:]))


def check(ops: Operations) -> Finding:
    """Logs, exits and memory."""
    records = ops.records
    problems = [
        f"{note.event['node']} logged: {str(note.event['line'])[:160]}"
        for note in history.notes(records, "broker_log")
    ]
    if len(problems) > MAX_EXAMPLES:
        problems = [*problems[:MAX_EXAMPLES], f"and {len(problems) - MAX_EXAMPLES} more lines"]
    for note in history.notes(records, "broker_exit"):
        if not note.event["expected"]:
            problems.append(f"{note.event['node']} ended by itself, code {note.event['code']}")
    samples = quiet_samples(records)
    problems += growth(ops, samples, LARGE_FACTOR * large_bytes(ops))
    figures: dict[str, object] = {"memory_bytes": memory(records)}
    trend = young(samples)
    if trend is not None:
        begin, end = trend
        figures["young_bytes"] = [begin, end]
        figures["most_bytes"] = max(sample.size for sample in samples)
        if end - begin > YOUNG_ALLOWANCE_BYTES:
            sizes = f"{begin >> 20} MiB at first, {end >> 20} MiB at last"
            problems.append(f"a broker that has just caught up holds more and more: {sizes}")
    return Finding(NAME, Valid.FALSE if problems else Valid.TRUE, figures, tuple(problems))
