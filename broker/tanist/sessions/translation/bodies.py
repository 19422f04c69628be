"""The body of a message in the form of the other protocol version.

AMQP 0-10 has octets and a content type that says what they are; AMQP 1.0 has data, values and
sequences:

    0-10                                   1.0
    amqp/map, jms/map-message              a value, a map
    amqp/list, jms/stream-message          a value, a list
    text/plain in UTF-8                    a value, a string
    no body segment                        a value, null
    anything else                          data

In the other direction a value that 0-10 has no content type for stands alone in an ``amqp/list``,
and octets, sequences and so on say in the header ``x-amqp-body`` what they were, where the table
would not lead back. What cannot be read stays octets: of 0-10 in a data section with the content
type that they had, of 1.0 with the content type ``application/x-amqp-1.0``.
"""

from __future__ import annotations

from typing import Final, cast

from tanist.sessions.translation.jms import (
    MAP_TYPE as JMS_MAP_TYPE,
)
from tanist.sessions.translation.jms import (
    STREAM_TYPE as JMS_STREAM_TYPE,
)
from tanist.sessions.translation.jms import read_map, read_stream, write_map, write_stream
from tanist.sessions.translation.names import JMS_MAP, JMS_OBJECT, JMS_STREAM
from tanist.sessions.translation.values import (
    map_to_amqp010,
    map_to_amqp10,
    value_to_amqp010,
    value_to_amqp10,
)
from tanist.types import BrokerError
from tanist.wire.amqp010 import codec as codec010
from tanist.wire.amqp10 import values as values10
from tanist.wire.amqp10.sections import (
    DATA,
    NO_BODY,
    SEQUENCE,
    MessageParts,
    encode_body_value,
    encode_data,
    encode_sequence,
    skip_value,
)
from tanist.wire.amqp10.values import Described, MapPairs

MAP_TYPE: Final = "amqp/map"
LIST_TYPE: Final = "amqp/list"
TEXT_TYPE: Final = "text/plain"
SPEAKING: Final = frozenset((MAP_TYPE, LIST_TYPE, TEXT_TYPE, JMS_MAP_TYPE, JMS_STREAM_TYPE))
"""Content types by which octets of 0-10 may become a value."""

OPAQUE_TYPE: Final = "application/x-amqp-1.0"
"""Octets of AMQP 1.0 that could not be translated."""

TRANSLATED_MAX: Final = 262_144
"""Octets of the longest body of values that is translated: one may be three hundred in memory,
and a broker does nothing else meanwhile. A value that is one text or octets costs no such thing."""

OBJECT_010: Final = "application/java-object-stream"
OBJECT_10: Final = "application/x-java-serialized-object"
"""A serialised Java object, as the legacy JMS client and as the AMQP JMS mapping call it."""

_ONE_PIECE: Final = frozenset((values10.BINARY_CODE, values10.STRING_CODE, values10.SYMBOL_CODE))
"""Constructors of long values without others inside."""

NULL_BODY: Final = encode_body_value(None)
"""The body of a message that has none: AMQP 1.0 wants one (3.2)."""

# Values of the header x-amqp-body.
OCTETS: Final = "data"
"""Data, though the content type says that it is more than octets."""
BINARY: Final = "binary"
"""A value, octets; without the header they would become data."""
STRING: Final = "string"
"""A value, a string, though the content type is not text/plain."""
SINGLE: Final = "single"
"""A value, the only item of the list."""
ONE_SEQUENCE: Final = "sequence"
"""A sequence, the list."""
SEQUENCES: Final = "sequences"
"""Sequences, the lists in the list."""


# ------------------------------------------------------------------------------- from 0-10 to 1.0


def body_to_amqp10(
    content_type: str, body: bytes, bodiless: bool, hint: object
) -> tuple[bytes, int]:
    """The sections of a body, and what JMS calls such a message (0: nothing need be said).

    ``hint`` is the value of the header ``x-amqp-body``, None without one.
    """
    if bodiless:
        return NULL_BODY, 0
    if hint == OCTETS:
        return encode_data(body), 0
    try:
        if content_type == TEXT_TYPE or hint == STRING:
            return encode_body_value(body.decode()), 0
        if content_type == MAP_TYPE:
            return encode_body_value(map_to_amqp10(codec010.decode_map(body))), JMS_MAP
        if content_type == LIST_TYPE:
            return _list_to_amqp10(body, hint)
        if content_type == JMS_MAP_TYPE:
            return encode_body_value(read_map(body)), JMS_MAP
        if content_type == JMS_STREAM_TYPE:
            return encode_body_value(read_stream(body)), JMS_STREAM
    except (BrokerError, UnicodeDecodeError):
        return encode_data(body), 0
    if hint == BINARY:
        return encode_body_value(body), 0
    return encode_data(body), JMS_OBJECT if content_type == OBJECT_010 else 0


