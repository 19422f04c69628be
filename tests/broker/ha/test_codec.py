"""Records as octets: applied to a replica they make the primary's state, nothing else does.

Equal state means: equal records that make it, octet for octet.
"""

from __future__ import annotations

import contextlib
import itertools
import struct
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.core.broker import Broker
from tanist.core.message import AMQP_0_10, AMQP_1_0, Message
from tanist.core.records import (
    Dequeued,
    Entry,
    ExchangeDeclared,
    QueueDeclared,
    QueueUsed,
)
from tanist.core.subscription import Sink
from tanist.ha import codec
from tanist.ha.codec import RecordReader, RecordWriter, position_ranges
from tanist.types import FramingError
from tanist.wire.amqp010.codec import encode_map
from tanist.wire.amqp010.values import Value
from tests.broker.ha.records_model import (
    ACTOR,
    ALL,
    COUNT,
    apply,
    batch,
    drained,
    fill,
    messages_of,
    new_broker,
    new_primary,
    publish,
    replica_of,
    state,
)


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
            form = len(body) % 2
            message = Message(
                b"", body, exchange, key, flag, len(body), expires_at, not flag, form=form
            )
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
            apply(replica, batch(drained(primary), writer), reader)
            assert state(replica) == state(primary)
    fresh = new_broker()
    for records, take in (
        (primary.configuration(), reader.apply),
        (messages_of(primary), reader.fill),
    ):
        at = 0
        while at < len(records):
            chunk, count = writer.encode_some(records, at, 3, 20)
            take(fresh, chunk, 0, count)
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


def test_every_fact_of_a_message_travels_alone() -> None:
    facts = {
        "durable": True,
        "redelivered": True,
        "bodiless": True,
        "form": AMQP_1_0,
        "priority": 9,
    }
    primary = new_primary()
    primary.declare_queue("q", ACTOR)
    for name, value in facts.items():
        publish(primary, "q", **{name: value})
    replica = replica_of(batch(drained(primary)))
    plain = Message(b"", b"x", "", "q")
    for name, entry in zip(facts, replica.queues["q"].entries(), strict=True):
        for other, value in facts.items():
            expected = value if other == name else getattr(plain, other)
            assert getattr(entry.message, other) == expected, (name, other)
    assert replica.queues["q"].digest() == primary.queues["q"].digest()


def test_a_message_of_either_form_is_copied_to_a_backup_that_joins() -> None:
    primary = new_primary()
    primary.declare_queue("q", ACTOR)
    publish(primary, "q", b"\x00\x53\x75\xa0\x01x", form=AMQP_1_0)
    publish(primary, "q", b"\x00\x53\x75\xa0\x01x")
    writer = RecordWriter()
    fresh = replica_of(batch(primary.configuration(), writer))
    fill(fresh, batch(messages_of(primary), writer))
    entries = fresh.queues["q"].entries()
    assert [entry.message.form for entry in entries] == [AMQP_1_0, AMQP_0_10]
    assert fresh.queues["q"].digest() == primary.queues["q"].digest()


def test_a_chunk_ends_at_its_limits() -> None:
    primary = new_primary()
    primary.declare_queue("q", ACTOR)
    for _ in range(5):
        publish(primary, "q", b"1234567890")
    records = [*primary.configuration(), *messages_of(primary)]
    writer = RecordWriter()
    assert writer.encode_some(records, 0, 2, ALL)[1] == 2
    assert writer.encode_some(records, 1, ALL, 25)[1] == 4, "a position and three messages"
    assert writer.encode_some(records, 2, ALL, 1)[1] == 1
    assert writer.encode_some(records, len(records), ALL, 1) == (b"", 0)


def test_expiry_travels_as_time_of_day() -> None:
    primary = new_primary()
    primary.declare_queue("q", ACTOR)
    publish(primary, "q", expires_at=50.0)
    data = batch(drained(primary), RecordWriter(wall_offset_s=1_000_000.0))
    replica = new_broker()
    apply(replica, data, RecordReader(wall_offset_s=999_000.0))
    expires_at = replica.queues["q"].entries()[0].message.expires_at
    assert expires_at == pytest.approx(1050.0, abs=0.01)


def test_an_amended_message_is_amended_on_the_replica() -> None:
    primary = new_primary()
    primary.declare_queue("q", ACTOR)
    publish(primary, "q", b"one")
    publish(primary, "q", b"two")
    entry = primary.queues["q"].entries()[0]
    assert primary.amend(entry, Message(b"h", b"one and more", "", "q", True, 7))
    publish(primary, "q", b"three")
    replica = replica_of(batch(drained(primary)))
    assert state(replica) == state(primary)
    assert replica.queues["q"].bytes == primary.queues["q"].bytes
    assert replica.queues["q"].entries()[0].message.body == b"one and more"


