"""Values of `put` and `take`: between docs/client-protocol.md's notation and what Proton works with."""

from __future__ import annotations

import struct
from typing import Any
from uuid import UUID

from proton import (
    Array, Data, Described, Message, UNDESCRIBED, byte, char, decimal32, decimal64, decimal128, float32, int32, short,
    symbol, timestamp, ubyte, uint, ulong, ushort,
)  # fmt: skip

KEY = "value"
"""Of the property, or of the entry of a map, that has the value."""

Value = dict[str, Any]

INTEGERS: dict[str, Any] = {
    "ubyte": ubyte, "ushort": ushort, "uint": uint, "ulong": ulong, "byte": byte, "short": short, "int": int32,
    "long": int,
}  # fmt: skip

ELEMENTS = {
    "null": Data.NULL, "boolean": Data.BOOL, "ubyte": Data.UBYTE, "ushort": Data.USHORT, "uint": Data.UINT,
    "ulong": Data.ULONG, "byte": Data.BYTE, "short": Data.SHORT, "int": Data.INT, "long": Data.LONG,
    "float": Data.FLOAT, "double": Data.DOUBLE, "string": Data.STRING, "symbol": Data.SYMBOL, "binary": Data.BINARY,
    "char": Data.CHAR, "timestamp": Data.TIMESTAMP, "uuid": Data.UUID,
}  # fmt: skip


def read(value: Value) -> Any:
    """What the library sends as this value. Raises: KeyError for a type that there is not."""
    kind, inner = value["type"], value["value"]
    if kind in INTEGERS:
        return INTEGERS[kind](int(inner))
    if kind == "list":
        return [read(item) for item in inner]
    if kind == "map":
        return {read(key): read(item) for key, item in inner}
    if kind == "array":
        return Array(UNDESCRIBED, ELEMENTS[inner[0]["type"]], *[read(item) for item in inner])
    if kind == "described":
        return Described(read(inner[0]), read(inner[1]))
    return {
        "null": lambda: None,
        "boolean": lambda: inner == "true",
        "float": lambda: float32(struct.unpack(">f", bytes.fromhex(inner))[0]),
        "double": lambda: struct.unpack(">d", bytes.fromhex(inner))[0],
        "decimal32": lambda: decimal32(int(inner, 16)),
        "decimal64": lambda: decimal64(int(inner, 16)),
        "decimal128": lambda: decimal128(bytes.fromhex(inner)),
        "char": lambda: char(chr(int(inner))),
        "timestamp": lambda: timestamp(int(inner)),
        "uuid": lambda: UUID(inner),
        "binary": lambda: bytes.fromhex(inner),
        "string": lambda: inner,
        "symbol": lambda: symbol(inner),
    }[kind]()


def write(given: Any) -> Value:
    """What the library handed out, with the type that it has there. Raises: TypeError."""
    if isinstance(given, Array):
        return {"type": "array", "value": [write(item) for item in given.elements]}
    if isinstance(given, Described):
        return {"type": "described", "value": [write(given.descriptor), write(given.value)]}
    if isinstance(given, (list, tuple)):
        return {"type": "list", "value": [write(item) for item in given]}
    if isinstance(given, dict):
        return {"type": "map", "value": [[write(key), write(item)] for key, item in given.items()]}
    kind, text = scalar(given)
    return {"type": kind, "value": text}


def scalar(given: Any) -> tuple[str, str]:
    """Type and text of what is no compound."""
    for kind, made in {
        "boolean": bool, "float": float32, "double": float, "decimal32": decimal32, "decimal64": decimal64,
        "decimal128": decimal128, "char": char, "timestamp": timestamp, "uuid": UUID, "symbol": symbol,
        "string": str, "binary": (bytes, bytearray, memoryview),
        **{kind: made for kind, made in INTEGERS.items() if kind != "long"},
        "long": int,
    }.items():  # fmt: skip
        if isinstance(given, made):
            return kind, text(kind, given)
    if given is None:
        return "null", ""
    raise TypeError(f"the library handed out a {type(given).__name__}")


def text(kind: str, given: Any) -> str:
    """The text of a scalar."""
    return {
        "boolean": lambda: str(given).lower(),
        "float": lambda: struct.pack(">f", given).hex(),
        "double": lambda: struct.pack(">d", given).hex(),
        "decimal32": lambda: f"{given:08x}",
        "decimal64": lambda: f"{given:016x}",
        "decimal128": lambda: bytes(given).hex(),
        "char": lambda: str(ord(given)),
        "binary": lambda: bytes(given).hex(),
    }.get(kind, lambda: str(given if kind in ("uuid", "string", "symbol") else int(given)))()


def message(place: str, value: Value) -> Message:
    """A message with the value in that place."""
    inner = read(value)
    if place == "property":
        return Message(properties={KEY: inner})
    return Message(body={KEY: inner} if place == "map" else inner, inferred=False)


def found(place: str, received: Message) -> Value:
    """The value in that place of a message. Raises: KeyError, TypeError."""
    if place == "property":
        return write(received.properties[KEY])
    return write(received.body[KEY] if place == "map" else received.body)
