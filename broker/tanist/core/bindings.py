"""The commands on exchanges and bindings.

``Bindings`` adds them to ``Delivery``; ``Broker`` builds on it. Each decides, makes a record, does
it to memory with the function that replicas use, appends it to ``journal`` if the object is
replicated, and says what changed in ``notices``. Errors are those of qpidd-compat 9.4, the built-in
exchanges those of 5.5 and section 3. A binding is replicated when its queue is and its exchange is
or is built in, unless its arguments say ``qpid.replicate: none``: unlike the original, bindings to
built-in exchanges survive a failover.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from tanist.core.arguments import EXCLUSIVE_BINDING, HA_UUID, REPLICATE, explicit_level
from tanist.core.delivery import Delivery
from tanist.core.exchange import Binding, Exchange, FailoverExchange
from tanist.core.message import Message
from tanist.core.notices import (
    Actor,
    BindNotice,
    ExchangeDeclareNotice,
    ExchangeDeleteNotice,
    UnbindNotice,
)
from tanist.core.queue import Queue
from tanist.core.records import Bound, ExchangeDeclared, ExchangeDeleted, Unbound
from tanist.core.state import FAILOVER, BrokerConfig
from tanist.types import BrokerError, Condition, ReplicationLevel

EXCHANGES_MAX: Final = 65_434
"""Exchanges in all: the original's limit for replicated queues (qpidd-compat 6.4)."""

BINDINGS_MAX: Final = 65_536
"""Bindings of one queue: a client that binds in a loop must end."""

NAME_BYTES_MAX: Final = 255
"""Longest name or key: str8 of AMQP 0-10."""

TEXT_BYTES_MAX: Final = 65_535
"""Longest text of an argument: str16 of AMQP 0-10."""


@dataclass(frozen=True)
class BoundResult:
    """The flags of exchange.bound; all False: bound as asked."""

    exchange_not_found: bool = False
    queue_not_found: bool = False
    queue_not_matched: bool = False
    key_not_matched: bool = False
    args_not_matched: bool = False


