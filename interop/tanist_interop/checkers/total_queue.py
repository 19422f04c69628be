"""Total queue: what goes in must come out (spec/reliability.md A).

Multisets over the history: *lost* = acknowledged but never received and settled; *unexpected* =
received but never attempted; both must be empty. *Duplicated* = came out more often than it was
attempted; *recovered* = came out although nobody knew whether it was sent. A message whose send
surely failed and which came out all the same is *impossible*: the program or the broker lied.

Without a drain that found every queue empty after the last sender ended there is no verdict on
loss: the result is unknown.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tanist_interop import protocol
from tanist_interop.checkers.finding import Finding, Valid, examples
from tanist_interop.checkers.operations import Key, Operations

NAME = "total-queue"


@dataclass(frozen=True)
class Totals:
    """The sets of one producer or of all."""

    attempts: int
    acknowledged: int
    received: int
    ok: int
    lost: frozenset[Key]
    unexpected: frozenset[Key]
    duplicated: int
    recovered: frozenset[Key]
    impossible: frozenset[Key]
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

    def mine(key: Key) -> bool:
        return producer is None or key[0] == producer

    attempts = Counter({key: n for key, n in ops.attempts.items() if mine(key)})
    acknowledged = {key for key in ops.acknowledged if mine(key)}
    received = Counter(d.key for d in ops.deliveries if mine(d.key))
    unexpected = frozenset(key for key in received if key not in attempts)
    ok = received.keys() & attempts.keys()
    surplus = received - attempts
    return Totals(
        attempts=attempts.total(),
        acknowledged=len(acknowledged),
        received=received.total(),
        ok=len(ok),
        lost=frozenset(acknowledged - ops.settled),
        unexpected=unexpected,
        duplicated=sum(n for key, n in surplus.items() if key not in unexpected),
        recovered=frozenset(ok - acknowledged - ops.failed),
        impossible=frozenset(key for key in received if key in ops.failed),
        lost_where=_where(acknowledged - ops.settled, ops.settled),
    )


def _where(lost: set[Key], settled: set[Key]) -> dict[str, int]:
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for producer, sn in settled:
        first[producer] = min(sn, first.get(producer, sn))
        last[producer] = max(sn, last.get(producer, sn))
    where = {"prefix": 0, "middle": 0, "postfix": 0}
    for producer, sn in lost:
        if sn < first.get(producer, sn + 1):
            where["prefix"] += 1
        elif sn > last[producer]:
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
