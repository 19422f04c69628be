"""Exchanges and bindings as managed objects (qpidd-compat 5.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

from tanist.core.broker import Broker
from tanist.core.exchange import Exchange
from tanist.management.broker_objects import VHOST_REFERENCE
from tanist.management.managed import ManagedObject, ObjectSource, WallClock
from tanist.management.schema import BINDING, EXCHANGE, QUEUE
from tanist.wire.amqp010.values import Value

MANAGEMENT_TYPE: Final = "management-"
"""How the 0-10 type names of the management exchanges begin; objects show what they behave like."""

EXCHANGE_PART: Final = EXCHANGE.object_name("")
QUEUE_PART: Final = "," + QUEUE.object_name("")
"""What stands before the names in the key of a binding."""

KEY_CHARACTERS_MAX: Final = 1024
"""Longest key of a binding: two names and a key of 255 octets each, and what is between them."""


class ExchangeObject(ManagedObject):
    """An exchange. Producers are not counted: always 0."""

    def __init__(self, broker: Broker, exchange: Exchange, clock: WallClock) -> None:
        super().__init__(EXCHANGE, exchange.name, clock.ns(exchange.created_at))
        self._broker = broker
        self._exchange = exchange

    def values(self) -> dict[str, Value]:
        """See ``schema.EXCHANGE``."""
        exchange = self._exchange
        alternate = exchange.alternate_exchange
        bindings = len(exchange.bindings)
        if exchange is self._broker.default_exchange:
            bindings = len(self._broker.queues)
        return {
            "vhostRef": VHOST_REFERENCE,
            "name": exchange.name,
            "type": exchange.type.removeprefix(MANAGEMENT_TYPE),
            "durable": exchange.durable,
            "autoDelete": exchange.auto_delete,
            "altExchange": EXCHANGE.reference(alternate) if alternate else None,
            "arguments": cast(dict[str, Value], exchange.arguments),
            "producerCount": 0,
            "producerCountHigh": 0,
            "producerCountLow": 0,
            "bindingCount": bindings,
            "bindingCountHigh": bindings,
            "bindingCountLow": bindings,
            "msgReceives": exchange.received,
            "msgDrops": exchange.dropped,
            "msgRoutes": exchange.routed,
            "byteReceives": exchange.received_bytes,
            "byteDrops": exchange.dropped_bytes,
            "byteRoutes": exchange.routed_bytes,
        }


class ExchangeSource(ObjectSource):
    """All exchanges."""

    def __init__(self, broker: Broker, clock: WallClock) -> None:
        super().__init__(EXCHANGE)
        self._broker = broker
        self._clock = clock

    def objects(self) -> Iterator[ManagedObject]:
        """Those that are there now, less those that go until their turn comes."""
        broker = self._broker
        for exchange in list(broker.exchanges.values()):
            if broker.exchanges.get(exchange.name) is exchange:
                yield ExchangeObject(broker, exchange, self._clock)

    def find(self, key: str) -> ManagedObject | None:
        """The exchange called ``key``."""
        exchange = self._broker.exchanges.get(key)
        return None if exchange is None else ExchangeObject(self._broker, exchange, self._clock)


class BindingObject(ManagedObject):
    """A binding. Matches are not counted: always 0."""

    def __init__(
        self, exchange: str, queue: str, key: str, arguments: dict[str, object], created_ns: int
    ) -> None:
        name = f"{EXCHANGE_PART}{exchange}{QUEUE_PART}{queue},{key}"
        super().__init__(BINDING, name, created_ns)
        self._exchange = exchange
        self._queue = queue
        self._key = key
        self._arguments = arguments

    def values(self) -> dict[str, Value]:
        """See ``schema.BINDING``."""
        return {
            "exchangeRef": EXCHANGE.reference(self._exchange),
            "queueRef": QUEUE.reference(self._queue),
            "bindingKey": self._key,
            "arguments": cast(dict[str, Value], self._arguments),
            "origin": None,
            "msgMatched": 0,
        }


class BindingSource(ObjectSource):
    """All bindings, those of every queue to the default exchange first."""

    def __init__(self, broker: Broker, clock: WallClock) -> None:
        super().__init__(BINDING)
        self._broker = broker
        self._clock = clock

    def objects(self) -> Iterator[ManagedObject]:
        """Exchange after exchange; what goes until its turn comes is left out."""
        broker, clock = self._broker, self._clock
        for queue in list(broker.queues.values()):
            if not queue.deleted:
                yield BindingObject("", queue.name, queue.name, {}, clock.ns(queue.created_at))
        for exchange in list(broker.exchanges.values()):
            for identity, binding in list(exchange.bindings.items()):
                if exchange.bindings.get(identity) is binding:
                    yield BindingObject(
                        exchange.name,
                        binding.queue.name,
                        binding.key,
                        binding.arguments,
                        clock.ns(binding.created_at),
                    )

    def find(self, key: str) -> ManagedObject | None:
        """The binding ``key``: names may contain what separates them, so every reading is tried."""
        if not key.startswith(EXCHANGE_PART) or len(key) > KEY_CHARACTERS_MAX:
            return None
        names = key.removeprefix(EXCHANGE_PART).split(QUEUE_PART)
        for cut in range(1, len(names)):
            exchange = self._broker.exchanges.get(QUEUE_PART.join(names[:cut]))
            if exchange is not None:
                found = self._find_in(exchange, QUEUE_PART.join(names[cut:]).split(","))
                if found is not None:
                    return found
        return None

    def _find_in(self, exchange: Exchange, words: list[str]) -> ManagedObject | None:
        for cut in range(1, len(words)):
            queue = self._broker.queues.get(",".join(words[:cut]))
            key = ",".join(words[cut:])
            if queue is None:
                continue
            if exchange is self._broker.default_exchange:
                if key == queue.name:
                    return BindingObject("", queue.name, key, {}, self._clock.ns(queue.created_at))
                continue
            binding = exchange.bindings.get((queue.name, exchange.identity(key)))
            if binding is not None:
                return BindingObject(
                    exchange.name,
                    queue.name,
                    binding.key,
                    binding.arguments,
                    self._clock.ns(binding.created_at),
                )
        return None
