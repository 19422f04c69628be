"""The values that the scenario ``types`` sends: every AMQP 1.0 type, in the notation of the client
protocol.

Each has a value that shows a loss of width, sign or precision: the limits of an integer, a float
that is no short decimal, text beyond Latin-1.
"""

from __future__ import annotations

from typing import Final

from tanist_interop.protocol import Value

PLACES: Final = ("body", "property", "map")
"""Where a value may be in a message: see ``Put`` of the client protocol."""


def simple(kind: str, text: str) -> Value:
    """A value that is no compound."""
    return {"type": kind, "value": text}


def compound(kind: str, *parts: object) -> Value:
    """A list, array or described value of these parts, or a map of these pairs."""
    return {"type": kind, "value": list(parts)}


CASES: Final[dict[str, Value]] = {
    "null": simple("null", ""),
    "boolean true": simple("boolean", "true"),
    "boolean false": simple("boolean", "false"),
    "ubyte": simple("ubyte", "255"),
    "ushort": simple("ushort", "65535"),
    "uint": simple("uint", "4294967295"),
    "uint 0": simple("uint", "0"),
    "ulong": simple("ulong", "18446744073709551615"),
    "ulong 0": simple("ulong", "0"),
    "byte": simple("byte", "-128"),
    "short": simple("short", "-32768"),
    "int": simple("int", "-2147483648"),
    "int -1": simple("int", "-1"),
    "long": simple("long", "-9223372036854775808"),
    "long 2^53": simple("long", "9007199254740992"),
    "float": simple("float", "3dcccccd"),
    "double": simple("double", "3fb999999999999a"),
    "decimal32": simple("decimal32", "a1234567"),
    "decimal64": simple("decimal64", "a123456789abcdef"),
    "decimal128": simple("decimal128", "a123456789abcdef0123456789abcdef"),
    "char": simple("char", "233"),
    "char 😀": simple("char", "128512"),
    "timestamp": simple("timestamp", "1700000000123"),
    "timestamp, whole second": simple("timestamp", "1700000000000"),
    "uuid": simple("uuid", "00112233-4455-6677-8899-aabbccddeeff"),
    "binary": simple("binary", "00ff10"),
    "string": simple("string", "Zoë ☃ 😀"),
    "symbol": simple("symbol", "amqp:symbol"),
    "list": compound("list", simple("long", "-7"), simple("string", "x"), simple("null", "")),
    "map": compound(
        "map",
        [simple("string", "one"), simple("long", "-7")],
        [simple("string", "two"), simple("boolean", "true")],
    ),
    "array": compound("array", simple("int", "-7"), simple("int", "70000")),
    "described": compound("described", simple("symbol", "tanist:test"), simple("string", "x")),
}
"""By the name that the table has."""

COMPOUNDS: Final = ("list", "map", "array", "described")
"""Types that application properties may not have (AMQP 1.0, 3.2.5)."""


def legal(place: str, value: Value) -> bool:
    """Whether a message may have this value in this place."""
    return place != "property" or value["type"] not in COMPOUNDS


EXCHANGED: Final = tuple(
    f"{place} {case}" for place in PLACES for case, value in CASES.items() if legal(place, value)
)
"""Every value in every legal place, as a scenario names them."""
