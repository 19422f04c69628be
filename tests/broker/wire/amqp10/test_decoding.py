"""Tests of reading values: round trips, Proton's opinion, and octets that nobody vouches for."""

from __future__ import annotations

import struct
import tracemalloc

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tanist.types import FramingError
from tanist.wire.amqp10 import values
from tanist.wire.amqp10.decoding import TYPES, WIDTHLESS_ITEMS_MAX, decode_value
from tanist.wire.amqp10.encoding import TYPE_CODES, encode_value
from tanist.wire.amqp10.values import Array, Described, MapPairs, Symbol, UInt, ULong, Value
from tests.broker.wire.amqp10.proton_oracle import ProtonOracle, readable
from tests.broker.wire.amqp10.random_values import SCALARS, Drawn, any_values, exact


@pytest.mark.parametrize("name", sorted(SCALARS))
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_every_primitive_type_round_trips_with_its_type(name: str, data: st.DataObject) -> None:
    value = data.draw(SCALARS[name])
    decoded = decode_value(encode_value(value))
    assert exact(decoded) == exact(value)
    assert values.type_code(decoded) == TYPE_CODES[name]


@settings(max_examples=400, deadline=None)
@given(value=any_values)
def test_every_value_round_trips(value: Drawn) -> None:
    octets = encode_value(value)
    assert exact(decode_value(octets)) == exact(value)


@settings(max_examples=200, deadline=None)
@given(value=any_values)
def test_proton_reads_what_we_write_and_the_other_way(proton: ProtonOracle, value: Drawn) -> None:
    assert exact(decode_value(proton.encode(value))) == exact(value)
    assume(readable(value))
    assert exact(proton.decode(encode_value(value))) == exact(value)


@pytest.mark.parametrize(
    ("octets", "value"),
    [
        ("5600", False),
        ("5601", True),
        ("7000000005", UInt(5)),
        ("800000000000000005", ULong(5)),
        ("810000000000000005", 5),
        ("b00000000161", b"a"),
        ("b10000000161", "a"),
        ("b30000000161", Symbol("a")),
        ("c00100", []),
        ("c0030241" + "42", [True, False]),
        ("d00000000400000000", []),
        ("c10100", {}),
        ("c10602a1016153" + "05", {"a": ULong(5)}),
        ("e0020052", Array(values.UINT_CODE)),
        ("e00402520105", Array(values.UINT_CODE, [UInt(1), UInt(5)])),
        ("e0020243", Array(values.UINT_CODE, [UInt(0), UInt(0)])),
        ("e0020341", Array(values.BOOLEAN_CODE, [True, True, True])),
        ("e0020145", Array(values.LIST_CODE, [[]])),
        ("e0080200a301785201" + "05", Array(values.UINT_CODE, [UInt(1), UInt(5)], Symbol("x"))),
        ("e006" + "02a101610162", Array(values.STRING_CODE, ["a", "b"])),
        ("00005301a3016140", Described(Described(ULong(1), Symbol("a")), None)),
    ],
)
def test_encodings_that_we_do_not_send(octets: str, value: Value) -> None:
    assert exact(decode_value(bytes.fromhex(octets))) == exact(value)


def test_a_nan_keeps_its_payload() -> None:
    for octets in (bytes.fromhex("727fc12345"), bytes.fromhex("827ff8000012345678")):
        assert encode_value(decode_value(octets)) == octets


def test_a_map_that_no_dict_can_hold_comes_as_pairs() -> None:
    nan = struct.unpack(">d", bytes.fromhex("7ff8000000000000"))[0]
    for pairs in (
        [(1, "a"), (True, "b"), (UInt(1), "c")],
        [("a", 1), (Symbol("a"), 2)],
        [([1], 1), ({}, 2), (Described(ULong(1), 2), 3)],
        [(nan, 1)],
        [(0.0, 1), (-0.0, 2)],
    ):
        decoded = decode_value(encode_value(MapPairs(pairs)))
        assert isinstance(decoded, MapPairs)
        assert exact(decoded) == exact(MapPairs(pairs))


@pytest.mark.parametrize(
    "pairs",
    [[("a", 1), ("a", 2)], [(1, 1), (1, 2)], [([1], 1), ([1], 2)]],
)
def test_a_map_with_one_key_twice_is_refused(pairs: list[tuple[Value, Value]]) -> None:
    with pytest.raises(FramingError, match="map with one key twice"):
        decode_value(encode_value(MapPairs(pairs)))


def test_a_key_in_two_encodings_is_still_one_key() -> None:
    with pytest.raises(FramingError, match="map with one key twice"):
        decode_value(bytes.fromhex("c10a04" + "5201" + "40" + "7000000001" + "40"))


