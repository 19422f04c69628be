"""Subscriptions: what is sent to a topic comes to every subscription of it.

Each subscription is looked at by itself, as if it was a queue: of what was sent since all were
there (the mark ``subscribed``) nothing is lost and nothing unexpected, and order, marks and
duplicates are judged as those of queues are (``order``, ``redelivery``, ``duplicates``).

=========  ========================================================================================
temporary  lacks one part at most: what it had not got yet of the broker that was killed, and what
           was sent before its library subscribed anew at the next one
active     durable: lacks nothing
inactive   durable: lacks nothing, of what was sent while nobody received from it neither
=========  ========================================================================================

A subscription that got nothing after the failover shows nothing, nor does an inactive one for which
nothing was kept. A client that takes no part must be listed in ``CANNOT``.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Final

from tanist_interop import history
from tanist_interop.checkers import duplicates, order, redelivery, total_queue
from tanist_interop.checkers.finding import MAX_EXAMPLES, Finding, Valid, examples
from tanist_interop.checkers.operations import Operations, Task
from tanist_interop.checkers.ranges import Dated, Messages, Numbers

NAME = "subscriptions"

CANNOT: Final[dict[str, str]] = {"cpp-qpid": "the program knows no topics"}
"""Per client why it subscribes to nothing."""


@dataclass(frozen=True)
class Subscription:
    """A subscription of the run, and all that its receivers told."""

    kind: str
    client: str
    producer: str
    tasks: tuple[Task, ...]
    ops: Operations
    """The history as if there was no other subscription; *acknowledged* is what it must get."""
    missed: int
    """What else was acknowledged: what came to the topic when a temporary one was not there."""
    moved: int
    """When somebody began to promote, 0 if nobody did: the next broker may serve before who asked
    for it is told."""

    def figures(self) -> dict[str, object]:
        """For reports."""
        return {
            "kind": self.kind, "client": self.client, "producer": self.producer,
            "got": len(self.ops.received), "kept": self.kept, "missed": self.missed,
        }  # fmt: skip

    @property
    def name(self) -> str:
        """For people."""
        return f"the {self.kind} subscription of {self.tasks[0][0]} to {self.producer}"

    @property
    def resumed(self) -> bool:
        """Whether it got something that was announced after somebody began to promote: it is of
        the next broker, and was not buffered before."""
        sent = self.ops.attempts.between(self.moved, sys.maxsize) if self.moved else ()
        return any(key in self.ops.received for key in sent)

    def gaps(self) -> list[tuple[int, int]]:
        """The numbers between what it got of the broker which was hit and what of the next one: one
        range for every place, in the order in which messages came, where the first may have ended.

        Of the first broker is what came, or was acknowledged, before somebody began to promote; of
        the next one what was announced after it. What came then and was announced before may have
        been buffered, or sent again.
        """
        came = [(number, delivery.t) for delivery in self.ops.deliveries
                for number in range(delivery.first, delivery.last + 1)]  # fmt: skip
        first, last = 0, len(came)
        for at, (number, t) in enumerate(came):
            key = (self.producer, number)
            if (self.ops.attempts.time_of(key) or 0) > self.moved:
                last = at
                break
            acknowledged = self.ops.acknowledged.time_of(key)
            if t <= self.moved or (acknowledged is not None and acknowledged <= self.moved):
                first = at + 1
        highest = [0, *accumulate((number for number, _ in came), max)]
        following = [*(number for number, _ in came), sys.maxsize]
        return [(highest[at] + 1, following[at] - 1) for at in range(first, last + 1)]

    @property
    def kept(self) -> int:
        """Messages that were sent while nobody received from it, and came."""
        if len(self.tasks) < 2:
            return 0
        first, second = self.tasks[0], self.tasks[-1]
        left = self.ops.ended[first][0] if first in self.ops.ended else 0
        later = [d for d in self.ops.deliveries if d.receiver == second]
        if not left or not later:
            return 0
        came = Messages()
        for delivery in later:
            came.add(delivery.producer, delivery.first, delivery.last)
        return sum(key in came for key in self.ops.attempts.between(left, later[0].t))


def subscriptions(ops: Operations) -> list[Subscription]:
    """Every subscription that the drill made."""
    since = history.mark_time(ops.records, "subscribed") or 0
    moved = history.mark_time(ops.records, "promote_begin") or 0
    out = []
    for note in history.notes(ops.records, "subscription"):
        event = note.event
        numbers = event["tasks"]
        assert isinstance(numbers, list)
        tasks = tuple((str(event["program"]), int(number)) for number in numbers)
        kind, producer = str(event["kind"]), str(event["producer"])
        due = _sent(ops, producer, since, ops.span[1] + 1)
        alone = _alone(ops, tasks, producer, due)
        told = Subscription(kind, str(event["client"]), producer, tasks, alone, 0, moved)
        if kind == "temporary" and moved:
            lacks = (due - alone.received).of(producer)
            gap = max((_part(producer, lacks, *gap) for gap in told.gaps()), key=len)
            told = replace(told, ops=_alone(ops, tasks, producer, due - gap), missed=len(gap))
        out.append(told)
    return out


def check(ops: Operations) -> Finding:
    """Everything to everybody."""
    found = subscriptions(ops)
    wrong, unclear = [], []
    for each in found:
        wrong += _wrong(each)
        if not each.resumed:
            unclear.append(f"{each.name} got nothing after the failover")
        if each.kind == "inactive" and not each.kept:
            unclear.append(f"nothing was kept for {each.name}")
    unclear += [] if found else ["nobody subscribed"]
    unclear += [f"{note.event['client']}: {note.event['reason']}, and not listed as such"
                for note in history.notes(ops.records, "unable")
                if note.event["client"] not in CANNOT]  # fmt: skip
    figures: dict[str, object] = {"subscriptions": [each.figures() for each in found]}
    valid = Valid.FALSE if wrong else Valid.UNKNOWN if unclear else Valid.TRUE
    return Finding(NAME, valid, figures, tuple((wrong + unclear)[: 2 * MAX_EXAMPLES]))


def totals(ops: Operations) -> dict[str, dict[str, int]]:
    """Per producer that sent to a topic, what its subscriptions lost and got more than once: of
    each the figures add up, for what one has got no other one has."""
    out: dict[str, Counter[str]] = {}
    for each in subscriptions(ops):
        sums = total_queue.totals(each.ops)
        found = {"lost": len(sums.lost), "duplicated": sums.duplicated}
        out.setdefault(each.producer, Counter({"lost": 0, "duplicated": 0})).update(found)
    return {producer: dict(sums) for producer, sums in out.items()}


def _wrong(each: Subscription) -> list[str]:
    sums = total_queue.totals(each.ops)
    sets = {"lost": sums.lost, "unexpected": sums.unexpected, "impossible": sums.impossible}
    out = [f"{len(keys)} {name}: {examples(keys)}" for name, keys in sets.items() if keys]
    for checker in (order.check, redelivery.check, duplicates.check):
        out += checker(each.ops).problems
    return [f"{each.name}: {text}" for text in out]


def _sent(ops: Operations, producer: str, since: int, until: int) -> Messages:
    """What was acknowledged of what a producer announced then."""
    out = Messages()
    for name, number in ops.attempts.between(since, until):
        if name == producer:
            out.add(name, number, number)
    return out & ops.acknowledged


def _part(producer: str, numbers: Numbers, first: int, last: int) -> Messages:
    """What of the numbers is in this range, which may be empty."""
    out = Messages()
    for part in numbers.common(first, last) if first <= last else ():
        out.add(producer, *part)
    return out


def _alone(
    ops: Operations, tasks: tuple[Task, ...], producer: str, acknowledged: Messages
) -> Operations:
    """The history with these receivers only, and this producer."""
    sender = ops.producers()[producer]
    deliveries = [delivery for delivery in ops.deliveries if delivery.receiver in tasks]
    received = Messages()
    copies: Counter[str] = Counter()
    for delivery in deliveries:
        received.add(delivery.producer, delivery.first, delivery.last)
        copies[delivery.producer] += len(delivery)
    return replace(
        ops,
        attempts=_dated(ops.attempts.only(producer), ops.attempts),
        acknowledged=_dated(acknowledged, ops.acknowledged),
        deliveries=deliveries,
        received=received,
        settled=received,
        copies=copies,
        senders={sender: ops.senders[sender]},
        receivers={task: ops.receivers[task] for task in tasks},
    )


def _dated(some: Messages, all_of_them: Dated) -> Dated:
    """Some messages with their times."""
    out = Dated()
    for key in some:
        at = all_of_them.time_of(key)
        assert at is not None
        out.put(*key, key[1], at)
    return out
