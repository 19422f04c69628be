from __future__ import annotations

import pytest

from tanist.core.message import AMQP_1_0, Message
from tanist.core.records import Entry
from tanist.types import ReplicationLevel
from tests.broker.core.core_model import actor, consume, make_broker, message, publish


def test_counts() -> None:
    broker = make_broker()
    queue = broker.declare_queue("q", actor())
    publish(broker, b"a", b"bb", b"ccc")
    assert (queue.count, queue.bytes, queue.available, queue.last_position) == (3, 6, 3, 3)
    consume(broker, credit=2)
    broker.dispatch()
    assert (queue.count, queue.available, queue.held, queue.acquires) == (3, 1, 2, 2)
    assert queue.remove([1, 3, 3, 99]) == 2
    assert (queue.count, queue.bytes, queue.available, queue.held) == (1, 2, 0, 1)
    assert (queue.dequeues, queue.dequeued_bytes, queue.enqueues) == (2, 4, 3)


def test_lookup_and_digest() -> None:
    broker = make_broker()
    queue = broker.declare_queue("q", actor())
    publish(broker, b"a", b"b")
    first = queue.at(1)
    assert first is not None
    assert first.message.body == b"a"
    assert queue.at(3) is None
    assert [position for position, _ in queue.digest()] == [1, 2]
    other = make_broker().declare_queue("q", actor())
    other.insert(Entry(message(b"a"), other, 1))
    other.insert(Entry(message(b"x"), other, 2))
    assert queue.digest()[0] == other.digest()[0]
    assert queue.digest()[1] != other.digest()[1]
    other.insert(Entry(Message(b"", b"a", "", "q", form=AMQP_1_0), other, 3))
    assert other.digest()[2][1] != other.digest()[0][1]


def test_expiring_is_counted() -> None:
    broker = make_broker()
    queue = broker.declare_queue("q", actor())
    broker.publish(message(expires_at=5.0), "")
    broker.publish(message(), "")
    assert queue.expiring == 1
    queue.remove([1, 2])
    assert queue.expiring == 0


def test_positions_grow() -> None:
    queue = make_broker().declare_queue("q", actor())
    queue.insert(Entry(message(), queue, 5))
    queue.skip(3)
    assert queue.last_position == 5
    queue.skip(9)
    assert queue.last_position == 9
    with pytest.raises(AssertionError):
        queue.insert(Entry(message(), queue, 9))


def test_subscriptions_are_consumers_then_browsers() -> None:
    broker = make_broker()
    queue = broker.declare_queue("q", actor())
    browser, _ = consume(broker, acquire=False)
    consumer, _ = consume(broker)
    assert queue.subscriptions == [consumer, browser]
    assert queue.subscription_count == 2


def test_a_timeout_switches_auto_delete_on() -> None:
    broker = make_broker()
    queue = broker.declare_queue("q", actor(), arguments={"qpid.auto_delete_timeout": 3})
    assert queue.auto_delete


@pytest.mark.parametrize("level", list(ReplicationLevel))
def test_only_level_all_is_journaled(level: ReplicationLevel) -> None:
    broker = make_broker(ha=True, level=level)
    queue = broker.declare_queue("q", actor())
    assert queue.level is level
    assert queue.journaled is (level is ReplicationLevel.ALL)
    assert bool(queue.number) is (level is not ReplicationLevel.NONE)
