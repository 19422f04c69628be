"""The short way of ``to_amqp10`` for plain messages: from octets to octets, without values between.

Plain is what most producers send: the usual properties, and headers that are numbers, texts, octets
and booleans. Whatever else there is, and whatever is broken, goes the general way: then this
returns nothing. Property tests hold both ways equal, octet for octet.
"""

from __future__ import annotations

import struct
from typing import Final

from tanist.core.message import Message
from tanist.sessions.translation import names
from tanist.sessions.translation.bodies import NULL_BODY, OBJECT_010, SPEAKING, TEXT_TYPE

NOT_PLAIN: Final = b""
"""The answer for a message that must go the general way; a translation is never empty."""

_SIZE_CODE: Final = struct.Struct(">IH")
_SIZE_COUNT: Final = struct.Struct(">II")

_DELIVERY: Final = 0x0401
_MESSAGE: Final = 0x0403

_USUAL_DELIVERY: Final = 0x004 | 0x008 | 0x010 | 0x020 | 0x040 | 0x100 | 0x200
"""Flags of delivery-properties: redelivered, priority, delivery-mode, ttl, timestamp, exchange,
routing-key."""

_USUAL_MESSAGE: Final = 0x001 | 0x002 | 0x004 | 0x008 | 0x010 | 0x040 | 0x100
"""Flags of message-properties: all but content-encoding and app-id."""

_MILLISECONDS: Final = (100_000_000_000).to_bytes(8, "big")
_TOO_LATE: Final = b"\x80"
_TEXT: Final = TEXT_TYPE.encode()
_SUBJECT: Final = names.SUBJECT.encode()
_CARRIED: Final = b"x-amqp-"
_PLACED: Final = frozenset(
    name.encode() for name in (names.JMS_TYPE, names.GROUP_ID, names.GROUP_SEQUENCE)
)
_SPECIAL_TYPES: Final = frozenset(name.encode() for name in (*SPEAKING, OBJECT_010)) - {_TEXT}
_NULL: Final = b"\x40"


def plain_to_amqp10(message: Message) -> bytes:
    """The sections of ``message``; ``NOT_PLAIN`` if it is not plain."""
    draft = _Plain(message)
    try:
        if not draft.read(message.header):
            return NOT_PLAIN
    except IndexError:
        return NOT_PLAIN
    properties = draft.properties()
    body = draft.body()
    if not properties or not body:
        return NOT_PLAIN
    if not draft.count:
        return properties + body
    headers = draft.headers
    size = _SIZE_COUNT.pack(len(headers) + 4, 2 * draft.count)
    return b"%b\x00\x53\x74\xd1%b%b%b" % (properties, size, bytes(headers), body)


