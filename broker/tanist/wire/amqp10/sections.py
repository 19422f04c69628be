"""The sections of an AMQP 1.0 message, found without decoding them.

A message is what the transfers of a delivery carried, joined: a header, delivery annotations and
message annotations, then the bare message (properties, application properties and a body), then a
footer, in this order and each at most once; only the body may be several data sections or several
sequences. A broker may change the header and the annotations; the bare message stays the octets
that arrived.

``split_message`` finds where each section is, checking the order, the kind of value in each and
that the sizes fit, not what is inside; ``MessageParts`` decodes a section when somebody asks, and
raises ``FramingError`` then. ``cut_header`` and ``stamp_header`` are the quick way of a message
that is only passed on: off with the header that came, in front the one for this delivery.

A message without a body is taken, which the specification does not foresee, but senders do. Values
of application properties may be of any type.

Source: OASIS AMQP 1.0, part 3, 3.2 "Message format".
"""

from __future__ import annotations

from typing import Final, TypeAlias, cast

from tanist.types import FramingError
from tanist.wire.amqp10.composing import check_map, compose, definition_of
from tanist.wire.amqp10.composites import Header, Properties
from tanist.wire.amqp10.decoding import TYPES, WIDTHS, Reader, read_value
from tanist.wire.amqp10.encoding import (
    encode_composite,
    write_map,
    write_scalar,
    write_value,
)
from tanist.wire.amqp10.spec import BY_CODE, DEFINITIONS, SECTION
from tanist.wire.amqp10.values import (
    BINARY_CODE,
    LIST_CODE,
    MAP_CODE,
    Annotations,
    Composite,
    Value,
)

Span: TypeAlias = "tuple[int, int]"
"""First octet of a section, its descriptor included, and the octet behind it; (0, 0): not there."""

HEADER: Final = 0x70
DELIVERY_ANNOTATIONS: Final = 0x71
MESSAGE_ANNOTATIONS: Final = 0x72
PROPERTIES: Final = 0x73
APPLICATION_PROPERTIES: Final = 0x74
DATA: Final = 0x75
SEQUENCE: Final = 0x76
VALUE: Final = 0x77
FOOTER: Final = 0x78

SECTIONS: Final = 9
"""Kinds of sections: the codes from ``HEADER`` to ``FOOTER``."""

NO_BODY: Final = 0
"""``MessageParts.body_kind`` of a message without a body; else DATA, SEQUENCE or VALUE."""

CACHE_ENTRIES_MAX: Final = 1024
"""Entries of each cache: more kinds of headers than usual; a full cache is emptied."""

CACHE_KEY_MAX: Final = 64
"""Longest header worth remembering; a usual one has below twenty octets."""

_ABSENT: Final = (0, 0)
_SMALL: Final = b"\x00\x53"
"""How a section begins, as everybody writes it: described by a small ulong."""
_FORMS: Final[dict[str, int]] = {
    "list": LIST_CODE,
    "map": MAP_CODE,
    "binary": BINARY_CODE,
    "*": -1,
}
_CONTENTS: Final[dict[int, int]] = {
    definition.code: _FORMS[definition.form]
    for definition in DEFINITIONS.values()
    if definition.group == SECTION
}
"""Section to the type of its value, -1 for any."""

_DESCRIPTORS: Final = frozenset((0x53, 0x80, 0xA3, 0xB3))
"""Constructors of a descriptor: ulong and symbol."""

_SHORT: Final = frozenset((0xA0, 0xA1, 0xA3, 0xC0, 0xC1, 0xE0))
"""Constructors with one octet of size: the usual ones."""

DEFAULT_HEADER: Final = Header()
"""What a message without a header section has. Shared: never change it."""

_headers: Final[dict[bytes, Header]] = {}
_stamps: Final[dict[tuple[bool, int, int | None, bool, int], bytes]] = {}


def skip_value(data: bytes, pos: int, end: int) -> int:
    """Where the value at ``pos`` ends, by its sizes alone. Raises: FramingError."""
    pending = 1
    while pending > 0:
        if pos >= end:
            raise FramingError(f"a value belongs at octet {pos}, the octets end")
        code = data[pos]
        pos += 1
        if code == 0:
            pending += 1
            continue
        pending -= 1
        if code not in TYPES:
            raise FramingError(f"unknown constructor {code:#04x} before octet {pos}")
        if code < 0xA0:
            pos += WIDTHS[(code >> 4) - 4]
        else:
            start = pos + (4 if code & 0x10 else 1)
            pos = start + int.from_bytes(data[pos : min(start, end)], "big")
        if pos > end:
            raise FramingError(f"value of {pos} octets in a message of {end}")
    return pos


