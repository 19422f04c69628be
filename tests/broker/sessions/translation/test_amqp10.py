from __future__ import annotations

from uuid import UUID

import pytest

from tanist.core.message import Message
from tanist.sessions.translation import to_amqp10
from tanist.sessions.translation.amqp10 import Draft, opaque_to_amqp10
from tanist.wire.amqp010.values import Array, TypedBytes
from tanist.wire.amqp10 import values as values10
from tanist.wire.amqp10.composites import Properties
from tanist.wire.amqp10.encoding import encode_composite
from tanist.wire.amqp10.sections import (
    APPLICATION_PROPERTIES,
    MESSAGE_ANNOTATIONS,
    encode_body_value,
    encode_data,
    encode_map_section,
    split_message,
)
from tanist.wire.amqp10.values import Byte, Int, Symbol, UInt
from tests.broker.sessions.translation.messages import again010, amqp010, seen10
from tests.broker.sessions.translation.random_messages import nested

JMS = (
    "00000012040158030401000001a20275abb500026a71"
    "0000003e0403530100000000000000024b4e96ae278031fb95dcc05c1b7a93370a746578742f706c61696e"
    "000567756573740000000c0000000102736e2100000000"
)
CPP = (
    "0000003b0403510100000000000000140a746578742f706c61696e00000000001e0000000301619500016202736e"
    "22000000010274733118ea5203cf12e96a00000011040138020402000000000000ea60027131"
)
PYTHON = (
    "000000080401100202027132"
    "000000320403100108616d71702f6d617000000021000000020c717069642e7375626a6563749500016b"
    "02736e310000000000000000"
)
ID = UUID("4b4e96ae-2780-31fb-95dc-c05c1b7a9337")
PYTHON_BODY = (
    "00000030000000020169310000000000000000016ca90000001a0000000331000000000000000131"
    "000000000000000295000178"
)


def recorded(header: str, body: bytes, key: str) -> bytes:
    """The translation of a message that a genuine client sent."""
    return to_amqp10(Message(bytes.fromhex(header), body, "", key))


def test_a_message_of_the_legacy_jms_client() -> None:
    properties = Properties(
        message_id=UUID("4b4e96ae-2780-31fb-95dc-c05c1b7a9337"),
        user_id=b"guest",
        to="jq",
        content_type="text/plain",
        creation_time=1_795_337_595_829,
    )
    assert recorded(JMS, b"m0", "jq") == (
        encode_composite(properties)
        + encode_map_section(APPLICATION_PROPERTIES, {"sn": Int(0)})
        + encode_body_value("m0")
    )


def test_a_message_of_the_cpp_client() -> None:
    properties = Properties(user_id=b"", to="q1", content_type="text/plain")
    application = {"a": "b", "sn": UInt(1), "ts": 1_795_337_577_773_066_602}
    assert recorded(CPP, b"X" * 20, "q1") == (
        encode_composite(properties)
        + encode_map_section(APPLICATION_PROPERTIES, application)
        + encode_body_value("X" * 20)
    )


def test_a_message_of_the_python_client() -> None:
    assert recorded(PYTHON, bytes.fromhex(PYTHON_BODY), "q2") == (
        encode_map_section(MESSAGE_ANNOTATIONS, {"x-opt-jms-msg-type": Byte(2)})
        + encode_composite(Properties(to="q2", subject="k", content_type="amqp/map"))
        + encode_map_section(APPLICATION_PROPERTIES, {"sn": 0})
        + encode_body_value({"i": 0, "l": [1, 2, "x"]})
    )


def test_a_message_without_anything() -> None:
    expected = encode_composite(Properties(to="q")) + encode_data(b"")
    assert to_amqp10(Message(b"", b"", "", "q")) == expected


