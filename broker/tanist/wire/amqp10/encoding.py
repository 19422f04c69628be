"""Write the values and the composite types of AMQP 1.0.

Numbers, strings and symbols get the smallest encoding; a list, a map or an array that is a value
gets the wide one (an empty list the empty one), an array the widest constructor of its items: so
Proton writes them, too. The list of a composite type gets the smallest one; fields that are absent
or have their default are null, and not written at the end.

Every function appends to a ``bytearray``. What does not fit its type raises ``LocalProtocolError``:
it comes from a layer above, not from a peer.

Source: OASIS AMQP 1.0, part 1, 1.2 "Type encodings", 1.4 "Composite type representation", 1.6.
"""

from __future__ import annotations

import struct
from typing import Final
from uuid import UUID

from tanist.types import NESTING_MAX, LocalProtocolError
from tanist.wire.amqp10.spec import ARCHETYPES, Definition, Field
from tanist.wire.amqp10.values import (
    ARRAY_CODE,
    BINARY_CODE,
    BOOLEAN_CODE,
    BYTE_CODE,
    CHAR_CODE,
    DECIMAL32_CODE,
    DECIMAL64_CODE,
    DECIMAL128_CODE,
    DESCRIBED_CODE,
    DOUBLE_CODE,
    FLOAT_CODE,
    INT_CODE,
    LIST_CODE,
    LONG_CODE,
    MAP_CODE,
    NULL_CODE,
    SHORT_CODE,
    STRING_CODE,
    SYMBOL_CODE,
    TIMESTAMP_CODE,
    UBYTE_CODE,
    UINT_CODE,
    ULONG_CODE,
    USHORT_CODE,
    UUID_CODE,
    Array,
    Composite,
    Described,
    Float,
    MapPairs,
    Symbol,
    ULong,
    Value,
    type_code,
)

_DOUBLE: Final = struct.Struct(">d")
_FLOAT: Final = struct.Struct(">f")
_SIZE_COUNT: Final = struct.Struct(">II")

_UNSIGNED: Final[dict[int, int]] = {UBYTE_CODE: 1, USHORT_CODE: 2, UINT_CODE: 4, ULONG_CODE: 8}
"""Type code to width in octets."""
_SIGNED: Final[dict[int, int]] = {
    BYTE_CODE: 1,
    SHORT_CODE: 2,
    INT_CODE: 4,
    LONG_CODE: 8,
    TIMESTAMP_CODE: 8,
}
_DECIMAL: Final[dict[int, int]] = {DECIMAL32_CODE: 4, DECIMAL64_CODE: 8, DECIMAL128_CODE: 16}

_ONE_ENCODING: Final = frozenset(
    (
        LIST_CODE,
        MAP_CODE,
        ARRAY_CODE,
        DECIMAL32_CODE,
        DECIMAL64_CODE,
        DECIMAL128_CODE,
        FLOAT_CODE,
        CHAR_CODE,
        UUID_CODE,
    )
)
"""Types that are written in their widest encoding, whatever the value."""

TYPE_NAMES: Final[dict[int, str]] = {
    NULL_CODE: "null",
    BOOLEAN_CODE: "boolean",
    UBYTE_CODE: "ubyte",
    USHORT_CODE: "ushort",
    UINT_CODE: "uint",
    ULONG_CODE: "ulong",
    BYTE_CODE: "byte",
    SHORT_CODE: "short",
    INT_CODE: "int",
    LONG_CODE: "long",
    FLOAT_CODE: "float",
    DOUBLE_CODE: "double",
    DECIMAL32_CODE: "decimal32",
    DECIMAL64_CODE: "decimal64",
    DECIMAL128_CODE: "decimal128",
    CHAR_CODE: "char",
    TIMESTAMP_CODE: "timestamp",
    UUID_CODE: "uuid",
    BINARY_CODE: "binary",
    STRING_CODE: "string",
    SYMBOL_CODE: "symbol",
    LIST_CODE: "list",
    MAP_CODE: "map",
    ARRAY_CODE: "array",
    DESCRIBED_CODE: "described",
}
TYPE_CODES: Final[dict[str, int]] = {name: code for code, name in TYPE_NAMES.items()}


