"""A subscription: who wants entries of a queue, and how many it may be sent now.

Credit is counted in messages and in bytes (``Message.size``); both must suffice. In credit mode
each delivery spends it for good; in window mode ``completed`` gives it back (AMQP 0-10
message.set-flow-mode, message.flow, message.stop; qpidd-compat 9.3). ``CREDIT_UNLIMITED`` is
infinite and never wraps. Nothing here is replicated: after a failover clients subscribe anew.

Flow is changed through ``Broker`` (``flow``, ``completed``, ``flush``, ``stop``), which also wakes
the queue; the methods here only count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mypy_extensions import mypyc_attr

from tanist.core.interest import Interest, Search
from tanist.core.notices import Actor
from tanist.types import CREDIT_UNLIMITED

if TYPE_CHECKING:
    from tanist.core.queue import Queue
    from tanist.core.records import Entry

INFINITE: Final = 1 << 60
"""Unlimited credit as a number: spending one byte at a time will not bring it near zero."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Sink:
    """Where a subscription's entries go; implemented by the sessions layer."""

    __slots__ = ()

    def ready(self) -> bool:
        """Whether more may be delivered now (its connection is writable, its buffer short).

        Must become False after a bounded number of deliveries without a write; whoever makes it
        True again calls ``Broker.wake``. Asked at least once per ``READY_EVERY`` deliveries or
        ``READY_BYTES`` bytes (``delivery``).
        """
        return True

    def deliver(self, subscription: Subscription, entry: Entry) -> None:
        """Send ``entry``. Acquired for ``subscription`` already, unless it browses.

        May call ``Broker.dequeue`` (accept-mode none), but no command that changes subscriptions.
        """
        raise NotImplementedError

    def flushed(self, subscription: Subscription) -> None:
        """A flush that was unfinished is over. As ``deliver``, it may change no subscriptions."""

    def closed(self, subscription: Subscription) -> None:
        """Its queue was deleted (resource-deleted, 408). Not called for ``Broker.cancel``."""

    def tell_gone(self, subscription: Subscription, ids: list[tuple[int, int]]) -> None:
        """A follower's: the copy must drop ``ids``, ranges (first, last) in ascending order."""

    def tell_standing(self, subscription: Subscription) -> None:
        """A follower's: whether it is waited for has changed."""