def test_an_amended_message_that_is_not_there_yet_comes_with_the_old_ones() -> None:
    primary = new_primary()
    primary.declare_queue("q", ACTOR)
    publish(primary, "q", b"old")
    configuration = batch(primary.configuration())
    drained(primary)
    (entry,) = primary.queues["q"].entries()
    assert primary.amend(entry, Message(b"", b"old and more", "", "q"))
    replica = replica_of(configuration)
    apply(replica, batch(drained(primary)), RecordReader())
    assert replica.queues["q"].entries() == []
    old = messages_of(primary)
    RecordReader().fill(replica, RecordWriter().encode(old), 0, len(old))
    assert state(replica) == state(primary)


def test_old_messages_are_not_amended() -> None:
    primary = new_primary()
    primary.declare_queue("q", ACTOR)
    publish(primary, "q", b"old")
    records = drained(primary)
    (entry,) = primary.queues["q"].entries()
    replica = replica_of(batch(records))
    primary.amend(entry, Message(b"", b"new", "", "q"))
    octets = RecordWriter().encode(drained(primary))
    with pytest.raises(FramingError, match="among old messages"):
        RecordReader().fill(replica, octets, 0, 1)


def test_the_time_of_delivery_travels_as_time_of_day() -> None:
    primary = new_primary()
    primary.declare_queue("q", ACTOR)
    primary.publish(Message(b"", b"x", "", "q", available_at=50.25), "")
    publish(primary, "q", b"at once")
    data = batch(drained(primary), RecordWriter(wall_offset_s=1_000_000.0))
    replica = new_broker()
    apply(replica, data, RecordReader(wall_offset_s=999_000.0))
    first, second = (entry.message for entry in replica.queues["q"].entries())
    assert (first.available_at, first.body) == (1050.25, b"x")
    assert (second.available_at, second.body) == (0.0, b"at once")


def test_the_address_caches_do_not_fill_memory() -> None:
    primary = new_primary()
    primary.declare_queue("q", ACTOR, arguments={"qpid.max_count": 10**6})
    primary.bind("amq.fanout", "q", "", {}, ACTOR)
    for number in range(codec._CACHE_MAX + 10):
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
        apply(replica, bytes(subject))
    after = sum(queue.count for queue in replica.queues.values())
    assert after <= before + len(subject)


@pytest.mark.parametrize("whole", [SETUP, WORK], ids=["configuration", "messages"])
def test_truncated_octets_are_refused(whole) -> None:
    for size in range(COUNT.size, len(whole)):
        replica = new_broker() if whole is SETUP else replica_of(SETUP)
        with pytest.raises(FramingError):
            apply(replica, whole[:size])


def test_octets_after_the_last_record_are_refused() -> None:
    with pytest.raises(FramingError, match="1 octets after"):
        replica_of(SETUP + b"x")


def with_queue(body: bytes, count: int = 1) -> None:
    """Apply ``body`` to a replica with queue 1, which has one message."""
    primary = new_primary()
    primary.declare_queue("q", ACTOR)
    publish(primary, "q")
    replica = replica_of(batch(drained(primary)))
    apply(replica, COUNT.pack(count) + body)


