"""Messages that clients publish: ``message.transfer`` in, ``Broker.publish`` out.

The hot half of publishing. Header and body stay the bytes that arrived; only the delivery
properties are looked at (a cached look-up per producer). Application headers are decoded only for
exchanges that route by them (``translation.headers_of``).

In a transaction a message is checked and kept until ``tx.commit`` (``transactions``). Whether the
completion of a transfer must wait for the gate is told by the journal: if publishing recorded
something, it must. Specification 9.2, 9.3; clients.md R7.
"""

from __future__ import annotations

from typing import Final

from tanist.core.broker import Broker
from tanist.core.message import NEVER, Message
from tanist.sessions.amqp010.consumer import ACCEPT_EXPLICIT
from tanist.sessions.amqp010.state import SessionState
from tanist.types import BrokerError, Condition
from tanist.wire.amqp010.events import Transfer
from tanist.wire.amqp010.transfer import (
    DeliveryProperties,
    message_properties,
    scan_header,
)

TRANSACTION_BYTES_MAX: Final = 64 * 1024 * 1024
"""Bytes one transaction may keep back: nobody's queue limit counts them."""

TTL_MS_MAX: Final = 1 << 53
"""Longest time to live that counts, milliseconds: with more (it has 64 bits) a message lives for
ever, because no clock of ours can name its end."""

TRANSACTION_MESSAGES_MAX: Final = 1_000_000
"""Messages one transaction may keep back: empty ones take memory too."""


def publish(broker: Broker, state: SessionState, event: Transfer, check_user: bool) -> None:
    """Do one transfer of the client and complete or hold it.

    Raises: BrokerError: 404 no such exchange, 403 user-id of somebody else, 506 queue full;
    FramingError for a header segment that breaks the protocol.
    """
    header = event.header
    properties = scan_header(header)
    message = Message(
        header,
        event.body,
        event.destination,
        properties.routing_key,
        properties.durable,
        properties.priority,
        _expiry(properties, broker.now) if 0 < properties.ttl_ms <= TTL_MS_MAX else NEVER,
        properties.redelivered,
        event.bodiless,
        state.link.number,
    )
    if check_user:
        check_user_id(header, state.link.user)
    state.published += 1
    command_id = event.id
    if state.transaction is not None:
        _keep(broker, state, message)
        state.session.complete(command_id, command_id)
        if event.accept_mode == ACCEPT_EXPLICIT:
            state.session.send_accept([(command_id, command_id)])
        return
    recorded = len(broker.journal)
    broker.publish(message, event.destination)
    if len(broker.journal) == recorded:
        if event.accept_mode == ACCEPT_EXPLICIT:
            state.session.send_accept([(command_id, command_id)])
        state.session.complete(command_id, command_id)
        return
    if state.holding.add(command_id):
        state.work.touched.append(state)
    if event.accept_mode == ACCEPT_EXPLICIT:
        state.holding.add_accept(command_id)


def _expiry(properties: DeliveryProperties, now: float) -> float:
    return now + properties.ttl_ms / 1000


def check_user_id(header: bytes, user: str) -> None:
    """A message may name nobody but its authenticated sender.

    Raises: BrokerError (UNAUTHORIZED_ACCESS).
    """
    properties = message_properties(header)
    if properties is None:
        return
    claimed = properties.octets("user_id").decode("utf-8", "replace")
    if claimed and claimed != user and claimed != user.partition("@")[0]:
        raise BrokerError(
            Condition.UNAUTHORIZED_ACCESS,
            f"authorised user id : {user} but user id in message declared as {claimed}",
        )


def _keep(broker: Broker, state: SessionState, message: Message) -> None:
    transaction = state.transaction
    assert transaction is not None
    if message.exchange not in broker.exchanges:
        raise BrokerError(Condition.NOT_FOUND, f"Exchange not found: {message.exchange}")
    transaction.bytes += message.size
    transaction.publishes.append(message)
    if (
        transaction.bytes > TRANSACTION_BYTES_MAX
        or len(transaction.publishes) > TRANSACTION_MESSAGES_MAX
    ):
        raise BrokerError(
            Condition.RESOURCE_LIMIT_EXCEEDED,
            f"the transaction of session {state.name} is too large: commit more often",
        )
