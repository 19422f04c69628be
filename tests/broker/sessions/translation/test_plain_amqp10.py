from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tanist.core.message import Message
from tanist.sessions.translation.amqp10 import general_to_amqp10
from tanist.sessions.translation.plain_amqp10 import NOT_PLAIN, plain_to_amqp10
from tanist.types import FramingError
from tanist.wire.amqp010 import values as values010
from tanist.wire.amqp010.codec import make
from tanist.wire.amqp010.transfer import scan_header
from tanist.wire.amqp010.values import TypedInt, vbin16
from tests.broker.sessions.translation.messages import amqp010
from tests.broker.sessions.translation.random_messages import (
    Drawn,
    damaged,
    messages010,
    usual010,
)
from tests.broker.sessions.translation.test_amqp10 import CPP, ID, JMS

SLOW = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])

HEADERS: dict[str, values010.Value] = {
    "text": "x" * 300,
    "octets": vbin16(b"\xff"),
    "long": 2**40,
    "short": -5,
    "int": TypedInt(70_000, 0x21),
    "none": TypedInt(0, 0x22),
    "few": TypedInt(200, 0x22),
    "many": TypedInt(2**32 - 1, 0x22),
    "ulong": TypedInt(2**64 - 1, 0x32),
    "yes": True,
    "half": 0.5,
}


@pytest.mark.parametrize(
    "message",
    [
        Message(bytes.fromhex(JMS), b"m0", "", "jq"),
        Message(bytes.fromhex(CPP), b"X" * 20, "", "q1"),
        Message(b"", b"", "", "q"),
        amqp010(headers=HEADERS),
        amqp010(headers={"qpid.subject": "s"}),
        amqp010(headers={"qpid.subject": "k"}, exchange="e", key="k"),
        amqp010(properties={"correlation_id": b"c", "user_id": b"u"}, body=b"x" * 300),
        amqp010(properties={"content_type": "text/plain"}, body=b"x" * 300),
        amqp010(properties={"reply_to": make("message.reply-to", routing_key="r")}),
        amqp010(properties={"reply_to": make("message.reply-to", exchange="e", routing_key="r")}),
        amqp010(body=b"", bodiless=True),
    ],
    ids=lambda message: message.header.hex()[-24:],
)
def test_what_is_usual_is_plain(message: Message) -> None:
    found = plain_to_amqp10(message)
    assert found != NOT_PLAIN
    assert found == general_to_amqp10(message)


@pytest.mark.parametrize(
    "message",
    [
        amqp010({"timestamp": 5}),
        amqp010({"expiration": 2**40}),
        amqp010(properties={"content_encoding": "gzip"}),
        amqp010(properties={"app_id": b"a"}),
        amqp010(properties={"content_type": "amqp/map"}),
        amqp010(properties={"content_type": "application/java-object-stream"}),
        amqp010(properties={"content_type": "text/plain"}, body="ü".encode()),
        amqp010(properties={"correlation_id": b"\xff"}),
        amqp010(properties={"reply_to": make("message.reply-to", routing_key="a/b")}),
        amqp010(headers={"x-amqp-to": "x"}),
        amqp010(headers={"JMSXGroupID": "x"}),
        amqp010(headers={"x-jms-type": "x"}),
        amqp010(headers={"qpid.subject": "other"}, exchange="e", key="k"),
        amqp010(headers={"list": [1]}),
        amqp010(headers={"none": None}),
        amqp010(properties={"message_id": ID, "user_id": b"u" * 255}),
    ],
    ids=lambda message: message.header.hex()[-24:],
)
def test_what_is_not_plain_goes_the_general_way(message: Message) -> None:
    assert plain_to_amqp10(message) == NOT_PLAIN


@SLOW
@given(message=st.one_of(usual010(), usual010(), messages010()))
def test_both_ways_are_equal(message: Message) -> None:
    found = plain_to_amqp10(message)
    assert found in (NOT_PLAIN, general_to_amqp10(message))


@SLOW
@given(data=st.data(), message=usual010())
def test_damaged_headers(data: Drawn, message: Message) -> None:
    """Of those that a producer may send at all: others never become a message."""
    header = data.draw(damaged(message.header))
    try:
        scan_header(header)
    except FramingError:
        assume(False)
    broken = Message(header, message.body, message.exchange, message.routing_key)
    assert plain_to_amqp10(broken) in (NOT_PLAIN, general_to_amqp10(broken))
