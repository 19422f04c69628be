"""What the identifiers of a selector stand for in a message of either form.

docs/selectors.md has the table. A ``Lookup`` lives as long as one evaluation: it decodes a section
when the first identifier asks for it, and keeps nothing in the message. What cannot be decoded is
as if it was not there, and the identifier is NULL.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from uuid import UUID

from tanist.core.message import AMQP_0_10, NEVER, Message
from tanist.core.records import Entry
from tanist.core.selector.values import SelectorValue
from tanist.sessions.translation import names
from tanist.sessions.translation.addresses import join_address
from tanist.sessions.translation.identifiers import ID_PREFIX, text_of
from tanist.sessions.translation.times import milliseconds
from tanist.types import FramingError
from tanist.wire.amqp010 import values as values010
from tanist.wire.amqp010.transfer import (
    NO_TIME,
    DeliveryProperties,
    message_properties,
    scan_header,
)
from tanist.wire.amqp010.values import Struct
from tanist.wire.amqp10 import values as values10
from tanist.wire.amqp10.composites import Properties
from tanist.wire.amqp10.sections import MessageParts, split_message

_NO_PROPERTIES: Final = Properties()
_NO_PREFIX: Final = "ID:AMQP_NO_PREFIX:"
_ALIASES: Final[dict[str, str]] = {
    "JMSPriority": "amqp.priority",
    "JMSDeliveryMode": "amqp.delivery_mode",
    "JMSTimestamp": "amqp.creation_time",
    "JMSExpiration": "amqp.absolute_expiry_time",
    "JMSDestination": "amqp.to",
    "JMSReplyTo": "amqp.reply_to",
    "JMSRedelivered": "amqp.redelivered",
}
"""Names of JMS for which the original has another one that means the same."""


def lookup(entry: Entry, unix_offset_s: float | None = None) -> Callable[[str], SelectorValue]:
    """What finds the value of an identifier in ``entry``, for ``Selector.matches``.

    ``unix_offset_s``: Unix time minus the clock of ``Message.expires_at``, for ``JMSExpiration`` of
    a message that has nothing but a time to live; unknown without it. Never raises.
    """
    if entry.message.form == AMQP_0_10:
        return _Lookup010(entry, unix_offset_s).find
    return _Lookup10(entry, unix_offset_s).find


def _common(entry: Entry, name: str) -> SelectorValue:
    """What the slots tell, in either form; ``name`` is one of ``_COMMON``."""
    message = entry.message
    if name == "amqp.priority":
        return message.priority
    if name == "amqp.delivery_mode":
        return "PERSISTENT" if message.durable else "NON_PERSISTENT"
    if name == "amqp.durable":
        return message.durable
    if name == "amqp.redelivered":
        return _again(entry)
    return _deliveries(entry) + (1 if name == "JMSXDeliveryCount" else 0)


_COMMON: Final = frozenset(
    (
        "amqp.priority",
        "amqp.delivery_mode",
        "amqp.durable",
        "amqp.redelivered",
        "amqp.delivery_count",
        "JMSXDeliveryCount",
    )
)


def _expiry(message: Message, unix_offset_s: float | None) -> SelectorValue:
    """When the time to live is over, milliseconds since 1970; 0 for never."""
    if message.expires_at == NEVER:
        return 0
    return None if unix_offset_s is None else int((message.expires_at + unix_offset_s) * 1000)


def _again(entry: Entry) -> bool:
    """Whether the next delivery will be flagged; the entry may be waiting, or be under way."""
    return entry.redelivered or (entry.holder is None and entry.deliveries > 0)


def _deliveries(entry: Entry) -> int:
    """Deliveries so far, as the next one will tell them."""
    before = entry.deliveries if entry.holder is None else entry.deliveries - 1
    return max(before, 1 if _again(entry) else 0)


class _Lookup010:
    """Looks into a message of AMQP 0-10."""

    __slots__ = ("_decoded", "_delivery", "_entry", "_unix_offset_s")

    def __init__(self, entry: Entry, unix_offset_s: float | None) -> None:
        self._entry = entry
        self._unix_offset_s = unix_offset_s
        self._delivery: DeliveryProperties | None = None
        self._decoded: dict[str, values010.Value] | None = None

    def find(self, name: str) -> SelectorValue:
        """The value of an identifier."""
        name = _ALIASES.get(name, name)
        if name in _COMMON:
            return _common(self._entry, name)
        if name.startswith("amqp."):
            return self._field(name[5:])
        if not name.startswith("JMS"):
            return self._header(name)
        if name == "JMSMessageID":
            found = self._field("message_id")
            return ID_PREFIX + found if isinstance(found, str) else None
        if name == "JMSCorrelationID":
            return self._field("correlation_id")
        if name == "JMSType":
            type_ = self._header(names.JMS_TYPE)
            return type_ if type_ is not None else self._field("subject")
        if name == "JMSXUserID":
            return self._text("user_id")
        return self._header(name)

    def _field(self, name: str) -> SelectorValue:
        message = self._entry.message
        if name == "to":
            return message.exchange or message.routing_key
        if name == "subject":
            if message.exchange:
                return message.routing_key or None
            return self._header(names.SUBJECT)
        if name == "creation_time":
            return _time(self._delivery_properties().timestamp)
        if name == "absolute_expiry_time":
            found = _time(self._delivery_properties().expiration)
            return found or _expiry(message, self._unix_offset_s)
        if name == "message_id":
            identifier = self._fields().get("message_id")
            return str(identifier) if isinstance(identifier, UUID) else None
        if name == "reply_to":
            return self._reply_to()
        if name == "jms_type":
            return self._header("jms-type")
        return self._text(name) if name == "correlation_id" else self._header("amqp." + name)

    def _reply_to(self) -> SelectorValue:
        reply_to = self._fields().get("reply_to")
        if not isinstance(reply_to, Struct):
            return None
        return join_address(reply_to.text("exchange"), reply_to.text("routing_key")) or None

    def _text(self, field: str) -> SelectorValue:
        value = self._fields().get(field)
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else None

    def _header(self, name: str) -> SelectorValue:
        headers = self._fields().get("application_headers")
        if not isinstance(headers, dict):
            return None
        value = headers.get(name)
        return text_of(value) if isinstance(value, bytes) else _plain(value)

    def _fields(self) -> dict[str, values010.Value]:
        if self._decoded is None:
            try:
                struct = message_properties(self._entry.message.header)
            except FramingError:
                struct = None
            self._decoded = {} if struct is None else struct.fields
        return self._decoded

    def _delivery_properties(self) -> DeliveryProperties:
        if self._delivery is None:
            try:
                self._delivery = scan_header(self._entry.message.header)
            except FramingError:
                self._delivery = scan_header(b"")
        return self._delivery


def _time(datetime: int) -> SelectorValue:
    return None if datetime == NO_TIME else milliseconds(datetime)


class _Lookup10:
    """Looks into a message of AMQP 1.0."""

    __slots__ = ("_application", "_entry", "_parts", "_properties", "_unix_offset_s")

    def __init__(self, entry: Entry, unix_offset_s: float | None) -> None:
        self._entry = entry
        self._unix_offset_s = unix_offset_s
        self._parts: MessageParts | None = None
        self._properties: Properties | None = None
        self._application: dict[str, values10.Value] | None = None

    def find(self, name: str) -> SelectorValue:
        """The value of an identifier."""
        name = _ALIASES.get(name, name)
        if name in _COMMON:
            return _common(self._entry, name)
        if name.startswith("amqp."):
            return self._field(name[5:])
        if not name.startswith("JMS"):
            return self._property(name)
        if name == "JMSMessageID":
            return jms_message_id(self._section().message_id)
        if name == "JMSCorrelationID":
            return jms_correlation_id(self._section().correlation_id)
        if name == "JMSType":
            return self._section().subject
        if name == "JMSXUserID":
            user_id = self._section().user_id
            return None if user_id is None else user_id.decode("utf-8", "replace")
        if name == "JMSXGroupID":
            return self._section().group_id
        if name == "JMSXGroupSeq":
            return self._section().group_sequence
        return self._property(name)

    def _field(self, name: str) -> SelectorValue:
        section = self._section()
        if name == "subject":
            return section.subject
        if name == "to":
            return section.to
        if name == "creation_time":
            return section.creation_time
        if name == "absolute_expiry_time":
            found = section.absolute_expiry_time
            return found or _expiry(self._entry.message, self._unix_offset_s)
        if name == "message_id":
            return _bare(section.message_id)
        if name == "correlation_id":
            return _bare(section.correlation_id)
        if name == "reply_to":
            return section.reply_to
        return (
            self._annotation("jms-type") if name == "jms_type" else self._property("amqp." + name)
        )

    def _split(self) -> MessageParts:
        if self._parts is None:
            try:
                self._parts = split_message(self._entry.message.body)
            except FramingError:
                self._parts = split_message(b"")
        return self._parts

    def _section(self) -> Properties:
        if self._properties is None:
            try:
                self._properties = self._split().read_properties() or _NO_PROPERTIES
            except FramingError:
                self._properties = _NO_PROPERTIES
        return self._properties

    def _property(self, name: str) -> SelectorValue:
        if self._application is None:
            try:
                self._application = self._split().read_application_properties()
            except FramingError:
                self._application = {}
        return _plain(self._application.get(name))

    def _annotation(self, name: str) -> SelectorValue:
        try:
            return _plain(self._split().read_message_annotations().get(name))
        except FramingError:
            return None


def _plain(value: object) -> SelectorValue:
    """A property as selectors know values; None for what no operator takes."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value + 0
    if isinstance(value, float):
        return value * 1.0
    return str(value) if isinstance(value, str) else None


# ------------------------------------------------------------------------ ids (AMQP JMS mapping)


def jms_message_id(identifier: values10.Value) -> str | None:
    """What Qpid JMS shows as ``JMSMessageID`` (AMQP JMS mapping, 3.2.1.1)."""
    if isinstance(identifier, str):
        return identifier if identifier.startswith(ID_PREFIX) else _NO_PREFIX + identifier
    return _encoded(identifier)


def jms_correlation_id(identifier: values10.Value) -> str | None:
    """What Qpid JMS shows as ``JMSCorrelationID``."""
    return identifier if isinstance(identifier, str) else _encoded(identifier)


def _encoded(identifier: values10.Value) -> str | None:
    if isinstance(identifier, UUID):
        return f"ID:AMQP_UUID:{identifier}"
    if isinstance(identifier, int):
        return f"ID:AMQP_ULONG:{identifier}"
    return f"ID:AMQP_BINARY:{identifier.hex().upper()}" if isinstance(identifier, bytes) else None


def _bare(identifier: values10.Value) -> str | None:
    """The text of an id of any type."""
    if isinstance(identifier, bytes):
        return identifier.decode("utf-8", "replace")
    return str(identifier) if isinstance(identifier, (str, int, UUID)) else None
