"""Write the values of AMQP 0-10.

Each function appends to a ``bytearray`` what ``spec`` declares for a value. A value that does not
fit its type raises ``LocalProtocolError``: it comes from a layer above, not from a peer.

Source: AMQP specification 0-10, II.3 "Types", II.4.1 "Control and command encoding".
"""

from __future__ import annotations

import struct
from typing import Final, cast
from uuid import UUID

from tanist.types import LocalProtocolError
from tanist.wire.amqp010 import spec
from tanist.wire.amqp010.spec import DEFINITIONS, Definition, TypeDef
from tanist.wire.amqp010.values import (
    ARRAY_CODE,
    FLOAT_CODE,
    Array,
    Ranges,
    Struct,
    TypedBytes,
    TypedFloat,
    Value,
    VoidList,
    VoidMap,
    type_code,
)

_FLOAT: Final = struct.Struct(">f")
_DOUBLE: Final = struct.Struct(">d")


def write_fields(out: bytearray, value: Struct) -> None:
    """Append the packing flags and the fields that are present."""
    definition, fields = value.definition, value.fields
    flags = 0
    for bit, field in enumerate(definition.fields):
        if field.name in fields:
            flags |= 1 << bit
    if definition.pack:
        out += flags.to_bytes(definition.pack, "little")
    elif len(fields) != len(definition.fields):
        raise LocalProtocolError(f"{definition.name} has no optional fields")
    for field in definition.fields:
        if field.name not in fields or field.is_bit:
            continue
        item = fields[field.name]
        try:
            if field.compound:
                _write_compound(out, item, DEFINITIONS[field.compound])
            else:
                _write_typed(out, field.type, item)
        except LocalProtocolError as error:
            raise LocalProtocolError(f"{definition.name}.{field.name}: {error.text}") from None


def _write_compound(out: bytearray, value: Value, definition: Definition) -> None:
    if not isinstance(value, Struct) or value.definition is not definition:
        raise LocalProtocolError(f"{definition.name} belongs here, not {value!r}")
    inner = bytearray(b"" if definition.key < 0 else definition.key.to_bytes(2, "big"))
    write_fields(inner, value)
    if definition.size_width:
        out += _length(len(inner), definition.size_width)
    out += inner


def write_struct32(out: bytearray, value: Value) -> None:
    """Append a coded struct: size, code, fields."""
    if isinstance(value, TypedBytes):
        out += _length(len(value), 4)
        out += value
        return
    if not isinstance(value, Struct) or value.definition.size_width != 4:
        raise LocalProtocolError(f"{value!r} is no struct32")
    _write_compound(out, value, value.definition)


def _length(length: int, width: int) -> bytes:
    if length >> (8 * width):
        raise LocalProtocolError(f"{length} octets do not fit a length of {width} octets")
    return length.to_bytes(width, "big")


def _write_value(out: bytearray, value: Value) -> None:
    """A value with its type code in front."""
    code = type_code(value)
    type_ = spec.TYPES_BY_CODE.get(code)
    if type_ is None:
        raise LocalProtocolError(f"{value!r} is not of the AMQP 0-10 type system")
    out.append(code)
    _write_typed(out, type_, value)


def _write_typed(out: bytearray, type_: TypeDef, value: Value) -> None:
    """A value of a known type, without its code."""
    form = type_.form
    if form in (spec.UNSIGNED, spec.SIGNED):
        _write_integer(out, type_, value)
    elif form in (spec.TEXT, spec.BITS):
        _write_octets(out, type_, value)
    elif form == spec.RANGES and isinstance(value, list):
        _write_ranges(out, type_, cast("Ranges", value))
    elif form == spec.MAP and isinstance(value, dict):
        write_map(out, value)
    elif form == spec.ARRAY and isinstance(value, (list, tuple)):
        _write_array(out, value if isinstance(value, Array) else _array_of(value))
    elif form == spec.LIST and isinstance(value, (list, tuple)):
        write_list(out, value)
    elif form == spec.STRUCT32:
        write_struct32(out, value)
    elif form == spec.IDENTIFIER and isinstance(value, UUID):
        out += value.bytes
    elif form == spec.BOOLEAN and isinstance(value, int):
        out.append(value if 0 <= value <= 255 else 1)
    elif form == spec.FLOATING and isinstance(value, (int, float)):
        _write_float(out, type_, value)
    elif form != spec.NOTHING:
        raise LocalProtocolError(f"{value!r} is no {type_.name}")


