"""Addresses: which queue or exchange a link means, and the nodes that are made for a link.

An address is the name of a queue or an exchange. If there are both, the capability ``queue`` or
``topic`` of the terminus decides, else the queue is meant (as in the original). If there is
neither, ``NAME/SUBJECT`` means an exchange, and a subject that messages have by default, or that a
receiver wants. A node that is not there is made if the terminus has the capability
``create-on-demand``, or if a pattern of the configuration matches its name as a whole.

A dynamic node gets a name from us, nobody else's, and is not replicated: it lives no longer than
the connection that asked for it. ``Dynamic`` is its lifetime (``node_properties``).
"""

from __future__ import annotations

import re
from typing import Final

from tanist.core.arguments import REPLICATE
from tanist.core.broker import Broker
from tanist.core.exchange import Exchange
from tanist.core.notices import Actor
from tanist.core.queue import Queue
from tanist.sessions.amqp10 import node_properties
from tanist.sessions.amqp10.node_properties import NodeProperties
from tanist.sessions.amqp10.settings import SessionSettings
from tanist.sessions.work import StepWork, Watched
from tanist.types import BrokerError, Condition

QUEUE: Final = "queue"
TOPIC: Final = "topic"
TEMPORARY_QUEUE: Final = "temporary-queue"
TEMPORARY_TOPIC: Final = "temporary-topic"
CREATE_ON_DEMAND: Final = "create-on-demand"

ADDRESS_SHOWN: Final = 80
"""Characters of an address in an error."""


class Node:
    """A queue, or an exchange (``queue`` None) and a subject, "" for none.

    ``dynamic``: its lifetime, None if it has none. ``confirm``: the client takes the answer for a
    confirmation that it exists, and it is replicated.
    """

    __slots__ = ("confirm", "dynamic", "exchange", "name", "queue", "subject")

    def __init__(
        self,
        name: str,
        queue: Queue | None,
        exchange: Exchange | None,
        subject: str = "",
        dynamic: Dynamic | None = None,
    ) -> None:
        self.name = name
        self.queue = queue
        self.exchange = exchange
        self.subject = subject
        self.dynamic = dynamic
        self.confirm = False


class Dynamic(Watched):
    """A node that was made for a link.

    ``links``: how many links of AMQP 1.0 are attached to it. ``orphaned``: the one that it was made
    for is gone.
    """

    __slots__ = ("actor", "gone", "lifetime", "links", "name", "nodes", "orphaned", "queue")

    def __init__(
        self, nodes: Nodes, name: str, queue: Queue | None, lifetime: int, actor: Actor
    ) -> None:
        self.nodes = nodes
        self.name = name
        self.queue = queue
        self.lifetime = lifetime
        self.actor = actor
        self.links = 0
        self.orphaned = False
        self.gone = False

    def enter(self) -> None:
        """A link is attached to it."""
        self.links += 1

    def leave(self, creator: bool) -> None:
        """A link to it is over; ``creator``: the one that it was made for."""
        self.links -= 1
        self.orphaned = self.orphaned or creator
        if self.look(self.nodes.broker):
            self.nodes.work.watch(self)

    def look(self, broker: Broker) -> bool:
        """Delete it if its time has come; whether that may still be."""
        if self.gone:
            return False
        queue = self.queue
        lifetime = self.lifetime
        if lifetime in (node_properties.ON_CLOSE, node_properties.ON_NO_MESSAGES):
            if not self.orphaned:
                return False
        elif self.links > 0:
            return False
        elif queue is not None and queue.subscription_count > 0:
            return True
        if lifetime in (
            node_properties.ON_NO_MESSAGES,
            node_properties.ON_NO_LINKS_OR_MESSAGES,
        ) and (queue is not None and not queue.deleted and queue.count > 0):
            return True
        self.delete()
        return False

    def delete(self) -> None:
        """Delete it now. Idempotent."""
        if self.gone:
            return
        self.gone = True
        nodes = self.nodes
        nodes.dynamics.pop(self.name, None)
        queue = self.queue
        try:
            if queue is None:
                nodes.broker.delete_exchange(self.name, self.actor)
            elif not queue.deleted:
                nodes.broker.delete_queue(self.name, self.actor)
        except BrokerError:
            return  # somebody else deleted it, or uses it as an alternate: it is his now


