"""What is waiting to be written: frames, joined once.

``Output`` is the one place where the bytes of a 1.0 connection are put in order. The chunks are
kept as they came and joined by one ``take``, so that message content is copied once.

Source: AMQP 1.0, 2.3 "Framing".
"""

from __future__ import annotations

from tanist.wire.amqp10.codec import encode_performative
from tanist.wire.amqp10.framing import (
    DOFF,
    EMPTY_FRAME,
    FRAME_HEADER,
    FRAME_HEADER_SIZE,
    FRAME_SIZE_MIN_MAX,
    TYPE_AMQP,
    TYPE_SASL,
)
from tanist.wire.amqp10.shortening import shorten
from tanist.wire.amqp10.values import Composite
from tanist.wire.bell import Bell


class Output:
    """Bytes to send, in order.

    ``frame_max``: octets of the largest frame that the peer takes, its header included; it grows
    from the least to what the peer's Open says. ``frames`` counts what was ever put in.
    ``quiet``: nothing waits to be written or announced; whoever changes that calls ``ring``.
    """

    __slots__ = ("_bell", "chunks", "frame_max", "frames", "quiet")

    def __init__(self, bell: Bell | None = None) -> None:
        self._bell = bell
        self.quiet = True
        self.chunks: list[bytes] = []
        self.frames = 0
        self.frame_max = FRAME_SIZE_MIN_MAX

    def take(self) -> bytes:
        """All that waits, joined; afterwards nothing waits."""
        chunks = self.chunks
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self.quiet = True
        return data

    def ring(self) -> None:
        """There is something to write, or to announce before that."""
        self.quiet = False
        if self._bell is not None:
            self._bell.ring()

    def raw(self, data: bytes) -> None:
        """Put octets that are whole frames already, or a protocol header."""
        if self.quiet:
            self.ring()
        self.chunks.append(data)

    def frame(self, channel: int, body: bytes, type_: int = TYPE_AMQP) -> None:
        """Put one frame; ``body`` is a performative, and perhaps its payload."""
        if self.quiet:
            self.ring()
        self.frames += 1
        size = len(body) + FRAME_HEADER_SIZE
        self.chunks.append(FRAME_HEADER.pack(size, DOFF, type_, channel))
        self.chunks.append(body)

    def fits(self, performative: Composite) -> bool:
        """Whether the peer takes a frame with this performative."""
        return len(encode_performative(performative)) + FRAME_HEADER_SIZE <= self.frame_max

    def performative(self, channel: int, performative: Composite) -> None:
        """Put a performative; one that is too large for the peer is shortened, in place."""
        body = encode_performative(performative)
        if len(body) + FRAME_HEADER_SIZE > self.frame_max:
            shorten(performative)
            body = encode_performative(performative)
        self.frame(channel, body)

    def sasl(self, body: Composite) -> None:
        """Put a SASL frame."""
        self.frame(0, encode_performative(body), TYPE_SASL)

    def empty(self) -> None:
        """Put a frame that only says that we live."""
        self.frames += 1
        self.raw(EMPTY_FRAME)