class Bindings(Delivery):
    """Messages, and the exchanges and bindings they are routed by."""

    __slots__ = ("_failover_message", "_new_uuid")

    def __init__(
        self,
        config: BrokerConfig,
        new_uuid: Callable[[], UUID],
        headers_of: Callable[[Message], Mapping[str, object]],
        failover_message: Callable[[], Message | None] | None,
    ) -> None:
        super().__init__(config, headers_of)
        self._new_uuid = new_uuid
        self._failover_message = failover_message

    def new_uuid(self) -> UUID:
        """A new id from the source that was given; never the same again."""
        return self._new_uuid()

    def find_queue(self, name: str) -> Queue:
        """The queue ``name``. Raises: BrokerError (ILLEGAL_ARGUMENT: empty name; NOT_FOUND)."""
        if not name:
            raise BrokerError(Condition.ILLEGAL_ARGUMENT, "No queue name specified")
        queue = self.queues.get(name)
        if queue is None:
            raise BrokerError(Condition.NOT_FOUND, f"Queue not found: {name}")
        return queue

    # Exchanges.

    def find_exchange(self, name: str) -> Exchange:
        """The exchange ``name`` ("" = default). Raises: BrokerError (NOT_FOUND)."""
        exchange = self.exchanges.get(name)
        if exchange is None:
            raise BrokerError(Condition.NOT_FOUND, f"Exchange not found: {name}")
        return exchange

    def declare_exchange(
        self,
        name: str,
        type: str,
        actor: Actor,
        passive: bool = False,
        durable: bool = False,
        alternate_exchange: str = "",
        arguments: Mapping[str, object] | None = None,
        auto_delete: bool = False,
    ) -> Exchange:
        """Create the exchange, or check it (``passive``), or find it.

        ``auto_delete``: it goes with its last binding. ``type`` "" with ``passive``: any.
        Raises: BrokerError (NOT_FOUND: passive, the alternate, or an unknown type; NOT_ALLOWED:
        reserved name, or it exists with another type or alternate; INVALID_ARGUMENT: arguments;
        RESOURCE_LIMIT_EXCEEDED).
        """
        if passive:
            exchange = self.find_exchange(name)
            _check_same(exchange, type, alternate_exchange)
            return exchange
        if name.startswith(("amq.", "qpid.")):
            raise BrokerError(
                Condition.NOT_ALLOWED,
                f'Exchange names beginning with "amq." or "qpid." are reserved: {name}',
            )
        present = self.exchanges.get(name)
        if present is not None:
            _check_same(present, type, alternate_exchange)
            self._announce_exchange(present, actor, False)
            return present
        check_arguments(arguments or {})
        record = ExchangeDeclared(
            name, type, durable, alternate_exchange, dict(arguments or {}), auto_delete
        )
        exchange = self._create_exchange(record)
        self._announce_exchange(exchange, actor, True)
        return exchange

    def _create_exchange(self, record: ExchangeDeclared) -> Exchange:
        """``record`` is new: its arguments are completed here."""
        check_name(record.name)
        self._check_alternate(record.alternate_exchange)
        if len(self.exchanges) >= EXCHANGES_MAX:
            raise limit(f"Cannot create exchange {record.name}: there are {EXCHANGES_MAX}")
        level = ReplicationLevel.NONE
        if self.config.ha and self.serving:
            explicit = explicit_level(record.arguments)
            level = self.config.default_level if explicit is None else explicit
            self._write_level(record.arguments, level)
        exchange = self._add_exchange(record, level != ReplicationLevel.NONE)
        if exchange.replicated:
            self.journal.append(record)
        return exchange

    def _announce_exchange(self, exchange: Exchange, actor: Actor, created: bool) -> None:
        self.notices.append(
            ExchangeDeclareNotice(
                actor,
                exchange.name,
                exchange.type,
                exchange.durable,
                exchange.alternate_exchange,
                exchange.arguments,
                created,
            )
        )

    def delete_exchange(self, name: str, actor: Actor, if_unused: bool = False) -> None:
        """Delete the exchange and its bindings.

        Raises: BrokerError (INVALID_ARGUMENT: the default exchange; NOT_FOUND; NOT_ALLOWED: built
        in, in use as alternate, or on a replica; PRECONDITION_FAILED: has bindings).
        """
        _refuse_default(name)
        exchange = self.find_exchange(name)
        if exchange.builtin:
            raise BrokerError(
                Condition.NOT_ALLOWED, f"Cannot delete {name}: it is a standard exchange"
            )
        if self.alternate_uses.get(name):
            raise BrokerError(
                Condition.NOT_ALLOWED, f"Cannot delete {name}, in use as alternate-exchange."
            )
        if if_unused and exchange.bindings:
            raise BrokerError(
                Condition.PRECONDITION_FAILED, f"Cannot delete exchange {name}; exchange in use"
            )
        if exchange.replicated:
            self._require_serving(f"Exchange {name}")
        self._delete_exchange(exchange, actor)

    def _delete_exchange(self, exchange: Exchange, actor: Actor) -> None:
        if exchange.replicated:
            self.journal.append(ExchangeDeleted(exchange.name))
        self._remove_exchange(exchange)
        self.notices.append(ExchangeDeleteNotice(actor, exchange.name))

    def _abandon(self, exchange: Exchange, actor: Actor) -> None:
        """``exchange`` lost a binding: auto-delete it if that was the last use of it."""
        if (
            exchange.auto_delete
            and not exchange.bindings
            and self.exchanges.get(exchange.name) is exchange
            and not self.alternate_uses.get(exchange.name)
            and (self.serving or not exchange.replicated)
        ):
            self._delete_exchange(exchange, actor)

    def _require_serving(self, what: str) -> None:
        if not self.serving:
            raise BrokerError(
                Condition.NOT_ALLOWED, f"{what} is replicated: only the primary may change it"
            )

    # Bindings.

    def bind(
        self,
        exchange: str,
        queue: str,
        key: str,
        arguments: Mapping[str, object] | None,
        actor: Actor,
    ) -> bool:
        """Bind; return True if this is a new binding.

        Binding to amq.failover sends the failover message each time. ``qpid.exclusive-binding``
        on a direct exchange unbinds all other queues from the key.
        Raises: BrokerError (INVALID_ARGUMENT: default exchange; ILLEGAL_ARGUMENT, NOT_FOUND;
        RESOURCE_LOCKED: another session's queue; INTERNAL_ERROR: headers binding without x-match;
        NOT_ALLOWED on a replica).
        """
        _refuse_default(exchange)
        target = self.find_queue(queue)
        source = self.find_exchange(exchange)
        require_access(target, actor, "bind")
        given = dict(arguments or {})
        check_arguments(given)
        self._require_writable(target)
        source.check(target, key, given)
        if given.get(EXCLUSIVE_BINDING) and type(source) is Exchange:
            for other in list(source.by_key.get(key, {}).values()):
                if other is not target:
                    self._require_writable(other)
                    self._unbind(source.bindings[other.name, key], actor)
        fresh = (queue, source.identity(key)) not in source.bindings
        if fresh:
            self._bind(source, target, key, given, actor)
        if isinstance(source, FailoverExchange):
            self._send_failover([target])
        return fresh

    def _bind(
        self,
        exchange: Exchange,
        queue: Queue,
        key: str,
        arguments: dict[str, object],
        actor: Actor,
    ) -> None:
        check_name(key)
        if len(queue.bindings) >= BINDINGS_MAX:
            raise limit(f"Cannot bind queue {queue.name}: it has {BINDINGS_MAX} bindings")
        replicated = (
            queue.number > 0
            and (exchange.replicated or exchange.builtin)
            and explicit_level(arguments) != ReplicationLevel.NONE
        )
        self._add_binding(exchange, queue, key, arguments, replicated)
        if replicated:
            self.journal.append(Bound(exchange.name, queue.name, key, arguments))
        self.notices.append(BindNotice(actor, exchange.name, queue.name, key, arguments))

    def unbind(self, exchange: str, queue: str, key: str, actor: Actor) -> bool:
        """Remove a binding; return whether there was one.

        Raises: BrokerError (INVALID_ARGUMENT: default exchange; ILLEGAL_ARGUMENT, NOT_FOUND;
        RESOURCE_LOCKED: another session's queue; NOT_ALLOWED on a replica).
        """
        _refuse_default(exchange)
        target = self.find_queue(queue)
        source = self.find_exchange(exchange)
        require_access(target, actor, "unbind")
        binding = source.bindings.get((queue, source.identity(key)))
        if binding is None:
            return False
        self._require_writable(target)
        self._unbind(binding, actor)
        self._abandon(source, actor)
        return True

    def _unbind(self, binding: Binding, actor: Actor) -> None:
        exchange = binding.exchange
        queue = binding.queue
        self._remove_binding(exchange, queue, binding.key)
        if binding.replicated:
            self.journal.append(Unbound(exchange.name, queue.name, binding.key))
        self.notices.append(UnbindNotice(actor, exchange.name, queue.name, binding.key))

    def bound(
        self, exchange: str, queue: str, key: str, arguments: Mapping[str, object] | None
    ) -> BoundResult:
        """exchange.bound: "", "" and None or {} mean "not asked" for queue, key and arguments."""
        source = self.exchanges.get(exchange)
        target = self.queues.get(queue)
        queue_missing = bool(queue) and target is None
        if source is None or queue_missing:
            return BoundResult(source is None, queue_missing)
        given = arguments or {}
        if source.is_bound(target, key, given):
            return BoundResult()
        return BoundResult(
            False,
            False,
            target is not None and not source.is_bound(target, "", {}),
            bool(key) and not source.is_bound(None, key, {}),
            bool(given) and not source.is_bound(None, "", given),
        )

    def publish_failover(self) -> None:
        """The failover message changed: send it to every queue bound to amq.failover."""
        exchange = self.exchanges.get(FAILOVER)
        if isinstance(exchange, FailoverExchange):
            self._send_failover(exchange.bound_queues())

    def _send_failover(self, queues: list[Queue]) -> None:
        message = None if self._failover_message is None else self._failover_message()
        if message is not None:
            for queue in queues:
                if self.serving or not queue.number:
                    self._push(queue, message)

    def _write_level(self, arguments: dict[str, object], level: ReplicationLevel) -> None:
        """Write the effective level back, and an identity (qpidd-compat 6.4, 7.1)."""
        arguments[REPLICATE] = level.name.lower()
        if level != ReplicationLevel.NONE:
            arguments[HA_UUID] = self._new_uuid()

    def _check_alternate(self, name: str) -> None:
        if name and name not in self.exchanges:
            raise BrokerError(Condition.NOT_FOUND, f"Alternate exchange not found: {name}")


