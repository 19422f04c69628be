"""The bodies of the legacy JMS client's map and stream messages.

``jms/map-message`` is a count of 32 bits and that many pairs of a name and a value;
``jms/stream-message`` is values up to the end. A name is UTF-8 up to a zero octet, a value an octet
that says its type and what belongs to it: Java's primitive types, octets with a length (-1: null),
or a text up to a zero octet. Newer versions of that client send ``amqp/map`` and ``amqp/list``
instead, unless told otherwise, and read all four.

What is read here becomes AMQP 1.0 values of the same types, as the AMQP JMS mapping has them, and
is written again from those.
"""

from __future__ import annotations

import struct
from typing import Final, cast

from tanist.types import FramingError
from tanist.wire.amqp10.values import Byte, Char, Float, Int, Short, Value

MAP_TYPE: Final = "jms/map-message"
STREAM_TYPE: Final = "jms/stream-message"

_BOOLEAN: Final = 1
_BYTE: Final = 2
_OCTETS: Final = 3
_SHORT: Final = 4
_CHAR: Final = 5
_INT: Final = 6
_LONG: Final = 7
_FLOAT: Final = 8
_DOUBLE: Final = 9
_TEXT: Final = 10
_NULL: Final = 11

_WIDTHS: Final[dict[int, int]] = {
    _BOOLEAN: 1,
    _BYTE: 1,
    _SHORT: 2,
    _CHAR: 2,
    _INT: 4,
    _LONG: 8,
    _FLOAT: 4,
    _DOUBLE: 8,
}
_INTEGERS: Final[dict[type, int]] = {Byte: _BYTE, Short: _SHORT, Int: _INT, int: _LONG}
_FLOAT_FORM: Final = struct.Struct(">f")
_DOUBLE_FORM: Final = struct.Struct(">d")


def read_map(body: bytes) -> dict[Value, Value]:
    """The map in the body of a ``jms/map-message``. Raises: FramingError."""
    if len(body) < 4:
        raise FramingError(f"{len(body)} octets are no {MAP_TYPE}")
    count = int.from_bytes(body[:4], "big", signed=True)
    if not 0 <= count <= len(body) // 2:
        raise FramingError(f"{MAP_TYPE} announces {count} entries in {len(body)} octets")
    found: dict[Value, Value] = {}
    pos = 4
    for _ in range(count):
        name, pos = _read_text(body, pos)
        found[name], pos = _read_value(body, pos)
    if pos != len(body) or len(found) != count:
        raise FramingError(f"{MAP_TYPE} of {count} entries and {len(body)} octets ends at {pos}")
    return found


def read_stream(body: bytes) -> list[Value]:
    """The values in the body of a ``jms/stream-message``. Raises: FramingError."""
    found: list[Value] = []
    pos = 0
    while pos < len(body):
        value, pos = _read_value(body, pos)
        found.append(value)
    return found


def _read_text(body: bytes, pos: int) -> tuple[str, int]:
    end = body.find(b"\0", pos)
    if end < 0:
        raise FramingError(f"text at octet {pos} of a JMS body has no end")
    try:
        return body[pos:end].decode(), end + 1
    except UnicodeDecodeError as error:
        raise FramingError(f"text at octet {pos} of a JMS body: {error.reason}") from None


def _read_value(body: bytes, pos: int) -> tuple[Value, int]:
    if pos >= len(body):
        raise FramingError("JMS body ends where a value belongs")
    kind = body[pos]
    pos += 1
    if kind == _TEXT:
        return _read_text(body, pos)
    if kind == _NULL:
        return None, pos
    width = 4 if kind == _OCTETS else _WIDTHS.get(kind, 0)
    end = pos + width
    if width == 0 or end > len(body):
        raise FramingError(f"no value of a JMS body at octet {pos - 1}: type {kind}")
    raw = body[pos:end]
    if kind != _OCTETS:
        return _plain(kind, raw), end
    size = int.from_bytes(raw, "big", signed=True)
    if size < 0:
        return None, end
    if end + size > len(body):
        raise FramingError(f"{size} octets announced at octet {end} of a JMS body, fewer there")
    return body[end : end + size], end + size


def _plain(kind: int, raw: bytes) -> Value:
    if kind == _BOOLEAN:
        return raw[0] != 0
    if kind == _FLOAT:
        return Float(_FLOAT_FORM.unpack(raw)[0], raw)
    if kind == _DOUBLE:
        number: float = _DOUBLE_FORM.unpack(raw)[0]
        return number
    if kind == _CHAR:
        unit = int.from_bytes(raw, "big")
        if 0xD800 <= unit < 0xE000:
            raise FramingError(f"half a character in a JMS body: {unit:#x}")
        return Char(chr(unit))
    value = int.from_bytes(raw, "big", signed=True)
    if kind == _BYTE:
        return Byte(value)
    if kind == _SHORT:
        return Short(value)
    if kind == _INT:
        return Int(value)
    return value


def write_map(value: Value) -> bytes | None:
    """The body of a ``jms/map-message``; None if ``value`` is no map that can be one."""
    if not isinstance(value, dict):
        return None
    out = bytearray(len(value).to_bytes(4, "big"))
    for key, item in value.items():
        if type(key) is not str or "\0" in key:
            return None
        out += key.encode()
        out.append(0)
        if not _write_value(out, item):
            return None
    return bytes(out)


def write_stream(value: Value) -> bytes | None:
    """The body of a ``jms/stream-message``; None if ``value`` is no list that can be one."""
    if type(value) is not list:
        return None
    out = bytearray()
    for item in value:
        if not _write_value(out, item):
            return None
    return bytes(out)


def _write_value(out: bytearray, value: Value) -> bool:
    """Append ``value``; False, with ``out`` spoilt, if it is none of Java's."""
    kind = type(value)
    if kind in _INTEGERS:
        code = _INTEGERS[kind]
        out.append(code)
        out += cast("int", value).to_bytes(_WIDTHS[code], "big", signed=True)
    elif value is None:
        out.append(_NULL)
    elif isinstance(value, bool):
        out += b"\x01\x01" if value else b"\x01\x00"
    elif isinstance(value, Float):
        out.append(_FLOAT)
        out += value.raw
    elif isinstance(value, float):
        out.append(_DOUBLE)
        out += _DOUBLE_FORM.pack(value)
    elif isinstance(value, Char):
        if ord(value) > 0xFFFF:
            return False
        out.append(_CHAR)
        out += ord(value).to_bytes(2, "big")
    elif kind is str and "\0" not in cast("str", value):
        out.append(_TEXT)
        out += cast("str", value).encode()
        out.append(0)
    elif kind is bytes:
        octets = cast("bytes", value)
        out.append(_OCTETS)
        out += len(octets).to_bytes(4, "big")
        out += octets
    else:
        return False
    return True
