"""Messages of AMQP 1.0 as the simulated clients write and read them."""

from __future__ import annotations

from typing import NamedTuple, cast

from tanist.sessions.amqp10.delivery_time import DELIVERY_DELAY
from tanist.wire.amqp10.composites import Header, Properties
from tanist.wire.amqp10.encoding import encode_composite
from tanist.wire.amqp10.sections import (
    APPLICATION_PROPERTIES,
    DATA,
    MESSAGE_ANNOTATIONS,
    encode_map_section,
    split_message,
)
from tanist.wire.amqp10.values import Value
from tests.sim.consumers import name_of
from tests.sim.producers import Route
from tests.sim.watch import Violation


class Read(NamedTuple):
    """What a message that came says. ``failures``: delivery-count of its header."""

    producer: str
    number: int
    failures: int


def sections_before_body(route: Route, to: str, failures: int) -> bytes:
    """All sections of a message but its body. ``to``: "" is not said."""
    ttl_ms = int(route.ttl_s * 1000) or None
    octets = encode_composite(Header(durable=True, ttl=ttl_ms, delivery_count=failures))
    if route.delay_s:
        annotations: dict[str | int, Value] = {DELIVERY_DELAY: int(route.delay_s * 1000)}
        octets += encode_map_section(MESSAGE_ANNOTATIONS, annotations)
    subject = route.key if route.exchange else None
    if to or subject:
        octets += encode_composite(Properties(to=to or None, subject=subject))
    if route.headers:
        headers = cast("dict[str, Value]", dict(route.headers))
        octets += encode_map_section(APPLICATION_PROPERTIES, headers)
    return octets


def read_message(payload: bytes) -> Read:
    """Understand a message.

    Raises: Violation if nobody sent it, or if its header says that somebody had it before and, in
    the same breath, that nobody had.
    """
    parts = split_message(payload)
    if parts.body_kind != DATA:
        raise Violation("unexpected", f"a message that nobody sent: {payload[:60]!r}")
    header = parts.read_header()
    if not header.first_acquirer and not header.delivery_count:
        raise Violation(
            "redelivered mark", f"first-acquirer is false, delivery-count is 0: {payload[:80]!r}"
        )
    return Read(*name_of(parts.read_data()), header.delivery_count)
