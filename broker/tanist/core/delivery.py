"""Delivery: entries go out to subscriptions, as far as credit and sinks allow.

``Delivery`` adds to ``Choosing`` what consumers and browsers need. It happens in ``dispatch``, once
per step: entries of the queues that became dirty go to subscriptions in turn, while they have
credit and a ready sink. Nothing of delivery is a record. Whoever does not want everything is served
by ``choosing``.

A flush (message.flush) delivers all that is available now and then takes the credit. It asks the
sinks like everybody else, so that one client with endless credit on a deep queue cannot make one
giant write: a flush that finds its sink full is *unfinished*, goes on with later dispatches, and
the sink is told when it is over (``Sink.flushed``). Specification 9.3; clients.md 0.2.
"""

from __future__ import annotations

from typing import Final

from tanist.core.choosing import Choosing
from tanist.core.queue import Queue
from tanist.core.subscription import Subscription
from tanist.types import BrokerError, Condition

DISPATCH_MAX: Final = 8192
"""Deliveries in one ``dispatch``: a step must end, other connections wait for it."""

READY_EVERY: Final = 32
"""Deliveries to the only consumer of a queue between two looks at ``Sink.ready``."""

READY_BYTES: Final = 64 * 1024
"""Bytes after which ``Sink.ready`` is asked again, however few deliveries that were."""


