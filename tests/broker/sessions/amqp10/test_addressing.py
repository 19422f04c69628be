"""What a message says about its way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from session_peer10 import message

from tanist.sessions.amqp10.addressing import bare_start, check_user_id, read_way
from tanist.types import BrokerError, Condition, FramingError
from tanist.wire.amqp10.composites import Header, Properties
from tanist.wire.amqp10.encoding import encode_composite
from tanist.wire.amqp10.sections import cut_header, encode_map_section
from tanist.wire.amqp10.values import ULong

TEXT = st.text(max_size=400) | st.none()


@given(st.binary(max_size=300) | st.none(), TEXT, TEXT, st.booleans(), st.text() | st.integers(0))
def test_it_is_what_the_properties_say(user_id, to, subject, annotated, message_id) -> None:
    annotations = {"a": "b" * 300, "c": 1} if annotated else None
    if isinstance(message_id, int):
        message_id = ULong(message_id % 2**64)
    properties = Properties(message_id, user_id, to, subject, reply_to="z")
    way = read_way(message(annotations=annotations, properties=properties))
    assert (way.user_id, way.to, way.subject) == (user_id or b"", to or "", subject or "")


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        message(),
        message(annotations={"a": 1}),
        message(application={"a": 1}),
        message(properties=Properties()),
        b"\x00\x53\x73\x45",
        b"\x00\x53\x73",
        b"\x00\x53\x73\xc0",
    ],
)
def test_without_properties_it_says_nothing(octets: bytes) -> None:
    way = read_way(octets)
    assert (way.user_id, way.to, way.subject) == (b"", "", "")


def test_unusual_descriptors_are_read_the_long_way() -> None:
    usual = message(properties=Properties(to="there", subject="about"))
    wide = b"\x00\x80" + (0x73).to_bytes(8, "big") + usual[3:]
    symbolic = b"\x00\xa3\x14amqp:properties:list" + usual[3:]
    for octets in (wide, symbolic):
        way = read_way(octets)
        assert (way.to, way.subject) == ("there", "about")
    body = b"\x00\xa3\x10amqp:data:binary" + message()[3:]
    assert read_way(body).to == ""


def test_fields_of_the_wrong_type_are_not_there() -> None:
    properties = b"\x00\x53\x73\xc0\x08\x04\x40\x40\x54\x01\xa1\x01s"
    way = read_way(properties)
    assert (way.to, way.subject) == ("", "s")


@pytest.mark.parametrize("octets", [b"\x00\x53\x72\xc1\xff", b"\x00\x53\x73\xc0\x09\x02\xa1\xff"])
def test_broken_sections(octets: bytes) -> None:
    with pytest.raises(FramingError):
        read_way(octets)


def test_the_message_starts_behind_header_and_delivery_annotations() -> None:
    header = encode_composite(Header(True))
    hop = encode_map_section(0x71, {"hop": 1})
    bare = message(b"body", annotations={"a": 1})
    for head in (b"", header, hop, header + hop):
        payload = head + bare
        assert payload[bare_start(payload, cut_header(payload)[1]) :] == bare
    wide = b"\x00\x80" + (0x71).to_bytes(8, "big") + hop[3:]
    payload = header + wide + bare
    assert payload[bare_start(payload, len(header)) :] == bare
    with pytest.raises(FramingError):
        bare_start(header + header, len(header))


def test_user_ids() -> None:
    def said(user_id: bytes | None) -> None:
        way = read_way(message(properties=Properties(user_id=user_id)))
        check_user_id(way, "anna@QPID")

    for allowed in (None, b"", b"anna", b"anna@QPID"):
        said(allowed)
    for other in (b"bert", b"anna@", b"ANNA", b"\xff" * 200):
        with pytest.raises(BrokerError) as caught:
            said(other)
        assert caught.value.condition is Condition.UNAUTHORIZED_ACCESS
        assert len(caught.value.text) < 250
