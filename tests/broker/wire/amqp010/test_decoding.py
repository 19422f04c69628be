"""Tests of reading: odd but legal octets, and every way for values to be bad."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tanist.types import NESTING_MAX, FramingError
from tanist.wire.amqp010 import codec, decoding, values
from tanist.wire.amqp010.decoding import Reader
from tanist.wire.amqp010.values import VoidList, VoidMap


@pytest.mark.parametrize(
    "encoded",
    [
        "00000000",  # a map without even a count
        "0000000400000000",
        "00000007 00000001 0161 f0",
        "00000008 00000001 0161 08 02",  # a boolean that is neither 0 nor 1
        "0000000b 00000001 0161 a9 00000000",  # a list of size 0
        "0000000b 00000001 0161 aa 00000000",  # an array of size 0
        "00000010 00000001 0161 aa 00000005 f0 00000000",
        "00000010 00000001 0161 aa 00000005 f0 00010000",  # as many widthless items as allowed
        "0000000b 00000001 0161 23 7fa00001",  # a signalling NaN with a payload
        "0000000f 00000001 0161 33 7ff8000000000001",
        "00000011 00000001 0161 ab 00000006 7777 01020304",  # a struct nobody here knows
    ],
)
def test_odd_but_legal_maps_encode_to_themselves(encoded: str) -> None:
    data = bytes.fromhex(encoded)
    assert codec.encode_map(codec.decode_map(data)) == data


def test_short_forms_of_empty_things_are_remembered() -> None:
    assert isinstance(codec.decode_map(bytes(4)), VoidMap)
    assert isinstance(codec.decode_list(bytes(4)), VoidList)
    assert codec.encode_list(VoidList()) == bytes(4)
    full = VoidMap()
    full["k"] = None
    assert codec.decode_map(codec.encode_map(full)) == {"k": None}


@pytest.mark.parametrize("ranges", [[(0, 0x7FFFFFFF)], [(0xFFFFFFFF, 5)], [(7, 7), (3, 4)]])
def test_ranges_are_serial_numbers_and_keep_their_order(ranges: values.Ranges) -> None:
    encoded = codec.encode_command(codec.make("message.accept", transfers=ranges))
    assert codec.decode_command(encoded)[0].ranges("transfers") == ranges


def in_map(value: str) -> bytes:
    """A map with one entry "a" whose code and octets are ``value``."""
    inner = bytes.fromhex("00000001 0161" + value)
    return len(inner).to_bytes(4, "big") + inner


def nested(code: int, depth: int) -> bytes:
    """A list in a list ... (or map, or array) as a map entry."""
    data = b"\xf0"
    for _ in range(depth):
        prefix = {0xA8: b"\0\0\0\x01\x01a", 0xA9: b"\0\0\0\x01", 0xAA: b"\xaa\0\0\0\x01"}[code]
        payload = data[1:] if code == 0xAA and data[0] == 0xAA else data
        if code == 0xAA and data[0] != 0xAA:
            prefix, payload = b"\xf0\0\0\0\x01", b""
        inner = prefix + payload
        data = bytes([code]) + len(inner).to_bytes(4, "big") + inner
    return in_map(data.hex())


EMPTY_MAP = codec.encode_map({})


def declare_with(arguments: bytes) -> bytes:
    """A queue.declare whose arguments are these octets."""
    empty = codec.encode_command(codec.make("queue.declare", queue="q", arguments={}))
    return empty.removesuffix(EMPTY_MAP) + arguments


@pytest.mark.parametrize("code", [0xA8, 0xA9, 0xAA])
def test_arguments_of_a_command_leave_room_for_what_carries_them_on(code: int) -> None:
    most = NESTING_MAX - 1 - codec.ARGUMENTS_DEPTH
    command, _ = codec.decode_command(declare_with(nested(code, most)))
    arguments = command.map("arguments")
    assert codec.decode_map(codec.encode_map({"in": [[[arguments]]]}))
    with pytest.raises(FramingError, match="deeper"):
        codec.decode_command(declare_with(nested(code, most + 1)))


@pytest.mark.parametrize(
    "many",
    [
        lambda count: {str(number): None for number in range(count)},
        lambda count: {"list": [None] * (count - 1)},
        lambda count: {"array": values.Array(0x02, [0] * (count - 1))},
        lambda count: {"both": [[None] * (count - 103), [None] * 100]},
    ],
    ids=["map", "list", "array", "together"],
)
def test_the_items_of_a_command_are_limited(many: Callable[[int], dict[str, values.Value]]) -> None:
    most = codec.COMMAND_ITEMS_MAX
    assert codec.decode_command(declare_with(codec.encode_map(many(most))))
    beyond = codec.encode_map(many(most + 1))
    with pytest.raises(FramingError, match="too many items"):
        codec.decode_command(declare_with(beyond))
    start_ok = codec.encode_control(codec.make("connection.start-ok", client_properties={}))
    with pytest.raises(FramingError, match="too many items"):
        codec.decode_control(start_ok.removesuffix(EMPTY_MAP) + beyond)
    assert codec.decode_map(beyond), "what is no command is limited by its length alone"


@pytest.mark.parametrize("code", [0xA8, 0xA9, 0xAA])
def test_nesting_ends_at_the_limit(code: int) -> None:
    assert codec.decode_map(nested(code, NESTING_MAX - 1))
    with pytest.raises(FramingError, match="deeper"):
        codec.decode_map(nested(code, NESTING_MAX))
    with pytest.raises(FramingError, match="deeper"):
        codec.decode_map(nested(code, 10_000 if code != 0xAA else 2_000))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("aa 00000005 f0 ffffffff", "without octets"),
        ("aa 00000005 f0 00010001", "without octets"),
        ("aa 00000005 f1 ffffffff", "without octets"),
        ("aa 00000005 02 00000001", "announces 1 items in 0"),
        ("aa 00000009 22 00000002 00000000", "announces 2 items"),
        ("aa 00000005 77 00000000", "unknown type code 0x77"),
        ("aa 00000006 f0 00000000 00", "left over after array"),
        ("aa 00000003 f0 0000", "octets announced"),
        ("a9 00000004 00000001", "list announces 1 items in 0"),
        ("a9 00000005 ffffffff f0", "list announces"),
        ("a9 00000006 00000001 f000", "left over after list"),
        ("a9 00000007 00000001 f000", "octets there"),
        ("a8 00000004 00000001", "map announces 1 entries in 0"),
        ("a8 00000007 00000001 0161 a0", "octets announced"),
        ("a8 00000006 00000001 0161", "octets announced"),
        ("a8 0000000a 00000002 0161f0 0161f0", "the key 'a' twice"),
        ("a8 00000007 00000001 01ff f0", "is not utf-8"),
        ("a8 000000ff 00000001 0161 f0", "size 255 announced"),
        ("ab 00000001 04", "too small"),
        ("ab 00000000", "too small"),
        ("ab 00000004 0401 0800", "octets announced"),
        ("ab 00000005 0401 1800 04", "octets announced"),
        ("ab 00000004 0401 2000", "octets announced"),
        ("ab 00000004 0401 0010", "beyond its fields"),
        ("ab 00000004 0402 0800", "beyond its fields"),
        ("ab 00000004 0601 0002", "beyond its fields"),
        ("ab 00000005 0402 0000 00", "left over"),
        ("95 0002 c328", "is not utf-8"),
        ("95 ffff 61", "65535 octets announced"),
        ("a0 ffffffff 61", "4294967295 octets announced"),
        ("85 01 80", "is not utf-8"),
        ("86 01 00", "is not utf-16-be"),
        ("96 0002 d800", "is not utf-16-be"),
        ("27 00110000", "is not utf-32-be"),
        ("05 00", "unknown type code 0x05"),
        ("48 00", "16 octets announced"),
        ("", "octets announced"),
    ],
)
def test_bad_values(value: str, message: str) -> None:
    with pytest.raises(FramingError, match=message):
        codec.decode_map(in_map(value))


def test_widthless_items_are_counted_over_the_whole_decode() -> None:
    array = "aa 00000005 f0 00008000"
    for count, fits in ((2, True), (3, False)):
        inner = count.to_bytes(4, "big") + bytes.fromhex(array) * count
        data = len(inner).to_bytes(4, "big") + inner
        if fits:
            assert len(codec.decode_list(data)) == count
        else:
            with pytest.raises(FramingError, match="without octets"):
                codec.decode_list(data)


def test_a_reader_stays_inside_the_innermost_thing() -> None:
    reader = Reader(bytes(10))
    outer = reader.enter(4)
    assert reader.take(4) == bytes(4)
    with pytest.raises(FramingError, match="1 octets announced at octet 4, 0 there"):
        reader.take(1)
    reader.leave(outer, "thing")
    assert reader.take(6) == bytes(6)
    reader.finish("everything")
    with pytest.raises(FramingError, match="size 1 announced at octet 10, 0 octets there"):
        reader.enter(1)


def test_a_thing_must_be_read_to_its_end() -> None:
    reader = Reader(bytes(10))
    outer = reader.enter(4)
    with pytest.raises(FramingError, match="4 octets left over after thing"):
        reader.leave(outer, "thing")


def test_the_limit_of_widthless_items_is_the_documented_one() -> None:
    reader = Reader(b"")
    reader.spend(decoding.WIDTHLESS_ITEMS_MAX)
    with pytest.raises(FramingError, match="without octets"):
        reader.spend(1)
