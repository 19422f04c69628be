"""Requeue: what was received and not acknowledged comes back: all of it, in order, before what
nobody had received yet, and marked redelivered in every way that the library tells.

It is nobody's any more after the broker died that had given it out, or the client that held it.
"""

from __future__ import annotations

from typing import Final

from tanist_interop import history
from tanist_interop.checkers.cells import Cast, Cell, Run
from tanist_interop.checkers.operations import Delivery
from tanist_interop.checkers.outcomes import marks
from tanist_interop.checkers.ranges import Numbers

PROOF: Final = "requeue"


def prove(run: Run, cast: Cast, cell: Cell) -> None:
    """Judge one client."""
    for note in history.notes(run.ops.records, "held"):
        if note.event["client"] == cast.client:
            break
    else:
        cell.unclear("the run did not get so far")
        return
    if note.event["unsupported"]:
        cell.unable(str(note.event["unsupported"]))
        return
    producer = str(note.event["producer"])
    holder = (str(note.event["holder"]), int(str(note.event["task"])))
    held, came = Numbers(), []
    for delivery in run.ops.deliveries:
        if delivery.producer == producer and delivery.receiver == holder:
            held.add(delivery.first, delivery.last)
        elif delivery.producer == producer:
            came.append(delivery)
    _judge(cell, held, came)
    expected = run.ops.acknowledged.of(producer)
    rest = expected - held - _numbers(came)
    if rest:
        cell.wrong(f"{len(rest)} that nobody had received never came")
    cell.figures["death"] = note.event["death"]


def _numbers(deliveries: list[Delivery]) -> Numbers:
    out = Numbers()
    for delivery in deliveries:
        out.add(delivery.first, delivery.last)
    return out


def _judge(cell: Cell, held: Numbers, came: list[Delivery]) -> None:
    back: list[int] = []
    others = unmarked = behind = 0
    for delivery in came:
        for sn in range(delivery.first, delivery.last + 1):
            if sn not in held:
                others += 1
                continue
            back.append(sn)
            unmarked += not all(marks(delivery))
            behind += others > 0
    cell.figures = {"held": len(held), "again": len(back)}
    if not held:
        cell.unclear("nothing was held")
    missing = sorted(set(held) - set(back))
    if missing:
        cell.wrong(f"{len(missing)} held ones never came back: {missing[:10]}")
    if len(back) > len(set(back)):
        cell.wrong(f"{len(back) - len(set(back))} came back more than once")
    if back != sorted(back):
        cell.wrong(f"they came back out of order: {back[:10]}")
    if behind:
        cell.wrong(f"{behind} came back behind what nobody had received")
    if unmarked:
        cell.wrong(f"{unmarked} came back without a mark")
