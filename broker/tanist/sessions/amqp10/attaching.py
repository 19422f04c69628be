"""Links that clients attach: what they ask for, and the answer.

``attach`` makes a ``Consumer``, a ``Producer`` or a ``Coordinator`` of a link, or refuses it: then
the client hears an attach without a terminus and a detach with the reason. If something was
recorded for the link (a queue made on demand, a subscription), it is told that it is attached when
that is safe; so is one whose durable subscription is deleted told that it is detached. Until then
nothing moves. Source: AMQP 1.0, 2.6.3, 2.7.3, 3.5.3, 3.5.4; specification of the original's clients
9.5.
"""

from __future__ import annotations

from typing import Final

from tanist.core.notices import Actor
from tanist.core.queue import Queue
from tanist.sessions.amqp10 import subscriptions
from tanist.sessions.amqp10.consumer import Consumer
from tanist.sessions.amqp10.coordinator import Coordinator
from tanist.sessions.amqp10.delivery_time import DELAYED_DELIVERY
from tanist.sessions.amqp10.filters import Filters, read_filters
from tanist.sessions.amqp10.holding import Answer
from tanist.sessions.amqp10.interest import interest_of
from tanist.sessions.amqp10.node_properties import read_properties
from tanist.sessions.amqp10.nodes import (
    CREATE_ON_DEMAND,
    QUEUE,
    TEMPORARY_QUEUE,
    TEMPORARY_TOPIC,
    TOPIC,
    Node,
    Nodes,
)
from tanist.sessions.amqp10.producer import Producer, symbol_of
from tanist.sessions.amqp10.registry import Registry, key_of
from tanist.sessions.amqp10.settings import SessionSettings
from tanist.sessions.amqp10.state import SessionState
from tanist.sessions.amqp10.transactions import CAPABILITIES
from tanist.types import MESSAGE_BYTES_MAX, BrokerError, Condition
from tanist.wire.amqp10 import composites
from tanist.wire.amqp10.composites import Modified, Source, Target
from tanist.wire.amqp10.link import Link
from tanist.wire.amqp10.performatives import Attach
from tanist.wire.amqp10.receiver import Receiver
from tanist.wire.amqp10.sender import Sender
from tanist.wire.amqp10.values import Described

OUTCOMES: Final = (
    "amqp:accepted:list",
    "amqp:rejected:list",
    "amqp:released:list",
    "amqp:modified:list",
)
REJECTED: Final = "amqp:rejected:list"
COPY: Final = "copy"
MOVE: Final = "move"
SETTLED: Final = 1
"""Sender settle mode in which everything is sent settled."""

NAME_MAX: Final = 1024
"""Characters of a link's name: it is kept, and becomes part of the name of a queue."""


class AttachAnswer(Answer):
    """The attach that answers, once what was recorded for the link is safe."""

    __slots__ = ("attached", "confirms", "source", "target")

    def __init__(
        self,
        attached: Consumer | Producer,
        source: Source | Described | None,
        target: Target | composites.Coordinator | Described | None,
    ) -> None:
        self.attached = attached
        self.source = source
        self.target = target
        self.confirms = False  # that there is something which somebody else may have made just now

    def give(self) -> None:
        """Attach; nothing if the client has thought better of it."""
        attached = self.attached
        if not attached.alive or not attached.wire.alive:
            return
        size_max: int | None = None
        offered: tuple[str, ...] = ()
        if isinstance(attached, Producer):
            size_max = MESSAGE_BYTES_MAX
            remote = attached.wire.remote
            if remote is not None and DELAYED_DELIVERY in remote.desired_capabilities:
                offered = (DELAYED_DELIVERY,)
        attached.wire.attach_ok(
            self.source, self.target, max_message_size=size_max, offered_capabilities=offered
        )
        attached.attach()


class RefuseAnswer(Answer):
    """The refusal of a link to a subscription that somebody else may have deleted just now.

    A client in doubt whether it has unsubscribed does it again, and takes this for a "yes".
    """

    __slots__ = ("error", "wire")

    def __init__(self, wire: Link, error: BrokerError) -> None:
        self.wire = wire
        self.error = error

    def give(self) -> None:
        """Refuse the link, if it is there still."""
        if self.wire.alive:
            self.wire.refuse(symbol_of(self.error), self.error.text)


class DetachAnswer(Answer):
    """The detach that answers, once what the client's undid is safe."""

    __slots__ = ("wire",)

    def __init__(self, wire: Link) -> None:
        self.wire = wire

    def give(self) -> None:
        """Detach as the client did."""
        if self.wire.alive:
            self.wire.detach()


