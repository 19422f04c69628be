"""A proxy that breaks a promise: it does one thing to one message of an AMQP 0-10 client.

It takes the octets of each connection apart into frames, and frames into commands; everything but
that one message passes as it is. The number of commands stays what the client believes: a message
that is swallowed leaves an ``execution.sync`` behind, which the broker confirms in its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from bad_input_peer import Peer

from tanist.wire.amqp010.codec import encode_command, make
from tanist.wire.amqp010.framing import (
    FIRST_FRAME,
    FRAME_HEADER,
    FRAME_HEADER_SIZE,
    LAST_FRAME,
    LAST_SEGMENT,
    TYPE_BODY,
    TYPE_COMMAND,
    TYPE_HEADER,
    encode_command_frame,
)
from tanist_interop.hosts.proxies import Tap

PROTOCOL_HEADER_SIZE = 8
TRANSFER = b"\x04\x01"
REDELIVERED = 0x04
"""In the first octet of the packing flags of the delivery properties: the third field."""

FLAGS_AT = 6
"""In the struct: behind its size and code."""

Deed = Callable[[bytes, int], bytes]
"""What becomes of the frames of the message; also told is its channel."""


def swallow(_: bytes, channel: int) -> bytes:
    """The broker gets another command instead, and confirms that."""
    return encode_command_frame(channel, encode_command(make("execution.sync"), sync=True))


class Duplicate:
    """The broker gets it twice: once more from a connection of our own, so that it does not confirm
    more to the client than that has sent. Set ``port``, which is the broker's, and ``close``."""

    def __init__(self) -> None:
        self.port = 0
        self._peer: Peer | None = None

    def __call__(self, frames: bytes, _: int) -> bytes:
        self._peer = Peer(self.port)
        self._peer.call("execution.sync")
        self._peer.socket.sendall(on_channel(frames, 0))
        return frames

    def close(self) -> None:
        """End the connection; what it sent has arrived."""
        if self._peer is not None:
            self._peer.socket.close()


def on_channel(frames: bytes, channel: int) -> bytes:
    """The same frames on another channel."""
    out = bytearray(frames)
    at = 0
    while at < len(out):
        word, size, where = FRAME_HEADER.unpack_from(out, at)
        FRAME_HEADER.pack_into(out, at, word, size, where & ~0xFFFF | channel)
        at += size
    return bytes(out)


def unmark(frames: bytes, _: int) -> bytes:
    """The client is not told that the message may have been delivered before."""
    out = bytearray(frames)
    at = 0
    while at < len(out):
        word, size, _ = FRAME_HEADER.unpack_from(out, at)
        flags = at + FRAME_HEADER_SIZE + FLAGS_AT
        if word & 0xFF == TYPE_HEADER and out[flags] & REDELIVERED:
            out[flags] &= ~REDELIVERED & 0xFF
        at += size
    return bytes(out)


def changed(pattern: str, which: Callable[[str], bool], done: list[str]) -> Tap:
    """A tap between brokers: of one message the octet at which ``pattern`` ends becomes another
    one. ``which`` tells by the first group of the pattern whether that is the message; the group
    is added to ``done``."""
    wanted = re.compile(pattern.encode())

    def tap(_: object, forth: bool, data: bytes) -> bytes:
        for found in () if done else wanted.finditer(data):
            if which(name := found[1].decode()):
                done.append(name)
                return data[: found.end() - 1] + b"!" + data[found.end() :]
        return data

    return tap


@dataclass
class Stream:
    """One way of one connection."""

    held: bytes = b""
    begun: bool = False
    commands: dict[int, bytes] = field(default_factory=dict)
    """Per channel: the frames of the message that is not whole yet."""


class Meddler:
    """A tap: does ``deed`` to messages whose body begins with ``body``, on their way to the broker
    (``forth``) or from it; to one of them, or to all (``often``). ``done`` counts."""

    def __init__(self, body: bytes, deed: Deed, forth: bool = True, often: bool = False) -> None:
        self.body = body
        self.deed = deed
        self.forth = forth
        self.often = often
        self.done = 0
        self._streams: dict[object, Stream] = {}

    def __call__(self, connection: object, forth: bool, data: bytes) -> bytes:
        if forth is not self.forth:
            return data
        stream = self._streams.setdefault(connection, Stream())
        stream.held += data
        out = b""
        if not stream.begun and len(stream.held) >= PROTOCOL_HEADER_SIZE:
            stream.begun = True
            out, stream.held = _cut(stream.held, PROTOCOL_HEADER_SIZE)
        while stream.begun and len(stream.held) >= FRAME_HEADER_SIZE:
            _, size, _ = FRAME_HEADER.unpack_from(stream.held)
            if len(stream.held) < size:
                break
            frame, stream.held = _cut(stream.held, size)
            out += self._frame(stream, frame)
        return out

    def _frame(self, stream: Stream, frame: bytes) -> bytes:
        word, _, where = FRAME_HEADER.unpack_from(frame)
        channel = where & 0xFFFF
        kind, flags = word & 0xFF, word >> 8
        payload = frame[FRAME_HEADER_SIZE:]
        if kind == TYPE_COMMAND and payload.startswith(TRANSFER) and not flags & LAST_SEGMENT:
            stream.commands[channel] = frame
            return b""
        if channel not in stream.commands or kind not in (TYPE_HEADER, TYPE_BODY):
            return frame
        stream.commands[channel] += frame
        if not (flags & LAST_SEGMENT and flags & LAST_FRAME):
            return b""
        whole = stream.commands.pop(channel)
        wanted = kind == TYPE_BODY and flags & FIRST_FRAME and payload.startswith(self.body)
        if not wanted or (self.done and not self.often):
            return whole
        self.done += 1
        return self.deed(whole, channel)


def _cut(data: bytes, at: int) -> tuple[bytes, bytes]:
    return data[:at], data[at:]
