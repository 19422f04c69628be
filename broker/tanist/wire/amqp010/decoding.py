"""Read the values of AMQP 0-10 from octets that nobody vouches for.

``Reader`` is a position in the octets that cannot leave the innermost sized thing; the functions
below it read what ``spec`` declares. Every fault of the octets raises ``FramingError``.

Nothing a peer sends can cost more than a small multiple of its own size: lengths are compared
with what is left before anything is allocated, nesting ends at ``NESTING_MAX``, and items that
take no octets (an array of void may claim four thousand million of them) are counted against a
budget of ``WIDTHLESS_ITEMS_MAX`` for the whole decode.

Source: AMQP specification 0-10, II.3 "Types", II.4.1 "Control and command encoding".
"""

from __future__ import annotations

import struct
from typing import Final, cast
from uuid import UUID

from tanist.types import NESTING_MAX, FramingError
from tanist.wire.amqp010 import spec
from tanist.wire.amqp010.spec import DEFINITIONS, STRUCTS, Definition, TypeDef
from tanist.wire.amqp010.values import (
    FLOAT_CODE,
    STRUCT32_CODE,
    Array,
    Ranges,
    Struct,
    TypedBytes,
    TypedFloat,
    TypedInt,
    TypedStr,
    Value,
    VoidList,
    VoidMap,
    type_code,
)

WIDTHLESS_ITEMS_MAX: Final = 65536
"""Items without octets (void, bit) in one decode: legal in an array, but free for the sender."""

ITEMS_UNLIMITED: Final = 1 << 60
"""For octets whose length is limit enough."""

_SERIAL_HALF: Final = 0x8000_0000
"""Serial numbers: "first <= last" means that last is less than this far ahead of first."""

_FLOAT: Final = struct.Struct(">f")
_DOUBLE: Final = struct.Struct(">d")


class Reader:
    """A position in octets that never runs past the end of the innermost sized thing."""

    __slots__ = ("data", "depth", "end", "items_left", "pos", "widthless_left")

    def __init__(self, data: bytes, items_max: int = ITEMS_UNLIMITED) -> None:
        self.data = data
        self.pos = 0
        self.end = len(data)
        self.depth = 0
        self.items_left = items_max
        self.widthless_left = WIDTHLESS_ITEMS_MAX

    def take(self, count: int) -> bytes:
        """The next ``count`` octets."""
        start = self.pos
        stop = start + count
        if stop > self.end:
            raise FramingError(
                f"{count} octets announced at octet {start}, {self.end - start} there"
            )
        self.pos = stop
        return self.data[start:stop]

    def unsigned(self, width: int) -> int:
        """A number of ``width`` octets."""
        return int.from_bytes(self.take(width), "big")

    def enter(self, size: int) -> int:
        """Go into a thing of ``size`` octets; returns what ``leave`` needs."""
        outer = self.end
        if size > outer - self.pos:
            raise FramingError(
                f"size {size} announced at octet {self.pos}, {outer - self.pos} octets there"
            )
        self.depth += 1
        if self.depth > NESTING_MAX:
            raise FramingError(f"values nested deeper than {NESTING_MAX}")
        self.end = self.pos + size
        return outer

    def leave(self, outer: int, what: str) -> None:
        """Come out of a thing: all of it must have been read."""
        self.finish(what)
        self.end = outer
        self.depth -= 1

    def finish(self, what: str) -> None:
        """Nothing may be left."""
        if self.pos != self.end:
            raise FramingError(f"{self.end - self.pos} octets left over after {what}")

    def count(self, items: int) -> None:
        """Account for items of any kind: two octets of the sender's are a hundred of our memory."""
        self.items_left -= items
        if self.items_left < 0:
            raise FramingError("too many items in maps, lists and arrays")

    def spend(self, items: int) -> None:
        """Account for items that take no octets."""
        self.widthless_left -= items
        if self.widthless_left < 0:
            raise FramingError(f"more than {WIDTHLESS_ITEMS_MAX} items without octets")


def read_fields(reader: Reader, definition: Definition) -> Struct:
    """The packing flags and the fields that they announce."""
    flags = int.from_bytes(reader.take(definition.pack), "little")
    fields: dict[str, Value] = {}
    if definition.pack == 0:
        flags = (1 << len(definition.fields)) - 1
    elif flags >> len(definition.fields):
        raise FramingError(f"{definition.name}: packing flags {flags:#x} beyond its fields")
    for field in definition.fields:
        if flags & 1:
            if field.is_bit:
                fields[field.name] = True
            elif field.compound:
                fields[field.name] = read_compound(reader, DEFINITIONS[field.compound])
            else:
                fields[field.name] = _read_plain(reader, field.type)
        flags >>= 1
    return Struct(definition, fields)


def read_compound(reader: Reader, definition: Definition) -> Struct:
    """A struct whose kind is known from its place."""
    outer = reader.enter(reader.unsigned(definition.size_width))
    if definition.key >= 0 and (key := reader.unsigned(2)) != definition.key:
        raise FramingError(f"struct {key:#06x} where {definition.name} belongs")
    value = read_fields(reader, definition)
    reader.leave(outer, definition.name)
    return value


def read_known_struct32(reader: Reader) -> Struct:
    """A coded struct of the specification."""
    value = _read_struct32(reader)
    if not isinstance(value, Struct):
        raise FramingError(f"unknown struct {value[:2].hex()}")
    return value


