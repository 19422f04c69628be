"""docs/message-mapping.md row by row: each property, there and back again."""

from __future__ import annotations

from uuid import UUID

import pytest

from tanist.core.message import Message
from tanist.sessions.translation import to_amqp010
from tanist.wire.amqp010 import values as values010
from tanist.wire.amqp010.codec import encode_header, make
from tanist.wire.amqp010.transfer import scan_header, stamp_header
from tanist.wire.amqp010.values import (
    int32,
    str8,
    uint32,
    vbin16,
)
from tanist.wire.amqp10 import values as values10
from tanist.wire.amqp10.composites import Properties
from tanist.wire.amqp10.sections import (
    encode_body_value,
    encode_data,
)
from tanist.wire.amqp10.values import (
    Byte,
    Symbol,
    ULong,
)
from tests.broker.sessions.translation.messages import (
    DATA,
    again010,
    again10,
    amqp010,
    amqp10,
    as_amqp010,
    as_amqp10,
    seen010,
    seen10,
)
from tests.broker.wire.amqp10.random_values import exact

ID = UUID("4b4e96ae-2780-31fb-95dc-c05c1b7a9337")


# ------------------------------------------------------------------------------- the slots


def test_durable() -> None:
    sent = amqp010({"delivery_mode": 2})
    sent.durable = True
    assert as_amqp010(as_amqp10(sent)).durable
    durable = amqp10()
    durable.durable = True
    assert seen010(durable).delivery["delivery_mode"] == 2
    assert seen010(amqp10()).delivery["delivery_mode"] == 1


def test_priority() -> None:
    message = amqp10()
    message.priority = 7
    assert seen010(message).delivery["priority"] == 7
    assert seen010(amqp10()).delivery["priority"] == 4


def test_ttl_and_redelivered() -> None:
    """Both are the delivery's, and a translated header can be stamped with them."""
    header, _, _ = to_amqp010(amqp10(Properties(subject="s"), exchange="e", key="k"))
    stamped = scan_header(stamp_header(header, "e", True, 1500))
    assert (stamped.ttl_ms, stamped.redelivered) == (1500, True)
    assert (stamped.exchange, stamped.routing_key) == ("e", "k")
    again = scan_header(stamp_header(header, "e", False, None))
    assert (again.ttl_ms, again.redelivered) == (-1, False)


# --------------------------------------------------------------------------- addresses and ids


def test_exchange_and_routing_key() -> None:
    news = amqp010(exchange="amq.topic", key="news.uk")
    assert (seen10(news).properties.to, seen10(news).properties.subject) == ("amq.topic", "news.uk")
    queued = amqp010(key="jobs")
    assert (seen10(queued).properties.to, seen10(queued).properties.subject) == ("jobs", None)
    back = seen010(amqp10(Properties(to="amq.topic"), exchange="amq.topic", key="news.uk"))
    assert back.delivery["routing_key"] == "news.uk"
    assert "x-amqp-to" not in back.headers


def test_a_routing_key_that_is_too_long_is_cut() -> None:
    key = "k" * 254 + "ü"
    back = seen010(amqp10(Properties(subject=key), exchange="e", key=key))
    assert back.delivery["routing_key"] == "k" * 254
    assert back.headers["qpid.subject"] == key


def test_to() -> None:
    message = amqp10(Properties(to="somewhere else"))
    assert seen010(message).headers["x-amqp-to"] == "somewhere else"
    assert again10(message).properties.to == "somewhere else"
    assert again10(amqp10(Properties())).properties.to == "q"


def test_subject() -> None:
    message = amqp10(Properties(subject="colour"))
    assert seen010(message).headers["qpid.subject"] == "colour"
    assert again10(message).properties.subject == "colour"
    for subject in ("colour", vbin16("colour"), str8("colour")):
        sent = amqp010(headers={"qpid.subject": subject})
        assert seen10(sent).properties.subject == "colour"
        assert seen10(sent).application == {}
        assert again010(sent).headers["qpid.subject"] == "colour"


