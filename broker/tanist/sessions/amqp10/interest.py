"""What one receiving link wants of a queue that it shares with others.

Its filters, and what it has called undeliverable here: such a message stays for the others (AMQP
1.0, 3.4.5 "modified").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tanist.core.bindings import NAME_BYTES_MAX
from tanist.core.exchange import fits
from tanist.core.interest import Interest
from tanist.core.records import Entry
from tanist.core.selector import Selector
from tanist.core.selector.values import Lookup
from tanist.core.topics import TopicIndex, normal
from tanist.sessions.amqp10.filters import Filters
from tanist.sessions.translation import headers_of
from tanist.sessions.translation.lookup import lookup

REFUSED_MAX: Final = 16_384
"""Messages that one link may leave to others: a queue on which more of them gather has nobody who
takes them."""

SUBJECT: Final = "amqp.subject"


class LinkInterest(Interest):
    """``origin``: the connection whose messages are not wanted, 0 for none.

    ``direct``: the subject that is wanted, None for any; ``topics``: patterns of it; ``headers``:
    arguments of a headers binding, None for no such filter. ``look``: how the selector reads a
    message (``Broker.lookup``).
    """

    __slots__ = ("_refused", "direct", "headers", "look", "origin", "selector", "topics")

    def __init__(
        self,
        selector: Selector | None = None,
        origin: int = 0,
        direct: str | None = None,
        topic: str | None = None,
        headers: dict[str, object] | None = None,
        look: Callable[[Entry], Lookup] = lookup,
    ) -> None:
        self.look = look
        self.selector = selector
        self.origin = origin
        self.direct = direct
        self.headers = headers
        self.topics: TopicIndex | None = None
        if topic is not None:
            self.topics = TopicIndex()
            self.topics.add(normal(topic))
        self._refused: dict[int, Entry] = {}

    def wants(self, entry: Entry) -> bool:
        """See ``Interest``."""
        if self._refused and self._refused.get(entry.position) is entry:
            return False
        if self.origin and entry.message.origin == self.origin:
            return False
        if self.direct is not None or self.topics is not None:
            subject = lookup(entry)(SUBJECT)
            text = subject if isinstance(subject, str) else ""
            if len(text) > NAME_BYTES_MAX:
                return False  # no key is so long, and patterns are not made for it
            if self.direct is not None and text != self.direct:
                return False
            if self.topics is not None and not self.topics.match(text):
                return False
        if self.headers is not None and not fits(self.headers, headers_of(entry.message)):
            return False
        selector = self.selector
        return selector is None or selector.matches(self.look(entry))

    def refuse(self, entry: Entry) -> bool:
        """Never again want ``entry``. False: the link has refused too many that are still there."""
        refused = self._refused
        if len(refused) >= REFUSED_MAX:
            self._refused = refused = {
                position: one for position, one in refused.items() if not one.gone
            }
            if len(refused) >= REFUSED_MAX:
                return False
        refused[entry.position] = entry
        return True


def interest_of(
    filters: Filters, origin: int, look: Callable[[Entry], Lookup] = lookup
) -> LinkInterest | None:
    """What ``filters`` ask of a queue, None for everything; ``origin``: the link's connection."""
    if (
        filters.selector is None
        and not filters.no_local
        and filters.subject is None
        and filters.headers is None
    ):
        return None
    return LinkInterest(
        filters.selector,
        origin if filters.no_local else 0,
        filters.direct,
        filters.topic,
        filters.headers,
        look,
    )
