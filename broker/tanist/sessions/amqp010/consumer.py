"""A consumer: the sink of one subscription, which writes its entries as ``message.transfer``.

The hot half of delivery. Per message it makes one ``Delivery`` and nothing else; the command head
is encoded once per consumer, the header is the producer's with exchange, redelivered flag and
remaining time to live stamped in. A message of AMQP 1.0 is translated first. What happens to the
entry depends on the modes of ``message.subscribe``:

* explicit accept: remembered in ``unacked`` until settled;
* accept none, pre-acquired: the delivery settles it. Such entries are collected and dequeued
  together after the dispatch (``StepWork.settle``): one record per queue, not per message;
* accept none, not acquired: remembered (up to ``BROWSED_MAX``) for ``message.acquire``.
"""

from __future__ import annotations

from typing import Final

from tanist.core.broker import Broker
from tanist.core.message import AMQP_0_10, NEVER, Message
from tanist.core.records import Entry
from tanist.core.subscription import Sink, Subscription
from tanist.sessions.amqp010.state import BROWSED_MAX, Delivery, SessionBroken, SessionState
from tanist.sessions.translation import to_amqp010
from tanist.types import Condition
from tanist.wire.amqp010.transfer import encode_transfer, stamp_header

ACCEPT_EXPLICIT: Final = 0
ACCEPT_NONE: Final = 1
PRE_ACQUIRED: Final = 0
NOT_ACQUIRED: Final = 1

FRAME_OVERHEAD_BYTES: Final = 64
"""What a transfer costs beyond header and body: frame headers and the command."""


class Consumer(Sink):
    """Delivers the entries of one subscription called ``destination`` to its session."""

    __slots__ = (
        "broker",
        "browsing",
        "explicit",
        "flush_ids",
        "head",
        "link",
        "session",
        "state",
        "unacked",
        "windowed",
        "work",
    )

    def __init__(
        self,
        broker: Broker,
        state: SessionState,
        destination: str,
        accept_mode: int,
        acquire_mode: int,
    ) -> None:
        self.broker = broker
        self.state = state
        self.session = state.session
        self.link = state.link
        self.work = state.work
        self.head = encode_transfer(destination, accept_mode, acquire_mode)
        self.explicit = accept_mode == ACCEPT_EXPLICIT
        self.browsing = acquire_mode == NOT_ACQUIRED
        self.unacked = state.unacked
        self.windowed = state.windowed
        self.flush_ids: list[int] = []

    def ready(self) -> bool:
        """Whether the connection takes more in this step."""
        return self.work.takes(self.link)

    def deliver(self, subscription: Subscription, entry: Entry) -> None:
        """Send ``entry`` and remember it as the modes demand."""
        message = entry.message
        header, body, bodiless = message.header, message.body, message.bodiless
        if message.form != AMQP_0_10:
            broker = self.broker
            header, body, bodiless = to_amqp010(message, broker.queues, broker.exchanges)
        header = stamp_header(
            header,
            message.exchange,
            entry.redelivered,
            None if message.expires_at == NEVER else remaining_ms(message, self.broker.now),
        )
        command_id = self.session.send_transfer(self.head, header, body, bodiless)
        self.link.budget -= len(header) + len(body) + FRAME_OVERHEAD_BYTES
        self.state.delivered += 1
        if self.explicit:
            delivery = Delivery(entry, subscription)
            self.unacked[command_id] = delivery
            if subscription.window:
                self.windowed[command_id] = delivery
            return
        if subscription.window:
            self.windowed[command_id] = Delivery(entry, subscription)
        if self.browsing:
            self._remember_browsed(command_id, Delivery(entry, subscription))
        else:
            self.work.sent(self.state.sent_settled, entry)

    def _remember_browsed(self, command_id: int, delivery: Delivery) -> None:
        browsed = self.state.browsed
        browsed.append(command_id)
        self.unacked[command_id] = delivery
        if len(browsed) > BROWSED_MAX:
            self.unacked.pop(browsed.popleft(), None)

    def flushed(self, subscription: Subscription) -> None:
        """An unfinished flush is over: complete its command."""
        ids = self.flush_ids
        if ids:
            self.flush_ids = []
            self.state.flushed(ids)

    def closed(self, subscription: Subscription) -> None:
        """The queue was deleted under the consumer.

        One that waits for messages is told: its session ends at the end of the step. One without
        credit is not, as in the original: Python deletes a queue by closing its sender and cancels
        the idle receiver afterwards.
        """
        self.flushed(subscription)
        if subscription.messages_left > 0 and subscription.bytes_left > 0:
            text = f"Queue {subscription.queue.name} has been deleted."
            self.work.broken.append(SessionBroken(self.state, Condition.RESOURCE_DELETED, text))


def remaining_ms(message: Message, now: float) -> int:
    """Time to live left, whole milliseconds, at least 1: 0 would mean none at all."""
    return max(1, int((message.expires_at - now) * 1000))
