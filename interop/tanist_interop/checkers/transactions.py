"""Transactions: all or nothing, on both sides.

==================  ===============================================================================
a sender's          what came of its messages
==================  ===============================================================================
committed           all of them (the commit was answered)
rolled back         none: the program asked for it, or lost its broker before it asked for a commit
in doubt            all or none: the commit was asked for and not answered
==================  ===============================================================================

A receiver acknowledges in transactions, too. What it committed never comes again; of a commit that
was not answered all messages come again, or none.

As long as a queue was not drained to the end, what did not come may still be there: only what came
and must not is wrong then.

A run in which the failover met no open transaction, or in which none was committed or none rolled
back, shows nothing. A client that takes no part must be listed in ``CANNOT``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Final

from tanist_interop import history, protocol
from tanist_interop.checkers.finding import MAX_EXAMPLES, Finding, Valid
from tanist_interop.checkers.operations import Commit, Operations
from tanist_interop.checkers.ranges import Messages, Numbers
from tanist_interop.checkers.total_queue import undrained

NAME = "transactions"

CANNOT: Final[dict[str, str]] = {
    "cpp-proton": "Proton C++ 0.37 has no transactions",
    "cpp-qpid": "the program has none",
    "js-rhea": "rhea has no transactions",
}
"""Per client why it uses none; it receives all the same."""

COMMITTED: Final = "committed"
ROLLED_BACK: Final = "rolled back"
LOST: Final = "lost before the commit"
IN_DOUBT: Final = "in doubt"
MIXED: Final = "told in parts"


@dataclass
class Tally:
    """What became of one sender's transactions: how many of each kind."""

    sender: str
    committed: int = 0
    rolled_back: int = 0
    lost: int = 0
    in_doubt: int = 0
    recovered: int = 0
    """Of those in doubt: all their messages came."""


def blocks(send: protocol.Send, attempts: Numbers) -> Iterator[tuple[int, Numbers]]:
    """Each transaction of a sender that was announced: its number, from 1, and its messages."""
    last = max((high for _, high in attempts.ranges()), default=send.first_sn - 1)
    for number, first in enumerate(range(send.first_sn, last + 1, send.transaction), 1):
        found = Numbers(*attempts.common(first, first + send.transaction - 1))
        if found:
            yield number, found


def kind_of(ops: Operations, producer: str, block: Numbers) -> str:
    """What the program said of a transaction."""
    sets = {
        COMMITTED: ops.acknowledged,
        ROLLED_BACK: ops.rolled_back,
        LOST: ops.failed,
        IN_DOUBT: ops.unknown,
    }
    kinds = (kind for kind, told in sets.items() if len(block & told.of(producer)) == len(block))
    return next(kinds, MIXED)


def _sent(ops: Operations, send: protocol.Send, tally: Tally, drained: bool) -> Iterator[str]:
    """Count a sender's transactions; yields what is wrong with them."""
    received = ops.received.of(send.producer)
    for number, block in blocks(send, ops.attempts.of(send.producer)):
        kind = kind_of(ops, send.producer, block)
        came, size = len(block & received), len(block)
        name = f"{send.producer}, transaction {number} ({kind})"
        if kind == MIXED:
            yield f"{name}: its messages have different outcomes"
        elif kind in (ROLLED_BACK, LOST):
            if came:
                yield f"{name}: {came} of {size} messages came"
        elif drained and came < size and (came or kind == COMMITTED):
            yield f"{name}: {came} of {size} messages came"
        tally.committed += kind == COMMITTED
        tally.rolled_back += kind == ROLLED_BACK
        tally.lost += kind == LOST
        tally.in_doubt += kind == IN_DOUBT
        tally.recovered += kind == IN_DOUBT and came == size


def _again(ops: Operations) -> dict[tuple[tuple[str, int], int], Messages]:
    """By transaction of a receiver: which of its messages were delivered after its end."""
    by_message: dict[str, list[tuple[Commit, Messages]]] = {}
    out = {}
    for key, commit in ops.commits.items():
        out[key] = Messages()
        for producer in commit.messages.producers():
            by_message.setdefault(producer, []).append((commit, out[key]))
    for delivery in ops.deliveries:
        for commit, again in by_message.get(delivery.producer, ()):
            if delivery.t > commit.t:
                numbers = commit.messages.of(delivery.producer)
                for first, last in numbers.common(delivery.first, delivery.last):
                    again.add(delivery.producer, first, last)
    return out


def _received(ops: Operations, drained: bool) -> Iterator[str]:
    """What is wrong with the transactions of receivers."""
    for ((source, _), number), again in _again(ops).items():
        commit = ops.commits[(source, _), number]
        size, name = len(commit.messages), f"{source}, transaction {number}"
        if again and not commit.unknown:
            yield f"{name}: {len(again)} of {size} messages came again after the commit"
        elif drained and 0 < len(again) < size:
            yield f"{name}: its commit was not answered, {len(again)} of {size} came again"


def _unclear(ops: Operations, tallies: list[Tally]) -> Iterator[str]:
    """Why the run shows nothing."""
    yield from undrained(ops)
    if not any(tally.lost or tally.in_doubt for tally in tallies):
        yield "no transaction was open when the primary died"
    for tally in tallies:
        if not (tally.committed and tally.rolled_back):
            yield f"{tally.sender}: none committed, or none rolled back"
    if not any(not commit.unknown for commit in ops.commits.values()):
        yield "no receiver committed a transaction"
    for note in history.notes(ops.records, "unable"):
        if note.event["client"] not in CANNOT:
            yield f"{note.event['client']}: {note.event['reason']}, and not listed as such"


def check(ops: Operations) -> Finding:
    """All or nothing for every transaction."""
    tallies: list[Tally] = []
    wrong: list[str] = []
    drained = not undrained(ops)
    for task, send in sorted(ops.senders.items()):
        if send.transaction:
            tallies.append(Tally(ops.name_of(task)))
            wrong += _sent(ops, send, tallies[-1], drained)
    wrong += _received(ops, drained)
    unclear = list(_unclear(ops, tallies))
    commits = Counter(source for (source, _), _ in ops.commits)
    figures: dict[str, object] = {
        "senders": [asdict(tally) for tally in tallies],
        "receivers": dict(sorted(commits.items())),
        "receivers_in_doubt": sum(commit.unknown for commit in ops.commits.values()),
        "unsupported": {
            str(note.event["client"]): CANNOT.get(str(note.event["client"]), "not listed")
            for note in history.notes(ops.records, "unable")
        },
    }
    valid = Valid.FALSE if wrong else Valid.UNKNOWN if unclear else Valid.TRUE
    return Finding(NAME, valid, figures, tuple((wrong + unclear)[: 2 * MAX_EXAMPLES]))
