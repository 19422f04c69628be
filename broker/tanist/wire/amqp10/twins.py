"""The hand-written twins of the codec for the three performatives that every message needs.

``decode_*`` read the forms that clients send: a short list, described by a small number, without
the fields that ordinary traffic leaves out. They return None for anything else, good or bad, and
the general codec judges it: a twin never raises. ``encode_*`` give what the general encoder gives.
Property tests hold this module equal to ``composing`` and ``encoding``.

Bounds are checked once, at the end: reading beyond the list, or beyond the octets, leaves the
position somewhere else than where the list must end.

Source: OASIS AMQP 1.0, part 2, 2.7.4 "Flow", 2.7.5 "Transfer", 2.7.6 "Disposition".
"""

from __future__ import annotations

import struct
from typing import Final

from tanist.wire.amqp10.composites import Accepted
from tanist.wire.amqp10.performatives import Disposition, Flow, Transfer

ACCEPTED: Final = Accepted()
"""The outcome of nearly all deliveries; it has no fields and is shared."""

_FLOW: Final = b"\x00\x53\x13\xc0"
_TRANSFER: Final = b"\x00\x53\x14\xc0"
_DISPOSITION: Final = b"\x00\x53\x15\xc0"

_ACCEPTED: Final = b"\x00\x53\x24\x45"
_ACCEPTED_LONG: Final = b"\x00\x53\x24\xc0\x01\x00"
"""The empty list with a size, as Proton's own engine writes it."""

_UINT: Final = struct.Struct(">BI")

_ONE: Final = b"\x00\x53\x15\xc0\x0d\x05"
_MANY: Final = b"\x00\x53\x15\xc0\x11\x05"
_ACCEPT_ONE: Final = struct.Struct(">6sBBIBB4s")
_ACCEPT_MANY: Final = struct.Struct(">6sBBIBIB4s")
"""How most dispositions of ours begin, and what they look like: of one delivery, of several."""

NO_NUMBER: Final = -1
"""An absent uint, while reading."""


def decode_transfer(data: bytes, start: int) -> tuple[Transfer, int] | None:
    """A transfer with at most handle, delivery-id, tag, format 0, settled, more, batchable.

    Returns it and where it ends; None: ask the general codec.
    """
    try:
        if data[start : start + 4] != _TRANSFER:
            return None
        count = data[start + 5]
        stop = start + 5 + data[start + 4]
        pos = start + 6
        if count < 5 or stop > len(data):
            return _decode_continuation(data, pos, count, stop)
        code = data[pos]
        if code == 0x43:
            handle = 0
            pos += 1
        elif code == 0x52:
            handle = data[pos + 1]
            pos += 2
        else:
            return None
        code = data[pos]
        if code == 0x52:
            delivery_id = data[pos + 1]
            pos += 2
        elif code == 0x70:
            delivery_id = int.from_bytes(data[pos + 1 : pos + 5], "big")
            pos += 5
        elif code == 0x43:
            delivery_id = 0
            pos += 1
        else:
            return None
        return _read_transfer_tail(data, pos, count, stop, handle, delivery_id)
    except IndexError:
        return None


def _read_transfer_tail(
    data: bytes, pos: int, count: int, stop: int, handle: int, delivery_id: int
) -> tuple[Transfer, int] | None:
    """From the tag on; may raise IndexError."""
    if data[pos] != 0xA0:
        return None
    at = pos + 2
    pos = at + data[pos + 1]
    tag = data[at:pos]
    if data[pos] != 0x43:
        return None
    code = data[pos + 1]
    if code == 0x42:
        settled = False
    elif code == 0x41:
        settled = True
    else:
        return None
    pos += 2
    if count == 5:
        return (Transfer(handle, delivery_id, tag, 0, settled), pos) if pos == stop else None
    flags = _read_flags(data, pos, count, stop)
    if flags == 0:
        return Transfer(handle, delivery_id, tag, 0, settled), stop
    if flags < 0:
        return None
    more, batchable = flags & 1 != 0, flags & 2 != 0
    return (
        Transfer(handle, delivery_id, tag, 0, settled, more, None, None, False, False, batchable),
        stop,
    )


def _read_flags(data: bytes, pos: int, count: int, stop: int) -> int:
    """The fields from more on: 1 more, 2 batchable; -1 unless all others are plain."""
    if stop - pos != count - 5 or count > 11:
        return -1
    flags = 0
    for at in range(pos, stop):
        code = data[at]
        field = at - pos
        if code == 0x41 and field in (0, 5):
            flags |= 1 if field == 0 else 2
        elif code != 0x40 and (code != 0x42 or field in (1, 2)):
            return -1
    return flags


def _decode_continuation(
    data: bytes, pos: int, count: int, stop: int
) -> tuple[Transfer, int] | None:
    """The last frame of a delivery in several frames: the handle and nothing else."""
    if count != 1 or stop > len(data):
        return None
    if data[pos] == 0x43 and stop == pos + 1:
        return Transfer(0), stop
    if data[pos] == 0x52 and stop == pos + 2:
        return Transfer(data[pos + 1]), stop
    return None


