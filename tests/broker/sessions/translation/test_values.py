from __future__ import annotations

import pytest
from hypothesis import given, settings

from tanist.sessions.translation.values import (
    STRUCT_NESTING,
    header_map,
    is_simple,
    key_text,
    map_to_amqp010,
    map_to_amqp10,
    nesting,
    value_to_amqp010,
    value_to_amqp10,
)
from tanist.wire.amqp010 import values as values010
from tanist.wire.amqp010.codec import decode_list, encode_list, encode_struct32, make
from tanist.wire.amqp010.values import Array, TypedBytes, TypedInt, TypedStr, str8, timestamp
from tanist.wire.amqp10 import values as values10
from tanist.wire.amqp10.encoding import encode_value
from tanist.wire.amqp10.values import Described, MapPairs, Symbol, Timestamp, ULong
from tests.broker.sessions.translation.random_messages import VALUES_010, Drawn, nested, plain010
from tests.broker.wire.amqp10.random_values import any_values, exact

NESTED = values10.Array(values10.ARRAY_CODE, [values10.Array(values10.LONG_CODE, [1])])
ODD: list[values10.Value] = [Described(Symbol("amqp-0-10:bin128"), b"\1" * 16)]


@settings(max_examples=100, deadline=None)
@given(value=VALUES_010)
def test_values_of_0_10_come_back(value: Drawn) -> None:
    there = value_to_amqp10(value)
    encode_value(there)
    assert plain010(value_to_amqp010(there)) == plain010(value)


@settings(max_examples=100, deadline=None)
@given(value=any_values)
def test_any_value_of_1_0_can_be_one_of_0_10(value: Drawn) -> None:
    there = value_to_amqp010(value)
    assert plain010(decode_list(encode_list([there]))) == plain010([there])


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (Array(0x95, ["a"]), values10.Array(values10.STRING_CODE, ["a"])),
        (Array(0x85, [str8("a")]), values10.Array(values10.STRING_CODE, ["a"])),
        (Array(-1), values10.Array(values10.NULL_CODE)),
        (Array(0xAA, [Array(0x31, [1])]), NESTED),
        (Array(0x38, [timestamp(1)]), values10.Array(values10.TIMESTAMP_CODE, [Timestamp(1000)])),
        (Array(0x38, [timestamp(1), timestamp(2**63)]), [Timestamp(1000), ULong(2**63)]),
        (Array(0x40, [TypedBytes(b"\1" * 16, 0x40)]), ODD),
        (Array(0xAA, [Array(0x40, [TypedBytes(b"\1" * 16, 0x40)])]), [ODD]),
        (Array(0xAA, [Array(0x38, [timestamp(2**63)])]), [[ULong(2**63)]]),
        (Array(0xAA, [Array(0xAA, [Array(0x40, [TypedBytes(b"\1" * 16, 0x40)])])]), [[ODD]]),
        (Array(0xF1, [TypedInt(1, 0xF1)]), values10.Array(values10.BOOLEAN_CODE, [True])),
    ],
    ids=[
        "text",
        "str8",
        "empty",
        "arrays",
        "times",
        "far-times",
        "bin128",
        "arrays-of-bin128",
        "arrays-of-far-times",
        "deep",
        "bits",
    ],
)
def test_arrays(array: Array, expected: values10.Value) -> None:
    found = value_to_amqp10(array)
    assert exact(found) == exact(expected)
    encode_value(found)


def test_arrays_of_1_0_stay_arrays_where_their_items_are_of_one_type() -> None:
    found = value_to_amqp010(values10.Array(values10.STRING_CODE, ["a", "b"]))
    assert isinstance(found, Array)
    assert found.code == 0x95
    mixed = value_to_amqp010(values10.Array(values10.TIMESTAMP_CODE, [Timestamp(1), Timestamp(0)]))
    assert mixed == [1, 0]
    assert not isinstance(mixed, Array)


