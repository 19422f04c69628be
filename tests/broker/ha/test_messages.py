"""What travels on a link: records applied to a replica make the primary's state, nothing else does.

Equal state means: equal snapshots, octet for octet.
"""

from __future__ import annotations

import contextlib
import itertools
import struct
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.core.broker import Broker, BrokerConfig
from tanist.core.message import Message
from tanist.core.notices import Actor
from tanist.core.records import (
    Dequeued,
    Entry,
    ExchangeDeclared,
    QueueDeclared,
    QueueUsed,
    Record,
)
from tanist.core.subscription import Sink
from tanist.ha import messages
from tanist.ha.membership import BrokerInfo, Membership
from tanist.ha.messages import (
    BatchHead,
    Hello,
    RecordReader,
    RecordWriter,
    decode_batch_head,
    decode_hello,
    decode_members,
    decode_snapshot_end,
    encode_hello,
    encode_members,
    encode_snapshot_end,
    message_kind,
    position_ranges,
    replication_head,
)
from tanist.ha.roles import Status
from tanist.types import FramingError, ReplicationLevel
from tanist.wire.amqp010.codec import encode_map
from tanist.wire.amqp010.transfer import application_headers, decode_transfer

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
    """Each record of the snapshot, less what means nothing: use of queues not auto-deleted."""
    writer = RecordWriter()
    return [
        writer.encode_snapshot([record], 0, 1, ALL)[0]
        for record in broker.snapshot()
        if not isinstance(record, QueueUsed) or broker.queues[record.name].auto_delete
    ]


def drained(broker: Broker) -> list[Record]:
    records, broker.journal = broker.journal, []
    return records


def batch(records: list[Record], first: int = 1) -> bytes:
    return RecordWriter().encode_batch(1, first, records)


def replica_of(*batches: bytes) -> Broker:
    replica = new_broker()
    reader = RecordReader()
    for data in batches:
        reader.apply_batch(replica, data)
    return replica


def publish(broker: Broker, key: str, body: bytes = b"x", exchange: str = "", **more) -> None:
    broker.publish(Message(b"", body, exchange, key, **more), exchange)


# -- heads ---------------------------------------------------------------------------------


