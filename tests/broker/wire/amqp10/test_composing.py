"""Tests of composite types: round trips of all of them, Proton's opinion, and bad fields."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tanist.types import FramingError
from tanist.wire.amqp10.composing import (
    PERFORMATIVE_ITEMS_MAX,
    compose,
    composite_of,
    read_performative,
)
from tanist.wire.amqp10.composites import (
    Accepted,
    DeleteOnClose,
    Error,
    Modified,
    Received,
    Source,
    Target,
)
from tanist.wire.amqp10.decoding import decode_value
from tanist.wire.amqp10.encoding import encode_composite, encode_value
from tanist.wire.amqp10.performatives import Attach, Open, SaslMechanisms
from tanist.wire.amqp10.spec import DEFINITIONS, PERFORMATIVE, SASL, Definition
from tanist.wire.amqp10.values import (
    SYMBOL_CODE,
    UINT_CODE,
    Array,
    Composite,
    Described,
    Symbol,
    UInt,
    ULong,
    Value,
)
from tests.broker.wire.amqp10.proton_oracle import ProtonOracle, readable
from tests.broker.wire.amqp10.random_values import (
    Drawn,
    composite_definitions,
    composites_of,
    exact,
)

ALL = composite_definitions()


@pytest.mark.parametrize("definition", ALL, ids=lambda d: d.name)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_every_composite_type_round_trips(definition: Definition, data: st.DataObject) -> None:
    value = data.draw(composites_of(definition))
    octets = encode_composite(value)
    decoded = composite_of(decode_value(octets))
    assert exact(decoded) == exact(value)
    assert decoded == value
    assert encode_composite(value) == octets


@pytest.mark.parametrize("definition", ALL, ids=lambda d: d.name)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_proton_agrees_on_every_composite_type(
    proton: ProtonOracle, definition: Definition, data: st.DataObject
) -> None:
    """Proton reads our octets as the tree that we read from them, writes that tree as we do as a
    plain value, and what it wrote means the same to us."""
    value = data.draw(composites_of(definition))
    octets = encode_composite(value)
    assume(readable(decode_value(octets)))
    tree = proton.decode(octets)
    assert exact(tree) == exact(decode_value(octets))
    again = proton.again(octets)
    assert again == encode_value(decode_value(octets))
    assert exact(composite_of(decode_value(again))) == exact(value)


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_symbols_describe_as_numbers_do(data: st.DataObject) -> None:
    definition = data.draw(st.sampled_from(ALL))
    value = data.draw(composites_of(definition))
    described = decode_value(encode_composite(value))
    assert isinstance(described, Described)
    by_symbol = Described(Symbol(definition.symbol), described.value)
    assert exact(composite_of(decode_value(encode_value(by_symbol)))) == exact(value)


def performative(name: str, *fields: Value) -> Value:
    return Described(ULong(DEFINITIONS[name].code), list(fields))


def read(value: Value, group: str = PERFORMATIVE) -> Composite:
    octets = encode_value(value)
    found, end = read_performative(octets, 0, group)
    assert end == len(octets)
    return found


def test_nulls_are_defaults_and_absent_fields_as_well() -> None:
    full = read(performative("open", "c", *[None] * 9))
    assert full == read(performative("open", "c")) == Open("c")


def test_several_values_or_one_or_none() -> None:
    words = decode_value(bytes.fromhex("e00602a301610162"))
    for sent, expected in ((words, ("a", "b")), (Symbol("a"), ("a",)), (None, ())):
        found = read(performative("open", "c", *[None] * 6, sent))
        assert isinstance(found, Open)
        assert found.offered_capabilities == expected
        assert all(type(word) is str for word in found.offered_capabilities)
    found = read(performative("sasl-mechanisms", Symbol("PLAIN")), SASL)
    assert found == SaslMechanisms(("PLAIN",))


def test_numbers_and_symbols_are_plain() -> None:
    found = read(performative("open", "c", None, UInt(512)))
    assert isinstance(found, Open)
    assert type(found.max_frame_size) is int
    error = composite_of(performative("error", Symbol("amqp:not-found")))
    assert isinstance(error, Error)
    assert type(error.condition) is str


def test_unknown_archetypes_stay_described() -> None:
    strange = Described(Symbol("x:y"), [1])
    found = read(performative("attach", "n", UInt(0), True, None, None, strange, strange))
    assert isinstance(found, Attach)
    assert found.source == found.target == strange


def test_a_lifetime_policy_is_made_on_demand() -> None:
    policy = {Symbol("lifetime-policy"): Described(ULong(0x2B), [])}
    found = composite_of(performative("source", None, None, None, None, True, policy))
    assert isinstance(found, Source)
    assert found.dynamic_node_properties is not None
    assert composite_of(found.dynamic_node_properties["lifetime-policy"]) == DeleteOnClose()
    assert composite_of(Described(ULong(1), [])) is None
    assert composite_of(Described("amqp:open:list", [])) is None
    assert composite_of(Described(ULong(0x75), b"data")) is None
    assert composite_of(5) is None


def test_unsettled_states_are_composites() -> None:
    states: Value = {b"1": None, b"2": performative("received", UInt(1), ULong(2))}
    found = read(performative("attach", "n", UInt(0), True, *[None] * 4, states))
    assert isinstance(found, Attach)
    assert found.unsettled == {b"1": None, b"2": Received(1, 2)}


def test_keys_of_fields_may_be_strings() -> None:
    found = read(performative("open", "c", *[None] * 8, {"product": "x", Symbol("v"): 1}))
    assert isinstance(found, Open)
    assert found.properties == {"product": "x", "v": 1}


SOURCE = performative("source")
OPEN = performative("open", "c")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "no performative in the frame but null"),
        (Described("amqp:open:list", []), "no performative in the frame but amqp:open:list"),
        (Described(ULong(0x99), []), "no performative in the frame but 153"),
        (Described(Symbol("amqp:nothing:list"), []), "but amqp:nothing:list"),
        (performative("accepted"), "no performative in the frame but 36"),
        (performative("sasl-init", Symbol("PLAIN")), "no performative in the frame but 65"),
        (Described(ULong(0x10), {}), "open: a list belongs here, no map"),
        (Described(ULong(0x10), None), "open: a list belongs here, no null"),
        (performative("open"), "open.container_id is mandatory"),
        (performative("open", None), "open.container_id is mandatory"),
        (performative("open", *["c"] * 11), "open with 11 fields, it has 10"),
        (performative("open", Symbol("c")), "open.container_id is no string but symbol"),
        (performative("open", b"c"), "open.container_id is no string but binary"),
        (performative("open", "c", None, ULong(512)), "open.max_frame_size is no uint but ulong"),
        (performative("open", "c", None, 512), "open.max_frame_size is no uint but long"),
        (performative("open", "c", None, None, True), "open.channel_max is no ushort but boolean"),
        (performative("open", "c", *[None] * 6, "x"), "offered_capabilities is no symbol but"),
        (performative("open", "c", *[None] * 6, [Symbol("x")]), "is no symbol but list"),
        (performative("open", "c", *[None] * 8, []), "open.properties is no map"),
        (performative("open", "c", *[None] * 8, {1: 1}), "a long cannot be a key"),
        (performative("transfer", UInt(0), UInt(0), "t"), "delivery_tag is no binary but string"),
        (performative("transfer", UInt(0), *[None] * 6, 5), "state is no delivery-state but long"),
        (performative("disposition", True, UInt(0), None, None, OPEN), "open is no delivery-state"),
        (performative("attach", "n", UInt(0), True, None, None, 1), "is no source but long"),
        (performative("attach", "n", UInt(0), True, *[None] * 3, SOURCE), "source is no target"),
        (performative("attach", "n", UInt(0), True, *[None] * 4, {"x": None}), "a string cannot"),
        (
            performative("close", Described(Symbol("x"), [])),
            "close.error is no error but described",
        ),
        (performative("close", performative("error")), "error.condition is mandatory"),
    ],
)
def test_bad_performatives(value: Value, message: str) -> None:
    with pytest.raises(FramingError, match=message):
        read(value)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (Array(UINT_CODE, [UInt(5)]), "is an array of uint, no symbol"),
        (Array(UINT_CODE), "is an array of uint, no symbol"),
        (Array(SYMBOL_CODE, [Symbol("y")], Symbol("x")), "is an array of described symbol"),
    ],
)
def test_bad_arrays_of_symbols(array: Value, message: str) -> None:
    with pytest.raises(FramingError, match=message):
        read(performative("sasl-mechanisms", array), SASL)


def test_mechanisms_may_be_none_but_not_absent() -> None:
    with pytest.raises(FramingError, match="sasl_server_mechanisms is mandatory"):
        read(performative("sasl-mechanisms"), SASL)
    assert read_performative(encode_composite(SaslMechanisms(())), 0, SASL)[0] == SaslMechanisms(())


def test_message_ids_have_four_types() -> None:
    with pytest.raises(FramingError, match="message_id is no ulong, uuid, binary or"):
        compose(DEFINITIONS["properties"], [5])


def test_a_performative_has_a_limited_number_of_items() -> None:
    many: Value = [None] * (PERFORMATIVE_ITEMS_MAX + 1)
    octets = encode_value(performative("open", "c", *[None] * 8, {"x": many}))
    with pytest.raises(FramingError, match="too many items"):
        read_performative(octets, 0, PERFORMATIVE)


def test_the_end_is_where_the_payload_starts() -> None:
    octets = b"??" + encode_composite(Open("c")) + b"payload"
    assert read_performative(octets, 2, PERFORMATIVE) == (Open("c"), len(octets) - 7)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damaged_performatives_are_read_or_refused_in_one_way(data: st.DataObject) -> None:
    definition = data.draw(st.sampled_from([d for d in ALL if d.group == PERFORMATIVE]))
    octets = bytearray(encode_composite(data.draw(composites_of(definition))))
    for _ in range(data.draw(st.integers(1, 3))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    try:
        found, _ = read_performative(bytes(octets), 0, PERFORMATIVE)
    except FramingError:
        return
    again: Drawn = read_performative(encode_composite(found), 0, PERFORMATIVE)[0]
    assert exact(again) == exact(found)


def test_outcomes_and_termini_within_performatives() -> None:
    attach = Attach(
        "n",
        0,
        False,
        source=Source("q", default_outcome=Modified(True), outcomes=("amqp:accepted:list",)),
        target=Target("t"),
    )
    found, _ = read_performative(encode_composite(attach), 0, PERFORMATIVE)
    assert found == attach
    assert isinstance(found, Attach)
    assert isinstance(found.source, Source)
    assert found.source.default_outcome == Modified(True)
    assert Accepted() == Accepted()