class Attaching:
    """Attaches the links of all sessions of a node."""

    __slots__ = ("nodes", "registry", "settings")

    def __init__(self, nodes: Nodes, settings: SessionSettings) -> None:
        self.nodes = nodes
        self.settings = settings
        self.registry = Registry()

    def attach(self, state: SessionState, wire: Link, attach: Attach) -> None:
        """Answer the attach of ``wire``, now or when the gate opens."""
        recorded = len(self.nodes.broker.journal)
        try:
            if len(wire.name) > NAME_MAX:
                raise BrokerError(
                    Condition.ILLEGAL_ARGUMENT, f"a link name has at most {NAME_MAX} characters"
                )
            self.registry.steal(key_of(state.link, wire))
            if isinstance(wire, Sender):
                answer = self._consume(state, wire, attach)
            else:
                assert isinstance(wire, Receiver)
                answer = self._produce(state, wire, attach)
        except BrokerError as error:
            refusal = RefuseAnswer(wire, error)
            if wire.role is False and attach.source is None:
                state.answer(refusal)
            else:
                refusal.give()
            return
        if answer.confirms or len(self.nodes.broker.journal) > recorded:
            state.answer(answer)
        else:
            answer.give()

    def detached(self, state: SessionState, wire: Link, closed: bool) -> None:
        """The client detached ``wire``, or confirmed that we did."""
        recorded = len(self.nodes.broker.journal)
        attached = wire.context
        if isinstance(attached, Consumer):
            attached.end(closed)
        elif isinstance(attached, Producer):
            attached.end()
        wire.context = None
        if not wire.alive:
            return
        answer = DetachAnswer(wire)
        if len(self.nodes.broker.journal) > recorded:
            state.answer(answer)
        else:
            answer.give()

    # -- links on which we receive ------------------------------------------------------------

    def _produce(self, state: SessionState, wire: Receiver, attach: Attach) -> AttachAnswer:
        target, source = attach.target, attach.source
        key = key_of(state.link, wire)
        producer: Producer
        confirms = False
        answered: Target | composites.Coordinator
        if isinstance(target, composites.Coordinator):
            producer = Coordinator(self.nodes, state, wire, self.registry, key)
            answered = composites.Coordinator(CAPABILITIES)
        elif isinstance(target, Target):
            node = self._target_node(state, target)
            producer = Producer(
                self.nodes,
                state,
                wire,
                node,
                self.settings.credit,
                self.settings.check_user_ids,
                self.registry,
                key,
            )
            answered = _answered_target(target, node)
            if node is not None:
                confirms = node.confirm
                if node.dynamic is not None:
                    node.dynamic.enter()
                    producer.creator = target.dynamic
        else:
            raise BrokerError(Condition.PRECONDITION_FAILED, "No target specified!")
        if isinstance(source, Source) and source.outcomes and REJECTED not in source.outcomes:
            producer.rejects = False
        state.producers[wire.handle] = producer
        self.registry.enter(key, producer)
        wire.context = producer
        answer = AttachAnswer(producer, source, answered)
        answer.confirms = confirms
        return answer

    def _target_node(self, state: SessionState, target: Target) -> Node | None:
        """None: the anonymous relay."""
        actor = _actor(state)
        properties = read_properties(target.dynamic_node_properties)
        if target.dynamic:
            return self.nodes.create_dynamic(target.capabilities, properties, actor)
        if target.address is None:
            return None
        return self.nodes.resolve(target.address, target.capabilities, properties, actor)

    # -- links on which we send ---------------------------------------------------------------

    def _consume(self, state: SessionState, wire: Sender, attach: Attach) -> AttachAnswer:
        source = attach.source
        if source is None:
            subscribed = subscriptions.find(self.nodes.broker, state.link, wire.name)
            given = subscriptions.source_of(subscribed.queue)
            consumer = self._consumer(state, wire, attach, Source())
            self._subscribe(consumer, subscribed.queue, Filters(), False, subscribed)
            answer = AttachAnswer(consumer, given, attach.target)
            answer.confirms = True
            return answer
        if not isinstance(source, Source):
            raise BrokerError(Condition.NOT_IMPLEMENTED, "A source of an unknown kind")
        filters = read_filters(source.filter)
        actor = _actor(state)
        properties = read_properties(source.dynamic_node_properties)
        if source.dynamic:
            node = self.nodes.create_dynamic(source.capabilities, properties, actor)
        else:
            address = source.address or ""
            node = self.nodes.resolve(address, source.capabilities, properties, actor)
        try:
            return self._consume_from(state, wire, attach, source, node, filters)
        except BrokerError:
            if source.dynamic and node.dynamic is not None:
                node.dynamic.delete()
            raise

    def _consume_from(
        self,
        state: SessionState,
        wire: Sender,
        attach: Attach,
        source: Source,
        node: Node,
        filters: Filters,
    ) -> AttachAnswer:
        """Subscribe to ``node``. Raises: BrokerError; there is no subscription then."""
        consumer = self._consumer(state, wire, attach, source)
        browses = source.distribution_mode == COPY and node.queue is not None
        if node.queue is not None:
            self._subscribe(consumer, node.queue, filters, browses, None)
        else:
            assert node.exchange is not None
            if node.subject and filters.subject is None:
                filters.topic = node.subject
            subscribed = subscriptions.subscribe(
                self.nodes.broker, state.link, wire.name, source, node.exchange, filters
            )
            try:
                self._subscribe(consumer, subscribed.queue, Filters(), False, subscribed)
            except BrokerError:
                subscribed.leave(False)
                raise
        if node.dynamic is not None:
            node.dynamic.enter()
            consumer.dynamic = node.dynamic
            consumer.creator = source.dynamic
        answered = _answered_source(source, node, filters, browses)
        answer = AttachAnswer(consumer, answered, attach.target)
        answer.confirms = node.confirm or (consumer.subscribed is not None and source.durable > 0)
        return answer

    def _consumer(
        self, state: SessionState, wire: Sender, attach: Attach, source: Source
    ) -> Consumer:
        settles = attach.snd_settle_mode == SETTLED
        return Consumer(
            self.nodes.broker,
            state,
            wire,
            settles,
            source.default_outcome,
            self.registry,
            key_of(state.link, wire),
        )

    def _subscribe(
        self,
        consumer: Consumer,
        queue: Queue,
        filters: Filters,
        browses: bool,
        subscribed: subscriptions.SubscriptionQueue | None,
    ) -> None:
        state = consumer.state
        wire = consumer.wire
        alone = subscribed is not None and subscribed.alone
        actor = _actor(state) if subscribed is None else subscribed.actor
        consumer.subscription = self.nodes.broker.subscribe(
            queue.name,
            wire.name,
            consumer,
            not browses,
            alone,
            {},
            actor,
            interest_of(filters, state.link.number, self.nodes.broker.lookup),
        )
        consumer.subscribed = subscribed
        state.consumers[wire.handle] = consumer
        self.registry.enter(consumer.key, consumer)
        wire.context = consumer