def write_value(out: bytearray, value: Value, depth: int = 0) -> None:
    """Append any value, its constructor in front. Raises: LocalProtocolError."""
    code = type_code(value)
    if code == DESCRIBED_CODE:
        _write_described(out, value, depth)
    elif code == LIST_CODE and isinstance(value, (list, tuple)) and not value:
        out.append(0x45)
    elif code in _ONE_ENCODING:
        out.append(code)
        _write_wide(out, code, value, depth)
    else:
        write_scalar(out, code, value)


def write_scalar(out: bytearray, code: int, value: Value) -> None:
    """Append a null, boolean, number, string, symbol or binary of the type ``code``, smallest."""
    if value is None:
        out.append(NULL_CODE)
    elif code == BOOLEAN_CODE and isinstance(value, bool):
        out.append(0x41 if value else 0x42)
    elif code in (STRING_CODE, SYMBOL_CODE, BINARY_CODE):
        raw = _octets(code, value)
        if len(raw) < 256:
            out.append(code - 0x10)
            out.append(len(raw))
            out += raw
        else:
            out.append(code)
            _write_long(out, raw)
    elif code in (UINT_CODE, ULONG_CODE) and isinstance(value, int) and 0 <= value < 256:
        _write_small_unsigned(out, code, value)
    elif code in (INT_CODE, LONG_CODE) and isinstance(value, int) and -128 <= value < 128:
        out.append(0x54 if code == INT_CODE else 0x55)
        out.append(value & 0xFF)
    else:
        out.append(max(code, 0))
        _write_wide(out, code, value, 0)


def _write_small_unsigned(out: bytearray, code: int, value: int) -> None:
    if value == 0:
        out.append(0x43 if code == UINT_CODE else 0x44)
    else:
        out.append(0x52 if code == UINT_CODE else 0x53)
        out.append(value)


def _write_wide(out: bytearray, code: int, value: Value, depth: int) -> None:
    """A value in the widest encoding of its type, without its constructor."""
    if code in _UNSIGNED or code in _SIGNED:
        _write_integer(out, code, value)
    elif code in (STRING_CODE, SYMBOL_CODE, BINARY_CODE):
        _write_long(out, _octets(code, value))
    elif code == BOOLEAN_CODE and isinstance(value, bool):
        out.append(1 if value else 0)
    elif code == LIST_CODE and isinstance(value, (list, tuple)):
        _write_list(out, value, depth)
    elif code == MAP_CODE and isinstance(value, (dict, MapPairs)):
        pairs = list(value.items()) if isinstance(value, dict) else value
        _write_pairs(out, pairs, depth)
    elif code == ARRAY_CODE and isinstance(value, Array):
        _write_array(out, value, depth)
    elif code == UUID_CODE and isinstance(value, UUID):
        out += value.bytes
    elif code == FLOAT_CODE and isinstance(value, Float):
        out += value.raw
    elif code in (FLOAT_CODE, DOUBLE_CODE) and isinstance(value, float):
        _write_float(out, code, value)
    elif code == CHAR_CODE and isinstance(value, str) and len(value) == 1:
        out += _char(value)
    elif code in _DECIMAL and isinstance(value, bytes) and len(value) == _DECIMAL[code]:
        out += value
    elif code != NULL_CODE or value is not None:
        raise LocalProtocolError(f"{value!r} is no {TYPE_NAMES.get(code, 'AMQP 1.0 value')}")


def _write_integer(out: bytearray, code: int, value: Value) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise LocalProtocolError(f"{value!r} is no {TYPE_NAMES[code]}")
    try:
        if code in _UNSIGNED:
            out += value.to_bytes(_UNSIGNED[code], "big")
        else:
            out += value.to_bytes(_SIGNED[code], "big", signed=True)
    except OverflowError:
        raise LocalProtocolError(f"{value} does not fit {TYPE_NAMES[code]}") from None


