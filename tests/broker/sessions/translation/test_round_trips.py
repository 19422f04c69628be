"""Random messages over the other protocol version and back: what the mapping keeps is kept."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings

from tanist.core.message import Message
from tanist.sessions.translation import to_amqp010, to_amqp10
from tanist.sessions.translation.names import APP_ID
from tanist.types import BrokerError
from tanist.wire.amqp010.codec import decode_header, decode_list, decode_map
from tanist.wire.amqp010.transfer import scan_header, stamp_header
from tanist.wire.amqp10.sections import split_message
from tests.broker.sessions.translation.messages import (
    Seen010,
    Seen10,
    again010,
    again10,
)
from tests.broker.sessions.translation.random_messages import (
    Drawn,
    messages010,
    messages10,
    plain010,
    wild10,
)
from tests.broker.wire.amqp10.random_values import exact

ADDED_FIELDS = ("content_length", "reply_to", "content_type")


def body_of(seen: Seen010) -> Drawn:
    """The body, decoded where the content type says how."""
    kind = seen.fields.get("content_type")
    try:
        if kind == "amqp/map":
            return plain010(decode_map(seen.body))
        if kind == "amqp/list":
            return plain010(decode_list(seen.body))
    except BrokerError:
        pass
    return seen.body


def as_text(octets: bytes) -> Drawn:
    """What octets in a header become where they are a subject or a group."""
    return ("text", octets.decode("utf-8", "replace"))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(message=messages010())
def test_0_10_over_1_0(message: Message) -> None:
    before, after = Seen010(message), again010(message)
    for name, value in before.delivery.items():
        if value or name != "routing_key":
            assert after.delivery[name] == value, name
    for name, value in before.fields.items():
        if name not in ADDED_FIELDS:
            assert after.fields[name] == value, name
    if "content_type" in before.fields:
        assert after.fields["content_type"] == before.fields["content_type"]
    if before.reply_to() is not None:
        assert after.reply_to() == before.reply_to()
    assert after.bodiless == before.bodiless
    assert body_of(after) == body_of(before)
    headers = dict(after.headers)
    for name, value in before.headers.items():
        if name == APP_ID and name not in headers:
            assert "app_id" not in before.fields
            assert isinstance(value, (str, bytes))
            octets = value.encode() if isinstance(value, str) else value
            assert after.fields["app_id"] == octets
            continue
        kept = plain010(headers.pop(name))
        assert kept == plain010(value) or (isinstance(value, bytes) and kept == as_text(value))
    assert set(headers) <= {"qpid.subject", "x-amqp-body"}
    assert set(after.fields) <= {*before.fields, "content_length", "app_id"}


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(message=messages10())
def test_1_0_over_0_10(message: Message) -> None:
    before, after = Seen10(message), again10(message)
    for field in before.properties.definition.fields:
        value = getattr(before.properties, field.name)
        if value is not None:
            assert exact(getattr(after.properties, field.name)) == exact(value), field.name
    assert exact(after.application) == exact(before.application)
    annotations = dict(after.annotations)
    for added in ("x-opt-jms-msg-type", "x-opt-amqp-0-10"):
        annotations.pop(added, None)
    assert exact(annotations) == exact(before.annotations)
    assert exact(after.footer) == exact(before.footer)
    assert after.body == before.body


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(message=wild10())
def test_whatever_comes_is_translated(message: Message) -> None:
    """Never an exception, and the result can be read, stamped and translated back."""
    header, body, bodiless = to_amqp010(message)
    decode_header(header)
    scan_header(stamp_header(header, "e", True, 5))
    split_message(to_amqp10(Message(header, body, "", "q", bodiless=bodiless)))
