"""Exchanges: from a message to the queues it goes to.

``route`` asks ``find`` for a routing key's queues and remembers the answer in ``routes``, a bounded
cache that each change of bindings clears; a publisher looks there first. Only found queues are
remembered. Bindings have an identity (queue, ``identity(key)``): topic patterns in normal form, the
key ignored by fanout and amq.failover. Management exchanges also show messages to the agent
(qpidd-compat 5.5). Made and changed by ``State`` only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from tanist.core.arguments import EXCLUSIVE_BINDING, REPLICATE, X_MATCH
from tanist.core.message import Message
from tanist.core.topics import TopicIndex, is_plain, normal
from tanist.types import BrokerError, Condition

if TYPE_CHECKING:
    from tanist.core.queue import Queue

ROUTES_MAX: Final = 4096
"""Routing keys an exchange remembers: a producer with random keys must not fill memory."""

FORWARDED: Final = 0
COPIED: Final = 1
CONSUMED: Final = 2
"""What ``Exchange.observe`` says: not for the agent, for the agent too, for the agent only."""

HASHES_MAX: Final = 8
"""``#`` in one pattern: each stays alive to the end of a key, so thousands of patterns full of them
cost seconds a message."""

NO_QUEUES: Final[list[Queue]] = []


class Binding:
    """``queue`` gets what ``exchange`` finds for ``key`` and ``arguments``.

    ``replicated``: the backups have it too. ``created_at``: monotonic seconds.
    """

    __slots__ = ("arguments", "created_at", "exchange", "key", "queue", "replicated")

    def __init__(
        self,
        exchange: Exchange,
        queue: Queue,
        key: str,
        arguments: dict[str, object],
        replicated: bool,
        created_at: float = 0.0,
    ) -> None:
        self.exchange = exchange
        self.queue = queue
        self.key = key
        self.arguments = arguments
        self.replicated = replicated
        self.created_at = created_at


class Exchange:
    """A direct exchange, and the base of the others.

    ``type`` is the 0-10 type name. ``alternate_exchange``: a name, "" = none. ``auto_delete``: goes
    with its last binding. ``builtin``: exists always, cannot be deleted. ``replicated``: backups
    have it. ``bindings``: (queue name, identity key) -> binding. Counters: messages ``received``,
    ``routed`` (copies), ``dropped``. ``created_at``: monotonic seconds, 0 = with the broker.
    """

    __slots__ = (
        "alternate_exchange",
        "arguments",
        "auto_delete",
        "bindings",
        "builtin",
        "by_key",
        "created_at",
        "dropped",
        "dropped_bytes",
        "durable",
        "name",
        "received",
        "received_bytes",
        "replicated",
        "routed",
        "routed_bytes",
        "routes",
        "type",
    )

    def __init__(
        self,
        name: str,
        type: str,
        durable: bool,
        alternate_exchange: str,
        arguments: dict[str, object],
        builtin: bool,
        replicated: bool,
    ) -> None:
        self.name = name
        self.type = type
        self.durable = durable
        self.alternate_exchange = alternate_exchange
        self.arguments = arguments
        self.builtin = builtin
        self.replicated = replicated
        self.auto_delete = False
        self.created_at = 0.0
        self.bindings: dict[tuple[str, str], Binding] = {}
        self.by_key: dict[str, dict[str, Queue]] = {}
        self.routes: dict[str, list[Queue]] = {}
        self.received = 0
        self.received_bytes = 0
        self.routed = 0
        self.routed_bytes = 0
        self.dropped = 0
        self.dropped_bytes = 0

    def route(self, message: Message) -> list[Queue]:
        """The queues for ``message``, each once. Must not be changed."""
        key = message.routing_key
        queues = self.routes.get(key)
        if queues is None:
            queues = self.find(key)
            if queues:
                if len(self.routes) >= ROUTES_MAX:
                    self.routes.clear()
                self.routes[key] = queues
        return queues

    def find(self, key: str) -> list[Queue]:
        """The queues bound for routing key ``key``."""
        queues = self.by_key.get(key)
        return NO_QUEUES if queues is None else list(queues.values())

    def observe(self, message: Message) -> int:
        """Whether the management agent wants ``message``: FORWARDED, COPIED or CONSUMED."""
        return FORWARDED

    def identity(self, key: str) -> str:
        """What of a binding key tells bindings of one queue apart."""
        return key

    def check(self, queue: Queue, key: str, arguments: Mapping[str, object]) -> None:
        """Raise BrokerError unless ``queue`` may be bound so."""

    def add(self, binding: Binding) -> None:
        """Add a binding whose identity is not there yet."""
        identity = self.identity(binding.key)
        queue = binding.queue
        self.bindings[queue.name, identity] = binding
        queue.bindings[self.name, identity] = binding
        queues = self.by_key.get(identity)
        if queues is None:
            queues = self.by_key[identity] = {}
        queues[queue.name] = queue
        self.routes.clear()

    def discard(self, queue: Queue, identity: str) -> None:
        """Remove the binding of ``queue`` with ``identity``, which must be there."""
        del self.bindings[queue.name, identity]
        del queue.bindings[self.name, identity]
        queues = self.by_key[identity]
        del queues[queue.name]
        if not queues:
            del self.by_key[identity]
        self.routes.clear()

    def is_bound(self, queue: Queue | None, key: str, arguments: Mapping[str, object]) -> bool:
        """Whether a binding fits what is given (None, "", {} = anything; exchange.bound)."""
        if not key:
            if queue is None:
                return bool(self.bindings)
            return any(name == self.name for name, _ in queue.bindings)
        queues = self.by_key.get(self.identity(key))
        return queues is not None and (queue is None or queue.name in queues)


class DefaultExchange(Exchange):
    """The nameless exchange: every queue is bound with its name. ``routes`` is all there is."""

    __slots__ = ()

    def find(self, key: str) -> list[Queue]:
        """No further routes."""
        return NO_QUEUES

    def is_bound(self, queue: Queue | None, key: str, arguments: Mapping[str, object]) -> bool:
        """Each queue with its name."""
        if queue is None:
            return key in self.routes if key else bool(self.routes)
        return not key or key == queue.name


class TopicExchange(Exchange):
    """Patterns of words (``topics``); plain patterns are found like direct keys."""

    __slots__ = ("_index",)

    def __init__(
        self,
        name: str,
        type: str,
        durable: bool,
        alternate_exchange: str,
        arguments: dict[str, object],
        builtin: bool,
        replicated: bool,
    ) -> None:
        super().__init__(name, type, durable, alternate_exchange, arguments, builtin, replicated)
        self._index = TopicIndex()

    def identity(self, key: str) -> str:
        """The pattern in normal form."""
        return normal(key)

    def check(self, queue: Queue, key: str, arguments: Mapping[str, object]) -> None:
        """Raise INVALID_ARGUMENT for a pattern that is made to be slow."""
        if normal(key).split(".").count("#") > HASHES_MAX:
            raise BrokerError(
                Condition.INVALID_ARGUMENT,
                f"Cannot bind {queue.name} to {self.name}: over {HASHES_MAX} # in {key[:32]}...",
            )

    def find(self, key: str) -> list[Queue]:
        """Queues whose pattern fits ``key``, each once, whatever many patterns fit."""
        found: dict[str, Queue] = {}
        exact = self.by_key.get(key)
        if exact is not None and is_plain(key):
            found.update(exact)
        for pattern in self._index.match(key):
            found.update(self.by_key[pattern])
        return list(found.values())

    def add(self, binding: Binding) -> None:
        """Also index the pattern."""
        super().add(binding)
        pattern = normal(binding.key)
        if not is_plain(pattern):
            self._index.add(pattern)

    def discard(self, queue: Queue, identity: str) -> None:
        """Also forget the pattern when nobody has it any more."""
        super().discard(queue, identity)
        if identity not in self.by_key and not is_plain(identity):
            self._index.remove(identity)


class FanoutExchange(Exchange):
    """Every bound queue, whatever the key."""

    __slots__ = ()

    def identity(self, key: str) -> str:
        """Keys do not matter: a queue is bound or not."""
        return ""

    def find(self, key: str) -> list[Queue]:
        """All queues."""
        queues = self.by_key.get("")
        return NO_QUEUES if queues is None else list(queues.values())


class FailoverExchange(FanoutExchange):
    """amq.failover: the broker alone sends through it (qpidd-compat 3)."""

    __slots__ = ()

    def find(self, key: str) -> list[Queue]:
        """What clients publish is dropped."""
        return NO_QUEUES

    def bound_queues(self) -> list[Queue]:
        """Who gets the failover message."""
        return super().find("")


class HeadersExchange(Exchange):
    """Bindings name headers; ``x-match`` says whether ``all`` or ``any`` of them must fit.

    A binding value of None asks for presence only.
    """

    __slots__ = ("_headers_of",)

    def __init__(
        self,
        name: str,
        type: str,
        durable: bool,
        alternate_exchange: str,
        arguments: dict[str, object],
        builtin: bool,
        replicated: bool,
        headers_of: Callable[[Message], Mapping[str, object]],
    ) -> None:
        super().__init__(name, type, durable, alternate_exchange, arguments, builtin, replicated)
        self._headers_of = headers_of

    def route(self, message: Message) -> list[Queue]:
        """Never remembered: the headers decide."""
        if not self.bindings:
            return NO_QUEUES
        headers = message.headers
        if headers is None:
            headers = message.headers = self._headers_of(message)
        found: dict[str, Queue] = {}
        for binding in self.bindings.values():
            if binding.queue.name not in found and fits(binding.arguments, headers):
                found[binding.queue.name] = binding.queue
        return list(found.values())

    def check(self, queue: Queue, key: str, arguments: Mapping[str, object]) -> None:
        """Raise INTERNAL_ERROR (541): no ``x-match``, or the key has other arguments already."""
        if text(arguments.get(X_MATCH)) not in ("all", "any"):
            raise BrokerError(
                Condition.INTERNAL_ERROR,
                f"Cannot bind {queue.name} to {self.name}: x-match must be all or any",
            )
        binding = self.bindings.get((queue.name, key))
        if binding is not None and binding.arguments != arguments:
            raise BrokerError(
                Condition.INTERNAL_ERROR,
                f"Cannot bind {queue.name} to {self.name}: key {key!r} is bound already"
                " with other arguments; choose another key",
            )

    def is_bound(self, queue: Queue | None, key: str, arguments: Mapping[str, object]) -> bool:
        """Arguments count too."""
        for binding in self.bindings.values():
            if (
                (queue is None or binding.queue is queue)
                and (not key or binding.key == key)
                and (not arguments or binding.arguments == arguments)
            ):
                return True
        return False


def text(value: object) -> object:
    """Bytes as text, so that the two string families of AMQP compare equal; others as they are."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def fits(arguments: Mapping[str, object], headers: Mapping[str, object]) -> bool:
    """Whether ``headers`` satisfy a headers binding's ``arguments``."""
    every = text(arguments.get(X_MATCH)) == "all"
    for name, wanted in arguments.items():
        if name in (X_MATCH, REPLICATE, EXCLUSIVE_BINDING) or name.startswith("qpid.fed."):
            continue
        fit = name in headers and (wanted is None or text(headers[name]) == text(wanted))
        if fit != every:
            return fit
    return every


