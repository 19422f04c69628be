"""QMF2 messages: reading requests, building answers, indications and events.

A QMF2 message is an ordinary 0-10 message whose ``app-id`` is ``qmf2``; what it means stands in
the application headers ``method`` and ``qmf.opcode``; its body is an ``amqp/map`` or an
``amqp/list``.
"""

from __future__ import annotations

from typing import Final

from tanist.core.message import Message
from tanist.management.writer import list_body
from tanist.wire.amqp010.codec import (
    decode_map,
    encode_header,
    encode_list,
    encode_map,
    make,
)
from tanist.wire.amqp010.transfer import application_headers, message_properties
from tanist.wire.amqp010.values import Value

APP_ID: Final = b"qmf2"
MAP_TYPE: Final = "amqp/map"
LIST_TYPE: Final = "amqp/list"
REQUEST_BYTES_MAX: Final = 65536
"""Longest request body that is read; the original ignores longer ones, too."""

ERROR_TEXT_MAX: Final = 4096
"""Characters of an error text: it may quote the request; str16 has 65535 octets of UTF-8."""


class Request:
    """A decoded QMF2 request and where its answer goes."""

    __slots__ = (
        "body",
        "correlation_id",
        "opcode",
        "reply_exchange",
        "reply_key",
        "to_broker",
    )

    def __init__(
        self,
        opcode: str,
        body: dict[str, Value],
        correlation_id: bytes | None,
        reply_exchange: str,
        reply_key: str,
        to_broker: bool,
    ) -> None:
        self.opcode = opcode
        self.body = body
        self.correlation_id = correlation_id
        self.reply_exchange = reply_exchange
        self.reply_key = reply_key
        self.to_broker = to_broker


class Reply:
    """A message that the agent wants published."""

    __slots__ = ("body", "exchange", "header", "routing_key")

    def __init__(self, exchange: str, routing_key: str, header: bytes, body: bytes) -> None:
        self.exchange = exchange
        self.routing_key = routing_key
        self.header = header
        self.body = body


def text_of(value: Value) -> str:
    """A string that may have come as text or as octets; "" for anything else."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else ""


def decode_request(message: Message) -> Request | None:
    """Read a request; None if it is none, is too long, or has nowhere to send the answer.

    Raises: FramingError if the body is malformed.
    """
    properties = message_properties(message.header)
    if properties is None or len(message.body) > REQUEST_BYTES_MAX:
        return None
    reply_to = properties.struct("reply_to")
    if reply_to is None:
        return None
    opcode = text_of(application_headers(message.header).get("qmf.opcode"))
    if not opcode:
        return None
    body: dict[str, Value] = {}
    if message.body and opcode != "_agent_locate_request":
        body = dict(decode_map(message.body))
    correlation = properties.fields.get("correlation_id")
    return Request(
        opcode,
        body,
        correlation if isinstance(correlation, bytes) else None,
        reply_to.text("exchange"),
        reply_to.text("routing_key"),
        message.routing_key == "broker",
    )


def _message(
    exchange: str,
    routing_key: str,
    headers: dict[str, Value],
    content_type: str,
    body: bytes,
    correlation_id: bytes | None,
) -> Reply:
    fields: dict[str, Value] = {
        "content_length": len(body),
        "content_type": content_type,
        "app_id": APP_ID,
        "application_headers": headers,
    }
    if correlation_id is not None:
        fields["correlation_id"] = correlation_id
    header = encode_header(
        [
            make("message.delivery-properties", exchange=exchange, routing_key=routing_key),
            make("message.message-properties", **fields),
        ]
    )
    return Reply(exchange, routing_key, header, body)


def _answer(request: Request, agent: str, method: str, opcode: str) -> dict[str, Value]:
    return {
        "method": method,
        "qmf.opcode": opcode,
        "qmf.agent": "broker" if request.to_broker else agent,
    }


def method_response(request: Request, agent: str, arguments: dict[str, Value]) -> Reply:
    """The method was carried out; ``arguments`` are its out arguments."""
    return _message(
        request.reply_exchange,
        request.reply_key,
        _answer(request, agent, "response", "_method_response"),
        MAP_TYPE,
        encode_map({"_arguments": arguments}),
        request.correlation_id,
    )


def exception_response(request: Request, agent: str, code: int, text: str) -> Reply:
    """The request failed: ``code`` is a QMF status, ``text`` what a person reads."""
    return _message(
        request.reply_exchange,
        request.reply_key,
        _answer(request, agent, "indication", "_exception"),
        MAP_TYPE,
        encode_map({"_values": {"error_code": code, "error_text": text[:ERROR_TEXT_MAX]}}),
        request.correlation_id,
    )


def query_response(request: Request, agent: str, elements: list[bytes], partial: bool) -> Reply:
    """Objects that match a query, written by ``writer``; ``partial`` if more messages follow."""
    headers = _answer(request, agent, "response", "_query_response")
    headers["qmf.content"] = "_data"
    if partial:
        headers["partial"] = ""
    return _message(
        request.reply_exchange,
        request.reply_key,
        headers,
        LIST_TYPE,
        list_body(elements),
        request.correlation_id,
    )


def locate_response(request: Request, agent: str, values: dict[str, Value]) -> Reply:
    """The agent says that it is here."""
    headers = _answer(request, agent, "indication", "_agent_locate_response")
    headers["qmf.agent"] = agent
    return _message(
        request.reply_exchange,
        request.reply_key,
        headers,
        MAP_TYPE,
        encode_map({"_values": values}),
        request.correlation_id,
    )


def event_indication(exchange: str, routing_key: str, agent: str, event: dict[str, Value]) -> Reply:
    """One event for whoever bound a queue to its key."""
    headers: dict[str, Value] = {
        "method": "indication",
        "qmf.opcode": "_data_indication",
        "qmf.content": "_event",
        "qmf.agent": agent,
    }
    return _message(exchange, routing_key, headers, LIST_TYPE, encode_list([event]), None)
