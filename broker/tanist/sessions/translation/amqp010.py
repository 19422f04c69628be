"""A message of AMQP 1.0 as one of AMQP 0-10.

What 0-10 has no place for becomes application headers ``x-amqp-...``, and what came from 0-10 in
the message annotation ``x-opt-amqp-0-10`` goes back to its place (docs/message-mapping.md). The
time to live and the redelivered flag are the delivery's: ``stamp_header`` puts them in. A plain
message goes the short way, ``plain_amqp010``; here is the general one, for everything.

Source: AMQP specification 0-10, III.8; OASIS AMQP 1.0, 3.2.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from tanist.core.message import AMQP_0_10, Message
from tanist.sessions.translation import names
from tanist.sessions.translation.addresses import (
    NAME_MAX,
    NO_NAMES,
    fits,
    join_address,
    split_address,
)
from tanist.sessions.translation.bodies import (
    OBJECT_010,
    OBJECT_10,
    OPAQUE_TYPE,
    Body010,
    body_to_amqp010,
)
from tanist.sessions.translation.identifiers import (
    OCTETS_MAX,
    correlation_octets,
    message_uuid,
    text_or_octets,
)
from tanist.sessions.translation.plain_amqp010 import plain_to_amqp010
from tanist.sessions.translation.times import datetime, milliseconds
from tanist.sessions.translation.values import header_map, is_simple, value_to_amqp010
from tanist.types import BrokerError, FramingError
from tanist.wire.amqp010 import codec as codec010
from tanist.wire.amqp010 import values as values010
from tanist.wire.amqp010.spec import DEFINITIONS
from tanist.wire.amqp010.values import Struct, TypedInt
from tanist.wire.amqp10 import values as values10
from tanist.wire.amqp10.composites import Properties
from tanist.wire.amqp10.sections import MessageParts, split_message

_DELIVERY: Final = DEFINITIONS["message.delivery-properties"]
_MESSAGE: Final = DEFINITIONS["message.message-properties"]
_REPLY_TO: Final = DEFINITIONS["message.reply-to"]

_NO_PROPERTIES: Final = Properties()
_NO_MAP: Final[dict[values10.Value, values10.Value]] = {}


def to_amqp010(
    message: Message,
    queues: Container[str] = NO_NAMES,
    exchanges: Container[str] = NO_NAMES,
) -> tuple[bytes, bytes, bool]:
    """The header segment and the body segment of ``message``, one of AMQP 1.0, and whether there
    is no body segment at all.

    ``queues`` and ``exchanges``: the names of those that there are; they say what a reply address
    means. Never raises for what a producer sent: a section that cannot be read is as if it was not
    there, a body that cannot goes on as ``application/x-amqp-1.0``, and so does the whole message
    when its sections cannot be found.
    """
    found = plain_to_amqp010(message, queues, exchanges)
    return general_to_amqp010(message, queues, exchanges) if found is None else found


def general_to_amqp010(
    message: Message, queues: Container[str], exchanges: Container[str]
) -> tuple[bytes, bytes, bool]:
    """``to_amqp010`` for whatever there may be."""
    try:
        parts = split_message(message.body)
    except FramingError:
        return opaque_to_amqp010(message)
    annotations = _annotations(parts, False)
    draft = Draft(message, _properties(parts), _rest(annotations))
    content_type = draft.properties.content_type or ""
    if not content_type:
        content_type = draft.rest_text(names.REST_CONTENT_TYPE)
    body = body_to_amqp010(parts, content_type)
    draft.take_application(_application(parts))
    draft.take_annotations(annotations, body.jms_type)
    draft.take_properties(queues, exchanges)
    footer = _annotations(parts, True)
    if footer:
        draft.headers[names.FOOTER] = header_map(list(footer.items()))
    return draft.finish(body)


def opaque_to_amqp010(message: Message) -> tuple[bytes, bytes, bool]:
    """All octets of ``message`` as a body: the last resort, when nothing else can be said."""
    draft = Draft(message, _NO_PROPERTIES, _NO_MAP)
    draft.fields["content_type"] = OPAQUE_TYPE
    draft.fields["content_length"] = len(message.body)
    return draft.header(), message.body, False


def as_amqp010(
    message: Message,
    queues: Container[str] = NO_NAMES,
    exchanges: Container[str] = NO_NAMES,
) -> Message:
    """``message`` in the form of AMQP 0-10: itself, if it has it already; see ``to_amqp010``."""
    if message.form == AMQP_0_10:
        return message
    header, body, bodiless = to_amqp010(message, queues, exchanges)
    return Message(
        header,
        body,
        message.exchange,
        message.routing_key,
        message.durable,
        message.priority,
        message.expires_at,
        message.redelivered,
        bodiless,
        message.origin,
    )


def headers_of_amqp010(message: Message) -> dict[str, values010.Value]:
    """The application headers that ``to_amqp010`` would give ``message``, but for those with which
    it carries what 0-10 has no place for.
    """
    try:
        parts = split_message(message.body)
    except FramingError:
        return {}
    draft = Draft(message, _properties(parts), _rest(_annotations(parts, False)))
    draft.take_application(_application(parts))
    draft.take_subject()
    draft.take_group()
    return draft.headers


# --------------------------------------------------------------------------- sections, if readable


def _properties(parts: MessageParts) -> Properties:
    try:
        return parts.read_properties() or _NO_PROPERTIES
    except FramingError:
        return _NO_PROPERTIES


def _application(parts: MessageParts) -> dict[str, values10.Value]:
    try:
        return parts.read_application_properties()
    except FramingError:
        return {}


def _annotations(parts: MessageParts, footer: bool) -> values10.Annotations:
    try:
        return parts.read_footer() if footer else parts.read_message_annotations()
    except FramingError:
        return {}


def _rest(annotations: values10.Annotations) -> dict[values10.Value, values10.Value]:
    rest = annotations.get(names.REST) if annotations else None
    return rest if isinstance(rest, dict) else _NO_MAP


class Draft:
    """The message in the making. ``rest``: what the annotation ``x-opt-amqp-0-10`` says."""

    __slots__ = ("delivery", "fields", "headers", "message", "properties", "rest")

    def __init__(
        self,
        message: Message,
        properties: Properties,
        rest: dict[values10.Value, values10.Value],
    ) -> None:
        self.message = message
        self.properties = properties
        self.rest = rest
        self.headers: dict[str, values010.Value] = {}
        self.fields: dict[str, values010.Value] = {}
        self.delivery: dict[str, values010.Value] = {
            "priority": message.priority,
            "delivery_mode": 2 if message.durable else 1,
        }
        if message.routing_key:
            self.delivery["routing_key"] = _cut(message.routing_key)

    def rest_text(self, key: str) -> str:
        """A text that 1.0 had no place for; "" if there is none that 0-10 has one for."""
        value = self.rest.get(key) if self.rest else None
        if not isinstance(value, str) or len(value.encode()) > NAME_MAX:
            return ""
        return str(value)

    # -- headers ------------------------------------------------------------------------------

    def take_application(self, application: dict[str, values10.Value]) -> None:
        """The application properties, and headers that could not be any."""
        if not application and not self.rest:
            return
        headers = self.headers = header_map(list(application.items()))
        app_id = _plain_octets(headers.get(names.APP_ID))
        if app_id is not None and len(app_id) <= OCTETS_MAX:
            self.fields["app_id"] = app_id
            del headers[names.APP_ID]
        if not names.CARRIED.isdisjoint(headers):
            for name in names.CARRIED:
                headers.pop(name, None)
        kept = self.rest.get(names.REST_HEADERS)
        if isinstance(kept, dict):
            for name, value in header_map(list(kept.items())).items():
                headers.setdefault(name, value)

    def take_annotations(self, annotations: values10.Annotations, jms_type: int) -> None:
        """The message annotations but those that the way back adds by itself."""
        kept: list[tuple[values10.Value, values10.Value]] = [
            (key, value)
            for key, value in annotations.items()
            if key != names.REST
            and (key != names.JMS_MESSAGE_TYPE or value != jms_type or not jms_type)
        ]
        if kept:
            self.headers[names.MESSAGE_ANNOTATIONS] = header_map(kept)

    # -- properties ---------------------------------------------------------------------------

    def take_properties(self, queues: Container[str], exchanges: Container[str]) -> None:
        """The properties section, but for the content type."""
        properties, message = self.properties, self.message
        if properties is not _NO_PROPERTIES:
            self._take_identifiers()
            self.take_subject()
            self.take_group()
            if properties.reply_to is not None:
                self._take_reply_to(properties.reply_to, queues, exchanges)
            if properties.reply_to_group_id is not None:
                found = value_to_amqp010(properties.reply_to_group_id)
                self.headers[names.REPLY_TO_GROUP_ID] = found
            if properties.to is not None:
                usual = message.exchange or message.routing_key
                if properties.to != usual:
                    self.headers[names.TO] = value_to_amqp010(properties.to)
        encoding = properties.content_encoding
        if encoding is None:
            encoding = self.rest_text(names.REST_CONTENT_ENCODING)
        if encoding:
            self._text("content_encoding", names.CONTENT_ENCODING, encoding)
        self._time("timestamp", names.CREATION_TIME, properties.creation_time)
        self._time("expiration", names.EXPIRY_TIME, properties.absolute_expiry_time)
        if self.rest:
            self._take_unused()

    def _take_identifiers(self) -> None:
        properties = self.properties
        if properties.message_id is not None:
            uuid = message_uuid(properties.message_id)
            if uuid is not None:
                self.fields["message_id"] = uuid
            if uuid != properties.message_id:
                self.headers[names.MESSAGE_ID] = value_to_amqp010(properties.message_id)
        correlation_id = properties.correlation_id
        if correlation_id is not None:
            octets = correlation_octets(correlation_id)
            if octets is not None:
                self.fields["correlation_id"] = octets
            if octets is None or not _same(text_or_octets(octets), correlation_id):
                self.headers[names.CORRELATION_ID] = value_to_amqp010(correlation_id)
        user_id = properties.user_id
        if user_id is not None:
            if len(user_id) <= OCTETS_MAX:
                self.fields["user_id"] = user_id
            else:
                self.headers[names.USER_ID] = user_id

    def take_subject(self) -> None:
        """The subject as a header, where 0-10 clients look for it."""
        subject = self.properties.subject
        if subject is not None:
            self.headers.setdefault(names.SUBJECT, value_to_amqp010(subject))

    def _take_reply_to(
        self, address: str, queues: Container[str], exchanges: Container[str]
    ) -> None:
        exchange, key = self._kept_reply_to(address) or split_address(address, queues, exchanges)
        fit = fits(exchange, key)
        if fit:
            fields: dict[str, values010.Value] = {}
            if exchange or not key:
                fields["exchange"] = exchange
            if key:
                fields["routing_key"] = key
            self.fields["reply_to"] = Struct(_REPLY_TO, fields)
        if not fit or join_address(exchange, key) != address:
            self.headers[names.REPLY_TO] = value_to_amqp010(address)

    def _kept_reply_to(self, address: str) -> tuple[str, str] | None:
        """Exchange and key that came from 0-10, if that is still the address."""
        kept = self.rest.get(names.REST_REPLY_TO)
        if not isinstance(kept, list) or len(kept) != 2:
            return None
        exchange, key = kept
        if not isinstance(exchange, str) or not isinstance(key, str):
            return None
        return (str(exchange), str(key)) if join_address(exchange, key) == address else None

    def take_group(self) -> None:
        """The group as headers, where the legacy JMS client has it."""
        properties = self.properties
        if properties.group_id is not None:
            self.headers[names.GROUP_ID] = value_to_amqp010(properties.group_id)
        sequence = properties.group_sequence
        if sequence is not None:
            code = 0x21 if sequence < 1 << 31 else 0x22
            self.headers[names.GROUP_SEQUENCE] = TypedInt(sequence, code)

    def _time(self, field: str, header: str, value: int | None) -> None:
        """A time; the key in ``rest`` is the field's name."""
        kept = self.rest.get(field) if self.rest else None
        if isinstance(kept, int) and 0 <= kept < 1 << 64 and milliseconds(kept) == value:
            self.delivery[field] = kept + 0
            return
        if value is None:
            return
        found = datetime(value)
        if found is not None:
            self.delivery[field] = found
        else:
            self.headers[header] = value

    def _take_unused(self) -> None:
        rest = self.rest
        if rest.get(names.REST_DISCARD_UNROUTABLE) is True:
            self.delivery["discard_unroutable"] = True
        if rest.get(names.REST_IMMEDIATE) is True:
            self.delivery["immediate"] = True
        resume_id = rest.get(names.REST_RESUME_ID)
        if isinstance(resume_id, str) and len(resume_id.encode()) <= OCTETS_MAX:
            self.delivery["resume_id"] = str(resume_id)
        ttl_ms = rest.get(names.REST_RESUME_TTL)
        if isinstance(ttl_ms, int) and 0 <= ttl_ms < 1 << 64:
            self.delivery["resume_ttl"] = ttl_ms + 0

    def _text(self, field: str, header: str, text: str) -> None:
        """A text of at most 255 octets, or a header."""
        if len(text) <= NAME_MAX and len(text.encode()) <= NAME_MAX:
            self.fields[field] = text
        else:
            self.headers[header] = value_to_amqp010(text)

    # -- the end ------------------------------------------------------------------------------

    def finish(self, body: Body010) -> tuple[bytes, bytes, bool]:
        """The octets."""
        headers, fields = self.headers, self.fields
        if body.content_type:
            self._text("content_type", names.CONTENT_TYPE, body.content_type)
        original = self.properties.content_type
        renamed = original == OBJECT_10 and body.content_type == OBJECT_010
        if original is not None and original != body.content_type and not renamed:
            headers[names.CONTENT_TYPE] = value_to_amqp010(original)
        if body.hint:
            headers[names.BODY] = body.hint
        if not body.bodiless:
            fields["content_length"] = len(body.octets)
        if headers:
            fields["application_headers"] = headers
        try:
            return self.header(), body.octets, body.bodiless
        except BrokerError:
            return opaque_to_amqp010(self.message)

    def header(self) -> bytes:
        """The header segment. Raises: LocalProtocolError for values that cannot be encoded."""
        delivery = codec010.encode_struct32(Struct(_DELIVERY, self.delivery))
        return delivery + codec010.encode_struct32(Struct(_MESSAGE, self.fields))


def _same(one: values10.Value, other: values10.Value) -> bool:
    """Whether two ids are equal and of one type."""
    return values10.type_code(one) == values10.type_code(other) and one == other


def _plain_octets(value: values010.Value) -> bytes | None:
    """A text or octets as octets; None for other values, and for octets of a type of 0-10 alone."""
    if isinstance(value, str):
        return value.encode()
    return value[:] if isinstance(value, bytes) and is_simple(value) else None


def _cut(text: str) -> str:
    """``text``, or as much of it as a routing key may have."""
    if len(text.encode()) <= NAME_MAX:
        return text
    return text.encode()[:NAME_MAX].decode("utf-8", "ignore")
