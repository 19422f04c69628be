"""Local transactions: tx.select, tx.commit, tx.rollback.

Publishes and accepts since ``tx.select`` are kept in ``SessionState.transaction`` and done together
at commit, within one step, so that they reach the backups in one batch: after a failover all of it
is there or none. A rollback forgets both. Messages accepted in a transaction stay with the session
after a rollback, as in the original: the client releases them, or its end does. Session end is a
rollback. Commit completes after everything before it (specification 9.2).
"""

from __future__ import annotations

from tanist.core.broker import Broker
from tanist.core.records import Entry
from tanist.sessions.amqp010.outcome import AFTER_EARLIER, AT_ONCE
from tanist.sessions.amqp010.state import SessionState, Transaction
from tanist.types import BrokerError, Condition
from tanist.wire.amqp010.events import Command


def select(broker: Broker, state: SessionState, command: Command) -> int:
    """tx.select: from now on the session is transactional."""
    if state.transaction is None:
        state.transaction = Transaction()
    return AT_ONCE


def commit(broker: Broker, state: SessionState, command: Command) -> int:
    """tx.commit: all of it, or nothing.

    Raises: BrokerError: 503 without select; 404, 506 as publishing does.
    """
    transaction = _transaction_of(state)
    broker.publish_all(transaction.publishes)
    state.transaction = Transaction()
    entries: list[Entry] = []
    for command_id, delivery in transaction.accepts.items():
        if state.unacked.get(command_id) is delivery:
            del state.unacked[command_id]
            if delivery.entry.holder is delivery.subscription:
                entries.append(delivery.entry)
    if entries:
        broker.dequeue(entries)
    return AFTER_EARLIER


def rollback(broker: Broker, state: SessionState, command: Command) -> int:
    """tx.rollback. Raises: BrokerError: 503 without select."""
    _transaction_of(state)
    state.transaction = Transaction()
    return AFTER_EARLIER


def _transaction_of(state: SessionState) -> Transaction:
    if state.transaction is None:
        raise BrokerError(
            Condition.COMMAND_INVALID, "Session has not been selected for use with transactions"
        )
    return state.transaction