class Subscription:
    """One subscriber of one queue. Made by ``Broker.subscribe`` with no credit, in credit mode.

    ``acquire`` false: it browses. ``search``: how it finds what it wants, None if it wants
    everything. ``cursor``: last position a browser was given. ``context`` is
    free for the layer above. ``delivered`` counts messages. ``closed``: cancelled, or queue
    deleted. ``flushing``: a flush is unfinished; it covers positions up to ``flush_until``.
    ``created_at``: monotonic seconds.
    """

    __slots__ = (
        "_later_bytes",
        "_later_messages",
        "acquire",
        "actor",
        "arguments",
        "bytes_granted",
        "bytes_left",
        "bytes_void",
        "closed",
        "context",
        "created_at",
        "cursor",
        "delivered",
        "exclusive",
        "flush_until",
        "flushing",
        "messages_granted",
        "messages_left",
        "messages_void",
        "name",
        "queue",
        "search",
        "sink",
        "window",
    )

    def __init__(
        self,
        queue: Queue,
        name: str,
        sink: Sink,
        acquire: bool,
        exclusive: bool,
        arguments: dict[str, object],
        actor: Actor,
        created_at: float = 0.0,
    ) -> None:
        self.queue = queue
        self.name = name
        self.sink = sink
        self.acquire = acquire
        self.exclusive = exclusive
        self.arguments = arguments
        self.actor = actor
        self.created_at = created_at
        self.context: object | None = None
        self.closed = False
        self.search: Search | None = None
        self.cursor = 0
        self.delivered = 0
        self.window = False
        self.messages_left = 0
        self.bytes_left = 0
        self.messages_granted = 0
        self.bytes_granted = 0
        self.messages_void = 0
        self.bytes_void = 0
        self.flushing = False
        self.flush_until = 0
        self._later_messages = 0
        self._later_bytes = 0

    @property
    def interest(self) -> Interest | None:
        """What it wants, None for everything; ``Broker.set_interest`` changes it."""
        return None if self.search is None else self.search.interest

    def set_window(self, window: bool) -> None:
        """Choose window (True) or credit mode. Credit left stays; what is out gives none back."""
        if window != self.window:
            self.window = window
            self.messages_granted = self.messages_left
            self.bytes_granted = self.bytes_left

    def grant(self, unit: int, count: int) -> None:
        """Add credit (``unit`` 0 messages, 1 bytes); during a flush, for afterwards."""
        if not self.flushing:
            if unit:
                self.grant_bytes(count)
            else:
                self.grant_messages(count)
        elif unit:
            self._later_bytes = _sum(self._later_bytes, count)
        else:
            self._later_messages = _sum(self._later_messages, count)

    def grant_messages(self, count: int) -> None:
        """Add ``count`` messages of credit (``CREDIT_UNLIMITED`` = infinite)."""
        if count == CREDIT_UNLIMITED or self.messages_granted >= INFINITE:
            self.messages_left = self.messages_granted = INFINITE
        else:
            self.messages_left += count
            self.messages_granted += count

    def grant_bytes(self, count: int) -> None:
        """Add ``count`` bytes of credit (``CREDIT_UNLIMITED`` = infinite)."""
        if count == CREDIT_UNLIMITED or self.bytes_granted >= INFINITE:
            self.bytes_left = self.bytes_granted = INFINITE
        else:
            self.bytes_left += count
            self.bytes_granted += count

    def completed(self, count: int, size: int) -> None:
        """``count`` deliveries of ``size`` bytes in all are complete: a window moves on.

        Completions of deliveries made before the last ``stop`` give nothing back, nor do those that
        come before a flush is over: it ends within the credit that it found.
        """
        if not self.window:
            return
        void = min(self.messages_void, count)
        self.messages_void -= void
        if self.flushing and self.messages_granted < INFINITE:
            self.messages_granted -= count - void
        self.messages_left = min(self.messages_left + count - void, self.messages_granted)
        void = min(self.bytes_void, size)
        self.bytes_void -= void
        if self.flushing and self.bytes_granted < INFINITE:
            self.bytes_granted -= size - void
        self.bytes_left = min(self.bytes_left + size - void, self.bytes_granted)

    def stop(self) -> None:
        """Take all credit away."""
        if self.window:
            self.messages_void += self.messages_granted - self.messages_left
            self.bytes_void += self.bytes_granted - self.bytes_left
        self.messages_left = self.messages_granted = 0
        self.bytes_left = self.bytes_granted = 0

    def end_flush(self) -> bool:
        """The flush is over: take the credit, then give what was granted for afterwards.

        Return whether there was any of the latter.
        """
        self.flushing = False
        self.stop()
        messages, size = self._later_messages, self._later_bytes
        self.forget_grants()
        if messages:
            self.grant_messages(messages)
        if size:
            self.grant_bytes(size)
        return messages > 0 or size > 0

    def forget_grants(self) -> None:
        """No credit for after the flush."""
        self._later_messages = 0
        self._later_bytes = 0

    @property
    def messages_credit(self) -> int:
        """Message credit left, ``CREDIT_UNLIMITED`` when infinite."""
        return CREDIT_UNLIMITED if self.messages_granted >= INFINITE else self.messages_left

    @property
    def bytes_credit(self) -> int:
        """Byte credit left, ``CREDIT_UNLIMITED`` when infinite."""
        return CREDIT_UNLIMITED if self.bytes_granted >= INFINITE else self.bytes_left


def _sum(credit: int, more: int) -> int:
    """Credit and more credit, ``CREDIT_UNLIMITED`` if either is."""
    return CREDIT_UNLIMITED if CREDIT_UNLIMITED in (credit, more) else credit + more
