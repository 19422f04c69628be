"""What the sessions of AMQP 1.0 are configured with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tanist.sessions.amqp10.delivery_time import DELAYED_DELIVERY

CREDIT: Final = 1000
"""Deliveries that a producer may have under way on a link: what one batch brings to the backups and
back, at full speed."""

OFFERED_CAPABILITIES: Final = ("ANONYMOUS-RELAY", "SHARED-SUBS", DELAYED_DELIVERY)
"""What our Open offers because the sessions can do it."""


@dataclass(frozen=True)
class SessionSettings:
    """Settings of all 1.0 sessions of a node."""

    check_user_ids: bool = False
    """Authentication is on: the user-id of a message must be that of its sender."""
    queue_patterns: tuple[str, ...] = ()
    """Regular expressions: a node that is not there but has a name that one of them matches as a
    whole is made a queue when a link wants it (``queue-patterns``)."""
    topic_patterns: tuple[str, ...] = ()
    """The same for topics (``topic-patterns``)."""
    credit: int = CREDIT
    """Deliveries that a producer may have under way on a link."""
