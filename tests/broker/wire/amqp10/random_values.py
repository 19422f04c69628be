"""Random values of every AMQP 1.0 type and every composite type, for hypothesis.

``exact`` turns a value into nested tuples in which types count: Python takes 1, True and
``UInt(1)`` for equal, the wire does not.
"""

from __future__ import annotations

import struct
from typing import Any, TypeAlias
from uuid import UUID

from hypothesis import strategies as st

from tanist.wire.amqp10 import composites, performatives, values
from tanist.wire.amqp10.encoding import TYPE_CODES
from tanist.wire.amqp10.spec import ARCHETYPES, DEFINITIONS, Definition, Field
from tanist.wire.amqp10.values import (
    Array,
    Byte,
    Char,
    Composite,
    Decimal32,
    Decimal64,
    Decimal128,
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
    Value,
    type_code,
)

Drawn: TypeAlias = Any
"""What hypothesis drew."""


def unsigned(bits: int) -> st.SearchStrategy[int]:
    """Numbers, small ones more often than chance would have it."""
    return st.one_of(st.integers(0, min(300, 2**bits - 1)), st.integers(0, 2**bits - 1))


def signed(bits: int) -> st.SearchStrategy[int]:
    """Numbers, small ones more often than chance would have it."""
    half = 2 ** (bits - 1)
    return st.one_of(st.integers(-min(200, half), min(200, half - 1)), st.integers(-half, half - 1))


ASCII = st.text(st.characters(max_codepoint=127), max_size=300)
OCTETS = st.one_of(st.binary(max_size=20), st.binary(min_size=250, max_size=260))

SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "ubyte": unsigned(8).map(UByte),
    "ushort": unsigned(16).map(UShort),
    "uint": unsigned(32).map(UInt),
    "ulong": unsigned(64).map(ULong),
    "byte": signed(8).map(Byte),
    "short": signed(16).map(Short),
    "int": signed(32).map(Int),
    "long": signed(64),
    "float": st.floats(width=32, allow_nan=False).map(Float),
    "double": st.floats(allow_nan=False),
    "decimal32": st.binary(min_size=4, max_size=4).map(Decimal32),
    "decimal64": st.binary(min_size=8, max_size=8).map(Decimal64),
    "decimal128": st.binary(min_size=16, max_size=16).map(Decimal128),
    "char": st.characters(exclude_categories=["Cs"]).map(Char),
    "timestamp": signed(64).map(Timestamp),
    "uuid": st.uuids(),
    "binary": OCTETS,
    "string": st.one_of(st.text(max_size=20), st.text(min_size=80, max_size=260)),
    "symbol": ASCII.map(Symbol),
}

scalars = st.sampled_from(sorted(SCALARS)).flatmap(SCALARS.__getitem__)
descriptors = st.one_of(SCALARS["ulong"], SCALARS["symbol"])


@st.composite
def maps(draw: st.DrawFn, items: st.SearchStrategy[Any]) -> Value:
    """A dict where one can hold the keys, else pairs; keys are distinct as AMQP sees them."""
    pairs = draw(st.lists(st.tuples(st.one_of(scalars, items), items), max_size=4))
    unique = {repr(exact(key)): (key, item) for key, item in pairs}
    pairs = list(unique.values())
    try:
        as_dict = dict(pairs)
    except TypeError:
        return MapPairs(pairs)
    plain = all(not isinstance(key, Described) for key in as_dict)
    return as_dict if plain and len(as_dict) == len(pairs) else MapPairs(pairs)


@st.composite
def arrays(draw: st.DrawFn, items: st.SearchStrategy[Any]) -> Array:
    """Items of one type, perhaps described, perhaps none."""
    name = draw(st.sampled_from([*sorted(SCALARS), "list", "map", "array"]))
    inner: st.SearchStrategy[Any]
    if name == "list":
        inner = st.lists(items, max_size=3)
    elif name == "map":
        inner = maps(items)
    elif name == "array":
        inner = st.lists(SCALARS["uint"], max_size=3).map(
            lambda found: Array(values.UINT_CODE, found)
        )
    else:
        inner = SCALARS[name]
    descriptor = draw(st.one_of(st.none(), descriptors))
    return Array(TYPE_CODES[name], draw(st.lists(inner, max_size=4)), descriptor)


