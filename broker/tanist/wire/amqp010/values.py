"""The values of AMQP 0-10 as plain Python values.

A value in a map, a list or an array carries its type code on the wire. Decoded, it is what a
Python programmer expects: ``None``, ``bool``, ``int``, ``float``, ``str``, ``bytes``, ``UUID``,
``dict``, ``list``, ``Struct``. One code per Python type is the default on encoding:

    None void 0xf0      bool boolean 0x08   int int64 0x31 (uint64 0x32 above its range)
    float double 0x33   str str16 0x95      bytes vbin32 0xa0
    UUID uuid 0x48      dict map 0xa8       list, tuple list 0xa9      Struct struct32 0xab

A value decoded from any other code is an instance of a subclass that remembers the code
(``TypedInt``, ``TypedStr`` ...), so that decoding and encoding again gives the same bytes, and
code that does not care sees an ``int`` or a ``str``. To choose a code on purpose, use the
functions below: ``uint32(5)``, ``str8("x")``, ``vbin16("x")``, ``Array(0x95, ["a"])``.

Source: AMQP specification 0-10, II.3 "Types".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias
from uuid import UUID

from mypy_extensions import mypyc_attr

from tanist.wire.amqp010.spec import Definition

Ranges: TypeAlias = "list[tuple[int, int]]"
"""A sequence-set or byte-ranges: pairs (first, last), both included."""

Value: TypeAlias = (
    "bool | int | float | str | bytes | UUID | Struct"
    " | Sequence[Value] | Mapping[str, Value] | None"
)
"""What a field or an entry of a map may hold; a decoded sequence is a list, a mapping a dict."""

BOOLEAN_CODE: Final = 0x08
FLOAT_CODE: Final = 0x23
INT64_CODE: Final = 0x31
UINT64_CODE: Final = 0x32
DOUBLE_CODE: Final = 0x33
UUID_CODE: Final = 0x48
STR16_CODE: Final = 0x95
VBIN32_CODE: Final = 0xA0
MAP_CODE: Final = 0xA8
LIST_CODE: Final = 0xA9
ARRAY_CODE: Final = 0xAA
STRUCT32_CODE: Final = 0xAB
VOID_CODE: Final = 0xF0


@mypyc_attr(native_class=False)
class TypedInt(int):
    """An integer (or datetime, or bit) with its type code."""

    code: int

    def __new__(cls, value: int, code: int) -> TypedInt:
        self = int.__new__(cls, value)
        self.code = code
        return self


@mypyc_attr(native_class=False)
class TypedFloat(float):
    """A float of type 0x23; ``raw`` keeps its octets, because a NaN has a payload."""

    code: int
    raw: bytes

    def __new__(cls, value: float, code: int, raw: bytes) -> TypedFloat:
        self = float.__new__(cls, value)
        self.code = code
        self.raw = raw
        return self


@mypyc_attr(native_class=False)
class TypedStr(str):
    """A string with its type code."""

    code: int

    def __new__(cls, value: str, code: int) -> TypedStr:
        self = str.__new__(cls, value)
        self.code = code
        return self


@mypyc_attr(native_class=False)
class TypedBytes(bytes):
    """Octets with their type code. Code 0xab: a struct32 of a kind that nobody here knows."""

    code: int

    def __new__(cls, value: bytes, code: int) -> TypedBytes:
        self = bytes.__new__(cls, value)
        self.code = code
        return self


@mypyc_attr(native_class=False)
class Array(list["Value"]):
    """An array: all its items have the type ``code``; code -1 is the empty array of size 0."""

    code: int

    def __init__(self, code: int, items: Iterable[Value] = ()) -> None:
        super().__init__(items)
        self.code = code


@mypyc_attr(native_class=False)
class VoidMap(dict[str, "Value"]):
    """The empty map that was sent with size 0, without a count (a legal short form)."""


@mypyc_attr(native_class=False)
class VoidList(list["Value"]):
    """The empty list that was sent with size 0, without a count."""


class Struct:
    """A control, command or struct: its definition and the fields that are present.

    A bit that is set is present with the value True; an absent field is not in ``fields``. Made
    by ``codec.make`` and by the decoders.
    """

    __slots__ = ("definition", "fields")

    def __init__(self, definition: Definition, fields: dict[str, Value]) -> None:
        self.definition = definition
        self.fields = fields

    @property
    def name(self) -> str:
        """As the specification spells it: "queue.declare", "message.set-flow-mode"."""
        return self.definition.name

    def has(self, name: str) -> bool:
        """Whether the field is present."""
        return name in self.fields

    def flag(self, name: str) -> bool:
        """Whether the bit (or boolean field) is set."""
        return bool(self.fields.get(name))

    def text(self, name: str, default: str = "") -> str:
        """A string field; binary names (session.attach.name) are read as UTF-8, never failing."""
        value = self.fields.get(name)
        if isinstance(value, str):
            return value
        if isinstance(value, bytes):
            return value.decode("utf-8", "backslashreplace")
        return default

    def octets(self, name: str, default: bytes = b"") -> bytes:
        """A binary field."""
        value = self.fields.get(name)
        return value if isinstance(value, bytes) else default

    def number(self, name: str, default: int = 0) -> int:
        """An integer field."""
        value = self.fields.get(name)
        return value if isinstance(value, int) else default

    def map(self, name: str) -> dict[str, Value]:
        """A map field; empty when absent."""
        value = self.fields.get(name)
        return value if isinstance(value, dict) else {}

    def array(self, name: str) -> list[Value]:
        """A list or array field; empty when absent."""
        value = self.fields.get(name)
        return value if isinstance(value, list) else []

    def ranges(self, name: str) -> Ranges:
        """A sequence-set or byte-ranges field as (first, last) pairs; empty when absent."""
        value = self.fields.get(name)
        return value if isinstance(value, list) else []

    def struct(self, name: str) -> Struct | None:
        """A field that is itself a struct; None when absent."""
        value = self.fields.get(name)
        return value if isinstance(value, Struct) else None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Struct):
            return NotImplemented
        return self.definition is other.definition and self.fields == other.fields

    def __hash__(self) -> int:
        return hash(self.definition.name)

    def __repr__(self) -> str:
        inside = ", ".join(f"{name}={value!r}" for name, value in self.fields.items())
        return f"{self.definition.name}({inside})"


def int8(value: int) -> TypedInt:
    """``value`` as an int8."""
    return TypedInt(value, 0x01)


def int16(value: int) -> TypedInt:
    """``value`` as an int16."""
    return TypedInt(value, 0x11)


def int32(value: int) -> TypedInt:
    """``value`` as an int32."""
    return TypedInt(value, 0x21)


def uint8(value: int) -> TypedInt:
    """``value`` as a uint8."""
    return TypedInt(value, 0x02)


def uint16(value: int) -> TypedInt:
    """``value`` as a uint16."""
    return TypedInt(value, 0x12)


def uint32(value: int) -> TypedInt:
    """``value`` as a uint32."""
    return TypedInt(value, 0x22)


def uint64(value: int) -> TypedInt:
    """``value`` as a uint64."""
    return TypedInt(value, UINT64_CODE)


def timestamp(value: int) -> TypedInt:
    """``value`` (seconds since 1970; nanoseconds in QMF) as a datetime."""
    return TypedInt(value, 0x38)


def str8(value: str) -> TypedStr:
    """``value`` as a str8: at most 255 octets of UTF-8."""
    return TypedStr(value, 0x85)


def vbin8(value: str | bytes) -> TypedBytes:
    """``value`` as a vbin8: at most 255 octets."""
    return TypedBytes(value.encode() if isinstance(value, str) else value, 0x80)


def vbin16(value: str | bytes) -> TypedBytes:
    """``value`` as a vbin16: at most 65535 octets."""
    return TypedBytes(value.encode() if isinstance(value, str) else value, 0x90)


def type_code(value: Value) -> int:
    """The type code ``value`` is encoded with; -1 if it is no value of the type system."""
    if value is None:
        return VOID_CODE
    if isinstance(value, (TypedInt, TypedStr, TypedBytes, TypedFloat)):
        return value.code
    if isinstance(value, str):
        return STR16_CODE
    if isinstance(value, bool):
        return BOOLEAN_CODE
    if isinstance(value, int):
        return INT64_CODE if value <= 0x7FFF_FFFF_FFFF_FFFF else UINT64_CODE
    if isinstance(value, dict):
        return MAP_CODE
    if isinstance(value, Array):
        return ARRAY_CODE
    if isinstance(value, (list, tuple)):
        return LIST_CODE
    if isinstance(value, bytes):
        return VBIN32_CODE
    if isinstance(value, float):
        return DOUBLE_CODE
    if isinstance(value, UUID):
        return UUID_CODE
    return STRUCT32_CODE if isinstance(value, Struct) else -1
