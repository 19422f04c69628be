"""The short way of ``to_amqp010`` for plain messages: from octets to octets, without values
between.

Plain is what most producers send: the usual properties in their shortest encodings, application
properties and annotations that are numbers, texts, octets and booleans, one section of data or one
string as the body. Whatever else there is, and whatever is broken, goes the general way: then this
returns None. Property tests hold both ways equal, octet for octet.
"""

from __future__ import annotations

import struct
from collections.abc import Container
from typing import Final

from tanist.core.message import Message
from tanist.sessions.translation import names
from tanist.sessions.translation.addresses import split_address
from tanist.sessions.translation.bodies import OBJECT_10, SPEAKING, TEXT_TYPE
from tanist.wire.amqp10.sections import (
    APPLICATION_PROPERTIES,
    DATA,
    MESSAGE_ANNOTATIONS,
    PROPERTIES,
    VALUE,
)

_SIZE_COUNT: Final = struct.Struct(">II")

_MILLISECONDS: Final = (100_000_000_000).to_bytes(8, "big")
_TOO_LATE: Final = b"\x80"
_TEXT: Final = TEXT_TYPE.encode()
_SPECIAL_TYPES: Final = frozenset(name.encode() for name in (*SPEAKING, OBJECT_10)) - {_TEXT}
_CARRIED: Final = b"x-amqp-"
_PLACED: Final = frozenset(
    name.encode() for name in (names.SUBJECT, names.GROUP_ID, names.GROUP_SEQUENCE)
)
_OURS: Final = frozenset((names.REST.encode(),))
_ANNOTATIONS: Final = b"%c%b\xa8" % (
    len(names.MESSAGE_ANNOTATIONS),
    names.MESSAGE_ANNOTATIONS.encode(),
)
_MESSAGE_ID: Final = b"%c%b\x95" % (len(names.MESSAGE_ID), names.MESSAGE_ID.encode())
_SUBJECT: Final = b"%c%b\x95" % (len(names.SUBJECT), names.SUBJECT.encode())
_TO: Final = b"%c%b\x95" % (len(names.TO), names.TO.encode())


def plain_to_amqp010(
    message: Message, queues: Container[str], exchanges: Container[str]
) -> tuple[bytes, bytes, bool] | None:
    """Header, body, and whether there is no body; None if ``message`` is not plain."""
    draft = _Plain(message, queues, exchanges)
    try:
        if draft.read(message.body):
            return draft.header(), draft.body, draft.bodiless
    except IndexError:
        pass
    return None


