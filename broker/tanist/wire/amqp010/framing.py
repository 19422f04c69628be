"""Frames of AMQP 0-10: their header, an incremental parser, and the encoders.

A frame is twelve octets and a payload::

    octet 0     format (2 bits, 0), reserved (2), first and last segment, first and last frame
    octet 1     segment type: 0 control, 1 command, 2 header, 3 body
    octet 2-3   size of the frame, these twelve octets included
    octet 4-5   reserved (12 bits), track (4): 0 controls, 1 commands
    octet 6-7   channel
    octet 8-11  reserved; ignored, as the original does

Three numbers are read at once: ``word`` (octets 0-1), ``size``, and ``where`` (octets 4-7: track
and channel, which together name the place where a segment is assembled).

``FrameParser`` yields single frames and is the tool of tests and inspections; a connection uses
``assembly.Assembler``, which shares ``FrameBuffer`` and ``check_frame`` with it.

Source: AMQP specification 0-10, II.4.4 "Framing" (assemblies, segments, frames).
"""

from __future__ import annotations

import struct
from typing import Final

from tanist.types import CHANNEL_MAX, FRAME_SIZE_MAX, FramingError

FRAME_HEADER: Final = struct.Struct(">HHI4x")
FRAME_HEADER_SIZE: Final = 12
FRAME_SIZE_MIN_MAX: Final = 4096
"""No peer may set the largest frame below this (MIN-MAX-FRAME-SIZE)."""

FIRST_SEGMENT: Final = 0x08
LAST_SEGMENT: Final = 0x04
FIRST_FRAME: Final = 0x02
LAST_FRAME: Final = 0x01

TYPE_CONTROL: Final = 0
TYPE_COMMAND: Final = 1
TYPE_HEADER: Final = 2
TYPE_BODY: Final = 3

TRACK_CONTROL: Final = 0
TRACK_COMMAND: Final = 1

COMMAND_TRACK: Final = TRACK_COMMAND << 16
"""``where`` of channel 0 on the command track."""

WORD_CONTROL: Final = 0x0F00
"""A whole control in one frame."""
WORD_COMMAND: Final = 0x0F01
"""A whole command without content in one frame."""
WORD_HEAD: Final = 0x0B01
"""A whole command segment; content follows."""
WORD_HEADER: Final = 0x0302
"""A whole header segment; a body follows."""
WORD_LAST_HEADER: Final = 0x0702
"""A whole header segment of a message without a body segment."""
WORD_BODY: Final = 0x0703
"""A whole body segment."""


class Frame:
    """One frame. ``flags`` are the four bits of octet 0."""

    __slots__ = ("channel", "flags", "payload", "track", "type")

    def __init__(self, flags: int, type_: int, track: int, channel: int, payload: bytes) -> None:
        self.flags = flags
        self.type = type_
        self.track = track
        self.channel = channel
        self.payload = payload

    def encode(self) -> bytes:
        """The octets of the frame."""
        word, where = self.flags << 8 | self.type, self.track << 16 | self.channel
        return FRAME_HEADER.pack(word, len(self.payload) + FRAME_HEADER_SIZE, where) + self.payload


def check_frame(word: int, size: int, where: int, frame_max: int, channel_max: int) -> None:
    """Judge a frame header before its payload is awaited.

    Raises: FramingError if the frame breaks a rule that needs no context.
    """
    if word & 0xF000:
        raise FramingError(f"frame format or reserved bits {word >> 12:#x}: only 0 is known")
    if word & 0xFF > TYPE_BODY:
        raise FramingError(f"unknown segment type {word & 0xFF}")
    if size < FRAME_HEADER_SIZE:
        raise FramingError(f"frame size {size} is below {FRAME_HEADER_SIZE}")
    if size > frame_max:
        raise FramingError(f"frame size {size} is above the agreed {frame_max}")
    if where >> 16 > TRACK_COMMAND:
        raise FramingError(f"track or reserved bits {where >> 16:#x}: only 0 and 1 are known")
    if where & 0xFFFF > channel_max:
        raise FramingError(f"channel {where & 0xFFFF} is above the agreed {channel_max}")


class FrameBuffer:
    """Holds the incomplete frame between two reads, in time linear in the octets fed.

    ``push`` hands out octets that start with a frame; the caller parses whole frames and gives
    the rest back with ``keep``, saying how many octets it needs before it can go on.
    ``held``: what is incomplete; with nothing there, ``push`` would return what it is given.
    """

    __slots__ = ("_need", "held")

    def __init__(self) -> None:
        self.held = bytearray()
        self._need = 0

    def push(self, data: bytes) -> bytes:
        """``data`` behind what was held; empty while that is less than was needed."""
        if not self.held:
            return data
        self.held += data
        if len(self.held) < self._need:
            return b""
        joined = bytes(self.held)
        self.held.clear()
        return joined

    def keep(self, rest: bytes, need: int) -> None:
        """Hold ``rest`` until ``need`` octets are there (one frame at most is ever held)."""
        self.held += rest
        self._need = need


