"""Frames to whole controls and commands: the receive side of the hot path.

``Assembler.feed`` takes whatever the transport brought and returns what it completed, in order,
as plain tuples ``(channel, track, segment, header, body)``:

* ``track`` 0: ``segment`` is the payload of a control; ``header`` and ``body`` are empty;
* ``track`` 1: ``segment`` is the payload of a command, ``header`` and ``body`` its content: an
  absent header is empty, an absent body is None, because a receiver must not get an empty body
  segment where its sender sent none. ``segment`` starts with ``transfer.TRANSFER_CODE`` if it is a
  message.

Nearly every message is three whole frames (a replication batch two) lying one behind the other in
one read, and nearly everything else is one whole frame. ``feed`` takes those at once; the rest goes
frame by frame through ``_add`` (and the pieces of large messages are kept until their last frame).
Commands of different channels, and the two tracks of one channel, may interleave.

``feed`` never raises: it returns what was good, and sets ``failure`` when what follows breaks the
rules: the caller uses the units first, then closes the connection with 501.

Source: AMQP specification 0-10, II.4.4 "Framing"; limits: ``tanist.types``.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from tanist.types import (
    CHANNEL_MAX,
    FRAME_SIZE_MAX,
    MESSAGE_BYTES_MAX,
    SESSIONS_PER_CONNECTION_MAX,
    FramingError,
)
from tanist.wire.amqp010.framing import (
    COMMAND_TRACK,
    FIRST_FRAME,
    FIRST_SEGMENT,
    FRAME_HEADER,
    FRAME_HEADER_SIZE,
    LAST_FRAME,
    LAST_SEGMENT,
    TYPE_BODY,
    TYPE_COMMAND,
    TYPE_CONTROL,
    TYPE_HEADER,
    WORD_BODY,
    WORD_COMMAND,
    WORD_CONTROL,
    WORD_HEAD,
    WORD_HEADER,
    FrameBuffer,
    check_frame,
)
from tanist.wire.amqp010.spec import COMMANDS
from tanist.wire.amqp010.transfer import TRANSFER_CODE

Assembled: TypeAlias = tuple[int, int, bytes, bytes, bytes | None]
"""``(channel, track, segment, header, body)``."""

SEGMENT_BYTES_MAX: Final = 1024 * 1024
"""Largest control, command or header segment: they are decoded whole, and the original's never
exceed one frame. Bodies may have ``MESSAGE_BYTES_MAX``."""

PIECE_COST: Final = 64
"""Octets that each kept frame counts for on top of its payload, so that a flood of tiny frames
reaches the limit before it fills the memory with Python objects."""

PLACES_MAX: Final = 2 * SESSIONS_PER_CONNECTION_MAX
"""Incomplete commands at one time: two tracks for each session a connection may have."""

_SEGMENT_BITS: Final = FIRST_SEGMENT | LAST_SEGMENT
_CONTENT_COMMANDS: Final = frozenset(
    key.to_bytes(2, "big") for key, definition in COMMANDS.items() if definition.content
)


class _Pending:
    """A command of which some frames have arrived.

    ``type`` is the type of the segment being received, -1 between two; ``previous`` that of the
    segment before it, -1 for the first. ``bits`` are the segment flags of the current one.
    """

    __slots__ = ("bits", "cost", "done", "pieces", "previous", "size", "type")

    def __init__(self) -> None:
        self.done: list[bytes] = [b"", b"", b"", b""]
        self.pieces: list[bytes] = []
        self.type = -1
        self.previous = -1
        self.bits = 0
        self.size = 0
        self.cost = 0


class Assembler:
    """Octets to whole controls and commands, for one direction of one connection.

    ``frame_max`` and ``channel_max`` may be lowered when tune has agreed on less;
    ``content_max`` bounds the octets of all incomplete commands together.
    """

    __slots__ = (
        "_buffer",
        "_cost",
        "_pending",
        "channel_max",
        "content_max",
        "failure",
        "frame_max",
        "frames",
    )

    def __init__(
        self,
        frame_max: int = FRAME_SIZE_MAX,
        channel_max: int = CHANNEL_MAX,
        content_max: int = MESSAGE_BYTES_MAX,
    ) -> None:
        self.frame_max = frame_max
        self.channel_max = channel_max
        self.content_max = content_max
        self.failure: FramingError | None = None
        self.frames = 0
        self._buffer = FrameBuffer()
        self._pending: dict[int, _Pending] = {}
        self._cost = 0

    def clear(self) -> None:
        """Forget what is incomplete: the connection is over."""
        self._pending = {}
        self._buffer = FrameBuffer()
        self._cost = 0

    def feed(self, data: bytes) -> list[Assembled]:
        """What ``data`` completed, in order; look at ``failure`` afterwards."""
        units: list[Assembled] = []
        if self.failure is None:
            if self._buffer.held:
                data = self._buffer.push(data)
            if data:
                try:
                    self._parse(data, units)
                except FramingError as error:
                    # Without its traceback, whose frames hold everything that was incomplete.
                    self.failure = error.with_traceback(None)
        return units

    def _parse(self, data: bytes, units: list[Assembled]) -> None:
        unpack = FRAME_HEADER.unpack_from
        end, pos, frame_max, channel_max = len(data), 0, self.frame_max, self.channel_max
        last = end - FRAME_HEADER_SIZE
        while pos <= last:
            word, size, where = unpack(data, pos)
            stop: int = pos + size
            # A message in two or three whole frames, or a whole control or command. Whatever is
            # not exactly that, or too small or too large, is judged below, frame by frame.
            if self._pending or size < 12 or size > frame_max:
                pass
            elif word == WORD_HEAD and stop <= last:
                word2, size2, where2 = unpack(data, stop)
                stop2: int = stop + size2
                if word2 == WORD_HEADER and where2 == where and stop2 <= last and size2 >= 12:
                    word3, size3, where3 = unpack(data, stop2)
                    stop3: int = stop2 + size3
                    if (
                        word3 == WORD_BODY
                        and where3 == where
                        and stop3 <= end
                        and size3 >= 12
                        and size2 <= frame_max
                        and size3 <= frame_max
                        and COMMAND_TRACK <= where <= COMMAND_TRACK | channel_max
                        and data.startswith(TRANSFER_CODE, pos + 12)
                    ):
                        header = data[stop + 12 : stop2]
                        body = data[stop2 + 12 : stop3]
                        units.append((where & 0xFFFF, 1, data[pos + 12 : stop], header, body))
                        self.frames += 3
                        pos = stop3
                        continue
                elif (
                    word2 == WORD_BODY
                    and where2 == where
                    and stop2 <= end
                    and 12 <= size2 <= frame_max
                    and COMMAND_TRACK <= where <= COMMAND_TRACK | channel_max
                    and data.startswith(TRANSFER_CODE, pos + 12)
                ):
                    body = data[stop + 12 : stop2]
                    units.append((where & 0xFFFF, 1, data[pos + 12 : stop], b"", body))
                    self.frames += 2
                    pos = stop2
                    continue
            elif (
                word | 1 == WORD_COMMAND  # or WORD_CONTROL
                and stop <= end
                and where & 0xFFFF <= channel_max
                and where >> 16 == word & 0xFF
            ):
                units.append((where & 0xFFFF, where >> 16, data[pos + 12 : stop], b"", None))
                self.frames += 1
                pos = stop
                continue
            check_frame(word, size, where, frame_max, channel_max)
            if stop > end:
                self._buffer.keep(data[pos:], size)
                return
            self.frames += 1
            self._add(word, where, data[pos + 12 : stop], units)
            pos = stop
        if pos < end:
            self._buffer.keep(data[pos:], FRAME_HEADER_SIZE)

    def _add(self, word: int, where: int, payload: bytes, units: list[Assembled]) -> None:
        """Take one frame; complete a unit if it was the last."""
        pending = self._pending.get(where)
        if pending is None:
            whole = WORD_COMMAND if where >> 16 else WORD_CONTROL
            if word == whole and len(payload) <= SEGMENT_BYTES_MAX:
                units.append((where & 0xFFFF, where >> 16, payload, b"", None))
                return
            pending = self._begin(word, where)
        flags, type_ = word >> 8, word & 0xFF
        if flags & FIRST_FRAME:
            _begin_segment(pending, flags, type_)
        elif pending.type != type_ or pending.bits != flags & _SEGMENT_BITS:
            raise FramingError("frame belongs to no segment begun before it")
        self._keep(pending, payload)
        if flags & LAST_FRAME:
            _end_segment(pending)
            if flags & LAST_SEGMENT:
                del self._pending[where]
                self._cost -= pending.cost
                done = pending.done
                header = done[TYPE_HEADER]
                body = done[TYPE_BODY] if pending.previous == TYPE_BODY else None
                units.append((where & 0xFFFF, where >> 16, done[where >> 16], header, body))

    def _begin(self, word: int, where: int) -> _Pending:
        """The first frame of a control or command."""
        flags, type_ = word >> 8, word & 0xFF
        if flags & (FIRST_SEGMENT | FIRST_FRAME) != FIRST_SEGMENT | FIRST_FRAME:
            raise FramingError("frame continues a command that was never begun")
        if type_ != where >> 16:
            raise FramingError(f"segment of type {type_} begins on track {where >> 16}")
        if type_ == TYPE_CONTROL and not flags & LAST_SEGMENT:
            raise FramingError("a control has one segment only")
        if len(self._pending) >= PLACES_MAX:
            raise FramingError(f"more than {PLACES_MAX} incomplete commands")
        pending = _Pending()
        self._pending[where] = pending
        return pending

    def _keep(self, pending: _Pending, payload: bytes) -> None:
        pending.size += len(payload)
        if pending.type != TYPE_BODY and pending.size > SEGMENT_BYTES_MAX:
            raise FramingError(f"segment of type {pending.type} exceeds {SEGMENT_BYTES_MAX} octets")
        cost = len(payload) + PIECE_COST
        pending.cost += cost
        self._cost += cost
        if self._cost > self.content_max:
            raise FramingError(f"incomplete messages exceed {self.content_max} octets")
        pending.pieces.append(payload)


def _begin_segment(pending: _Pending, flags: int, type_: int) -> None:
    if pending.type >= 0:
        raise FramingError("segment begins before the last frame of the one before it")
    if (pending.previous < 0) != (flags & FIRST_SEGMENT != 0):
        raise FramingError("first-segment flag is wrong")
    if type_ <= pending.previous:
        raise FramingError(f"segment of type {type_} cannot follow one of type {pending.previous}")
    pending.type = type_
    pending.size = 0
    pending.bits = flags & _SEGMENT_BITS


def _end_segment(pending: _Pending) -> None:
    segment = b"".join(pending.pieces)
    if pending.type == TYPE_COMMAND and not pending.bits & LAST_SEGMENT:
        code = segment[:2]
        if code not in _CONTENT_COMMANDS:
            raise FramingError(f"command {code.hex()} carries no header and no body")
    pending.done[pending.type] = segment
    pending.pieces.clear()
    pending.previous = pending.type
    pending.type = -1
