from __future__ import annotations

import pytest

from tanist.core.message import AMQP_0_10, AMQP_1_0, Message
from tanist.sessions.translation import as_amqp010, to_amqp010
from tanist.sessions.translation.amqp010 import Draft, opaque_to_amqp010
from tanist.sessions.translation.bodies import Body010
from tanist.wire.amqp010 import values as values010
from tanist.wire.amqp010.codec import encode_header, make
from tanist.wire.amqp010.values import Array, TypedBytes, int8, int32, uint32
from tanist.wire.amqp10 import values as values10
from tanist.wire.amqp10.composites import Properties
from tanist.wire.amqp10.values import Described, Symbol
from tests.broker.sessions.translation.messages import Seen010, amqp010, amqp10, seen010


def test_a_message_of_qpid_jms() -> None:
    identifier = "ID:29312760-cd69-497f-8be0-fda0686ade02:1:1:1-1"
    message = amqp10(
        Properties(message_id=identifier, to="q.jms", creation_time=1_795_337_602_920),
        {"sn": values10.Int(0)},
        {"x-opt-jms-dest": values10.Byte(0), "x-opt-jms-msg-type": values10.Byte(5)},
        b"\x00\x53\x77\xa1\x02m0",
        key="q.jms",
    )
    header, body, bodiless = to_amqp010(message)
    expected = encode_header(
        [
            make(
                "message.delivery-properties",
                priority=4,
                delivery_mode=1,
                timestamp=1_795_337_602_920,
                routing_key="q.jms",
            ),
            make(
                "message.message-properties",
                content_length=2,
                content_type="text/plain",
                application_headers={
                    "sn": int32(0),
                    "x-amqp-message-annotations": {
                        "x-opt-jms-dest": int8(0),
                        "x-opt-jms-msg-type": int8(5),
                    },
                    "x-amqp-message-id": identifier,
                },
            ),
        ]
    )
    assert (header, body, bodiless) == (expected, b"m0", False)


def test_a_message_of_the_cpp_client() -> None:
    sections = bytes.fromhex("005374c10d04a10161a10162a102736e5201") + b"\x00\x53\x77\xa1\x02XX"
    message = Message(b"", sections, "", "q1", True, form=AMQP_1_0)
    header, body, _ = to_amqp010(message)
    expected = encode_header(
        [
            make("message.delivery-properties", priority=4, delivery_mode=2, routing_key="q1"),
            make(
                "message.message-properties",
                content_length=2,
                content_type="text/plain",
                application_headers={"a": "b", "sn": uint32(1)},
            ),
        ]
    )
    assert (header, body) == (expected, b"XX")


def test_a_message_that_has_the_form_already_stays_as_it_is() -> None:
    message = amqp010()
    assert as_amqp010(message) is message


def test_a_translated_message_keeps_its_slots() -> None:
    message = Message(b"", b"", "e", "k", True, 7, 5.5, True, origin=3, form=AMQP_1_0)
    found = as_amqp010(message)
    assert found.form == AMQP_0_10
    slots = (
        "exchange",
        "routing_key",
        "durable",
        "priority",
        "expires_at",
        "redelivered",
        "origin",
    )
    assert [getattr(found, slot) for slot in slots] == [getattr(message, slot) for slot in slots]
    assert found.bodiless


@pytest.mark.parametrize(
    "rest",
    [
        "no map",
        {"reply-to": "text"},
        {"reply-to": ["one"]},
        {"reply-to": [1, 2]},
        {"reply-to": ["other", "place"]},
        {"headers": 5},
        {"content-type": 5, "content-encoding": "x" * 256},
        {"timestamp": -1, "expiration": 5},
        {"timestamp": "text"},
        {"resume-id": "x" * 65_536, "resume-ttl": -1},
        {"discard-unroutable": 1, "immediate": "yes"},
    ],
    ids=str,
)
def test_what_another_wrote_into_our_annotation_does_no_harm(rest: values10.Value) -> None:
    message = amqp10(
        Properties(reply_to="e/k", creation_time=1_795_337_595_829),
        annotations={"x-opt-amqp-0-10": rest},
    )
    found = seen010(message)
    assert found.reply_to() == ("e", "k")
    assert found.delivery["timestamp"] == 1_795_337_595_829
    assert set(found.delivery) == {"priority", "delivery_mode", "timestamp", "routing_key"}
    assert set(found.fields) == {"content_length", "reply_to"}
    assert found.headers == {}


def test_headers_in_our_annotation_do_not_replace_others() -> None:
    rest: values10.Value = {"headers": {"a": [1], "b": [2]}}
    found = seen010(amqp10(application={"a": "x"}, annotations={"x-opt-amqp-0-10": rest}))
    assert found.headers == {"a": "x", "b": [2]}


def test_application_properties_cannot_pretend_to_be_carried() -> None:
    application: dict[str, values10.Value] = {"x-amqp-to": "elsewhere", "x-amqp-body": "data"}
    assert seen010(amqp10(application=application)).headers == {}


@pytest.mark.parametrize(
    ("value", "header"),
    [
        (5, 5),
        ("x" * 65_536, b"x" * 65_536),
        ([1], [1]),
        (Described(Symbol("amqp-0-10:bin8"), b"x"), TypedBytes(b"x", 0x00)),
    ],
    ids=["number", "long", "list", "bin8"],
)
def test_an_app_id_that_is_none_stays_a_header(
    value: values10.Value, header: values010.Value
) -> None:
    found = seen010(amqp10(application={"x-amqp-0-10.app-id": value}))
    assert "app_id" not in found.fields
    assert found.headers == {"x-amqp-0-10.app-id": header}


def test_a_header_that_cannot_be_encoded_leaves_the_octets() -> None:
    """Nothing that was decoded is like that; if something were, the broker would go on."""
    message = amqp10(application={"a": 1})
    draft = Draft(message, Properties(), {})
    draft.headers["bad"] = Array(0x31, ["text"])
    found = draft.finish(Body010(b"body", "a/b"))
    assert found == opaque_to_amqp010(message)
    seen = Seen010(Message(found[0], found[1], "", "q"))
    assert seen.body == message.body
    assert seen.fields == {
        "content_type": "application/x-amqp-1.0",
        "content_length": len(message.body),
    }
