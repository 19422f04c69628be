"""Proton's ``Data`` codec as an oracle: our values into its octets, its octets into our values.

Proton is written by others, in C, from the same specification. ``Data`` is a tree of typed nodes,
built and walked here node by node; Proton's own choice of Python values has no part in it.
"""

from __future__ import annotations

from typing import Any, TypeAlias
from uuid import UUID

from tanist.wire.amqp10 import values
from tanist.wire.amqp10.values import (
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
    type_code,
)

Tree: TypeAlias = Any
"""Proton has no types: its module, its ``Data``, what comes out of them."""


def readable(value: Tree) -> bool:
    """Whether Proton can read ``value``: its decoder loses a level, and all that follows, where
    what is described is itself described (0.40; it takes the list of two ``00 44 00 44 40`` and
    ``55 01`` for a list of one)."""
    if isinstance(value, Described):
        return not isinstance(value.value, Described) and all(
            map(readable, (value.descriptor, value.value))
        )
    if isinstance(value, dict):
        return all(map(readable, value)) and all(map(readable, value.values()))
    return not isinstance(value, (list, tuple)) or all(map(readable, value))


class ProtonOracle:
    """``proton`` is the imported module."""

    def __init__(self, proton: Tree) -> None:
        data = proton.Data
        self.data = data
        self.types = {
            values.NULL_CODE: data.NULL,
            values.BOOLEAN_CODE: data.BOOL,
            values.UBYTE_CODE: data.UBYTE,
            values.USHORT_CODE: data.USHORT,
            values.UINT_CODE: data.UINT,
            values.ULONG_CODE: data.ULONG,
            values.BYTE_CODE: data.BYTE,
            values.SHORT_CODE: data.SHORT,
            values.INT_CODE: data.INT,
            values.LONG_CODE: data.LONG,
            values.FLOAT_CODE: data.FLOAT,
            values.DOUBLE_CODE: data.DOUBLE,
            values.DECIMAL32_CODE: data.DECIMAL32,
            values.DECIMAL64_CODE: data.DECIMAL64,
            values.DECIMAL128_CODE: data.DECIMAL128,
            values.CHAR_CODE: data.CHAR,
            values.TIMESTAMP_CODE: data.TIMESTAMP,
            values.UUID_CODE: data.UUID,
            values.BINARY_CODE: data.BINARY,
            values.STRING_CODE: data.STRING,
            values.SYMBOL_CODE: data.SYMBOL,
            values.LIST_CODE: data.LIST,
            values.MAP_CODE: data.MAP,
            values.ARRAY_CODE: data.ARRAY,
            values.DESCRIBED_CODE: data.DESCRIBED,
        }
        self.codes = {type_: code for code, type_ in self.types.items()}

    def encode(self, value: Value) -> bytes:
        """The octets that Proton gives ``value``."""
        tree = self.data()
        self._put(tree, value)
        return bytes(tree.encode())

    def again(self, octets: bytes) -> bytes:
        """The octets that Proton gives what it read from ``octets``."""
        tree = self.data()
        assert tree.decode(octets) == len(octets)
        return bytes(tree.encode())

    def decode(self, octets: bytes) -> Value:
        """What Proton reads from ``octets``, all of them."""
        tree = self.data()
        assert tree.decode(octets) == len(octets)
        tree.rewind()
        tree.next()
        return self._get(tree)

    def _put(self, tree: Tree, value: Tree) -> None:
        code = type_code(value)
        plain = {
            values.BOOLEAN_CODE: tree.put_bool,
            values.UBYTE_CODE: tree.put_ubyte,
            values.USHORT_CODE: tree.put_ushort,
            values.UINT_CODE: tree.put_uint,
            values.ULONG_CODE: tree.put_ulong,
            values.BYTE_CODE: tree.put_byte,
            values.SHORT_CODE: tree.put_short,
            values.INT_CODE: tree.put_int,
            values.LONG_CODE: tree.put_long,
            values.FLOAT_CODE: tree.put_float,
            values.DOUBLE_CODE: tree.put_double,
            values.DECIMAL128_CODE: tree.put_decimal128,
            values.CHAR_CODE: tree.put_char,
            values.TIMESTAMP_CODE: tree.put_timestamp,
            values.UUID_CODE: tree.put_uuid,
            values.BINARY_CODE: tree.put_binary,
            values.STRING_CODE: tree.put_string,
            values.SYMBOL_CODE: tree.put_symbol,
        }
        if value is None:
            tree.put_null()
        elif code == values.DECIMAL32_CODE:
            tree.put_decimal32(int.from_bytes(value, "big"))
        elif code == values.DECIMAL64_CODE:
            tree.put_decimal64(int.from_bytes(value, "big"))
        elif code in plain:
            plain[code](value)
        else:
            self._put_compound(tree, value)

    def _put_compound(self, tree: Tree, value: Tree) -> None:
        items: list[Value]
        if isinstance(value, Described):
            tree.put_described()
            items = [value.descriptor, value.value]
        elif isinstance(value, Array):
            described = value.descriptor is not None
            tree.put_array(described, self.types[value.code])
            items = [value.descriptor, *value] if described else list(value)
        elif isinstance(value, (dict, MapPairs)):
            tree.put_map()
            pairs = value.items() if isinstance(value, dict) else value
            items = [item for pair in pairs for item in pair]
        else:
            tree.put_list()
            items = value
        tree.enter()
        for item in items:
            self._put(tree, item)
        tree.exit()

    def _get(self, tree: Tree) -> Value:
        code = self.codes[tree.type()]
        plain: dict[int, Tree] = {
            values.BOOLEAN_CODE: tree.get_bool,
            values.UBYTE_CODE: lambda: UByte(tree.get_ubyte()),
            values.USHORT_CODE: lambda: UShort(tree.get_ushort()),
            values.UINT_CODE: lambda: UInt(tree.get_uint()),
            values.ULONG_CODE: lambda: ULong(tree.get_ulong()),
            values.BYTE_CODE: lambda: Byte(tree.get_byte()),
            values.SHORT_CODE: lambda: Short(tree.get_short()),
            values.INT_CODE: lambda: Int(tree.get_int()),
            values.LONG_CODE: lambda: int(tree.get_long()),
            values.FLOAT_CODE: lambda: Float(tree.get_float()),
            values.DOUBLE_CODE: tree.get_double,
            values.DECIMAL32_CODE: lambda: Decimal32(int(tree.get_decimal32()).to_bytes(4, "big")),
            values.DECIMAL64_CODE: lambda: Decimal64(int(tree.get_decimal64()).to_bytes(8, "big")),
            values.DECIMAL128_CODE: lambda: Decimal128(tree.get_decimal128()),
            values.CHAR_CODE: lambda: Char(tree.get_char()),
            values.TIMESTAMP_CODE: lambda: Timestamp(tree.get_timestamp()),
            values.UUID_CODE: lambda: UUID(bytes=tree.get_uuid().bytes),
            values.BINARY_CODE: lambda: bytes(tree.get_binary()),
            values.STRING_CODE: lambda: str(tree.get_string()),
            values.SYMBOL_CODE: lambda: Symbol(tree.get_symbol()),
        }
        if code == values.NULL_CODE:
            return None
        if code in plain:
            found: Value = plain[code]()
            return found
        return self._get_compound(tree, code)

    def _get_compound(self, tree: Tree, code: int) -> Value:
        type_, described = values.NULL_CODE, False
        if code == values.ARRAY_CODE:
            _, described, proton_type = tree.get_array()
            type_ = self.codes[proton_type]
        items = self._children(tree)
        if code == values.DESCRIBED_CODE:
            return Described(items[0], items[1])
        if code == values.ARRAY_CODE:
            descriptor = items.pop(0) if described else None
            return Array(type_, items, descriptor)
        if code == values.MAP_CODE:
            return MapPairs(list(zip(items[::2], items[1::2], strict=True)))
        return items

    def _children(self, tree: Tree) -> list[Value]:
        items: list[Value] = []
        tree.enter()
        while tree.next():
            items.append(self._get(tree))
        tree.exit()
        return items
