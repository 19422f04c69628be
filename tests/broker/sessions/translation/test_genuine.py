"""What was translated, read by the genuine libraries; what they wrote, translated."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from hypothesis import HealthCheck, given, settings

from tanist.core.message import AMQP_1_0, Message
from tanist.sessions.translation import to_amqp010, to_amqp10
from tanist.types import BrokerError
from tanist.wire.amqp010 import values as values010
from tanist.wire.amqp010.codec import decode_list, decode_map, encode_list, encode_map, make
from tanist.wire.amqp010.values import Array, uint32
from tanist.wire.amqp10.sections import cut_header, stamp_header
from tests.broker.sessions.translation.messages import Seen010, amqp010, as_amqp010
from tests.broker.sessions.translation.random_messages import (
    Drawn,
    messages010,
    usual10,
    wild10,
)

ID = UUID("4b4e96ae-2780-31fb-95dc-c05c1b7a9337")
SLOW = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


# ---------------------------------------------------------------------------------- Proton, 1.0


def read(proton: Drawn, message: Message) -> Drawn:
    """The translation of ``message`` as Proton reads it."""
    found = proton.Message()
    found.decode(stamp_header(True, 7, 60_000, False, 2) + to_amqp10(message))
    return found


def test_proton_reads_every_property(proton: Drawn) -> None:
    reply_to = make("message.reply-to", exchange="e", routing_key="r")
    headers: dict[str, values010.Value] = {
        "qpid.subject": "s",
        "JMSXGroupID": "g",
        "text": "x",
        "number": uint32(5),
        "list": [1, {"a": Array(0x95, ["b"])}],
    }
    sent = amqp010(
        {"timestamp": 1_795_337_595_829, "expiration": 1_795_337_602_920},
        {
            "message_id": ID,
            "correlation_id": b"c",
            "reply_to": reply_to,
            "content_type": "text/plain",
            "content_encoding": "ü",
            "user_id": b"guest",
            "app_id": b"app",
        },
        headers,
        b"grass",
    )
    found = read(proton, sent)
    assert (found.durable, found.priority, found.ttl, found.delivery_count) == (True, 7, 60, 2)
    assert (found.id, found.correlation_id, found.user_id) == (ID, "c", b"guest")
    assert (found.address, found.subject, found.reply_to) == ("q", "s", "e/r")
    assert (found.content_type, found.group_id, found.body) == ("text/plain", "g", "grass")
    assert (found.creation_time, found.expiry_time) == (1_795_337_595.829, 1_795_337_602.920)
    assert found.properties == {"text": "x", "number": 5, "x-amqp-0-10.app-id": "app"}
    rest = found.annotations["x-opt-amqp-0-10"]
    assert rest["content-encoding"] == "ü"
    assert rest["headers"]["list"][0] == 1


def test_proton_reads_every_body(proton: Drawn) -> None:
    def body(kind: str, octets: bytes, bodiless: bool = False) -> Drawn:
        properties: dict[str, values010.Value] = {"content_type": kind} if kind else {}
        found = read(proton, amqp010(properties=properties, body=octets, bodiless=bodiless))
        return bytes(found.body) if isinstance(found.body, memoryview) else found.body

    assert body("", b"\xff") == b"\xff"
    assert body("text/plain", "grün".encode()) == "grün"
    assert body("", b"", bodiless=True) is None
    assert body("amqp/map", encode_map({"a": [1, {"b": None}], "i": ID})) == {
        "a": [1, {"b": None}],
        "i": ID,
    }
    assert body("amqp/list", encode_list([1, "x"])) == [1, "x"]
    assert body("jms/map-message", b"\0\0\0\1a\0\x06\0\0\0\7") == {"a": 7}


@SLOW
@given(message=messages010())
def test_proton_reads_any_message(proton: Drawn, message: Message) -> None:
    read(proton, message)


def test_what_proton_writes(proton: Drawn) -> None:
    sent = proton.Message(
        body={"a": 1, "l": ["x", True], "n": None},
        id="ID:1",
        subject="s",
        reply_to="qmf.default.direct/key",
        correlation_id=ID,
        properties={"text": "x", "number": proton.int32(5)},
        annotations={"x-opt-a": proton.symbol("b")},
        durable=True,
        priority=7,
        user_id=b"guest",
        group_id="g",
    )
    octets = bytes(sent.encode())
    header, start = cut_header(octets)
    message = Message(b"", octets[start:], "", "q", header.durable, header.priority, form=AMQP_1_0)
    found = Seen010(as_amqp010(message))
    assert found.delivery == {"priority": 7, "delivery_mode": 2, "routing_key": "q"}
    assert found.body == encode_map({"a": 1, "l": ["x", True], "n": None})
    assert found.fields["content_type"] == "amqp/map"
    assert found.fields["correlation_id"] == str(ID).encode()
    assert found.fields["user_id"] == b"guest"
    assert found.reply_to() == ("qmf.default.direct", "key")
    assert found.headers == {
        "text": "x",
        "number": 5,
        "qpid.subject": "s",
        "JMSXGroupID": "g",
        "JMSXGroupSeq": 0,
        "x-amqp-message-id": "ID:1",
        "x-amqp-correlation-id": ID,
        "x-amqp-message-annotations": {"x-opt-a": "b"},
    }


# --------------------------------------------------------------------------- qpid-python, 0-10


def structs_of(header: bytes) -> list[str]:
    """The structs of a header segment, hexadecimal."""
    found = []
    while header:
        size = 4 + int.from_bytes(header[:4], "big")
        found.append(header[:size].hex())
        header = header[size:]
    return found


def ask_about(genuine: Callable[..., object], message: Message) -> None:
    """The genuine codec reads the translation of ``message``, or dies, which fails the test."""
    header, body, _ = to_amqp010(message)
    for struct in structs_of(header):
        genuine("unstruct", struct)
    kind = Seen010(as_amqp010(message)).fields.get("content_type")
    readers = {"amqp/map": decode_map, "amqp/list": decode_list}
    if isinstance(kind, str) and kind in readers:
        try:
            readers[kind](body)
        except BrokerError:  # what the producer of data called so
            return
        genuine("unvalue", kind.removeprefix("amqp/"), body.hex())


@SLOW
@given(message=usual10())
def test_qpid_python_reads_usual_messages(genuine: Callable[..., object], message: Message) -> None:
    ask_about(genuine, message)


@SLOW
@given(message=wild10())
def test_qpid_python_reads_any_message(genuine: Callable[..., object], message: Message) -> None:
    """Values of no type that it does not know: those would end its connection."""
    if b"amqp-0-10:" not in message.body:
        ask_about(genuine, message)


def test_qpid_python_sees_what_was_sent(genuine: Callable[..., object]) -> None:
    message = Message(
        b"",
        bytes.fromhex("005374c10d04a10161a10162a102736e5201") + b"\x00\x53\x77\xa1\x02XX",
        "",
        "q1",
        form=AMQP_1_0,
    )
    header, _, _ = to_amqp010(message)
    delivery, properties = (genuine("unstruct", struct) for struct in structs_of(header))
    assert delivery == [
        "delivery_properties",
        {"priority": ["n", "4"], "delivery_mode": ["n", "1"], "routing_key": ["t", "q1"]},
    ]
    assert properties == [
        "message_properties",
        {
            "content_length": ["n", "2"],
            "content_type": ["t", "text/plain"],
            "application_headers": ["m", {"a": ["t", "b"], "sn": ["n", "1"]}],
        },
    ]
