"""Subscriptions to topics: a receiver from an exchange has a queue of its own, bound for it.

====================  =========================================================================
what the source says  its queue
====================  =========================================================================
nothing special       named after container and link, the link's alone, gone with the link
``durable`` or        stays when the link is detached, and goes when it is closed; attaching again
expiry ``never``      goes on with it, and with another filter or topic begins anew
capability            several links have it together: those of one container whose names agree up
``shared``            to a ``|``, with capability ``global`` those of all containers
``timeout``           an auto-delete queue waits so many seconds for the next link
====================  =========================================================================

The queue says in its arguments what it subscribes to, so that this outlives a failover. The
selector is the queue's, not the link's: a queue has no use for what nobody may take from it. A link
whose source is null means the durable subscription that has its name; that is how Qpid JMS
unsubscribes. Source: AMQP 1.0, 3.5.3, 3.5.5, 3.5.6; Jakarta Messaging 3.1, 8.3 for what a
subscription is.
"""

from __future__ import annotations

from typing import Final

from tanist.core.arguments import AUTO_DELETE_TIMEOUT, FILTER, NO_LOCAL, X_MATCH
from tanist.core.broker import Broker
from tanist.core.exchange import Exchange
from tanist.core.notices import Actor
from tanist.core.queue import Queue
from tanist.sessions.amqp10.filters import Filters
from tanist.sessions.amqp10.link import Link10
from tanist.types import BrokerError, Condition
from tanist.wire.amqp10.composites import Source

SHARED: Final = "shared"
GLOBAL: Final = "global"
NEVER_EXPIRES: Final = "never"
DELIMITER: Final = "|"
TOPIC_ARGUMENT: Final = "tanist.topic"
KEY_ARGUMENT: Final = "tanist.key"
"""Arguments of a subscription's queue: the exchange, and the key it is bound with."""


class Owner:
    """Whom a subscription's queue belongs to: its link, not its session."""

    __slots__ = ()


class SubscriptionQueue:
    """The queue of a subscription as one link has it.

    ``alone``: nobody else may consume from it. ``durable``: closing the link deletes it.
    """

    __slots__ = ("actor", "alone", "broker", "durable", "queue")

    def __init__(
        self, broker: Broker, queue: Queue, actor: Actor, alone: bool, durable: bool
    ) -> None:
        self.broker = broker
        self.queue = queue
        self.actor = actor
        self.alone = alone
        self.durable = durable

    def leave(self, closed: bool) -> None:
        """The link is over, and what it held is back on the queue."""
        broker, queue = self.broker, self.queue
        owner = self.actor.owner
        if owner is not None:
            broker.release_owner(owner)
        if closed and self.durable and not queue.deleted and not queue.consumers:
            broker.delete_queue(queue.name, self.actor)


def queue_name(link: Link10, link_name: str, source: Source | None, durable: bool) -> str:
    """What the queue of a link's subscription is called.

    Volatile and durable subscriptions of the same name are different ones.
    """
    base, _, suffix = link_name.partition(DELIMITER)
    capabilities = () if source is None else source.capabilities
    everywhere = GLOBAL in capabilities if source is not None else suffix.startswith(GLOBAL)
    if SHARED not in capabilities and source is not None:
        base, everywhere = link_name, False
    name = base if everywhere else f"{link.container_id}_{base}"
    return name if durable else f"{name}{DELIMITER}volatile"


def subscribe(
    broker: Broker,
    link: Link10,
    link_name: str,
    source: Source,
    exchange: Exchange,
    filters: Filters,
) -> SubscriptionQueue:
    """The queue for a receiver from ``exchange``, made and bound if it is not there.

    ``filters.topic`` or ``direct`` may have been set from the address.
    Raises: BrokerError: as declaring and binding do; RESOURCE_LOCKED: it is in use, and by links
    that want something else; NOT_ALLOWED: a queue of that name is no subscription.
    """
    durable = source.durable > 0 or source.expiry_policy == NEVER_EXPIRES
    shared = SHARED in source.capabilities
    name = queue_name(link, link_name, source, durable)
    key, binding = _binding(exchange, filters)
    arguments = _arguments(exchange, filters, key, source.timeout, durable)
    actor = Actor(link.user, link.peer, None if shared or durable else Owner(), link.number)
    present = broker.queues.get(name)
    if present is not None:
        _check_same(broker, present, arguments, actor)
        present = broker.queues.get(name)
    if present is None:
        broker.declare_queue(
            name,
            actor,
            durable=source.durable > 0,
            exclusive=actor.owner is not None,
            auto_delete=not durable,
            arguments=arguments,
        )
        try:
            broker.bind(exchange.name, name, key, binding, actor)
        except BrokerError:
            broker.delete_queue(name, actor)
            raise
    return SubscriptionQueue(broker, broker.queues[name], actor, not shared, durable)


def find(broker: Broker, link: Link10, link_name: str) -> SubscriptionQueue:
    """The durable subscription that a link without a source means.

    Raises: BrokerError (NOT_FOUND).
    """
    name = queue_name(link, link_name, None, True)
    queue = broker.queues.get(name)
    if queue is None or TOPIC_ARGUMENT not in queue.arguments or queue.auto_delete:
        raise BrokerError(Condition.NOT_FOUND, f"No durable subscription {link_name[:64]}")
    actor = Actor(link.user, link.peer, None, link.number)
    return SubscriptionQueue(broker, queue, actor, True, True)


def source_of(queue: Queue) -> Source:
    """What a subscription's queue subscribes to, for the attach that answers."""
    topic = queue.arguments.get(TOPIC_ARGUMENT)
    return Source(str(topic), 2, NEVER_EXPIRES, distribution_mode="copy", capabilities=("topic",))


def _check_same(broker: Broker, queue: Queue, arguments: dict[str, object], actor: Actor) -> None:
    """Delete ``queue`` if it subscribes to something else and nobody uses it."""
    has = queue.arguments
    if TOPIC_ARGUMENT not in has:
        raise BrokerError(
            Condition.NOT_ALLOWED,
            f"Queue {queue.name} is no subscription: give the subscription another name",
        )
    names = (TOPIC_ARGUMENT, KEY_ARGUMENT, FILTER, NO_LOCAL)
    if all(has.get(name) == arguments.get(name) for name in names):
        return
    if queue.consumers:
        raise BrokerError(
            Condition.RESOURCE_LOCKED,
            f"Subscription {queue.name} is in use, with another topic or filter",
        )
    broker.delete_queue(queue.name, actor)


def _arguments(
    exchange: Exchange, filters: Filters, key: str, timeout_s: int, durable: bool
) -> dict[str, object]:
    arguments: dict[str, object] = {TOPIC_ARGUMENT: exchange.name, KEY_ARGUMENT: key}
    if filters.selector is not None and filters.selector_text.strip():
        arguments[FILTER] = filters.selector_text
    if filters.no_local:
        arguments[NO_LOCAL] = True
    if timeout_s and not durable:
        arguments[AUTO_DELETE_TIMEOUT] = timeout_s
    return arguments


def _binding(exchange: Exchange, filters: Filters) -> tuple[str, dict[str, object]]:
    """Key and arguments of the binding to an exchange of this type."""
    subject = filters.subject
    if exchange.type == "headers":
        return subject or "", dict(filters.headers or {X_MATCH: "all"})
    filters.ignore_headers()
    if exchange.type in ("topic", "management-topic"):
        return ("#" if subject is None else subject), {}
    return subject or "", {}
