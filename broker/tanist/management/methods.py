"""The methods of the broker object that create, delete and move things (qpidd-compat 5.3).

What they do is done by the commands that clients use, with the errors that clients get; management
has no owner, so its queues are nobody's and it may delete anybody's. Names of bindings are
``exchange/queue/key``; the key is the rest, whatever is in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tanist.core.arguments import REPLICATE, explicit_level
from tanist.core.broker import Broker
from tanist.core.notices import Actor
from tanist.core.relocation import Removal
from tanist.management.arguments import (
    count,
    flag,
    header_filter,
    mapping,
    properties,
    text,
)
from tanist.management.managed import InvalidParameter, Work
from tanist.types import BrokerError, Condition, ReplicationLevel
from tanist.wire.amqp010.values import Value

QUEUE_TYPE: Final = "queue"
EXCHANGE_TYPES: Final = ("exchange", "topic")
BINDING_TYPE: Final = "binding"
ABSENT_TYPES: Final = (
    "link",
    "bridge",
    "domain",
    "incoming",
    "outgoing",
    "queuepolicy",
    "topicpolicy",
)
"""Object types of the original that this version has not."""


def create(broker: Broker, arguments: dict[str, Value], actor: Actor) -> dict[str, Value]:
    """``create(type, name, properties, strict)``. ``strict`` means nothing, as in the original.

    Raises: BrokerError, among them ILLEGAL_STATE: it exists; NOT_ALLOWED: it would be replicated,
    and this broker is a backup.
    """
    kind, name = text(arguments, "type"), text(arguments, "name")
    given = properties(arguments, "properties")
    if kind == QUEUE_TYPE:
        _create_queue(broker, name, given, actor)
    elif kind in EXCHANGE_TYPES:
        _create_exchange(broker, name, given, actor)
    elif kind == BINDING_TYPE:
        exchange, queue, key = _binding_names(name)
        broker.bind(exchange, queue, key, given, actor)
    else:
        raise _no_such_type(kind, f"Cannot create {kind} {name}")
    return {}


def _create_queue(broker: Broker, name: str, given: dict[str, Value], actor: Actor) -> None:
    if name in broker.queues:
        raise BrokerError(Condition.ILLEGAL_STATE, f"Queue {name} already exists")
    durable = _take_flag(given, "durable")
    auto_delete = _take_flag(given, "auto-delete")
    alternate = _take_text(given, "alternate-exchange")
    _require_local(broker, f"Queue {name}", given)
    broker.declare_queue(
        name,
        actor,
        durable=durable,
        auto_delete=auto_delete,
        alternate_exchange=alternate,
        arguments=given,
    )


def _create_exchange(broker: Broker, name: str, given: dict[str, Value], actor: Actor) -> None:
    if name in broker.exchanges:
        raise BrokerError(Condition.ILLEGAL_STATE, f"Exchange {name!r} already exists")
    kind = _take_text(given, "exchange-type") or "topic"
    durable = _take_flag(given, "durable")
    auto_delete = _take_flag(given, "auto-delete")
    alternate = _take_text(given, "alternate-exchange")
    _require_local(broker, f"Exchange {name}", given)
    broker.declare_exchange(
        name,
        kind,
        actor,
        durable=durable,
        auto_delete=auto_delete,
        alternate_exchange=alternate,
        arguments=given,
    )


def delete(broker: Broker, arguments: dict[str, Value], actor: Actor) -> dict[str, Value]:
    """``delete(type, name, options)``; options of queues: ``if_empty``, ``if_unused``.

    To delete a binding that is not there is no error, as in the original. Raises: BrokerError.
    """
    kind, name = text(arguments, "type"), text(arguments, "name")
    options = mapping(arguments, "options")
    if kind == QUEUE_TYPE:
        broker.delete_queue(name, actor, flag(options, "if_unused"), flag(options, "if_empty"))
    elif kind in EXCHANGE_TYPES:
        broker.delete_exchange(name, actor)
    elif kind == BINDING_TYPE:
        exchange, queue, key = _binding_names(name)
        broker.unbind(exchange, queue, key, actor)
    else:
        raise _no_such_type(kind, f"Cannot delete {kind} {name}")
    return {}


def _require_local(broker: Broker, what: str, arguments: Mapping[str, object]) -> None:
    """Refuse to create on a backup what only its primary may (qpidd-compat 10, guide)."""
    if not broker.config.ha or broker.serving:
        return
    level = explicit_level(arguments)
    if level is None:
        level = broker.config.default_level
    if level != ReplicationLevel.NONE:
        raise BrokerError(
            Condition.NOT_ALLOWED,
            f"{what} would be replicated: only the primary may create it (or say {REPLICATE}=none)",
        )


def _binding_names(name: str) -> tuple[str, str, str]:
    """Exchange, queue and key of a binding called ``name``. Raises: InvalidParameter."""
    parts = name.split("/", 2)
    if len(parts) == 1:
        parts = ["", name]
    if not parts[1]:
        raise InvalidParameter(f"Invalid binding identifier {name!r}: use exchange/queue[/key]")
    return parts[0], parts[1], parts[2] if len(parts) > 2 else ""


def _no_such_type(kind: str, what: str) -> BrokerError:
    if kind in ABSENT_TYPES:
        return BrokerError(
            Condition.NOT_IMPLEMENTED,
            f"{what}: this version has no objects of type {kind}",
        )
    return InvalidParameter(
        f"Unknown object type {kind!r}: use {QUEUE_TYPE}, {', '.join(EXCHANGE_TYPES)} or"
        f" {BINDING_TYPE}"
    )


def _take_flag(given: dict[str, Value], name: str) -> bool:
    value = flag(given, name)
    given.pop(name, None)
    return value


def _take_text(given: dict[str, Value], name: str) -> str:
    value = text(given, name)
    given.pop(name, None)
    return value


class RemovalWork(Work):
    """A purge, move or reroute, piece by piece."""

    __slots__ = ("_broker", "_removal")

    def __init__(self, broker: Broker, removal: Removal) -> None:
        self._broker = broker
        self._removal = removal

    def go_on(self) -> dict[str, Value] | None:
        """See ``Work``. The error of a later piece says what the earlier ones did."""
        removal = self._removal
        try:
            return {} if self._broker.remove_piece(removal) else None
        except BrokerError as error:
            if not removal.done:
                raise
            raise BrokerError(
                error.condition, f"{error.text}; {removal.done} messages had been taken before"
            ) from error


def move_messages(broker: Broker, arguments: dict[str, Value]) -> Work:
    """``queueMoveMessages(srcQueue, destQueue, qty, filter)``. Raises: BrokerError."""
    source, target = text(arguments, "srcQueue"), text(arguments, "destQueue")
    quantity, fits = count(arguments, "qty"), header_filter(arguments)
    try:
        removal = broker.move_some(source, target, quantity, fits)
    except BrokerError as error:
        raise as_parameter(error) from error
    return RemovalWork(broker, removal)


def purge_queue(broker: Broker, name: str, arguments: dict[str, Value]) -> Work:
    """``purge(request, filter)`` of queue ``name``. Raises: BrokerError."""
    request, fits = count(arguments, "request"), header_filter(arguments)
    return RemovalWork(broker, broker.purge_some(name, request, fits))


def reroute_queue(broker: Broker, name: str, arguments: dict[str, Value]) -> Work:
    """``reroute(request, useAltExchange, exchange, filter)`` of queue ``name``.

    Raises: BrokerError.
    """
    request, fits = count(arguments, "request"), header_filter(arguments)
    exchange = None if flag(arguments, "useAltExchange") else text(arguments, "exchange")
    try:
        removal = broker.reroute_some(name, exchange, request, fits)
    except BrokerError as error:
        raise as_parameter(error) from error
    return RemovalWork(broker, removal)


def as_parameter(error: BrokerError) -> BrokerError:
    """``error`` as one of a wrong argument, if it says that what an argument names is not there."""
    if error.condition in (Condition.NOT_FOUND, Condition.ILLEGAL_ARGUMENT):
        return InvalidParameter(error.text)
    return error
