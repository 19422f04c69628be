"""The hand-written twin of ``codec`` for the small controls and commands that every message costs.

A client that takes messages one by one sends a message.accept, and perhaps a message.flow, for each
of them; every message is answered by a session.completed, and a backup acknowledges with one. Here
these take a fraction of what the declarations of ``spec`` cost. Property tests hold the twin equal
to ``codec``:

* ``decode_completed`` and the accept within ``decode_command`` know only the plain form (ranges,
  nothing else); for any other octets, good or bad, ``codec`` decides;
* commands that a client repeats octet for octet (credit, flush, sync) are remembered in a small
  bounded cache, keyed by their octets. Therefore a decoded command is shared: never change one;
* ``completed_frame`` and ``encode_accept`` make the octets that ``codec`` would make.

Source: AMQP specification 0-10, III.7 "session" (completed), III.8 "message" (accept, flow).
"""

from __future__ import annotations

import struct
from typing import Final

from tanist.wire.amqp010 import codec
from tanist.wire.amqp010.framing import WORD_CONTROL
from tanist.wire.amqp010.spec import DEFINITIONS
from tanist.wire.amqp010.values import Ranges, Struct, Value
from tanist.wire.serial import HALF, WIRE_MASK

COMPLETED_START: Final = b"\x02\x0a\x01\x00"
"""session.completed with ranges and without timely-reply: class, code, packing flags."""

ACCEPT_CODE: Final = b"\x04\x02"
"""The first two octets of message.accept."""

CACHE_ENTRIES_MAX: Final = 1024
"""Commands remembered: a few for each consumer; a full cache is emptied."""

CACHE_KEY_MAX: Final = 512
"""Longest command worth remembering: a destination has 255 octets at most."""

_REPEATED: Final = frozenset(
    DEFINITIONS[name].key.to_bytes(2, "big")
    for name in (
        "execution.sync",
        "message.flow",
        "message.flush",
        "message.set-flow-mode",
        "message.stop",
    )
)
_ACCEPT: Final = DEFINITIONS["message.accept"]
_ACCEPT_START: Final = b"\x04\x02\x01\x00\x01\x00"
_ACCEPT_SYNC_START: Final = b"\x04\x02\x01\x01\x01\x00"
_RANGE: Final = struct.Struct(">II")
_ONE_RANGE: Final = struct.Struct(">HII")
# Frame header (word, size, where), class and code and flags, size of the ranges, one range.
_COMPLETED_FRAME: Final = struct.Struct(">HHI4xIHII")
_COMPLETED_HEAD: Final = 0x020A0100

_commands: Final[dict[bytes, tuple[Struct, bool]]] = {}


def decode_completed(segment: bytes) -> Ranges | None:
    """The ranges of a plain session.completed; None for anything else, which ``codec`` decides."""
    if segment.startswith(COMPLETED_START):
        return _plain_ranges(segment, len(COMPLETED_START))
    return None


def completed_frame(channel: int, first: int, last: int) -> bytes:
    """The frame of a session.completed for one range of unwrapped ids."""
    return _COMPLETED_FRAME.pack(
        WORD_CONTROL,
        _COMPLETED_FRAME.size,
        channel,
        _COMPLETED_HEAD,
        8,
        first & WIRE_MASK,
        last & WIRE_MASK,
    )


def decode_command(segment: bytes) -> tuple[Struct, bool]:
    """What ``codec.decode_command`` says; the struct may be shared: never change it.

    Raises: FramingError.
    """
    if segment.startswith(ACCEPT_CODE):
        sync = segment.startswith(_ACCEPT_SYNC_START)
        if sync or segment.startswith(_ACCEPT_START):
            ranges = _plain_ranges(segment, len(_ACCEPT_START))
            if ranges is not None:
                fields: dict[str, Value] = {"transfers": ranges}
                return Struct(_ACCEPT, fields), sync
        return codec.decode_command(segment)
    found = _commands.get(segment)
    if found is not None:
        return found
    decoded = codec.decode_command(segment)
    if segment[:2] in _REPEATED and len(segment) <= CACHE_KEY_MAX:
        if len(_commands) >= CACHE_ENTRIES_MAX:
            _commands.clear()
        _commands[segment] = decoded
    return decoded


def encode_accept(ranges: Ranges) -> bytes:
    """The payload of a message.accept for ``ranges`` (wire ids, 8191 ranges at most)."""
    if len(ranges) == 1:
        first, last = ranges[0]
        return _ACCEPT_START + _ONE_RANGE.pack(8, first, last)
    return codec.encode_command(codec.make("message.accept", transfers=ranges))


def _plain_ranges(segment: bytes, at: int) -> Ranges | None:
    """The sequence-set from ``at`` to the end of ``segment``; None if it is not exactly that."""
    start = at + 2
    end = len(segment)
    size = end - start
    if size <= 0 or size % 8 or size != segment[at] << 8 | segment[at + 1]:
        return None
    ranges: Ranges = []
    while start < end:
        first, last = _RANGE.unpack_from(segment, start)
        if (last - first) & WIRE_MASK >= HALF:
            return None
        ranges.append((first, last))
        start += 8
    return ranges
