"""The matrix: what each client program sends is read by each, across both protocols.

A cell is one sending program and one receiving program. It holds what was acknowledged to the
sender, what the receiver itself was given (what the final drain took shows nothing about it), and
what was lost or unexpected. A cell that is missing, or that holds less than the scenario asks for,
leaves the run without a verdict; a loss, which is known only after the drain, makes it invalid.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass

from tanist_interop import history, protocol
from tanist_interop.checkers import total_queue
from tanist_interop.checkers.finding import MAX_EXAMPLES, Finding, Valid
from tanist_interop.checkers.operations import Operations, Task
from tanist_interop.checkers.ranges import Messages

NAME = "matrix"


@dataclass
class Cell:
    """One pair of programs: numbers of messages."""

    sender: str
    receiver: str
    acknowledged: int = 0
    received: int = 0
    """By the receiver itself, each message counted once."""
    lost: int = 0
    unexpected: int = 0


def programs(ops: Operations) -> dict[str, str]:
    """Which client program each source is a process of, as it said in its greeting."""
    out: dict[str, str] = {}
    for note in history.notes(ops.records, "client"):
        greeting = note.event["init_ok"]
        assert isinstance(greeting, dict)
        out[note.source] = str(greeting["client"])
    return out


def cells(ops: Operations) -> list[Cell]:
    """Every pair of programs that shared a queue, in order."""
    named = programs(ops)
    found: dict[tuple[str, str], Cell] = {}
    given = _given(ops)
    for (source, _), send in ops.senders.items():
        sums = total_queue.totals(ops, send.producer)
        for task, receive in ops.receivers.items():
            if receive.queue != send.queue or isinstance(receive, protocol.Drain):
                continue
            pair = (named.get(source, source), named.get(task[0], task[0]))
            cell = found.setdefault(pair, Cell(*pair))
            cell.acknowledged += sums.acknowledged
            cell.received += given[task, send.producer]
            cell.lost += len(sums.lost)
            cell.unexpected += len(sums.unexpected)
    return [found[pair] for pair in sorted(found)]


def _given(ops: Operations) -> Counter[tuple[Task, str]]:
    """How many messages of each producer each receiver was the first to be given."""
    seen = Messages()
    out: Counter[tuple[Task, str]] = Counter()
    for delivery in ops.deliveries:
        new = seen.add(delivery.producer, delivery.first, delivery.last)
        number = sum(last - first + 1 for first, last in new)
        out[delivery.receiver, delivery.producer] += number
    return out


def check(ops: Operations, flow_min: int) -> Finding:
    """Every program was read by every program, with enough messages, and nothing was lost."""
    found = cells(ops)
    ran = sorted(set(programs(ops).values()))
    there = {(cell.sender, cell.receiver): cell for cell in found}
    drained = not total_queue.undrained(ops)
    wrong, thin = [], []
    for pair in [(sender, receiver) for sender in ran for receiver in ran]:
        where, cell = " > ".join(pair), there.get(pair)
        if cell is None:
            thin.append(f"{where}: nothing was sent")
        elif cell.unexpected or (cell.lost and drained):
            wrong.append(f"{where}: {cell.lost} lost, {cell.unexpected} unexpected")
        elif min(cell.acknowledged, cell.received) < flow_min:
            least = min(cell.acknowledged, cell.received)
            thin.append(f"{where}: {least} acknowledged and received, wanted {flow_min}")
    figures: dict[str, object] = {"programs": ran, "cells": [asdict(cell) for cell in found]}
    valid = Valid.FALSE if wrong else Valid.UNKNOWN if thin or not ran else Valid.TRUE
    return Finding(NAME, valid, figures, tuple((wrong + thin)[:MAX_EXAMPLES]))