def _section_at(data: bytes, pos: int) -> tuple[int, int]:
    """The code of the section at ``pos``, and where its value starts."""
    head = data[pos : pos + 3]
    if len(head) == 3 and head[0] == 0 and head[1] == 0x53:
        code = head[2]
        if code in _CONTENTS:
            return code, pos + 3
        raise FramingError(f"no section of a message at octet {pos}: descriptor {code:#x}")
    if len(head) < 3 or head[0] != 0 or head[1] not in _DESCRIPTORS:
        raise FramingError(f"no section of a message at octet {pos}: {head.hex()}")
    reader = Reader(data, pos + 1)
    descriptor = read_value(reader)
    definition = definition_of(descriptor)
    if definition is None or definition.group != SECTION:
        text = str(descriptor)[:40]
        raise FramingError(f"no section of a message at octet {pos}: descriptor {text}")
    return definition.code, reader.pos


def split_message(message: bytes) -> MessageParts:
    """Find the sections of ``message``. Raises: FramingError."""
    spans: list[Span] = [_ABSENT] * SECTIONS
    pos, end, last, kind = 0, len(message), 0, NO_BODY
    while pos < end:
        code = message[pos + 2] if message[pos : pos + 2] == _SMALL and pos + 2 < end else 0
        if code in _CONTENTS:
            at = pos + 3
        else:
            code, at = _section_at(message, pos)
        content = _CONTENTS[code]
        constructor = message[at] if at < end else 0
        if content >= 0 and TYPES.get(constructor, -1) != content:
            definition = BY_CODE[code]
            raise FramingError(
                f"{definition.name} at octet {pos}: its value is no {definition.form}"
            )
        if code <= last or last >= DATA:
            _check_order(code, last)
        stop = end + 1
        if constructor in _SHORT and at + 1 < end:
            stop = at + 2 + message[at + 1]
        if stop > end:
            stop = skip_value(message, at, end)
        if DATA <= code <= VALUE:
            spans[DATA - HEADER] = (spans[DATA - HEADER][0] if kind else pos, stop)
            kind = code
        else:
            spans[code - HEADER] = (pos, stop)
        last, pos = code, stop
    return MessageParts(message, spans, kind)


def _check_order(code: int, last: int) -> None:
    """Sections ascend; of the three kinds of bodies a message has one, of two kinds several."""
    again = code == last and code in (DATA, SEQUENCE)
    other = last in (DATA, SEQUENCE) and code in (SEQUENCE, VALUE)
    if not again and (code <= last or other):
        raise FramingError(f"{BY_CODE[code].name} after {BY_CODE[last].name}")


class MessageParts:
    """Where the sections of a message are; see ``Span``. Made by ``split_message``.

    ``body`` spans all sections of the body, ``body_kind`` says which they are. The methods decode;
    each raises FramingError when its section is broken.
    """

    __slots__ = (
        "application_properties",
        "body",
        "body_kind",
        "delivery_annotations",
        "footer",
        "header",
        "message",
        "message_annotations",
        "properties",
    )

    def __init__(self, message: bytes, spans: list[Span], body_kind: int) -> None:
        self.message = message
        self.header = spans[0]
        self.delivery_annotations = spans[1]
        self.message_annotations = spans[2]
        self.properties = spans[3]
        self.application_properties = spans[4]
        self.body = spans[5]
        self.body_kind = body_kind
        self.footer = spans[8]

    def octets(self, span: Span) -> bytes:
        """The octets of a section, descriptor included; empty if it is not there."""
        return self.message[span[0] : span[1]]

    def _content(self, span: Span) -> Value:
        """The decoded value of a section that is there."""
        start, stop = span
        _, at = _section_at(self.message, start)
        reader = Reader(self.message, at, stop)
        value = read_value(reader)
        reader.finish("section")
        return value

    def read_header(self) -> Header:
        """The header; the defaults if there is none (shared: never change it)."""
        if self.header == _ABSENT:
            return DEFAULT_HEADER
        return cast("Header", compose(DEFINITIONS["header"], self._content(self.header)))

    def read_properties(self) -> Properties | None:
        """The properties; None if there are none."""
        if self.properties == _ABSENT:
            return None
        value: Composite = compose(DEFINITIONS["properties"], self._content(self.properties))
        return cast("Properties", value)

    def read_application_properties(self) -> dict[str, Value]:
        """The application properties; empty if there are none."""
        span = self.application_properties
        return cast("dict[str, Value]", self._map(span, "application-properties"))

    def read_delivery_annotations(self) -> Annotations:
        """What the sender says to the next hop; empty if there are none."""
        span = self.delivery_annotations
        return cast("Annotations", self._map(span, "delivery-annotations"))

    def read_message_annotations(self) -> Annotations:
        """What goes with the message over all hops; empty if there are none."""
        return cast("Annotations", self._map(self.message_annotations, "message-annotations"))

    def read_footer(self) -> Annotations:
        """What is known only after the body, such as a signature; empty if there is none."""
        return cast("Annotations", self._map(self.footer, "footer"))

    def _map(self, span: Span, name: str) -> dict[Value, Value]:
        if span == _ABSENT:
            return {}
        return check_map(name, DEFINITIONS[name].content, self._content(span))

    def _bodies(self) -> list[Value]:
        """The values of all sections of the body."""
        values: list[Value] = []
        pos, end = self.body
        while pos < end:
            _, at = _section_at(self.message, pos)
            stop = skip_value(self.message, at, end)
            values.append(self._content((pos, stop)))
            pos = stop
        return values

    def read_data(self) -> bytes:
        """The octets of all data sections, joined. Only when ``body_kind`` is DATA."""
        assert self.body_kind == DATA
        pieces = self._bodies()
        return b"".join([piece for piece in pieces if isinstance(piece, bytes)])

    def read_sequences(self) -> list[list[Value]]:
        """The lists of all sequence sections. Only when ``body_kind`` is SEQUENCE."""
        assert self.body_kind == SEQUENCE
        return [piece for piece in self._bodies() if isinstance(piece, list)]

    def read_body_value(self) -> Value:
        """The value of the body. Only when ``body_kind`` is VALUE."""
        assert self.body_kind == VALUE
        return self._content(self.body)


