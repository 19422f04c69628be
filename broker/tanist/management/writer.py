"""Managed objects as octets: the elements of a query's answer, written straight from the schema.

A list of all queues may have 65,000 elements of some fifty properties each, so nothing is built
that is only taken apart again: what is the same for all objects of a class (names, type codes, the
schema id) is encoded once, and a number becomes octets without a value object in between. The
general codec writes the rest: maps, references, and classes that declare no fields.

An element is a map of ``_values``, ``_object_id``, ``_schema_id`` and three times in nanoseconds,
``_create_ts``, ``_update_ts``, ``_delete_ts`` (qpidd-compat 4.2). Numbers are uint16, uint32 or
uint64, as the schema says, text is str16.
"""

from __future__ import annotations

from typing import Final

from tanist.management.schema import (
    DURATION,
    FLAG,
    LONG_TEXT,
    TEXT,
    TIME,
    U16,
    U32,
    U64,
    ClassSchema,
)
from tanist.types import LocalProtocolError
from tanist.wire.amqp010.codec import encode_map
from tanist.wire.amqp010.values import BOOLEAN_CODE, MAP_CODE, STR16_CODE, UINT64_CODE, Value

AGENT_EPOCH: Final = 1

TEXT_BYTES_MAX: Final = 65535
"""Octets of a str16; longer text is cut."""

_HEAD_BYTES: Final = 8
"""Size and count of a map: what stands before its entries."""

_NUMBERS: Final = {
    U16: (0x12, 2),
    U32: (0x22, 4),
    U64: (UINT64_CODE, 8),
    TIME: (UINT64_CODE, 8),
    DURATION: (UINT64_CODE, 8),
}
"""Type code and width of each numeric type."""


def _key(name: str, code: int) -> bytes:
    """An entry of a map up to its value: name and type code."""
    raw = name.encode()
    return bytes((len(raw),)) + raw + bytes((code,))


def _entry(name: str, value: Value) -> bytes:
    """An entry of a map. Raises: LocalProtocolError for a value that AMQP cannot say."""
    return encode_map({name: value})[_HEAD_BYTES:]


def _map(entries: bytes | bytearray, count: int) -> bytes:
    """A map of encoded entries, with its size."""
    return (len(entries) + 4).to_bytes(4, "big") + count.to_bytes(4, "big") + entries


_VALUES_KEY: Final = _key("_values", MAP_CODE)
_OBJECT_ID_KEY: Final = _key("_object_id", MAP_CODE)
_OBJECT_NAME_KEY: Final = _key("_object_name", STR16_CODE)
_AGENT_EPOCH_ENTRY: Final = _key("_agent_epoch", UINT64_CODE) + AGENT_EPOCH.to_bytes(8, "big")
_CREATED_KEY: Final = _key("_create_ts", UINT64_CODE)
_UPDATED_KEY: Final = _key("_update_ts", UINT64_CODE)
_DELETED_ENTRY: Final = _key("_delete_ts", UINT64_CODE) + bytes(8)
_ELEMENT_ENTRIES: Final = 6


class ObjectWriter:
    """Writes the objects of one class."""

    __slots__ = ("_flags", "_numbers", "_schema_entry", "_texts")

    def __init__(self, schema: ClassSchema) -> None:
        self._schema_entry = _entry("_schema_id", schema.schema_id())
        self._numbers: dict[str, tuple[bytes, int]] = {}
        self._texts: dict[str, bytes] = {}
        self._flags: dict[str, bytes] = {}
        for field in schema.fields:
            number = _NUMBERS.get(field.type)
            if number is not None:
                code, width = number
                self._numbers[field.name] = (_key(field.name, code), width)
            elif field.type in (TEXT, LONG_TEXT):
                self._texts[field.name] = _key(field.name, STR16_CODE)
            elif field.type == FLAG:
                self._flags[field.name] = _key(field.name, BOOLEAN_CODE)

    def element(
        self, name: str, values: dict[str, Value], created_ns: int, updated_ns: int
    ) -> bytes:
        """The list element (type code and map) of the object ``name``.

        Raises: LocalProtocolError for a value that AMQP cannot say.
        """
        name_octets = _text(name)
        object_id = _OBJECT_NAME_KEY + name_octets + _AGENT_EPOCH_ENTRY
        entries = b"".join(
            (
                _VALUES_KEY,
                _map(self._entries(values), len(values)),
                _OBJECT_ID_KEY,
                _map(object_id, 2),
                self._schema_entry,
                _CREATED_KEY,
                created_ns.to_bytes(8, "big"),
                _UPDATED_KEY,
                updated_ns.to_bytes(8, "big"),
                _DELETED_ENTRY,
            )
        )
        return bytes((MAP_CODE,)) + _map(entries, _ELEMENT_ENTRIES)

    def _entries(self, values: dict[str, Value]) -> bytearray:
        out = bytearray()
        numbers, texts, flags = self._numbers, self._texts, self._flags
        for name, value in values.items():
            if isinstance(value, bool):
                key = flags.get(name)
                if key is not None:
                    out += key
                    out += b"\x01" if value else b"\x00"
                    continue
            elif isinstance(value, int):
                number = numbers.get(name)
                if number is not None:
                    key, width = number
                    out += key
                    try:
                        out += value.to_bytes(width, "big")
                    except OverflowError:
                        out += _clip(value, width).to_bytes(width, "big")
                    continue
            elif isinstance(value, str):
                key = texts.get(name)
                if key is not None:
                    out += key
                    out += _text(value)
                    continue
            out += _entry(name, value)
        return out


def _clip(value: int, width: int) -> int:
    """``value``, or the nearest that an unsigned integer of ``width`` octets can be."""
    return min(max(value, 0), (1 << (8 * width)) - 1)


def _text(value: str) -> bytes:
    """A str16, cut if it is too long."""
    raw = value.encode("utf-8", "replace")
    if len(raw) > TEXT_BYTES_MAX:
        raw = raw[:TEXT_BYTES_MAX].decode("utf-8", "ignore").encode()
    return len(raw).to_bytes(2, "big") + raw


def list_body(elements: list[bytes]) -> bytes:
    """The body of an ``amqp/list`` message of encoded elements."""
    entries = b"".join(elements)
    if len(entries) >> 32:
        raise LocalProtocolError("the objects of an answer do not fit one message")
    return _map(entries, len(elements))
