"""The values of AMQP 1.0 as Python values.

Decoded, a value is what a Python programmer expects, or a subclass of it that remembers the type,
so that decoding and encoding again keeps every type, and code that does not care sees an ``int``
or a ``str``. What a plain Python value is encoded as stands in the first column::

    None null            bool boolean         int long (ulong above its range: ULong)
    float double         str string           bytes binary        UUID uuid
    dict map             list, tuple list
    UByte ubyte          UShort ushort        UInt uint           ULong ulong
    Byte byte            Short short          Int int             Timestamp timestamp
    Float float          Char char            Symbol symbol
    Decimal32 decimal32  Decimal64 decimal64  Decimal128 decimal128
    Array array          Described, Composite described           MapPairs map

A Python ``dict`` takes 1, 1.0 and True for one key, a symbol and a string of the same letters too,
and no list as a key. AMQP tells them apart: a map that no ``dict`` can hold is a ``MapPairs``.

Source: OASIS AMQP 1.0, part 1 "Types", 1.6 "Primitive types", 1.2 "Encodings".
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias
from uuid import UUID

from mypy_extensions import mypyc_attr

from tanist.wire.amqp10.spec import BY_CLASS_NAME, Definition

NULL_CODE: Final = 0x40
BOOLEAN_CODE: Final = 0x56
UBYTE_CODE: Final = 0x50
USHORT_CODE: Final = 0x60
UINT_CODE: Final = 0x70
ULONG_CODE: Final = 0x80
BYTE_CODE: Final = 0x51
SHORT_CODE: Final = 0x61
INT_CODE: Final = 0x71
LONG_CODE: Final = 0x81
FLOAT_CODE: Final = 0x72
DOUBLE_CODE: Final = 0x82
DECIMAL32_CODE: Final = 0x74
DECIMAL64_CODE: Final = 0x84
DECIMAL128_CODE: Final = 0x94
CHAR_CODE: Final = 0x73
TIMESTAMP_CODE: Final = 0x83
UUID_CODE: Final = 0x98
BINARY_CODE: Final = 0xB0
STRING_CODE: Final = 0xB1
SYMBOL_CODE: Final = 0xB3
LIST_CODE: Final = 0xD0
MAP_CODE: Final = 0xD1
ARRAY_CODE: Final = 0xF0
DESCRIBED_CODE: Final = 0x00
"""Each type is named by its widest format code; the codec chooses among the type's encodings."""

LONG_MAX: Final = 0x7FFF_FFFF_FFFF_FFFF

_FLOAT: Final = struct.Struct(">f")


class Composite:
    """Base of every described list of the specification: performatives, outcomes, termini.

    Its subclasses have one attribute for each field of the definition in ``spec``, in its order
    and with its name, and a constructor that takes them in that order.
    """

    __slots__ = ()

    @property
    def definition(self) -> Definition:
        """What the specification says of this class."""
        return BY_CLASS_NAME[type(self).__name__]

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        names = [field.name for field in self.definition.fields]
        return all(getattr(self, name) == getattr(other, name) for name in names)

    def __hash__(self) -> int:
        return hash(type(self).__name__)

    def __repr__(self) -> str:
        shown = [(field.name, getattr(self, field.name)) for field in self.definition.fields]
        inside = ", ".join(f"{name}={value!r}" for name, value in shown)
        return f"{type(self).__name__}({inside})"


Value: TypeAlias = (
    "bool | int | float | str | bytes | UUID | Described | Composite"
    " | Sequence[Value] | Mapping[Value, Value] | None"
)
"""Any AMQP value; a decoded sequence is a list, a decoded map a dict or ``MapPairs``."""

Fields: TypeAlias = "dict[str, Value]"
"""A map with symbols as keys: ``fields``, ``node-properties``, ``filter-set``; keys as ``str``."""

Annotations: TypeAlias = "dict[str | int, Value]"
"""A map with symbols (``str``) or ulongs (``int``) as keys."""


@mypyc_attr(native_class=False)
class UByte(int):
    """An unsigned integer of 8 bits."""

    __slots__ = ()


@mypyc_attr(native_class=False)
class UShort(int):
    """An unsigned integer of 16 bits."""

    __slots__ = ()


@mypyc_attr(native_class=False)
class UInt(int):
    """An unsigned integer of 32 bits."""

    __slots__ = ()


