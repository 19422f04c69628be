"""What a full queue does with one more message (qpidd-compat 7.6, ``qpid.policy_type``).

``Policy`` is the reject policy: the message is refused with 506 and never recorded. ``Ring`` drops
the oldest entries instead. Another kind is another subclass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.core.message import Message
from tanist.types import BrokerError, Condition

if TYPE_CHECKING:
    from tanist.core.queue import Queue
    from tanist.core.records import Entry


class Demand:
    """What several messages want of one queue: how many, bytes in all, bytes of the largest."""

    __slots__ = ("count", "largest", "size")

    def __init__(self) -> None:
        self.count = 0
        self.size = 0
        self.largest = 0

    def add(self, size: int) -> None:
        """One more message, of ``size`` bytes."""
        self.count += 1
        self.size += size
        self.largest = max(self.largest, size)


class Policy:
    """Reject. ``count_max`` messages, ``bytes_max`` bytes, 0 = no limit."""

    __slots__ = ("bytes_max", "count_max")

    def __init__(self, count_max: int, bytes_max: int) -> None:
        self.count_max = count_max
        self.bytes_max = bytes_max

    def make_room(self, queue: Queue, message: Message, forced: bool) -> list[Entry] | None:
        """The entries of ``queue`` to dequeue before ``message`` comes in, None for none.

        ``forced``: it was on another queue before (rerouted) and must not be refused, lest a
        message that was confirmed be lost.
        Raises: BrokerError (RESOURCE_LIMIT_EXCEEDED) when the message is refused.
        """
        bytes_max = self.bytes_max
        if (
            bytes_max
            and queue.enqueued_bytes - queue.dequeued_bytes + message.size > bytes_max
            and not forced
        ):
            raise self._full(queue)
        if self.count_max and queue.count >= self.count_max and not forced:
            raise self._full(queue)
        return None

    def require_room(self, queue: Queue, demand: Demand) -> None:
        """Raise BrokerError (RESOURCE_LIMIT_EXCEEDED) if ``make_room`` would refuse any of them."""
        if (self.bytes_max and queue.bytes + demand.size > self.bytes_max) or (
            self.count_max and queue.count + demand.count > self.count_max
        ):
            raise self._full(queue)

    def _full(self, queue: Queue) -> BrokerError:
        queue.discards_overflow += 1
        return BrokerError(
            Condition.RESOURCE_LIMIT_EXCEEDED,
            f"Maximum depth exceeded on {queue.name}: {queue.count} messages of {self.count_max},"
            f" {queue.bytes} bytes of {self.bytes_max} (0 = no limit)",
        )


class Ring(Policy):
    """Make room by dropping the oldest entries, held ones too. Refuses only what can never fit."""

    __slots__ = ()

    def make_room(self, queue: Queue, message: Message, forced: bool) -> list[Entry] | None:
        """See ``Policy``."""
        count = queue.count + 1
        size = queue.bytes + message.size
        if not self._exceeded(count, size):
            return None
        victims: list[Entry] = []
        entry = queue.ordering.any_after(0)
        while entry is not None and self._exceeded(count, size):
            victims.append(entry)
            count -= 1
            size -= entry.message.size
            entry = queue.ordering.any_after(entry.position)
        if self._exceeded(count, size) and not forced:
            raise self._full(queue)
        queue.discards_ring += len(victims)
        return victims

    def require_room(self, queue: Queue, demand: Demand) -> None:
        """See ``Policy``: only what can never fit."""
        if self._exceeded(1, demand.largest):
            raise self._full(queue)

    def _exceeded(self, count: int, size: int) -> bool:
        return bool(
            (self.count_max and count > self.count_max)
            or (self.bytes_max and size > self.bytes_max)
        )
