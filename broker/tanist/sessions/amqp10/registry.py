"""Which link of which client is attached: a link of the same name takes over (AMQP 1.0, 2.6.1).

The name of a link is unique between two containers, for each direction. A client that comes back
after a stall attaches its links again under their names, on another connection, while the old one
may still look open to us. Names belong to a user, as those of 0-10 sessions do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.sessions.amqp10.link import Link10
from tanist.wire.amqp10.conditions import STOLEN
from tanist.wire.amqp10.link import Link

if TYPE_CHECKING:
    from tanist.sessions.amqp10.consumer import Consumer
    from tanist.sessions.amqp10.producer import Producer

Key = tuple[str, str, str, bool]
"""User, container-id, name, and whether we receive."""


def key_of(link: Link10, wire: Link) -> Key:
    """What names ``wire`` on the connection ``link``."""
    container = link.container_id or f"\0{link.number}"
    return link.user, container, wire.name, wire.role


class Registry:
    """All links of a node that are attached, by what names them."""

    __slots__ = ("_links",)

    def __init__(self) -> None:
        self._links: dict[Key, Consumer | Producer] = {}

    def __len__(self) -> int:
        return len(self._links)

    def steal(self, key: Key) -> None:
        """Take the name from whoever has it."""
        holder = self._links.get(key)
        if holder is not None:
            holder.break_off(STOLEN, f"link {key[2]!r} was attached again", False)

    def enter(self, key: Key, attached: Consumer | Producer) -> None:
        """``attached`` has the name from now on; ``steal`` it first."""
        self._links[key] = attached

    def leave(self, key: Key, attached: Consumer | Producer) -> None:
        """``attached`` is over."""
        if self._links.get(key) is attached:
            del self._links[key]