@mypyc_attr(native_class=False)
class ULong(int):
    """An unsigned integer of 64 bits."""

    __slots__ = ()


@mypyc_attr(native_class=False)
class Byte(int):
    """A signed integer of 8 bits."""

    __slots__ = ()


@mypyc_attr(native_class=False)
class Short(int):
    """A signed integer of 16 bits."""

    __slots__ = ()


@mypyc_attr(native_class=False)
class Int(int):
    """A signed integer of 32 bits."""

    __slots__ = ()


@mypyc_attr(native_class=False)
class Timestamp(int):
    """Milliseconds since 1970, UTC; may be negative."""

    __slots__ = ()


@mypyc_attr(native_class=False)
class Float(float):
    """A float of 32 bits; ``raw`` keeps its octets, because a NaN has a payload."""

    raw: bytes

    def __new__(cls, value: float, raw: bytes = b"") -> Float:
        """Raises: OverflowError when ``value`` is beyond 32 bits."""
        self = float.__new__(cls, value)
        self.raw = raw or _FLOAT.pack(value)
        return self


@mypyc_attr(native_class=False)
class Decimal32(bytes):
    """The four octets of an IEEE 754-2008 decimal32."""

    __slots__ = ()


@mypyc_attr(native_class=False)
class Decimal64(bytes):
    """The eight octets of an IEEE 754-2008 decimal64."""

    __slots__ = ()


@mypyc_attr(native_class=False)
class Decimal128(bytes):
    """The sixteen octets of an IEEE 754-2008 decimal128."""

    __slots__ = ()


@mypyc_attr(native_class=False)
class Char(str):
    """One Unicode character."""

    __slots__ = ()


@mypyc_attr(native_class=False)
class Symbol(str):
    """A word of ASCII; equal to the ``str`` of the same letters."""

    __slots__ = ()


@mypyc_attr(native_class=False)
class Array(list["Value"]):
    """An array: all its items have the type ``code`` (one of the ``_CODE`` constants).

    ``descriptor`` is that of every item when they are described (the items are then without it),
    None when they are not.
    """

    code: int
    descriptor: Value

    def __init__(self, code: int, items: Iterable[Value] = (), descriptor: Value = None) -> None:
        super().__init__(items)
        self.code = code
        self.descriptor = descriptor


@mypyc_attr(native_class=False)
class MapPairs(list["tuple[Value, Value]"]):
    """A map as (key, value) pairs in their order: one that a ``dict`` cannot hold."""


class Described:
    """A value with a descriptor that says what it means: a symbol or a ulong as a rule."""

    __slots__ = ("descriptor", "value")

    def __init__(self, descriptor: Value, value: Value) -> None:
        self.descriptor = descriptor
        self.value = value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Described):
            return NotImplemented
        return self.descriptor == other.descriptor and self.value == other.value

    def __hash__(self) -> int:
        return hash(str(self.descriptor))

    def __repr__(self) -> str:
        return f"Described({self.descriptor!r}, {self.value!r})"


_CODES: Final[dict[type, int]] = {
    type(None): NULL_CODE,
    bool: BOOLEAN_CODE,
    UByte: UBYTE_CODE,
    UShort: USHORT_CODE,
    UInt: UINT_CODE,
    ULong: ULONG_CODE,
    Byte: BYTE_CODE,
    Short: SHORT_CODE,
    Int: INT_CODE,
    Timestamp: TIMESTAMP_CODE,
    Float: FLOAT_CODE,
    float: DOUBLE_CODE,
    Decimal32: DECIMAL32_CODE,
    Decimal64: DECIMAL64_CODE,
    Decimal128: DECIMAL128_CODE,
    Char: CHAR_CODE,
    str: STRING_CODE,
    Symbol: SYMBOL_CODE,
    bytes: BINARY_CODE,
    UUID: UUID_CODE,
    dict: MAP_CODE,
    MapPairs: MAP_CODE,
    list: LIST_CODE,
    tuple: LIST_CODE,
    Array: ARRAY_CODE,
    Described: DESCRIBED_CODE,
}


def type_code(value: Value) -> int:
    """The type ``value`` is encoded as (a ``_CODE`` constant); -1 if AMQP has no such type."""
    code = _CODES.get(type(value))
    if code is not None:
        return code
    if isinstance(value, int):
        return LONG_CODE if value <= LONG_MAX else ULONG_CODE
    return DESCRIBED_CODE if isinstance(value, Composite) else -1
