"""A replicating subscription: ``message.subscribe`` by a broker that keeps a copy of a queue.

``Feed`` is the sink of a ``core.follower``: it writes messages and events as ``ha.queue_link`` says
and remembers in ``SessionState.copying`` what the copy has not accepted. Events spend credit as
messages do, and completing them gives it back, but accepting them means nothing. To the original an
id event is sent before every message; a broker of ours, which says so with its argument, needs one
only where the ids leave out some, or where the message itself looks like an event.

``execution.sync`` follows upon every N transfers if the subscriber asked for that. Specification
6.4, 9.3.
"""

from __future__ import annotations

from typing import Final

from tanist.core.broker import Broker
from tanist.core.follower import Follower, IdRanges, merge_ids
from tanist.core.message import AMQP_0_10, NEVER, Message
from tanist.core.records import Entry
from tanist.core.subscription import Subscription
from tanist.ha.membership import BrokerInfo
from tanist.ha.queue_link import (
    EVENT_PREFIX,
    GONE_EVENT,
    ID_EVENT,
    ID_MAX,
    IDS_ARGUMENT,
    LINEAGE_ARGUMENT,
    RANGES_MAX,
    REPSUB,
    REPSUB_ARGUMENT,
    STANDING_EVENT,
    SYNC_ARGUMENT,
    Standing,
    decode_ids,
    decode_lineage,
    encode_id,
    encode_ids,
    encode_standing,
    event_header,
)
from tanist.ha.standing import INFO_PROPERTY
from tanist.sessions.amqp010.consumer import (
    ACCEPT_EXPLICIT,
    FRAME_OVERHEAD_BYTES,
    NOT_ACQUIRED,
    Consumer,
    remaining_ms,
)
from tanist.sessions.amqp010.state import Delivery, SessionBroken, SessionState
from tanist.sessions.translation import to_amqp010
from tanist.types import BrokerError, Condition, FramingError
from tanist.wire.amqp010.codec import make
from tanist.wire.amqp010.transfer import stamp_header
from tanist.wire.amqp010.values import Struct, Value

_ID_HEADER: Final = event_header(ID_EVENT)
_GONE_HEADER: Final = event_header(GONE_EVENT)
_STANDING_HEADER: Final = event_header(STANDING_EVENT)


def is_replicating(arguments: dict[str, Value]) -> bool:
    """Whether the arguments of message.subscribe ask for a replicating subscription."""
    value = arguments.get(REPSUB_ARGUMENT)
    return value in (REPSUB, REPSUB.encode())


def subscribe(
    broker: Broker, state: SessionState, struct: Struct, accept_mode: int, acquire_mode: int
) -> Follower:
    """Begin a replicating subscription, in window mode and without credit.

    Raises: BrokerError: 404, 408, 506, 530, 531; 542 without broker info, with other modes than
    explicit and not-acquired, for ids that are no set, or a queue too far on.
    """
    arguments = struct.map("arguments")
    destination = struct.text("destination")
    try:
        info = BrokerInfo.from_map(arguments.get(INFO_PROPERTY))
    except BrokerError:
        raise _bad(f"Can't subscribe, no broker info: {destination}") from None
    if accept_mode != ACCEPT_EXPLICIT or acquire_mode != NOT_ACQUIRED:
        raise _bad(f"Can't subscribe, {destination}: use accept-mode explicit and not-acquired")
    try:
        ids = arguments.get(IDS_ARGUMENT)
        has = merge_ids(decode_ids(ids)) if isinstance(ids, bytes) else []
        sync_every = _sync_frequency(arguments)
    except FramingError as broken:
        raise _bad(f"Can't subscribe, {destination}: {broken.text}") from None
    ours = LINEAGE_ARGUMENT in arguments
    feed = Feed(broker, state, destination, sync_every, ours)
    follower = broker.follow(
        struct.text("queue"),
        destination,
        feed,
        has,
        decode_lineage(arguments.get(LINEAGE_ARGUMENT)),
        info.system_id,
        arguments,
        state.actor,
    )
    broker.set_window(follower, True)
    feed.tell_standing(follower)
    return follower


def _bad(text: str) -> BrokerError:
    return BrokerError(Condition.INVALID_ARGUMENT, text)


