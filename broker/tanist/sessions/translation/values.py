"""Values of one protocol version as values of the other.

Integers of each width, floats, booleans, texts, octets, UUIDs, lists, maps and arrays have their
like in both. What AMQP 1.0 has no type for (``bin128``, ``dec32``, structs) becomes octets
described by the symbol ``amqp-0-10:`` and the name of the type, and is found again by it. What
AMQP 0-10 has no type for, or one that its genuine clients cannot read, becomes the nearest one that
they can: docs/message-mapping.md lists what is lost.

Both functions take whatever was decoded and raise nothing; what they return can be encoded, unless
it is nested too deeply. They ask for subclasses of ``int`` and ``float`` first, and choose between
them by statements: compiled, what is known to be an ``int`` is one and nothing else.

Source: AMQP specification 0-10, II.3 "Types"; OASIS AMQP 1.0, part 1, 1.6.
"""

from __future__ import annotations

from typing import Final, cast
from uuid import UUID

from tanist.sessions.translation.times import TIMESTAMP_MAX
from tanist.types import NESTING_MAX, FramingError
from tanist.wire.amqp010 import codec as codec010
from tanist.wire.amqp010 import spec as spec010
from tanist.wire.amqp010 import values as values010
from tanist.wire.amqp010.decoding import Reader, read_known_struct32
from tanist.wire.amqp010.values import Struct, TypedBytes, TypedFloat, TypedInt, TypedStr
from tanist.wire.amqp10 import values as values10
from tanist.wire.amqp10.values import (
    Byte,
    Char,
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

KIND: Final = "amqp-0-10:"
"""Start of the descriptor of octets whose type only AMQP 0-10 has."""

TEXT_MAX: Final = 65535
"""Octets of the longest str16, vbin16."""

KEY_MAX: Final = 255
"""Octets of the longest key of a 0-10 map, a str8."""

NESTED_MAX: Final = NESTING_MAX - 4
"""Deepest nesting of a header that came from AMQP 1.0: it stands in a map in the headers in a
struct, and who reads it must not refuse the whole message."""

STRUCT_NESTING: Final = 8
"""Deepest nesting of a struct that AMQP 1.0 carries, itself included; ``nesting`` assumes it."""

_STRUCT32: Final = KIND + "struct32"
_DATETIME: Final = 0x38
_BIT: Final = 0xF1
_CHARACTERS: Final = frozenset((0x04, 0x27))
_PLAIN_OCTETS: Final = frozenset((0x80, 0x90, 0xA0))

_ARRAY_TYPES: Final[dict[int, int]] = {
    0x01: values10.BYTE_CODE,
    0x02: values10.UBYTE_CODE,
    0x04: values10.CHAR_CODE,
    0x08: values10.BOOLEAN_CODE,
    0x11: values10.SHORT_CODE,
    0x12: values10.USHORT_CODE,
    0x21: values10.INT_CODE,
    0x22: values10.UINT_CODE,
    0x23: values10.FLOAT_CODE,
    0x27: values10.CHAR_CODE,
    0x31: values10.LONG_CODE,
    0x32: values10.ULONG_CODE,
    0x33: values10.DOUBLE_CODE,
    0x48: values10.UUID_CODE,
    0x80: values10.BINARY_CODE,
    0x84: values10.STRING_CODE,
    0x85: values10.STRING_CODE,
    0x86: values10.STRING_CODE,
    0x90: values10.BINARY_CODE,
    0x94: values10.STRING_CODE,
    0x95: values10.STRING_CODE,
    0x96: values10.STRING_CODE,
    0xA0: values10.BINARY_CODE,
    0xA8: values10.MAP_CODE,
    0xA9: values10.LIST_CODE,
    0xAA: values10.ARRAY_CODE,
    0xF0: values10.NULL_CODE,
    0xF1: values10.BOOLEAN_CODE,
}
"""Type of the items of a 0-10 array to that of a 1.0 array; what is not here is described."""


_INTEGERS: Final[dict[type, int]] = {
    Int: 0x21,
    UInt: 0x22,
    ULong: 0x32,
    Byte: 0x01,
    UByte: 0x02,
    Short: 0x11,
    UShort: 0x12,
}
"""Class of an integer of 1.0 to the 0-10 type of the same width."""


# ------------------------------------------------------------------------------- from 0-10 to 1.0


def value_to_amqp10(value: values010.Value) -> values10.Value:
    """The 1.0 value that stands for ``value``."""
    if isinstance(value, str):
        return _text_to_amqp10(value)
    if isinstance(value, TypedInt):
        return _typed_to_amqp10(value)
    if isinstance(value, TypedFloat):
        return Float(value, value.raw)
    if value is None or isinstance(value, (bool, float, UUID)):
        return value
    if isinstance(value, int):
        if value > values10.LONG_MAX:
            return ULong(value)
        return value
    if isinstance(value, bytes):
        return _octets_to_amqp10(value)
    if isinstance(value, Struct):
        octets = codec010.encode_struct32(value)[4:]
        return Described(Symbol(_STRUCT32), octets)
    if isinstance(value, dict):
        return map_to_amqp10(value)
    if isinstance(value, values010.Array):
        return _array_to_amqp10(value)
    return [value_to_amqp10(item) for item in cast("list[values010.Value]", value)]


def map_to_amqp10(value: dict[str, values010.Value]) -> dict[values10.Value, values10.Value]:
    """A map; its keys are strings in both versions."""
    return {key: value_to_amqp10(item) for key, item in value.items()}


def is_simple(value: values010.Value) -> bool:
    """Whether ``value`` may be an application property: 1.0 wants no compound (3.2.5)."""
    if isinstance(value, TypedBytes):
        return value.code in _PLAIN_OCTETS
    return value is None or isinstance(value, (str, int, float, bytes, UUID))


def _text_to_amqp10(value: str) -> values10.Value:
    if isinstance(value, TypedStr):
        return Char(value) if value.code in _CHARACTERS else str(value)
    return value


def _typed_to_amqp10(value: TypedInt) -> values10.Value:
    """An integer that came with a type."""
    code = value.code
    if code == 0x21:
        return Int(value)
    if code == 0x22:
        return UInt(value)
    if code == 0x32:
        return ULong(value)
    if code == 0x01:
        return Byte(value)
    if code == 0x02:
        return UByte(value)
    if code == 0x11:
        return Short(value)
    if code == 0x12:
        return UShort(value)
    if code == _DATETIME:
        if value * 1000 > TIMESTAMP_MAX:
            return ULong(value)
        return Timestamp(value * 1000)
    return value != 0  # a bit, or a boolean of an odd octet


def _octets_to_amqp10(value: bytes) -> values10.Value:
    if not isinstance(value, TypedBytes):
        return value
    plain = value[:]  # without its code
    if value.code in _PLAIN_OCTETS:
        return plain
    return Described(Symbol(KIND + spec010.TYPES_BY_CODE[value.code].name), plain)


def _array_to_amqp10(value: values010.Array) -> values10.Value:
    if not value:
        code = _ARRAY_TYPES.get(value.code, values10.NULL_CODE)
        return values10.Array(code)
    items = [value_to_amqp10(item) for item in value]
    if value.code == _DATETIME:
        fit = all(isinstance(item, Timestamp) for item in items)
        return values10.Array(values10.TIMESTAMP_CODE, items) if fit else items
    found = _ARRAY_TYPES.get(value.code)
    if found is None or any(values10.type_code(item) != found for item in items):
        return items  # described, or arrays of which one has become a list
    return values10.Array(found, items)


# ------------------------------------------------------------------------------- from 1.0 to 0-10


def value_to_amqp010(value: values10.Value) -> values010.Value:
    """The 0-10 value that stands for ``value``."""
    if isinstance(value, str):
        return _text_to_amqp010(value)
    kind = type(value)
    if kind in _INTEGERS:
        return TypedInt(cast("int", value), _INTEGERS[kind])
    if isinstance(value, Timestamp):
        if value < 0 or value % 1000:
            return value + 0
        return TypedInt(value // 1000, _DATETIME)
    if isinstance(value, Float):
        return TypedFloat(value, 0x23, value.raw)
    if value is None or isinstance(value, (bool, int, float, UUID)):
        return value
    if isinstance(value, bytes):
        return _octets_to_amqp010(value)
    if isinstance(value, dict):
        return map_to_amqp010(list(value.items()))
    if isinstance(value, MapPairs):
        return map_to_amqp010(value)
    if isinstance(value, values10.Array):
        return _array_to_amqp010(value)
    if isinstance(value, (list, tuple)):
        return [value_to_amqp010(item) for item in value]
    return _described_to_amqp010(value)


def map_to_amqp010(
    pairs: list[tuple[values10.Value, values10.Value]],
) -> dict[str, values010.Value]:
    """A map with texts as keys. What has no text, or one that is too long or there already, is left
    out: a 0-10 map has no place for it.
    """
    found: dict[str, values010.Value] = {}
    for key, item in pairs:
        name = key_text(key)
        if name is not None and name not in found:
            found[name] = value_to_amqp010(item)
    return found


def header_map(pairs: list[tuple[values10.Value, values10.Value]]) -> dict[str, values010.Value]:
    """``map_to_amqp010`` for what stands in headers, without what is nested too deeply for them."""
    shallow = [
        (key, item)
        for key, item in pairs
        if not isinstance(item, (list, dict, Described)) or nesting(item) <= NESTED_MAX
    ]
    return map_to_amqp010(shallow)


def nesting(value: values10.Value) -> int:
    """Levels of lists, maps and descriptions in a value that was decoded."""
    if isinstance(value, Described):
        if value.descriptor == _STRUCT32:
            return max(STRUCT_NESTING, 1 + nesting(value.value))
        return 1 + nesting(value.value)
    if isinstance(value, dict):
        return 1 + max([nesting(item) for item in value.values()], default=0)
    if isinstance(value, MapPairs):
        return 1 + max([nesting(item) for _, item in value], default=0)
    if isinstance(value, list):
        return 1 + max([nesting(item) for item in value], default=0)
    return 0


def key_text(key: values10.Value) -> str | None:
    """A key of a 1.0 map as one of a 0-10 map; None if it cannot be one."""
    if isinstance(key, str):
        name = str(key)
    elif isinstance(key, bool):
        name = "true" if key else "false"
    elif isinstance(key, (int, UUID)):
        name = str(key)
    else:
        return None
    if len(name) <= KEY_MAX // 4 or len(name.encode()) <= KEY_MAX:
        return name
    return None


def _text_to_amqp010(value: str) -> values010.Value:
    plain = str(value)
    if len(plain) <= TEXT_MAX // 4:
        return plain
    octets = plain.encode()
    return plain if len(octets) <= TEXT_MAX else octets


def _octets_to_amqp010(value: bytes) -> values010.Value:
    plain = value[:]  # of no type, if it was a decimal
    return TypedBytes(plain, 0x90) if len(plain) <= TEXT_MAX else plain


def _array_to_amqp010(value: values10.Array) -> values010.Value:
    items = [value_to_amqp010(item) for item in value]
    if not items:
        return values010.Array(-1)
    code = values010.type_code(items[0])
    if code == values010.VOID_CODE:
        return items  # in an array they take no octets, and who reads it may refuse many of those
    if any(values010.type_code(item) != code for item in items):
        return items
    return values010.Array(code, items)


def _described_to_amqp010(value: values10.Value) -> values010.Value:
    """Octets of a type that only 0-10 has; else what is described, without what describes it."""
    if not isinstance(value, Described):
        return None
    inner, descriptor = value.value, value.descriptor
    if isinstance(descriptor, str) and descriptor.startswith(KIND) and isinstance(inner, bytes):
        type_ = spec010.TYPES.get(descriptor[len(KIND) :])
        if type_ is not None and (
            (type_.form == spec010.STRUCT32 and _is_struct32(inner))
            or (type_.form == spec010.BITS and not type_.variable and type_.width == len(inner))
        ):
            return TypedBytes(inner, type_.code)
    return value_to_amqp010(inner)


def _is_struct32(octets: bytes) -> bool:
    """Whether who reads a struct32 of these octets, code first, will take it: it is of an unknown
    kind, or it can be decoded and is nested at most ``STRUCT_NESTING`` deep.
    """
    if len(octets) < 2:
        return False
    if int.from_bytes(octets[:2], "big") not in spec010.STRUCTS:
        return True
    reader = Reader(len(octets).to_bytes(4, "big") + octets)
    reader.depth = NESTING_MAX - STRUCT_NESTING
    reader.widthless_left = 0
    try:
        reader.finish(read_known_struct32(reader).name)
    except FramingError:
        return False
    return True
