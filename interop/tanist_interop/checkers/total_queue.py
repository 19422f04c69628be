"""Total queue: what goes in must come out (spec/reliability.md A).

Sets over the history: *lost* = acknowledged but never received and settled; *unexpected* =
received but never attempted; both must be empty. *Duplicated* = copies of a message beyond the
first; *recovered* = came out although nobody knew whether it was sent. A message whose send
surely failed and which came out all the same is *impossible*: the program or the broker lied.

Without a drain that found every queue empty after the last sender ended there is no verdict on
loss: the result is unknown.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tanist_interop import protocol
from tanist_interop.checkers.finding import Finding, Valid, examples
from tanist_interop.checkers.operations import Operations
from tanist_interop.checkers.ranges import Messages

NAME = "total-queue"


@dataclass(frozen=True)
class Totals:
    """The sets of one producer or of all."""

    attempts: int
    acknowledged: int
    received: int
    ok: int
    lost: Messages
    unexpected: Messages
    duplicated: int
    recovered: Messages
    impossible: Messages
    lost_where: dict[str, int] = field(default_factory=dict)
    """Of the lost ones: before the first received, between, after the last received."""

    def figures(self) -> dict[str, object]:
        """Numbers for the report."""
        return {
            "attempts": self.attempts,
            "acknowledged": self.acknowledged,
            "received": self.received,
            "ok": self.ok,
            "lost": len(self.lost),
            "lost_where": self.lost_where,
            "unexpected": len(self.unexpected),
            "duplicated": self.duplicated,
            "recovered": len(self.recovered),
            "impossible": len(self.impossible),
        }


def totals(ops: Operations, producer: str | None = None) -> Totals:
    """The sets of one producer, or of all (None)."""

    def mine(messages: Messages) -> Messages:
        return messages if producer is None else messages.only(producer)

    attempts, acknowledged = mine(ops.attempts), mine(ops.acknowledged)
    received, settled = mine(ops.received), mine(ops.settled)
    copies = ops.copies.total() if producer is None else ops.copies[producer]
    unexpected = received - attempts
    ok = received & attempts
    lost = acknowledged - settled
    return Totals(
        attempts=len(attempts),
        acknowledged=len(acknowledged),
        received=copies,
        ok=len(ok),
        lost=lost,
        unexpected=unexpected,
        duplicated=copies - len(ok) - _copies_of(unexpected, ops),
        recovered=ok - acknowledged - ops.failed,
        impossible=received & ops.failed,
        lost_where=_where(lost, settled),
    )


def _copies_of(messages: Messages, ops: Operations) -> int:
    """How often these were delivered."""
    if not messages:
        return 0
    given = (messages.of(d.producer).common(d.first, d.last) for d in ops.deliveries)
    return sum(last - first + 1 for parts in given for first, last in parts)


def _where(lost: Messages, settled: Messages) -> dict[str, int]:
    where = {"prefix": 0, "middle": 0, "postfix": 0}
    for producer in lost.producers():
        came = settled.of(producer).ranges()
        for sn in lost.of(producer):
            if not came or sn < came[0][0]:
                where["prefix"] += 1
            elif sn > came[-1][1]:
                where["postfix"] += 1
            else:
                where["middle"] += 1
    return where


def undrained(ops: Operations) -> list[str]:
    """Queues that were sent to and not drained to the end, with the reason."""
    out = []
    for queue in sorted({send.queue for send in ops.senders.values()}):
        last_sent = 0
        for task, send in ops.senders.items():
            if send.queue == queue:
                if task not in ops.ended:
                    out.append(f"{queue}: the sender {task[0]} never ended")
                else:
                    last_sent = max(last_sent, ops.ended[task][0])
        if not any(
            isinstance(receive, protocol.Drain)
            and receive.queue == queue
            and task in ops.ended
            and ops.ended[task][1].reason == "empty"
            and ops.ended[task][0] > last_sent
            for task, receive in ops.receivers.items()
        ):
            out.append(f"{queue}: no drain found it empty after the last sender ended")
    return out


def check(ops: Operations) -> Finding:
    """Lost and unexpected must be empty."""
    sums = totals(ops)
    missing = undrained(ops)
    found = {"unexpected": sums.unexpected, "impossible": sums.impossible}
    found["acknowledged and not received yet" if missing else "lost"] = sums.lost
    problems = [f"{len(keys)} {name}: {examples(keys)}" for name, keys in found.items() if keys]
    figures = sums.figures()
    figures["per_producer"] = {p: totals(ops, p).figures() for p in sorted(ops.producers())}
    if sums.unexpected or sums.impossible:
        valid = Valid.FALSE
    elif missing or not sums.attempts:
        valid = Valid.UNKNOWN
        problems += missing or ["nothing was sent"]
    else:
        valid = Valid.FALSE if sums.lost else Valid.TRUE
    return Finding(NAME, valid, figures, tuple(problems))
