"""The outcomes of deliveries that we sent: what a client's disposition does to the broker.

====================  =============================================================================
accepted              consumed
rejected              to the alternate exchange of the queue, else dropped
released              back to its place, as if it had not been delivered
modified              back to its place; ``delivery-failed``: the delivery counts;
                      ``undeliverable-here``: not to this link again; ``message-annotations``:
                      merged into those of the message
none, but settled     what the source gave as its default outcome
====================  =============================================================================

Without a default outcome, and with one that is not terminal, the message goes back and may have
been delivered. What was only shown to a browser is nobody's: outcomes mean nothing to it.
Source: AMQP 1.0, 3.4; 3.5.3 "source" for the default outcome.
"""

from __future__ import annotations

from typing import Final

from tanist.core.broker import Broker
from tanist.core.records import Entry
from tanist.sessions.amqp10.annotations import annotate
from tanist.sessions.amqp10.holding import Answer
from tanist.sessions.amqp10.state import Sent, SessionState
from tanist.wire.amqp10.composites import (
    Accepted,
    DeliveryState,
    Modified,
    Rejected,
    Released,
    TransactionalState,
)
from tanist.wire.amqp10.events import Disposed
from tanist.wire.amqp10.session import Session

TERMINAL: Final = (Accepted, Rejected, Released, Modified)


class Settled(Answer):
    """We settle, too: the client waits for it because it settles second."""

    __slots__ = ("first", "last", "outcome", "session")

    def __init__(
        self, session: Session, first: int, last: int, outcome: DeliveryState | None
    ) -> None:
        self.session = session
        self.first = first
        self.last = last
        self.outcome = outcome

    def give(self) -> None:
        """Say that it is settled."""
        self.session.settle_sent(self.first, self.last, self.outcome)


def disposed(broker: Broker, state: SessionState, event: Disposed) -> None:
    """The client disposed of what we sent. A transaction's dispositions are not for this."""
    outcome = event.state
    terminal = isinstance(outcome, TERMINAL)
    if not event.settled and not terminal:
        return
    taken = state.take(event.first, event.last)
    if not taken:
        return
    recorded = len(broker.journal)
    if terminal:
        apply(broker, [sent for _, sent in taken], outcome)
    else:
        for _, sent in taken:
            apply(broker, [sent], sent.consumer.default_outcome)
    if event.settled:
        return
    for first, last in _runs([number for number, _ in taken]):
        answer = Settled(state.session, first, last, outcome)
        if len(broker.journal) > recorded:
            state.answer(answer)
        else:
            answer.give()


def apply(broker: Broker, deliveries: list[Sent], outcome: DeliveryState | None) -> None:
    """Do what ``outcome`` says with ``deliveries``, which are not unsettled any more."""
    entries: list[Entry] = []
    for sent in deliveries:
        entry = sent.entry
        if entry.holder is sent.consumer.subscription:
            entries.append(entry)
    if not entries:
        return
    if isinstance(outcome, Accepted):
        broker.dequeue(entries)
    elif isinstance(outcome, Rejected):
        broker.reject(entries)
    elif isinstance(outcome, Modified):
        _modify(broker, deliveries, entries, outcome)
    else:
        broker.release(entries, redelivered=not isinstance(outcome, Released))


def _modify(
    broker: Broker, deliveries: list[Sent], entries: list[Entry], outcome: Modified
) -> None:
    if outcome.message_annotations:
        for entry in entries:
            annotate(broker, entry, outcome.message_annotations)
    if outcome.undeliverable_here:
        too_many: list[Entry] = []
        full: object | None = None
        for sent in deliveries:
            entry, consumer = sent.entry, sent.consumer
            if entry.holder is not consumer.subscription:
                continue
            if consumer is full or not consumer.refuse(entry):
                full = consumer  # it would look through all that it refused, for each of them
                too_many.append(entry)
        if too_many:
            broker.reject(too_many)
    broker.release(entries, redelivered=outcome.delivery_failed is True)


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


def provisional(state: DeliveryState | None) -> DeliveryState | None:
    """The outcome within a transactional state."""
    return state.outcome if isinstance(state, TransactionalState) else state
