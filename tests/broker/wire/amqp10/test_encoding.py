from __future__ import annotations

import pytest
from hypothesis import given, settings

from tanist.types import LocalProtocolError
from tanist.wire.amqp10 import values
from tanist.wire.amqp10.composites import (
    Error,
    Modified,
    Received,
    Rejected,
    Source,
    TransactionalState,
)
from tanist.wire.amqp10.encoding import encode_composite, encode_value, write_map
from tanist.wire.amqp10.performatives import (
    Attach,
    Begin,
    Disposition,
    Open,
    SaslMechanisms,
    Transfer,
)
from tanist.wire.amqp10.values import (
    Array,
    Char,
    Composite,
    Decimal32,
    Described,
    Float,
    Int,
    Symbol,
    UByte,
    UInt,
    ULong,
    Value,
)
from tests.broker.wire.amqp10.proton_oracle import ProtonOracle
from tests.broker.wire.amqp10.random_values import Drawn, any_values, arrays, scalars


@settings(max_examples=400, deadline=None)
@given(value=any_values)
def test_values_agree_with_proton_octet_for_octet(proton: ProtonOracle, value: Drawn) -> None:
    assert encode_value(value).hex() == proton.encode(value).hex()


@settings(max_examples=200, deadline=None)
@given(value=arrays(scalars))
def test_arrays_agree_with_proton_octet_for_octet(proton: ProtonOracle, value: Drawn) -> None:
    assert encode_value(value).hex() == proton.encode(value).hex()


@pytest.mark.parametrize(
    ("value", "octets"),
    [
        (UInt(0), "43"),
        (UInt(255), "52ff"),
        (UInt(256), "7000000100"),
        (ULong(0), "44"),
        (ULong(1), "5301"),
        (0, "5500"),
        (-129, "81ffffffffffffff7f"),
        (2**63, "808000000000000000"),
        (Int(127), "547f"),
        (True, "41"),
        ([], "45"),
        ({}, "d10000000400000000"),
        ([1], "d000000006000000015501"),
        ("é", "a102c3a9"),
        (Symbol("a"), "a30161"),
        (Array(values.BOOLEAN_CODE, [True, False]), "f000000007000000025601" + "00"),
        (Described(Symbol("a"), None), "00a3016140"),
        (Float(1.5), "723fc00000"),
    ],
)
def test_examples_of_values(value: Value, octets: str) -> None:
    assert encode_value(value).hex() == octets


@pytest.mark.parametrize(
    ("composite", "octets"),
    [
        (Open("c"), "005310c00401a10163"),
        (Begin(None, 0, 1, 2), "005311c00704404352015202"),
        (Open("c", "h", 4294967295, 65535, 5), "005310c0" + "0b05a10163a1016840405205"),
        (Disposition(True, 0, None, True), "005315c0050441434041"),
        (Rejected(), "00532545"),
        (Rejected(Error("x")), "005325c00a01" + "00531dc00401a30178"),
        (SaslMechanisms(()), "005340c00b01" + "f000000005" + "00000000b3"),
        (Source("a", outcomes=("x", "y")), None),
    ],
)
def test_examples_of_composites(composite: Composite, octets: str | None) -> None:
    encoded = encode_composite(composite).hex()
    if octets is None:
        assert encoded.endswith("f00000000f00000002b3000000017800000001" + "79")
    else:
        assert encoded == octets


def test_a_long_list_gets_the_wide_encoding() -> None:
    small = encode_composite(Open("c" * 252))
    assert small[3] == 0xC0
    assert small[4] == len(small) - 5
    large = encode_composite(Open("c" * 253))
    assert large[3] == 0xD0
    assert int.from_bytes(large[4:8], "big") == len(large) - 8


def test_keys_become_what_belongs_there() -> None:
    out = bytearray()
    write_map(out, "annotations", {"a": 1, 5: 2})
    assert out.hex().endswith("a301615501" + "53055502")
    out = bytearray()
    write_map(out, "text-map", {Symbol("a"): 1})
    assert out.hex().endswith("a101615501")


STRANGE: Drawn = {1, 2}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (UByte(256), "256 does not fit ubyte"),
        (UInt(-1), "-1 does not fit uint"),
        (2**64, "does not fit ulong"),
        (-(2**63) - 1, "does not fit long"),
        (Symbol("é"), "is no symbol"),
        ("\ud800", "is no string"),
        (Char("ab"), "is no char"),
        (Char("\ud800"), "is no char"),
        (Decimal32(b"123"), "is no decimal32"),
        (Array(values.UINT_CODE, ["x"]), "'x' is no uint"),
        (Array(values.UINT_CODE, [True]), "True is no uint"),
        (Array(values.UINT_CODE, [None]), "None is no uint"),
        (Array(values.NULL_CODE, [1]), "1 is no null"),
        (Array(0x00, []), "is no type of an array's items"),
        (Array(0x99, []), "is no type of an array's items"),
        (STRANGE, "is no AMQP 1.0 value"),
        ([STRANGE], "is no AMQP 1.0 value"),
    ],
)
def test_what_does_not_fit_is_our_own_fault(value: Value, message: str) -> None:
    with pytest.raises(LocalProtocolError, match=message):
        encode_value(value)


def test_nesting_ends() -> None:
    value: Value = None
    for _ in range(33):
        value = [value]
    with pytest.raises(LocalProtocolError, match="nested deeper"):
        encode_value(value)


@pytest.mark.parametrize(
    ("composite", "message"),
    [
        (Transfer(-1), "transfer.handle: -1 does not fit uint"),
        (Open("\ud800"), "open.container_id: .* is no string"),
        (Open("c", desired_capabilities=("é",)), "open.desired_capabilities: .* is no symbol"),
        (Open("c", properties={"é": 1}), "open.properties: .* is no symbol"),
        (Attach("n", 0, True, source=Described(Symbol("x"), STRANGE)), "attach.source: "),
        (Modified(message_annotations={"a": STRANGE}), "modified.message_annotations"),
        (TransactionalState(b"t", Received(1, 2)), "transactional-state.outcome: .* is no outcome"),
    ],
)
def test_fields_that_do_not_fit_are_named(composite: Composite, message: str) -> None:
    with pytest.raises(LocalProtocolError, match=message):
        encode_composite(composite)


def test_a_map_must_have_the_right_keys() -> None:
    for kind, bad in (("fields", {5: 1}), ("text-map", {5: 1}), ("annotations", {b"x": 1})):
        with pytest.raises(LocalProtocolError, match="cannot be a key here"):
            write_map(bytearray(), kind, bad)
    with pytest.raises(LocalProtocolError, match="is no map"):
        write_map(bytearray(), "fields", [1])