class Nodes:
    """Finds and makes nodes. ``dynamics``: by name, those that were made for links."""

    __slots__ = ("_queue_patterns", "_topic_patterns", "broker", "dynamics", "work")

    def __init__(self, broker: Broker, work: StepWork, settings: SessionSettings) -> None:
        """Raises: BrokerError (INVALID_ARGUMENT) for a pattern that is no regular expression."""
        self.broker = broker
        self.work = work
        self.dynamics: dict[str, Dynamic] = {}
        self._queue_patterns = _compiled("queue-patterns", settings.queue_patterns)
        self._topic_patterns = _compiled("topic-patterns", settings.topic_patterns)

    def find(self, address: str, queue_only: bool = False, topic_only: bool = False) -> Node | None:
        """The node that ``address`` names, None if there is none."""
        broker = self.broker
        if not address:
            return None
        if not topic_only:
            queue = broker.queues.get(address)
            if queue is not None:
                return Node(address, queue, None, "", self.dynamics.get(address))
        if queue_only:
            return None
        exchange = broker.exchanges.get(address)
        if exchange is not None:
            return Node(address, None, exchange, "", self.dynamics.get(address))
        name, slash, subject = address.partition("/")
        if slash and name:
            exchange = broker.exchanges.get(name)
            if exchange is not None:
                return Node(name, None, exchange, subject, self.dynamics.get(name))
        return None

    def resolve(
        self, address: str, capabilities: tuple[str, ...], properties: NodeProperties, actor: Actor
    ) -> Node:
        """The node that ``address`` names, made if it is to be.

        Raises: BrokerError (NOT_FOUND; as declaring does; PRECONDITION_FAILED: an exchange of
        another type is there; RESOURCE_LOCKED: exclusive access is wanted and somebody has it).
        """
        wants_queue = QUEUE in capabilities or TEMPORARY_QUEUE in capabilities
        wants_topic = TOPIC in capabilities or TEMPORARY_TOPIC in capabilities
        if wants_queue and wants_topic:  # each makes the other meaningless
            wants_queue = wants_topic = False
        on_demand = CREATE_ON_DEMAND in capabilities
        node = self.find(address, wants_queue, wants_topic)
        if node is not None:
            exchange = node.exchange
            if exchange is not None and on_demand and wants_topic:
                _check_type(exchange, properties)
            queue = node.queue
            if queue is not None and on_demand and properties.exclusive:
                self.broker.declare_queue(queue.name, actor, exclusive=True)
            node.confirm = on_demand and (
                queue.number > 0 if queue is not None else exchange is None or exchange.replicated
            )
            return node
        if on_demand and address:
            return self._create(address, wants_topic, properties, actor)
        made = self.create_by_pattern(address, wants_queue, wants_topic, actor)
        if made is None:
            what = "Queue" if wants_queue else "Topic" if wants_topic else "Node"
            raise BrokerError(
                Condition.NOT_FOUND,
                f"{what} not found: {address[:ADDRESS_SHOWN] or '(no address)'}",
            )
        return made

    def create_by_pattern(
        self, address: str, wants_queue: bool, wants_topic: bool, actor: Actor
    ) -> Node | None:
        """Make the node ``address`` if a pattern of the configuration says so."""
        if not address:
            return None
        properties = NodeProperties()
        if not wants_topic and _matches(self._queue_patterns, address):
            return self._create(address, False, properties, actor)
        if not wants_queue and _matches(self._topic_patterns, address):
            return self._create(address, True, properties, actor)
        return None

    def _create(self, address: str, topic: bool, properties: NodeProperties, actor: Actor) -> Node:
        broker = self.broker
        if topic:
            exchange = broker.declare_exchange(
                address,
                properties.exchange_type,
                actor,
                durable=properties.durable,
                alternate_exchange=properties.alternate_exchange,
                arguments=properties.arguments,
                auto_delete=properties.auto_delete,
            )
            return Node(address, None, exchange)
        queue = broker.declare_queue(
            address,
            actor,
            durable=properties.durable,
            exclusive=properties.exclusive,
            auto_delete=properties.auto_delete,
            alternate_exchange=properties.alternate_exchange,
            arguments=properties.arguments,
        )
        return Node(address, queue, None)

    def create_dynamic(
        self, capabilities: tuple[str, ...], properties: NodeProperties, actor: Actor
    ) -> Node:
        """Make a node that nobody knows yet; ``node.name`` is for the attach that answers.

        A temporary queue is its connection's alone (Jakarta Messaging 3.1, 6.2.2).
        Raises: BrokerError: as declaring does.
        """
        topic = TEMPORARY_TOPIC in capabilities or TOPIC in capabilities
        topic = topic and QUEUE not in capabilities and TEMPORARY_QUEUE not in capabilities
        name = str(self.broker.new_uuid())
        properties.arguments[REPLICATE] = "none"
        properties.durable = properties.auto_delete = False
        if TEMPORARY_QUEUE in capabilities:
            properties.exclusive = True
        node = self._create(name, topic, properties, actor)
        dynamic = Dynamic(self, name, node.queue, properties.lifetime, actor)
        node.dynamic = self.dynamics[name] = dynamic
        return node


def _check_type(exchange: Exchange, properties: NodeProperties) -> None:
    if properties.exchange_type != exchange.type:
        raise BrokerError(
            Condition.PRECONDITION_FAILED,
            f"Exchange {exchange.name} exists, and its type is {exchange.type}, not "
            f"{properties.exchange_type}",
        )


def _compiled(option: str, patterns: tuple[str, ...]) -> list[re.Pattern[str]]:
    compiled: list[re.Pattern[str]] = []
    for pattern in patterns:
        try:
            compiled.append(re.compile(pattern))
        except re.error as wrong:
            raise BrokerError(
                Condition.INVALID_ARGUMENT,
                f"{option}={pattern}: no regular expression: {wrong}",
            ) from None
    return compiled


def _matches(patterns: list[re.Pattern[str]], address: str) -> bool:
    return any(pattern.fullmatch(address) is not None for pattern in patterns)