def _list_to_amqp10(body: bytes, hint: object) -> tuple[bytes, int]:
    items = [value_to_amqp10(item) for item in codec010.decode_list(body)]
    if hint == SINGLE and len(items) == 1:
        return encode_body_value(items[0]), 0
    if hint == ONE_SEQUENCE:
        return encode_sequence(items), 0
    if hint == SEQUENCES and items and all(type(item) is list for item in items):
        lists = cast("list[list[values10.Value]]", items)
        return b"".join([encode_sequence(item) for item in lists]), 0
    return encode_body_value(items), JMS_STREAM


# ------------------------------------------------------------------------------- from 1.0 to 0-10


class Body010:
    """A body segment, its content type ("" for none), and the value of ``x-amqp-body`` (or "").

    ``jms_type``: what ``body_to_amqp10`` would call it.
    """

    __slots__ = ("bodiless", "content_type", "hint", "jms_type", "octets")

    def __init__(
        self,
        octets: bytes,
        content_type: str,
        hint: str = "",
        jms_type: int = 0,
        bodiless: bool = False,
    ) -> None:
        self.octets = octets
        self.content_type = content_type
        self.hint = hint
        self.jms_type = jms_type
        self.bodiless = bodiless


def body_to_amqp010(parts: MessageParts, content_type: str) -> Body010:
    """The body of a message whose property ``content-type`` is ``content_type`` ("" for none)."""
    kind = parts.body_kind
    if kind == NO_BODY:
        return Body010(b"", content_type, bodiless=True)
    try:
        if kind == DATA:
            if content_type == OBJECT_10:
                return Body010(parts.read_data(), OBJECT_010, jms_type=JMS_OBJECT)
            hint = OCTETS if content_type in SPEAKING else ""
            return Body010(parts.read_data(), content_type, hint)
        if _is_too_long(parts):
            return Body010(parts.octets(parts.body), OPAQUE_TYPE)
        if kind == SEQUENCE:
            return _sequences(parts.read_sequences())
        return _value(parts.read_body_value(), content_type)
    except BrokerError:
        return Body010(parts.octets(parts.body), OPAQUE_TYPE)


def _is_too_long(parts: MessageParts) -> bool:
    """Whether values take more than ``TRANSLATED_MAX`` octets."""
    start, stop = parts.body
    if stop - start <= TRANSLATED_MAX:
        return False
    constructor = skip_value(parts.message, start + 1, stop)
    return parts.body_kind == SEQUENCE or parts.message[constructor] not in _ONE_PIECE


def _sequences(sequences: list[list[values10.Value]]) -> Body010:
    lists = [[value_to_amqp010(item) for item in sequence] for sequence in sequences]
    if len(lists) == 1:
        return Body010(codec010.encode_list(lists[0]), LIST_TYPE, ONE_SEQUENCE)
    return Body010(codec010.encode_list([*lists]), LIST_TYPE, SEQUENCES)


def _value(value: values10.Value, content_type: str) -> Body010:
    """A body that is one value. Raises: LocalProtocolError when it is nested too deeply."""
    while isinstance(value, Described):
        value = value.value
    if value is None:
        return Body010(b"", content_type, bodiless=True)
    if isinstance(value, str):
        if content_type in ("", TEXT_TYPE):
            return Body010(value.encode(), TEXT_TYPE)
        return Body010(value.encode(), content_type, STRING)
    if isinstance(value, bytes):
        return Body010(value[:], content_type, BINARY)
    if isinstance(value, (dict, MapPairs)):
        octets = write_map(value) if content_type == JMS_MAP_TYPE else None
        if octets is not None:
            return Body010(octets, JMS_MAP_TYPE, jms_type=JMS_MAP)
        pairs = list(value.items()) if isinstance(value, dict) else value
        octets = codec010.encode_map(map_to_amqp010(pairs))
        return Body010(octets, MAP_TYPE, jms_type=JMS_MAP)
    if isinstance(value, list) and not isinstance(value, values10.Array):
        octets = write_stream(value) if content_type == JMS_STREAM_TYPE else None
        if octets is not None:
            return Body010(octets, JMS_STREAM_TYPE, jms_type=JMS_STREAM)
        octets = codec010.encode_list([value_to_amqp010(item) for item in value])
        return Body010(octets, LIST_TYPE, jms_type=JMS_STREAM)
    return Body010(codec010.encode_list([value_to_amqp010(value)]), LIST_TYPE, SINGLE)
