"""docs/message-mapping.md row by row: bodies, types and broken content, there and back again."""

from __future__ import annotations

from uuid import UUID

import pytest

from tanist.core.message import AMQP_1_0, Message
from tanist.sessions.translation import to_amqp10
from tanist.wire.amqp010 import values as values010
from tanist.wire.amqp010.codec import encode_list, encode_map
from tanist.wire.amqp010.values import (
    Array,
    TypedBytes,
    TypedFloat,
    TypedInt,
    TypedStr,
    str8,
    timestamp,
    uint32,
    vbin16,
)
from tanist.wire.amqp10 import values as values10
from tanist.wire.amqp10.composites import Properties
from tanist.wire.amqp10.sections import (
    NO_BODY,
    encode_body_value,
    encode_data,
    encode_sequence,
)
from tanist.wire.amqp10.values import (
    Byte,
    Char,
    Decimal32,
    Described,
    Float,
    Int,
    MapPairs,
    Short,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
    UShort,
)
from tests.broker.sessions.translation.messages import (
    again010,
    again10,
    amqp010,
    amqp10,
    as_amqp010,
    seen010,
    seen10,
)
from tests.broker.wire.amqp10.random_values import exact

ID = UUID("4b4e96ae-2780-31fb-95dc-c05c1b7a9337")


def test_body_data() -> None:
    sent = amqp010(body=b"\x00\xff")
    assert seen10(sent).body == encode_data(b"\x00\xff")
    assert again010(sent).body == b"\x00\xff"
    assert seen010(amqp10(body=encode_data(b"a") + encode_data(b"b"))).body == b"ab"
    assert again10(amqp10()).body == encode_data(b"body")
    for kind in ("text/plain", "amqp/map", "amqp/list"):
        message = amqp10(Properties(content_type=kind))
        assert seen010(message).body == b"body"
        assert again10(message).body == encode_data(b"body")


def test_body_text() -> None:
    sent = amqp010(properties={"content_type": "text/plain"}, body="grün".encode())
    assert seen10(sent).body == encode_body_value("grün")
    assert again010(sent).body == "grün".encode()
    latin = amqp010(properties={"content_type": "text/plain"}, body=b"gr\xfcn")
    assert seen10(latin).body == encode_data(b"gr\xfcn")
    assert again010(latin).body == b"gr\xfcn"
    message = amqp10(body=encode_body_value("grün"))
    assert seen010(message).fields["content_type"] == "text/plain"
    assert seen010(message).body == "grün".encode()
    assert again10(message).body == encode_body_value("grün")
    typed = amqp10(Properties(content_type="application/json"), body=encode_body_value("{}"))
    assert seen010(typed).fields["content_type"] == "application/json"
    assert again10(typed).body == encode_body_value("{}")


def test_body_none() -> None:
    sent = amqp010(body=b"", bodiless=True)
    assert seen10(sent).body == encode_body_value(None)
    assert again010(sent).bodiless
    message = amqp10(body=encode_body_value(None))
    assert seen010(message).bodiless
    assert "content_length" not in seen010(message).fields
    assert again10(message).body == encode_body_value(None)
    none = as_amqp010(amqp10(body=b""))
    assert none.bodiless
    assert seen10(none).parts.body_kind != NO_BODY
    empty = amqp010(body=b"")
    assert not again010(empty).bodiless


MAP: dict[str, values010.Value] = {"a": 1, "l": [True, "x", {"n": None}], "m": {"f": 0.5}}


def test_body_map() -> None:
    sent = amqp010(properties={"content_type": "amqp/map"}, body=encode_map(MAP))
    found = seen10(sent)
    assert found.parts.read_body_value() == MAP
    assert found.properties.content_type == "amqp/map"
    assert exact(found.annotations["x-opt-jms-msg-type"]) == exact(Byte(2))
    back = again010(sent)
    assert back.body == encode_map(MAP)
    assert back.fields["content_type"] == "amqp/map"
    assert back.headers == {}
    message = amqp10(body=encode_body_value({"a": UInt(1)}))
    assert seen010(message).body == encode_map({"a": uint32(1)})
    assert again10(message).body == encode_body_value({"a": UInt(1)})


