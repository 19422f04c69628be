"""What all queues of a broker counted, for management's broker object.

Queues count for themselves, on the hot path; nobody counts for all of them there. Sums are made
when somebody asks, from the queues that exist and from ``State.retired``, where a queue leaves its
counts when it goes, so that the sums never fall.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tanist.core.queue import Queue


class Totals:
    """Sums of the counters of queues; each has the name it has in ``Queue``."""

    __slots__ = (
        "acquires",
        "dequeued_bytes",
        "dequeues",
        "discards_overflow",
        "discards_purge",
        "discards_ring",
        "discards_subscriber",
        "discards_ttl",
        "enqueued_bytes",
        "enqueues",
        "releases",
        "reroutes",
    )

    def __init__(self) -> None:
        self.enqueues = 0
        self.enqueued_bytes = 0
        self.dequeues = 0
        self.dequeued_bytes = 0
        self.acquires = 0
        self.releases = 0
        self.reroutes = 0
        self.discards_ttl = 0
        self.discards_purge = 0
        self.discards_ring = 0
        self.discards_subscriber = 0
        self.discards_overflow = 0

    def add(self, queue: Queue, gone: bool = False) -> None:
        """Add what ``queue`` counted. ``gone``: what is on it leaves with it."""
        self.enqueues += queue.enqueues
        self.enqueued_bytes += queue.enqueued_bytes
        self.dequeues += queue.enqueues if gone else queue.dequeues
        self.dequeued_bytes += queue.enqueued_bytes if gone else queue.dequeued_bytes
        self.acquires += queue.acquires
        self.releases += queue.releases
        self.reroutes += queue.reroutes
        self.discards_ttl += queue.discards_ttl
        self.discards_purge += queue.discards_purge
        self.discards_ring += queue.discards_ring
        self.discards_subscriber += queue.discards_subscriber
        self.discards_overflow += queue.discards_overflow

    def with_queues(self, queues: Iterable[Queue]) -> Totals:
        """A new sum: this one and what ``queues`` counted so far."""
        total = Totals()
        total.enqueues = self.enqueues
        total.enqueued_bytes = self.enqueued_bytes
        total.dequeues = self.dequeues
        total.dequeued_bytes = self.dequeued_bytes
        total.acquires = self.acquires
        total.releases = self.releases
        total.reroutes = self.reroutes
        total.discards_ttl = self.discards_ttl
        total.discards_purge = self.discards_purge
        total.discards_ring = self.discards_ring
        total.discards_subscriber = self.discards_subscriber
        total.discards_overflow = self.discards_overflow
        for queue in queues:
            if queue.enqueues or queue.discards_overflow:  # most of 65,000 were never used
                total.add(queue)
        return total