def _read_struct32(reader: Reader) -> Struct | TypedBytes:
    """A coded struct; of an unknown kind its octets, code first, for passing on untouched."""
    size = reader.unsigned(4)
    if size < 2:
        raise FramingError(f"struct of {size} octets, too small for its code")
    outer = reader.enter(size)
    start = reader.pos
    definition = STRUCTS.get(reader.unsigned(2))
    if definition is None:
        reader.pos = start
        unknown = TypedBytes(reader.take(size), STRUCT32_CODE)
        reader.leave(outer, "struct")
        return unknown
    value = read_fields(reader, definition)
    reader.leave(outer, definition.name)
    return value


def _type_of(code: int) -> TypeDef:
    type_ = spec.TYPES_BY_CODE.get(code)
    if type_ is None:
        raise FramingError(f"unknown type code {code:#04x}")
    return type_


def _read_plain(reader: Reader, type_: TypeDef) -> Value:
    """A value of a known type as a plain Python value."""
    form = type_.form
    if form == spec.UNSIGNED:
        return reader.unsigned(type_.width)
    if form in (spec.TEXT, spec.BITS):
        raw = reader.take(reader.unsigned(type_.width) if type_.variable else type_.width)
        return raw if form == spec.BITS else _text(raw, type_)
    if form == spec.RANGES:
        return _read_ranges(reader, type_)
    if form == spec.MAP:
        return read_map(reader)
    if form == spec.SIGNED:
        return int.from_bytes(reader.take(type_.width), "big", signed=True)
    if form == spec.ARRAY:
        return _read_array(reader)
    if form == spec.LIST:
        return read_list(reader)
    if form == spec.STRUCT32:
        return _read_struct32(reader)
    if form == spec.IDENTIFIER:
        return UUID(bytes=reader.take(16))
    if form == spec.BOOLEAN:
        octet = reader.unsigned(1)
        return octet != 0 if octet < 2 else TypedInt(octet, type_.code)
    if form == spec.FLOATING:
        return _read_float(reader, type_)
    return None if type_.name == "void" else TypedInt(1, type_.code)


def _read_typed(reader: Reader, type_: TypeDef) -> Value:
    """A value of a known type; it remembers its code if that is not the default."""
    value = _read_plain(reader, type_)
    if type_code(value) == type_.code:
        return value
    if isinstance(value, str):
        return TypedStr(value, type_.code)
    if isinstance(value, bytes):
        return TypedBytes(value, type_.code)
    return TypedInt(cast("int", value), type_.code)


def _text(raw: bytes, type_: TypeDef) -> str:
    try:
        return raw.decode(type_.encoding)
    except UnicodeDecodeError as error:
        raise FramingError(f"{type_.name} is not {type_.encoding}: {error.reason}") from None


def _read_float(reader: Reader, type_: TypeDef) -> Value:
    """Not declared as float: compiled, that would lose the subclass."""
    raw = reader.take(type_.width)
    if type_.code == FLOAT_CODE:
        return TypedFloat(_FLOAT.unpack(raw)[0], FLOAT_CODE, raw)
    number: float = _DOUBLE.unpack(raw)[0]
    return number


def _read_ranges(reader: Reader, type_: TypeDef) -> Ranges:
    size = reader.unsigned(2)
    serial = type_.name == "sequence-set"
    width = 4 if serial else 8
    if size % (2 * width):
        raise FramingError(f"{type_.name} of {size} octets is no whole number of ranges")
    raw = reader.take(size)
    ranges: Ranges = []
    for at in range(0, size, 2 * width):
        first = int.from_bytes(raw[at : at + width], "big")
        last = int.from_bytes(raw[at + width : at + 2 * width], "big")
        ahead = (last - first) & 0xFFFF_FFFF if serial else last - first
        if ahead < 0 or (serial and ahead >= _SERIAL_HALF):
            raise FramingError(f"{type_.name} has the range {first} to {last}")
        ranges.append((first, last))
    return ranges


def read_map(reader: Reader) -> dict[str, Value]:
    """A map: its keys are distinct."""
    size = reader.unsigned(4)
    if size == 0:
        return VoidMap()
    outer = reader.enter(size)
    count = reader.unsigned(4)
    if count * 2 > reader.end - reader.pos:
        raise FramingError(f"map announces {count} entries in {reader.end - reader.pos} octets")
    reader.count(count)
    result: dict[str, Value] = {}
    for _ in range(count):
        key = _text(reader.take(reader.unsigned(1)), spec.TYPES["str8"])
        if key in result:
            raise FramingError(f"map has the key {key[:40]!r} twice")
        result[key] = _read_typed(reader, _type_of(reader.unsigned(1)))
    reader.leave(outer, "map")
    return result


def read_list(reader: Reader) -> list[Value]:
    """A list: its items have a code each."""
    size = reader.unsigned(4)
    if size == 0:
        return VoidList()
    outer = reader.enter(size)
    count = reader.unsigned(4)
    if count > reader.end - reader.pos:
        raise FramingError(f"list announces {count} items in {reader.end - reader.pos} octets")
    reader.count(count)
    result = [_read_typed(reader, _type_of(reader.unsigned(1))) for _ in range(count)]
    reader.leave(outer, "list")
    return result


def _read_array(reader: Reader) -> Array:
    size = reader.unsigned(4)
    if size == 0:
        return Array(-1)
    outer = reader.enter(size)
    type_ = _type_of(reader.unsigned(1))
    count = reader.unsigned(4)
    if type_.width == 0:
        reader.spend(count)
    elif count * type_.width > reader.end - reader.pos:
        raise FramingError(f"array announces {count} items in {reader.end - reader.pos} octets")
    reader.count(count)
    result = Array(type_.code, [_read_typed(reader, type_) for _ in range(count)])
    reader.leave(outer, "array")
    return result