def test_a_subject_beside_a_routing_key() -> None:
    """To an exchange the routing key is the subject; another ``qpid.subject`` stays a header."""
    sent = amqp010(headers={"qpid.subject": "other"}, exchange="e", key="k")
    assert seen10(sent).properties.subject == "k"
    assert seen10(sent).application == {"qpid.subject": "other"}
    assert again010(sent).headers["qpid.subject"] == "other"
    assert again010(sent).delivery["routing_key"] == "k"


def test_jms_type() -> None:
    sent = amqp010(headers={"x-jms-type": "order"})
    assert seen10(sent).properties.subject == "order"
    assert again010(sent).headers["x-jms-type"] == "order"


def test_message_id_uuid() -> None:
    sent = amqp010(properties={"message_id": ID})
    assert seen10(sent).properties.message_id == ID
    assert again010(sent).fields["message_id"] == ID
    back = seen010(amqp10(Properties(message_id=ID)))
    assert back.fields["message_id"] == ID
    assert back.headers == {}


@pytest.mark.parametrize(
    ("identifier", "uuid"),
    [
        ("ID:host:1-1", None),
        ("", None),
        (f"ID:{ID}", ID),
        (str(ID), ID),
        (str(ID).upper(), None),
        (b"\xff\x00", None),
        (ULong(2**64 - 1), None),
    ],
    ids=str,
)
def test_message_id_of_other_types(identifier: values10.Value, uuid: UUID | None) -> None:
    message = amqp10(Properties(message_id=identifier))
    back = seen010(message)
    assert back.fields.get("message_id") == uuid
    assert back.headers["x-amqp-message-id"] == identifier
    assert exact(again10(message).properties.message_id) == exact(identifier)


def test_a_new_message_id_counts_more_than_the_carried_one() -> None:
    message = amqp010(properties={"message_id": ID}, headers={"x-amqp-message-id": "ID:old"})
    assert seen10(message).properties.message_id == ID


def test_correlation_id() -> None:
    sent = amqp010(properties={"correlation_id": b"42"})
    assert seen10(sent).properties.correlation_id == "42"
    assert again010(sent).fields["correlation_id"] == b"42"
    odd = amqp010(properties={"correlation_id": b"\xff"})
    assert seen10(odd).properties.correlation_id == b"\xff"
    assert again010(odd).fields["correlation_id"] == b"\xff"


@pytest.mark.parametrize(
    ("identifier", "octets"),
    [
        ("42", b"42"),
        (b"42", b"42"),
        (b"\xff", b"\xff"),
        (ULong(42), b"42"),
        (ID, str(ID).encode()),
        ("ü" * 40_000, None),
    ],
    ids=lambda value: str(value)[:20],
)
def test_correlation_id_of_all_types(identifier: values10.Value, octets: bytes | None) -> None:
    message = amqp10(Properties(correlation_id=identifier))
    assert seen010(message).fields.get("correlation_id") == octets
    if octets is not None:
        assert exact(again10(message).properties.correlation_id) == exact(identifier)


def test_a_new_correlation_id_counts_more_than_the_carried_one() -> None:
    headers: dict[str, values010.Value] = {"x-amqp-correlation-id": ID}
    message = amqp010(properties={"correlation_id": b"7"}, headers=headers)
    assert seen10(message).properties.correlation_id == "7"


@pytest.mark.parametrize(
    ("exchange", "key", "address"),
    [
        ("", "replies", "replies"),
        ("amq.direct", "k", "amq.direct/k"),
        ("amq.topic", "a/b", "amq.topic/a/b"),
        ("amq.fanout", "", "amq.fanout"),
        ("", "jobs/high", "jobs/high"),
        ("a/b", "k", "a/b/k"),
        ("", "", ""),
    ],
)
def test_reply_to(exchange: str, key: str, address: str) -> None:
    reply_to = make("message.reply-to", exchange=exchange or None, routing_key=key or None)
    sent = amqp010(properties={"reply_to": reply_to})
    assert seen10(sent).properties.reply_to == address
    assert again010(sent).reply_to() == (exchange, key)


