"""Read the values of AMQP 1.0 from octets that nobody vouches for.

``Reader`` is a position in the octets that cannot leave the innermost sized thing; ``read_value``
reads one value, whatever it is. Every fault raises ``FramingError``. ``composing`` goes on from
there to the composite types.

Nothing a peer sends can cost more than a small multiple of its own size: sizes and counts are
compared with what is left before anything is allocated, nesting ends at ``NESTING_MAX``, and items
that take no octets (an array of null may claim four thousand million of them) are counted against
a budget of ``WIDTHLESS_ITEMS_MAX`` for the whole decode. All items together are limited where what
is decoded stays in memory.

More is refused than the specification must: a map with one key twice, strings that are not UTF-8,
symbols that are not ASCII, characters that are not Unicode, an array of twice described items.

Source: OASIS AMQP 1.0, part 1, 1.2 "Type encodings", 1.6.
"""

from __future__ import annotations

import math
import struct
from typing import Final
from uuid import UUID

from tanist.types import NESTING_MAX, FramingError
from tanist.wire.amqp10.encoding import TYPE_NAMES, encode_value
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
    Byte,
    Char,
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
)

WIDTHLESS_ITEMS_MAX: Final = 65536
"""Items without octets (null, true, list0 ...) in the arrays of one decode: free for the sender."""

ITEMS_UNLIMITED: Final = 1 << 60
"""For octets whose length is limit enough."""

_FLOAT: Final = struct.Struct(">f")
_DOUBLE: Final = struct.Struct(">d")

WIDTHS: Final = (0, 1, 2, 4, 8, 16)
"""Octets of a fixed width constructor 0x4X to 0x9X."""

TYPES: Final[dict[int, int]] = {
    0x40: NULL_CODE,
    0x41: BOOLEAN_CODE,
    0x42: BOOLEAN_CODE,
    0x43: UINT_CODE,
    0x44: ULONG_CODE,
    0x45: LIST_CODE,
    0x50: UBYTE_CODE,
    0x51: BYTE_CODE,
    0x52: UINT_CODE,
    0x53: ULONG_CODE,
    0x54: INT_CODE,
    0x55: LONG_CODE,
    0x56: BOOLEAN_CODE,
    0x60: USHORT_CODE,
    0x61: SHORT_CODE,
    0x70: UINT_CODE,
    0x71: INT_CODE,
    0x72: FLOAT_CODE,
    0x73: CHAR_CODE,
    0x74: DECIMAL32_CODE,
    0x80: ULONG_CODE,
    0x81: LONG_CODE,
    0x82: DOUBLE_CODE,
    0x83: TIMESTAMP_CODE,
    0x84: DECIMAL64_CODE,
    0x94: DECIMAL128_CODE,
    0x98: UUID_CODE,
    0xA0: BINARY_CODE,
    0xA1: STRING_CODE,
    0xA3: SYMBOL_CODE,
    0xB0: BINARY_CODE,
    0xB1: STRING_CODE,
    0xB3: SYMBOL_CODE,
    0xC0: LIST_CODE,
    0xC1: MAP_CODE,
    0xD0: LIST_CODE,
    0xD1: MAP_CODE,
    0xE0: ARRAY_CODE,
    0xF0: ARRAY_CODE,
}
"""Constructor to the type it constructs (a ``_CODE`` constant)."""


class Reader:
    """A position in octets that never runs past the end of the innermost sized thing."""

    __slots__ = ("data", "depth", "end", "items_left", "pos", "widthless_left")

    def __init__(
        self, data: bytes, pos: int = 0, end: int = -1, items_max: int = ITEMS_UNLIMITED
    ) -> None:
        self.data = data
        self.pos = pos
        self.end = len(data) if end < 0 else end
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

    def deeper(self) -> None:
        """Account for a value within a value; ``depth`` is to be counted down again."""
        self.depth += 1
        if self.depth > NESTING_MAX:
            raise FramingError(f"values nested deeper than {NESTING_MAX}")

    def enter(self, size: int) -> int:
        """Go into a thing of ``size`` octets; returns what ``leave`` needs."""
        outer = self.end
        if size > outer - self.pos:
            raise FramingError(
                f"size {size} announced at octet {self.pos}, {outer - self.pos} octets there"
            )
        self.deeper()
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

    def announce(self, items: int, octets: int, what: str) -> None:
        """Account for items that take at least so many octets each."""
        if items * octets > self.end - self.pos:
            raise FramingError(f"{what} announces {items} items in {self.end - self.pos} octets")
        self.items_left -= items
        if self.items_left < 0:
            raise FramingError("too many items in lists, maps and arrays")

    def spend(self, items: int) -> None:
        """Account for items that take no octets."""
        self.widthless_left -= items
        if self.widthless_left < 0:
            raise FramingError(f"more than {WIDTHLESS_ITEMS_MAX} items without octets")


def read_value(reader: Reader) -> Value:
    """The next value. Raises: FramingError."""
    code = reader.unsigned(1)
    if code != DESCRIBED_CODE:
        return _read_coded(reader, code)
    reader.deeper()
    descriptor = read_value(reader)
    value = Described(descriptor, read_value(reader))
    reader.depth -= 1
    return value


