"""What a message says about its way: user-id, to and subject, read without decoding the rest.

Queues need none of it. An exchange needs the subject, the anonymous relay the address in ``to``,
and with authentication the user-id is judged. Source: AMQP 1.0, 3.2.4 "Properties".
"""

from __future__ import annotations

from typing import Final

from tanist.types import BrokerError, Condition, FramingError
from tanist.wire.amqp10.decoding import Reader, read_value
from tanist.wire.amqp10.sections import skip_value, split_message
from tanist.wire.amqp10.values import Value

_HEADER_SECTIONS: Final = (b"\x00\x53\x70", b"\x00\x53\x71")
_ANNOTATIONS: Final = b"\x00\x53\x72"
_PROPERTIES: Final = b"\x00\x53\x73"
_LIST8: Final = 0xC0
_LIST32: Final = 0xD0
_FIELDS: Final = 4
"""message-id, user-id, to, subject."""


class Way:
    """``user_id``, ``to`` and ``subject`` of a message; empty when it does not say."""

    __slots__ = ("subject", "to", "user_id")

    def __init__(self, user_id: bytes = b"", to: str = "", subject: str = "") -> None:
        self.user_id = user_id
        self.to = to
        self.subject = subject


NOWHERE: Final = Way()


def read_way(body: bytes) -> Way:
    """Read it from the sections of a message from the message annotations on.

    Raises: FramingError when the sections are broken as far as they are looked at.
    """
    pos, end = 0, len(body)
    if body.startswith(_ANNOTATIONS):
        pos = skip_value(body, 3, end)
    if body[pos : pos + 3] != _PROPERTIES:
        # Another section, or the same one with its descriptor written in an unusual way.
        if pos >= end or body[pos + 1 : pos + 2] == b"\x53":
            return NOWHERE
        properties = split_message(body).read_properties()
        if properties is None:
            return NOWHERE
        return Way(properties.user_id or b"", properties.to or "", properties.subject or "")
    pos += 3
    code = body[pos] if pos < end else 0
    if code == _LIST8 and pos + 3 <= end:
        count, pos = body[pos + 2], pos + 3
    elif code == _LIST32 and pos + 9 <= end:
        count, pos = int.from_bytes(body[pos + 5 : pos + 9], "big"), pos + 9
    else:
        return NOWHERE
    fields: list[Value] = [None] * _FIELDS
    for at in range(min(count, _FIELDS)):
        stop = skip_value(body, pos, end)
        if at:
            fields[at] = read_value(Reader(body, pos, stop))
        pos = stop
    _, user_id, to, subject = fields
    return Way(
        user_id if isinstance(user_id, bytes) else b"",
        to if isinstance(to, str) else "",
        subject if isinstance(subject, str) else "",
    )


def bare_start(payload: bytes, at: int) -> int:
    """Where the message annotations start, behind the header and delivery annotations.

    ``at``: where the header ends. Raises: FramingError.
    """
    if payload[at : at + 3] == _HEADER_SECTIONS[1]:
        return skip_value(payload, at + 3, len(payload))
    if at < len(payload) and payload[at + 1 : at + 2] != b"\x53":
        parts = split_message(payload)
        return parts.delivery_annotations[1] or at
    if payload[at : at + 3] == _HEADER_SECTIONS[0]:
        raise FramingError("a second header section")
    return at


def check_user_id(way: Way, user: str) -> None:
    """A message may name nobody but its authenticated sender.

    Raises: BrokerError (UNAUTHORIZED_ACCESS).
    """
    if not way.user_id:
        return
    claimed = way.user_id.decode("utf-8", "replace")
    if claimed not in (user, user.partition("@")[0]):
        raise BrokerError(
            Condition.UNAUTHORIZED_ACCESS,
            f"authorised user id : {user} but user id in message declared as {claimed[:64]}",
        )
