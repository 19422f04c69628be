"""Tests of the Python values: they are plain, and remember their code."""

from __future__ import annotations

from uuid import UUID

import pytest

from tanist.wire.amqp010 import spec, values
from tanist.wire.amqp010.codec import make
from tanist.wire.amqp010.values import (
    Array,
    Struct,
    TypedBytes,
    TypedFloat,
    TypedInt,
    TypedStr,
    Value,
    VoidList,
    VoidMap,
    type_code,
)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (None, "void"),
        (True, "boolean"),
        (5, "int64"),
        (-(2**63), "int64"),
        (2**63 - 1, "int64"),
        (2**63, "uint64"),
        (1.5, "double"),
        ("x", "str16"),
        (b"x", "vbin32"),
        (UUID(int=1), "uuid"),
        ({}, "map"),
        ([], "list"),
        ((), "list"),
        (VoidMap(), "map"),
        (VoidList(), "list"),
        (Array(0x02, [1]), "array"),
        (values.int8(-1), "int8"),
        (values.int16(-1), "int16"),
        (values.int32(-1), "int32"),
        (values.uint8(1), "uint8"),
        (values.uint16(1), "uint16"),
        (values.uint32(1), "uint32"),
        (values.uint64(1), "uint64"),
        (values.timestamp(1), "datetime"),
        (values.str8("x"), "str8"),
        (values.vbin8("x"), "vbin8"),
        (values.vbin16(b"x"), "vbin16"),
    ],
)
def test_type_code(value: Value, name: str) -> None:
    assert spec.TYPES_BY_CODE[type_code(value)].name == name


def test_what_is_no_value_has_no_code() -> None:
    assert type_code(object()) == -1  # type: ignore[arg-type]
    assert type_code(make("message.reply-to")) == 0xAB


def test_typed_values_are_plain_values() -> None:
    assert TypedInt(5, 0x22) == 5
    assert hash(TypedStr("x", 0x85)) == hash("x")
    assert TypedBytes(b"x", 0x90) + b"y" == b"xy"
    assert TypedFloat(0.5, 0x23, b"") * 2 == 1.0
    assert Array(0x95, ["a"]) == ["a"]
    assert VoidMap() == {}
    assert isinstance(VoidList(), list)


def test_text_in_binary_types_is_utf8() -> None:
    assert values.vbin16("\u00e4") == b"\xc3\xa4"
    assert values.vbin8("\u00e4") == b"\xc3\xa4"


def test_struct_accessors_find_fields() -> None:
    arguments: dict[str, Value] = {"x": 1}
    ranges = [(1, 5)]
    command = make("message.subscribe", queue="q", accept_mode=1, exclusive=True, resume_ttl=7)
    assert command.name == "message.subscribe"
    assert command.text("queue") == "q"
    assert command.number("accept_mode") == 1
    assert command.flag("exclusive")
    assert command.has("resume_ttl")
    assert make("message.subscribe", arguments=arguments).map("arguments") == arguments
    assert make("message.accept", transfers=ranges).ranges("transfers") == ranges
    assert make("connection.open-ok", known_hosts=["a"]).array("known_hosts") == ["a"]
    assert make("connection.secure", challenge=b"x").octets("challenge") == b"x"
    xid = make("dtx.xid", format=1)
    assert make("dtx.start", xid=xid).struct("xid") is xid


def test_struct_accessors_have_defaults() -> None:
    command = make("message.subscribe")
    assert command.text("queue") == ""
    assert command.text("queue", "d") == "d"
    assert command.number("accept_mode", 3) == 3
    assert not command.flag("exclusive")
    assert not command.has("queue")
    assert command.map("arguments") == {}
    assert command.ranges("transfers") == []
    assert command.array("known_hosts") == []
    assert command.octets("x", b"d") == b"d"
    assert command.struct("xid") is None


def test_binary_names_read_as_text() -> None:
    assert make("session.attach", name=b"a\xc3\xa4").text("name") == "a\u00e4"
    assert make("session.attach", name=b"\xff").text("name") == "\\xff"


def test_structs_compare_by_content() -> None:
    assert make("queue.purge", queue="q") == make("queue.purge", queue="q")
    assert make("queue.purge", queue="q") != make("queue.query", queue="q")
    assert make("queue.purge", queue="q") != "q"
    assert hash(make("queue.purge")) == hash(make("queue.purge", queue="q"))
    assert repr(make("queue.purge", queue="q")) == "queue.purge(queue='q')"
    assert isinstance(make("queue.purge"), Struct)
