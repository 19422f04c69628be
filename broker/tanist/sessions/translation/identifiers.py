"""Message and correlation ids: a UUID and octets in AMQP 0-10, one of four types in AMQP 1.0.

A 1.0 id of another type travels in a header of its own. It counts only as long as the field still
says what was written into it together with the header: a client that takes over the headers of one
message for the next makes new ids.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from tanist.wire.amqp010 import values as values010
from tanist.wire.amqp10 import values as values10

ID_PREFIX: Final = "ID:"
"""How message ids begin in JMS; the legacy JMS client puts it before the UUID."""

OCTETS_MAX: Final = 65535
"""Octets of the longest correlation id, user id: a vbin16."""

_UUID_LENGTH: Final = 36


def message_uuid(identifier: values10.Value) -> UUID | None:
    """The UUID that a message id is, as one, or as its text with or without ``ID:`` before it."""
    if isinstance(identifier, UUID):
        return identifier
    if not isinstance(identifier, str):
        return None
    text = identifier[len(ID_PREFIX) :] if identifier.startswith(ID_PREFIX) else identifier
    if len(text) != _UUID_LENGTH:
        return None
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text else None


def correlation_octets(identifier: values10.Value) -> bytes | None:
    """A correlation id as octets: text as UTF-8, a UUID and a number as their text."""
    if isinstance(identifier, bytes):
        octets = identifier[:]
    elif isinstance(identifier, (str, int, UUID)):
        octets = str(identifier).encode()
    else:
        return None
    return octets if len(octets) <= OCTETS_MAX else None


def text_or_octets(octets: bytes) -> str | bytes:
    """``octets`` as the text that they are in UTF-8, if they are."""
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets


def header_identifier(value: values010.Value) -> values10.Value:
    """The 1.0 id in a header; None if there is none."""
    if isinstance(value, UUID):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bytes):
        return value[:]
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return None
    return values10.ULong(value)


def text_of(value: values010.Value) -> str | None:
    """A header as a text: C++ sends its texts as octets. None if it is none."""
    if isinstance(value, str):
        return str(value)
    if not isinstance(value, bytes):
        return None
    found = text_or_octets(value)
    return found if isinstance(found, str) else None