def _sync_frequency(arguments: dict[str, Value]) -> int:
    value = arguments.get(SYNC_ARGUMENT, 0)
    if not isinstance(value, int) or value < 0:
        raise FramingError(f"{SYNC_ARGUMENT} must be a number, 0 or more")
    return int(value)


class Feed(Consumer):
    """Feeds one copy. ``ours``: its broker is one of ours."""

    __slots__ = ("next_id", "ours", "sync_every", "unsynced")

    def __init__(
        self,
        broker: Broker,
        state: SessionState,
        destination: str,
        sync_every: int,
        ours: bool,
    ) -> None:
        super().__init__(broker, state, destination, ACCEPT_EXPLICIT, NOT_ACQUIRED)
        self.sync_every = sync_every
        self.unsynced = 0
        self.ours = ours
        self.next_id = 0

    def deliver(self, subscription: Subscription, entry: Entry) -> None:
        """Send ``entry`` and, where it is needed, its id before it."""
        position = entry.position
        if position > ID_MAX:
            self._overrun(subscription)
            return
        message = entry.message
        look_alike = message.routing_key.startswith(EVENT_PREFIX)
        if position != self.next_id or not self.ours or look_alike:
            self._event(subscription, _ID_HEADER, encode_id(position))
        self.next_id = position + 1
        header, body, bodiless = message.header, message.body, message.bodiless
        if message.form != AMQP_0_10:
            broker = self.broker
            header, body, bodiless = to_amqp010(message, broker.queues, broker.exchanges)
        header = stamp_header(
            header,
            message.exchange,
            entry.redelivered or entry.deliveries > 0,
            None if message.expires_at == NEVER else remaining_ms(message, self.broker.now),
        )
        delivery = Delivery(entry, subscription)
        command_id = self._send(header, body, delivery, bodiless)
        self.state.copying[command_id] = delivery
        self.state.delivered += 1

    def _overrun(self, subscription: Subscription) -> None:
        """Ids have 32 bits on the wire: better no copy than one that mixes up its messages."""
        text = (
            f"Queue {subscription.queue.name} has had more than {ID_MAX} messages and cannot be "
            "replicated any more: move what is on it to a new queue and replicate that"
        )
        broken = SessionBroken(self.state, Condition.RESOURCE_LIMIT_EXCEEDED, text)
        self.work.broken.append(broken)

    def tell_gone(self, subscription: Subscription, ids: IdRanges) -> None:
        """Send the ids in as many events as they need."""
        for at in range(0, len(ids), RANGES_MAX):
            self._event(subscription, _GONE_HEADER, encode_ids(ids[at : at + RANGES_MAX]))

    def tell_standing(self, subscription: Subscription) -> None:
        """Tell a broker of ours what its copy is to the queue."""
        if self.ours and isinstance(subscription, Follower):
            lineage = self.broker.lineage_of(subscription.queue)
            standing = Standing(lineage, subscription.waited_for, subscription.unsent)
            self._event(subscription, _STANDING_HEADER, encode_standing(standing))

    def closed(self, subscription: Subscription) -> None:
        """The queue was deleted: the copy's broker is told, whatever credit it has."""
        text = f"Queue {subscription.queue.name} has been deleted."
        self.work.broken.append(SessionBroken(self.state, Condition.RESOURCE_DELETED, text))

    def _event(self, subscription: Subscription, header: bytes, body: bytes) -> None:
        """Send an event; it is a message of no queue, and spends credit."""
        assert isinstance(subscription, Follower)
        message = Message(header, body, "", "")
        subscription.spend(message.size)
        self._send(header, body, Delivery(Entry(message, subscription.queue, 0), subscription))

    def _send(self, header: bytes, body: bytes, delivery: Delivery, bodiless: bool = False) -> int:
        command_id = self.session.send_transfer(self.head, header, body, bodiless)
        self.link.budget -= len(header) + len(body) + FRAME_OVERHEAD_BYTES
        if delivery.subscription.window:
            self.windowed[command_id] = delivery
        if self.sync_every:
            self.unsynced += 1
            if self.unsynced >= self.sync_every:
                self.unsynced = 0
                self.session.send(make("execution.sync"))
        return command_id
