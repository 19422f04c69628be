"""A message of AMQP 0-10 as one of AMQP 1.0.

``to_amqp10`` is called for each delivery. A plain message goes the short way, ``plain_amqp10``;
here is the general one, for everything.

What 1.0 has no place for goes into one message annotation, ``x-opt-amqp-0-10``, and what came from
1.0 in ``x-amqp-...`` headers goes back to its place: a message that passes both versions loses
nothing (docs/message-mapping.md). Source: AMQP specification 0-10, III.8; OASIS AMQP 1.0, 3.2.
"""

from __future__ import annotations

from typing import Final, cast
from uuid import UUID

from tanist.core.message import Message
from tanist.sessions.translation import names
from tanist.sessions.translation.addresses import join_address, split_address
from tanist.sessions.translation.bodies import (
    LIST_TYPE,
    MAP_TYPE,
    NULL_BODY,
    OBJECT_010,
    OBJECT_10,
    body_to_amqp10,
)
from tanist.sessions.translation.identifiers import (
    correlation_octets,
    header_identifier,
    message_uuid,
    text_of,
    text_or_octets,
)
from tanist.sessions.translation.plain_amqp10 import plain_to_amqp10
from tanist.sessions.translation.times import (
    MILLISECONDS_FROM,
    TIMESTAMP_MAX,
    TIMESTAMP_MIN,
    milliseconds,
)
from tanist.sessions.translation.values import is_simple, map_to_amqp10, value_to_amqp10
from tanist.types import BrokerError
from tanist.wire.amqp010 import values as values010
from tanist.wire.amqp010.transfer import (
    NO_TIME,
    DeliveryProperties,
    message_properties,
    scan_header,
)
from tanist.wire.amqp010.values import Struct, TypedInt
from tanist.wire.amqp10 import values as values10
from tanist.wire.amqp10.composites import Properties
from tanist.wire.amqp10.encoding import encode_composite
from tanist.wire.amqp10.sections import (
    APPLICATION_PROPERTIES,
    FOOTER,
    MESSAGE_ANNOTATIONS,
    encode_data,
    encode_map_section,
)
from tanist.wire.amqp10.values import Byte, Symbol, ULong

_NO_HEADERS: Final[dict[str, values010.Value]] = {}

_PLACED: Final = frozenset((names.SUBJECT, names.GROUP_ID, names.GROUP_SEQUENCE))


def to_amqp10(message: Message) -> bytes:
    """The sections of ``message``, one of AMQP 0-10, from the message annotations on.

    The caller puts the header for its delivery in front. Never raises for what a producer sent:
    properties that cannot be read are as if they were not there, a body that cannot is data.
    """
    return plain_to_amqp10(message) or general_to_amqp10(message)


def general_to_amqp10(message: Message) -> bytes:
    """``to_amqp10`` for whatever there may be."""
    draft = Draft(message)
    headers = _NO_HEADERS
    try:
        draft.take_delivery(scan_header(message.header))
        struct = message_properties(message.header)
        if struct is not None:
            headers = struct.map("application_headers")
            draft.take_fields(struct.fields, headers)
            draft.take_headers(headers)
    except BrokerError:
        pass
    return draft.finish(headers)


def opaque_to_amqp10(message: Message) -> bytes:
    """``message`` as its address and data alone: the last resort, when nothing else can be said."""
    to = join_address(message.exchange, "") or message.routing_key
    body = NULL_BODY if message.bodiless else encode_data(message.body)
    return encode_composite(Properties(to=to)) + body


