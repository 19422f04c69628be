"""A link on which a client sends: what arrives is published.

The hot half of publishing. Of a message only the header section is read (a cached look-up); what
follows the delivery annotations stays the octets that arrived. To a queue nothing else is looked
at, unless users are checked; an exchange needs the subject, the anonymous relay the address in
``to`` (``addressing``). A message that was recorded is confirmed when the gate opens, others at
once, and messages that cannot be taken are rejected with the reason, without an end of the link:

* the queue is full: ``amqp:resource-limit-exceeded``; users: ``amqp:unauthorized-access``;
* the relay finds no node: ``amqp:not-found``; what is no message: ``amqp:decode-error``;
* a message that no binding wants is accepted, and dropped, as in the original.

Credit comes by batches, and only as much as is not waiting for the gate: a producer that is not
confirmed stops. Source: AMQP 1.0, 2.6.7, 2.6.12, 3.4; "Anonymous terminus for message routing" 1.0.
"""

from __future__ import annotations

from typing import Final

from tanist.core.bindings import check_name
from tanist.core.broker import Broker
from tanist.core.follower import Pledge
from tanist.core.message import AMQP_1_0, NEVER, Message
from tanist.core.notices import Actor
from tanist.sessions.amqp10.addressing import bare_start, check_user_id, read_way
from tanist.sessions.amqp10.delivery_time import available_at
from tanist.sessions.amqp10.holding import Answer, Holding, Runs
from tanist.sessions.amqp10.nodes import Dynamic, Node, Nodes
from tanist.sessions.amqp10.registry import Key, Registry
from tanist.sessions.amqp10.state import SessionState
from tanist.sessions.amqp10.transactions import UNKNOWN_ID
from tanist.sessions.held import Held
from tanist.types import BrokerError, Condition, FramingError
from tanist.wire.amqp10.composites import (
    Accepted,
    DeliveryState,
    Error,
    Rejected,
    TransactionalState,
)
from tanist.wire.amqp10.conditions import DECODE_ERROR
from tanist.wire.amqp10.events import Delivery
from tanist.wire.amqp10.receiver import Receiver
from tanist.wire.amqp10.sections import DEFAULT_HEADER, cut_header

ACCEPTED: Final = Accepted()

NO_HEAD: Final = b"\xff"
"""``head`` before there is one: no message starts like that."""

HEAD_MAX: Final = 64
"""Longest header section worth remembering."""

BARE_SECTIONS: Final = frozenset(b"\x53" + bytes((code,)) for code in range(0x73, 0x79))
"""How everybody writes the descriptor of what may come first if there are no annotations."""

ANNOTATED: Final = b"\x53\x72"
"""How everybody writes that of message annotations: JMS clients put some into each message."""

SECOND: Final = 1
"""Receiver settle mode in which the sender settles first."""


def symbol_of(error: BrokerError) -> str:
    """The AMQP 1.0 error condition for ``error``."""
    if isinstance(error, FramingError):
        return DECODE_ERROR
    return error.condition.symbol