def _read_coded(reader: Reader, code: int) -> Value:
    """The value that a constructor announces."""
    type_ = TYPES.get(code, -1)
    if type_ < 0:
        raise FramingError(f"unknown constructor {code:#04x} before octet {reader.pos}")
    if code < 0x50:
        return _read_widthless(code)
    if code < 0xA0:
        return _read_fixed(type_, reader.take(WIDTHS[(code >> 4) - 4]))
    size = reader.unsigned(4 if code & 0x10 else 1)
    if code < 0xC0:
        return _read_octets(type_, reader.take(size))
    width = 4 if code & 0x10 else 1
    outer = reader.enter(size)
    count = reader.unsigned(width)
    value: Value
    if type_ == LIST_CODE:
        reader.announce(count, 1, "list")
        value = [read_value(reader) for _ in range(count)]
    elif type_ == MAP_CODE:
        reader.announce(count, 1, "map")
        value = _read_map(reader, count)
    else:
        value = _read_array(reader, count)
    reader.leave(outer, TYPE_NAMES[type_])
    return value


def _read_widthless(code: int) -> Value:
    if code == 0x40:
        return None
    if code == 0x43:
        return UInt(0)
    if code == 0x44:
        return ULong(0)
    return [] if code == 0x45 else code == 0x41


def _read_fixed(type_: int, raw: bytes) -> Value:
    if type_ == UINT_CODE:
        return UInt(int.from_bytes(raw, "big"))
    if type_ == ULONG_CODE:
        return ULong(int.from_bytes(raw, "big"))
    if type_ == INT_CODE:
        return Int(int.from_bytes(raw, "big", signed=True))
    if type_ == LONG_CODE:
        return int.from_bytes(raw, "big", signed=True)
    if type_ == BOOLEAN_CODE:
        if raw[0] > 1:
            raise FramingError(f"boolean {raw[0]:#04x}: only 0 and 1 are known")
        return raw[0] == 1
    if type_ == TIMESTAMP_CODE:
        return Timestamp(int.from_bytes(raw, "big", signed=True))
    if type_ == UBYTE_CODE:
        return UByte(raw[0])
    if type_ == USHORT_CODE:
        return UShort(int.from_bytes(raw, "big"))
    if type_ == BYTE_CODE:
        return Byte(int.from_bytes(raw, "big", signed=True))
    if type_ == SHORT_CODE:
        return Short(int.from_bytes(raw, "big", signed=True))
    return _read_rare(type_, raw)


def _read_rare(type_: int, raw: bytes) -> Value:
    if type_ == DOUBLE_CODE:
        number: float = _DOUBLE.unpack(raw)[0]
        return number
    if type_ == FLOAT_CODE:
        return Float(_FLOAT.unpack(raw)[0], raw)
    if type_ == UUID_CODE:
        return UUID(bytes=raw)
    if type_ == CHAR_CODE:
        try:
            return Char(raw.decode("utf-32-be"))
        except UnicodeDecodeError:
            raise FramingError(f"char {raw.hex()} is not Unicode") from None
    if type_ == DECIMAL32_CODE:
        return Decimal32(raw)
    return Decimal64(raw) if type_ == DECIMAL64_CODE else Decimal128(raw)


def _read_octets(type_: int, raw: bytes) -> Value:
    if type_ == BINARY_CODE:
        return raw
    try:
        return raw.decode() if type_ == STRING_CODE else Symbol(raw.decode("ascii"))
    except UnicodeDecodeError as error:
        raise FramingError(f"{TYPE_NAMES[type_]} {raw[:40]!r}: {error.reason}") from None


def _read_map(reader: Reader, count: int) -> Value:
    """A dict, or pairs where a dict would lose one; no key may stand there twice."""
    if count % 2:
        raise FramingError(f"map of {count} items: a key without a value")
    pairs: list[tuple[Value, Value]] = []
    result: dict[Value, Value] = {}
    for _ in range(count // 2):
        key = read_value(reader)
        item = read_value(reader)
        pairs.append((key, item))
        if _is_plain(key):
            result[key] = item
    if len(result) == len(pairs):
        return result
    seen = {encode_value(key) for key, _ in pairs}
    if len(seen) != len(pairs):
        raise FramingError("map with one key twice")
    return MapPairs(pairs)


def _is_plain(key: Value) -> bool:
    """Whether equal keys are found in a dict: not where one contains others, not a NaN."""
    if isinstance(key, (list, dict, Described)):
        return False
    return not isinstance(key, float) or not math.isnan(key)


def _read_array(reader: Reader, count: int) -> Value:
    descriptor: Value = None
    code = reader.unsigned(1)
    if code == DESCRIBED_CODE:
        descriptor = read_value(reader)
        if descriptor is None:
            raise FramingError("array of items described by null")
        code = reader.unsigned(1)
    type_ = TYPES.get(code, -1)
    if type_ < 0:
        raise FramingError(f"unknown constructor {code:#04x} of the items of an array")
    least = least_octets(code)
    if least == 0:
        reader.spend(count)
    reader.announce(count, least, "array")
    return Array(type_, [_read_coded(reader, code) for _ in range(count)], descriptor)


def least_octets(code: int) -> int:
    """The least octets that a value with this constructor takes behind it."""
    if code < 0xA0:
        return WIDTHS[(code >> 4) - 4]
    width = 4 if code & 0x10 else 1
    if code < 0xC0:
        return width
    return width * 2 + (1 if code >= 0xE0 else 0)


def decode_value(data: bytes, items_max: int = ITEMS_UNLIMITED) -> Value:
    """The one value that ``data`` consists of. Raises: FramingError."""
    reader = Reader(data, 0, -1, items_max)
    value = read_value(reader)
    reader.finish("value")
    return value
