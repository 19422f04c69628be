from __future__ import annotations

import pytest

from tanist.sessions.translation.bodies import TRANSLATED_MAX, body_to_amqp010, body_to_amqp10
from tanist.wire.amqp010.codec import encode_list, encode_map
from tanist.wire.amqp10.sections import (
    encode_body_value,
    encode_data,
    encode_sequence,
    split_message,
)
from tanist.wire.amqp10.values import Described, MapPairs, Symbol

NO_JMS = encode_body_value({"a": [1]})


@pytest.mark.parametrize(
    ("content_type", "body", "hint", "section", "jms_type"),
    [
        ("", b"x", None, encode_data(b"x"), 0),
        ("image/png", b"x", None, encode_data(b"x"), 0),
        ("text/plain", b"x", None, encode_body_value("x"), 0),
        ("text/plain", b"\xff", None, encode_data(b"\xff"), 0),
        ("text/plain", b"x", "data", encode_data(b"x"), 0),
        ("text/xml", b"x", "string", encode_body_value("x"), 0),
        ("", b"x", "binary", encode_body_value(b"x"), 0),
        ("amqp/map", encode_map({"a": 1}), None, encode_body_value({"a": 1}), 2),
        ("amqp/map", b"x", None, encode_data(b"x"), 0),
        ("amqp/list", encode_list([1]), None, encode_body_value([1]), 4),
        ("amqp/list", encode_list([1]), "single", encode_body_value(1), 0),
        ("amqp/list", encode_list([1, 2]), "single", encode_body_value([1, 2]), 4),
        ("amqp/list", encode_list([1]), "sequence", encode_sequence([1]), 0),
        ("amqp/list", encode_list([[1]]), "sequences", encode_sequence([1]), 0),
        ("amqp/list", encode_list([1]), "sequences", encode_body_value([1]), 4),
        ("amqp/list", encode_list([1]), 5, encode_body_value([1]), 4),
        ("jms/map-message", b"\0\0\0\0", None, encode_body_value({}), 2),
        ("jms/stream-message", b"\x0b", None, encode_body_value([None]), 4),
        ("application/java-object-stream", b"x", None, encode_data(b"x"), 1),
    ],
)
def test_bodies_for_1_0(
    content_type: str, body: bytes, hint: object, section: bytes, jms_type: int
) -> None:
    assert body_to_amqp10(content_type, body, False, hint) == (section, jms_type)


def test_no_body_is_null() -> None:
    assert body_to_amqp10("text/plain", b"", True, None) == (encode_body_value(None), 0)


@pytest.mark.parametrize(
    ("section", "given", "content_type", "octets", "hint"),
    [
        (encode_data(b"x"), "", "", b"x", ""),
        (encode_data(b"x"), "image/png", "image/png", b"x", ""),
        (encode_data(b"x"), "text/plain", "text/plain", b"x", "data"),
        (encode_body_value("x"), "", "text/plain", b"x", ""),
        (encode_body_value("x"), "text/xml", "text/xml", b"x", "string"),
        (encode_body_value(Symbol("x")), "", "text/plain", b"x", ""),
        (encode_body_value(b"x"), "", "", b"x", "binary"),
        (encode_body_value({"a": 1}), "", "amqp/map", encode_map({"a": 1}), ""),
        (encode_body_value({"a": 1}), "x/y", "amqp/map", encode_map({"a": 1}), ""),
        (NO_JMS, "jms/map-message", "amqp/map", encode_map({"a": [1]}), ""),
        (encode_body_value({}), "jms/map-message", "jms/map-message", b"\0\0\0\0", ""),
        (encode_body_value([None]), "jms/stream-message", "jms/stream-message", b"\x0b", ""),
        (encode_body_value([1]), "", "amqp/list", encode_list([1]), ""),
        (encode_body_value(MapPairs([(1, "a")])), "", "amqp/map", encode_map({"1": "a"}), ""),
        (encode_body_value(Described(Symbol("d"), [1])), "", "amqp/list", encode_list([1]), ""),
        (encode_body_value(1), "", "amqp/list", encode_list([1]), "single"),
        (encode_sequence([1]), "", "amqp/list", encode_list([1]), "sequence"),
        (encode_sequence([1]) * 2, "", "amqp/list", encode_list([[1], [1]]), "sequences"),
    ],
)
def test_bodies_for_0_10(
    section: bytes, given: str, content_type: str, octets: bytes, hint: str
) -> None:
    body = body_to_amqp010(split_message(section), given)
    assert (body.content_type, body.octets, body.hint) == (content_type, octets, hint)
    assert not body.bodiless


@pytest.mark.parametrize("section", [b"", encode_body_value(None)], ids=["missing", "null"])
def test_null_is_no_body(section: bytes) -> None:
    body = body_to_amqp010(split_message(section), "text/plain")
    assert body.bodiless
    assert body.content_type == "text/plain"


def test_a_body_that_cannot_be_read_stays_octets() -> None:
    section = encode_body_value("text").replace(b"text", b"te\xfft")
    body = body_to_amqp010(split_message(section), "text/plain")
    assert (body.content_type, body.octets) == ("application/x-amqp-1.0", section)


def zeros(head: bytes, octets: int) -> bytes:
    """A section of ``octets`` octets: a list of as many ulong 0 as fit."""
    items = octets - len(head) - 9
    return (
        head + b"\xd0" + (items + 4).to_bytes(4, "big") + items.to_bytes(4, "big") + b"\x44" * items
    )


@pytest.mark.parametrize(
    "head",
    [
        b"\x00\x53\x77",
        b"\x00\x53\x76",
        b"\x00\x80\x00\x00\x00\x00\x00\x00\x00\x77",
        b"\x00\xa3\x11amqp:amqp-value:*",
    ],
    ids=["value", "sequence", "wide", "symbol"],
)
def test_values_are_translated_up_to_a_length(head: bytes) -> None:
    section = zeros(head, TRANSLATED_MAX)
    assert body_to_amqp010(split_message(section), "").content_type == "amqp/list"
    section = zeros(head, TRANSLATED_MAX + 1)
    found = body_to_amqp010(split_message(section), "")
    assert (found.octets, found.content_type) == (section, "application/x-amqp-1.0")


def test_the_length_of_all_sequences_counts() -> None:
    section = zeros(b"\x00\x53\x76", TRANSLATED_MAX // 2 + 1) * 2
    assert body_to_amqp010(split_message(section), "").content_type == "application/x-amqp-1.0"


@pytest.mark.parametrize("value", ["ü" * TRANSLATED_MAX, b"x" * TRANSLATED_MAX * 2])
def test_one_text_may_be_longer(value: str | bytes) -> None:
    octets = value.encode() if isinstance(value, str) else value
    section = encode_body_value(value)
    assert body_to_amqp010(split_message(section), "").octets == octets
