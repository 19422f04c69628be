"""The habroker's method ``digest``: what is on the replicated queues, for comparing brokers.

``digest(queue, after)``, both optional. ``queue``: only that one. ``after``: go on behind the queue
of that number; an answer has up to ``QUEUES_PER_ANSWER`` queues, and its ``next`` is what to call
the method with for more, 0 when there are none. It changes nothing and may be called on primary and
backup. It takes several steps: of a queue that is in use the digest is of no one moment.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tanist.core.broker import Broker
from tanist.core.digest import Digests
from tanist.core.queue import Queue
from tanist.management.arguments import count, text
from tanist.management.managed import InvalidParameter, Work
from tanist.wire.amqp010.values import Value, uint64

QUEUES_PER_ANSWER: Final = 1000
"""Queues in one answer: writing it takes some milliseconds."""


STANDING: Final = ("status", "epoch", "index", "applied")
"""Properties of the habroker that the answer repeats: where the broker stood."""

Standing = Callable[[], dict[str, Value]]
"""Tells those properties as they are now."""


def digest(broker: Broker, standing: Standing, arguments: dict[str, Value]) -> DigestWork:
    """Begin to carry out the method for the queues of ``broker`` that are replicated with messages.

    Raises: InvalidParameter: an argument of another type, no such queue, or one whose messages are
    not replicated.
    """
    name, after = text(arguments, "queue"), count(arguments, "after")
    if name:
        return DigestWork(standing, [_replicated(broker, name)], 0)
    queues = broker.queues_by_number
    numbers = sorted(
        number for number, queue in queues.items() if number > after and queue.journaled
    )
    chosen = [queues[number] for number in numbers[:QUEUES_PER_ANSWER]]
    more = len(numbers) > len(chosen)
    return DigestWork(standing, chosen, chosen[-1].number if more else 0)


def _replicated(broker: Broker, name: str) -> Queue:
    queue = broker.queues.get(name)
    if queue is None:
        raise InvalidParameter(f"Queue not found: {name}")
    if not queue.journaled:
        raise InvalidParameter(
            f"The messages of queue {name} are not replicated, so it has no digest: only those of"
            " replicated queues of level all are"
        )
    return queue


class DigestWork(Work):
    """The digests of ``queues``, piece by piece; ``following``: the ``next`` of the answer.

    Out arguments: those of ``STANDING`` as of the beginning; ``quiet``: they were the same at the
    end; ``queues``: by name, maps of ``messages`` and ``digest`` (16 hexadecimal digits); ``next``.
    """

    __slots__ = ("_began", "_digests", "_following", "_standing")

    def __init__(self, standing: Standing, queues: list[Queue], following: int) -> None:
        self._standing = standing
        self._digests = Digests(queues)
        self._following = following
        self._began = standing()

    def go_on(self) -> dict[str, Value] | None:
        """See ``Work``."""
        if not self._digests.go_on():
            return None
        queues: dict[str, Value] = {
            name: {"messages": uint64(found.messages), "digest": found.digest}
            for name, found in self._digests.found.items()
        }
        return {
            **self._began,
            "quiet": self._standing() == self._began,
            "queues": queues,
            "next": uint64(self._following),
        }
