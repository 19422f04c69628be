"""Outcomes: what was held and not accepted comes again, and says whether it may have been
delivered.

==============================  ===================================================================
consumer or primary killed,     comes again, marked: redelivered, a delivery count above 0 where the
modified, rolled back           library tells one, not first-acquirer where it tells that
released                        comes again, as if it had not been delivered: not marked
rejected                        comes to the queue behind the alternate exchange, once each, and
                                never again to its own
dropped (no such exchange)      never comes again
==============================  ===================================================================

What was not held comes in all cases. A mark on it is allowed: a library may have had it.
A case that a program says is ``unsupported`` is no problem if ``CANNOT`` lists it. Any other one
was not made and shows nothing: a program that stops being able must not leave a run green.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Final

from tanist_interop import history
from tanist_interop.checkers.finding import MAX_EXAMPLES, Finding, Valid
from tanist_interop.checkers.operations import Delivery, Operations
from tanist_interop.checkers.ranges import Messages

NAME = "outcomes"

MARKED: Final = ("killed", "modified", "rolled-back", "failover")
GONE: Final = ("rejected", "dropped")

CANNOT: Final[dict[str, tuple[str, ...]]] = {
    "cpp-proton": ("rolled-back",),
    "cpp-qpid": (*MARKED, *GONE, "released"),
    "jms-0-10": ("released", "rejected", "dropped"),
    "js-rhea": ("rolled-back",),
}
"""Per program the cases that it cannot make: Proton C++ and rhea have no transactions, JMS over
0-10 neither releases nor rejects, and the program ``cpp-qpid`` holds no messages."""


@dataclass
class Result:
    """What came of one case with one program: numbers of messages."""

    client: str
    case: str
    held: int = 0
    again: int = 0
    """Of the held ones, from their own queue."""
    marked: int = 0
    """Of these copies, with every mark that the library tells."""
    plain: int = 0
    """Of these copies, without any."""
    dead: int = 0
    """Of the held ones, behind the alternate exchange."""
    unsupported: str = ""
    problems: list[str] = field(default_factory=list)


def marks(delivery: Delivery) -> list[bool]:
    """What a delivery says of deliveries before it, in every way that the library tells."""
    said = [delivery.redelivered]
    said += [] if delivery.count is None else [delivery.count > 0]
    said += [] if delivery.first_acquirer is None else [not delivery.first_acquirer]
    return said


def results(ops: Operations) -> list[Result]:
    """Every trial of the run, in order."""
    return [_result(ops, note.event) for note in history.notes(ops.records, "trial")]


def _result(ops: Operations, trial: dict[str, object]) -> Result:
    out = Result(str(trial["client"]), str(trial["case"]), unsupported=str(trial["unsupported"]))
    if out.unsupported:
        return out
    holder = (str(trial["holder"]), int(str(trial["task"])))
    producer = str(trial["producer"])
    held, came, dead = Messages(), Messages(), Messages()
    for delivery in (d for d in ops.deliveries if d.producer == producer):
        if delivery.receiver == holder:
            held.add(producer, delivery.first, delivery.last)
            continue
        elsewhere = ops.queue_of(delivery.receiver) != trial["queue"]
        (dead if elsewhere else came).add(producer, delivery.first, delivery.last)
        _count(out, held, delivery, elsewhere)
    out.held = len(held)
    _judge(out, ops.acknowledged.only(producer), held, came, dead)
    return out


def _count(out: Result, held: Messages, delivery: Delivery, elsewhere: bool) -> None:
    """Count the copies of held messages in this delivery."""
    parts = held.of(delivery.producer).common(delivery.first, delivery.last)
    copies = sum(last - first + 1 for first, last in parts)
    if elsewhere:
        out.dead += copies
        return
    out.again += copies
    out.marked += copies if all(marks(delivery)) else 0
    out.plain += 0 if any(marks(delivery)) else copies


def _judge(
    out: Result, acknowledged: Messages, held: Messages, came: Messages, dead: Messages
) -> None:
    lost = acknowledged - held - came
    if lost:
        out.problems.append(f"{len(lost)} that were not held never came")
    back, behind = held & came, held & dead
    if out.case in GONE:
        if back:
            out.problems.append(f"{len(back)} came again")
    elif len(back) < len(held):
        out.problems.append(f"{len(held) - len(back)} never came again")
    if out.case in MARKED and out.marked < out.again:
        out.problems.append(f"{out.again - out.marked} came again without a mark")
    if out.case == "released" and out.plain < out.again:
        out.problems.append(f"{out.again - out.plain} came again with a mark")
    if out.case == "rejected" and (len(behind) < len(held) or out.dead > len(held)):
        out.problems.append(f"{out.dead} of {len(held)} behind the alternate exchange")
    if len(dead) > len(behind):
        out.problems.append(f"{len(dead) - len(behind)} behind it that nobody rejected")


def check(ops: Operations) -> Finding:
    """Every case of every program came out right; one without held messages shows nothing, nor does
    one that was not made and should have been."""
    found = results(ops)
    wrong = [f"{r.client}, {r.case}: {text}" for r in found for text in r.problems]
    empty = [f"{r.client}, {r.case}: nothing was held" for r in found
             if not r.held and not r.unsupported]  # fmt: skip
    empty += [] if any(r.held for r in found) else ["no case was made"]
    empty += [
        f"{r.client}, {r.case}: unsupported ({r.unsupported}), and not listed as such"
        for r in found
        if r.unsupported and r.case not in CANNOT.get(r.client, ())
    ]
    valid = Valid.FALSE if wrong else Valid.UNKNOWN if empty else Valid.TRUE
    figures: dict[str, object] = {"trials": [asdict(result) for result in found]}
    return Finding(NAME, valid, figures, tuple((wrong + empty)[: 2 * MAX_EXAMPLES]))
