from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tanist.core.message import AMQP_1_0, Message
from tanist.sessions.translation.amqp010 import general_to_amqp010
from tanist.sessions.translation.plain_amqp010 import plain_to_amqp010
from tanist.wire.amqp10 import values as values10
from tanist.wire.amqp10.composites import Properties
from tanist.wire.amqp10.sections import encode_body_value, encode_data
from tanist.wire.amqp10.values import Byte, Int, Symbol, Timestamp, UInt, ULong
from tests.broker.sessions.translation.messages import amqp10
from tests.broker.sessions.translation.random_messages import (
    Drawn,
    damaged,
    messages10,
    usual10,
    wild10,
)

SLOW = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
QUEUES = {"jobs", "jobs/high"}
EXCHANGES = {"amq.fanout", "jobs", "e"}

APPLICATION: dict[str, values10.Value] = {
    "text": "x",
    "symbol": Symbol("s"),
    "octets": b"\xff",
    "long": 2**40,
    "short": -5,
    "int": Int(70_000),
    "small int": Int(-5),
    "none": UInt(0),
    "few": UInt(200),
    "many": UInt(2**32 - 1),
    "ulong": ULong(2**64 - 1),
    "small ulong": ULong(5),
    "no ulong": ULong(0),
    "byte": Byte(-5),
    "yes": True,
    "half": 0.5,
}
JMS = Properties(
    message_id="ID:23dabb6a-7914-4c13-b7ab-5d66d93ac436:1:1:1-1",
    user_id=b"guest",
    to="q",
    subject="type",
    reply_to="e/replies",
    correlation_id="c",
    content_type="text/plain",
    absolute_expiry_time=1_795_337_602_920,
    creation_time=1_795_337_602_920,
)
JMS_TEXT: values10.Annotations = {"x-opt-jms-dest": Byte(0), "x-opt-jms-msg-type": Byte(5)}


def both(message: Message) -> tuple[object, object]:
    """What the short and the general way say."""
    short = plain_to_amqp010(message, QUEUES, EXCHANGES)
    return short, general_to_amqp010(message, QUEUES, EXCHANGES)


@pytest.mark.parametrize(
    "message",
    [
        amqp10(),
        amqp10(body=b""),
        amqp10(body=encode_body_value(None)),
        amqp10(body=encode_data(b"\xff" * 300)),
        amqp10(body=encode_body_value("x" * 300)),
        amqp10(JMS, {"sn": Int(0)}, JMS_TEXT, encode_body_value("m0")),
        amqp10(application=APPLICATION),
        amqp10(Properties(message_id=JMS.message_id, subject="s" * 250), exchange="e"),
        amqp10(Properties(to="elsewhere", reply_to="jobs/high"), key=""),
        amqp10(Properties(), key="ü" * 200),
    ],
    ids=lambda message: message.body.hex()[:24],
)
def test_what_is_usual_is_plain(message: Message) -> None:
    short, general = both(message)
    assert short == general


@pytest.mark.parametrize(
    "message",
    [
        amqp10(Properties(message_id=ULong(5))),
        amqp10(Properties(message_id="4b4e96ae-2780-31fb-95dc-c05c1b7a9337")),
        amqp10(Properties(group_id="g")),
        amqp10(Properties(content_encoding="gzip")),
        amqp10(Properties(creation_time=5)),
        amqp10(Properties(content_type="text/plain")),
        amqp10(Properties(content_type="a/b"), body=encode_body_value("x")),
        amqp10(Properties(reply_to="amq.fanout")),
        amqp10(Properties(reply_to="/k")),
        amqp10(Properties(subject="ü")),
        amqp10(application={"qpid.subject": "x"}),
        amqp10(application={"x-amqp-to": "x"}),
        amqp10(application={"list": [1]}),
        amqp10(application={"when": Timestamp(5)}),
        amqp10(annotations={"x-opt-amqp-0-10": {}}),
        amqp10(body=encode_body_value({"a": 1})),
        amqp10(body=encode_data(b"a") + encode_data(b"b")),
        amqp10(footer={"x-opt-a": 1}),
        Message(b"", b"nonsense", "", "q", form=AMQP_1_0),
    ],
    ids=lambda message: message.body.hex()[:24],
)
def test_what_is_not_plain_goes_the_general_way(message: Message) -> None:
    assert plain_to_amqp010(message, QUEUES, EXCHANGES) is None


@SLOW
@given(message=st.one_of(usual10(), usual10(), messages10(), wild10()))
def test_both_ways_are_equal(message: Message) -> None:
    short, general = both(message)
    assert short in (None, general)


@SLOW
@given(data=st.data(), message=usual10())
def test_damaged_messages(data: Drawn, message: Message) -> None:
    octets = data.draw(damaged(message.body))
    broken = Message(b"", octets, message.exchange, message.routing_key, form=AMQP_1_0)
    short, general = both(broken)
    assert short in (None, general)
