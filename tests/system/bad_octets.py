"""Octets that break AMQP 0-10, by name: what ``test_bad_input`` throws at a broker.

``NOT_AMQP`` are first bytes of connections. ``FRAMES`` break the rules of frames and segments,
``CONTROLS`` and ``COMMANDS`` those of the encoding, ``START_OKS`` are both in the first control of
a client, which nobody has authenticated yet. All of them must end the connection with 501.
``HEADERS`` are header segments that must end it as well.
"""

from __future__ import annotations

from bad_input_peer import command, control, frame, key

from tanist.wire.amqp010.codec import encode_command, encode_control, encode_header, make
from tanist.wire.amqp010.transfer import encode_transfer

DEPTH = 10_000
HUGE = 0xFFFFFFFF
TRANSFER = encode_transfer("", 1, 0)
SYNC = encode_command(make("execution.sync"))
DECLARE = encode_command(make("queue.declare", queue="never"))

NOT_AMQP = {
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "amqp 0-9-1": b"AMQP\0\0\x09\x01",
    "amqp 0-8": b"AMQP\1\1\x08\0",
    "tls hello": bytes.fromhex("16030100c4010000c00303"),
    "random": bytes.fromhex("9c1f5be07733d20a"),
    "zeros": bytes(4096),
    "nearly": b"AMQP\1\1\0\x09",
}


def sized(octets, width=4):
    """``octets`` behind their size."""
    return len(octets).to_bytes(width, "big") + octets


def entry(name, code, value):
    """An entry of a map."""
    return sized(name, 1) + bytes((code,)) + value


def map_of(*entries, count=None, size=None):
    """A map; what it says of itself may be a lie."""
    inside = (len(entries) if count is None else count).to_bytes(4, "big") + b"".join(entries)
    return (len(inside) if size is None else size).to_bytes(4, "big") + inside


def nested(code, depth=DEPTH):
    """Maps or lists within each other."""
    head = b"\0\0\0\1" + (b"\1a" if code == 0xA8 else b"") + bytes((code,))
    parts, size = [sized(bytes(4))], 8
    for _ in range(depth - 1):
        parts.append((size + len(head)).to_bytes(4, "big") + head)
        size += len(head) + 4
    return b"".join(reversed(parts))


def array_of(code, count, octets=b""):
    """An array that announces ``count`` items."""
    return sized(bytes((code,)) + count.to_bytes(4, "big") + octets)


MAPS = {
    "map count lies": map_of(count=HUGE),
    "map count one too many": map_of(entry(b"a", 0x02, b"\1"), count=2),
    "map count too few": map_of(entry(b"a", 0x02, b"\1"), entry(b"b", 0x02, b"\1"), count=1),
    "map size lies": map_of(size=0x7FFFFFFF),
    "map size all ones": map_of(size=HUGE),
    "map size too small for its count": b"\0\0\0\2\0\0",
    "map key twice": map_of(entry(b"a", 0x02, b"\1"), entry(b"a", 0x02, b"\1")),
    "map key not utf-8": map_of(entry(b"\xc3\x28", 0x02, b"\1")),
    "map value cut short": map_of(entry(b"a", 0x32, b"\1")),
    "map value of unknown type": map_of(entry(b"a", 0x77, b"\1")),
    "string longer than its map": map_of(entry(b"a", 0x95, b"\xff\xffabc")),
    "string not utf-8": map_of(entry(b"a", 0x95, sized(b"\xff\xfe", 2))),
    "string of half a surrogate": map_of(entry(b"a", 0x96, sized(b"\xd8\0", 2))),
    "binary of 4 GiB": map_of(entry(b"a", 0xA0, b"\xff\xff\xff\xffabc")),
    "list count lies": map_of(entry(b"a", 0xA9, sized(b"\xff\xff\xff\xff"))),
    "array of void, 2^32 - 1": map_of(entry(b"a", 0xAA, array_of(0xF0, HUGE))),
    "array of bits, 2^31": map_of(entry(b"a", 0xAA, array_of(0xF1, 1 << 31))),
    "array of arrays of void": map_of(
        entry(b"a", 0xAA, array_of(0xAA, 20, array_of(0xF0, 60_000) * 20))
    ),
    "array count lies": map_of(entry(b"a", 0xAA, array_of(0x32, HUGE))),
    "array of unknown type": map_of(entry(b"a", 0xAA, array_of(0x05, 1, b"\1"))),
    "struct size lies": map_of(entry(b"a", 0xAB, b"\xff\xff\xff\xff\4\1\0\0")),
    "struct size 0": map_of(entry(b"a", 0xAB, b"\0\0\0\0")),
    "struct flags beyond its fields": map_of(entry(b"a", 0xAB, sized(b"\4\1\xff\xff"))),
    "maps 10,000 deep": nested(0xA8),
    "lists 10,000 deep": map_of(entry(b"a", 0xA9, nested(0xA9))),
    "maps one too deep": nested(0xA8, 33),
}
"""Values of a map field."""


