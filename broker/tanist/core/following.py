"""All followers of a broker: a reader of the journal beside the backups (see ``follower``).

What happens to a queue that is followed goes into the journal, replicated or not. Once a step the
node hands the journal over, seals it with the index of the log, and says up to which index the log
is confirmed; only then do followers read it: a message that the next primary does not know must not
be in a copy under an id that it will use again. Outside a cluster everything is confirmed at once::

    records = following.take(broker.journal, now)    # what is left is for the backups
    pledge = following.seal(index)                   # what this step confirms waits for it, too
    following.confirm(index)
    more = following.feed(now)
    for pledge in following.take_kept(): ...         # those who waited for it may go on
"""

from __future__ import annotations

from collections import deque
from typing import Final

from tanist.core.follower import Follower, Pledge
from tanist.core.queue import Queue
from tanist.core.records import Dequeued, Entry, Record

FEED_MAX: Final = 4096
"""Moves of followers in one ``feed``: a step must end, other connections wait for it."""


class _Sealed:
    """What waits for record ``index``: news of followed queues, and followers that began then."""

    __slots__ = ("index", "news", "starting")

    def __init__(self, index: int, news: list[Record], starting: list[Follower]) -> None:
        self.index = index
        self.news = news
        self.starting = starting


class Following:
    """The followers, in the order in which they came. ``enabled``: whether there may be any."""

    __slots__ = (
        "_foreign",
        "_foreign_left",
        "_hungry",
        "_kept",
        "_line",
        "_news",
        "_pledge",
        "_starting",
        "enabled",
        "followers",
    )

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled
        self.followers: list[Follower] = []
        self._kept: list[Pledge] = []
        self._hungry: list[Follower] = []
        self._line: deque[_Sealed] = deque()
        self._news: list[Record] = []
        self._starting: list[Follower] = []
        self._pledge: Pledge | None = None
        # Queues that are followed and not replicated: how many, and whether one ceased to be.
        self._foreign = 0
        self._foreign_left = False

    @property
    def active(self) -> bool:
        """Whether there is anything to do at the end of a step."""
        return bool(self.followers or self._kept or self._foreign_left)

    @property
    def kept(self) -> list[Pledge]:
        """Where followers put kept pledges; take them with ``take_kept``."""
        return self._kept

    # -- who follows --------------------------------------------------------------------------

    def add(self, follower: Follower) -> None:
        """A new follower; it reads when everything that is in the journal now is confirmed."""
        queue = follower.queue
        if not queue.recorded:
            self._foreign += 1
            queue.recorded = True
        queue.followers.append(follower)
        self.followers.append(follower)
        self._starting.append(follower)

    def leave(self, follower: Follower) -> None:
        """It is over: nobody waits for it any more. Idempotent."""
        if follower.closed:
            return
        follower.closed = True
        follower.release()
        queue = follower.queue
        queue.followers.remove(follower)
        self.followers.remove(follower)
        if not queue.followers and not queue.journaled:
            queue.recorded = False
            self._foreign -= 1
            self._foreign_left = True
        if not self.followers:
            self._line.clear()
            self._news = []
            self._starting = []

    def rouse(self, follower: Follower) -> None:
        """It may be able to take more: it is fed at the end of the step."""
        if not follower.roused and follower.live and not follower.closed:
            follower.roused = True
            self._hungry.append(follower)

    # -- the step -----------------------------------------------------------------------------

    def take(self, records: list[Record], now: float) -> list[Record]:
        """Note what the step recorded on followed queues. Return the records for the backups."""
        for record in records:
            if isinstance(record, Entry):
                if record.queue.followers:
                    self._news.append(record)
                    self._guard(record, now)
            elif isinstance(record, Dequeued) and record.queue.followers:
                self._news.append(record)
        if not self._foreign and not self._foreign_left:
            return records
        self._foreign_left = False
        return [record for record in records if _is_replicated(record)]

    def _guard(self, entry: Entry, now: float) -> None:
        for follower in entry.queue.followers:
            if follower.waited_for:
                if self._pledge is None:
                    self._pledge = Pledge()
                follower.guard(entry.position, self._pledge, now)

    def seal(self, index: int) -> Pledge | None:
        """What was noted waits for record ``index``. Return what the step's confirmations wait for
        beside it, None for nothing.
        """
        if self._news or self._starting:
            self._line.append(_Sealed(index, self._news, self._starting))
            for follower in self._starting:
                follower.horizon = follower.queue.last_position
            self._news = []
            self._starting = []
        pledge, self._pledge = self._pledge, None
        return pledge

    def confirm(self, index: int) -> None:
        """Records up to ``index`` are safe: followers may read them."""
        line = self._line
        while line and line[0].index <= index:
            sealed = line.popleft()
            for record in sealed.news:
                if isinstance(record, Entry):
                    self._came(record.queue, record.position)
                elif isinstance(record, Dequeued):
                    self._went(record.queue, record.positions)
            for follower in sealed.starting:
                follower.live = True
                self.rouse(follower)

    def _came(self, queue: Queue, position: int) -> None:
        for follower in queue.followers:
            if follower.live:
                follower.horizon = position
                self.rouse(follower)

    def _went(self, queue: Queue, positions: list[int]) -> None:
        for follower in queue.followers:
            if follower.live:
                follower.dequeued(positions)
                self.rouse(follower)

    def feed(self, now: float) -> bool:
        """Send followers what they may have. Return True if it stopped at its bound."""
        hungry, self._hungry = self._hungry, []
        budget = FEED_MAX
        for index, follower in enumerate(hungry):
            follower.roused = False
            if follower.closed:
                continue
            budget = follower.feed(now, budget)
            if budget <= 0:
                self._hungry = hungry[index + 1 :]
                self.rouse(follower)
                return True
        return False

    def take_kept(self) -> list[Pledge]:
        """The pledges that were kept since the last call."""
        kept = self._kept[:]
        self._kept.clear()
        return kept

    def tick(self, now: float, timeout_s: float) -> list[Follower]:
        """Time passed. Return the followers that are no longer waited for, being too slow.

        ``timeout_s``: how long a copy may owe an acknowledgement, 0 = for ever.
        """
        stuck: list[Follower] = []
        for follower in self.followers:
            if timeout_s and follower.is_stuck(now, timeout_s):
                follower.stop_waiting(now, timeout_s)
                stuck.append(follower)
            elif not follower.waited_for:
                self.rouse(follower)
        return stuck


def _is_replicated(record: Record) -> bool:
    """Whether the backups get ``record``, too."""
    if isinstance(record, (Entry, Dequeued)):
        return record.queue.journaled
    return True
