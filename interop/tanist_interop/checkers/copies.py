"""Duplicates of one client: bounded, told apart, flagged.

*Bounded*: what came of each of its queues is within what failovers and lost connections explain
(``duplicates``). *Told apart*: producer and number of every copy are those of a message that was
attempted, so a consumer that remembers them gets each message exactly once, and all that were
confirmed. *Flagged*: copies that are the broker's own are marked redelivered (``redelivery``).
"""

from __future__ import annotations

from typing import Final

from tanist_interop.checkers import redelivery
from tanist_interop.checkers.cells import Cast, Cell, Run
from tanist_interop.checkers.duplicates import charge, excesses
from tanist_interop.checkers.finding import examples
from tanist_interop.checkers.ranges import Messages

PROOF: Final = "duplicates"


def prove(run: Run, cast: Cast, cell: Cell) -> None:
    """Judge one client."""
    ops = run.ops
    mine = [send for (source, _), send in ops.senders.items() if source == cast.sender]
    producers = {send.producer for send in mine}
    queues = {send.queue for send in mine}
    if not any(ops.copies[producer] for producer in producers):
        cell.unclear("it received nothing")
        return
    copies = explained = 0
    for queue, broken in sorted(charge(ops).items()):
        if queue not in queues:
            continue
        copies += sum(entry.copies for entry in broken)
        explained += sum(entry.explained for entry in broken)
        for text in excesses(queue, broken, ops.span[0]):
            cell.wrong(text)
    cell.figures = {"duplicated": copies, "bound": explained}
    found = redelivery.unmarked(ops)
    unmarked = [key for key, excused, _ in found if key[0] in producers and not excused]
    strange = Messages()
    for producer in producers:
        strange |= (ops.received - ops.attempts).only(producer)
    if unmarked:
        cell.wrong(f"{len(unmarked)} delivered again without the mark: {examples(unmarked)}")
    if strange:
        cell.wrong(f"{len(strange)} that nobody sent: {examples(strange)}")
