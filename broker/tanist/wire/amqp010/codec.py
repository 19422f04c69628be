"""Encode and decode everything of AMQP 0-10 from the declarations in ``spec``.

``make`` builds a ``Struct``; ``encode_*`` and ``decode_*`` turn it into the payload of a segment
and back. Decoding and encoding again gives the same octets. The two blames are kept apart: bad
octets from a peer raise ``FramingError`` (its connection must be closed with 501), a bad value
from our own layers raises ``LocalProtocolError`` (a bug of ours).

The work is done in ``encoding`` and ``decoding``, the latter with limits on whatever a peer may
send. ``transfer`` holds a faster twin of what a message needs.

Source: AMQP specification 0-10, II.3 "Types", II.4.1 "Control and command encoding".
"""

from __future__ import annotations

from typing import Final

from tanist.types import FramingError, LocalProtocolError
from tanist.wire.amqp010.decoding import (
    Reader,
    read_compound,
    read_fields,
    read_known_struct32,
    read_list,
    read_map,
)
from tanist.wire.amqp010.encoding import write_fields, write_list, write_map, write_struct32
from tanist.wire.amqp010.spec import COMMANDS, CONTROLS, DEFINITIONS
from tanist.wire.amqp010.values import Struct, Value

__all__ = [
    "Struct",
    "decode_command",
    "decode_control",
    "decode_header",
    "decode_list",
    "decode_map",
    "decode_struct32",
    "encode_command",
    "encode_control",
    "encode_header",
    "encode_list",
    "encode_map",
    "encode_struct32",
    "make",
]

_SESSION_HEADER: Final = DEFINITIONS["session.header"]
_HEADER_STRUCTS: Final = frozenset(
    name for definition in COMMANDS.values() for name in definition.content
)


COMMAND_ITEMS_MAX: Final = 4096
"""Items in all maps, lists and arrays of one control or command: an item of two octets is a hundred
in memory, and arguments and properties stay there."""

ARGUMENTS_DEPTH: Final = 4
"""Arguments travel on inside records and answers; what is accepted must be readable there, too."""


def make(struct_name: str, /, **fields: Value) -> Struct:
    """A control, command or struct, by its name ("queue.declare", "message.reply-to").

    Field names have underscores. A field that is None, and a bit that is false, is left out.

    Raises: LocalProtocolError for an unknown name or field.
    """
    definition = DEFINITIONS.get(struct_name)
    if definition is None:
        raise LocalProtocolError(f"the specification has no {struct_name}")
    present: dict[str, Value] = {}
    for field_name, value in fields.items():
        field = definition.index.get(field_name)
        if field is None:
            raise LocalProtocolError(f"{struct_name} has no field {field_name}")
        if value is None or (field.is_bit and not value):
            continue
        present[field_name] = value
    return Struct(definition, present)


def encode_control(control: Struct) -> bytes:
    """The payload of a control segment."""
    out = bytearray(control.definition.key.to_bytes(2, "big"))
    write_fields(out, control)
    return bytes(out)


def decode_control(data: bytes) -> Struct:
    """The control in the payload of a control segment. Raises: FramingError."""
    reader = Reader(data, COMMAND_ITEMS_MAX)
    reader.depth = ARGUMENTS_DEPTH
    key = reader.unsigned(2)
    definition = CONTROLS.get(key)
    if definition is None:
        raise FramingError(f"unknown control, class {key >> 8} code {key & 0xFF}")
    control = read_fields(reader, definition)
    reader.finish(definition.name)
    return control


def encode_command(command: Struct, sync: bool = False) -> bytes:
    """The payload of a command segment; ``sync`` asks the peer to complete it at once."""
    out = bytearray(command.definition.key.to_bytes(2, "big"))
    out += b"\x01\x01" if sync else b"\x01\x00"
    write_fields(out, command)
    return bytes(out)


def decode_command(data: bytes) -> tuple[Struct, bool]:
    """The command in the payload of a command segment, and its sync bit. Raises: FramingError."""
    reader = Reader(data, COMMAND_ITEMS_MAX)
    reader.depth = ARGUMENTS_DEPTH
    key = reader.unsigned(2)
    definition = COMMANDS.get(key)
    if definition is None:
        raise FramingError(f"unknown command, class {key >> 8} code {key & 0xFF}")
    header = read_compound(reader, _SESSION_HEADER)
    command = read_fields(reader, definition)
    reader.finish(definition.name)
    return command, header.flag("sync")


def encode_struct32(value: Struct) -> bytes:
    """Size, code and fields: an entry of a header segment, a result."""
    out = bytearray()
    write_struct32(out, value)
    return bytes(out)


def decode_struct32(data: bytes) -> Struct:
    """What ``encode_struct32`` made. Raises: FramingError, also for an unknown struct."""
    reader = Reader(data)
    value = read_known_struct32(reader)
    reader.finish(value.name)
    return value


def encode_header(structs: list[Struct]) -> bytes:
    """The payload of a header segment."""
    out = bytearray()
    for value in structs:
        write_struct32(out, value)
    return bytes(out)


def decode_header(data: bytes) -> list[Struct]:
    """The structs of a header segment: each at most once, and only those made for it.

    Raises: FramingError.
    """
    reader = Reader(data)
    structs: list[Struct] = []
    seen: set[str] = set()
    while reader.pos < reader.end:
        value = read_known_struct32(reader)
        if value.name in seen or value.name not in _HEADER_STRUCTS:
            raise FramingError(f"{value.name} cannot stand in this header segment")
        seen.add(value.name)
        structs.append(value)
    return structs


def encode_map(value: dict[str, Value]) -> bytes:
    """A map with its size; also the body of an "amqp/map" message."""
    out = bytearray()
    write_map(out, value)
    return bytes(out)


def decode_map(data: bytes) -> dict[str, Value]:
    """What ``encode_map`` made. Raises: FramingError."""
    reader = Reader(data)
    value = read_map(reader)
    reader.finish("map")
    return value


def encode_list(value: list[Value]) -> bytes:
    """A list with its size; also the body of an "amqp/list" message."""
    out = bytearray()
    write_list(out, value)
    return bytes(out)


def decode_list(data: bytes) -> list[Value]:
    """What ``encode_list`` made. Raises: FramingError."""
    reader = Reader(data)
    value = read_list(reader)
    reader.finish("list")
    return value