class _Plain:
    """The fields of the properties section, encoded, "" where there is none; and the headers."""

    __slots__ = (
        "content_type",
        "correlation_id",
        "count",
        "creation_time",
        "headers",
        "message",
        "message_id",
        "reply_to",
        "subject",
        "user_id",
    )

    def __init__(self, message: Message) -> None:
        self.message = message
        self.message_id = _NULL
        self.user_id = _NULL
        self.subject = b""
        self.reply_to = _NULL
        self.correlation_id = _NULL
        self.content_type = b""
        self.creation_time = b""
        self.headers = bytearray()
        self.count = 0

    # -- reading; False: not plain. May raise IndexError for octets that end too early ---------

    def read(self, header: bytes) -> bool:
        """All of a header segment."""
        message = self.message
        if message.exchange and message.routing_key:
            self.subject = message.routing_key.encode()
        pos, end = 0, len(header)
        while pos < end:
            if pos + 8 > end:
                return False
            size, code = _SIZE_CODE.unpack_from(header, pos)
            stop: int = pos + 4 + size
            if stop > end:
                return False
            flags = header[pos + 6] | header[pos + 7] << 8
            if code == _MESSAGE:
                if not self._message(header, flags, pos + 8, stop):
                    return False
            elif code != _DELIVERY or not self._delivery(header, flags, pos + 8):
                return False
            pos = stop
        return True

    def _delivery(self, header: bytes, flags: int, pos: int) -> bool:
        """The delivery-properties, which were checked when they came."""
        if flags & ~_USUAL_DELIVERY:
            return False
        if flags & 0x040:
            pos += (flags >> 3 & 1) + (flags >> 4 & 1) + (flags >> 5 & 1) * 8
            raw = header[pos : pos + 8]
            if not _MILLISECONDS <= raw < _TOO_LATE:
                return False
            self.creation_time = b"\x83" + raw
        return True

    def _message(self, header: bytes, flags: int, pos: int, stop: int) -> bool:
        """The message-properties."""
        if flags & ~_USUAL_MESSAGE:
            return False
        if flags & 0x001:
            pos += 8
        if flags & 0x002:
            self.message_id = b"\x98" + header[pos : pos + 16]
            pos += 16
        if flags & 0x004:
            size = header[pos] << 8 | header[pos + 1]
            raw = header[pos + 2 : pos + 2 + size]
            pos += 2 + size
            if size > 255 or not raw.isascii():
                return False
            self.correlation_id = b"\xa1%c%b" % (size, raw)
        if flags & 0x008:
            size = header[pos] << 8 | header[pos + 1]
            if not self._reply_to(header, pos + 2, pos + 2 + size):
                return False
            pos += 2 + size
        if flags & 0x010:
            size = header[pos]
            raw = self.content_type = header[pos + 1 : pos + 1 + size]
            pos += 1 + size
            if not raw.isascii() or raw in _SPECIAL_TYPES:
                return False
        if flags & 0x040:
            size = header[pos] << 8 | header[pos + 1]
            self.user_id = b"\xa0%c%b" % (size & 0xFF, header[pos + 2 : pos + 2 + size])
            pos += 2 + size
            if size > 255:
                return False
        if flags & 0x100:
            pos = self._headers(header, pos, stop)
        return pos == stop and (not flags & 0x010 or self.content_type != b"")

    def _reply_to(self, header: bytes, pos: int, stop: int) -> bool:
        """Both parts, or a key alone; with nothing that could mean another address."""
        flags = header[pos] | header[pos + 1] << 8
        if flags not in (2, 3):
            return False
        pos += 2
        exchange = b""
        if flags == 3:
            exchange = header[pos + 1 : pos + 1 + header[pos]]
            pos += 1 + header[pos]
        key = header[pos + 1 : pos + 1 + header[pos]]
        pos += 1 + header[pos]
        if not key or b"/" in exchange or (not exchange and b"/" in key):
            return False
        address = b"%b/%b" % (exchange, key) if exchange else key
        self.reply_to = b"\xa1%c%b" % (len(address) & 0xFF, address)
        return pos == stop and len(address) < 256 and address.isascii()

    def _headers(self, header: bytes, pos: int, stop: int) -> int:
        """The application headers; returns where they end, -1 if they are not plain."""
        size, count = _SIZE_COUNT.unpack_from(header[pos : pos + 8].ljust(8, b"\0"))
        if pos + 4 + size != stop or size < 4 or count > size:
            return -1
        pos += 8
        out = self.headers
        seen: set[bytes] = set()
        for _ in range(count):
            length = header[pos]
            name = header[pos + 1 : pos + 1 + length]
            pos += 1 + length
            if name in seen or not name.isascii() or name[:7] == _CARRIED or name in _PLACED:
                return -1
            seen.add(name)
            if name == _SUBJECT:
                pos = self._subject(header, pos)
            else:
                out += b"\xa1%c%b" % (length, name)
                pos = _value(out, header, pos)
                self.count += 1
            if pos < 0 or pos > stop:
                return -1
        return pos

    def _subject(self, header: bytes, pos: int) -> int:
        """The header ``qpid.subject``, if it is a text that may be, or is, the subject."""
        if header[pos] != 0x95:
            return -1
        size = header[pos + 1] << 8 | header[pos + 2]
        raw = header[pos + 3 : pos + 3 + size]
        message = self.message
        free = not message.exchange or not message.routing_key
        if size > 255 or not size or not raw.isascii() or (not free and raw != self.subject):
            return -1
        self.subject = raw
        return pos + 3 + size

    # -- writing ------------------------------------------------------------------------------

    def properties(self) -> bytes:
        """The properties section; empty if it is not plain."""
        message = self.message
        to = (message.exchange or message.routing_key).encode()
        subject = self.subject
        if len(to) > 255 or len(subject) > 255:
            return NOT_PLAIN
        named = b"\xa1%c%b" % (len(subject), subject) if subject else _NULL
        kind = self.content_type
        typed = b"\xa3%c%b" % (len(kind), kind) if kind else _NULL
        inner = b"%b%b\xa1%c%b%b%b%b%b" % (
            self.message_id,
            self.user_id,
            len(to),
            to,
            named,
            self.reply_to,
            self.correlation_id,
            typed,
        )
        count = 7
        if self.creation_time:
            inner = b"%b\x40\x40%b" % (inner, self.creation_time)
            count = 10
        elif not kind:
            inner, count = self._trimmed(inner)
        if len(inner) > 254:
            return NOT_PLAIN
        return b"\x00\x53\x73\xc0%c%c%b" % (len(inner) + 1, count, inner)

    def _trimmed(self, inner: bytes) -> tuple[bytes, int]:
        """Without the nulls at its end, which follow upon ``to``."""
        if self.correlation_id != _NULL:
            return inner[:-1], 6
        if self.reply_to != _NULL:
            return inner[:-2], 5
        return (inner[:-3], 4) if self.subject else (inner[:-4], 3)

    def body(self) -> bytes:
        """The body section."""
        message = self.message
        if message.bodiless:
            return NULL_BODY
        body = message.body
        size = len(body)
        if self.content_type != _TEXT:
            if size < 256:
                return b"\x00\x53\x75\xa0%c%b" % (size, body)
            return b"\x00\x53\x75\xb0%b%b" % (size.to_bytes(4, "big"), body)
        if not body.isascii():
            return NOT_PLAIN
        if size < 256:
            return b"\x00\x53\x77\xa1%c%b" % (size, body)
        return b"\x00\x53\x77\xb1%b%b" % (size.to_bytes(4, "big"), body)


