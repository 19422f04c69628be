"""A link on which we send: the sink of one subscription.

The hot half of delivery. Per message it makes one ``Sent`` and nothing else; the sections of a 1.0
message are the octets that its producer sent, behind a header for this delivery, and a 0-10 message
is translated. A sender that settles what it sends consumes it by sending it.

Credit of the link and of the subscription are the same number, kept in step: what the client grants
is given to the subscription, and each delivery spends one of both. A drain is a flush of the
subscription (``core.delivery``). Source: AMQP 1.0, 2.6.7, 2.6.10, 3.2.1 "header".
"""

from __future__ import annotations

from typing import Final

from tanist.core.broker import Broker
from tanist.core.message import AMQP_1_0, NEVER
from tanist.core.records import Entry
from tanist.core.subscription import Sink, Subscription
from tanist.sessions.amqp10 import outcomes
from tanist.sessions.amqp10.interest import LinkInterest
from tanist.sessions.amqp10.nodes import Dynamic
from tanist.sessions.amqp10.registry import Key, Registry
from tanist.sessions.amqp10.state import Sent, SessionState
from tanist.sessions.amqp10.subscriptions import SubscriptionQueue
from tanist.sessions.translation import to_amqp10
from tanist.sessions.work import Broken
from tanist.types import CREDIT_UNLIMITED, Condition
from tanist.wire.amqp10.composites import DeliveryState
from tanist.wire.amqp10.conditions import NOT_IMPLEMENTED
from tanist.wire.amqp10.events import Flowed
from tanist.wire.amqp10.sections import stamp_header
from tanist.wire.amqp10.sender import Sender

UNSETTLED_MAX: Final = 262_144
"""Deliveries of one link that wait to be settled: clients grant credit for some thousands. One that
has so many gets no more until it settles some."""

FRAME_OVERHEAD_BYTES: Final = 64
"""What a transfer costs beyond the message: frame header, performative and header section."""

TTL_MS_MAX: Final = 0xFFFFFFFF
"""Longest time to live that a header can tell, milliseconds."""

TAG_MASK: Final = 0xFFFFFFFF
"""Tags are the numbers of deliveries, four octets: unique among those that are unsettled."""

TXN_ID: Final = "txn-id"
"""Property of a flow that would acquire messages for a transaction (AMQP 1.0, 4.4.3.1)."""