class _Plain:
    """Fields as they are written, "" where there is none."""

    __slots__ = (
        "annotated",
        "annotations",
        "bodiless",
        "body",
        "content_type",
        "correlation_id",
        "count",
        "exchanges",
        "expiration",
        "headers",
        "identified",
        "message",
        "message_id",
        "queues",
        "reply_to",
        "subject",
        "timestamp",
        "to",
        "user_id",
    )

    def __init__(self, message: Message, queues: Container[str], exchanges: Container[str]) -> None:
        self.message = message
        self.queues = queues
        self.exchanges = exchanges
        self.message_id = b""
        self.identified = b""
        self.user_id = b""
        self.subject = b""
        self.to = b""
        self.reply_to = b""
        self.correlation_id = b""
        self.content_type = b""
        self.timestamp = b""
        self.expiration = b""
        self.headers = bytearray()
        self.count = 0
        self.annotations = bytearray()
        self.annotated = 0
        self.body = b""
        self.bodiless = True

    # -- reading; False: not plain. May raise IndexError for octets that end too early ---------

    def read(self, data: bytes) -> bool:
        """All sections, in their order."""
        pos, end, last = 0, len(data), 0
        while pos < end:
            if data[pos] or data[pos + 1] != 0x53:
                return False
            code = data[pos + 2]
            if code <= last:
                return False
            last = code
            if code in (DATA, VALUE):
                pos = self._body(data, pos + 3, code)
                last = VALUE
            elif code == PROPERTIES:
                pos = self._properties(data, pos + 3)
            elif code == APPLICATION_PROPERTIES:
                self.count, pos = _map(self.headers, data, pos + 3, False)
            elif code == MESSAGE_ANNOTATIONS:
                self.annotated, pos = _map(self.annotations, data, pos + 3, True)
            else:
                return False
            if pos < 0 or pos > end:
                return False
        return True

    def _body(self, data: bytes, pos: int, code: int) -> int:
        kind = data[pos]
        if kind == 0x40 and code == VALUE:
            return pos + 1
        text = code == VALUE
        if kind == (0xA1 if text else 0xA0):
            start = pos + 2
            stop = start + data[pos + 1]
        elif kind == (0xB1 if text else 0xB0):
            start = pos + 5
            stop = start + int.from_bytes(data[pos + 1 : start], "big")
        else:
            return -1
        body = self.body = data[start:stop]
        self.bodiless = False
        if not text:
            return -1 if self.content_type == _TEXT else stop
        if not body.isascii() or (self.content_type and self.content_type != _TEXT):
            return -1
        self.content_type = _TEXT
        return stop

    def _properties(self, data: bytes, pos: int) -> int:
        """The properties section; returns where it ends, -1 if it is not plain."""
        if data[pos] == 0x45:
            return pos + 1
        if data[pos] == 0xC0:
            stop = pos + 2 + data[pos + 1]
            count = data[pos + 2]
            pos += 3
        elif data[pos] == 0xD0:
            stop = pos + 5 + int.from_bytes(data[pos + 1 : pos + 5], "big")
            count = int.from_bytes(data[pos + 5 : pos + 9], "big")
            pos += 9
        else:
            return -1
        if count > 10:
            return -1
        for at in range(count):
            kind = data[pos]
            pos += 1
            if kind == 0x40:
                continue
            if kind in (0xA0, 0xA1, 0xA3):
                size = data[pos]
                raw = data[pos + 1 : pos + 1 + size]
                pos += 1 + size
            elif kind in (0x83, 0x98):
                size = 8 if kind == 0x83 else 16
                raw = data[pos : pos + size]
                pos += size
            else:
                return -1
            if not self._field(at, kind, raw):
                return -1
        return pos if pos == stop else -1

    def _field(self, at: int, kind: int, raw: bytes) -> bool:
        """The field number ``at``; whether it is plain."""
        if at == 0:
            return self._message_id(kind, raw)
        if at == 1:
            self.user_id = b"%b%b" % (len(raw).to_bytes(2, "big"), raw)
            return kind == 0xA0
        if at >= 8:
            if at == 8:
                self.expiration = raw
            else:
                self.timestamp = raw
            return kind == 0x83 and _MILLISECONDS <= raw < _TOO_LATE
        if not raw.isascii():
            return False
        if at == 6:
            self.content_type = raw
            return kind == 0xA3 and raw not in _SPECIAL_TYPES and raw != b""
        if kind != 0xA1:
            return False
        if at == 2:
            message = self.message
            usual = message.exchange or message.routing_key
            self.to = b"" if raw == usual.encode() else b"%b\x00%c%b" % (_TO, len(raw), raw)
        elif at == 3:
            self.subject = b"%b\x00%c%b" % (_SUBJECT, len(raw), raw)
        elif at == 4:
            return self._reply_to(raw)
        elif at == 5:
            self.correlation_id = b"\x00%c%b" % (len(raw), raw)
        return at < 7

    def _message_id(self, kind: int, raw: bytes) -> bool:
        if kind == 0x98:
            self.message_id = raw
            return True
        self.identified = b"%b\x00%c%b" % (_MESSAGE_ID, len(raw), raw)
        return kind == 0xA1 and len(raw) not in (36, 39) and raw.isascii()

    def _reply_to(self, raw: bytes) -> bool:
        address = raw.decode()
        exchange, key = split_address(address, self.queues, self.exchanges)
        if not key or (exchange == "") != (key == address):
            return False
        named = key.encode()
        if exchange:
            first = exchange.encode()
            inner = b"\x03\x00%c%b%c%b" % (len(first), first, len(named), named)
        else:
            inner = b"\x02\x00%c%b" % (len(named), named)
        self.reply_to = len(inner).to_bytes(2, "big") + inner
        return True

    # -- writing ------------------------------------------------------------------------------

    def header(self) -> bytes:
        """The header segment."""
        return self._delivery() + self._message()

    def _delivery(self) -> bytes:
        message = self.message
        key = message.routing_key.encode()
        if len(key) > 255:
            key = key[:255].decode("utf-8", "ignore").encode()
        flags = 0x018
        if self.timestamp:
            flags |= 0x040
        if self.expiration:
            flags |= 0x080
        named = b""
        if key:
            flags |= 0x200
            named = b"%c%b" % (len(key), key)
        inner = b"\x04\x01%c%c%c%c%b%b%b" % (
            flags & 0xFF,
            flags >> 8,
            message.priority,
            2 if message.durable else 1,
            self.timestamp,
            self.expiration,
            named,
        )
        return len(inner).to_bytes(4, "big") + inner

    def _message(self) -> bytes:
        flags = 0
        length = kind = headers = b""
        if not self.bodiless:
            flags = 0x001
            length = len(self.body).to_bytes(8, "big")
        if self.message_id:
            flags |= 0x002
        if self.correlation_id:
            flags |= 0x004
        if self.reply_to:
            flags |= 0x008
        if self.content_type:
            flags |= 0x010
            kind = b"%c%b" % (len(self.content_type), self.content_type)
        if self.user_id:
            flags |= 0x040
        count = self._all_headers()
        if count:
            flags |= 0x100
            headers = _SIZE_COUNT.pack(len(self.headers) + 4, count) + bytes(self.headers)
        inner = b"\x04\x03%c%c%b%b%b%b%b%b%b" % (
            flags & 0xFF,
            flags >> 8,
            length,
            self.message_id,
            self.correlation_id,
            self.reply_to,
            kind,
            self.user_id,
            headers,
        )
        return len(inner).to_bytes(4, "big") + inner

    def _all_headers(self) -> int:
        """Add to ``headers`` what is carried there; returns how many there are in all."""
        out, count = self.headers, self.count
        if self.annotated:
            annotations = self.annotations
            out += _ANNOTATIONS
            out += _SIZE_COUNT.pack(len(annotations) + 4, self.annotated)
            out += annotations
            count += 1
        for carried in (self.identified, self.subject, self.to):
            if carried:
                out += carried
                count += 1
        return count


