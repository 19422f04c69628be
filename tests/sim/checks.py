"""Checks of messages: pure functions from a history to what is wrong with it, one line each.

The definitions are those of Jepsen's total-queue checker, with multisets by message: what was
confirmed must come out (*lost*), what comes out must have been sent (*unexpected*). A message that
may rightly be missing is excused by one named reason, and each reason is bounded by what was seen:
how many the brokers say they dropped, which connections broke, when a broker was promoted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

from tests.sim.configuration_check import configuration
from tests.sim.history import (
    OR,
    Confirmed,
    Dropped,
    History,
    Message,
    Purge,
    Received,
    Refused,
    Rejected,
    Released,
    Sent,
    Severed,
    Subscribed,
)
from tests.sim.transactions_check import DRAIN, transactions

Check = Callable[[History], list[str]]

LATE_S = 20.0
"""An expired message may have been under way for so long: a stalled connection, a slow host."""

DRAIN_LATE_S = 3.0
"""The same at the end of a run, when nothing stalls any more."""


EARLY_S = 0.005
"""Whole milliseconds travel."""


class Facts:
    """The history, sorted for the checks."""

    def __init__(self, history: History) -> None:
        self.first_sent: dict[Message, Sent] = {}
        self.last_sent: dict[Message, Sent] = {}
        self.confirmed: dict[Message, float] = {}
        self.consumed: dict[str, Counter[Message]] = defaultdict(Counter)
        """By queue; browsed messages do not count."""
        for event in history.events:
            if isinstance(event, Sent):
                self.first_sent.setdefault((event.producer, event.number), event)
                self.last_sent[event.producer, event.number] = event
            elif isinstance(event, Confirmed):
                self.confirmed.setdefault((event.producer, event.number), event.at)
            elif isinstance(event, Received) and not event.browsed:
                self.consumed[event.queue][event.producer, event.number] += 1

    def missing(self) -> Iterator[tuple[str, Message]]:
        """Target and message, for each confirmed message that one of its targets did not give."""
        for message in self.confirmed:
            for target in self.first_sent[message].targets:
                if not any(self.consumed[queue][message] for queue in target.split(OR)):
                    yield target, message


def lost(history: History) -> list[str]:
    """Every confirmed message came out of each queue that it was for, or is excused."""
    facts = Facts(history)
    missing: dict[str, list[Message]] = defaultdict(list)
    for target, message in facts.missing():
        missing[target].append(message)
    found = []
    for target, messages in missing.items():
        left = messages
        for queue in target.split(OR):
            left = _without_excuse(history, facts, queue, left)
        if left:
            found.append(f"{len(left)} confirmed messages never came out of {target}: {left[:5]}")
    return found


def _without_excuse(
    history: History, facts: Facts, queue: str, missing: list[Message]
) -> list[Message]:
    """Those of ``missing`` that no promise about ``queue`` excuses."""
    promise = history.promise(queue)
    dropped = history.dropped.get(queue, Dropped())
    left = missing
    last = max(history.failovers, default=0.0)
    if promise.until_failover:
        left = [m for m in left if facts.first_sent[m].at > last]
    if promise.until_leaving:
        since = max(_interrupted_last(history, queue), last)
        left = [m for m in left if facts.first_sent[m].at > since]
    if promise.short_ttl:
        left = _excused(left, lambda m: facts.first_sent[m].ttl_s > 0, dropped.expired)
    if promise.purged:
        end = _purged_last(history, queue)
        left = _excused(left, lambda m: facts.first_sent[m].at < end, dropped.purged)
    if promise.ring:
        left = _excused(left, lambda m: True, dropped.ring)
    if promise.at_most_once:
        left = _excused(left, lambda m: True, _lost_on_the_way(history, queue))
    return left


def _excused(
    messages: list[Message], may_be: Callable[[Message], bool], limit: int
) -> list[Message]:
    """What is left when up to ``limit`` of those that ``may_be`` missing are."""
    left = []
    for message in messages:
        if may_be(message) and limit > 0:
            limit -= 1
        else:
            left.append(message)
    return left


def _interrupted_last(history: History, queue: str) -> float:
    """When the consumer of a queue was not there for the last time; infinite: to the end."""
    last: Subscribed | Severed | None = None
    for event in history.events:
        if isinstance(event, Subscribed | Severed) and event.queue == queue:
            last = event
    return last.at if isinstance(last, Subscribed) else float("inf")


def _purged_last(history: History, queue: str) -> float:
    return max(
        (e.at for e in history.events if isinstance(e, Purge) and e.queue == queue), default=0.0
    )


def _lost_on_the_way(history: History, queue: str) -> int:
    return sum(e.credit for e in history.events if isinstance(e, Severed) and e.queue == queue)


def unexpected(history: History) -> list[str]:
    """Nothing comes out that was not sent, nor out of a queue that it was not for."""
    facts = Facts(history)
    found = []
    for event in history.events:
        if isinstance(event, Received):
            sent = facts.first_sent.get((event.producer, event.number))
            name = f"{event.producer}:{event.number}"
            if sent is None:
                found.append(f"{event.consumer} got {name} from {event.queue}, which nobody sent")
            elif not any(event.queue in target.split(OR) for target in sent.targets):
                found.append(f"{event.consumer} got {name} from {event.queue}, not sent there")
    return found


def order(history: History) -> list[str]:
    """One connection gets the messages of a producer in order, except what comes back or again.

    Queues to which messages are moved from others are in the order of moving; what comes at a time
    of its own has no order.
    """
    highest: dict[tuple[str, int, str, str], int] = {}
    given_back: set[tuple[str, str, int]] = set()
    unmarked: set[Message] = set()
    """What was sent again as if for the first time."""
    timed: set[Message] = set()
    moved = {promise.rejects_to for promise in history.promises.values()}
    found = []
    for event in history.events:
        if isinstance(event, Sent):
            for target in event.targets:
                moved.update(target.split(OR)[1:])
            if event.delay_s:
                timed.add((event.producer, event.number))
            if not event.marked:
                unmarked.add((event.producer, event.number))
        elif isinstance(event, Released):
            given_back.add((event.queue, event.producer, event.number))
        elif isinstance(event, Received) and not event.redelivered and event.queue not in moved:
            if (event.producer, event.number) in timed:
                continue
            key = (event.consumer, event.connection, event.queue, event.producer)
            again = (event.queue, event.producer, event.number) in given_back
            again = again or (event.producer, event.number) in unmarked
            if event.number < highest.get(key, 0) and not again:
                found.append(
                    f"{event.consumer} got {event.producer}:{event.number} from {event.queue} "
                    f"after {highest[key]}, not marked redelivered"
                )
            highest[key] = max(highest.get(key, 0), event.number)
    return found


def marks(history: History) -> list[str]:
    """Of all deliveries of one message by one queue, one at most is not marked redelivered.

    A message that was released as if it had never been delivered may come unmarked once more, and
    so may one that its producer sent again without a mark. What was browsed is not delivered.
    """
    unmarked: Counter[tuple[str, str, int]] = Counter()
    allowed: Counter[tuple[str, str, int]] = Counter()
    for event in history.events:
        if isinstance(event, Received) and not event.redelivered and not event.browsed:
            unmarked[event.queue, event.producer, event.number] += 1
        elif isinstance(event, Released):
            allowed[event.queue, event.producer, event.number] += 1
        elif isinstance(event, Sent) and not event.marked:
            for target in event.targets:
                allowed.update((queue, event.producer, event.number) for queue in target.split(OR))
    return [
        f"{producer}:{number} came out of {queue} {times} times without the redelivered mark"
        for (queue, producer, number), times in unmarked.items()
        if times > 1 + allowed[queue, producer, number]
    ]


def duplicates(history: History) -> list[str]:
    """Nothing comes twice out of a queue unless something was broken, or it was given back."""
    if history.faults:
        return []
    came: Counter[tuple[str, str, int]] = Counter()
    for event in history.events:
        if isinstance(event, Received) and not event.browsed and not event.redelivered:
            came[event.queue, event.producer, event.number] += 1
        elif isinstance(event, Released):
            came[event.queue, event.producer, event.number] -= 1
    return [
        f"{producer}:{number} came {times} times out of {queue} although nothing was broken"
        for (queue, producer, number), times in came.items()
        if times > 1
    ]


def copies(history: History) -> list[str]:
    """At the end a queue gives no message more often than that was sent to it.

    Whoever does not know what became of a message and does not send it again has sent it once.
    """
    sent: Counter[tuple[str, str, int]] = Counter()
    left: Counter[tuple[str, str, int]] = Counter()
    for event in history.events:
        if isinstance(event, Sent):
            for target in event.targets:
                sent.update((queue, event.producer, event.number) for queue in target.split(OR))
        elif isinstance(event, Received) and event.consumer.startswith(DRAIN):
            left[event.queue, event.producer, event.number] += 1
    return [
        f"{producer}:{number} was left {times} times in {queue}, and sent "
        f"{sent[queue, producer, number]} times"
        for (queue, producer, number), times in left.items()
        if times > sent[queue, producer, number]
    ]


def rejects(history: History) -> list[str]:
    """Only what was rejected turns up where rejected messages go. (That all does is ``lost``.)"""
    found = []
    facts = Facts(history)
    rejected: set[tuple[str, str, int]] = set()
    for event in history.events:
        if isinstance(event, Rejected):
            rejected.add((event.queue, event.producer, event.number))
    for queue, promise in history.promises.items():
        if promise.rejects_to:
            came = facts.consumed[promise.rejects_to]
            wrong = [message for message in came if (queue, *message) not in rejected]
            if wrong:
                found.append(f"{wrong[:5]} reached {promise.rejects_to} without being rejected")
    return found


def rings(history: History) -> list[str]:
    """A ring queue that nobody reads keeps the newest messages, as many as it has room for.

    What was never confirmed may be among them or not.
    """
    found = []
    facts = Facts(history)
    for queue, promise in history.promises.items():
        if not promise.ring:
            continue
        confirmed: dict[str, list[int]] = defaultdict(list)
        for producer, number in facts.confirmed:
            if queue in facts.first_sent[producer, number].targets:
                confirmed[producer].append(number)
        came = facts.consumed[queue]
        total = sum(came.values())
        if total > promise.ring:
            found.append(f"{queue} has room for {promise.ring} messages and gave {total}")
        if sum(map(len, confirmed.values())) >= promise.ring > total:
            found.append(f"{queue} should be full with {promise.ring} messages and gave {total}")
        if len(confirmed) == 1:
            producer, numbers = next(iter(confirmed.items()))
            held = {number for _, number in came}
            newer = [number for number in numbers if number > min(held, default=0)]
            if not held.issuperset(newer):
                found.append(f"{queue} does not hold the newest of {producer}: {sorted(held)}")
    return found


def purges(history: History) -> list[str]:
    """What was confirmed before a purge began does not come out after the purge was confirmed.

    A browser may have it on its way.
    """
    facts = Facts(history)
    last: dict[str, Purge] = {}
    found = []
    for event in history.events:
        if isinstance(event, Purge):
            last[event.queue] = event
        elif isinstance(event, Received) and not event.browsed and event.queue in last:
            purge = last[event.queue]
            confirmed = facts.confirmed.get((event.producer, event.number), float("inf"))
            if confirmed < purge.since:
                found.append(
                    f"{event.producer}:{event.number} was purged from {event.queue} "
                    f"at {purge.at:.3f} and came at {event.at:.3f}"
                )
    return found


def stale(history: History) -> list[str]:
    """An expired message is not delivered (long after: clocks differ, connections stall).

    Its time runs from when the broker got it: after it was sent, before it was confirmed.
    """
    facts = Facts(history)
    found = []
    for event in history.events:
        if isinstance(event, Received):
            sent = facts.last_sent.get((event.producer, event.number))
            if sent is None or not sent.ttl_s:
                continue
            came_at = max(sent.at, facts.confirmed.get((event.producer, event.number), 0.0))
            late_s = event.at - came_at - sent.ttl_s
            slack_s = DRAIN_LATE_S if event.consumer.startswith(DRAIN) else LATE_S
            if late_s > slack_s + history.wall_spread_s:
                found.append(
                    f"{event.producer}:{event.number} with {sent.ttl_s} s to live came "
                    f"{late_s:.1f} s too late out of {event.queue}"
                )
    return found


def early(history: History) -> list[str]:
    """Nothing is delivered, or shown to a browser, before its time; clocks differ."""
    first_sent = Facts(history).first_sent
    found = []
    for event in history.events:
        if isinstance(event, Received):
            sent = first_sent.get((event.producer, event.number))
            if sent is None or not sent.delay_s:
                continue
            early_s = sent.at + sent.delay_s - event.at
            if early_s > EARLY_S + history.wall_spread_s + history.drift * event.at:
                found.append(
                    f"{event.producer}:{event.number}, to come after {sent.delay_s} s, came "
                    f"{early_s:.3f} s too early out of {event.queue}"
                )
    return found


def refusals(history: History) -> list[str]:
    """No session was ended for a reason that its client had not reckoned with."""
    return [
        f"{event.client} was refused at {event.at:.3f}: {event.code} {event.text}"
        for event in history.events
        if isinstance(event, Refused)
    ]


CHECKS: dict[str, Check] = {
    "refused": refusals,
    "lost": lost,
    "unexpected": unexpected,
    "order": order,
    "redelivered mark": marks,
    "duplicated": duplicates,
    "copies": copies,
    "transaction": transactions,
    "configuration": configuration,
    "rejected": rejects,
    "ring": rings,
    "purged": purges,
    "expired": stale,
    "early": early,
}
"""All checks by name; the name is what a violation is called."""


def judge(history: History) -> list[tuple[str, str]]:
    """All findings of all checks: (check, what is wrong)."""
    return [(name, text) for name, check in CHECKS.items() for text in check(history)]
