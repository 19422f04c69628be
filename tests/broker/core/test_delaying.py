"""Messages that wait for their time."""

from __future__ import annotations

import random

import pytest

from tanist.core.broker import Broker
from tanist.core.delaying import DUE_MAX, LOST_MIN
from tanist.core.message import NEVER, Message
from tanist.core.records import DELAYED, Entry
from tanist.types import Condition
from tests.broker.core.core_model import (
    RecordingSink,
    actor,
    bodies,
    consume,
    copy_record,
    make_broker,
    message,
    publish,
    refused,
)


def delayed(body: bytes, due: float, key: str = "q", expires_at: float = NEVER) -> Message:
    return Message(b"", body, "", key, available_at=due, expires_at=expires_at)


def with_queue(ha: bool = False, **arguments: object) -> Broker:
    broker = make_broker(ha=ha)
    broker.now = 100.0
    broker.declare_queue("q", actor(), arguments={f"qpid.{k}": v for k, v in arguments.items()})
    broker.journal.clear()
    return broker


def to(broker: Broker, now: float) -> None:
    """Time goes on to ``now``, and what is due is done."""
    broker.now = now
    broker.tick()
    broker.dispatch()


def test_none_comes_before_its_time_and_each_comes_then_at_its_place() -> None:
    broker = with_queue()
    _, sink = consume(broker, credit=10)
    for body, due in ((b"late", 105.0), (b"now", 0.0), (b"soon", 102.0), (b"past", 99.0)):
        broker.publish(delayed(body, due), "")
    to(broker, 100.0)
    assert sink.bodies == [b"now", b"past"]
    assert broker.deadline == 102.0
    to(broker, 101.999)
    assert len(sink.got) == 2
    to(broker, 102.0)
    assert sink.bodies == [b"now", b"past", b"soon"]
    to(broker, 105.0)
    assert sink.bodies[3:] == [b"late"]
    assert sink.flags == [False] * 4
    assert broker.deadline == NEVER
    assert broker.delays.count == 0


def test_those_that_became_due_come_in_the_order_of_the_queue() -> None:
    broker = with_queue()
    for body, due in ((b"1", 103.0), (b"2", 0.0), (b"3", 102.0), (b"4", 0.0)):
        broker.publish(delayed(body, due), "")
    to(broker, 110.0)
    _, sink = consume(broker)
    broker.dispatch()
    assert sink.bodies == [b"1", b"2", b"3", b"4"]


def test_they_count_as_depth_but_not_as_available() -> None:
    broker = with_queue(max_count=2)
    broker.publish(delayed(b"1", 105.0), "")
    queue = broker.queues["q"]
    assert (queue.count, queue.available, queue.delayed, queue.held) == (1, 0, 1, 0)
    publish(broker, b"2")
    with refused(Condition.RESOURCE_LIMIT_EXCEEDED):
        publish(broker, b"3")
    with refused(Condition.PRECONDITION_FAILED):
        broker.delete_queue("q", actor(), if_empty=True)
    to(broker, 105.0)
    assert (queue.count, queue.available, queue.delayed, queue.held) == (2, 2, 0, 0)


def test_browsers_and_selectors_do_not_see_them_before() -> None:
    broker = with_queue()
    browser, seen = consume(broker, acquire=False)
    broker.publish(delayed(b"1", 105.0), "")
    publish(broker, b"2")
    broker.dispatch()
    assert seen.bodies == [b"2"]
    broker.cancel(browser)
    to(broker, 105.0)
    _, seen = consume(broker, acquire=False)
    broker.dispatch()
    assert seen.bodies == [b"1", b"2"]


def test_a_purge_drops_them() -> None:
    broker = with_queue(ha=True)
    broker.publish(delayed(b"1", 105.0), "")
    publish(broker, b"2")
    assert broker.purge("q", actor()) == 2
    queue = broker.queues["q"]
    assert (queue.count, queue.available, queue.delayed, queue.held) == (0, 0, 0, 0)
    to(broker, 200.0)
    assert broker.deadline == NEVER


def test_a_deleted_queue_reroutes_them_and_they_wait_on() -> None:
    broker = with_queue()
    broker.declare_queue("dead", actor())
    broker.bind("amq.fanout", "dead", "", None, actor())
    broker.declare_queue("r", actor(), alternate_exchange="amq.fanout")
    broker.publish(delayed(b"1", 105.0, "r"), "")
    broker.delete_queue("r", actor())
    _, sink = consume(broker, "dead")
    to(broker, 104.0)
    assert sink.bodies == []
    to(broker, 105.0)
    assert sink.bodies == [b"1"]