class Delivery(Choosing):
    """Messages that go out to subscriptions."""

    __slots__ = ()

    @property
    def pending(self) -> bool:
        """Whether a queue may have something to deliver that ``dispatch`` has not looked at."""
        return len(self._dirty) > 0

    def dispatch(self) -> bool:
        """Deliver what can be delivered. Return True when it stopped at its bound: step again now.

        Sinks are called from here (``Sink.deliver``).
        """
        budget = DISPATCH_MAX
        while self._dirty:
            work = self._dirty
            self._dirty = []
            for index, queue in enumerate(work):
                if budget <= 0:
                    self._dirty = work[index:] + self._dirty
                    return True
                queue.dirty = False
                budget = self._serve(queue, budget)
                if queue.flushes:
                    self._look_at_flushes(queue)
                if budget <= 0:
                    self._mark_dirty(queue)
        return False

    def _serve(self, queue: Queue, budget: int) -> int:
        """Serve one queue within ``budget`` deliveries. Return what is left of it."""
        for browser in queue.browsers:
            if budget > 0:
                budget = self._browse(queue, browser, budget)
        if queue.searches:
            return self._feed_choosing(queue, self._active(queue), budget)
        if len(queue.consumers) == 1:
            return self._feed(queue, queue.consumers[0], budget)
        if queue.consumers:
            return self._feed_in_turn(queue, budget)
        return budget

    def _feed(self, queue: Queue, consumer: Subscription, budget: int) -> int:
        """Deliver to one consumer."""
        ordering = queue.ordering
        sink = consumer.sink
        now = self.now
        while budget > 0 and consumer.messages_left > 0 and sink.ready():
            room = READY_BYTES
            turns = min(READY_EVERY, budget, consumer.messages_left)
            budget -= turns
            while turns and room > 0:
                turns -= 1
                entry = ordering.peek()
                if entry is None:
                    return budget + turns + 1
                message = entry.message
                if message.expires_at <= now:
                    self._remove_expired(queue, [entry.position])
                    continue
                size = message.size
                if size > consumer.bytes_left:
                    return budget + turns + 1
                entry.holder = consumer
                entry.deliveries += 1
                queue.held += 1
                queue.acquires += 1
                consumer.delivered += 1
                consumer.messages_left -= 1
                consumer.bytes_left -= size
                room -= size
                sink.deliver(consumer, entry)
            budget += turns
        return budget

    def _feed_in_turn(self, queue: Queue, budget: int) -> int:
        """Deliver one entry to each consumer in turn, beginning after the one served last."""
        consumers = queue.consumers
        active = self._active(queue)
        turn = 0
        last: Subscription | None = None
        while active and budget > 0:
            entry = queue.ordering.peek()
            if entry is None:
                break
            budget -= 1
            message = entry.message
            if message.expires_at <= self.now:
                self._remove_expired(queue, [entry.position])
                continue
            if turn >= len(active):
                turn = 0
            consumer = active[turn]
            if (
                consumer.messages_left <= 0
                or message.size > consumer.bytes_left
                or not consumer.sink.ready()
            ):
                del active[turn]
                continue
            turn += 1
            last = consumer
            self._deliver(queue, consumer, entry)
        if last is not None:
            queue.turn = (consumers.index(last) + 1) % len(consumers)
        return budget

    def _active(self, queue: Queue) -> list[Subscription]:
        """The consumers that can take something, beginning after the one served last."""
        consumers = queue.consumers
        active = consumers[queue.turn :] + consumers[: queue.turn]
        return [one for one in active if one.messages_left > 0 and one.sink.ready()]

    def _browse(self, queue: Queue, browser: Subscription, budget: int) -> int:
        """Show a browser what is available behind its cursor; expired messages are passed over."""
        if browser.search is not None:
            return self._browse_choosing(queue, browser, browser.search, budget)
        ordering = queue.ordering
        while budget > 0 and browser.messages_left > 0 and browser.sink.ready():
            entry = ordering.after(browser.cursor)
            if entry is None:
                break
            budget -= 1
            size = entry.message.size
            if entry.message.expires_at <= self.now:
                browser.cursor = entry.position
                if self.serving or not queue.number:
                    self._remove_expired(queue, [entry.position])
                continue
            if size > browser.bytes_left:
                break
            browser.cursor = entry.position
            browser.delivered += 1
            browser.messages_left -= 1
            browser.bytes_left -= size
            browser.sink.deliver(browser, entry)
        return budget

    # Flow.

    def flow(self, subscription: Subscription, unit: int, value: int) -> None:
        """Grant credit: ``unit`` 0 messages, 1 bytes; ``CREDIT_UNLIMITED`` is infinite.

        Raises: BrokerError (INVALID_ARGUMENT) for another unit.
        """
        if unit not in (0, 1):
            raise BrokerError(
                Condition.INVALID_ARGUMENT, f"Credit unit {unit}: use 0 (messages) or 1 (bytes)"
            )
        subscription.grant(unit, value)
        self.wake(subscription)

    def set_window(self, subscription: Subscription, window: bool) -> None:
        """Choose window (True) or credit (False) flow; see ``Subscription.set_window``."""
        subscription.set_window(window)

    def completed(self, subscription: Subscription, count: int, size: int) -> None:
        """The receiver completed ``count`` transfers of ``size`` message bytes in all."""
        if subscription.window:
            subscription.completed(count, size)
            self.wake(subscription)

    def stop(self, subscription: Subscription) -> None:
        """Take all credit away (message.stop); an unfinished flush ends first, by itself."""
        if subscription.flushing:
            subscription.forget_grants()
        else:
            subscription.stop()

    def flush(self, subscription: Subscription) -> bool:
        """Deliver all that is available within the credit, then take the credit (message.flush).

        Return True when that is done. False: the sink takes no more now; ``dispatch`` goes on, and
        ``Sink.flushed`` is called at the end. Credit granted meanwhile counts from then on.
        """
        if subscription.closed:
            return True
        queue = subscription.queue
        if not subscription.flushing:
            subscription.flushing = True
            queue.flushes += 1
        subscription.flush_until = queue.last_position
        if not subscription.acquire:
            self._browse(queue, subscription, DISPATCH_MAX)
        elif subscription.search is not None:
            self._feed_choosing(queue, [subscription], DISPATCH_MAX)
        else:
            self._feed(queue, subscription, DISPATCH_MAX)
        if self._flush_is_done(subscription):
            self._end_flush(subscription)
            return True
        self._mark_dirty(queue)
        return False

    def _look_at_flushes(self, queue: Queue) -> None:
        """End the flushes of ``queue`` that are done."""
        for subscription in queue.subscriptions:
            if subscription.flushing and self._flush_is_done(subscription):
                self._end_flush(subscription)
                subscription.sink.flushed(subscription)

    def _flush_is_done(self, subscription: Subscription) -> bool:
        """Whether nothing that the flush covers can be delivered any more."""
        if subscription.messages_left <= 0:
            return True
        queue = subscription.queue
        ordering = queue.ordering
        search = subscription.search
        if search is not None:
            if search.owes(queue.returned):
                return False
            entry = search.candidate(ordering, self.now)
            if entry is None:
                return search.cursor >= subscription.flush_until
        elif subscription.acquire:
            entry = ordering.peek()
        else:
            entry = ordering.after(subscription.cursor)
        if entry is None or entry.position > subscription.flush_until:
            return True
        message = entry.message
        return message.size > subscription.bytes_left and message.expires_at > self.now

    def _end_flush(self, subscription: Subscription) -> None:
        subscription.queue.flushes -= 1
        if subscription.end_flush():
            self.wake(subscription)

    def wake(self, subscription: Subscription) -> None:
        """``subscription`` may take more again: more credit, or its sink became ready."""
        if not subscription.closed:
            self._mark_dirty(subscription.queue)