def test_body_list() -> None:
    items: list[values010.Value] = [1, "x", MAP]
    sent = amqp010(properties={"content_type": "amqp/list"}, body=encode_list(items))
    assert seen10(sent).parts.read_body_value() == items
    assert exact(seen10(sent).annotations["x-opt-jms-msg-type"]) == exact(Byte(4))
    assert again010(sent).body == encode_list(items)
    assert again010(sent).headers == {}
    message = amqp10(body=encode_body_value([1, "x"]))
    assert seen010(message).fields["content_type"] == "amqp/list"
    assert again10(message).body == encode_body_value([1, "x"])


def test_body_map_with_a_content_type_of_its_own() -> None:
    message = amqp10(Properties(content_type="application/x"), body=encode_body_value({"a": 1}))
    assert seen010(message).fields["content_type"] == "amqp/map"
    assert again10(message).properties.content_type == "application/x"
    assert again10(message).body == encode_body_value({"a": 1})


@pytest.mark.parametrize(
    "body",
    [
        encode_body_value(b"octets"),
        encode_body_value(ULong(5)),
        encode_body_value(True),
        encode_body_value(2.5),
        encode_body_value(ID),
        encode_body_value(values10.Array(values10.INT_CODE, [1, 2])),
        encode_sequence([1, "x"]),
        encode_sequence([]),
        encode_sequence([1]) + encode_sequence([]) + encode_sequence([[2]]),
    ],
    ids=lambda body: body.hex()[:24],
)
def test_body_of_other_kinds(body: bytes) -> None:
    assert again10(amqp10(body=body)).body == body


def test_body_value_scalar() -> None:
    back = seen010(amqp10(body=encode_body_value(ULong(5))))
    assert back.fields["content_type"] == "amqp/list"
    assert back.body == encode_list([TypedInt(5, 0x32)])
    octets = seen010(amqp10(body=encode_body_value(b"octets")))
    assert octets.body == b"octets"
    assert "content_type" not in octets.fields


def test_body_sequence() -> None:
    one = seen010(amqp10(body=encode_sequence([1, "x"])))
    assert (one.fields["content_type"], one.body) == ("amqp/list", encode_list([1, "x"]))
    two = seen010(amqp10(body=encode_sequence([1]) + encode_sequence([2])))
    assert two.body == encode_list([[1], [2]])


JMS_MAP = (
    b"\x00\x00\x00\x0b"
    b"b\0\x01\x01" + b"y\0\x02\xfe" + b"o\0\x03\x00\x00\x00\x02\x00\xff" + b"s\0\x04\xff\xfe"
    b"c\0\x05\x00\xfc"
    + b"i\0\x06\x00\x00\x00\x07"
    + b"l\0\x07"
    + (-9).to_bytes(8, "big", signed=True)
    + b"f\0\x08\x3f\x00\x00\x00"
    + b"d\0\x09\x3f\xe0\x00\x00\x00\x00\x00\x00"
    + b"t\0\x0ax\0"
    + b"n\0\x0b"
)
JMS_VALUES: dict[str, values10.Value] = {
    "b": True,
    "y": Byte(-2),
    "o": b"\x00\xff",
    "s": Short(-2),
    "c": Char("ü"),
    "i": Int(7),
    "l": -9,
    "f": Float(0.5),
    "d": 0.5,
    "t": "x",
    "n": None,
}


def test_body_jms_map() -> None:
    sent = amqp010(properties={"content_type": "jms/map-message"}, body=JMS_MAP)
    found = seen10(sent)
    assert exact(found.parts.read_body_value()) == exact(dict(JMS_VALUES))
    assert exact(found.annotations["x-opt-jms-msg-type"]) == exact(Byte(2))
    assert again010(sent).body == JMS_MAP
    assert again010(sent).fields["content_type"] == "jms/map-message"
    assert again010(sent).headers == {}


def test_body_jms_stream() -> None:
    body = b"\x06\x00\x00\x00\x07\x0ax\0"
    sent = amqp010(properties={"content_type": "jms/stream-message"}, body=body)
    assert exact(seen10(sent).parts.read_body_value()) == exact([Int(7), "x"])
    assert exact(seen10(sent).annotations["x-opt-jms-msg-type"]) == exact(Byte(4))
    assert again010(sent).body == body
    assert again010(sent).fields["content_type"] == "jms/stream-message"


def test_body_java_object() -> None:
    sent = amqp010(properties={"content_type": "application/java-object-stream"})
    found = seen10(sent)
    assert found.properties.content_type == "application/x-java-serialized-object"
    assert exact(found.annotations["x-opt-jms-msg-type"]) == exact(Byte(1))
    assert again010(sent).fields["content_type"] == "application/java-object-stream"
    assert again010(sent).headers == {}
    message = amqp10(
        Properties(content_type="application/x-java-serialized-object"),
        annotations={"x-opt-jms-msg-type": Byte(1)},
    )
    assert seen010(message).fields["content_type"] == "application/java-object-stream"
    assert again10(message).properties.content_type == "application/x-java-serialized-object"