def _actor(state: SessionState) -> Actor:
    """Exclusive queues belong to the connection: a client's sessions share its temporary queues."""
    link = state.link
    return Actor(link.user, link.peer, link, link.number)


def _answered_target(target: Target, node: Node | None) -> Target:
    if node is None:
        return target
    return Target(
        node.name if target.dynamic else target.address,
        target.durable,
        target.expiry_policy,
        target.timeout,
        target.dynamic,
        target.dynamic_node_properties,
        _capabilities(target.capabilities, node),
    )


def _answered_source(source: Source, node: Node, filters: Filters, browses: bool) -> Source:
    mode = source.distribution_mode
    if node.queue is not None:
        mode = COPY if browses else MOVE
    outcomes = tuple(each for each in source.outcomes if each in OUTCOMES)
    return Source(
        node.name if source.dynamic else source.address,
        source.durable,
        source.expiry_policy,
        source.timeout,
        source.dynamic,
        source.dynamic_node_properties,
        mode,
        filters.applied or None,
        source.default_outcome or Modified(delivery_failed=True),
        outcomes or OUTCOMES,
        _capabilities(source.capabilities, node),
    )


def _capabilities(wanted: tuple[str, ...], node: Node) -> tuple[str, ...]:
    """Those of the wanted capabilities that the node has."""
    queue = node.queue
    if queue is not None:
        has = {QUEUE, CREATE_ON_DEMAND}
        if node.dynamic is not None:
            has.add(TEMPORARY_QUEUE)
        durable = queue.durable
    else:
        assert node.exchange is not None
        has = {TOPIC, CREATE_ON_DEMAND, subscriptions.SHARED, subscriptions.GLOBAL}
        if node.dynamic is not None:
            has.add(TEMPORARY_TOPIC)
        durable = node.exchange.durable
    if durable:
        has.add("durable")
    return tuple(each for each in wanted if each in has)