def _write_float(out: bytearray, code: int, value: float) -> None:
    """Not for ``Float``, which has its octets: compiled, a parameter ``float`` loses them."""
    try:
        out += (_FLOAT if code == FLOAT_CODE else _DOUBLE).pack(value)
    except OverflowError:
        raise LocalProtocolError(f"{value!r} does not fit {TYPE_NAMES[code]}") from None


def _char(value: str) -> bytes:
    try:
        return value.encode("utf-32-be")
    except UnicodeEncodeError:
        raise LocalProtocolError(f"{value!r} is no char") from None


def _octets(code: int, value: Value) -> bytes:
    """What a string, symbol or binary consists of."""
    if code == BINARY_CODE and isinstance(value, bytes):
        return value
    if code == BINARY_CODE or not isinstance(value, str):
        raise LocalProtocolError(f"{value!r} is no {TYPE_NAMES[code]}")
    try:
        return value.encode("ascii" if code == SYMBOL_CODE else "utf-8")
    except UnicodeEncodeError:
        raise LocalProtocolError(f"{value!r} is no {TYPE_NAMES[code]}") from None


def _length(length: int) -> bytes:
    if length > 0xFFFF_FFFF:
        raise LocalProtocolError(f"{length} octets or items are more than AMQP can count")
    return length.to_bytes(4, "big")


def _write_long(out: bytearray, raw: bytes) -> None:
    out += _length(len(raw))
    out += raw


def _deeper(depth: int) -> int:
    if depth >= NESTING_MAX:
        raise LocalProtocolError(f"values nested deeper than {NESTING_MAX}")
    return depth + 1


def _write_described(out: bytearray, value: Value, depth: int) -> None:
    if isinstance(value, Described):
        inner = _deeper(depth)
        out.append(DESCRIBED_CODE)
        write_value(out, value.descriptor, inner)
        write_value(out, value.value, inner)
    elif isinstance(value, Composite):
        write_composite(out, value)


def _write_list(out: bytearray, value: list[Value] | tuple[Value, ...], depth: int) -> None:
    inner, at = _deeper(depth), len(out)
    out += _SIZE_COUNT.pack(0, len(value))
    for item in value:
        write_value(out, item, inner)
    out[at : at + 4] = _length(len(out) - at - 4)


def _write_pairs(out: bytearray, pairs: list[tuple[Value, Value]], depth: int) -> None:
    inner, at = _deeper(depth), len(out)
    out += _SIZE_COUNT.pack(0, 2 * len(pairs))
    for key, item in pairs:
        write_value(out, key, inner)
        write_value(out, item, inner)
    out[at : at + 4] = _length(len(out) - at - 4)


def _write_array(out: bytearray, value: Array, depth: int) -> None:
    inner, at, code = _deeper(depth), len(out), value.code
    if code not in TYPE_NAMES or code == DESCRIBED_CODE:
        raise LocalProtocolError(f"{code:#x} is no type of an array's items")
    out += _SIZE_COUNT.pack(0, len(value))
    if value.descriptor is not None:
        out.append(DESCRIBED_CODE)
        write_value(out, value.descriptor, inner)
    out.append(code)
    for item in value:
        if item is None and code != NULL_CODE:
            raise LocalProtocolError(f"None is no {TYPE_NAMES[code]}")
        _write_wide(out, code, item, inner)
    out[at : at + 4] = _length(len(out) - at - 4)


# ------------------------------------------------------------------------------ composite types


def write_composite(out: bytearray, value: Composite) -> None:
    """Append a described list of the specification, without the nulls at its end.

    Raises: LocalProtocolError when a field does not fit its type, or a mandatory one is None.
    """
    definition = value.definition
    inner = bytearray()
    count = written = end = 0
    for field in definition.fields:
        item: Value = getattr(value, field.name)
        count += 1
        if _is_absent(definition, field, item):
            inner.append(NULL_CODE)
            continue
        try:
            _write_field(inner, field, item)
        except LocalProtocolError as error:
            raise LocalProtocolError(f"{definition.name}.{field.name}: {error.text}") from None
        written, end = count, len(inner)
    del inner[end:]
    out += b"\x00\x53"
    out.append(definition.code)
    write_list_head(out, end, written)
    out += inner