class ManagementDirectExchange(Exchange):
    """qmf.default.direct: keys ``broker`` and the agent's name are requests to the agent."""

    __slots__ = ("_agent_name",)

    def __init__(self, name: str, type: str, arguments: dict[str, object], agent_name: str) -> None:
        super().__init__(name, type, True, "", arguments, True, False)
        self._agent_name = agent_name

    def route(self, message: Message) -> list[Queue]:
        """Not remembered, so that ``observe`` sees every message."""
        return self.find(message.routing_key)

    def observe(self, message: Message) -> int:
        """Requests are consumed."""
        key = message.routing_key
        return CONSUMED if key and key in ("broker", self._agent_name) else FORWARDED


class ManagementTopicExchange(TopicExchange):
    """qmf.default.topic and qpid.management: some keys are for the agent (qpidd-compat 5.5)."""

    __slots__ = ()

    def __init__(self, name: str, type: str, arguments: dict[str, object]) -> None:
        super().__init__(name, type, True, "", arguments, True, False)

    def route(self, message: Message) -> list[Queue]:
        """Not remembered, so that ``observe`` sees every message."""
        return self.find(message.routing_key)

    def observe(self, message: Message) -> int:
        """Requests by key."""
        key = message.routing_key
        if self.name == "qmf.default.topic":
            return COPIED if key == "console.request.agent_locate" else FORWARDED
        if key == "broker" or key.startswith("agent.1.0"):
            return CONSUMED
        return COPIED if key.startswith("schema.") else FORWARDED
