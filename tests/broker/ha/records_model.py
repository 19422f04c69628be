"""What tests of records as octets share: brokers that write and read them, and what they hold."""

from __future__ import annotations

import struct
from uuid import UUID

from tanist.core.broker import Broker, BrokerConfig
from tanist.core.message import Message
from tanist.core.notices import Actor
from tanist.core.records import QueueUsed, Record
from tanist.ha.codec import RecordReader, RecordWriter
from tanist.types import ReplicationLevel
from tanist.wire.amqp010.transfer import application_headers

ACTOR = Actor("admin@QPID", "host:1")
ALL = 1 << 30


def new_broker() -> Broker:
    numbers = iter(range(1, ALL))
    return Broker(
        BrokerConfig(ha=True, default_level=ReplicationLevel.ALL),
        lambda: UUID(int=next(numbers)),
        lambda message: application_headers(message.header),
    )


def new_primary() -> Broker:
    broker = new_broker()
    broker.promote()
    return broker


def state(broker: Broker) -> list[bytes]:
    """Each record that makes it, less what means nothing: use of queues not auto-deleted."""
    writer = RecordWriter()
    return [
        writer.encode([record])
        for record in [*broker.configuration(), *messages_of(broker)]
        if not isinstance(record, QueueUsed) or broker.queues[record.name].auto_delete
    ]


def messages_of(broker: Broker) -> list[Record]:
    """The old messages: what a backup is filled with."""
    return [e for q in broker.queues_by_number.values() if q.journaled for e in q.entries()]


def drained(broker: Broker) -> list[Record]:
    records, broker.journal = broker.journal, []
    return records


COUNT = struct.Struct(">I")


def batch(records: list[Record], writer: RecordWriter | None = None) -> bytes:
    """Records behind their number, as all messages of a link have them."""
    return (writer or RecordWriter()).encode(records, COUNT.pack(len(records)))


def apply(replica: Broker, data: bytes, reader: RecordReader | None = None) -> None:
    (reader or RecordReader()).apply(replica, data, COUNT.size, *COUNT.unpack_from(data))


def fill(replica: Broker, data: bytes) -> None:
    RecordReader().fill(replica, data, COUNT.size, *COUNT.unpack_from(data))


def replica_of(*batches: bytes) -> Broker:
    replica = new_broker()
    reader = RecordReader()
    for data in batches:
        apply(replica, data, reader)
    return replica


def publish(broker: Broker, key: str, body: bytes = b"x", exchange: str = "", **more) -> None:
    broker.publish(Message(b"", body, exchange, key, **more), exchange)


# -- ranges --------------------------------------------------------------------------------