def test_who_expires_before_it_is_due_goes_when_it_expires() -> None:
    broker = with_queue(ha=True)
    broker.publish(delayed(b"1", 200.0, expires_at=103.0), "")
    _, sink = consume(broker)
    assert broker.deadline == 103.0
    to(broker, 103.0)
    assert sink.bodies == bodies(broker) == []
    assert broker.queues["q"].discards_ttl == 1


def test_many_that_are_due_together_take_several_steps() -> None:
    broker = with_queue()
    for _ in range(DUE_MAX + 5):
        broker.publish(delayed(b"", 101.0), "")
    broker.now = 102.0
    broker.tick()
    assert broker.queues["q"].available == DUE_MAX
    assert broker.deadline <= broker.now
    broker.tick()
    assert broker.queues["q"].available == DUE_MAX + 5
    assert broker.deadline == NEVER


@pytest.mark.parametrize("how", ["purge", "delete"])
def test_those_that_are_gone_are_not_kept_in_memory(how: str) -> None:
    broker = with_queue()
    broker.declare_queue("other", actor())
    broker.publish(delayed(b"kept", 150.0, "other"), "")
    for number in range(3 * LOST_MIN):
        broker.publish(delayed(b"", 200.0 + number), "")
    if how == "purge":
        broker.purge("q", actor())
    else:
        broker.delete_queue("q", actor())
    assert broker.delays.count == 1
    assert broker.deadline == 150.0


def test_a_replica_holds_them_too_and_goes_on_when_promoted() -> None:
    primary = make_broker(ha=True)
    backup = make_broker(ha=True, serving=False)
    primary.now = backup.now = 100.0
    primary.declare_queue("q", actor())
    for body, due in ((b"1", 105.0), (b"2", 103.0), (b"3", 0.0)):
        primary.publish(delayed(body, due), "")
    records = list(primary.journal)
    for record in records:
        backup.apply(copy_record(record, backup))
    queue = backup.queues["q"]
    assert (queue.available, queue.delayed) == (1, 2)
    to(backup, 103.0)
    assert (queue.available, queue.delayed) == (2, 1)
    backup.promote()
    _, sink = consume(backup)
    backup.dispatch()
    assert sink.bodies == [b"2", b"3"]
    to(backup, 105.0)
    assert sink.bodies == [b"2", b"3", b"1"]


def test_a_replica_that_is_filled_holds_them_too() -> None:
    backup = make_broker(ha=True, serving=False)
    primary = make_broker(ha=True)
    primary.declare_queue("q", actor())
    for record in primary.journal:
        backup.apply(copy_record(record, backup))
    queue = backup.queues["q"]
    backup.now = 100.0
    queue.skip(9)
    backup.fill(Entry(delayed(b"1", 105.0), queue, 4))
    backup.fill(Entry(delayed(b"2", 99.0), queue, 5))
    assert (queue.available, queue.delayed) == (1, 1)


def test_counts_are_right_whatever_happens() -> None:
    chance = random.Random(7)
    broker = with_queue()
    queue = broker.queues["q"]
    consumer, sink = consume(broker, credit=1)
    for turn in range(3000):
        kind = chance.randrange(6)
        if kind < 3:
            due = broker.now + chance.choice((0.0, 0.0, 1.0, 5.0))
            expiry = chance.choice((NEVER, NEVER, broker.now + 2.0))
            broker.publish(delayed(str(turn).encode(), due, expires_at=expiry), "")
        elif kind == 3:
            to(broker, broker.now + chance.random())
        elif kind == 4 and sink.got:
            entry = sink.got.pop()
            if chance.random() < 0.5:
                broker.release([entry], True)
            else:
                broker.dequeue([entry])
            broker.flow(consumer, 0, 1)
        elif chance.random() < 0.02:
            broker.purge("q", actor())
        broker.dispatch()
        entries = queue.entries()
        waiting = [entry for entry in entries if entry.holder is DELAYED]
        assert queue.delayed == len(waiting)
        assert queue.held == sum(entry.holder is consumer for entry in entries)
        assert queue.available == sum(entry.holder is None for entry in entries)
        assert all(entry.message.available_at > broker.now - 1.0 for entry in waiting)
        assert all(entry.message.available_at <= broker.now for entry in sink.got)
    assert isinstance(sink, RecordingSink)
    assert message().available_at == 0.0
