"""Tests of writing: values that do not fit are a bug of ours, plain ones are taken as meant."""

from __future__ import annotations

from typing import Any

import pytest

from tanist.types import LocalProtocolError
from tanist.wire.amqp010 import codec, encoding, values
from tanist.wire.amqp010.values import Array, TypedBytes, TypedFloat, TypedStr


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("queue.declare", {"queue": 5}),
        ("queue.declare", {"queue": "x" * 256}),
        ("queue.declare", {"queue": b"x"}),
        ("queue.declare", {"arguments": [1]}),
        ("queue.declare", {"arguments": {"k": "x" * 65536}}),
        ("queue.declare", {"arguments": {"k" * 256: 1}}),
        ("queue.declare", {"arguments": {"k": 2**64}}),
        ("queue.declare", {"arguments": {"k": values.uint8(256)}}),
        ("queue.declare", {"arguments": {"k": values.uint8(-1)}}),
        ("queue.declare", {"arguments": {"k": Array(0x77, [1])}}),
        ("queue.declare", {"arguments": {"k": Array(0x95, [1])}}),
        ("queue.declare", {"arguments": {"k": codec.make("message.reply-to")}}),
        ("queue.declare", {"arguments": {"k": object()}}),
        ("queue.declare", {"arguments": {"k": TypedStr("\u20ac", 0x04)}}),
        ("queue.declare", {"arguments": {"k": TypedBytes(b"x", 0xD0)}}),
        ("queue.declare", {"arguments": {"k": "\ud800"}}),
        ("message.accept", {"transfers": [(0, 2**32)]}),
        ("message.accept", {"transfers": [(0, 0)] * 8192}),
        ("message.accept", {"transfers": 5}),
        ("message.subscribe", {"accept_mode": "x"}),
        ("dtx.start", {"xid": 5}),
        ("dtx.start", {"xid": codec.make("dtx.xa-result")}),
        ("execution.result", {"value": 5}),
    ],
)
def test_values_that_do_not_fit_are_our_bug(name: str, fields: dict[str, Any]) -> None:
    with pytest.raises(LocalProtocolError, match=name):
        codec.encode_command(codec.make(name, **fields))


def test_a_struct_without_optional_fields_must_be_complete() -> None:
    fragment = codec.make("session.command-fragment", command_id=1)
    with pytest.raises(LocalProtocolError):
        codec.encode_struct32(fragment)


def test_plain_values_are_taken_where_they_are_clear() -> None:
    assert codec.encode_control(codec.make("session.attach", name="\u00e4")).hex().endswith("c3a4")
    start = codec.make("connection.start", mechanisms=["PLAIN"], locales=[])
    decoded = codec.decode_control(codec.encode_control(start))
    assert decoded.array("mechanisms") == ["PLAIN"]
    assert decoded.array("locales") == []
    assert codec.decode_list(codec.encode_list([TypedFloat(1.5, 0x23, b"?\xc0\0\0")])) == [1.5]
    assert codec.decode_list(codec.encode_list([(1, "a")])) == [[1, "a"]]


def test_writers_append() -> None:
    out = bytearray(b"before")
    encoding.write_list(out, [None])
    encoding.write_map(out, {"k": True})
    assert out == b"before" + codec.encode_list([None]) + codec.encode_map({"k": True})


def test_a_struct_of_an_unknown_kind_is_passed_on() -> None:
    out = bytearray()
    encoding.write_struct32(out, TypedBytes(b"\x77\x77x", 0xAB))
    assert out.hex() == "00000003777778"