# --------------------------------------------------------------------------------- the header


def cut_header(message: bytes) -> tuple[Header, int]:
    """The header of a message, and the octet where the rest starts.

    The header is shared between messages: never change it. What follows is not looked at.

    Raises: FramingError.
    """
    if message[:3] != b"\x00\x53\x70":
        if not message:
            return DEFAULT_HEADER, 0
        code, at = _section_at(message, 0)
        if code != HEADER:
            return DEFAULT_HEADER, 0
    else:
        at = 3
    stop = skip_value(message, at, len(message))
    octets = message[at:stop]
    header = _headers.get(octets)
    if header is None:
        header = cast("Header", compose(DEFINITIONS["header"], read_value(Reader(octets))))
        if len(octets) <= CACHE_KEY_MAX:
            if len(_headers) >= CACHE_ENTRIES_MAX:
                _headers.clear()
            _headers[octets] = header
    return header, stop


def stamp_header(
    durable: bool, priority: int, ttl_ms: int | None, first_acquirer: bool, delivery_count: int
) -> bytes:
    """The header section for a delivery; there always is one, even if all is default.

    ``ttl_ms``: what is left of the time to live, None if it is unlimited; ``delivery_count``: how
    often the message was delivered in vain before.

    Raises: LocalProtocolError for what does not fit (priority 8 bits, the numbers 32).
    """
    key = (durable, priority, ttl_ms, first_acquirer, delivery_count)
    stamped = _stamps.get(key)
    if stamped is None:
        header = Header(durable, priority, ttl_ms, first_acquirer, delivery_count)
        stamped = encode_composite(header)
        if len(_stamps) >= CACHE_ENTRIES_MAX:
            _stamps.clear()
        _stamps[key] = stamped
    return stamped


# -------------------------------------------------------------------------------- encoding


def encode_map_section(code: int, value: Annotations | dict[str, Value]) -> bytes:
    """Annotations, application properties or a footer; ``str`` keys become what belongs there.

    Raises: LocalProtocolError.
    """
    out = bytearray((0x00, 0x53, code))
    write_map(out, BY_CODE[code].content, cast("Value", value))
    return bytes(out)


def encode_data(data: bytes) -> bytes:
    """A data section."""
    out = bytearray((0x00, 0x53, DATA))
    write_scalar(out, BINARY_CODE, data)
    return bytes(out)


def encode_sequence(items: list[Value]) -> bytes:
    """A sequence section. Raises: LocalProtocolError."""
    out = bytearray((0x00, 0x53, SEQUENCE))
    write_value(out, items)
    return bytes(out)


def encode_body_value(value: Value) -> bytes:
    """A value section. Raises: LocalProtocolError."""
    out = bytearray((0x00, 0x53, VALUE))
    write_value(out, value)
    return bytes(out)
