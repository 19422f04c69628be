"""The plain form of a transfer, in which nearly all deliveries arrive.

A frame without extended header, a short or a long list, a handle of one octet, a delivery-id, a
tag, message-format 0 and nothing behind it but whether the delivery is settled. All transfers of
a link look alike but for size, delivery-id, tag and payload; a ``Form`` is what they have in
common, read once from the first of them, so that the others that come need only be compared, and
those that we send only be filled in.

Source: AMQP 1.0, 2.3 "Framing", 2.7.5 "Transfer".
"""

from __future__ import annotations

import struct
from itertools import product
from typing import Final

from tanist.wire.amqp10.framing import DOFF, TYPE_AMQP
from tanist.wire.amqp10.link import TAG_MAX

START: Final = struct.Struct(">IBBHIBBBB")
"""size, DOFF, type, channel, SHORT_LIST; size and count of a short list, first two octets in it."""

LONG_START: Final = struct.Struct(">IBBHIIIBB")
"""The same with a long list."""

LEAST: Final = 22
"""Octets that must be there to look at a transfer: all plain ones but the very shortest have them,
and the handle lies within, whichever list it is."""

SHORT_LIST: Final = 0x005314C0
LONG_LIST: Final = 0x005314D0
"""How a transfer begins, as everybody writes it: described by a small ulong, then a list with sizes
of one octet or of four. Octets 8 to 11 of the frame."""

_TAIL_FIELDS: Final = (
    (b"\x43", b"\x40"),  # message-format 0, or absent
    (b"\x42", b"\x41", b"\x40"),  # settled
    (b"\x42", b"\x40"),  # more
    (b"\x40",),  # rcv-settle-mode
    (b"\x40",),  # state
    (b"\x42", b"\x40"),  # resume
    (b"\x42", b"\x40"),  # aborted
    (b"\x42", b"\x40", b"\x41"),  # batchable
)
"""What the fields behind the tag are in a plain transfer, one octet each."""

_FIELDS_BEFORE_TAIL: Final = 3


def _tails() -> dict[bytes, bool]:
    """All that may follow the tag of a plain transfer, and whether that says settled."""
    return {
        b"".join(fields): fields[1:2] == (b"\x41",)
        for count in range(1, len(_TAIL_FIELDS) + 1)
        for fields in product(*_TAIL_FIELDS[:count])
    }


_TAILS: Final = _tails()


class Form:
    """What the plain transfers of a link have in common.

    ``layout`` cuts one into: size of the frame, ``front`` (from behind the size to the delivery-id
    and its constructor), delivery-id, ``mark`` (constructor and size of the tag), tag, ``tail`` (to
    the end of the list). The payload starts at octet ``size`` of the frame.
    """

    __slots__ = ("front", "layout", "mark", "settled", "size", "tag_size", "tail")

    def __init__(
        self, layout: struct.Struct, front: bytes, mark: bytes, tail: bytes, settled: bool
    ) -> None:
        self.layout = layout
        self.front = front
        self.mark = mark
        self.tail = tail
        self.settled = settled
        self.size = layout.size
        self.tag_size = mark[1]

    def fits(self, data: bytes, pos: int) -> bool:
        """Whether the transfer whose frame starts at ``pos`` has this form."""
        tail_at = pos + self.size - len(self.tail)
        return (
            data.startswith(self.front, pos + 4)
            and data.startswith(self.tail, tail_at)
            and data.startswith(self.mark, tail_at - self.tag_size - len(self.mark))
        )


def read_form(data: bytes, pos: int) -> Form | None:
    """The form of the transfer whose frame starts at ``pos``; None if it is not plain.

    Whether the octets of the frame are all there, and what the numbers in it mean, is for others.
    """
    try:
        return _read_form(data, pos)
    except (IndexError, struct.error):  # the octets end too soon
        return None


def _read_form(data: bytes, pos: int) -> Form | None:
    """May raise IndexError and struct.error."""
    _, doff, type_, _, code, length, count, first, second = START.unpack_from(data, pos)
    at, end = pos + START.size - 2, pos + 13 + length
    if code == LONG_LIST:
        _, doff, type_, _, code, length, count, first, second = LONG_START.unpack_from(data, pos)
        at, end = pos + LONG_START.size - 2, pos + 16 + length
    elif code != SHORT_LIST:
        return None
    if doff != DOFF or type_ != TYPE_AMQP:
        return None
    if first == 0x52:
        second = data[at + 2]
        at += 1
    elif first != 0x43:
        return None
    id_at = at + 2
    if second == 0x70:
        code, at = "I", id_at + 4
    elif second == 0x52:
        code, at = "B", id_at + 1
    else:
        return None
    mark_at, tag_size = at, data[at + 1]
    tail_at = at + 2 + tag_size
    tail = data[tail_at:end]
    settled = _TAILS.get(tail)
    if (
        settled is None
        or data[mark_at] != 0xA0
        or tag_size > TAG_MAX
        or count != _FIELDS_BEFORE_TAIL + len(tail)
        or end != tail_at + len(tail)
    ):
        return None
    front = data[pos + 4 : id_at]
    layout = struct.Struct(f">I{len(front)}s{code}2s{tag_size}s{len(tail)}s")
    return Form(layout, front, data[mark_at : mark_at + 2], tail, settled)
