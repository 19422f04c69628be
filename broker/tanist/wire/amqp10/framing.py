"""Frames of AMQP 1.0: their header, an incremental parser, and the encoders.

A frame is eight octets, an extended header that nobody uses, and a body::

    octet 0-3   size of the frame, these octets included
    octet 4     DOFF: where the body starts, in words of four octets, at least 2
    octet 5     type: 0 AMQP, 1 SASL
    octet 6-7   channel (AMQP); ignored (SASL)

The body of an AMQP frame is empty (it only tells that the peer is there) or one performative, which
a payload may follow. Before the first frame of a layer each side sends the eight octets of a
protocol header; SASL comes first, so a second header follows in the same stream. Therefore the
parser is asked for one thing at a time: ``next_header`` or ``next_frame``.

Source: OASIS AMQP 1.0, part 2, 2.2 "Version negotiation", 2.3 "Framing"; part 5, 5.3.1.
"""

from __future__ import annotations

import struct
from typing import Final

from tanist.types import FramingError

FRAME_HEADER: Final = struct.Struct(">IBBH")
FRAME_HEADER_SIZE: Final = 8
FRAME_SIZE_MIN_MAX: Final = 512
"""No peer may set the largest frame below this (MIN-MAX-FRAME-SIZE); SASL frames end there."""

PROTOCOL_HEADER_SIZE: Final = 8

TYPE_AMQP: Final = 0
TYPE_SASL: Final = 1

DOFF: Final = 2
"""Data offset of all frames sent: no extended header."""

EMPTY_FRAME: Final = b"\x00\x00\x00\x08\x02\x00\x00\x00"
"""An AMQP frame without a body: a sign of life."""


class Frame:
    """One frame; ``body`` is what follows the extended header."""

    __slots__ = ("body", "channel", "type")

    def __init__(self, type_: int, channel: int, body: bytes) -> None:
        self.type = type_
        self.channel = channel
        self.body = body


def check_frame(size: int, doff: int, type_: int, frame_max: int) -> None:
    """Judge a frame header before its body is awaited.

    Raises: FramingError if the frame breaks a rule that needs no context.
    """
    if size < FRAME_HEADER_SIZE:
        raise FramingError(f"frame size {size} is below {FRAME_HEADER_SIZE}")
    if size > frame_max:
        raise FramingError(f"frame size {size} is above the agreed {frame_max}")
    if doff < DOFF:
        raise FramingError(f"data offset {doff} lies within the frame header")
    if doff * 4 > size:
        raise FramingError(f"data offset {doff} lies beyond the frame of {size} octets")
    if type_ > TYPE_SASL:
        raise FramingError(f"unknown frame type {type_}: only AMQP (0) and SASL (1) are known")


class FrameParser:
    """Bytes to frames and protocol headers, in time linear in the octets pushed.

    ``push`` takes what one read brought; then the owner calls ``next_frame`` until it returns None.
    ``frame_max`` (octets) may be changed between two calls: it is the largest frame that we told
    the peer we take. After a FramingError the parser must not be used again.
    """

    __slots__ = ("_held", "_need", "data", "frame_max", "pos")

    def __init__(self, frame_max: int = FRAME_SIZE_MIN_MAX) -> None:
        self.frame_max = frame_max
        self.data = b""
        self.pos = 0
        self._held = bytearray()
        self._need = 0

    def push(self, data: bytes) -> None:
        """Octets that arrived."""
        if self._held:
            self._held += data
            if len(self._held) >= self._need:
                self.data = bytes(self._held)
                self.pos = 0
                self._held.clear()
        elif self.pos == len(self.data):
            self.data = data
            self.pos = 0
        else:
            self.data = self.data[self.pos :] + data
            self.pos = 0

    def next_header(self) -> bytes | None:
        """The eight octets of a protocol header; None until they are there."""
        pos = self.pos
        if len(self.data) - pos < PROTOCOL_HEADER_SIZE:
            self._hold(PROTOCOL_HEADER_SIZE)
            return None
        self.pos = pos + PROTOCOL_HEADER_SIZE
        return self.data[pos : self.pos]

    def next_frame(self) -> Frame | None:
        """The next frame; None until it is complete. Raises: FramingError."""
        data, pos = self.data, self.pos
        there = len(data) - pos
        if there < FRAME_HEADER_SIZE:
            self._hold(FRAME_HEADER_SIZE)
            return None
        size, doff, type_, channel = FRAME_HEADER.unpack_from(data, pos)
        check_frame(size, doff, type_, self.frame_max)
        if there < size:
            self._hold(size)
            return None
        self.pos = pos + size
        return Frame(type_, channel, data[pos + doff * 4 : pos + size])

    def _hold(self, need: int) -> None:
        """Keep what is left until ``need`` octets are there: one frame at most is ever held."""
        if self.pos < len(self.data):
            self._held += memoryview(self.data)[self.pos :]
            self._need = need
        self.data = b""
        self.pos = 0


def encode_frame(channel: int, body: bytes, type_: int = TYPE_AMQP) -> bytes:
    """A frame without extended header; the caller keeps it below the peer's largest."""
    return FRAME_HEADER.pack(len(body) + FRAME_HEADER_SIZE, DOFF, type_, channel) + body