class Producer(Held):
    """Publishes what arrives on ``wire`` to ``node`` (None: wherever each message says).

    ``holding``: deliveries that wait for the gate. ``alive``: it may publish. ``head``: the octets
    of the header section that came last, ``header`` what they say: mostly all messages are alike.
    """

    __slots__ = (
        "_low",
        "alive",
        "broker",
        "check_user_ids",
        "creator",
        "credit",
        "dynamic",
        "exchange",
        "head",
        "header",
        "holding",
        "key",
        "link",
        "node",
        "nodes",
        "queue_name",
        "registry",
        "rejects",
        "session",
        "state",
        "subject",
        "wire",
        "work",
    )

    def __init__(
        self,
        nodes: Nodes,
        state: SessionState,
        wire: Receiver,
        node: Node | None,
        credit: int,
        check_user_ids: bool,
        registry: Registry,
        key: Key,
    ) -> None:
        """``credit``: deliveries that may be under way. ``check_user_ids``: of their user only."""
        self.nodes = nodes
        self.broker: Broker = nodes.broker
        self.state = state
        self.session = state.session
        self.link = state.link
        self.work = state.work
        self.wire = wire
        self.node = node
        self.exchange = ""
        self.queue_name = ""
        self.subject = ""
        self.dynamic: Dynamic | None = None
        if node is not None:
            self.dynamic = node.dynamic
            if node.queue is None:
                self.exchange = node.name
                self.subject = node.subject
            else:
                self.queue_name = node.name
        self.credit = credit
        self._low = credit // 2
        self.check_user_ids = check_user_ids
        self.registry = registry
        self.key = key
        self.creator = False
        self.rejects = True
        self.alive = True
        self.holding = Holding()
        self.head = NO_HEAD
        self.header = DEFAULT_HEADER

    # -- what arrives -------------------------------------------------------------------------

    def receive(self, event: Delivery) -> None:
        """Publish a delivery, and confirm it or hold that."""
        broker = self.broker
        recorded = len(broker.journal)
        try:
            message = self.message_of(event)
            if event.state is not None:
                self._keep(event, message)
                return
            count = broker.publish(message, message.exchange)
            if not count and self.queue_name:
                raise BrokerError(
                    Condition.RESOURCE_DELETED, f"Queue {self.queue_name} has been deleted."
                )
        except BrokerError as error:
            self._fail(event, error)
            return
        self.state.published += 1
        if not event.settled:
            number = event.id
            if len(broker.journal) == recorded:
                self.settle(number, number, ACCEPTED)
            elif self.holding.add(number):
                self.work.touched.append(self)
        if self.wire.credit <= self._low:
            self.refill()

    def message_of(self, event: Delivery) -> Message:
        """The message that arrived, with its way.

        Raises: FramingError: it is none; BrokerError: NOT_IMPLEMENTED for another format;
        NOT_FOUND, ILLEGAL_ARGUMENT for the address; ILLEGAL_ARGUMENT for the time of delivery;
        UNAUTHORIZED_ACCESS for the user-id.
        """
        if event.message_format:
            raise BrokerError(
                Condition.NOT_IMPLEMENTED, f"message-format {event.message_format} is not known"
            )
        payload = event.payload
        if payload.startswith(self.head):
            header, at = self.header, len(self.head)
        else:
            header, at = cut_header(payload)
            if 0 < at <= HEAD_MAX:
                self.header, self.head = header, payload[:at]
        broker = self.broker
        due = 0.0
        mark = payload[at + 1 : at + 3]
        if mark in BARE_SECTIONS:
            body = payload[at:] if at else payload
        else:
            if mark != ANNOTATED:
                at = bare_start(payload, at)
            body = payload[at:]
            due = available_at(body, broker.now, broker.wall_offset_s)
        exchange, key = self.exchange, self.queue_name
        if not key or self.check_user_ids:
            way = read_way(body)
            if self.check_user_ids:
                check_user_id(way, self.link.user)
            if self.node is None:
                exchange, key = self._relay(way.to, way.subject)
            elif not key:
                key = way.subject or self.subject
            check_name(key)
        return Message(
            b"",
            body,
            exchange,
            key,
            header.durable,
            header.priority,
            NEVER if header.ttl is None else broker.now + header.ttl / 1000,
            header.delivery_count > 0,
            False,
            self.link.number,
            AMQP_1_0,
            due,
        )

    def _relay(self, to: str, subject: str) -> tuple[str, str]:
        """The exchange and the routing key for a message that says itself where it goes."""
        if not to:
            raise BrokerError(
                Condition.ILLEGAL_ARGUMENT, "a message without an address in its field to"
            )
        node = self.nodes.find(to)
        if node is None:
            actor = Actor(self.link.user, self.link.peer, self.link, self.link.number)
            node = self.nodes.create_by_pattern(to, False, False, actor)
        if node is None:
            raise BrokerError(Condition.NOT_FOUND, f"Node not found: {to[:80]}")
        if node.queue is not None:
            return "", node.name
        return node.name, subject or node.subject

    def _keep(self, event: Delivery, message: Message) -> None:
        """The message belongs to a transaction, or its state means nothing to a receiver."""
        state = event.state
        if not isinstance(state, TransactionalState):
            raise BrokerError(
                Condition.ILLEGAL_ARGUMENT, "a transfer with a state of no transaction"
            )
        transaction = self.state.transactions.get(state.txn_id)
        if transaction is None:
            self._fail_unknown(event)
            return
        transaction.keep(message)
        self.state.published += 1
        if not event.settled:
            self.settle(event.id, event.id, TransactionalState(transaction.id, ACCEPTED))
        if self.wire.credit <= self._low:
            self.refill()

    def _fail_unknown(self, event: Delivery) -> None:
        text = "the transaction of a transfer is not known"
        if event.settled:
            self.break_off(UNKNOWN_ID, text)
        else:
            self.settle(event.id, event.id, Rejected(Error(UNKNOWN_ID, text)))

    def _fail(self, event: Delivery, error: BrokerError) -> None:
        """The message is not taken: say so, if anybody wants to know."""
        symbol = symbol_of(error)
        state = event.state
        if event.settled and isinstance(state, TransactionalState):
            transaction = self.state.transactions.get(state.txn_id)
            if transaction is not None:  # all of it or nothing, and nobody else can say so
                transaction.owner.fail(transaction, error.text)
        if not event.settled and self.rejects:
            self.settle(event.id, event.id, Rejected(Error(symbol, error.text)))
        if error.condition is Condition.RESOURCE_DELETED or (
            error.condition is Condition.NOT_FOUND and self.node is not None
        ):
            self.break_off(Condition.RESOURCE_DELETED.symbol, error.text)
        elif not event.settled and not self.rejects:
            self.break_off(symbol, error.text)
        elif self.wire.credit <= self._low:
            self.refill()

    # -- confirming ---------------------------------------------------------------------------

    def settle(self, first: int, last: int, outcome: DeliveryState) -> None:
        """Tell the outcome of deliveries, and settle them unless the client does that first."""
        if self.wire.rcv_settle_mode == SECOND:
            self.session.dispose(first, last, outcome)
        else:
            self.session.settle(first, last, outcome)

    def refill(self) -> None:
        """Grant what may be under way besides what waits for the gate."""
        credit = self.credit - self.holding.count
        wire = self.wire
        if self.alive and credit > wire.credit:
            wire.flow(credit)

    def pledge(self, pledge: Pledge) -> None:
        """What the step held waits for copies, too."""
        self.holding.pledge = pledge

    def kept(self) -> None:
        """A pledge was kept."""
        self.open_gate(self.holding.opened)

    def seal(self, index: int) -> None:
        """What the step held waits for record ``index``."""
        self.holding.seal(index)

    def open_gate(self, index: int) -> None:
        """Records up to ``index`` are safe: accept what waited for them."""
        runs: Runs = []
        answers: list[Answer] = []
        self.holding.open(index, runs, answers)
        if not self.alive:
            return
        for first, last in runs:
            self.settle(first, last, ACCEPTED)
        for answer in answers:
            answer.give()
        if self.wire.credit <= self._low:
            self.refill()

    # -- the link -----------------------------------------------------------------------------

    def attach(self) -> None:
        """The client has been told that it is attached: grant credit."""
        self.refill()

    def break_off(self, condition: str, text: str, closed: bool = True) -> None:
        """End it, for a reason that the client is told."""
        if self.alive:
            self.end()
            if self.wire.alive:
                self.wire.detach(closed, condition, text)

    def end(self) -> None:
        """The link is over. Idempotent.

        What it published stays; a client that detaches before it hears of it does not know.
        """
        if not self.alive:
            return
        self.alive = False
        self.state.producers.pop(self.wire.handle, None)
        self.registry.leave(self.key, self)
        self.holding.clear()
        if self.dynamic is not None:
            self.dynamic.leave(self.creator)
