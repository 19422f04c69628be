"""Points in time: seconds since 1970 in AMQP 0-10, milliseconds in AMQP 1.0.

The 0-10 specification says seconds, but the one client that sets the timestamp and the expiration
of its messages, the legacy JMS client, writes and reads milliseconds. So a number that would be
more than three thousand years from now as seconds is taken for milliseconds, and a time from
AMQP 1.0 is written in milliseconds: seconds would be wrong to the only one who looks.

Source: AMQP specification 0-10, II.3 "datetime"; OASIS AMQP 1.0, part 1, 1.6.17.
"""

from __future__ import annotations

from typing import Final

MILLISECONDS_FROM: Final = 100_000_000_000
"""Less is seconds (the year 5138), this and more is milliseconds (1973)."""

TIMESTAMP_MIN: Final = -(1 << 63)
TIMESTAMP_MAX: Final = (1 << 63) - 1
"""What a timestamp of AMQP 1.0 can be, in milliseconds."""


def milliseconds(datetime: int) -> int | None:
    """What ``datetime`` of 0-10 is in milliseconds; None if AMQP 1.0 cannot count so far."""
    value = datetime if datetime >= MILLISECONDS_FROM else datetime * 1000
    return value if value <= TIMESTAMP_MAX else None


def datetime(milliseconds: int) -> int | None:
    """A time of 1.0 as 0-10 has it; None for one before March 1973, which it cannot have."""
    return milliseconds if milliseconds >= MILLISECONDS_FROM else None
