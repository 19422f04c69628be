"""The check of transactions: all or nothing, whatever broke.

A transaction *happened* if its effects are there. One that its client saw committed must have
happened, one that was rolled back, or whose connection broke before commit was sent, must not; one
that broke during commit may have or not, but as a whole: what it published came out of all its
queues or of none, and what it accepted stays away or comes again accordingly.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from tests.sim.history import OR, Confirmed, Ended, History, Message, Received, Sent, Taken

Copy = tuple[str, str, int]
"""Queue, producer, number."""

DRAIN = "drain"
"""How the names of consumers begin that take what is left at the end."""


def transactions(history: History) -> list[str]:
    """Transactions that happened in part, or although they did not, or not although they did."""
    sent: dict[str, list[Sent]] = defaultdict(list)
    taken: dict[str, list[Taken]] = defaultdict(list)
    outcome: dict[str, str] = {}
    came: set[tuple[str, str, int]] = set()
    for event in history.events:
        if isinstance(event, Sent) and event.transaction:
            sent[event.transaction].append(event)
        elif isinstance(event, Taken):
            taken[event.transaction].append(event)
        elif isinstance(event, Ended):
            outcome[event.transaction] = event.outcome
        elif isinstance(event, Received) and not event.browsed:
            came.add((event.queue, event.producer, event.number))
    found = []
    happened: dict[str, bool] = {}
    for name, messages in sent.items():
        there = [(m.targets, _arrived(m, came)) for m in messages]
        flags = [flag for _, flags in there for flag in flags]
        ended = outcome.get(name, "unknown")
        happened[name] = any(flags)
        if any(flags) and not all(flags):
            found.append(f"{name} ({ended}) happened in part: {flags.count(True)} of {len(flags)}")
        elif ended == "committed" and not all(flags):
            found.append(f"{name} was committed and is not there")
        elif ended == "aborted" and any(flags):
            found.append(f"{name} was aborted and is there")
    return found + _accepted(history, taken, happened)


def _arrived(message: Sent, came: set[tuple[str, str, int]]) -> list[bool]:
    """For each target, whether the message came out of it."""
    return [
        any((queue, message.producer, message.number) in came for queue in target.split(OR))
        for target in message.targets
    ]


def _accepted(
    history: History, taken: dict[str, list[Taken]], happened: dict[str, bool]
) -> list[str]:
    """What transactions accepted is consumed once for each copy that was sent, and at least once.

    Consumed is what a transaction that happened accepted, and what was left at the end.
    """
    accepted: Counter[Copy] = Counter()
    for name, accepts in taken.items():
        if happened.get(name, False):
            accepted.update((accept.queue, accept.producer, accept.number) for accept in accepts)
    copies: Counter[Message] = Counter()
    confirmed: set[Message] = set()
    left: Counter[Copy] = Counter()
    for event in history.events:
        if isinstance(event, Sent):
            copies[event.producer, event.number] += 1
        elif isinstance(event, Confirmed):
            confirmed.add((event.producer, event.number))
        elif isinstance(event, Received) and event.consumer.startswith(DRAIN):
            left[event.queue, event.producer, event.number] += 1
    found = []
    for copy in sorted({(t.queue, t.producer, t.number) for ts in taken.values() for t in ts}):
        queue, producer, number = copy
        consumed = accepted[copy] + left[copy]
        if consumed > copies[producer, number]:
            found.append(
                f"{producer}:{number} was sent {copies[producer, number]} times to {queue}, "
                f"accepted by {accepted[copy]} transactions that happened, and came "
                f"{left[copy]} times again"
            )
        elif not consumed and (producer, number) in confirmed:
            found.append(
                f"{producer}:{number} was accepted in transactions that did not happen, and "
                f"never came out of {queue} again"
            )
    return found