@pytest.mark.parametrize(
    ("octets", "message"),
    [
        ("", "1 octets announced at octet 0, 0 there"),
        ("00", "octets announced"),
        ("0040", "octets announced"),
        ("3f", "unknown constructor 0x3f before octet 1"),
        ("46", "unknown constructor 0x46"),
        ("57", "unknown constructor 0x57"),
        ("99", "unknown constructor 0x99"),
        ("a2", "unknown constructor 0xa2"),
        ("c2", "unknown constructor 0xc2"),
        ("ff", "unknown constructor 0xff"),
        ("4040", "1 octets left over after value"),
        ("5602", "boolean 0x02"),
        ("7000", "4 octets announced at octet 1, 1 there"),
        ("a1", "1 octets announced"),
        ("a10561", "5 octets announced at octet 2, 1 there"),
        ("b1ffffffff61", "4294967295 octets announced"),
        ("a101ff", "string b'.xff': invalid start byte"),
        ("a103eda080", "string .* invalid"),
        ("a30180", "symbol .* ordinal not in range"),
        ("7300110000", "char 00110000 is not Unicode"),
        ("730000d800", "char 0000d800 is not Unicode"),
        ("c0", "octets announced"),
        ("c000", "octets announced"),
        ("c00001", "octets announced"),
        ("c00500", "size 5 announced at octet 2, 1 octets there"),
        ("c00101", "list announces 1 items in 0 octets"),
        ("c00200" + "40", "1 octets left over after list"),
        ("c0020240" + "40", "list announces 2 items in 1 octets"),
        ("d0000000040000ffff", "list announces 65535 items"),
        ("c1020140", "map of 1 items: a key without a value"),
        ("c1030240", "announced"),
        ("d100000004fffffffe", "map announces 4294967294 items"),
        ("e00100", "octets announced"),
        ("e0020146", "unknown constructor 0x46 of the items"),
        ("e003010000", "octets announced"),
        ("e00401004040", "described by null"),
        ("e0050100530100", "unknown constructor 0x00 of the items"),
        ("e003025201", "array announces 2 items in 1 octets"),
        ("f000000005ffffffff40", "more than 65536 items without octets"),
        ("f000000005ffffffff45", "more than 65536 items without octets"),
        ("f000000005ffffffff70", "array announces 4294967295 items"),
        ("f000000005000000ffb1", "array announces 255 items"),
        ("f000000005000000ffd0", "array announces 255 items"),
        ("e0 03 01 56 07", "boolean 0x07"),
    ],
)
def test_bad_octets(octets: str, message: str) -> None:
    with pytest.raises(FramingError, match=message):
        decode_value(bytes.fromhex(octets))


def test_every_constructor_that_is_not_there_is_refused() -> None:
    for code in range(1, 256):
        if code not in TYPES:
            with pytest.raises(FramingError, match="unknown constructor"):
                decode_value(bytes([code]) + bytes(300))


@pytest.mark.parametrize("depth", [33, 5000])
def test_nesting_ends(depth: int) -> None:
    described = b"\x00\x53\x01" * depth + b"\x40"
    descriptors = b"\x00" * depth + b"\x40" * (depth + 1)
    value = b"\x40"
    for _ in range(depth):
        value = b"\xd0" + (len(value) + 4).to_bytes(4, "big") + b"\0\0\0\1" + value
    array = b""
    for _ in range(depth):
        array = (len(array) + 5).to_bytes(4, "big") + b"\0\0\0\1\xf0" + array
    for octets in (described, descriptors, value, b"\xf0" + array):
        with pytest.raises(FramingError, match=r"nested deeper than 32|announced"):
            decode_value(octets)


def test_items_without_octets_have_one_budget_for_all_arrays() -> None:
    least = b"\xf0\x00\x00\x00\x05" + (WIDTHLESS_ITEMS_MAX // 2).to_bytes(4, "big") + b"\x40"
    two = b"\xd0" + (4 + 2 * len(least)).to_bytes(4, "big") + b"\0\0\0\2" + 2 * least
    three = b"\xd0" + (4 + 3 * len(least)).to_bytes(4, "big") + b"\0\0\0\3" + 3 * least
    assert decode_value(two)
    with pytest.raises(FramingError, match="items without octets"):
        decode_value(three)


def test_all_items_can_be_limited() -> None:
    octets = encode_value([None] * 100)
    assert decode_value(octets, 100) == [None] * 100
    with pytest.raises(FramingError, match="too many items"):
        decode_value(octets, 99)


def test_announcements_cost_no_memory() -> None:
    liars = [
        b"\xb0\xff\xff\xff\xff",
        b"\xd0\x00\x00\x00\x04\xff\xff\xff\xff",
        b"\xf0\x00\x00\x00\x05\xff\xff\xff\xff\x40",
    ]
    tracemalloc.start()
    for octets in liars:
        with pytest.raises(FramingError):
            decode_value(octets)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


@settings(max_examples=500, deadline=None)
@given(octets=st.binary(max_size=60))
@example(b"\xe0\x02\x03\x41")
def test_random_octets_are_a_value_or_a_framing_error(octets: bytes) -> None:
    try:
        value = decode_value(octets)
    except FramingError:
        return
    assert exact(decode_value(encode_value(value))) == exact(value)


@settings(max_examples=500, deadline=None)
@given(value=any_values, data=st.data())
def test_damaged_octets_are_a_value_or_a_framing_error(value: Drawn, data: st.DataObject) -> None:
    octets = bytearray(encode_value(value))
    for _ in range(data.draw(st.integers(1, 3))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    try:
        decoded = decode_value(bytes(octets))
    except FramingError:
        return
    assert exact(decode_value(encode_value(decoded))) == exact(decoded)


@settings(max_examples=100, deadline=None)
@given(value=any_values)
def test_what_ends_too_early_is_refused(value: Drawn) -> None:
    octets = encode_value(value)
    for end in range(len(octets)):
        with pytest.raises(FramingError):
            decode_value(octets[:end])
