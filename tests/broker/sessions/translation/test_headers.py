from __future__ import annotations

from tanist.core.message import AMQP_1_0, Message
from tanist.sessions.translation import headers_of
from tanist.wire.amqp10.composites import Properties
from tanist.wire.amqp10.values import Symbol, UInt
from tests.broker.sessions.translation.messages import amqp010, amqp10


def test_headers_that_cannot_be_decoded_are_none() -> None:
    assert headers_of(Message(b"\0\0\0\x06\x04\x03\0\x01\xff\xff", b"", "", "")) == {}
    assert headers_of(Message(b"", b"", "", "")) == {}
    assert headers_of(Message(b"", b"nonsense", "", "", form=AMQP_1_0)) == {}
    assert headers_of(Message(b"", b"", "", "", form=AMQP_1_0)) == {}


def test_both_forms_have_the_same_headers() -> None:
    headers = {"a": "x", "n": 5, "qpid.subject": "s", "JMSXGroupID": "g"}
    assert headers_of(amqp010(headers=dict(headers))) == headers
    properties = Properties(subject="s", group_id="g", message_id="ID:not for routing")
    message = amqp10(properties, {"a": Symbol("x"), "n": UInt(5)}, {"x-opt-a": 1})
    assert headers_of(message) == headers
