"""The coordinator: the link on which a session's transactions are declared and discharged.

A message on it has a body of one value, *declare* or *discharge*. Declare is answered with the
outcome *declared*, discharge with *accepted* when the records of the commit are safe; a commit that
cannot be done is *rejected* with ``amqp:transaction:rollback``, and is rolled back.
Source: AMQP 1.0, 4.2, 4.3, 4.5.
"""

from __future__ import annotations

from typing import Final

from tanist.core.broker import Broker
from tanist.sessions.amqp10.nodes import Nodes
from tanist.sessions.amqp10.producer import ACCEPTED, Producer, symbol_of
from tanist.sessions.amqp10.registry import Key, Registry
from tanist.sessions.amqp10.state import SessionState
from tanist.sessions.amqp10.transactions import (
    ROLLBACK,
    TRANSACTIONS_MAX,
    UNKNOWN_ID,
    Transaction,
)
from tanist.types import BrokerError, Condition, FramingError
from tanist.wire.amqp10.composing import composite_of
from tanist.wire.amqp10.composites import Declare, Declared, Discharge, Error, Rejected
from tanist.wire.amqp10.conditions import NOT_ALLOWED
from tanist.wire.amqp10.events import Delivery
from tanist.wire.amqp10.receiver import Receiver
from tanist.wire.amqp10.sections import VALUE, split_message
from tanist.wire.amqp10.values import Composite

CREDIT: Final = 100
"""Requests that may be under way: clients wait for the answer to each."""


class Coordinator(Producer):
    """Takes requests instead of messages."""

    __slots__ = ()

    def __init__(
        self, nodes: Nodes, state: SessionState, wire: Receiver, registry: Registry, key: Key
    ) -> None:
        super().__init__(nodes, state, wire, None, CREDIT, False, registry, key)

    def receive(self, event: Delivery) -> None:
        """Handle a request."""
        if event.settled or event.state is not None:
            self.break_off(NOT_ALLOWED, "requests to the coordinator are sent unsettled")
            return
        try:
            request = _request_of(event)
            if isinstance(request, Declare):
                self._declare(event, request)
            elif isinstance(request, Discharge):
                self._discharge(event, request)
            else:
                raise FramingError("neither declare nor discharge")
        except BrokerError as error:
            self.settle(event.id, event.id, Rejected(Error(symbol_of(error), error.text)))
        if self.wire.credit <= self._low:
            self.refill()

    def _declare(self, event: Delivery, request: Declare) -> None:
        if request.global_id is not None:
            raise BrokerError(Condition.NOT_IMPLEMENTED, "there are no distributed transactions")
        transactions = self.state.transactions
        if len(transactions) >= TRANSACTIONS_MAX:
            raise BrokerError(
                Condition.RESOURCE_LIMIT_EXCEEDED,
                f"the session has {TRANSACTIONS_MAX} transactions: discharge some",
            )
        self.state.declared += 1
        transaction = Transaction(self.state.declared.to_bytes(8, "big"), self.state, self)
        transactions[transaction.id] = transaction
        self.settle(event.id, event.id, Declared(transaction.id))

    def _discharge(self, event: Delivery, request: Discharge) -> None:
        broker: Broker = self.broker
        transaction = self.state.transactions.pop(request.txn_id, None)
        if transaction is None:
            error = Error(UNKNOWN_ID, "the transaction to be discharged is not known")
            self.settle(event.id, event.id, Rejected(error))
            return
        if request.fail:
            transaction.roll_back(broker)
            self.settle(event.id, event.id, ACCEPTED)
            return
        recorded = len(broker.journal)
        try:
            transaction.commit(broker)
        except BrokerError as failure:
            transaction.roll_back(broker)
            self.settle(event.id, event.id, Rejected(Error(ROLLBACK, failure.text)))
            return
        if len(broker.journal) == recorded and not self.holding.count:
            self.settle(event.id, event.id, ACCEPTED)
        elif self.holding.add(event.id):
            self.work.touched.append(self)

    def fail(self, transaction: Transaction, text: str) -> None:
        """``transaction`` cannot be committed any more: its coordinator ends."""
        self.break_off(ROLLBACK, f"the transaction is rolled back: {text}")

    def end(self) -> None:
        """Roll back what was declared on this link. Idempotent."""
        if self.alive:
            super().end()
            transactions = self.state.transactions
            for transaction in list(transactions.values()):
                if transaction.owner is self:
                    del transactions[transaction.id]
                    transaction.roll_back(self.broker)


def _request_of(event: Delivery) -> Composite | None:
    parts = split_message(event.payload)
    if parts.body_kind != VALUE:
        raise FramingError("a request to the coordinator has a body of one value")
    return composite_of(parts.read_body_value())
