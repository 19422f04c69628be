from __future__ import annotations

import struct
from uuid import UUID

import pytest

from tanist.wire.amqp10 import values
from tanist.wire.amqp10.composites import Accepted, Error
from tanist.wire.amqp10.values import (
    Array,
    Char,
    Described,
    Float,
    MapPairs,
    Symbol,
    Timestamp,
    UInt,
    ULong,
    Value,
    type_code,
)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, values.NULL_CODE),
        (True, values.BOOLEAN_CODE),
        (5, values.LONG_CODE),
        (-(2**63), values.LONG_CODE),
        (2**63, values.ULONG_CODE),
        (5.0, values.DOUBLE_CODE),
        ("x", values.STRING_CODE),
        (b"x", values.BINARY_CODE),
        (UUID(int=1), values.UUID_CODE),
        ([], values.LIST_CODE),
        ((), values.LIST_CODE),
        ({}, values.MAP_CODE),
        (MapPairs([(1, 2)]), values.MAP_CODE),
        (UInt(1), values.UINT_CODE),
        (Timestamp(1), values.TIMESTAMP_CODE),
        (Float(1.5), values.FLOAT_CODE),
        (Char("x"), values.CHAR_CODE),
        (Symbol("x"), values.SYMBOL_CODE),
        (Array(values.INT_CODE), values.ARRAY_CODE),
        (Described(ULong(1), None), values.DESCRIBED_CODE),
        (Accepted(), values.DESCRIBED_CODE),
    ],
)
def test_each_value_has_a_type(value: Value, code: int) -> None:
    assert type_code(value) == code


def test_what_is_no_value_has_no_type() -> None:
    strange: object = {1, 2}
    assert type_code(strange) == -1  # type: ignore[arg-type]


def test_typed_values_are_what_python_expects() -> None:
    assert Symbol("a") == "a"
    assert {Symbol("a"): 1}["a"] == 1
    assert UInt(5) + 1 == 6
    assert Float(1.5) == 1.5


def test_a_float_keeps_its_octets() -> None:
    nan = bytes.fromhex("7fc00001")
    assert Float(struct.unpack(">f", nan)[0], nan).raw == nan
    assert Float(1.5).raw == struct.pack(">f", 1.5)
    with pytest.raises(OverflowError):
        Float(1e300)


def test_described_values_and_composites_compare_and_show_their_contents() -> None:
    assert Described(Symbol("a"), 1) == Described(Symbol("a"), 1)
    assert Described(Symbol("a"), 1) != Described(Symbol("b"), 1)
    assert Described(Symbol("a"), 1) != 1
    assert hash(Described(Symbol("a"), 1)) == hash(Described(Symbol("a"), 1))
    assert repr(Described(Symbol("a"), 1)) == "Described('a', 1)"
    assert Error("x") == Error("x")
    assert Error("x") != Error("x", "why")
    assert Error("x") != Accepted()
    assert hash(Error("x")) == hash(Error("x"))
    assert repr(Error("x", "why")) == "Error(condition='x', description='why', info=None)"
