from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanist.sessions.translation.jms import read_map, read_stream, write_map, write_stream
from tanist.types import FramingError
from tanist.wire.amqp10 import values as values10
from tanist.wire.amqp10.values import Byte, Char, Float, Int, Short, Symbol, UInt, Value
from tests.broker.wire.amqp10.random_values import SCALARS, exact

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
JAVA = st.one_of(
    SCALARS["null"],
    SCALARS["boolean"],
    SCALARS["byte"],
    SCALARS["short"],
    SCALARS["int"],
    SCALARS["long"],
    SCALARS["float"],
    SCALARS["double"],
    SCALARS["binary"],
    TEXTS,
    st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]).map(Char),
)


@given(value=st.dictionaries(TEXTS, JAVA, max_size=5))
def test_maps_round_trip(value: dict[Value, Value]) -> None:
    written = write_map(value)
    assert written is not None
    assert exact(read_map(written)) == exact(value)


@given(value=st.lists(JAVA, max_size=5))
def test_streams_round_trip(value: list[Value]) -> None:
    written = write_stream(value)
    assert written is not None
    assert exact(read_stream(written)) == exact(value)


def test_what_the_java_client_writes() -> None:
    body = (
        b"\x02\xff\x04\xff\xfe\x06\xff\xff\xff\xfd\x07" + (2**40).to_bytes(8, "big") + b"\x01\x01"
        b"\x05\x00\xfc\x08\x3f\x00\x00\x00\x09\x3f\xe0\x00\x00\x00\x00\x00\x00\x0agr\xc3\xbcn\x00"
        b"\x0b\x03\x00\x00\x00\x02\x00\x01\x03\xff\xff\xff\xff"
    )
    expected: list[Value] = [
        Byte(-1),
        Short(-2),
        Int(-3),
        2**40,
        True,
        Char("ü"),
        Float(0.5),
        0.5,
        "grün",
        None,
        b"\x00\x01",
        None,
    ]
    assert exact(read_stream(body)) == exact(expected)
    assert write_stream(expected[:-1]) == body[:-5]


@pytest.mark.parametrize(
    "body",
    [
        b"\x00",
        b"\x0c",
        b"\x01",
        b"\x06\x00",
        b"\x0atext",
        b"\x0a\xff\x00",
        b"\x03\x00\x00\x00\x05abc",
        b"\x05\xd8\x00",
    ],
    ids=lambda body: body.hex(),
)
def test_broken_streams(body: bytes) -> None:
    with pytest.raises(FramingError):
        read_stream(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00\x00\x00",
        b"\xff\xff\xff\xff",
        b"\x7f\xff\xff\xff",
        b"\x00\x00\x00\x01",
        b"\x00\x00\x00\x01a\0",
        b"\x00\x00\x00\x00more",
        b"\x00\x00\x00\x02a\0\x0ba\0\x0b",
    ],
    ids=lambda body: body.hex(),
)
def test_broken_maps(body: bytes) -> None:
    with pytest.raises(FramingError):
        read_map(body)


@given(body=st.binary(max_size=40))
def test_octets_at_random(body: bytes) -> None:
    for read in (read_map, read_stream):
        try:
            read(body)
        except FramingError:
            continue


@pytest.mark.parametrize(
    "value",
    [UInt(1), Symbol("s"), "a\0b", [1], {"a": 1}, Char("\U0001f600")],
    ids=str,
)
def test_what_java_does_not_have_is_refused(value: Value) -> None:
    assert write_stream([value]) is None
    assert write_map({"k": value}) is None


def test_other_values_are_no_maps_and_streams() -> None:
    assert write_map([1]) is None
    assert write_map({1: 1}) is None
    assert write_map({"a\0": 1}) is None
    assert write_stream({"a": 1}) is None
    assert write_stream(values10.Array(values10.INT_CODE, [1])) is None