def decode_disposition(data: bytes, start: int) -> tuple[Disposition, int] | None:
    """A disposition whose state is accepted or absent.

    Returns it and where it ends; None: ask the general codec.
    """
    try:
        if data[start : start + 4] != _DISPOSITION:
            return None
        count = data[start + 5]
        stop = start + 5 + data[start + 4]
        pos = start + 6
        if not 2 <= count <= 6 or stop > len(data) or not 0x41 <= data[pos] <= 0x42:
            return None
        role = data[pos] == 0x41
        first, pos = _read_uint(data, pos + 1)
        last, settled, batchable, state = NO_NUMBER, False, False, None
        if first < 0:
            return None
        if count > 2:
            last, pos = _read_uint(data, pos)
        if count > 3:
            settled = data[pos] == 0x41
            if not 0x40 <= data[pos] <= 0x42:
                return None
            pos += 1
        if count > 4:
            if data[pos : pos + 4] == _ACCEPTED:
                state = ACCEPTED
                pos += 4
            elif data[pos : pos + 6] == _ACCEPTED_LONG:
                state = ACCEPTED
                pos += 6
            elif data[pos] == 0x40:
                pos += 1
            else:
                return None
        if count > 5:
            batchable = data[pos] == 0x41
            if not 0x40 <= data[pos] <= 0x42:
                return None
            pos += 1
    except IndexError:
        return None
    if pos != stop:
        return None
    return (
        Disposition(role, first, None if last < 0 else last, settled, state, batchable),
        pos,
    )


def _read_uint(data: bytes, pos: int) -> tuple[int, int]:
    """A uint or null and where it ends; the end is 0 when it is something else."""
    code = data[pos]
    if code == 0x52:
        return data[pos + 1], pos + 2
    if code == 0x70:
        return int.from_bytes(data[pos + 1 : pos + 5], "big"), pos + 5
    if code == 0x43:
        return 0, pos + 1
    return NO_NUMBER, pos + 1 if code == 0x40 else 0


def decode_flow(data: bytes, start: int) -> tuple[Flow, int] | None:
    """A flow without properties.

    Returns it and where it ends; None: ask the general codec.
    """
    try:
        if data[start : start + 4] != _FLOW:
            return None
        count = data[start + 5]
        stop = start + 5 + data[start + 4]
        pos = start + 6
        if not 4 <= count <= 11 or stop > len(data):
            return None
        numbers: list[int | None] = []
        for _ in range(min(count, 8)):
            number, pos = _read_uint(data, pos)
            if pos == 0:
                return None
            numbers.append(None if number < 0 else number)
        flags = [False, False]
        for at in range(8, count):
            code = data[pos]
            pos += 1
            if at < 10 and code == 0x41:
                flags[at - 8] = True
            elif code != 0x40 and (code != 0x42 or at == 10):
                return None
    except IndexError:
        return None
    numbers += [None] * (8 - len(numbers))
    incoming, following, outgoing = numbers[1], numbers[2], numbers[3]
    if pos != stop or incoming is None or following is None or outgoing is None:
        return None
    return (
        Flow(
            numbers[0],
            incoming,
            following,
            outgoing,
            numbers[4],
            numbers[5],
            numbers[6],
            numbers[7],
            flags[0],
            flags[1],
        ),
        pos,
    )


def _uint(number: int | None) -> bytes:
    """A uint in its smallest encoding; None is null."""
    if number is None:
        return b"\x40"
    if number > 255:
        return _UINT.pack(0x70, number)
    return b"\x52%c" % number if number else b"\x43"


def encode_transfer(
    handle: int, delivery_id: int, delivery_tag: bytes, settled: bool, more: bool = False
) -> bytes:
    """The first (or only) transfer of a delivery of message format 0. The tag has 1 to 32 octets.

    ``settled`` is always written: what a receiver must do hangs on it.
    """
    body = b"%b%b\xa0%c%b\x43%b%b" % (
        _uint(handle),
        _uint(delivery_id),
        len(delivery_tag),
        delivery_tag,
        b"\x41" if settled else b"\x42",
        b"\x41" if more else b"",
    )
    return b"%b%c%c%b" % (_TRANSFER, len(body) + 1, 6 if more else 5, body)


def encode_continuation(handle: int, more: bool) -> bytes:
    """A further transfer of a delivery: ``more`` says that it is not the last one."""
    number = _uint(handle)
    if more:
        return b"%b%c\x06%b\x40\x40\x40\x40\x41" % (_TRANSFER, len(number) + 6, number)
    return b"%b%c\x01%b" % (_TRANSFER, len(number) + 1, number)


def encode_disposition(role: bool, first: int, last: int | None, settled: bool) -> bytes:
    """The disposition that these deliveries are accepted."""
    if first > 255:
        role_code, settled_code = 0x41 if role else 0x42, 0x41 if settled else 0x40
        if last is None:
            return _ACCEPT_ONE.pack(_ONE, role_code, 0x70, first, 0x40, settled_code, _ACCEPTED)
        if last > 255:
            return _ACCEPT_MANY.pack(
                _MANY, role_code, 0x70, first, 0x70, last, settled_code, _ACCEPTED
            )
    body = b"%b%b%b%b%b" % (
        b"\x41" if role else b"\x42",
        _uint(first),
        _uint(last),
        b"\x41" if settled else b"\x40",
        _ACCEPTED,
    )
    return b"%b%c\x05%b" % (_DISPOSITION, len(body) + 1, body)