@pytest.mark.parametrize(
    ("address", "reply_to"),
    [
        ("replies", ("", "replies")),
        ("qmf.default.direct/key", ("qmf.default.direct", "key")),
        ("amq.fanout", ("amq.fanout", "")),
        ("jobs/high", ("", "jobs/high")),
        ("e/", ("e", "")),
        ("/k", ("", "k")),
        ("x" * 256, None),
    ],
    ids=lambda value: str(value)[:20],
)
def test_reply_to_address(address: str, reply_to: tuple[str, str] | None) -> None:
    message = amqp10(Properties(reply_to=address))
    header, body, _ = to_amqp010(message, {"jobs/high"}, {"amq.fanout"})
    translated = Message(header, body, "", "q")
    assert seen10(translated).properties.reply_to == address
    if reply_to is not None:
        exchange, key = reply_to
        expected = make("message.reply-to", exchange=exchange, routing_key=key)
        wanted = amqp010(properties={"reply_to": expected})
        assert again010(wanted).reply_to() == reply_to


def test_user_id() -> None:
    sent = amqp010(properties={"user_id": b"guest"})
    assert seen10(sent).properties.user_id == b"guest"
    assert again010(sent).fields["user_id"] == b"guest"
    long = amqp10(Properties(user_id=b"u" * 65_536))
    assert "user_id" not in seen010(long).fields
    assert again10(long).properties.user_id == b"u" * 65_536


def test_app_id() -> None:
    sent = amqp010(properties={"app_id": b"qmf2"})
    assert seen10(sent).application == {"x-amqp-0-10.app-id": "qmf2"}
    assert again010(sent).fields["app_id"] == b"qmf2"
    assert again010(sent).headers == {}
    message = amqp10(application={"x-amqp-0-10.app-id": "qmf2"})
    assert seen010(message).fields["app_id"] == b"qmf2"
    assert again10(message).application == {"x-amqp-0-10.app-id": "qmf2"}
    odd = amqp010(properties={"app_id": b"\xff"})
    assert again010(odd).fields["app_id"] == b"\xff"


# ------------------------------------------------------------------------------ times and groups


def test_timestamp() -> None:
    """Milliseconds, as the legacy JMS client has it; a number of seconds comes back as such."""
    for field, given, ms in (
        ("timestamp", 1_795_337_595_829, 1_795_337_595_829),
        ("timestamp", 1_795_337_595, 1_795_337_595_000),
        ("timestamp", 0, 0),
        ("expiration", 1_795_337_595_829, 1_795_337_595_829),
        ("expiration", 1_795_337_595, 1_795_337_595_000),
        ("expiration", 2**64 - 1, None),
    ):
        sent = amqp010({field: given})
        properties = seen10(sent).properties
        times = {
            "timestamp": properties.creation_time,
            "expiration": properties.absolute_expiry_time,
        }
        assert times[field] == ms
        assert again010(sent).delivery[field] == given


@pytest.mark.parametrize(
    "ms", [1_795_337_595_829, 100_000_000_000, 99_999_999_999, 0, -1, -(2**63)]
)
def test_creation_and_expiry_time(ms: int) -> None:
    message = amqp10(Properties(creation_time=ms, absolute_expiry_time=ms))
    back = seen010(message)
    if ms >= 100_000_000_000:
        assert (back.delivery["timestamp"], back.delivery["expiration"]) == (ms, ms)
    else:
        assert back.headers["x-amqp-creation-time"] == ms
        assert back.headers["x-amqp-absolute-expiry-time"] == ms
    properties = again10(message).properties
    assert (properties.creation_time, properties.absolute_expiry_time) == (ms, ms)


def test_group_id() -> None:
    message = amqp10(Properties(group_id="g"))
    assert seen010(message).headers == {"JMSXGroupID": "g"}
    assert again10(message).properties.group_id == "g"
    assert again10(message).application == {}
    sent = amqp010(headers={"JMSXGroupID": vbin16("g")})
    assert seen10(sent).properties.group_id == "g"
    assert again010(sent).headers == {"JMSXGroupID": "g"}


@pytest.mark.parametrize("number", [0, 7, 2**31 - 1, 2**31, 2**32 - 1])
def test_group_sequence(number: int) -> None:
    message = amqp10(Properties(group_sequence=number))
    assert seen010(message).headers == {"JMSXGroupSeq": number}
    assert again10(message).properties.group_sequence == number
    assert again10(message).application == {}
    for header in (int32(-1), 5, uint32(5), "no number"):
        odd = amqp010(headers={"JMSXGroupSeq": header})
        assert again010(odd).headers == {"JMSXGroupSeq": header}


