"""The class "queue": declare, delete, purge, query.

Each function executes one command for ``state`` and returns an outcome (``outcome``); it raises
BrokerError, which ends the session. Specification 9.3, 9.4, 7.6.
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
    """queue.declare. Raises: BrokerError: 404, 405, 530, 531, 542."""
    struct = command.struct
    queue = broker.declare_queue(
        struct.text("queue"),
        state.actor,
        passive=struct.flag("passive"),
        durable=struct.flag("durable"),
        exclusive=struct.flag("exclusive"),
        auto_delete=struct.flag("auto_delete"),
        alternate_exchange=struct.text("alternate_exchange"),
        arguments=struct.map("arguments"),
    )
    return after_records(queue.number > 0)


def delete(broker: Broker, state: SessionState, command: Command) -> int:
    """queue.delete. Raises: BrokerError: 404, 405, 406, 531."""
    struct = command.struct
    broker.delete_queue(
        struct.text("queue"), state.actor, struct.flag("if_unused"), struct.flag("if_empty")
    )
    return AT_ONCE


def purge(broker: Broker, state: SessionState, command: Command) -> int:
    """queue.purge. Raises: BrokerError: 404, 531."""
    name = command.struct.text("queue")
    broker.purge(name, state.actor)
    return after_records(broker.queues[name].number > 0)


def query(broker: Broker, state: SessionState, command: Command) -> int:
    """queue.query: an unknown queue is answered by a result without any field."""
    queue = broker.queues.get(command.struct.text("queue"))
    if queue is None:
        result = make("queue.queue-query-result")
    else:
        result = make(
            "queue.queue-query-result",
            queue=queue.name,
            alternate_exchange=queue.alternate_exchange,
            durable=queue.durable,
            exclusive=queue.exclusive,
            auto_delete=queue.auto_delete,
            arguments=cast("dict[str, Value]", queue.arguments),
            message_count=min(queue.available, 0xFFFFFFFF),
            subscriber_count=queue.subscription_count,
        )
    state.result(command.id, result)
    return AT_ONCE