class FrameParser:
    """Bytes to frames, one object each.

    ``feed`` never raises: it returns the good frames, and ``failure`` is set when what follows
    them is bad; from then on everything is ignored.
    """

    __slots__ = ("_buffer", "channel_max", "failure", "frame_max")

    def __init__(self, frame_max: int = FRAME_SIZE_MAX, channel_max: int = CHANNEL_MAX) -> None:
        self.frame_max = frame_max
        self.channel_max = channel_max
        self.failure: FramingError | None = None
        self._buffer = FrameBuffer()

    def feed(self, data: bytes) -> list[Frame]:
        """The frames completed by ``data``; look at ``failure`` afterwards."""
        frames: list[Frame] = []
        if self.failure is not None:
            return frames
        data = self._buffer.push(data)
        pos, end = 0, len(data)
        try:
            while end - pos >= FRAME_HEADER_SIZE:
                word, size, where = FRAME_HEADER.unpack_from(data, pos)
                check_frame(word, size, where, self.frame_max, self.channel_max)
                stop = pos + size
                if stop > end:
                    self._buffer.keep(data[pos:], size)
                    return frames
                payload = data[pos + FRAME_HEADER_SIZE : stop]
                frames.append(Frame(word >> 8, word & 0xFF, where >> 16, where & 0xFFFF, payload))
                pos = stop
        except FramingError as error:
            self.failure = error
            return frames
        if pos < end:
            self._buffer.keep(data[pos:], FRAME_HEADER_SIZE)
        return frames


def encode_segment(
    channel: int, type_: int, payload: bytes, first: bool, last: bool, frame_max: int
) -> bytes:
    """The frames of one segment; at least one, even for an empty payload."""
    flags = (FIRST_SEGMENT if first else 0) | (LAST_SEGMENT if last else 0)
    where = channel if type_ == TYPE_CONTROL else COMMAND_TRACK | channel
    total, room = len(payload), frame_max - FRAME_HEADER_SIZE
    if total <= room:
        word = (flags | FIRST_FRAME | LAST_FRAME) << 8 | type_
        return FRAME_HEADER.pack(word, total + FRAME_HEADER_SIZE, where) + payload
    assert room > 0, "the largest frame has no room for a payload"
    parts: list[bytes] = []
    for at in range(0, total, room):
        piece = payload[at : at + room]
        bits = flags | (FIRST_FRAME if at == 0 else 0)
        if at + room >= total:
            bits |= LAST_FRAME
        parts.append(FRAME_HEADER.pack(bits << 8 | type_, len(piece) + FRAME_HEADER_SIZE, where))
        parts.append(piece)
    return b"".join(parts)


def encode_control_frame(channel: int, payload: bytes, frame_max: int = FRAME_SIZE_MAX) -> bytes:
    """The frames of a control (``payload`` from ``codec.encode_control``): usually one."""
    return encode_segment(channel, TYPE_CONTROL, payload, True, True, frame_max)


def encode_command_frame(channel: int, payload: bytes, frame_max: int = FRAME_SIZE_MAX) -> bytes:
    """The frames of a command without content: usually one."""
    return encode_segment(channel, TYPE_COMMAND, payload, True, True, frame_max)


def encode_transfer_frames(
    channel: int, head: bytes, header: bytes, body: bytes | None, frame_max: int = FRAME_SIZE_MAX
) -> bytes:
    """The frames of a message: ``head`` (``transfer.encode_transfer``), header, body.

    An empty ``header`` gives no header segment. An empty ``body`` is a segment all the same: None
    is no body segment, which clients tell their application as something else.
    """
    if body is None:
        command = encode_segment(channel, TYPE_COMMAND, head, True, not header, frame_max)
        if not header:
            return command
        return command + encode_segment(channel, TYPE_HEADER, header, False, True, frame_max)
    where = COMMAND_TRACK | channel
    room = frame_max - FRAME_HEADER_SIZE
    if len(body) <= room and len(header) <= room and len(head) <= room:
        pack = FRAME_HEADER.pack
        if header:
            return b"".join(
                (
                    pack(WORD_HEAD, len(head) + FRAME_HEADER_SIZE, where),
                    head,
                    pack(WORD_HEADER, len(header) + FRAME_HEADER_SIZE, where),
                    header,
                    pack(WORD_BODY, len(body) + FRAME_HEADER_SIZE, where),
                    body,
                )
            )
        return b"".join(
            (
                pack(WORD_HEAD, len(head) + FRAME_HEADER_SIZE, where),
                head,
                pack(WORD_BODY, len(body) + FRAME_HEADER_SIZE, where),
                body,
            )
        )
    parts = [encode_segment(channel, TYPE_COMMAND, head, True, False, frame_max)]
    if header:
        parts.append(encode_segment(channel, TYPE_HEADER, header, False, False, frame_max))
    parts.append(encode_segment(channel, TYPE_BODY, body, False, True, frame_max))
    return b"".join(parts)