def write_list_head(out: bytearray, size: int, count: int) -> None:
    """Append the smallest constructor, size and count of a list of ``size`` octets."""
    if count == 0:
        out.append(0x45)
    elif size < 255 and count < 256:
        out.append(0xC0)
        out.append(size + 1)
        out.append(count)
    else:
        out.append(LIST_CODE)
        out += _length(size + 4)
        out += _length(count)


def _is_absent(definition: Definition, field: Field, item: Value) -> bool:
    if item is None or (field.multiple and not item):
        if field.mandatory and not field.multiple:
            raise LocalProtocolError(f"{definition.name}.{field.name} is mandatory")
        return not field.mandatory
    return field.default is not None and item == field.default


def _write_field(out: bytearray, field: Field, item: Value) -> None:
    if field.multiple:
        if not isinstance(item, (tuple, list)):
            raise LocalProtocolError(f"{item!r} is no tuple")
        write_value(out, Array(TYPE_CODES[field.type], item))
    elif (code := TYPE_CODES.get(field.type)) is not None:
        if code == BOOLEAN_CODE and not isinstance(item, bool):
            raise LocalProtocolError(f"{item!r} is no boolean")
        write_scalar(out, code, item)
    elif field.type in KEY_TYPES:
        write_map(out, field.type, item)
    elif field.type == "message-id" and type_code(item) not in MESSAGE_ID_CODES:
        raise LocalProtocolError(f"{item!r} is no message id")
    elif field.type in ARCHETYPES and not is_provider(field.type, item):
        raise LocalProtocolError(f"{item!r} is no {field.type}")
    else:
        write_value(out, item)


MESSAGE_ID_CODES: Final = (ULONG_CODE, UUID_CODE, BINARY_CODE, STRING_CODE)

KEY_TYPES: Final[dict[str, tuple[int, ...]]] = {
    "fields": (SYMBOL_CODE,),
    "annotations": (SYMBOL_CODE, ULONG_CODE),
    "text-map": (STRING_CODE,),
    "unsettled": (BINARY_CODE,),
}
"""Kinds of maps to the types of their keys."""


def is_provider(archetype: str, value: Value) -> bool:
    """Whether ``value`` may stand where the archetype belongs."""
    if isinstance(value, Composite):
        return value.definition.name in ARCHETYPES[archetype]
    return isinstance(value, Described)


def write_map(out: bytearray, kind: str, value: Value) -> None:
    """Append a map of a kind in ``KEY_TYPES``: a plain ``str`` as a key becomes what belongs there.

    Raises: LocalProtocolError when it is no dict, or a key is of no type of that kind.
    """
    if not isinstance(value, dict):
        raise LocalProtocolError(f"{value!r} is no map")
    pairs: list[tuple[Value, Value]] = [(_key(kind, key), item) for key, item in value.items()]
    out.append(MAP_CODE)
    _write_pairs(out, pairs, 0)


def _key(kind: str, key: Value) -> Value:
    allowed = KEY_TYPES[kind]
    if isinstance(key, str) and SYMBOL_CODE in allowed:
        return Symbol(key)
    if isinstance(key, str) and STRING_CODE in allowed:
        return str(key)
    if isinstance(key, int) and not isinstance(key, bool) and ULONG_CODE in allowed:
        return ULong(key)
    if isinstance(key, bytes) and BINARY_CODE in allowed:
        return key
    raise LocalProtocolError(f"{key!r} cannot be a key here")


def encode_value(value: Value) -> bytes:
    """The octets of any value. Raises: LocalProtocolError."""
    out = bytearray()
    write_value(out, value)
    return bytes(out)


def encode_composite(value: Composite) -> bytes:
    """The octets of a performative, an outcome, a terminus ... Raises: LocalProtocolError."""
    out = bytearray()
    write_composite(out, value)
    return bytes(out)