def test_structs_are_octets_with_a_name() -> None:
    found = value_to_amqp10(make("dtx.xa-result", status=1))
    assert isinstance(found, Described)
    assert found.descriptor == "amqp-0-10:struct32"
    back = value_to_amqp010(found)
    assert isinstance(back, TypedBytes)
    assert back.code == 0xAB


def struct32(octets: bytes) -> Described:
    """What stands for a struct."""
    return Described(Symbol("amqp-0-10:struct32"), octets)


def properties_with(value: Drawn) -> bytes:
    """Code and fields of a struct with a map."""
    struct = make("message.message-properties", application_headers={"a": value})
    return encode_struct32(struct)[4:]


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (properties_with([[[1]]]), 0xAB),
        (properties_with(nested(1, 5)), 0xAB),
        (properties_with(nested(1, 7)), 0x90),
        (properties_with(Array(0xF0, [None])), 0x90),
        (properties_with(1) + b"x", 0x90),
        (properties_with(1)[:-1], 0x90),
        (b"\x04\x03\xff\xff", 0x90),
        (b"\x99\x99anything", 0xAB),
    ],
    ids=["known", "deep", "too-deep", "voids", "more", "less", "flags", "unknown"],
)
def test_only_what_can_be_read_becomes_a_struct_again(octets: bytes, code: int) -> None:
    found = value_to_amqp010(struct32(octets))
    assert (found, values010.type_code(found)) == (octets, code)
    decode_list(encode_list([nested(found, 32 - 1 - STRUCT_NESTING)]))


def test_nulls_are_no_array() -> None:
    """In a 0-10 array they have no octets, and readers take few such."""
    found = value_to_amqp010(values10.Array(values10.NULL_CODE, [None] * 70_000))
    assert len(decode_list(encode_list([found]))[0]) == 70_000  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "described",
    [
        Described(Symbol("amqp-0-10:nonsense"), b"x"),
        Described(Symbol("amqp-0-10:bin128"), b"x"),
        Described(Symbol("amqp-0-10:struct32"), b"x"),
        Described(Symbol("amqp-0-10:str16"), b"x"),
        Described(ULong(5), b"x"),
    ],
    ids=["unknown", "length", "struct", "text", "number"],
)
def test_what_only_looks_like_a_type_of_0_10_is_octets(described: Described) -> None:
    found = value_to_amqp010(described)
    assert found == b"x"
    assert values010.type_code(found) == 0x90


def test_keys() -> None:
    assert key_text(Symbol("s")) == "s"
    assert key_text("ü" * 127) == "ü" * 127
    assert key_text("ü" * 128) is None
    assert key_text(ULong(5)) == "5"
    assert key_text(True) == "true"
    assert key_text(b"octets") is None
    assert map_to_amqp010([(1, "a"), ("1", "b")]) == {"1": "a"}
    assert map_to_amqp10({"a": TypedStr("x", 0x85)}) == {"a": "x"}


def test_only_simple_values_are_application_properties() -> None:
    assert is_simple(None)
    assert is_simple(b"x")
    assert is_simple(TypedBytes(b"x", 0x80))
    assert not is_simple(TypedBytes(b"x", 0x00))
    assert not is_simple([1])
    assert not is_simple({})
    assert not is_simple(make("dtx.xa-result", status=1))


def test_nesting() -> None:
    assert nesting(1) == 0
    assert nesting([]) == 1
    assert nesting({"a": [Described(Symbol("d"), 1)]}) == 3
    assert nesting(MapPairs([(1, [1])])) == 2
    assert nesting([struct32(b"x")]) == 1 + STRUCT_NESTING


def test_headers_leave_out_what_is_nested_too_deeply() -> None:
    deep: values10.Value = 1
    for _ in range(28):
        deep = [deep]
    assert "deep" in header_map([("deep", deep), ("flat", 1)])
    assert header_map([("deep", [deep]), ("flat", 1)]) == {"flat": 1}
