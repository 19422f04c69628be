"""Stalled confirmations: while a backup hangs nothing is confirmed; when it is dropped all goes on.

A confirmation promises that every backup has the message. So after SIGSTOP of a backup there must
be a gap without any acknowledgement, at least half a link heartbeat long (a shorter one means that
somebody confirmed without the backup), at most two heartbeats and some slack (then the primary
drops it), and acknowledgements after it.
"""

from __future__ import annotations

from typing import Final

from tanist_interop import history
from tanist_interop.checkers.finding import Finding, Valid
from tanist_interop.checkers.operations import Operations

NAME = "stall"

SLACK_S: Final = 1.0
"""Timer granularity, a busy machine of two cores, and the batching of events."""


def gap(times_ns: list[int], fault: int) -> tuple[float, int]:
    """The longest pause that begins or ends after the fault, in seconds, and the number of
    acknowledgement events after it."""
    before = [t for t in times_ns if t <= fault]
    after = [t for t in times_ns if t > fault]
    points = [before[-1] if before else fault, *after]
    longest, index = 0, 0
    for i in range(1, len(points)):
        if points[i] - points[i - 1] > longest:
            longest, index = points[i] - points[i - 1], i
    return longest / 1e9, len(points) - index


def check(ops: Operations, link_heartbeat_s: float) -> Finding:
    """Each sender's acknowledgements stop and go on as they must."""
    fault = history.fault_time(ops.records)
    if fault is None:
        return Finding(NAME, Valid.UNKNOWN, {}, ("no backup was stopped",))
    times = {ops.name_of(task): sorted(ops.acks[task].times) for task in ops.senders}
    low, high = link_heartbeat_s / 2, 2 * link_heartbeat_s + SLACK_S
    gaps: dict[str, float] = {}
    problems = []
    for source, when in sorted(times.items()):
        length, after = gap(when, fault)
        gaps[source] = round(length, 2)
        if not after or not when or max(when) <= fault:
            problems.append(f"{source}: nothing was confirmed any more after the backup hung")
        elif length < low:
            problems.append(f"{source}: confirmations went on ({length:.2f} s pause < {low} s)")
        elif length > high:
            problems.append(f"{source}: {length:.2f} s without confirmations > {high} s")
    figures: dict[str, object] = {"gap_s": gaps, "least_s": low, "most_s": high}
    return Finding(NAME, Valid.FALSE if problems else Valid.TRUE, figures, tuple(problems))
