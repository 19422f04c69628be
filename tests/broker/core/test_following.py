"""When followers read the journal, who waits for whom, and that nobody is starved."""

from __future__ import annotations

import pytest

from tanist.core.broker import Broker
from tanist.core.follower import Follower
from tanist.core.following import FEED_MAX
from tanist.core.records import Dequeued, Entry, QueueDeclared
from tanist.types import ReplicationLevel
from tests.broker.core.core_model import actor, bodies, make_broker, publish
from tests.broker.core.follow_model import Copy, accept, follow, settle


def two_queues(**arguments: object) -> Broker:
    """A primary: ``q`` with these arguments, ``r`` replicated as usual."""
    broker = make_broker(ha=True)
    broker.declare_queue("q", actor(), arguments=arguments)
    broker.declare_queue("r", actor())
    broker.journal.clear()
    return broker


def test_without_followers_nothing_is_recorded_that_was_not() -> None:
    broker = make_broker()
    broker.declare_queue("q", actor())
    publish(broker, b"1")
    assert broker.journal == []
    assert not broker.following.active
    follower, _ = follow(broker)
    publish(broker, b"2")
    assert len(broker.journal) == 1
    broker.cancel(follower)
    assert broker.following.active, "the journal has something to be filtered out"
    assert settle(broker) == []
    assert not broker.following.active
    publish(broker, b"3")
    assert broker.journal == []


def test_backups_get_what_is_replicated_and_nothing_else() -> None:
    broker = two_queues(**{"qpid.replicate": "none"})
    _, copy = follow(broker)
    publish(broker, b"1")
    publish(broker, b"2", key="r")
    broker.declare_queue("s", actor())
    broker.dequeue(broker.queues["q"].entries())
    broker.dequeue(broker.queues["r"].entries())
    kinds = [(type(record), getattr(record, "queue", None)) for record in settle(broker)]
    r = broker.queues["r"]
    assert kinds == [(Entry, r), (QueueDeclared, None), (Dequeued, r)]
    assert copy.bodies == []


def test_a_replicated_queue_is_recorded_as_before_when_its_follower_leaves() -> None:
    broker = two_queues()
    follower, _ = follow(broker)
    broker.cancel(follower)
    publish(broker, b"1")
    assert len(settle(broker)) == 1


def test_a_queue_of_which_only_the_configuration_is_replicated() -> None:
    broker = two_queues(**{"qpid.replicate": "configuration"})
    assert broker.queues["q"].level is ReplicationLevel.CONFIGURATION
    _, copy = follow(broker)
    publish(broker, b"1")
    assert settle(broker) == []
    assert copy.bodies == [b"1"]


def test_nothing_is_read_that_is_not_confirmed() -> None:
    broker = two_queues()
    publish(broker, b"1")
    _, copy = follow(broker)
    settle(broker, 10, confirmed=9)
    assert copy.order == []
    publish(broker, b"2")
    settle(broker, 11, confirmed=10)
    assert copy.order == [1]
    broker.dequeue(broker.queues["q"].entries()[:1])
    settle(broker, 12, confirmed=11)
    assert (copy.order, copy.told) == ([1, 2], [])
    settle(broker, 12, confirmed=12)
    assert copy.told == [[(1, 1)]]


def test_a_newcomer_does_not_read_what_others_wait_for() -> None:
    broker = two_queues()
    _, first = follow(broker)
    settle(broker, 1, confirmed=1)
    publish(broker, b"1")
    settle(broker, 2, confirmed=1)
    _, second = follow(broker)
    settle(broker, 2, confirmed=1)
    assert (first.order, second.order) == ([], [])
    settle(broker, 2, confirmed=2)
    assert (first.order, second.order) == ([1], [1])


def test_only_those_who_are_waited_for_guard() -> None:
    broker = two_queues()
    follower, _ = follow(broker, credit=0)
    settle(broker)
    publish(broker, b"1")
    broker.following.take(broker.journal, 0.0)
    assert broker.following.seal(1) is None
    follower.waited_for = True
    broker.following.take(broker.journal, 0.0)
    pledge = broker.following.seal(2)
    assert pledge is not None
    assert pledge.owed == 1


def test_leaving_keeps_all_pledges_and_is_idempotent() -> None:
    broker = two_queues()
    follower, _ = follow(broker)
    settle(broker)
    publish(broker, b"1", b"2")
    settle(broker)
    assert len(follower.guarded) == 2
    broker.cancel(follower)
    broker.cancel(follower)
    assert len(broker.following.take_kept()) == 1
    assert broker.following.followers == []
    assert broker.queues["q"].followers == []


def test_who_left_is_not_fed() -> None:
    broker = two_queues()
    follower, copy = follow(broker)
    settle(broker)
    publish(broker, b"1")
    records, broker.journal = broker.journal, []
    broker.following.take(records, 0.0)
    broker.following.seal(0)
    broker.following.confirm(0)
    broker.cancel(follower)
    assert not broker.following.feed(0.0)
    broker.wake(follower)
    assert not broker.following.feed(0.0)
    assert copy.order == []


def test_the_bound_of_a_step_goes_round() -> None:
    broker = two_queues()
    publish(broker, *[b"x"] * (FEED_MAX * 3 // 2))
    copies = [follow(broker)[1] for _ in range(2)]
    records, broker.journal = broker.journal, []
    broker.following.take(records, 0.0)
    broker.following.seal(0)
    broker.following.confirm(0)
    shares = []
    more = True
    while more:
        more = broker.following.feed(0.0)
        shares.append([len(copy.order) * 2 // FEED_MAX for copy in copies])
    assert shares[:3] == [[2, 0], [2, 2], [3, 2]], "in halves of a bound"
    assert shares[-1] == [3, 3]


def test_ticks_find_who_is_stuck_and_wake_who_may_be_waited_for_again() -> None:
    broker = two_queues()
    follower, copy = follow(broker)
    idle, _ = follow(broker)
    settle(broker)
    publish(broker, b"1")
    settle(broker)
    accept(idle, *[c for c in [idle.sink] if isinstance(c, Copy)])
    assert broker.following.tick(5.0, 10.0) == []
    assert broker.following.tick(500.0, 0.0) == [], "0 = wait for ever"
    assert broker.following.tick(11.0, 10.0) == [follower]
    assert idle.waited_for
    accept(follower, copy)
    broker.now = 30.0
    broker.following.tick(30.0, 10.0)
    broker.following.feed(30.0)
    assert follower.waited_for


def test_the_deleted_queue_of_a_waiting_record() -> None:
    broker = two_queues()
    _, copy = follow(broker)
    settle(broker)
    publish(broker, b"1")
    settle(broker, 5, confirmed=4)
    broker.delete_queue("q", actor())
    assert copy.closings == 1
    settle(broker, 5, confirmed=5)
    assert copy.order == []
    assert broker.following.followers == []


def test_a_follower_keeps_no_queue_alive_and_is_no_consumer() -> None:
    broker = make_broker()
    broker.declare_queue("q", actor(), auto_delete=True)
    follower, copy = follow(broker)
    queue = broker.queues["q"]
    assert isinstance(follower, Follower)
    assert (queue.subscription_count, queue.used, broker.notices[1:]) == (0, False, [])
    subscription = broker.subscribe("q", "d", Copy(), True, False, {}, actor(object()))
    broker.cancel(subscription)
    assert "q" not in broker.queues
    assert copy.closings == 1
    assert bodies_are_gone(broker)


def bodies_are_gone(broker: Broker) -> bool:
    with pytest.raises(KeyError):
        bodies(broker)
    return True
