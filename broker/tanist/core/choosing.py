"""Delivery to subscriptions that do not want everything (``interest``).

``Choosing`` adds to ``Copying`` what queues with such consumers or browsers need; ``delivery``
calls it. Consumers take turns: each gets the first entry that it wants, one that wants everything
the first that is there. A search that takes long is interrupted, so that neither a step becomes
long nor the other consumers wait for it; it goes on at its next turn, or in the next dispatch.
"""

from __future__ import annotations

from typing import Final

from tanist.core.copying import Copying
from tanist.core.interest import Interest, Search
from tanist.core.queue import Queue
from tanist.core.records import Entry
from tanist.core.subscription import Subscription

LOOK_COST: Final = 4
"""What a look costs of the bound of a dispatch, in deliveries: a selector reads the message."""

LOOKS_PER_TURN: Final = 64
"""Looks that a consumer makes before it is the next one's turn."""


class Choosing(Copying):
    """Messages that go out to subscriptions with an interest."""

    __slots__ = ()

    def set_interest(self, subscription: Subscription, interest: Interest | None) -> None:
        """What ``subscription`` wants from now on, None for everything.

        Call it also with the interest that it has, when that came to want more. A consumer is
        offered again what is available, from the front; a browser goes on where it is.
        """
        if subscription.closed:
            return
        queue = subscription.queue
        old = subscription.search
        if old is not None:
            if subscription.acquire:
                queue.end_search(old)
            else:
                subscription.cursor = max(subscription.cursor, old.cursor)
        subscription.search = None
        if interest is not None:
            consumes = subscription.acquire
            cursor = 0 if consumes else subscription.cursor
            search = Search(interest, consumes, cursor, len(queue.returned))
            subscription.search = search
            if consumes:
                queue.searches.append(search)
        self._mark_dirty(queue)

    def _feed_choosing(self, queue: Queue, active: list[Subscription], budget: int) -> int:
        """Deliver one entry to each of ``active`` (which it empties) in turn.

        Return what is left of ``budget``; 0 or less: there may be more to do.
        """
        turn = 0
        last: Subscription | None = None
        while active and budget > 0:
            if turn >= len(active):
                turn = 0
            consumer = active[turn]
            if consumer.messages_left <= 0 or not consumer.sink.ready():
                del active[turn]
                continue
            budget -= 1
            search = consumer.search
            if search is None:
                entry = queue.ordering.peek()
                if entry is not None and entry.message.expires_at <= self.now:
                    self._remove_expired(queue, [entry.position])
                    continue
            else:
                looks = search.looks = max(1, min(LOOKS_PER_TURN, budget // LOOK_COST))
                entry = self._look(queue, search)
                budget -= (looks - search.looks) * LOOK_COST
                if entry is None and not search.looks:
                    last = consumer
                    turn += 1
                    continue
            if entry is None or entry.message.size > consumer.bytes_left:
                del active[turn]
                continue
            if search is not None:
                search.take()
            last = consumer
            turn += 1
            self._deliver(queue, consumer, entry)
        if last is not None:
            queue.turn = (queue.consumers.index(last) + 1) % len(queue.consumers)
        return budget

    def _look(self, queue: Queue, search: Search) -> Entry | None:
        """The next entry that ``search`` finds; removes the expired ones on its way."""
        entry = search.look(queue.ordering, queue.returned, self.now)
        expired = search.expired
        if expired:
            search.expired = []
            if self.serving or not queue.number:
                self._remove_expired(queue, expired)
        return entry

    def _deliver(self, queue: Queue, consumer: Subscription, entry: Entry) -> None:
        entry.holder = consumer
        entry.deliveries += 1
        queue.held += 1
        queue.acquires += 1
        consumer.delivered += 1
        consumer.messages_left -= 1
        consumer.bytes_left -= entry.message.size
        consumer.sink.deliver(consumer, entry)

    def _browse_choosing(
        self, queue: Queue, browser: Subscription, search: Search, budget: int
    ) -> int:
        """Show a browser what it wants; at most half of ``budget`` is for it, others wait too."""
        share = max(1, budget // 2)
        budget -= share
        while share > 0 and browser.messages_left > 0 and browser.sink.ready():
            share -= 1
            looks = search.looks = max(1, min(LOOKS_PER_TURN, share // LOOK_COST))
            entry = self._look(queue, search)
            share -= (looks - search.looks) * LOOK_COST
            if entry is None:
                if search.looks:
                    return budget + share
                continue
            size = entry.message.size
            if size > browser.bytes_left:
                return budget + share
            search.take()
            browser.cursor = entry.position
            browser.delivered += 1
            browser.messages_left -= 1
            browser.bytes_left -= size
            browser.sink.deliver(browser, entry)
        if share <= 0:
            self._mark_dirty(queue)
        return budget + share
