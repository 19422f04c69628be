"""Local transactions: the coordinator of a session, and what is kept until a discharge.

A client attaches a link to the coordinator, declares transactions on it and discharges them. What
it sends with a transaction's id in the state of the transfer is kept, and so are the outcomes that
it gives so to what it was sent. A commit does all of it in one step, so that it reaches the backups
in one batch: after a failover all of it is there or none. The discharge is confirmed when the gate
opens. A rollback forgets it; messages that the client has settled go back to their queues and may
have been delivered, others stay with their links. A transaction ends with its coordinator's link.

Several transactions may be open at once, but only within their session (capabilities
``amqp:local-transactions`` and ``amqp:multi-txns-per-ssn``). Source: AMQP 1.0, part 4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tanist.core.broker import Broker
from tanist.core.message import Message
from tanist.sessions.amqp10 import outcomes
from tanist.sessions.amqp10.state import Sent, SessionState
from tanist.types import BrokerError, Condition
from tanist.wire.amqp10.composites import DeliveryState, TransactionalState
from tanist.wire.amqp10.events import Disposed

if TYPE_CHECKING:
    from tanist.sessions.amqp10.coordinator import Coordinator

UNKNOWN_ID: Final = "amqp:transaction:unknown-id"
ROLLBACK: Final = "amqp:transaction:rollback"

CAPABILITIES: Final = ("amqp:local-transactions", "amqp:multi-txns-per-ssn")

TRANSACTIONS_MAX: Final = 256
"""Transactions that one session may have open: clients use one, some a few."""

BYTES_MAX: Final = 64 * 1024 * 1024
"""Bytes one transaction may keep back: nobody's queue limit counts them."""

MESSAGES_MAX: Final = 1_000_000
"""Messages, and outcomes, one transaction may keep back: empty ones take memory too."""


class Kept:
    """An outcome within a transaction. ``settled``: the client has forgotten the delivery."""

    __slots__ = ("first", "last", "outcome", "sent", "settled")

    def __init__(
        self, number: int, sent: Sent, outcome: DeliveryState | None, settled: bool
    ) -> None:
        self.first = number
        self.last = number
        self.sent = sent
        self.outcome = outcome
        self.settled = settled


class Transaction:
    """``owner``: the coordinator's link it was declared on. ``bytes``: of the messages kept."""

    __slots__ = ("bytes", "id", "kept", "messages", "owner", "session", "state")

    def __init__(self, id: bytes, state: SessionState, owner: Coordinator) -> None:
        self.id = id
        self.state = state
        self.session = state.session
        self.owner = owner
        self.messages: list[Message] = []
        self.kept: list[Kept] = []
        self.bytes = 0

    def keep(self, message: Message) -> None:
        """Publish ``message`` at the commit.

        Raises: BrokerError (RESOURCE_LIMIT_EXCEEDED) when it is too much; it is not kept then.
        """
        size = self.bytes + message.size
        if size > BYTES_MAX or len(self.messages) >= MESSAGES_MAX:
            raise BrokerError(
                Condition.RESOURCE_LIMIT_EXCEEDED, "the transaction is too large: commit more often"
            )
        self.bytes = size
        self.messages.append(message)

    def dispose(self, event: Disposed) -> bool:
        """Apply the outcome of ``event`` at the commit. False if the transaction is too large.

        The deliveries are the transaction's from now on: they survive the end of their link.
        """
        outcome = outcomes.provisional(event.state)
        taken = self.state.take(event.first, event.last)
        for number, sent in taken:
            self.kept.append(Kept(number, sent, outcome, event.settled))
        return len(self.kept) <= MESSAGES_MAX

    def commit(self, broker: Broker) -> None:
        """Do all of it. Raises: BrokerError as publishing does; nothing is done then."""
        for message in self.messages:
            if not message.exchange and message.routing_key not in broker.queues:
                raise BrokerError(
                    Condition.RESOURCE_DELETED, f"Queue {message.routing_key} has been deleted."
                )
        broker.publish_all(self.messages)
        for outcome, deliveries in _by_outcome(self.kept):
            outcomes.apply(broker, [kept.sent for kept in deliveries], outcome)
            for kept in deliveries:
                if not kept.settled:
                    answer = outcomes.Settled(self.session, kept.first, kept.last, outcome)
                    self.state.answer(answer)
        self.messages = []
        self.kept = []

    def roll_back(self, broker: Broker) -> None:
        """Do none of it."""
        back: list[Sent] = []
        unsettled = self.state.unsettled
        for kept in self.kept:
            consumer = kept.sent.consumer
            if kept.settled or not consumer.alive:
                back.append(kept.sent)
            else:
                unsettled[kept.first] = kept.sent
                consumer.count += 1
        self.messages = []
        self.kept = []
        if back:
            outcomes.apply(broker, back, None)


def _by_outcome(kept: list[Kept]) -> list[tuple[DeliveryState | None, list[Kept]]]:
    """Runs of outcomes that are alike, in their order."""
    groups: list[tuple[DeliveryState | None, list[Kept]]] = []
    for each in kept:
        if groups and groups[-1][0] == each.outcome:
            groups[-1][1].append(each)
        else:
            groups.append((each.outcome, [each]))
    return groups


def disposed(broker: Broker, state: SessionState, event: Disposed) -> None:
    """The client disposed of what we sent, within a transaction.

    Whose id is not known, or which becomes too large, ends the links of these deliveries: there is
    nothing else that a disposition can be answered with.
    """
    assert isinstance(event.state, TransactionalState)
    transaction = state.transactions.get(event.state.txn_id)
    if transaction is not None and transaction.dispose(event):
        return
    if transaction is not None:
        transaction.owner.fail(transaction, "it keeps too many outcomes")
        return
    consumers = {
        sent.consumer.wire.handle: sent.consumer
        for _, sent in _still(state, event.first, event.last)
    }
    for consumer in consumers.values():
        consumer.break_off(UNKNOWN_ID, "the transaction of a disposition is not known")


def _still(state: SessionState, first: int, last: int) -> list[tuple[int, Sent]]:
    unsettled = state.unsettled
    return [(number, unsettled[number]) for number in list(unsettled) if first <= number <= last]