def segment(payload, type_, first, last):
    """A segment in as many frames as it needs, of 60,000 octets each."""
    pieces = [payload[at : at + 60_000] for at in range(0, max(len(payload), 1), 60_000)]
    bits = (8 if first else 0) | (4 if last else 0)
    return b"".join(
        frame(piece, type_, 0, bits | (2 if at == 0 else 0) | (1 if at == len(pieces) - 1 else 0))
        for at, piece in enumerate(pieces)
    )


def declare(arguments):
    """queue.declare of "never" with these octets as arguments."""
    return segment(b"\x08\1\1\0\x41\0\5never" + arguments, 1, True, True)


def start_ok(properties, mechanism="PLAIN"):
    """start-ok with these octets as client properties, and an empty response."""
    rest = sized(mechanism.encode(), 1) + b"\0\0\0\0\5en_US"
    return segment(b"\1\2\x0f\0" + properties + rest, 0, True, True)


FRAMES = {
    "size 0": frame(b"", size=0),
    "size 11": frame(b"", size=11),
    "format 1": frame(SYNC, 1, flags=0x4F),
    "reserved flags": frame(SYNC, 1, flags=0x1F),
    "type 4": frame(SYNC, 4, track=1),
    "type 255": frame(SYNC, 255, track=1),
    "track 2": frame(SYNC, 1, track=2),
    "track 15": frame(SYNC, 1, track=15),
    "reserved before track": frame(SYNC, 1, track=0x11),
    "command on the control track": frame(SYNC, 1, track=0),
    "control on the command track": frame(encode_control(make("session.flush")), 0, track=1),
    "middle frame of nothing": frame(SYNC, 1, flags=0x0C),
    "last frame of nothing": frame(SYNC, 1, flags=0x0D),
    "second segment of nothing": frame(b"x", 3, flags=0x07),
    "no first segment": frame(SYNC, 1, flags=0x07),
    "begins with a body": frame(b"x", 3, flags=0x0F),
    "control of two segments": frame(encode_control(make("session.flush")), 0, flags=0x0B),
    "segment within a segment": frame(TRANSFER, 1, flags=0x0A) + frame(b"x", 3, flags=0x07),
    "flags change within a segment": frame(TRANSFER, 1, flags=0x0A) + frame(b"", 1, flags=0x0D),
    "type changes within a segment": frame(TRANSFER, 1, flags=0x0A) + frame(b"", 2, flags=0x09),
    "first segment twice": frame(TRANSFER, 1, flags=0x0B) + frame(TRANSFER, 1, flags=0x0B),
    "header twice": frame(TRANSFER, 1, flags=0x0B) + frame(b"", 2, flags=0x03) * 2,
    "header after body": frame(TRANSFER, 1, flags=0x0B)
    + frame(b"x", 3, flags=0x03)
    + frame(b"", 2, flags=0x07),
    "body twice": frame(TRANSFER, 1, flags=0x0B) + frame(b"x", 3, flags=0x03) * 2,
    "header on queue.declare": frame(DECLARE, 1, flags=0x0B) + frame(b"", 2, flags=0x07),
    "body on queue.declare": frame(DECLARE, 1, flags=0x0B) + frame(b"x", 3, flags=0x07),
    "body on execution.sync": frame(SYNC, 1, flags=0x0B) + frame(b"x", 3, flags=0x07),
    "header on file.stage": frame(b"\x09\x08\1\0", 1, flags=0x0B) + frame(b"abc", 2, flags=0x07),
    "endless command segment": frame(DECLARE, 1, flags=0x0A)
    + frame(bytes(60_000), 1, flags=0x08) * 40,
    "endless header segment": frame(TRANSFER, 1, flags=0x0B)
    + frame(bytes(60_000), 2, flags=0x02)
    + frame(bytes(60_000), 2, flags=0x00) * 40,
}

