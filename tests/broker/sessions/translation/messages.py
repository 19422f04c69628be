"""Messages of both forms, put together and taken apart, and the way to the other form and back."""

from __future__ import annotations

from typing import TypeAlias

from tanist.core.message import AMQP_1_0, NEVER, Message
from tanist.sessions.translation import to_amqp010, to_amqp10
from tanist.wire.amqp010 import values as values010
from tanist.wire.amqp010.codec import decode_header, encode_header, make
from tanist.wire.amqp010.values import Struct
from tanist.wire.amqp10 import values as values10
from tanist.wire.amqp10.composites import Properties
from tanist.wire.amqp10.encoding import encode_composite
from tanist.wire.amqp10.sections import (
    APPLICATION_PROPERTIES,
    FOOTER,
    MESSAGE_ANNOTATIONS,
    MessageParts,
    encode_data,
    encode_map_section,
    split_message,
)

Fields: TypeAlias = "dict[str, values010.Value]"

DATA = encode_data(b"body")


def amqp010(
    delivery: Fields | None = None,
    properties: Fields | None = None,
    headers: Fields | None = None,
    body: bytes = b"body",
    *,
    exchange: str = "",
    key: str = "q",
    bodiless: bool = False,
) -> Message:
    """A message of AMQP 0-10, sent to ``exchange`` with routing key ``key``."""
    fields = dict(properties or {})
    if headers is not None:
        fields["application_headers"] = headers
    header = encode_header(
        [
            make("message.delivery-properties", **{"routing_key": key, **(delivery or {})}),
            make("message.message-properties", **fields),
        ]
    )
    return Message(header, body, exchange, key, bodiless=bodiless)


def amqp10(
    properties: Properties | None = None,
    application: dict[str, values10.Value] | None = None,
    annotations: values10.Annotations | None = None,
    body: bytes = DATA,
    footer: values10.Annotations | None = None,
    *,
    exchange: str = "",
    key: str = "q",
) -> Message:
    """A message of AMQP 1.0, sent to a queue, or to ``exchange`` with subject ``key``."""
    octets = b""
    if annotations is not None:
        octets += encode_map_section(MESSAGE_ANNOTATIONS, annotations)
    if properties is not None:
        octets += encode_composite(properties)
    if application is not None:
        octets += encode_map_section(APPLICATION_PROPERTIES, application)
    octets += body
    if footer is not None:
        octets += encode_map_section(FOOTER, footer)
    return Message(b"", octets, exchange, key, form=AMQP_1_0)


def as_amqp10(message: Message) -> Message:
    """A message of 0-10 translated, as if its consumer had sent it to the same node."""
    return Message(
        b"",
        to_amqp10(message),
        message.exchange,
        message.routing_key,
        message.durable,
        message.priority,
        NEVER,
        message.redelivered,
        form=AMQP_1_0,
    )


def as_amqp010(message: Message) -> Message:
    """A message of 1.0 translated, as if its consumer had sent it to the same node."""
    header, body, bodiless = to_amqp010(message)
    return Message(
        header,
        body,
        message.exchange,
        message.routing_key,
        message.durable,
        message.priority,
        NEVER,
        message.redelivered,
        bodiless,
    )


class Seen010:
    """What a 0-10 consumer sees: fields by name, headers apart, and the body."""

    def __init__(self, message: Message) -> None:
        structs = {struct.name: struct for struct in decode_header(message.header)}
        none = make("message.message-properties")
        self.delivery: Fields = structs["message.delivery-properties"].fields
        fields = structs.get("message.message-properties", none).fields
        self.fields: Fields = {k: v for k, v in fields.items() if k != "application_headers"}
        self.headers = structs.get("message.message-properties", none).map("application_headers")
        self.body = message.body
        self.bodiless = message.bodiless

    def reply_to(self) -> tuple[str, str] | None:
        """Exchange and routing key."""
        found = self.fields.get("reply_to")
        if not isinstance(found, Struct):
            return None
        return found.text("exchange"), found.text("routing_key")


class Seen10:
    """What a 1.0 consumer sees: sections, decoded."""

    def __init__(self, message: Message) -> None:
        self.parts: MessageParts = split_message(message.body)
        self.properties = self.parts.read_properties() or Properties()
        self.application = self.parts.read_application_properties()
        self.annotations = self.parts.read_message_annotations()
        self.footer = self.parts.read_footer()
        self.body = self.parts.octets(self.parts.body)


def seen010(message: Message) -> Seen010:
    """A message of 1.0 as a 0-10 consumer sees it."""
    return Seen010(as_amqp010(message))


def seen10(message: Message) -> Seen10:
    """A message of 0-10 as a 1.0 consumer sees it."""
    return Seen10(as_amqp10(message))


def again010(message: Message) -> Seen010:
    """A message of 0-10 that has been one of 1.0 in between."""
    return Seen010(as_amqp010(as_amqp10(message)))


def again10(message: Message) -> Seen10:
    """A message of 1.0 that has been one of 0-10 in between."""
    return Seen10(as_amqp10(as_amqp010(message)))