def limit(text: str) -> BrokerError:
    """The error of a table that is full."""
    return BrokerError(Condition.RESOURCE_LIMIT_EXCEEDED, text)


def locked(text: str) -> BrokerError:
    """The error of a queue that is another session's."""
    return BrokerError(Condition.RESOURCE_LOCKED, text)


def require_access(queue: Queue, actor: Actor, wish: str) -> None:
    """Raise RESOURCE_LOCKED if ``queue`` is exclusive to another session than the actor's.

    Management, which acts for no session, may.
    """
    if queue.owner is not None and actor.owner is not None and queue.owner is not actor.owner:
        raise locked(f"Cannot {wish} queue {queue.name}; it is exclusive to another session")


def check_name(name: str) -> None:
    """Raise BrokerError (INVALID_ARGUMENT) for a name or key longer than AMQP can say."""
    if len(name.encode("utf-8", "surrogatepass")) > NAME_BYTES_MAX:
        raise BrokerError(
            Condition.INVALID_ARGUMENT,
            f"Name longer than {NAME_BYTES_MAX} bytes: {name[:32]}...",
        )


def check_arguments(arguments: Mapping[str, object]) -> None:
    """Raise BrokerError (INVALID_ARGUMENT) for what no record can carry.

    Records are maps of AMQP 0-10; another protocol has longer names and texts.
    """
    for name, value in arguments.items():
        check_name(name)
        if isinstance(value, str) and len(value.encode("utf-8", "surrogatepass")) > TEXT_BYTES_MAX:
            raise BrokerError(
                Condition.INVALID_ARGUMENT,
                f"Argument {name} is longer than {TEXT_BYTES_MAX} bytes",
            )


def _check_same(exchange: Exchange, type: str, alternate_exchange: str) -> None:
    if type and exchange.type != type:
        raise BrokerError(
            Condition.NOT_ALLOWED,
            f"Exchange {exchange.name} is of type {exchange.type}, requested {type}",
        )
    if alternate_exchange and exchange.alternate_exchange != alternate_exchange:
        raise BrokerError(
            Condition.NOT_ALLOWED,
            f"Exchange {exchange.name} has alternate-exchange"
            f" {exchange.alternate_exchange or 'none'}, requested {alternate_exchange}",
        )


def _refuse_default(exchange: str) -> None:
    if not exchange:
        raise BrokerError(
            Condition.INVALID_ARGUMENT, "Not allowed on the default exchange; name another"
        )