@given(st.integers(0, 2**64 - 1), st.uuids(), st.integers(0, 2**64 - 1), st.booleans())
@settings(max_examples=20, deadline=None)
def test_hello_comes_back(epoch, owner, index, resume) -> None:
    data = encode_hello(Hello(epoch, owner, index // 2, resume, index))
    hello = decode_hello(data)
    assert message_kind(data) == messages.KIND_HELLO
    assert (hello.epoch, hello.owner, hello.fork_index) == (epoch, owner, index // 2)
    assert (hello.resume, hello.index) == (resume, index)


def test_snapshot_end_members_and_batch_head_come_back() -> None:
    assert decode_snapshot_end(encode_snapshot_end(77)) == 77
    membership = Membership()
    membership.put(BrokerInfo(UUID(int=5), Status.READY, "tcp", "n1", 5672))
    assert decode_members(encode_members(membership)) == membership.to_list()
    head = decode_batch_head(RecordWriter().encode_batch(3, 9, []))
    assert isinstance(head, BatchHead)
    assert (head.epoch, head.first, head.count) == (3, 9, 0)


def test_every_message_of_a_link_is_an_ordinary_transfer() -> None:
    head = decode_transfer(replication_head())
    assert (head.destination, head.accept_mode) == (messages.REPLICATION_SOURCE, 1)


def test_an_empty_message_has_no_kind() -> None:
    assert message_kind(b"") == 0


@pytest.mark.parametrize("decode", [decode_hello, decode_snapshot_end, decode_batch_head])
def test_heads_of_the_wrong_length_are_refused(decode) -> None:
    with pytest.raises(FramingError, match="replication link"):
        decode(b"\1\2\3")


def test_a_snapshot_chunk_cut_in_its_head_is_refused() -> None:
    with pytest.raises(FramingError, match="cut short"):
        RecordReader().apply_snapshot(new_broker(), b"\3\0")


# -- ranges --------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 50)))
@settings(max_examples=200, deadline=None)
def test_ranges_are_the_positions_ascending_and_apart(positions) -> None:
    ranges = position_ranges(positions)
    assert [p for first, last in ranges for p in range(first, last + 1)] == sorted(set(positions))
    assert all(a[1] + 1 < b[0] for a, b in itertools.pairwise(ranges))


# -- one record after the other ------------------------------------------------------------


class Taker(Sink):
    """Takes what it gets."""

    def __init__(self) -> None:
        self.got: list[Entry] = []

    def deliver(self, subscription, entry) -> None:
        self.got.append(entry)

    def ready(self) -> bool:
        return True


NAMES = ("q1", "q2", "q3")
EXCHANGES = ("e1", "e2", "amq.fanout", "amq.topic")

CONFIGURING = st.one_of(
    st.tuples(
        st.just("declare"),
        st.sampled_from(NAMES),
        st.sampled_from(["all", "configuration", "none", ""]),
        st.booleans(),
    ),
    st.tuples(st.just("delete"), st.sampled_from(NAMES)),
    st.tuples(st.just("exchange"), st.sampled_from(EXCHANGES[:2]), st.sampled_from(["", "e1"])),
    st.tuples(st.just("unexchange"), st.sampled_from(EXCHANGES[:2])),
    st.tuples(st.just("bind"), st.sampled_from(EXCHANGES), st.sampled_from(NAMES)),
    st.tuples(st.just("unbind"), st.sampled_from(EXCHANGES), st.sampled_from(NAMES)),
    st.tuples(st.just("use"), st.sampled_from(NAMES)),
    st.tuples(st.just("cut")),
)
PUBLISHING = st.tuples(
    st.just("publish"),
    st.sampled_from(["", "amq.fanout", "e1", "amq.topic"]),
    st.sampled_from([*NAMES, "k"]),
    st.binary(max_size=5),
    st.sampled_from([float("inf"), 1.5, 1e9]),
    st.booleans(),
)
TAKING = st.one_of(
    st.tuples(st.just("take"), st.sampled_from(NAMES), st.lists(st.integers(0, 9), max_size=4)),
    st.tuples(st.just("purge"), st.sampled_from(NAMES)),
)
ROUND = st.tuples(st.lists(PUBLISHING, min_size=1, max_size=4), TAKING, CONFIGURING)
HISTORY = st.lists(ROUND, min_size=2, max_size=12).map(
    lambda rounds: [step for sent, taken, changed in rounds for step in (*sent, taken, changed)]
)
BEGINNING = [
    *(("declare", name, "all", False) for name in NAMES),
    ("exchange", "e1", ""),
    ("bind", "amq.fanout", "q1"),
    ("bind", "amq.fanout", "q2"),
    ("bind", "e1", "q3"),
]
"""Without it most histories would publish to nobody."""


def do(broker: Broker, step: tuple) -> None:
    """One command, if it is possible now."""
    kind, *rest = step
    if kind == "declare":
        name, level, auto_delete = rest
        arguments = {"qpid.replicate": level} if level else {}
        alternate = "e1" if auto_delete and "e1" in broker.exchanges else ""
        broker.declare_queue(
            name,
            ACTOR,
            auto_delete=auto_delete,
            alternate_exchange=alternate,
            arguments=arguments,
        )
    elif kind == "exchange":
        name, alternate = rest
        if name not in broker.exchanges and (not alternate or alternate in broker.exchanges):
            broker.declare_exchange(name, "fanout", ACTOR, alternate_exchange=alternate)
    elif kind == "unexchange":
        if rest[0] in broker.exchanges and not broker.alternate_uses.get(rest[0]):
            broker.delete_exchange(rest[0], ACTOR)
    elif kind == "publish":
        exchange, key, body, expires_at, flag = rest
        if exchange in broker.exchanges:
            message = Message(b"", body, exchange, key, flag, len(body), expires_at, not flag)
            message.bodiless = not body and flag
            broker.publish(message, exchange)
    elif kind in ("bind", "unbind"):
        exchange, queue = rest
        if exchange in broker.exchanges and queue in broker.queues:
            if kind == "bind":
                broker.bind(exchange, queue, "k", {}, ACTOR)
            elif broker.exchanges[exchange].bindings:
                broker.unbind(exchange, queue, "k", ACTOR)
    elif kind != "cut" and rest[0] in broker.queues:
        on_queue(broker, kind, rest)


def on_queue(broker: Broker, kind: str, rest: list) -> None:
    name = rest[0]
    if kind == "delete":
        broker.delete_queue(name, ACTOR)
    elif kind == "purge":
        broker.purge(name, ACTOR)
    elif kind == "use":
        broker.cancel(broker.subscribe(name, "s", Taker(), True, False, {}, ACTOR))
    else:
        entries = broker.queues[name].entries()
        broker.dequeue([entries[at] for at in rest[1] if at < len(entries)])


@given(HISTORY)
@settings(max_examples=150, deadline=None)
def test_any_history_applied_to_a_replica_gives_the_primarys_state(steps) -> None:
    primary, replica = new_primary(), new_broker()
    writer, reader = RecordWriter(), RecordReader()
    for step in [*BEGINNING, *steps, ("cut",)]:
        do(primary, step)
        if step[0] == "cut":
            reader.apply_batch(replica, writer.encode_batch(1, 1, drained(primary)))
            assert state(replica) == state(primary)
    fresh = new_broker()
    records = list(primary.snapshot())
    at = 0
    while at < len(records):
        chunk, count = writer.encode_snapshot(records, at, 3, 20)
        reader.apply_snapshot(fresh, chunk)
        at += count
    assert state(fresh) == state(primary)


def test_a_queue_that_is_used_is_used_on_the_replica() -> None:
    primary = new_primary()
    primary.declare_queue("q", ACTOR, auto_delete=True)
    primary.subscribe("q", "s", Taker(), True, False, {}, ACTOR)
    records = drained(primary)
    assert any(isinstance(record, QueueUsed) for record in records)
    assert replica_of(batch(records)).queues["q"].used


def test_a_fanout_travels_once() -> None:
    primary = new_primary()
    for name in NAMES:
        primary.declare_queue(name, ACTOR)
        primary.bind("amq.fanout", name, "", {}, ACTOR)
    setup = batch(drained(primary))
    publish(primary, "k", b"b" * 10_000, "amq.fanout")
    data = batch(drained(primary))
    assert len(data) < 11_000
    replica = replica_of(setup, data)
    entries = [replica.queues[name].entries()[0] for name in NAMES]
    assert entries[0].message is entries[1].message is entries[2].message
    assert entries[0].message.body == b"b" * 10_000


def test_a_snapshot_ends_a_chunk_at_its_limits() -> None:
    primary = new_primary()
    primary.declare_queue("q", ACTOR)
    for _ in range(5):
        publish(primary, "q", b"1234567890")
    records = list(primary.snapshot())
    writer = RecordWriter()
    assert writer.encode_snapshot(records, 0, 2, ALL)[1] == 2
    assert writer.encode_snapshot(records, 0, ALL, 25)[1] == 4, "the queue and three messages"
    assert writer.encode_snapshot(records, 1, ALL, 1)[1] == 1


def test_expiry_travels_as_time_of_day() -> None:
    primary = new_primary()
    primary.declare_queue("q", ACTOR)
    publish(primary, "q", expires_at=50.0)
    data = RecordWriter(wall_offset_s=1_000_000.0).encode_batch(1, 1, drained(primary))
    replica = new_broker()
    RecordReader(wall_offset_s=999_000.0).apply_batch(replica, data)
    expires_at = replica.queues["q"].entries()[0].message.expires_at
    assert expires_at == pytest.approx(1050.0, abs=0.01)


def test_the_address_caches_do_not_fill_memory() -> None:
    primary = new_primary()
    primary.declare_queue("q", ACTOR, arguments={"qpid.max_count": 10**6})
    primary.bind("amq.fanout", "q", "", {}, ACTOR)
    for number in range(messages._CACHE_MAX + 10):
        publish(primary, f"key {number}", b"", "amq.fanout")
    replica = replica_of(batch(drained(primary)))
    assert state(replica) == state(primary)


# -- broken records ------------------------------------------------------------------------


def a_busy_history() -> tuple[bytes, bytes]:
    """A batch of configuration, and one of messages that come and go."""
    primary = new_primary()
    primary.declare_exchange("e1", "topic", ACTOR)
    for name in NAMES:
        primary.declare_queue(name, ACTOR, durable=True)
        primary.bind("e1", name, "a.#", {}, ACTOR)
        primary.bind("amq.topic", name, "a", {"x": "y"}, ACTOR)
    primary.unbind("e1", "q3", "a.#", ACTOR)
    setup = batch(drained(primary))
    for number in range(6):
        publish(primary, "a.b", bytes([number]) * 20, "e1")
    entries = primary.queues["q1"].entries()
    primary.dequeue([entries[0], entries[1], entries[3]])
    primary.delete_queue("q2", ACTOR)
    primary.delete_exchange("e1", ACTOR)
    return setup, batch(drained(primary))


SETUP, WORK = a_busy_history()


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_changed_octets_are_applied_or_refused(data) -> None:
    subject = bytearray(data.draw(st.sampled_from([SETUP, WORK])))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(1, len(subject) - 1))
        subject[at] = data.draw(st.integers(0, 255))
    replica = new_broker() if subject[:40] == SETUP[:40] else replica_of(SETUP)
    before = sum(queue.count for queue in replica.queues.values())
    with contextlib.suppress(FramingError):
        RecordReader().apply_batch(replica, bytes(subject))
    after = sum(queue.count for queue in replica.queues.values())
    assert after <= before + len(subject)


@pytest.mark.parametrize("whole", [SETUP, WORK], ids=["configuration", "messages"])
def test_truncated_octets_are_refused(whole) -> None:
    for size in range(21, len(whole)):
        replica = new_broker() if whole is SETUP else replica_of(SETUP)
        with pytest.raises(FramingError):
            RecordReader().apply_batch(replica, whole[:size])


def test_octets_after_the_last_record_are_refused() -> None:
    with pytest.raises(FramingError, match="1 octets after"):
        replica_of(SETUP + b"x")


def with_queue(body: bytes, count: int = 1) -> None:
    """Apply ``body`` to a replica with queue 1, which has one message."""
    primary = new_primary()
    primary.declare_queue("q", ACTOR)
    publish(primary, "q")
    replica = replica_of(batch(drained(primary)))
    RecordReader().apply_batch(replica, struct.pack(">BQQI", 1, 1, 3, count) + body)


def dequeue(number: int, *ranges: tuple[int, int]) -> bytes:
    head = struct.pack(">BII", messages.RECORD_DEQUEUE, number, len(ranges))
    return head + b"".join(struct.pack(">QQ", *item) for item in ranges)


def configuration(kind: int, **fields) -> bytes:
    body = encode_map({name.replace("_", "-"): value for name, value in fields.items()})
    return struct.pack(">BI", kind, len(body)) + body


QUEUE = {
    "name": "r",
    "number": 2,
    "durable": False,
    "exclusive": False,
    "auto_delete": False,
    "alternate": "",
    "arguments": {},
}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (dequeue(1, (1, 2**64 - 1)), "which has 1 messages"),
        (dequeue(1, (1, 3)), "which has 1 messages"),
        (dequeue(1, (5, 4)), "dequeue of 5 to 4"),
        (dequeue(1, (0, 0)), "dequeue of 0 to 0"),
        (dequeue(1, (1, 1), (1, 1)), "dequeue of 1 to 1"),
        (dequeue(9, (1, 1)), "malformed record: KeyError"),
        (struct.pack(">BIQ", messages.RECORD_ENQUEUE_SAME, 1, 2), "copy of no message"),
        (b"\xfe", "malformed record"),
        (configuration(99), "unknown record kind 99"),
        (configuration(messages.RECORD_QUEUE, **{**QUEUE, "name": 5}), "name is not text"),
        (configuration(messages.RECORD_QUEUE, **{**QUEUE, "number": "x"}), "number is no number"),
        (configuration(messages.RECORD_QUEUE, **{**QUEUE, "arguments": 1}), "arguments is no map"),
        (configuration(messages.RECORD_QUEUE, **{**QUEUE, "number": 1}), "number 1 of new queue"),
        (configuration(messages.RECORD_QUEUE, **{**QUEUE, "number": -1}), "number -1 of new"),
        (
            configuration(
                messages.RECORD_QUEUE, **{**QUEUE, "arguments": {"qpid.replicate": "some"}}
            ),
            "Invalid replication value",
        ),
        (configuration(messages.RECORD_QUEUE_GONE, name="z", number=3), "queue z"),
        (configuration(messages.RECORD_QUEUE_USED, name="z", number=3), "queue z"),
        (configuration(messages.RECORD_EXCHANGE_GONE, name="amq.topic"), "built in"),
        (configuration(messages.RECORD_EXCHANGE_GONE), "KeyError"),
        (
            configuration(messages.RECORD_UNBIND, exchange="nowhere", queue="q", key=""),
            "exchange nowhere",
        ),
    ],
)
def test_what_cannot_be_is_refused(body, why) -> None:
    with pytest.raises(FramingError, match=why):
        with_queue(body)


