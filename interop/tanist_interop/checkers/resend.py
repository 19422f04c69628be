"""Resend: every message that was not confirmed when the fault came arrives all the same.

Confirmations were frozen before the fault, so there are such messages, and after a failover nobody
but the sender has them. A program that says of one that it surely was not sent (``fail``) need not
send it again. And whatever was confirmed must be there, as always: a confirmation that came while
confirmations were frozen is wrong for itself, because no backup had the message.
"""

from __future__ import annotations

from typing import Final

from tanist_interop import history
from tanist_interop.checkers.cells import Cast, Cell, Run
from tanist_interop.checkers.finding import examples
from tanist_interop.checkers.operations import Operations
from tanist_interop.checkers.ranges import Messages
from tanist_interop.checkers.total_queue import undrained

PROOF: Final = "resend"


def in_flight(ops: Operations, producer: str, t: int) -> Messages:
    """What a sender had announced by then, and had no outcome for."""
    announced = ops.attempts.until(t).only(producer)
    return announced - ops.acknowledged.until(t).only(producer)


def early(run: Run, producer: str) -> Messages:
    """What was confirmed while no backup could have it."""
    frozen = history.mark_time(run.ops.records, "frozen")
    if not frozen:
        return Messages()
    until = run.ops.acknowledged.until(run.begin).only(producer)
    return until - run.ops.acknowledged.until(frozen).only(producer)


def prove(run: Run, cast: Cast, cell: Cell) -> None:
    """Judge one client."""
    ops = run.ops
    waiting, missing, lost, hasty = Messages(), Messages(), Messages(), Messages()
    for producer in cast.producers:
        under_way = in_flight(ops, producer, run.begin)
        waiting |= under_way
        missing |= under_way - ops.received - ops.failed
        lost |= ops.acknowledged.only(producer) - ops.settled
        hasty |= early(run, producer)
    cell.figures = {"unconfirmed": len(waiting), "arrived": len(waiting & ops.received)}
    if hasty:
        cell.wrong(f"{len(hasty)} confirmed while no backup could have them: {examples(hasty)}")
    if history.mark_time(ops.records, "not_frozen"):
        cell.wrong("confirmations went on although no backup was told of anything")
    queues = {send.queue for send in ops.senders.values() if send.producer in cast.producers}
    open_ends = [text for text in undrained(ops) if text.split(":")[0] in queues]
    if open_ends:
        cell.unclear(open_ends[0])
        return
    if missing:
        cell.wrong(f"{len(missing)} were not confirmed and never arrived: {examples(missing)}")
    if lost:
        cell.wrong(f"{len(lost)} were confirmed and never arrived: {examples(lost)}")
    if not waiting:
        cell.unclear("nothing was unconfirmed when the fault came")
