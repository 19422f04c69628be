"""A copy of a queue in miniature: a sink that keeps what a follower is told, as a copy would."""

from __future__ import annotations

from uuid import UUID

from tanist.core.broker import Broker
from tanist.core.follower import Follower, IdRanges, merge_ids
from tanist.core.records import Entry
from tanist.core.subscription import Sink, Subscription
from tanist.types import CREDIT_UNLIMITED
from tests.broker.core.core_model import actor, publish

WHO = UUID(int=99)


class Copy(Sink):
    """``ids`` -> body: what is in the copy. ``unaccepted``: positions it has not accepted."""

    def __init__(self, room: int = 1 << 30) -> None:
        self.ids: dict[int, bytes] = {}
        self.order: list[int] = []
        self.unaccepted: list[int] = []
        self.told: list[IdRanges] = []
        self.standings: list[bool] = []
        self.closings = 0
        self.room = room

    def ready(self) -> bool:
        return self.room > 0

    def deliver(self, subscription: Subscription, entry: Entry) -> None:
        assert entry.position not in self.ids, "sent twice"
        self.room -= 1
        self.ids[entry.position] = entry.message.body
        self.order.append(entry.position)
        self.unaccepted.append(entry.position)

    def tell_gone(self, subscription: Subscription, ids: IdRanges) -> None:
        assert isinstance(subscription, Follower)
        assert ids == merge_ids(ids), "in order, apart"
        subscription.spend(10)
        self.told.append(ids)
        for number in list(self.ids):
            if any(first <= number <= last for first, last in ids):
                del self.ids[number]

    def tell_standing(self, subscription: Subscription) -> None:
        assert isinstance(subscription, Follower)
        self.standings.append(subscription.waited_for)

    def closed(self, subscription: Subscription) -> None:
        self.closings += 1

    @property
    def bodies(self) -> list[bytes]:
        """What the copy holds, in order of its ids."""
        return [body for _, body in sorted(self.ids.items())]


def follow(
    broker: Broker,
    copy: Copy | None = None,
    *,
    queue: str = "q",
    has: IdRanges | None = None,
    lineage: UUID | None = None,
    credit: int = CREDIT_UNLIMITED,
    who: UUID = WHO,
) -> tuple[Follower, Copy]:
    """Follow a queue; ``has`` as a set of ids."""
    copy = copy or Copy()
    follower = broker.follow(queue, "f", copy, has or [], lineage, who, {}, actor(object()))
    broker.flow(follower, 0, credit)
    broker.flow(follower, 1, CREDIT_UNLIMITED)
    return follower, copy


def settle(broker: Broker, index: int = 0, confirmed: int | None = None) -> list[object]:
    """The end of a step: the journal is read and, unless told otherwise, confirmed at once.

    Returns the records for the backups.
    """
    following = broker.following
    records, broker.journal = broker.journal, []
    rest = following.take(records, broker.now)
    following.seal(index)
    following.confirm(index if confirmed is None else confirmed)
    while following.feed(broker.now):
        pass
    return list(rest)


def accept(follower: Follower, copy: Copy, *positions: int, now: float = 0.0) -> None:
    """The copy accepts some of what it was sent, all by default."""
    for position in positions or tuple(copy.unaccepted):
        copy.unaccepted.remove(position)
        follower.accepted(position, now)


def fill(broker: Broker, *bodies: bytes) -> None:
    """Publish and settle."""
    publish(broker, *bodies)
    settle(broker)
