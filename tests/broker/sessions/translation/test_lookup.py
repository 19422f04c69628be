from __future__ import annotations

from uuid import UUID

import pytest

from tanist.core.message import AMQP_1_0, Message
from tanist.core.records import Entry
from tanist.core.selector import Selector
from tanist.core.selector.values import SelectorValue
from tanist.sessions.translation import lookup
from tanist.wire.amqp010 import values as values010
from tanist.wire.amqp010.codec import make
from tanist.wire.amqp010.values import int32, str8, timestamp, uint8, vbin16
from tanist.wire.amqp10 import values as values10
from tanist.wire.amqp10.composites import Properties
from tanist.wire.amqp10.values import Byte, Decimal32, Float, Symbol, Timestamp, ULong
from tests.broker.core.core_model import actor, consume, make_broker
from tests.broker.sessions.translation.messages import amqp010, amqp10

ID = UUID("4b4e96ae-2780-31fb-95dc-c05c1b7a9337")


def entry_of(message: Message) -> Entry:
    """``message`` on a queue."""
    broker = make_broker()
    broker.declare_queue("q", actor())
    return Entry(message, broker.queues["q"], 1)


def find(message: Message, name: str) -> SelectorValue:
    """What ``name`` stands for."""
    return lookup(entry_of(message), 1_795_000_000.0)(name)


def sent010() -> Message:
    """A message of AMQP 0-10 with everything."""
    message = amqp010(
        {"timestamp": 1_795_337_595, "expiration": 1_795_337_595_829, "delivery_mode": 2},
        {
            "message_id": ID,
            "correlation_id": b"c1",
            "reply_to": make("message.reply-to", exchange="e", routing_key="k"),
            "user_id": b"guest",
        },
        {
            "x-jms-type": "order",
            "qpid.subject": "colour",
            "jms-type": "other",
            "JMSXGroupID": "g",
            "JMSXGroupSeq": int32(3),
            "JMS_vendor": 1,
            "text": str8("x"),
            "octets": vbin16("y"),
            "odd octets": vbin16(b"\xff"),
            "number": uint8(5),
            "half": 0.5,
            "when": timestamp(7),
            "yes": True,
            "nothing": None,
            "list": [1],
            "uuid": ID,
            "amqp.unknown": "z",
        },
    )
    message.durable = True
    message.priority = 7
    message.redelivered = True
    return message


FIELDS_010: dict[str, SelectorValue] = {
    "JMSMessageID": f"ID:{ID}",
    "amqp.message_id": str(ID),
    "JMSCorrelationID": "c1",
    "amqp.correlation_id": "c1",
    "JMSType": "order",
    "amqp.subject": "colour",
    "amqp.jms_type": "other",
    "JMSPriority": 7,
    "amqp.priority": 7,
    "JMSDeliveryMode": "PERSISTENT",
    "amqp.delivery_mode": "PERSISTENT",
    "amqp.durable": True,
    "JMSTimestamp": 1_795_337_595_000,
    "amqp.creation_time": 1_795_337_595_000,
    "JMSExpiration": 1_795_337_595_829,
    "amqp.absolute_expiry_time": 1_795_337_595_829,
    "JMSDestination": "q",
    "amqp.to": "q",
    "JMSReplyTo": "e/k",
    "amqp.reply_to": "e/k",
    "JMSRedelivered": True,
    "amqp.redelivered": True,
    "JMSXDeliveryCount": 2,
    "amqp.delivery_count": 1,
    "JMSXUserID": "guest",
    "JMSXGroupID": "g",
    "JMSXGroupSeq": 3,
    "JMS_vendor": 1,
    "text": "x",
    "octets": "y",
    "odd octets": None,
    "number": 5,
    "half": 0.5,
    "when": 7,
    "yes": True,
    "nothing": None,
    "list": None,
    "uuid": None,
    "missing": None,
    "amqp.unknown": "z",
}


@pytest.mark.parametrize("name", FIELDS_010)
def test_identifiers_of_0_10(name: str) -> None:
    found = find(sent010(), name)
    assert (type(found), found) == (type(FIELDS_010[name]), FIELDS_010[name])


def sent10() -> Message:
    """A message of AMQP 1.0 with everything."""
    message = amqp10(
        Properties(
            message_id="ID:1",
            user_id=b"guest",
            to="somewhere",
            subject="order",
            reply_to="replies",
            correlation_id=ULong(5),
            absolute_expiry_time=1_795_337_595_829,
            creation_time=1_795_337_595_000,
            group_id="g",
            group_sequence=3,
        ),
        {
            "JMS_vendor": Byte(1),
            "symbol": Symbol("x"),
            "float": Float(0.5),
            "when": Timestamp(7),
            "yes": True,
            "decimal": Decimal32(b"\0\0\0\1"),
            "octets": b"y",
            "map": {"a": 1},
            "amqp.unknown": "z",
        },
        {"jms-type": Symbol("other")},
    )
    message.priority = 2
    return message


