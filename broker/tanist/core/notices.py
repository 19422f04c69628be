"""Notices: what a command changed, for management events (qpidd-compat 5.4).

Made by commands only, never by ``apply``; in the order of the changes of the registry. The node
drains ``Broker.notices`` each step and gives them to management. ``user`` and ``rhost`` say who
asked. Passive declares, duplicate binds and the implicit binding of a queue to the default exchange
make none; deleting a queue or an exchange does not announce the bindings that go with it.
"""

from __future__ import annotations


class Actor:
    """Who gives a command: ``user`` and ``rhost`` (``host:port``) for events, ``owner`` for locks.

    ``owner`` is the identity that exclusive queues belong to: the session (None = nobody, so
    that queues made through management are never exclusive), compared with ``is``. ``origin``
    is the number of its connection, 0 = none.
    """

    __slots__ = ("origin", "owner", "rhost", "user")

    def __init__(
        self,
        user: str,
        rhost: str,
        owner: object | None = None,
        origin: int = 0,
    ) -> None:
        self.origin = origin
        self.user = user
        self.rhost = rhost
        self.owner = owner


class Notice:
    """Something was changed by ``user`` from ``rhost``."""

    __slots__ = ("rhost", "user")

    def __init__(self, actor: Actor) -> None:
        self.user = actor.user
        self.rhost = actor.rhost


class QueueDeclareNotice(Notice):
    """queueDeclare. ``created`` false: it existed (``disp`` = existing)."""

    __slots__ = (
        "alternate_exchange",
        "arguments",
        "auto_delete",
        "created",
        "durable",
        "exclusive",
        "name",
    )

    def __init__(
        self,
        actor: Actor,
        name: str,
        durable: bool,
        exclusive: bool,
        auto_delete: bool,
        alternate_exchange: str,
        arguments: dict[str, object],
        created: bool,
    ) -> None:
        super().__init__(actor)
        self.name = name
        self.durable = durable
        self.exclusive = exclusive
        self.auto_delete = auto_delete
        self.alternate_exchange = alternate_exchange
        self.arguments = arguments
        self.created = created


class QueueDeleteNotice(Notice):
    """queueDelete, also for auto-delete."""

    __slots__ = ("name",)

    def __init__(self, actor: Actor, name: str) -> None:
        super().__init__(actor)
        self.name = name


class ExchangeDeclareNotice(Notice):
    """exchangeDeclare. ``created`` false: it existed (``disp`` = existing)."""

    __slots__ = ("alternate_exchange", "arguments", "created", "durable", "name", "type")

    def __init__(
        self,
        actor: Actor,
        name: str,
        type: str,
        durable: bool,
        alternate_exchange: str,
        arguments: dict[str, object],
        created: bool,
    ) -> None:
        super().__init__(actor)
        self.name = name
        self.type = type
        self.durable = durable
        self.alternate_exchange = alternate_exchange
        self.arguments = arguments
        self.created = created


class ExchangeDeleteNotice(Notice):
    """exchangeDelete."""

    __slots__ = ("name",)

    def __init__(self, actor: Actor, name: str) -> None:
        super().__init__(actor)
        self.name = name


class BindNotice(Notice):
    """bind: a new binding."""

    __slots__ = ("arguments", "exchange", "key", "queue")

    def __init__(
        self, actor: Actor, exchange: str, queue: str, key: str, arguments: dict[str, object]
    ) -> None:
        super().__init__(actor)
        self.exchange = exchange
        self.queue = queue
        self.key = key
        self.arguments = arguments


class UnbindNotice(Notice):
    """unbind: a binding was removed by command."""

    __slots__ = ("exchange", "key", "queue")

    def __init__(self, actor: Actor, exchange: str, queue: str, key: str) -> None:
        super().__init__(actor)
        self.exchange = exchange
        self.queue = queue
        self.key = key


class SubscribeNotice(Notice):
    """subscribe, browsers too. ``destination`` is the subscription's name."""

    __slots__ = ("arguments", "destination", "exclusive", "queue")

    def __init__(
        self,
        actor: Actor,
        queue: str,
        destination: str,
        exclusive: bool,
        arguments: dict[str, object],
    ) -> None:
        super().__init__(actor)
        self.queue = queue
        self.destination = destination
        self.exclusive = exclusive
        self.arguments = arguments


class UnsubscribeNotice(Notice):
    """unsubscribe, also when its queue was deleted."""

    __slots__ = ("destination",)

    def __init__(self, actor: Actor, destination: str) -> None:
        super().__init__(actor)
        self.destination = destination