def _write_integer(out: bytearray, type_: TypeDef, value: Value) -> None:
    if not isinstance(value, int):
        raise LocalProtocolError(f"{value!r} is no {type_.name}")
    try:
        out += value.to_bytes(type_.width, "big", signed=type_.form == spec.SIGNED)
    except OverflowError:
        raise LocalProtocolError(f"{value} does not fit {type_.name}") from None


def _write_octets(out: bytearray, type_: TypeDef, value: Value) -> None:
    """Strings; text is also accepted where octets belong (session names, SASL) and is UTF-8."""
    if isinstance(value, str):
        try:
            raw = value.encode(type_.encoding or "utf-8")
        except UnicodeEncodeError:
            raise LocalProtocolError(f"{value!r} is no {type_.name}") from None
    elif isinstance(value, bytes) and type_.form == spec.BITS:
        raw = value
    else:
        raise LocalProtocolError(f"{value!r} is no {type_.name}")
    if type_.variable:
        out += _length(len(raw), type_.width)
    elif len(raw) != type_.width:
        raise LocalProtocolError(f"{len(raw)} octets are no {type_.name}")
    out += raw


def _write_float(out: bytearray, type_: TypeDef, value: Value) -> None:
    if isinstance(value, TypedFloat) and value.code == type_.code:
        out += value.raw
        return
    try:
        out += (_FLOAT if type_.code == FLOAT_CODE else _DOUBLE).pack(value)
    except OverflowError:
        raise LocalProtocolError(f"{value!r} does not fit {type_.name}") from None


def _write_ranges(out: bytearray, type_: TypeDef, ranges: Ranges) -> None:
    width = 4 if type_.name == "sequence-set" else 8
    out += _length(len(ranges) * 2 * width, 2)
    try:
        for first, last in ranges:
            out += first.to_bytes(width, "big")
            out += last.to_bytes(width, "big")
    except OverflowError:
        raise LocalProtocolError(f"{ranges!r} does not fit {type_.name}") from None


def _patch_size(out: bytearray, at: int) -> None:
    out[at : at + 4] = _length(len(out) - at - 4, 4)


def write_map(out: bytearray, value: dict[str, Value]) -> None:
    """Append a map: size, count, then key, code and value of each entry."""
    if not value and isinstance(value, VoidMap):
        out += b"\x00\x00\x00\x00"
        return
    at = len(out)
    out += b"\x00\x00\x00\x00"
    out += _length(len(value), 4)
    for key, item in value.items():
        name = key.encode()
        out += _length(len(name), 1)
        out += name
        _write_value(out, item)
    _patch_size(out, at)


def write_list(out: bytearray, value: list[Value] | tuple[Value, ...]) -> None:
    """Append a list: size, count, then code and value of each item."""
    if not value and isinstance(value, VoidList):
        out += b"\x00\x00\x00\x00"
        return
    at = len(out)
    out += b"\x00\x00\x00\x00"
    out += _length(len(value), 4)
    for item in value:
        _write_value(out, item)
    _patch_size(out, at)


def _array_of(items: list[Value] | tuple[Value, ...]) -> Array:
    """An array field given as a plain list: its first item decides the type."""
    return Array(type_code(items[0]) if items else type_code(None), items)


def _write_array(out: bytearray, value: Array) -> None:
    if value.code < 0 and not value:
        out += b"\x00\x00\x00\x00"
        return
    type_ = spec.TYPES_BY_CODE.get(value.code)
    if type_ is None:
        raise LocalProtocolError(f"{value.code:#x} is no type code ({ARRAY_CODE:#x} is an array)")
    at = len(out)
    out += b"\x00\x00\x00\x00"
    out.append(value.code)
    out += _length(len(value), 4)
    for item in value:
        _write_typed(out, type_, item)
    _patch_size(out, at)
