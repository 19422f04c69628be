"""Quiet: where next to nothing is said, nobody is taken for dead.

In a run without a fault, whose messages come with pauses of several heartbeat intervals, no program
may lose its connection, whatever its library does about it, and no broker a backup, its primary, or
a client: each has heartbeats. By three witnesses: programs (those whose libraries tell it), the
brokers' logs (of those that log it), and the primary, asked who is in sync before and after.

A program that had no pause of two intervals shows nothing, and so does a run in which nobody tells.
One that broke off may have done so because of a loss: what was seen until then is judged.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from tanist_interop import history, protocol
from tanist_interop.checkers import heartbeat
from tanist_interop.checkers.finding import MAX_EXAMPLES, Finding, Valid
from tanist_interop.checkers.operations import Operations

NAME = "quiet"

INTERVALS: Final = 2.0
"""Who is silent for so many is taken for dead: a shorter pause needs no heartbeat."""


NOT_PASSED: Final = "the quiet time did not pass"


def pauses(ops: Operations, begin: int, end: int) -> dict[str, float]:
    """By program that streams: the longest time in seconds between two messages, both of which it
    had confirmed or was given between ``begin`` and ``end``; 0 if there were not two."""
    streams = [*ops.senders]
    streams += [task for task, how in ops.receivers.items() if isinstance(how, protocol.Receive)]
    times: dict[str, list[int]] = {source: [] for source, _ in sorted(streams)}
    for task in ops.senders:
        times[task[0]] += ops.acks[task].times
    for delivery in ops.deliveries:
        if delivery.receiver in streams:
            times[delivery.receiver[0]].append(delivery.t)
    within = {who: sorted(t for t in ts if begin <= t <= end) for who, ts in times.items()}
    return {
        who: max((late - early for early, late in pairwise(ts)), default=0) / 1e9
        for who, ts in within.items()
    }


def brokers_lost(records: history.Records, begin: int, end: int, nodes: int) -> Iterator[str]:
    """What brokers say that they lost, or became, in that time."""
    for note in history.notes(records, "parted"):
        if begin <= note.t <= end:
            yield f"{note.event['node']} logged: {note.event['text']}"
    for note in history.notes(records, "status"):
        if begin <= note.t <= end:
            yield f"{note.event['node']} became {note.event['status']}"
    for note in history.notes(records, "in_sync"):
        listed = note.event["nodes"]
        assert isinstance(listed, list)
        if len(listed) < nodes - 1:
            yield f"in sync were {', '.join(map(str, listed)) or 'none'}, not all {nodes - 1}"


def mute(records: history.Records, nodes: int) -> list[str]:
    """Brokers whose logs never say what they become, so that they do not say whom they lose."""
    telling = {str(note.event["node"]) for note in history.notes(records, "status")}
    return [name for name in (f"n{number + 1}" for number in range(nodes)) if name not in telling]


def check(ops: Operations, heartbeat_s: float, nodes: int) -> Finding:
    """Nobody was lost, and that it was quiet is to be seen."""
    records = ops.records
    begin = history.mark_time(records, "quiet_begin")
    passed = history.mark_time(records, "quiet_end")
    end = passed or next((note.t for note in history.notes(records, "aborted")), None)
    if begin is None or end is None:
        return Finding(NAME, Valid.UNKNOWN, {}, (NOT_PASSED,))
    longest = pauses(ops, begin, end)
    telling = heartbeat.telling(records)
    lost = {
        source: [t for t in heartbeat.losses(records, source) if t >= begin]
        for source in longest
        if source in telling
    }
    wrong = [
        f"{source} lost a connection without cause {len(times)} times, first after "
        f"{(times[0] - begin) / 1e9:.1f} s"
        for source, times in lost.items()
        if times
    ]
    dropped = list(brokers_lost(records, begin, end, nodes))
    unclear = [
        f"{source} had no pause of two intervals: {pause_s:.1f} s"
        for source, pause_s in longest.items()
        if pause_s <= INTERVALS * heartbeat_s
    ]
    if passed is None:
        unclear.append(NOT_PASSED)
    if not lost:
        unclear.append("no program tells when it loses its connection")
    if sum(1 for _ in history.notes(records, "in_sync")) < 2:
        unclear.append("the primary did not say who was in sync, before and after")
    watched_s = (end - begin) / 1e9
    figures: dict[str, object] = {
        "watched_s": round(watched_s, 1),
        "intervals": int(watched_s / heartbeat_s) if heartbeat_s else 0,
        "pauses_s": {source: round(pause_s, 1) for source, pause_s in longest.items()},
        "connections_lost": sum(map(len, lost.values())),
        "dropped": len(dropped),
        "untold": {source: heartbeat.SILENT for source in longest if source not in telling},
        "mute": mute(records, nodes),
    }
    problems = (wrong + dropped)[:MAX_EXAMPLES] + unclear[:MAX_EXAMPLES]
    valid = Valid.FALSE if wrong or dropped else Valid.UNKNOWN if unclear else Valid.TRUE
    return Finding(NAME, valid, figures, tuple(problems))