def dequeue(number: int, *ranges: tuple[int, int]) -> bytes:
    head = struct.pack(">BII", codec.RECORD_DEQUEUE, number, len(ranges))
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
        (dequeue(1, (1, 2**64 - 1)), "which has come to 1"),
        (dequeue(1, (1, 3)), "which has come to 1"),
        (dequeue(1, (5, 4)), "dequeue of 5 to 4"),
        (dequeue(1, (0, 0)), "dequeue of 0 to 0"),
        (dequeue(1, (1, 1), (1, 1)), "dequeue of 1 to 1"),
        (dequeue(9, (1, 1)), "malformed record: KeyError"),
        (struct.pack(">BIQ", codec.RECORD_ENQUEUE_SAME, 1, 2), "copy of no message"),
        (b"\xfe", "malformed record"),
        (configuration(99), "unknown record kind 99"),
        (configuration(codec.RECORD_QUEUE, **{**QUEUE, "name": 5}), "name is not text"),
        (configuration(codec.RECORD_QUEUE, **{**QUEUE, "number": "x"}), "number is no number"),
        (configuration(codec.RECORD_QUEUE, **{**QUEUE, "arguments": 1}), "arguments is no map"),
        (configuration(codec.RECORD_QUEUE, **{**QUEUE, "number": 1}), "number 1 of new queue"),
        (configuration(codec.RECORD_QUEUE, **{**QUEUE, "number": -1}), "number -1 of new"),
        (
            configuration(codec.RECORD_QUEUE, **{**QUEUE, "arguments": {"qpid.replicate": "some"}}),
            "Invalid replication value",
        ),
        (configuration(codec.RECORD_QUEUE_GONE, name="z", number=3), "queue z"),
        (configuration(codec.RECORD_QUEUE_USED, name="z", number=3), "queue z"),
        (configuration(codec.RECORD_EXCHANGE_GONE, name="amq.topic"), "built in"),
        (configuration(codec.RECORD_EXCHANGE_GONE), "KeyError"),
        (
            configuration(codec.RECORD_UNBIND, exchange="nowhere", queue="q", key=""),
            "exchange nowhere",
        ),
    ],
)
def test_what_cannot_be_is_refused(body, why) -> None:
    with pytest.raises(FramingError, match=why):
        with_queue(body)


def test_configuration_may_name_a_position_that_is_gone() -> None:
    with_queue(dequeue(1, (2, 2)))


def test_a_dequeue_names_only_what_a_half_filled_queue_has() -> None:
    primary = new_primary()
    queue = primary.declare_queue("q", ACTOR)
    for _ in range(20):
        publish(primary, "q")
    drained(primary)
    replica = replica_of(batch(primary.configuration()))
    kept = [entry for entry in queue.entries() if entry.position in (3, 9, 15, 16)]
    fill(replica, batch(list(kept)))
    there = replica.queues["q"]
    apply(replica, COUNT.pack(1) + dequeue(1, (1, 9), (12, 12), (16, 20)))
    assert [entry.position for entry in there.entries()] == [15]


def test_old_messages_are_taken_once_and_up_to_where_the_queue_stands() -> None:
    primary = new_primary()
    queue = primary.declare_queue("q", ACTOR)
    publish(primary, "q")
    publish(primary, "q")
    drained(primary)
    replica = replica_of(batch(primary.configuration()))
    old = batch(list(queue.entries()))
    fill(replica, old)
    fill(replica, old)
    assert replica.queues["q"].count == 2
    publish(primary, "q")
    with pytest.raises(FramingError, match="old position 3 of queue q"):
        fill(replica, batch(list(queue.entries())))


def test_only_messages_are_old_messages() -> None:
    with pytest.raises(FramingError, match="record kind 6 among old messages"):
        fill(new_broker(), SETUP)


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


# -- copied queues ---------------------------------------------------------------------------


def a_copied_queue() -> Broker:
    primary = new_primary()
    queue = primary.declare_queue("q", ACTOR)
    primary.set_source(queue, "amqp:tcp:elsewhere:5672", None)
    primary.set_source(queue, "amqp:tcp:elsewhere:5672", UUID(int=5))
    for number in (3, 4, 9):
        primary.copy_in(queue, number, Message(b"", b"%d" % number, "", "q"))
    primary.note_copied(queue)
    primary.copy_out(queue, 4, 0xFFFFFFFF)
    primary.note_copied(queue)
    return primary


def test_what_is_copied_from_where_reaches_the_replica() -> None:
    primary = a_copied_queue()
    replica = replica_of(batch(drained(primary)))
    source = replica.queues["q"].source
    assert source is not None
    assert (source.url, source.lineage) == ("amqp:tcp:elsewhere:5672", UUID(int=5))
    assert source.copies.runs() == [(3, 1, 1)]
    assert state(replica) == state(primary)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "q", "number": 1, "came": b"x" * 23, "went": b""},
        {"name": "q", "number": 1, "came": b"", "went": b"x"},
        {"name": "q", "number": 1, "came": "text", "went": b""},
        {"name": "q", "number": 1, "came": b""},
        {"name": "nowhere", "number": 1, "came": b"", "went": b""},
    ],
)
def test_malformed_records_of_copies(fields: dict[str, Value]) -> None:
    replica = replica_of(batch(drained(a_copied_queue())))
    body = encode_map(fields)
    data = struct.pack(">BI", codec.RECORD_COPIED, len(body)) + body
    with pytest.raises(FramingError):
        RecordReader().apply(replica, data, 0, 1)