def test_compound_headers() -> None:
    """AMQP 1.0 wants no lists and maps among the application properties: they are an annotation."""
    headers: dict[str, values010.Value] = {
        "plain": "x",
        "list": [1, ["two"]],
        "map": {"a": {"b": None}},
        "array": Array(0x95, ["a", "b"]),
    }
    found = seen10(amqp010(headers=headers))
    assert found.application == {"plain": "x"}
    rest = found.annotations["x-opt-amqp-0-10"]
    assert rest == {"headers": {key: headers[key] for key in ("list", "map", "array")}}
    assert again010(amqp010(headers=headers)).headers == headers


SIMPLE: list[tuple[str, values010.Value, values10.Value]] = [
    ("void", None, None),
    ("boolean", True, True),
    ("int8", TypedInt(-5, 0x01), Byte(-5)),
    ("uint8", TypedInt(250, 0x02), UByte(250)),
    ("int16", TypedInt(-300, 0x11), Short(-300)),
    ("uint16", TypedInt(60_000, 0x12), UShort(60_000)),
    ("int32", TypedInt(-70_000, 0x21), Int(-70_000)),
    ("uint32", TypedInt(2**32 - 1, 0x22), UInt(2**32 - 1)),
    ("int64", -(2**63), -(2**63)),
    ("uint64", TypedInt(2**64 - 1, 0x32), ULong(2**64 - 1)),
    ("float", TypedFloat(0.5, 0x23, b"\x3f\x00\x00\x00"), Float(0.5)),
    ("double", 0.1, 0.1),
    ("datetime", timestamp(1_795_337_595), Timestamp(1_795_337_595_000)),
    ("str16", "grün", "grün"),
    ("vbin16", vbin16(b"\xff"), b"\xff"),
    ("uuid", ID, ID),
]


@pytest.mark.parametrize(("name", "header", "prop"), SIMPLE, ids=[row[0] for row in SIMPLE])
def test_simple_values(name: str, header: values010.Value, prop: values10.Value) -> None:
    """The same type both ways, in properties and in bodies."""
    sent = amqp010(headers={"h": header})
    assert exact(seen10(sent).application["h"]) == exact(prop)
    back = again010(sent).headers["h"]
    assert (values010.type_code(back), back) == (values010.type_code(header), header)
    message = amqp10(application={"h": prop}, body=encode_body_value([prop, {"k": prop}]))
    assert exact(again10(message).application["h"]) == exact(prop)
    assert again10(message).body == encode_body_value([prop, {"k": prop}])


@pytest.mark.parametrize(
    ("header", "prop"),
    [
        (str8("x"), "x"),
        (TypedStr("x", 0x94), "x"),
        (TypedStr("x", 0x96), "x"),
        (TypedBytes(b"x", 0x80), b"x"),
        (b"x", b"x"),
    ],
    ids=["str8", "str16-latin", "str16-utf16", "vbin8", "vbin32"],
)
def test_other_strings(header: values010.Value, prop: values10.Value) -> None:
    """Text stays text and octets octets; how their length was written is not kept."""
    sent = amqp010(headers={"h": header})
    assert exact(seen10(sent).application["h"]) == exact(prop)
    assert again010(sent).headers["h"] == header


def test_long_texts() -> None:
    """A text that a str16 cannot hold goes on as octets."""
    message = amqp10(application={"h": "x" * 65_536})
    assert seen010(message).headers["h"] == b"x" * 65_536


@pytest.mark.parametrize(
    "header",
    [
        TypedBytes(b"\x01" * 16, 0x40),
        TypedBytes(b"\x01", 0x00),
        TypedBytes(b"\x02\x00\x00\x00\x05", 0xC8),
        TypedBytes(b"\x99\x99abc", 0xAB),
    ],
    ids=["bin128", "bin8", "dec32", "struct32"],
)
def test_values_that_only_0_10_has(header: values010.Value) -> None:
    sent = amqp010(headers={"h": header})
    back = again010(sent).headers["h"]
    assert (values010.type_code(back), back) == (values010.type_code(header), header)
    assert "h" not in seen10(sent).application