def _map(out: bytearray, data: bytes, pos: int, symbols: bool) -> tuple[int, int]:
    """Append the entries of a map with ``symbols`` or strings as keys, as 0-10 writes them.

    Returns how many there are, and where the map ends, -1 if it is not plain.
    """
    if data[pos] == 0xC1:
        stop = pos + 2 + data[pos + 1]
        items = data[pos + 2]
        pos += 3
    elif data[pos] == 0xD1:
        stop = pos + 5 + int.from_bytes(data[pos + 1 : pos + 5], "big")
        items = int.from_bytes(data[pos + 5 : pos + 9], "big")
        pos += 9
    else:
        return 0, -1
    if items & 1 or items > len(data):
        return 0, -1
    expected = 0xA3 if symbols else 0xA1
    special = _OURS if symbols else _PLACED
    seen: set[bytes] = set()
    for _ in range(items // 2):
        if data[pos] != expected:
            return 0, -1
        size = data[pos + 1]
        name = data[pos + 2 : pos + 2 + size]
        pos += 2 + size
        if name in seen or not name.isascii() or name in special or name[:7] == _CARRIED:
            return 0, -1
        seen.add(name)
        out.append(size)
        out += name
        pos = _value(out, data, pos)
        if pos < 0 or pos > stop:
            return 0, -1
    return items // 2, pos if pos == stop else -1


def _value(out: bytearray, data: bytes, pos: int) -> int:
    """Append the value at ``pos`` as one of 0-10; returns where it ends, -1 if it is not plain."""
    code = data[pos]
    pos += 1
    if code in (0xA1, 0xA3, 0xA0):
        size = data[pos]
        raw = data[pos + 1 : pos + 1 + size]
        if code != 0xA0 and not raw.isascii():
            return -1
        out += b"%c\x00%c%b" % (0x90 if code == 0xA0 else 0x95, size, raw)
        return pos + 1 + size
    if code in (0x43, 0x44):
        out += b"\x22\0\0\0\0" if code == 0x43 else b"\x32\0\0\0\0\0\0\0\0"
        return pos
    if code in (0x52, 0x53):
        out += b"\x22\0\0\0" if code == 0x52 else b"\x32\0\0\0\0\0\0\0"
        out.append(data[pos])
        return pos + 1
    if code in (0x54, 0x55):
        number = data[pos] if data[pos] < 128 else data[pos] - 256
        out.append(0x21 if code == 0x54 else 0x31)
        out += number.to_bytes(4 if code == 0x54 else 8, "big", signed=True)
        return pos + 1
    if code in (0x41, 0x42):
        out += b"\x08\x01" if code == 0x41 else b"\x08\x00"
        return pos
    if code == 0x51:
        out.append(0x01)
        out.append(data[pos])
        return pos + 1
    if code in (0x70, 0x71):
        out.append(0x22 if code == 0x70 else 0x21)
        out += data[pos : pos + 4]
        return pos + 4
    if code in (0x80, 0x81, 0x82):
        out.append(0x32 if code == 0x80 else 0x31 if code == 0x81 else 0x33)
        out += data[pos : pos + 8]
        return pos + 8
    return -1
