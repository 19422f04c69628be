"""Selectors: a receiver gets what its selector matches, all of it and nothing else.

*Nothing else*: no message of a kind that it did not select, before and after the failover. *All of
it*: what a receiver selects on a queue nobody else gets; of what it selects nothing is left when
the queue is drained in the end. That the rest stays for others is what ``total-queue`` says.

One library passes over messages (``PASSES_OVER``), at most as many as were under way to it.

A receiver that got nothing after the failover shows nothing, nor does a run in which nothing was
left for others. A client that takes no part must be listed in ``CANNOT``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from tanist_interop import history
from tanist_interop.checkers.finding import MAX_EXAMPLES, Finding, Valid
from tanist_interop.checkers.operations import Delivery, Operations, Task

NAME = "selectors"

CANNOT: Final[dict[str, str]] = {"cpp-qpid": "the program gives no selector"}
"""Per client why it selects nothing."""


PASSES_OVER: Final[dict[str, str]] = {
    "jms-0-10": "it browses the queue, and acquires what its own reading of the selector matches; "
    "what it had browsed and not acquired when its session recovered it never looks at again"
}
"""Per client why messages that it selected stay behind after a failover."""


@dataclass
class Wish:
    """A receiver and the kinds of messages that it selects on its queue."""

    task: Task
    queue: str
    kinds: frozenset[int]
    got: int = 0
    late: int = 0
    """Of these, announced after somebody began to promote: so they are of the next broker."""
    wrong: Counter[str] = field(default_factory=Counter)
    """Messages that it did not select, per producer."""


def wishes(ops: Operations) -> list[Wish]:
    """Every receiver with a selector."""
    out = []
    for note in history.notes(ops.records, "selection"):
        task = (str(note.event["program"]), int(str(note.event["task"])))
        kinds = note.event["kinds"]
        assert isinstance(kinds, list)
        out.append(Wish(task, ops.queue_of(task), frozenset(kinds)))
    return out


def check(ops: Operations) -> Finding:
    """All that was selected and nothing else."""
    found = {wish.task: wish for wish in wishes(ops)}
    modulus = {send.producer: send.kinds for send in ops.senders.values()}
    moved = history.mark_time(ops.records, "promote_begin") or 0
    left: Counter[tuple[Task, Task]] = Counter()
    others = 0
    for delivery in ops.deliveries:
        wish = found.get(delivery.receiver)
        if wish is not None:
            _count(ops, wish, delivery, modulus[delivery.producer], moved)
            continue
        for number in range(delivery.first, delivery.last + 1):
            owner = _owner(ops, found, delivery, number % modulus[delivery.producer])
            others += owner is None
            left.update([] if owner is None else [(delivery.receiver, owner.task)])
    wrong = [f"{wish.task[0]} got {count} of {producer} that it had not selected"
             for wish in found.values() for producer, count in wish.wrong.items()]  # fmt: skip
    over = {pair: count for pair, count in left.items() if moved and _may_pass(ops, pair[1], count)}
    wrong += [f"{task[0]} got {count} that {owner[0]} had selected"
              for (task, owner), count in (left - Counter(over)).items()]  # fmt: skip
    unclear = [f"{wish.task[0]} got nothing from {wish.queue} after the failover"
               for wish in found.values() if not wish.late]  # fmt: skip
    unclear += [] if others else ["nothing was left for others"]
    unclear += [f"{note.event['client']}: {note.event['reason']}, and not listed as such"
                for note in history.notes(ops.records, "unable")
                if note.event["client"] not in CANNOT]  # fmt: skip
    got: Counter[str] = Counter()
    for wish in found.values():
        got[wish.task[0]] += wish.got
    figures: dict[str, object] = {
        "selected": dict(got), "left": others, "passed_over": sum(over.values()),
    }  # fmt: skip
    valid = Valid.FALSE if wrong else Valid.UNKNOWN if unclear else Valid.TRUE
    return Finding(NAME, valid, figures, tuple((wrong + unclear)[: 2 * MAX_EXAMPLES]))


def _count(ops: Operations, wish: Wish, delivery: Delivery, kinds: int, moved: int) -> None:
    for number in range(delivery.first, delivery.last + 1):
        if number % kinds not in wish.kinds:
            wish.wrong[delivery.producer] += 1
            continue
        wish.got += 1
        announced = ops.attempts.time_of((delivery.producer, number)) or 0
        wish.late += bool(moved) and announced > moved


def _may_pass(ops: Operations, owner: Task, count: int) -> bool:
    """Whether that is known of this receiver, and no more than was under way to it."""
    receive = ops.receivers[owner]
    limit = receive.prefetch + receive.ack_every
    return count <= limit and any(owner[0] in (name, f"{name}.receive") for name in PASSES_OVER)


def _owner(ops: Operations, found: dict[Task, Wish], delivery: Delivery, kind: int) -> Wish | None:
    """Whose message this was."""
    queue = ops.queue_of(delivery.receiver)
    return next((w for w in found.values() if w.queue == queue and kind in w.kinds), None)