def test_bits() -> None:
    bits = Array(0xF1, [TypedInt(1, 0xF1)])
    sent = amqp010(headers={"bit": TypedInt(1, 0xF1), "bits": bits})
    assert seen10(sent).application == {"bit": True}
    assert again010(sent).headers == {"bit": True, "bits": [True]}


def test_characters() -> None:
    """The genuine 0-10 clients cannot read characters, so they are texts there."""
    assert exact(seen10(amqp010(headers={"h": TypedStr("ü", 0x27)})).application["h"]) == exact(
        Char("ü")
    )
    back = seen010(amqp10(application={"h": Char("ü")})).headers["h"]
    assert (type(back), back) == (str, "ü")


@pytest.mark.parametrize(
    ("value", "header"),
    [
        (Symbol("s"), "s"),
        (Timestamp(1_500), 1_500),
        (Timestamp(-1_000), -1_000),
        (Decimal32(b"\x00\x00\x00\x05"), b"\x00\x00\x00\x05"),
        (Described(Symbol("a:b"), "x"), "x"),
        (MapPairs([(1, "a"), (True, "b"), (None, "c"), ("k" * 300, "d")]), {"1": "a", "true": "b"}),
        (values10.Array(values10.SYMBOL_CODE, ["a"], ULong(1)), ["a"]),
    ],
    ids=["symbol", "timestamp", "negative-timestamp", "decimal", "described", "map", "array"],
)
def test_values_that_only_1_0_has(value: values10.Value, header: values010.Value) -> None:
    """The nearest that 0-10 clients can read."""
    assert seen010(amqp10(application={"h": value})).headers["h"] == header


def test_names_that_0_10_cannot_have() -> None:
    message = amqp10(application={"n" * 256: 1, "ü" * 127: 2})
    assert seen010(message).headers == {"ü" * 127: 2}


# -------------------------------------------------------------------------------- broken content


def test_broken_sections() -> None:
    """What can be read is translated, the rest is left out."""
    good = amqp10(Properties(subject="s"), {"a": 1}).body
    broken = good.replace(b"\xa1\x01a", b"\xa1\x01\xff")
    assert broken != good
    back = seen010(Message(b"", broken, "", "q", form=AMQP_1_0))
    assert back.headers == {"qpid.subject": "s"}
    assert back.body == b"body"


def test_broken_body() -> None:
    octets = encode_body_value("text").replace(b"text", b"t\xffxt")
    back = seen010(amqp10(Properties(subject="s"), body=octets))
    assert back.fields["content_type"] == "application/x-amqp-1.0"
    assert back.body == octets
    assert back.headers["qpid.subject"] == "s"
    for kind in ("amqp/map", "amqp/list", "jms/map-message", "jms/stream-message"):
        sent = amqp010(properties={"content_type": kind}, body=b"\x00\x01broken")
        assert seen10(sent).body == encode_data(b"\x00\x01broken")
        assert again010(sent).body == b"\x00\x01broken"
        assert again010(sent).fields["content_type"] == kind


def test_broken_message() -> None:
    message = Message(b"", b"no message at all", "", "q", form=AMQP_1_0)
    back = seen010(message)
    assert back.fields["content_type"] == "application/x-amqp-1.0"
    assert back.body == b"no message at all"
    assert back.delivery["routing_key"] == "q"


def test_broken_header_segment() -> None:
    header = b"\x00\x00\x00\x06\x04\x03\x00\x01\xff\xff"
    found = to_amqp10(Message(header, b"body", "", "q"))
    assert found.endswith(encode_data(b"body"))
    lying = to_amqp10(Message(b"\x00\x00\x00\x63\x04\x01\x00\x00", b"body", "", "q"))
    assert lying.endswith(encode_data(b"body"))


def test_values_that_are_nested_too_deeply() -> None:
    """A header that no decoder would take is left out, the message arrives."""
    deep: values10.Value = "bottom"
    for _ in range(30):
        deep = [deep]
    message = amqp10(application={"deep": deep, "shallow": 1}, annotations={"x-opt-a": deep})
    back = seen010(message)
    assert back.headers == {"shallow": 1, "x-amqp-message-annotations": {}}
    nested: values010.Value = 1
    for _ in range(30):
        nested = [nested]
    sent = amqp010(headers={"deep": nested, "shallow": 1}, body=b"body")
    assert seen10(sent).application == {"shallow": 1}
    assert seen10(sent).body == encode_data(b"body")
