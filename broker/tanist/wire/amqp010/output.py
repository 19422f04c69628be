"""What is waiting to be written: segments cut into frames, joined once.

``Output`` is the one place where the bytes of a 0-10 connection are put in order. Everything that
is sent is a *segment* (a control, a command, a header or a body); a segment longer than the
peer's frame size becomes several frames (specification 0-10, II.4.4 "Framing"). The chunks are
kept as they came and joined by one ``take``, so that message content is copied once.

A session that is not yet confirmed writes into an ``Output`` of its own, which is appended to the
connection's, or dropped when the session is refused.
"""

from __future__ import annotations

from typing import Final

from tanist.types import FRAME_SIZE_MAX
from tanist.wire.amqp010.codec import encode_control
from tanist.wire.amqp010.framing import (
    COMMAND_TRACK,
    FIRST_FRAME,
    FIRST_SEGMENT,
    FRAME_HEADER,
    FRAME_HEADER_SIZE,
    LAST_FRAME,
    LAST_SEGMENT,
    TYPE_CONTROL,
)
from tanist.wire.amqp010.values import Struct
from tanist.wire.bell import Bell

WHOLE_SEGMENTS: Final = FIRST_SEGMENT | LAST_SEGMENT
"""Flags of a segment that is a whole control or command."""


class Output:
    """Bytes to send, in order.

    ``max_payload`` is the longest payload of one frame; it starts with the largest that the
    protocol has and shrinks to what tune-ok says. ``frames`` counts what was ever put in.
    ``quiet``: nothing waits to be written or announced; whoever changes that calls ``ring``.
    """

    __slots__ = ("_bell", "chunks", "frames", "max_payload", "quiet", "segment_bytes")

    def __init__(
        self,
        max_payload: int = FRAME_SIZE_MAX - FRAME_HEADER_SIZE,
        bell: Bell | None = None,
    ) -> None:
        self._bell = bell
        self.quiet = True
        self.chunks: list[bytes] = []
        self.frames = 0
        self.segment_bytes = 0
        self.max_payload = max_payload

    def take(self) -> bytes:
        """All that waits, joined; afterwards nothing waits."""
        chunks = self.chunks
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self.segment_bytes = 0
        self.quiet = True
        return data

    def ring(self) -> None:
        """There is something to write, or to announce before that."""
        self.quiet = False
        if self._bell is not None:
            self._bell.ring()

    def raw(self, data: bytes) -> None:
        """Put octets that are no frame: a protocol header."""
        if self.quiet:
            self.ring()
        self.chunks.append(data)

    def append(self, other: Output) -> None:
        """Move everything that waits in ``other`` behind what waits here."""
        if self.quiet and other.chunks:
            self.ring()
        self.chunks.extend(other.chunks)
        self.frames += other.frames
        self.segment_bytes += other.segment_bytes
        other.chunks.clear()
        other.frames = other.segment_bytes = 0

    def control(self, channel: int, control: Struct) -> None:
        """Put a control."""
        self.segment(TYPE_CONTROL, channel, encode_control(control), WHOLE_SEGMENTS)

    def segment(self, type_: int, channel: int, payload: bytes, flags: int) -> None:
        """Put one segment; ``flags``: whether it is the first and the last of its command."""
        if self.quiet:
            self.ring()
        where = channel if type_ == TYPE_CONTROL else COMMAND_TRACK | channel
        size, room = len(payload), self.max_payload
        self.segment_bytes += size
        if size <= room:
            word = (flags | FIRST_FRAME | LAST_FRAME) << 8 | type_
            self.frames += 1
            self.chunks.append(FRAME_HEADER.pack(word, size + FRAME_HEADER_SIZE, where))
            self.chunks.append(payload)
            return
        for start in range(0, size, room):
            piece = payload[start : start + room]
            bits = flags
            if start == 0:
                bits |= FIRST_FRAME
            if start + room >= size:
                bits |= LAST_FRAME
            self.frames += 1
            self.chunks.append(
                FRAME_HEADER.pack(bits << 8 | type_, len(piece) + FRAME_HEADER_SIZE, where)
            )
            self.chunks.append(piece)