FIELDS_10: dict[str, SelectorValue] = {
    "JMSMessageID": "ID:1",
    "amqp.message_id": "ID:1",
    "JMSCorrelationID": "ID:AMQP_ULONG:5",
    "amqp.correlation_id": "5",
    "JMSType": "order",
    "amqp.subject": "order",
    "amqp.jms_type": "other",
    "JMSPriority": 2,
    "amqp.priority": 2,
    "JMSDeliveryMode": "NON_PERSISTENT",
    "amqp.durable": False,
    "JMSTimestamp": 1_795_337_595_000,
    "amqp.creation_time": 1_795_337_595_000,
    "JMSExpiration": 1_795_337_595_829,
    "amqp.absolute_expiry_time": 1_795_337_595_829,
    "JMSDestination": "somewhere",
    "amqp.to": "somewhere",
    "JMSReplyTo": "replies",
    "amqp.reply_to": "replies",
    "JMSRedelivered": False,
    "amqp.redelivered": False,
    "JMSXDeliveryCount": 1,
    "amqp.delivery_count": 0,
    "JMSXUserID": "guest",
    "JMSXGroupID": "g",
    "JMSXGroupSeq": 3,
    "JMS_vendor": 1,
    "symbol": "x",
    "float": 0.5,
    "when": 7,
    "yes": True,
    "decimal": None,
    "octets": None,
    "map": None,
    "missing": None,
    "amqp.unknown": "z",
}


@pytest.mark.parametrize("name", FIELDS_10)
def test_identifiers_of_1_0(name: str) -> None:
    found = find(sent10(), name)
    assert (type(found), found) == (type(FIELDS_10[name]), FIELDS_10[name])


@pytest.mark.parametrize("name", sorted({*FIELDS_010, *FIELDS_10} - {"amqp.unknown"}))
def test_identifiers_of_messages_that_have_nothing(name: str) -> None:
    defaults: dict[str, SelectorValue] = {
        "JMSPriority": 4,
        "amqp.priority": 4,
        "JMSDeliveryMode": "NON_PERSISTENT",
        "amqp.delivery_mode": "NON_PERSISTENT",
        "amqp.durable": False,
        "JMSExpiration": 0,
        "amqp.absolute_expiry_time": 0,
        "JMSRedelivered": False,
        "amqp.redelivered": False,
        "JMSXDeliveryCount": 1,
        "amqp.delivery_count": 0,
    }
    bare10 = Message(b"", b"", "", "q", form=AMQP_1_0)
    broken10 = Message(b"", b"broken", "", "q", form=AMQP_1_0)
    assert find(bare10, name) == find(broken10, name) == defaults.get(name)
    bare010 = Message(b"", b"", "", "q")
    broken010 = Message(b"\0\0\0\x06\x04\x03\0\x01\xff\xff", b"", "", "q")
    expected = "q" if name in ("JMSDestination", "amqp.to") else defaults.get(name)
    assert find(bare010, name) == find(broken010, name) == expected


@pytest.mark.parametrize(
    ("identifier", "jms", "bare"),
    [
        ("ID:1", "ID:1", "ID:1"),
        ("1", "ID:AMQP_NO_PREFIX:1", "1"),
        (ID, f"ID:AMQP_UUID:{ID}", str(ID)),
        (ULong(5), "ID:AMQP_ULONG:5", "5"),
        (b"\x01\xab", "ID:AMQP_BINARY:01AB", "\x01\ufffd"),
    ],
    ids=str,
)
def test_ids_as_jms_shows_them(identifier: values10.Value, jms: str, bare: str) -> None:
    message = amqp10(Properties(message_id=identifier, correlation_id=identifier))
    assert find(message, "JMSMessageID") == jms
    assert find(message, "amqp.message_id") == bare
    correlation = identifier if isinstance(identifier, str) else jms
    assert find(message, "JMSCorrelationID") == correlation
    assert find(message, "amqp.correlation_id") == bare


def test_the_subject_of_0_10() -> None:
    """To an exchange it is the routing key; JMSType is it where there is no x-jms-type."""
    headers: dict[str, values010.Value] = {"qpid.subject": "colour"}
    news = amqp010(headers=headers, exchange="amq.topic", key="news")
    assert find(news, "amqp.subject") == find(news, "JMSType") == "news"
    assert find(news, "JMSDestination") == "amq.topic"
    queued = amqp010(headers=headers)
    assert find(queued, "amqp.subject") == find(queued, "JMSType") == "colour"


@pytest.mark.parametrize("message", [amqp010(), amqp10()], ids=["0-10", "1.0"])
def test_the_expiry_of_a_time_to_live(message: Message) -> None:
    message.expires_at = 1000.5
    assert find(message, "JMSExpiration") == 1_795_001_000_500
    assert lookup(entry_of(message))("JMSExpiration") is None


@pytest.mark.parametrize("message", [amqp010(), amqp10()], ids=["0-10", "1.0"])
def test_deliveries_before(message: Message) -> None:
    """The entry may wait, or be under way to somebody whom a browser watches."""
    broker = make_broker()
    broker.declare_queue("q", actor())
    entry = Entry(message, broker.queues["q"], 1)
    again = lookup(entry)
    entry.deliveries = 1
    assert (again("JMSRedelivered"), again("JMSXDeliveryCount")) == (True, 2)
    entry.deliveries = 3
    assert (again("JMSRedelivered"), again("amqp.delivery_count")) == (True, 3)
    entry.holder, _ = consume(broker)
    assert (again("JMSRedelivered"), again("amqp.delivery_count")) == (True, 2)
    entry.deliveries = 1
    assert (again("JMSRedelivered"), again("JMSXDeliveryCount")) == (False, 1)


def test_selectors_use_it() -> None:
    selector = Selector.parse("JMSType = 'order' AND number > 4 AND \"x-missing\" IS NULL")
    assert selector.matches(lookup(entry_of(sent010())))
    assert not selector.matches(lookup(entry_of(sent10())))