class Consumer(Sink):
    """Delivers the entries of ``subscription`` on the link ``wire``.

    ``count``: its deliveries that are unsettled; ``full``: it was refused more of them.
    ``subscribed``: its queue if it is the subscription of a topic, ``dynamic``: its node if that
    was made for a link. ``default_outcome``: of what is not settled otherwise. ``alive``: it may
    send. ``header``: that of the last message delivered for the first time, which was ``durable``
    and had ``priority``: mostly all are alike.
    """

    __slots__ = (
        "alive",
        "attached",
        "broker",
        "count",
        "creator",
        "default_outcome",
        "durable",
        "dynamic",
        "full",
        "header",
        "key",
        "link",
        "priority",
        "registry",
        "session",
        "settles",
        "state",
        "subscribed",
        "subscription",
        "tag",
        "unsettled",
        "wire",
        "work",
    )

    def __init__(
        self,
        broker: Broker,
        state: SessionState,
        wire: Sender,
        settles: bool,
        default_outcome: DeliveryState | None,
        registry: Registry,
        key: Key,
    ) -> None:
        """``settles``: it sends messages settled. Give it its ``subscription`` next."""
        self.broker = broker
        self.state = state
        self.session = state.session
        self.link = state.link
        self.work = state.work
        self.wire = wire
        self.settles = settles
        self.default_outcome = default_outcome
        self.registry = registry
        self.key = key
        self.unsettled = state.unsettled
        self.subscription: Subscription
        self.subscribed: SubscriptionQueue | None = None
        self.dynamic: Dynamic | None = None
        self.creator = False
        self.alive = True
        self.attached = False
        self.count = 0
        self.full = False
        self.tag = 0
        self.durable = False
        self.priority = -1
        self.header = b""

    # -- the sink -----------------------------------------------------------------------------

    def ready(self) -> bool:
        """Whether the link takes more in this step."""
        if self.count >= UNSETTLED_MAX:
            self.full = True
            return False
        if not self.session.writable:
            return False
        return self.work.takes(self.link)

    def deliver(self, subscription: Subscription, entry: Entry) -> None:
        """Send ``entry`` and remember it until it is settled."""
        message = entry.message
        payload = message.body if message.form == AMQP_1_0 else to_amqp10(message)
        ttl_ms: int | None = None
        if message.expires_at != NEVER:
            left_ms = max(1, int((message.expires_at - self.broker.now) * 1000))
            ttl_ms = left_ms if left_ms <= TTL_MS_MAX else None
        if (  # as Entry.redelivered, without a call
            entry.deliveries > 1
            or ttl_ms is not None
            or message.redelivered
            or entry.position <= entry.queue.redelivered_below
        ):
            count = entry.delivery_count
            header = stamp_header(message.durable, message.priority, ttl_ms, count == 0, count)
        elif message.durable == self.durable and message.priority == self.priority:
            header = self.header
        else:
            self.durable, self.priority = message.durable, message.priority
            header = self.header = stamp_header(self.durable, self.priority, None, True, 0)
        tag = self.tag
        self.tag = (tag + 1) & TAG_MASK
        number = self.wire.send(tag.to_bytes(4, "big"), payload, self.settles, header)
        self.link.budget -= len(payload) + FRAME_OVERHEAD_BYTES
        self.state.delivered += 1
        if not self.settles:
            self.unsettled[number] = Sent(entry, self)
            self.count += 1
        elif subscription.acquire:
            self.work.sent(self.state.sent_settled, entry)

    def flushed(self, subscription: Subscription) -> None:
        """A drain that was unfinished is over."""
        if self.wire.drain:
            self.wire.drained()
        elif self.attached and self.alive:
            self._grant()

    def closed(self, subscription: Subscription) -> None:
        """The queue was deleted under the link: it ends in the next step."""
        text = f"Queue {subscription.queue.name} has been deleted."
        self.work.broken.append(ConsumerBroken(self, Condition.RESOURCE_DELETED.symbol, text))

    # -- the link -----------------------------------------------------------------------------

    def attach(self) -> None:
        """The client has been told that it is attached: begin with the credit that there is."""
        self.attached = True
        self._grant()

    def flowed(self, event: Flowed) -> None:
        """The client granted or revoked credit, or drains."""
        flow = event.flow
        if flow is not None and flow.properties and TXN_ID in flow.properties:
            text = "messages cannot be acquired for a transaction, only settled in one"
            self.break_off(NOT_IMPLEMENTED, text)
        elif self.attached:
            self._grant()

    def _grant(self) -> None:
        """Give the credit of the link to the subscription; drain if the client wants that."""
        subscription, wire = self.subscription, self.wire
        queue = subscription.queue
        wire.available = 0 if queue.deleted else min(queue.available, TTL_MS_MAX)
        subscription.stop()
        subscription.forget_grants()
        subscription.grant_bytes(CREDIT_UNLIMITED)
        if wire.credit:
            subscription.grant_messages(wire.credit)
        if not wire.drain:
            self.broker.wake(subscription)
        elif self.broker.flush(subscription):
            wire.drained()

    def refuse(self, entry: Entry) -> bool:
        """``entry`` must not be sent on this link again; False if too many are not already.

        The caller releases it after that.
        """
        subscription = self.subscription
        interest = subscription.interest
        if not isinstance(interest, LinkInterest):
            interest = LinkInterest()
            interest.refuse(entry)
            self.broker.set_interest(subscription, interest)
            return True
        return interest.refuse(entry)

    def break_off(self, condition: str, text: str, closed: bool = True) -> None:
        """End it, for a reason that the client is told."""
        if self.alive:
            self.end(False)
            if self.wire.alive:
                self.wire.detach(closed, condition, text)

    def end(self, closed: bool) -> None:
        """The link is over; ``closed``: for good, its durable subscription too. Idempotent.

        What it had not settled goes back to the queue.
        """
        if not self.alive:
            return
        self.alive = False
        broker, state = self.broker, self.state
        state.consumers.pop(self.wire.handle, None)
        self.registry.leave(self.key, self)
        state.sent_settled.settle(broker)
        broker.cancel(self.subscription)
        if self.count:
            mine = [number for number, sent in self.unsettled.items() if sent.consumer is self]
            deliveries = [self.unsettled.pop(number) for number in mine]
            self.count = 0
            outcomes.apply(broker, deliveries, self.default_outcome)
        if self.subscribed is not None:
            self.subscribed.leave(closed)
        if self.dynamic is not None:
            self.dynamic.leave(self.creator)


class ConsumerBroken(Broken):
    """A link that must end, in the next step."""

    __slots__ = ("condition", "consumer", "text")

    def __init__(self, consumer: Consumer, condition: str, text: str) -> None:
        self.consumer = consumer
        self.condition = condition
        self.text = text

    def end(self, broker: Broker) -> None:
        """Tell the client, and end it."""
        self.consumer.break_off(self.condition, self.text)
