"""A follower: a replicating subscription, and what is known of the copy that it feeds.

Somebody else keeps a copy of a queue (qpidd-compat 6.3, 6.4). The position of an entry is its *id*
in the copy. A follower begins with the ids that the copy has already and walks over the queue once,
in order of position: what the copy has is passed over, what it lacks is sent, what it has and the
queue has not is told to be *gone*. From then on it sends what comes in and tells what goes out.

It is no consumer: it sees acquired entries, ignores exclusivity and priorities, keeps no queue
alive and is in none of the queue's lists but ``followers``. It reads nothing that is not safe: the
node says up to which position (``horizon``) the journal is confirmed (``following``).

A follower that has been sent everything is **waited for**: what comes in afterwards is *guarded* by
a ``Pledge``, which holds the confirmation to the producer until the copy has accepted the message,
the message is gone, or the follower is, or is too slow (``stop_waiting``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

from tanist.core.notices import Actor
from tanist.core.subscription import Sink, Subscription

if TYPE_CHECKING:
    from tanist.core.queue import Queue
    from tanist.core.records import Entry

IdRanges = list[tuple[int, int]]
"""Ids as ranges (first, last), both included; in ascending order, apart, unless said otherwise."""

PAUSE_MAX_S: Final = 60.0
"""A copy that is too slow again and again is not waited for more often than this."""

TIMES_SLOW_MAX: Final = 16


class Pledge:
    """What the confirmations of one step wait for beside their records: copies elsewhere.

    ``owed``: how many (message, follower) pairs are outstanding; kept when it is 0.
    """

    __slots__ = ("owed",)

    def __init__(self) -> None:
        self.owed = 0


def merge_ids(ranges: IdRanges) -> IdRanges:
    """The same ids in ascending ranges that neither overlap nor touch."""
    merged: IdRanges = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            if last > merged[-1][1]:
                merged[-1] = (merged[-1][0], last)
        else:
            merged.append((first, last))
    return merged


class Follower(Subscription):
    """Made by ``Broker.follow``, without credit. ``cursor``: the last position dealt with.

    ``who``: the broker that keeps the copy. ``gone``: ids that the copy must drop, not
    told yet, in any order. ``horizon``: it may read up to here. ``live``: what was recorded before
    it came is safe, it may read. ``outstanding``: messages sent and not accepted. ``roused``: it is
    in the line of those to be fed. ``moved_at`` (seconds): when the copy last accepted something,
    or the first guarded message began to wait.
    """

    __slots__ = (
        "_has",
        "_kept",
        "_synced_at",
        "_times_slow",
        "_turn",
        "_unready",
        "_wait_from",
        "gone",
        "guarded",
        "horizon",
        "live",
        "moved_at",
        "outstanding",
        "roused",
        "waited_for",
        "who",
    )

    def __init__(
        self,
        queue: Queue,
        name: str,
        sink: Sink,
        arguments: dict[str, object],
        actor: Actor,
        has: IdRanges,
        who: UUID,
        kept: list[Pledge],
    ) -> None:
        """``has``: the ids that the copy has. ``kept``: where kept pledges are put."""
        super().__init__(queue, name, sink, False, False, arguments, actor)
        self.who = who
        self._has = has
        self._turn = 0
        self._kept = kept
        self.gone: IdRanges = []
        self.horizon = 0
        self.live = False
        self.roused = False
        self.guarded: dict[int, Pledge] = {}
        self.outstanding = 0
        self.moved_at = 0.0
        self.waited_for = False
        self._unready = 0
        self._synced_at = 0
        self._wait_from = 0.0
        self._times_slow = 0

    @property
    def in_sync(self) -> bool:
        """It is waited for, and has accepted everything from before that."""
        return self.waited_for and self._unready == 0

    @property
    def unsent(self) -> int:
        """How many messages have still to be sent, at most: the copy may have some of them."""
        return max(0, min(self.queue.count, self.queue.last_position - self.cursor))

    @property
    def behind(self) -> int:
        """How many messages the copy lacks, at most."""
        return self.unsent + self.outstanding

    # -- what happens to the queue ------------------------------------------------------------

    def dequeued(self, positions: list[int]) -> None:
        """The entries at ``positions`` are gone for good."""
        gone = self.gone
        for position in positions:
            self._settle(position)
            if position > self.cursor:
                continue  # never sent; if the copy has it, the walk will find out
            if gone and gone[-1][1] + 1 == position:
                gone[-1] = (gone[-1][0], position)
            else:
                gone.append((position, position))

    def guard(self, position: int, pledge: Pledge, now: float) -> None:
        """``pledge`` waits until the copy has what is at ``position``."""
        if not self.guarded:
            self.moved_at = now
        self.guarded[position] = pledge
        pledge.owed += 1

    # -- what the copy says -------------------------------------------------------------------

    def accepted(self, position: int, now: float) -> None:
        """The copy has the message at ``position``, which was sent and not accepted before."""
        self.outstanding -= 1
        self.moved_at = now
        if position <= self._synced_at:
            self._unready -= 1
        self._settle(position)

    def _settle(self, position: int) -> None:
        pledge = self.guarded.pop(position, None)
        if pledge is not None:
            pledge.owed -= 1
            if not pledge.owed:
                self._kept.append(pledge)

    # -- waiting ------------------------------------------------------------------------------

    def release(self) -> None:
        """Nobody waits for this copy any more."""
        self.waited_for = False
        for position in list(self.guarded):
            self._settle(position)

    def is_stuck(self, now: float, timeout_s: float) -> bool:
        """It has accepted nothing for ``timeout_s`` although somebody waits."""
        return bool(self.guarded) and now - self.moved_at > timeout_s

    def stop_waiting(self, now: float, timeout_s: float) -> None:
        """It is too slow. It is waited for again when it caught up, after ever longer pauses."""
        self.release()
        if now > self._wait_from + PAUSE_MAX_S:
            self._times_slow = 0
        self._wait_from = now + min(timeout_s * 2**self._times_slow, PAUSE_MAX_S)
        self._times_slow = min(self._times_slow + 1, TIMES_SLOW_MAX)
        self.sink.tell_standing(self)

    # -- feeding ------------------------------------------------------------------------------

    def feed(self, now: float, budget: int) -> int:
        """Send what may be sent, in at most ``budget`` moves. Return how many are left of them."""
        sink = self.sink
        ordering = self.queue.ordering
        while budget > 0 and self.messages_left > 0 and sink.ready():
            budget -= 1
            entry = ordering.any_after(self.cursor)
            if entry is not None and entry.position > self.horizon:
                entry = None
            self._pass_gap(self.horizon + 1 if entry is None else entry.position)
            if entry is not None and self._passes_over(entry, now):
                continue
            if self.gone:
                self._tell_gone()
            elif entry is None:
                self._drained(now)
                break
            elif entry.message.size > self.bytes_left:
                break
            else:
                self._send(entry)
        return budget

    def _passes_over(self, entry: Entry, now: float) -> bool:
        """Whether the copy does not want ``entry``, the next one: it has it, or it is expired."""
        if self._has_id(entry.position) or entry.message.expires_at <= now:
            self.cursor = entry.position
            self._settle(entry.position)
            return True
        return False

    def _send(self, entry: Entry) -> None:
        self.cursor = entry.position
        self.delivered += 1
        self.outstanding += 1
        self.spend(entry.message.size)
        self.sink.deliver(self, entry)

    def spend(self, size: int) -> None:
        """A message of ``size`` bytes was sent, or an event; events may overdraw the credit."""
        self.messages_left -= 1
        self.bytes_left -= size

    def _tell_gone(self) -> None:
        gone, self.gone = merge_ids(self.gone), []
        self.sink.tell_gone(self, gone)

    def _pass_gap(self, position: int) -> None:
        """Go on to just before ``position``: what the copy has on the way there is gone here."""
        low = self.cursor + 1
        has = self._has
        while self._turn < len(has):
            first, last = has[self._turn]
            if last >= low:
                first = max(first, low)
                if first >= position:
                    break
                self.gone.append((first, min(last, position - 1)))
            if last >= position:
                break
            self._turn += 1
        self.cursor = max(self.cursor, position - 1)

    def _has_id(self, position: int) -> bool:
        """Whether the copy had ``position``, the next one, when it came."""
        has = self._has
        return self._turn < len(has) and has[self._turn][0] <= position <= has[self._turn][1]

    def _drained(self, now: float) -> None:
        """Everything has been sent: from now on the copy is waited for."""
        if self.waited_for or now < self._wait_from or (self._times_slow and self.outstanding):
            return
        self.waited_for = True
        self._unready = self.outstanding
        self._synced_at = self.cursor
        self.sink.tell_standing(self)