def _compound(items: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(items, max_size=4),
        maps(items),
        arrays(items),
        st.builds(Described, descriptors, items),
    )


any_values: st.SearchStrategy[Any] = st.recursive(scalars, _compound, max_leaves=12)


def exact(value: Drawn) -> Drawn:
    """``value`` as nested tuples that tell its types."""
    code = type_code(value)
    if isinstance(value, Composite):
        fields = value.definition.fields
        return ("composite", type(value).__name__, *(exact(getattr(value, f.name)) for f in fields))
    if isinstance(value, Described):
        return ("described", exact(value.descriptor), exact(value.value))
    if isinstance(value, Array):
        head = ("array", value.code, exact(value.descriptor))
        return (*head, *(exact(item) for item in value))
    if isinstance(value, (dict, MapPairs)):
        pairs = value.items() if isinstance(value, dict) else value
        return ("map", *((exact(key), exact(item)) for key, item in pairs))
    if isinstance(value, tuple):
        return ("tuple", *(exact(item) for item in value))
    if isinstance(value, list):
        return ("list", *(exact(item) for item in value))
    if isinstance(value, Float):
        return (code, value.raw)
    if isinstance(value, float):
        return (code, struct.pack(">d", value))
    if isinstance(value, UUID):
        return (code, value.bytes)
    plain = {bool: bool, int: int, str: str, bytes: bytes}
    for kind, make in plain.items():
        if isinstance(value, kind):
            return (code, make(value))
    assert value is None
    return (code,)


# ------------------------------------------------------------------------------ composite types


def class_of(definition: Definition) -> type[Composite]:
    """The class of a definition."""
    found = getattr(performatives, definition.class_name, None)
    kind: type[Composite] = found or getattr(composites, definition.class_name)
    return kind


def composite_definitions() -> list[Definition]:
    """All definitions that have a class."""
    found = DEFINITIONS.values()
    return [d for d in found if d.form == "list" and d.name != "amqp-sequence"]


@st.composite
def composites_of(draw: st.DrawFn, definition: Definition) -> Composite:
    """An instance with some of its fields."""
    arguments: dict[str, Any] = {}
    for field in definition.fields:
        if field.mandatory or draw(st.booleans()):
            arguments[field.name] = draw(field_values(field))
        elif field.multiple:
            arguments[field.name] = ()
        else:
            arguments[field.name] = field.default
    return class_of(definition)(**arguments)


def unknown_described() -> st.SearchStrategy[Any]:
    """Described values that the specification does not know."""
    return st.builds(Described, ASCII.map(lambda s: Symbol("x:" + s)), st.lists(scalars))


def provided(archetype: str) -> st.SearchStrategy[Any]:
    """What may stand where an archetype belongs."""
    known = st.sampled_from(sorted(ARCHETYPES[archetype])).flatmap(
        lambda name: composites_of(DEFINITIONS[name])
    )
    return known if archetype == "error" else st.one_of(known, unknown_described())


def field_values(field: Field) -> st.SearchStrategy[Any]:
    """Values of a field, numbers and symbols plain as the classes hold them."""
    few = st.one_of(scalars, st.lists(scalars, max_size=2))
    if field.multiple:
        least = 1 if field.mandatory else 0
        return st.lists(ASCII, min_size=least, max_size=3).map(tuple)
    if field.type == "any":
        return any_values.filter(lambda value: value is not None)
    if field.type == "message-id":
        return st.one_of(*(SCALARS[name] for name in ("ulong", "uuid", "binary", "string")))
    if field.type == "fields":
        return st.dictionaries(ASCII.map(Symbol), few, max_size=3)
    if field.type == "unsettled":
        state = st.one_of(st.none(), provided("delivery-state"))
        return st.dictionaries(st.binary(max_size=32), state, max_size=2)
    if field.type in ARCHETYPES:
        return provided(field.type)
    plain = {"ubyte": 8, "ushort": 16, "uint": 32, "ulong": 64}
    if field.type in plain:
        return unsigned(plain[field.type])
    if field.type == "timestamp":
        return signed(64)
    return ASCII if field.type == "symbol" else SCALARS[field.type]