def test_reply_to_group_id() -> None:
    message = amqp10(Properties(reply_to_group_id="r"))
    assert seen010(message).headers == {"x-amqp-reply-to-group-id": "r"}
    assert again10(message).properties.reply_to_group_id == "r"


# ---------------------------------------------------------------------------------- content


def test_content_type_and_encoding() -> None:
    sent = amqp010(properties={"content_type": "image/png", "content_encoding": "gzip"})
    properties = seen10(sent).properties
    assert (properties.content_type, properties.content_encoding) == ("image/png", "gzip")
    back = again010(sent).fields
    assert (back["content_type"], back["content_encoding"]) == ("image/png", "gzip")
    assert back["content_length"] == 4
    bare = again010(amqp010()).fields
    assert "content_type" not in bare
    assert "content_encoding" not in bare


def test_content_type_that_the_other_version_cannot_have() -> None:
    sent = amqp010(properties={"content_type": "größe", "content_encoding": "ü"})
    assert seen10(sent).properties.content_type is None
    back = again010(sent).fields
    assert (back["content_type"], back["content_encoding"]) == ("größe", "ü")
    long = amqp10(Properties(content_type="c" * 256, content_encoding="e" * 256))
    assert "content_type" not in seen010(long).fields
    properties = again10(long).properties
    assert properties.content_type == "c" * 256
    assert properties.content_encoding == "e" * 256


# ------------------------------------------------------------------- annotations and the rest


def test_message_annotations() -> None:
    annotations: values10.Annotations = {
        "x-opt-jms-dest": Byte(0),
        "x-opt-jms-msg-type": Byte(5),
        "x-opt-list": [1, "x"],
    }
    message = amqp10(annotations=annotations, body=encode_body_value("text"))
    assert seen010(message).headers["x-amqp-message-annotations"] == {
        "x-opt-jms-dest": 0,
        "x-opt-jms-msg-type": 5,
        "x-opt-list": [1, "x"],
    }
    assert exact(dict(again10(message).annotations)) == exact(
        {Symbol(str(key)): value for key, value in annotations.items()}
    )


def test_jms_message_type() -> None:
    """It is left out only where the way back puts it in again."""
    for kind, body in ((0, encode_body_value(None)), (5, encode_body_value(None)), (3, DATA)):
        annotations: values10.Annotations = {"x-opt-jms-msg-type": Byte(kind)}
        message = amqp10(annotations=annotations, body=body)
        assert again10(message).annotations == annotations
    listed: values10.Annotations = {"x-opt-jms-msg-type": Byte(4)}
    message = amqp10(annotations=listed, body=encode_body_value([1]))
    assert seen010(message).headers == {}
    assert again10(message).annotations == listed


def test_footer() -> None:
    message = amqp10(footer={"x-opt-sum": ULong(7)})
    assert seen010(message).headers["x-amqp-footer"] == {"x-opt-sum": 7}
    assert exact(dict(again10(message).footer)) == exact({Symbol("x-opt-sum"): ULong(7)})


def test_unused_delivery_properties() -> None:
    sent = amqp010(
        {"discard_unroutable": True, "immediate": True, "resume_id": "r", "resume_ttl": 2**64 - 1}
    )
    assert seen10(sent).annotations["x-opt-amqp-0-10"] == {
        "discard-unroutable": True,
        "immediate": True,
        "resume-id": "r",
        "resume-ttl": 2**64 - 1,
    }
    back = again010(sent)
    assert back.delivery["discard_unroutable"] is True
    assert back.delivery["immediate"] is True
    assert (back.delivery["resume_id"], back.delivery["resume_ttl"]) == ("r", 2**64 - 1)
    assert back.headers == {}


def test_fragment_properties() -> None:
    structs = [make("message.fragment-properties", first=True), make("message.message-properties")]
    found = seen10(Message(encode_header(structs), b"body", "", "q"))
    assert found.body == encode_data(b"body")
    assert found.annotations == {}
