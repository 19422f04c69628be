"""Brokers: nothing in a log that must not be there, no death that nobody caused, memory flat.

Memory: what a broker holds at the end, when every queue is empty, may exceed what it held before
the first message by a fixed allowance and a little per acknowledged message (allocator slack), not
by what passed through.
"""

from __future__ import annotations

from typing import Final

from tanist_interop import history
from tanist_interop.checkers.finding import MAX_EXAMPLES, Finding, Valid
from tanist_interop.checkers.operations import Operations

NAME = "brokers"

ALLOWANCE_BYTES: Final = 48 * 1024 * 1024
"""First use of code, buffers and the replication log, whatever the number of messages."""

PER_MESSAGE_BYTES: Final = 400
"""Less than one queued message costs; a broker that keeps messages is far above after 10,000."""


def memory(records: history.Records) -> dict[str, dict[str, int]]:
    """Per node: bytes by moment (the last sample of each moment)."""
    out: dict[str, dict[str, int]] = {}
    for note in history.notes(records, "memory"):
        sample = out.setdefault(str(note.event["node"]), {})
        sample[str(note.event["moment"])] = int(str(note.event["bytes"]))
    return out


def check(ops: Operations, records: history.Records) -> Finding:
    """Logs, exits and memory."""
    problems = [
        f"{note.event['node']} logged: {str(note.event['line'])[:160]}"
        for note in history.notes(records, "broker_log")
    ]
    if len(problems) > MAX_EXAMPLES:
        problems = [*problems[:MAX_EXAMPLES], f"and {len(problems) - MAX_EXAMPLES} more lines"]
    for note in history.notes(records, "broker_exit"):
        if not note.event["expected"]:
            problems.append(f"{note.event['node']} ended by itself, code {note.event['code']}")
    samples = memory(records)
    limit = ALLOWANCE_BYTES + PER_MESSAGE_BYTES * len(ops.acknowledged)
    for node, sample in sorted(samples.items()):
        if "ready" in sample and "end" in sample:
            growth = sample["end"] - sample["ready"]
            if growth > limit:
                problems.append(f"{node} grew by {growth >> 20} MiB (limit {limit >> 20} MiB)")
    figures: dict[str, object] = {"memory_bytes": samples}
    return Finding(NAME, Valid.FALSE if problems else Valid.TRUE, figures, tuple(problems))