class Draft:
    """The message in the making."""

    __slots__ = (
        "annotations",
        "application",
        "content_type",
        "footer",
        "message",
        "properties",
        "rest",
        "rest_headers",
    )

    def __init__(self, message: Message) -> None:
        self.message = message
        self.properties = Properties(to=join_address(message.exchange, "") or message.routing_key)
        self.application: dict[str, values10.Value] = {}
        self.annotations: values10.Annotations = {}
        self.rest: dict[values10.Value, values10.Value] = {}
        self.rest_headers: dict[values10.Value, values10.Value] = {}
        self.footer: values10.Annotations = {}
        self.content_type = ""
        if message.exchange and message.routing_key:
            self.properties.subject = message.routing_key

    # -- delivery-properties ------------------------------------------------------------------

    def take_delivery(self, delivery: DeliveryProperties) -> None:
        """The delivery properties that the message does not have in its slots."""
        if delivery.timestamp != NO_TIME:
            self.properties.creation_time = self._time(delivery.timestamp, names.REST_TIMESTAMP)
        if delivery.expiration != NO_TIME:
            self.properties.absolute_expiry_time = self._time(
                delivery.expiration, names.REST_EXPIRATION
            )
        if (
            delivery.discard_unroutable
            or delivery.immediate
            or delivery.resume_id
            or delivery.resume_ttl_ms != NO_TIME
        ):
            self._take_unused(delivery)

    def _time(self, datetime: int, key: str) -> int | None:
        found = milliseconds(datetime)
        if found != datetime or datetime < MILLISECONDS_FROM:
            self.rest[key] = ULong(datetime)
        return found

    def _take_unused(self, delivery: DeliveryProperties) -> None:
        if delivery.discard_unroutable:
            self.rest[names.REST_DISCARD_UNROUTABLE] = True
        if delivery.immediate:
            self.rest[names.REST_IMMEDIATE] = True
        if delivery.resume_id:
            self.rest[names.REST_RESUME_ID] = delivery.resume_id
        if delivery.resume_ttl_ms != NO_TIME:
            self.rest[names.REST_RESUME_TTL] = ULong(delivery.resume_ttl_ms)

    # -- message-properties -------------------------------------------------------------------

    def take_fields(
        self, fields: dict[str, values010.Value], headers: dict[str, values010.Value]
    ) -> None:
        """The message properties, but for the headers; ids together with their headers."""
        properties = self.properties
        self._take_identifiers(fields, headers)
        content_type = fields.get("content_type")
        if isinstance(content_type, str):
            self.content_type = content_type
            properties.content_type = self._symbol(content_type, names.REST_CONTENT_TYPE)
            if content_type == OBJECT_010:
                properties.content_type = OBJECT_10
        encoding = fields.get("content_encoding")
        if isinstance(encoding, str):
            properties.content_encoding = self._symbol(encoding, names.REST_CONTENT_ENCODING)
        user_id = fields.get("user_id")
        if isinstance(user_id, bytes):
            properties.user_id = user_id
        reply_to = fields.get("reply_to")
        if isinstance(reply_to, Struct):
            exchange, key = reply_to.text("exchange"), reply_to.text("routing_key")
            properties.reply_to = join_address(exchange, key)
            if split_address(properties.reply_to) != (exchange, key):
                self.rest[names.REST_REPLY_TO] = [exchange, key]
        app_id = fields.get("app_id")
        if isinstance(app_id, bytes):
            self.application[names.APP_ID] = text_or_octets(app_id)

    def _take_identifiers(
        self, fields: dict[str, values010.Value], headers: dict[str, values010.Value]
    ) -> None:
        message_id = fields.get("message_id")
        if isinstance(message_id, UUID):
            self.properties.message_id = message_id
        if names.MESSAGE_ID in headers:
            carried = header_identifier(headers[names.MESSAGE_ID])
            if message_uuid(carried) == message_id:
                self.properties.message_id = carried
        correlation_id = fields.get("correlation_id")
        if isinstance(correlation_id, bytes):
            self.properties.correlation_id = text_or_octets(correlation_id)
        if names.CORRELATION_ID in headers:
            carried = header_identifier(headers[names.CORRELATION_ID])
            if correlation_octets(carried) == correlation_id:
                self.properties.correlation_id = carried

    def _symbol(self, text: str, key: str) -> str | None:
        if text.isascii():
            return text
        self.rest[key] = text
        return None

    # -- application headers ------------------------------------------------------------------

    def take_headers(self, headers: dict[str, values010.Value]) -> None:
        """The application headers, but for those that ``take_fields`` looks at."""
        application = self.application
        for name, value in headers.items():
            if name in names.CARRIED:
                self._take_carried(name, value)
            elif name in _PLACED and self._place(name, value):
                continue
            elif is_simple(value) and (name != names.APP_ID or name not in application):
                application[name] = value_to_amqp10(value)
            else:
                self.rest_headers[name] = value_to_amqp10(value)
        if self.properties.subject is None:
            self.properties.subject = text_of(headers.get(names.JMS_TYPE))

    def _place(self, name: str, value: values010.Value) -> bool:
        """Put a header where AMQP 1.0 has a property for it. False if it says more than that."""
        if name == names.SUBJECT:
            return self._take_subject(value)
        return self._take_group(value) if name == names.GROUP_ID else self._take_sequence(value)

    def _take_subject(self, value: values010.Value) -> bool:
        """Whether the header says nothing that the subject does not."""
        text = text_of(value)
        if self.properties.subject is None:
            self.properties.subject = text
        return text is not None and self.properties.subject == text

    def _take_group(self, value: values010.Value) -> bool:
        """Whether the header is a group id."""
        self.properties.group_id = text_of(value)
        return self.properties.group_id is not None

    def _take_sequence(self, value: values010.Value) -> bool:
        """Whether the header says nothing that the group sequence does not."""
        if not isinstance(value, TypedInt) or value < 0:
            return False
        if value.code != (0x21 if value < 1 << 31 else 0x22):
            return False
        self.properties.group_sequence = value + 0
        return True

    def _take_carried(self, name: str, value: values010.Value) -> None:
        """A header that came from AMQP 1.0 goes back to where it was, if it may stand there."""
        properties = self.properties
        if isinstance(value, str):
            text = str(value)
            if name == names.TO:
                properties.to = text
            elif name == names.REPLY_TO:
                properties.reply_to = text
            elif name == names.REPLY_TO_GROUP_ID:
                properties.reply_to_group_id = text
            elif name == names.CONTENT_TYPE and text.isascii():
                if properties.content_type in (None, MAP_TYPE, LIST_TYPE):
                    properties.content_type = text
            elif name == names.CONTENT_ENCODING and text.isascii():
                properties.content_encoding = text
        elif isinstance(value, bytes) and name == names.USER_ID:
            properties.user_id = value[:]
        elif isinstance(value, dict):
            found = cast("values10.Annotations", map_to_amqp10(value))
            if name == names.MESSAGE_ANNOTATIONS:
                self.annotations = _symbols(found)
            elif name == names.FOOTER:
                self.footer = _symbols(found)
        elif isinstance(value, int) and TIMESTAMP_MIN <= value <= TIMESTAMP_MAX:
            if name == names.CREATION_TIME and properties.creation_time is None:
                properties.creation_time = value + 0
            elif name == names.EXPIRY_TIME and properties.absolute_expiry_time is None:
                properties.absolute_expiry_time = value + 0

    # -- the end ------------------------------------------------------------------------------

    def finish(self, headers: dict[str, values010.Value]) -> bytes:
        """The octets."""
        message = self.message
        hint = headers.get(names.BODY)
        body, jms_type = body_to_amqp10(self.content_type, message.body, message.bodiless, hint)
        if jms_type:
            self.annotations.setdefault(names.JMS_MESSAGE_TYPE, Byte(jms_type))
        if self.rest_headers:
            self.rest[names.REST_HEADERS] = self.rest_headers
        out = b""
        if self.rest or self.annotations:
            out = self._annotations()
        try:
            out += encode_composite(self.properties)
        except BrokerError:
            return opaque_to_amqp10(message)
        if self.application:
            out += _map_section(APPLICATION_PROPERTIES, self.application)
        out += body
        if self.footer:
            out += _map_section(FOOTER, self.footer)
        return out

    def _annotations(self) -> bytes:
        """The message annotations; entries that are nested too deeply for them are left out."""
        if not self.rest:
            return _map_section(MESSAGE_ANNOTATIONS, self.annotations)
        try:
            return encode_map_section(
                MESSAGE_ANNOTATIONS, {**self.annotations, names.REST: self.rest}
            )
        except BrokerError:
            pass
        kept = {
            name: value
            for name, value in self.rest_headers.items()
            if _fits(MESSAGE_ANNOTATIONS, names.REST, {names.REST_HEADERS: {name: value}})
        }
        self.rest.pop(names.REST_HEADERS, None)
        if kept:
            self.rest[names.REST_HEADERS] = kept
        annotations = dict(self.annotations)
        if self.rest:
            annotations[names.REST] = self.rest
        return _map_section(MESSAGE_ANNOTATIONS, annotations)


def _symbols(annotations: values10.Annotations) -> values10.Annotations:
    """Those whose keys are ASCII, as symbols are."""
    return {
        Symbol(key): value
        for key, value in annotations.items()
        if isinstance(key, str) and key.isascii()
    }


def _map_section(code: int, value: values10.Annotations | dict[str, values10.Value]) -> bytes:
    """A map section without the entries that cannot be encoded, as they are nested too deeply."""
    try:
        return encode_map_section(code, value)
    except BrokerError:
        pass
    pairs = cast("dict[str, values10.Value]", value).items()
    kept = {key: item for key, item in pairs if _fits(code, key, item)}
    return encode_map_section(code, kept) if kept else b""


def _fits(code: int, key: str, value: values10.Value) -> bool:
    """Whether an entry can be encoded."""
    try:
        encode_map_section(code, {key: value})
    except BrokerError:
        return False
    return True