def test_a_snapshot_may_name_a_position_that_is_gone() -> None:
    with_queue(dequeue(1, (1, 2)))


def test_records_of_exchanges_come_back() -> None:
    declared = ExchangeDeclared("e9", "headers", True, "amq.direct", {"a": 1})
    replica = replica_of(batch([declared]))
    exchange = replica.exchanges["e9"]
    assert (exchange.type, exchange.durable) == ("headers", True)
    assert (exchange.alternate_exchange, exchange.arguments) == ("amq.direct", {"a": 1})


def test_records_of_queues_come_back() -> None:
    declared = QueueDeclared("q9", 12, True, True, True, "amq.direct", {"qpid.replicate": "all"})
    replica = replica_of(batch([declared]))
    queue = replica.queues["q9"]
    assert (queue.number, queue.durable, queue.exclusive) == (12, True, True)
    assert (queue.auto_delete, queue.alternate_exchange) == (True, "amq.direct")
    assert replica.next_number == 13
    assert replica.queues_by_number[12] is queue


def test_a_dequeue_of_nothing_is_harmless() -> None:
    primary = new_primary()
    queue = primary.declare_queue("q", ACTOR)
    publish(primary, "q")
    records = [*drained(primary), Dequeued(queue, [])]
    assert replica_of(batch(records)).queues["q"].count == 1