def test_a_carried_header_counts_only_where_it_fits() -> None:
    """A producer may write anything into headers that are called so."""
    sent = amqp010(
        properties={"content_type": "a/b"},
        headers={
            "x-amqp-to": 5,
            "x-amqp-user-id": "text",
            "x-amqp-footer": "text",
            "x-amqp-creation-time": 2**63 + 5,
            "x-amqp-absolute-expiry-time": None,
            "x-amqp-content-type": "c/d",
            "x-amqp-content-encoding": "ü",
            "x-amqp-message-annotations": {"ü": 1, "ok": 2},
            "x-amqp-message-id": [1],
            "x-amqp-correlation-id": {},
            "x-amqp-body": {},
        },
    )
    found = seen10(sent)
    assert found.properties == Properties(to="q", content_type="a/b")
    assert found.annotations == {"ok": 2}
    assert found.application == {}
    assert found.footer == {}


@pytest.mark.parametrize("header", ["x-amqp-footer", "x-amqp-message-annotations"])
def test_carried_annotations_that_are_nested_too_deeply_are_left_out(header: str) -> None:
    nested: object = 1
    for _ in range(29):
        nested = [nested]
    sent = amqp010(headers={header: {"deep": {"deeper": {"deepest": nested}}}})  # type: ignore[dict-item]
    assert (seen10(sent).footer, seen10(sent).annotations) == ({}, {})


APP_ID = "x-amqp-0-10.app-id"
UNENCODABLE = values10.Array(values10.ARRAY_CODE, [[1]])


def test_an_app_id_of_any_type() -> None:
    """A header that is called so is an application property only if it may be one."""
    odd = Array(0xAA, [Array(0x20, [TypedBytes(b"\1\2\3\4", 0x20)])])
    found = seen10(amqp010(headers={APP_ID: odd, "a": 1}))
    assert found.application == {"a": 1}
    assert again010(amqp010(headers={APP_ID: odd})).headers == {APP_ID: [[b"\1\2\3\4"]]}
    assert again010(amqp010(headers={APP_ID: 5})).headers == {APP_ID: 5}
    both = again010(amqp010(properties={"app_id": b"real"}, headers={APP_ID: "other"}))
    assert both.fields["app_id"] == b"real"
    assert both.headers == {APP_ID: "other"}


def test_a_header_that_is_nested_too_deeply_takes_no_other_with_it() -> None:
    sent = amqp010(
        headers={
            "deep": nested(1, 30),
            "list": [1],
            "x-amqp-message-annotations": {"deep": nested(1, 29), "b": 2},
        }
    )
    found = seen10(sent)
    assert found.annotations == {
        "deep": nested(1, 29),
        "b": 2,
        "x-opt-amqp-0-10": {"headers": {"list": [1]}},
    }


def test_what_cannot_be_encoded_is_left_out_alone() -> None:
    """Nothing that was decoded is like that; if something were, the broker would go on."""
    draft = Draft(amqp010())
    draft.application = {"bad": UNENCODABLE, "good": 1}
    draft.annotations = {Symbol("bad"): UNENCODABLE, Symbol("good"): 2}
    draft.rest_headers = {"bad": UNENCODABLE, "good": [3]}
    draft.footer = {Symbol("bad"): UNENCODABLE, Symbol("good"): 4}
    found = split_message(draft.finish({}))
    assert found.read_application_properties() == {"good": 1}
    assert found.read_message_annotations() == {
        "good": 2,
        "x-opt-amqp-0-10": {"headers": {"good": [3]}},
    }
    assert found.read_footer() == {"good": 4}


@pytest.mark.parametrize("bodiless", [False, True])
def test_properties_that_cannot_be_encoded_leave_address_and_body(bodiless: bool) -> None:
    message = amqp010(body=b"" if bodiless else b"x", bodiless=bodiless)
    draft = Draft(message)
    draft.properties.group_sequence = -1
    body = encode_body_value(None) if bodiless else encode_data(b"x")
    assert draft.finish({}) == encode_composite(Properties(to="q")) + body
    assert draft.finish({}) == opaque_to_amqp10(message)