def _value(out: bytearray, header: bytes, pos: int) -> int:
    """Append the value at ``pos`` as one of 1.0; returns where it ends, -1 if it is not plain."""
    code = header[pos]
    pos += 1
    if code in (0x95, 0x90):
        size = header[pos] << 8 | header[pos + 1]
        raw = header[pos + 2 : pos + 2 + size]
        if code == 0x95 and not raw.isascii():
            return -1
        out.append((0xA1 if code == 0x95 else 0xA0) + (0x10 if size > 255 else 0))
        out += size.to_bytes(4 if size > 255 else 1, "big")
        out += raw
        return pos + 2 + size
    if code in (0x31, 0x21):
        width = 8 if code == 0x31 else 4
        raw = header[pos : pos + width]
        number = int.from_bytes(raw, "big", signed=True)
        if -128 <= number < 128:
            out.append(0x55 if code == 0x31 else 0x54)
            out.append(number & 0xFF)
        else:
            out.append(0x81 if code == 0x31 else 0x71)
            out += raw
        return pos + width
    if code in (0x22, 0x32):
        width = 4 if code == 0x22 else 8
        raw = header[pos : pos + width]
        number = int.from_bytes(raw, "big")
        if number == 0:
            out.append(0x43 if code == 0x22 else 0x44)
        elif number < 256:
            out.append(0x52 if code == 0x22 else 0x53)
            out.append(number)
        else:
            out.append(0x70 if code == 0x22 else 0x80)
            out += raw
        return pos + width
    if code == 0x08 and header[pos] < 2:
        out.append(0x41 if header[pos] else 0x42)
        return pos + 1
    if code == 0x33:
        out.append(0x82)
        out += header[pos : pos + 8]
        return pos + 8
    return -1
