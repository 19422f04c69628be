"""The class "exchange": declare, delete, query, bind, unbind, bound.

Each function executes one command for ``state`` and returns an outcome (``outcome``); it raises
BrokerError, which ends the session. Specification 9.3, 9.4 and 9.5 (how clients resolve names).
"""

from __future__ import annotations

from typing import cast

from tanist.core.broker import Broker
from tanist.sessions.amqp010.outcome import AT_ONCE, after_records
from tanist.sessions.amqp010.state import SessionState
from tanist.wire.amqp010.codec import make
from tanist.wire.amqp010.events import Command
from tanist.wire.amqp010.values import Value


def declare(broker: Broker, state: SessionState, command: Command) -> int:
    """exchange.declare. Raises: BrokerError: 404, 530, 542."""
    struct = command.struct
    exchange = broker.declare_exchange(
        struct.text("exchange"),
        struct.text("type"),
        state.actor,
        passive=struct.flag("passive"),
        durable=struct.flag("durable"),
        alternate_exchange=struct.text("alternate_exchange"),
        arguments=struct.map("arguments"),
        auto_delete=struct.flag("auto_delete"),
    )
    return after_records(exchange.replicated)


def delete(broker: Broker, state: SessionState, command: Command) -> int:
    """exchange.delete. Raises: BrokerError: 404, 406, 530, 542."""
    struct = command.struct
    broker.delete_exchange(struct.text("exchange"), state.actor, struct.flag("if_unused"))
    return AT_ONCE


def query(broker: Broker, state: SessionState, command: Command) -> int:
    """exchange.query: an unknown exchange is an answer, not an error."""
    exchange = broker.exchanges.get(command.struct.text("name"))
    if exchange is None:
        empty: dict[str, Value] = {}
        result = make("exchange.exchange-query-result", type="", not_found=True, arguments=empty)
    else:
        result = make(
            "exchange.exchange-query-result",
            type=exchange.type,
            durable=exchange.durable,
            arguments=cast("dict[str, Value]", exchange.arguments),
        )
    state.result(command.id, result)
    return AT_ONCE


def bind(broker: Broker, state: SessionState, command: Command) -> int:
    """exchange.bind. Raises: BrokerError: 404, 541, 542."""
    struct = command.struct
    broker.bind(
        struct.text("exchange"),
        struct.text("queue"),
        struct.text("binding_key"),
        struct.map("arguments"),
        state.actor,
    )
    return after_records(broker.queues[struct.text("queue")].number > 0)


def unbind(broker: Broker, state: SessionState, command: Command) -> int:
    """exchange.unbind. Raises: BrokerError: 404, 542."""
    struct = command.struct
    broker.unbind(
        struct.text("exchange"), struct.text("queue"), struct.text("binding_key"), state.actor
    )
    return after_records(broker.queues[struct.text("queue")].number > 0)


def bound(broker: Broker, state: SessionState, command: Command) -> int:
    """exchange.bound: tells what of (exchange, queue, key, arguments) is not so."""
    struct = command.struct
    answer = broker.bound(
        struct.text("exchange"),
        struct.text("queue"),
        struct.text("binding_key"),
        struct.map("arguments"),
    )
    result = make(
        "exchange.exchange-bound-result",
        exchange_not_found=answer.exchange_not_found,
        queue_not_found=answer.queue_not_found,
        queue_not_matched=answer.queue_not_matched,
        key_not_matched=answer.key_not_matched,
        args_not_matched=answer.args_not_matched,
    )
    state.result(command.id, result)
    return AT_ONCE