CONTROLS = {
    "empty control": frame(b""),
    "control of one octet": frame(b"\2"),
    "unknown control class": frame(b"\x0f\1\0\0"),
    "unknown control": frame(b"\2\x7f\0\0"),
    "control packing beyond its fields": frame(b"\2\x0c\xff\xff"),
    "control cut short": frame(b"\2\x07\1\0\0"),
    "octets left over": frame(encode_control(make("session.flush")) + b"\0"),
    "completed: start > end": frame(b"\2\x0a\1\0\0\x08\0\0\0\5\0\0\0\4"),
    "completed: half the circle": frame(b"\2\x0a\1\0\0\x08\0\0\0\0\x80\0\0\0"),
    "completed: maximal range": frame(b"\2\x0a\1\0\0\x08\0\0\0\0\xff\xff\xff\xff"),
    "completed: half a range": frame(b"\2\x0a\1\0\0\x04\0\0\0\0"),
    "completed: size lies": frame(b"\2\x0a\1\0\xff\xf8\0\0\0\0\0\0\0\0"),
    "known-completed: start > end": frame(b"\2\x0b\1\0\0\x08\0\0\0\5\0\0\0\4"),
    "gap: maximal range": frame(b"\2\x0d\1\0\0\x08\0\0\0\0\xff\xff\xff\xff"),
    "connection.start of a client": control("connection.start"),
    "connection.tune of a client": control("connection.tune"),
    "connection.open-ok of a client": control("connection.open-ok"),
    "connection.redirect of a client": control("connection.redirect", host="x"),
    "connection.secure-ok unasked": control("connection.secure-ok", response=b""),
    "start-ok again": start_ok(map_of()),
    "open again": control("connection.open", virtual_host=""),
    "tune-ok again": control("connection.tune-ok", channel_max=1, max_frame_size=65535),
    "close-ok unasked": control("connection.close-ok"),
    "connection.close on a channel": control("connection.close", 7, reply_code=200),
}

COMMANDS = {
    "empty command": frame(b"", 1),
    "unknown command class": frame(b"\x7f\1\1\0", 1),
    "unknown command": frame(b"\x08\x7f\1\0", 1),
    "command without session header": frame(b"\x08\1", 1),
    "session header of 9 octets": frame(b"\x08\1\x09\0\0\0", 1),
    "command packing beyond its fields": frame(b"\3\1\1\0\xff\xff", 1),
    "transfer packing beyond its fields": frame(b"\4\1\1\0\xff\xff", 1),
    "transfer cut short": frame(b"\4\1\1\0\7\0\xffabc", 1),
    "name not utf-8": frame(b"\x08\1\1\0\1\0\2\xc3\x28", 1),
    "destination not utf-8": frame(b"\4\1\1\0\1\0\2\xc3\x28", 1),
    "accept: start > end": frame(b"\4\2\1\0\1\0\0\x08\0\0\0\5\0\0\0\4", 1),
    "accept: maximal range": frame(b"\4\2\1\0\1\0\0\x08\0\0\0\0\xff\xff\xff\xff", 1),
    "release: maximal range": frame(b"\4\4\1\0\1\0\0\x08\0\0\0\0\xff\xff\xff\xff", 1),
    "acquire: half a range": frame(b"\4\5\1\0\1\0\0\x04\0\0\0\0", 1),
    **{f"arguments: {name}": declare(octets) for name, octets in MAPS.items()},
}

START_OKS = {name: start_ok(octets) for name, octets in MAPS.items()}

EARLY = {
    "open without sasl": control("connection.open", virtual_host=""),
    "tune-ok without sasl": control("connection.tune-ok", channel_max=1),
    "heartbeat without sasl": control("connection.heartbeat"),
    "session.attach without sasl": control("session.attach", name=b"x"),
    "session.gap without sasl": control("session.gap", commands=[(0, 0x7FFFFFFF)]),
    "completed without sasl": control("session.completed", commands=[(0, 0x7FFFFFFF)]),
    "queue.declare without sasl": command("queue.declare", queue="never"),
    "transfer without sasl": frame(TRANSFER, 1, flags=0x0B) + frame(b"", 2, flags=0x07),
    "two start-oks": start_ok(map_of()) * 2,
    "start-ok and open": start_ok(map_of()) + control("connection.open", virtual_host=""),
    "endless start-ok": frame(b"\1\2\x0f\0", flags=0x0E) + frame(bytes(60_000), flags=0x0C) * 4,
}

_PROPERTIES = encode_header([make("message.message-properties", content_type="x")])
_KEY = encode_header([key("never")])

HEADERS = {
    "garbage": b"garbage!",
    "struct size lies": b"\xff\xff\xff\xff\4\1\0\0",
    "struct size 0": bytes(12),
    "unknown struct": sized(b"\x7f\x7f\0\0"),
    "delivery-properties twice": _KEY * 2,
    "message-properties twice": _KEY + _PROPERTIES * 2,
    "packing flags beyond the fields": sized(b"\4\1\xff\xff"),
    "no packing flags": sized(b"\4\1"),
    "routing key longer than its struct": sized(b"\4\1\0\2\xffabc"),
    "routing key not utf-8": sized(b"\4\1\0\2\2\xc3\x28"),
    "cut short": _KEY[:-3],
    "octets left over": _KEY + b"\0",
}
