"""Tests of delivery to subscriptions with an interest: turns, bounds, flushes, and a machine."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from tanist.core.broker import Broker
from tanist.core.choosing import LOOK_COST, LOOKS_PER_TURN
from tanist.core.delivery import DISPATCH_MAX
from tanist.core.interest import RETURNED_MAX
from tanist.types import CREDIT_UNLIMITED
from tests.broker.core.choosing_machine import Machine
from tests.broker.core.core_model import (
    RecordingSink,
    actor,
    bodies,
    consume,
    make_broker,
    message,
    publish,
)
from tests.broker.core.interest_model import choose, dispatch_all, starts_with


def with_queue() -> Broker:
    broker = make_broker(queue_limit_bytes=0)
    broker.declare_queue("q", actor())
    return broker


def on_queue(*sent: bytes) -> Broker:
    broker = with_queue()
    publish(broker, *sent)
    return broker


# Who gets what.


def test_each_gets_what_it_wants_and_the_rest_stays() -> None:
    broker = on_queue(b"a1", b"b1", b"c1", b"a2", b"c2")
    _, first = choose(broker, starts_with(b"a"))
    _, second = choose(broker, starts_with(b"b"))
    assert not broker.dispatch()
    assert (first.bodies, second.bodies) == ([b"a1", b"a2"], [b"b1"])
    assert broker.queues["q"].available == 2
    _, other = consume(broker)
    publish(broker, b"a3")
    broker.dispatch()
    assert other.bodies + first.bodies == [b"c1", b"c2", b"a1", b"a2", b"a3"]


def test_consumers_that_want_the_same_take_turns_with_those_that_want_everything() -> None:
    broker = on_queue(*[b"a%d" % number for number in range(9)])
    sinks = [choose(broker, starts_with(b"a"))[1], consume(broker)[1]]
    sinks.append(choose(broker, starts_with(b"a"))[1])
    broker.dispatch()
    assert [sink.bodies for sink in sinks] == [
        [b"a0", b"a3", b"a6"],
        [b"a1", b"a4", b"a7"],
        [b"a2", b"a5", b"a8"],
    ]
    publish(broker, b"a9")
    broker.dispatch()
    assert sinks[0].bodies[-1] == b"a9"


def test_one_after_the_other_it_is_still_the_next_ones_turn() -> None:
    broker = with_queue()
    sinks = [choose(broker, starts_with(b"a"))[1] for _ in range(3)]
    for number in range(7):
        publish(broker, b"x", b"a%d" % number)
        broker.dispatch()
    assert [len(sink.got) for sink in sinks] == [3, 2, 2]


def test_credit_and_room_count() -> None:
    broker = on_queue(b"a1", b"x", b"a2", b"a3")
    subscription, sink = choose(broker, starts_with(b"a"), credit=1)
    broker.dispatch()
    assert sink.bodies == [b"a1"]
    sink.room = 0
    broker.flow(subscription, 0, 5)
    broker.dispatch()
    assert sink.bodies == [b"a1"]
    sink.room = 1
    broker.wake(subscription)
    broker.dispatch()
    assert sink.bodies == [b"a1", b"a2"]
    assert (subscription.messages_left, subscription.delivered) == (4, 2)


def test_byte_credit_stops_at_the_first_that_is_too_large() -> None:
    broker = on_queue(b"x" * 10, b"a12345", b"a")
    interest = starts_with(b"a")
    subscription, sink = choose(broker, interest, size=5)
    broker.dispatch()
    broker.dispatch()
    assert sink.bodies == []
    broker.flow(subscription, 1, 1)
    broker.dispatch()
    assert sink.bodies == [b"a12345"]
    broker.flow(subscription, 1, 1)
    broker.dispatch()
    assert sink.bodies == [b"a12345", b"a"]
    assert set(interest.asked.values()) == {1}


def test_what_is_released_is_offered_again_in_its_place() -> None:
    broker = on_queue(b"x", b"a1", b"a2", b"a3")
    subscription, sink = choose(broker, starts_with(b"a"))
    broker.dispatch()
    taken = list(sink.got)
    publish(broker, b"a4")
    broker.release([taken[2], taken[0]], True)
    broker.dispatch()
    assert sink.bodies[3:] == [b"a1", b"a3", b"a4"]
    assert sink.flags[3:] == [True, True, False]
    assert [entry.delivery_count for entry in sink.got[3:]] == [1, 1, 0]
    broker.dequeue(taken)
    assert bodies(broker) == [b"x", b"a4"]
    broker.cancel(subscription)
    assert broker.queues["q"].searches == []


def test_somebody_elses_release_comes_to_whoever_wants_it() -> None:
    broker = on_queue(b"a1", b"b1", b"a2")
    one, sink = consume(broker)
    broker.dispatch()
    _, chooser = choose(broker, starts_with(b"a"))
    publish(broker, b"a3")
    broker.stop(one)
    broker.dispatch()
    assert chooser.bodies == [b"a3"]
    broker.release(sink.got, False)
    broker.dispatch()
    assert chooser.bodies == [b"a3", b"a1", b"a2"]


def test_undeliverable_here_goes_elsewhere() -> None:
    broker = on_queue(b"a1", b"a2")
    interest = starts_with(b"a")
    _, first = choose(broker, interest)
    broker.dispatch()
    interest.undeliverable.add(first.got[0].position)
    broker.release(first.got, True)
    broker.dispatch()
    assert first.bodies == [b"a1", b"a2", b"a2"]
    _, second = choose(broker, starts_with(b"a"))
    broker.dispatch()
    assert second.bodies == [b"a1"]


def test_an_interest_may_come_later_change_and_go() -> None:
    broker = on_queue(b"a1", b"b1", b"a2", b"b2", b"c")
    subscription, sink = consume(broker, credit=1)
    broker.dispatch()
    interest = starts_with(b"b")
    broker.set_interest(subscription, interest)
    assert subscription.interest is interest
    broker.flow(subscription, 0, CREDIT_UNLIMITED)
    broker.dispatch()
    assert sink.bodies == [b"a1", b"b1", b"b2"]
    interest.rule = lambda entry: entry.message.body != b"c"
    broker.wake(subscription)
    broker.dispatch()
    assert sink.bodies == [b"a1", b"b1", b"b2"]
    broker.set_interest(subscription, interest)
    broker.dispatch()
    assert sink.bodies == [b"a1", b"b1", b"b2", b"a2"]
    broker.set_interest(subscription, None)
    assert subscription.interest is None
    broker.dispatch()
    assert sink.bodies == [b"a1", b"b1", b"b2", b"a2", b"c"]
    assert broker.queues["q"].searches == []


def test_one_that_is_closed_has_no_more_wishes() -> None:
    broker = with_queue()
    subscription, _ = choose(broker, starts_with(b"a"))
    broker.cancel(subscription)
    broker.set_interest(subscription, starts_with(b"b"))
    broker.set_interest(subscription, None)
    assert broker.queues["q"].searches == []


def test_expired_entries_are_removed_on_the_way() -> None:
    broker = with_queue()
    _, sink = choose(broker, starts_with(b"a"), credit=1)
    broker.publish(message(b"x", expires_at=5.0), "")
    broker.publish(message(b"a1", expires_at=5.0), "")
    broker.publish(message(b"y", expires_at=50.0), "")
    broker.publish(message(b"a2", expires_at=50.0), "")
    broker.now = 6.0
    broker.dispatch()
    assert sink.bodies == [b"a2"]
    assert bodies(broker) == [b"y", b"a2"]
    assert broker.queues["q"].discards_ttl == 2


def test_purging_and_deleting() -> None:
    broker = on_queue(b"x", b"a1", b"y")
    subscription, sink = choose(broker, starts_with(b"a"))
    broker.dispatch()
    assert broker.purge("q", actor()) == 2
    broker.release(sink.got, True)
    broker.dispatch()
    assert sink.bodies == [b"a1", b"a1"]
    broker.delete_queue("q", actor())
    assert sink.closings == [subscription]
    broker.release(sink.got, True)
    broker.set_interest(subscription, None)
    assert not broker.dispatch()


def test_acquired_by_name_is_gone_for_the_search() -> None:
    broker = on_queue(b"a1", b"a2")
    browser, seen = consume(broker, acquire=False)
    chooser, sink = choose(broker, starts_with(b"a"), size=1)
    broker.dispatch()
    assert sink.bodies == []
    assert broker.acquire(seen.got[:1], browser) == seen.got[:1]
    broker.flow(chooser, 1, 50)
    broker.dispatch()
    assert sink.bodies == [b"a2"]
    broker.release(seen.got[:1], False)
    broker.dispatch()
    assert sink.bodies == [b"a2", b"a1"]


def test_settled_by_its_delivery() -> None:
    broker = on_queue(b"x", b"a1", b"a2")
    _, sink = choose(broker, starts_with(b"a"), sink=RecordingSink(broker))
    broker.dispatch()
    assert sink.bodies == [b"a1", b"a2"]
    assert bodies(broker) == [b"x"]


# Browsers.


def test_a_browser_sees_what_it_wants_once() -> None:
    broker = on_queue(b"a1", b"x", b"a2")
    browser, sink = choose(broker, starts_with(b"a"), acquire=False, credit=3)
    _, taker = consume(broker)
    broker.dispatch()
    broker.release(taker.got, True)
    publish(broker, b"a3", b"a4")
    broker.dispatch()
    assert sink.bodies == [b"a1", b"a2", b"a3"]
    assert browser.delivered == 3


def test_a_browser_has_byte_credit_and_room() -> None:
    broker = on_queue(b"a1", b"x" * 9, b"a23")
    browser, sink = choose(broker, starts_with(b"a"), acquire=False, size=4)
    broker.dispatch()
    assert sink.bodies == [b"a1"]
    sink.room = 0
    broker.flow(browser, 1, 1)
    broker.dispatch()
    assert sink.bodies == [b"a1"]
    sink.room = 1
    broker.wake(browser)
    broker.dispatch()
    assert sink.bodies == [b"a1", b"a23"]


def test_a_browser_that_changes_its_mind_goes_on_where_it_is() -> None:
    broker = on_queue(b"a1", b"b1")
    browser, sink = choose(broker, starts_with(b"a"), acquire=False)
    broker.dispatch()
    broker.set_interest(browser, starts_with(b"b"))
    publish(broker, b"a2", b"b2")
    broker.dispatch()
    broker.set_interest(browser, None)
    publish(broker, b"c")
    broker.dispatch()
    broker.set_interest(browser, starts_with(b"c"))
    publish(broker, b"c2")
    broker.dispatch()
    assert sink.bodies == [b"a1", b"b2", b"c", b"c2"]


def test_a_browser_of_a_replica_removes_nothing() -> None:
    broker = make_broker(ha=True)
    broker.declare_queue("q", actor())
    broker.publish(message(b"a1", expires_at=5.0), "")
    broker.publish(message(b"a2"), "")
    broker.serving = False
    broker.now = 6.0
    _, sink = choose(broker, starts_with(b"a"), acquire=False)
    broker.dispatch()
    assert sink.bodies == [b"a2"]
    assert bodies(broker) == [b"a1", b"a2"]


# Bounds.


@pytest.mark.parametrize("acquire", [True, False])
def test_a_long_search_is_cut_into_steps_and_made_once(acquire: bool) -> None:
    broker = on_queue(*[b"x"] * 100_000, b"a1")
    interest = starts_with(b"a")
    _, sink = choose(broker, interest, acquire=acquire)
    steps = 1
    while broker.dispatch():
        assert sum(interest.asked.values()) <= steps * (DISPATCH_MAX // LOOK_COST + 1)
        steps += 1
    assert steps >= 100_000 * LOOK_COST // DISPATCH_MAX
    assert sink.bodies == [b"a1"]
    asked = sum(interest.asked.values())
    assert asked == 100_001
    publish(broker, b"a2", b"x")
    assert not broker.dispatch()
    assert sink.bodies == [b"a1", b"a2"]
    assert sum(interest.asked.values()) == asked + 2


def test_a_release_in_front_of_many_is_one_test() -> None:
    broker = on_queue(b"a1", *[b"x"] * 20_000)
    interest = starts_with(b"a")
    _, sink = choose(broker, interest)
    dispatch_all(broker)
    asked = sum(interest.asked.values())
    for _ in range(2 * RETURNED_MAX):
        broker.release(sink.got[-1:], True)
        assert not broker.dispatch()
    assert len(sink.got) == 2 * RETURNED_MAX + 1
    assert sum(interest.asked.values()) == asked + 2 * RETURNED_MAX
    assert len(broker.queues["q"].returned) < RETURNED_MAX


@pytest.mark.parametrize("acquire", [True, False])
def test_others_do_not_wait_for_a_long_search(acquire: bool) -> None:
    broker = on_queue(*[b"x"] * 50_000)
    broker.declare_queue("r", actor())
    choose(broker, starts_with(b"a"), acquire=acquire)
    _, beside = consume(broker, credit=5)
    _, other = consume(broker, "r")
    publish(broker, b"r", key="r")
    assert broker.dispatch()
    assert len(beside.got) == 5
    assert broker.dispatch()
    assert other.bodies == [b"r"]


def test_two_long_searches_go_on_side_by_side() -> None:
    broker = on_queue(*[b"x"] * 20_000)
    interests = [starts_with(b"a"), starts_with(b"b")]
    for interest in interests:
        choose(broker, interest)
    for _ in range(5):
        assert broker.dispatch()
        first, second = (len(interest.asked) for interest in interests)
        assert abs(first - second) <= 2 * LOOKS_PER_TURN
    dispatch_all(broker)
    assert [sum(interest.asked.values()) for interest in interests] == [20_000, 20_000]


def test_every_long_search_has_its_turn() -> None:
    broker = on_queue(*[b"x"] * 5_000)
    interests = [starts_with(b"a") for _ in range(50)]
    for interest in interests:
        choose(broker, interest)
    turns = DISPATCH_MAX // LOOK_COST // LOOKS_PER_TURN
    assert turns < len(interests)
    for _ in range(len(interests) // turns + 1):
        assert broker.dispatch()
    assert all(interest.asked for interest in interests)


def test_all_that_is_wanted_is_bounded_too() -> None:
    broker = on_queue(*[b"a"] * (DISPATCH_MAX + 5))
    sinks = [choose(broker, starts_with(b"a"))[1] for _ in range(2)]
    assert broker.dispatch()
    assert 0 < sum(len(sink.got) for sink in sinks) <= DISPATCH_MAX
    dispatch_all(broker)
    assert sum(len(sink.got) for sink in sinks) == DISPATCH_MAX + 5


def test_many_that_want_one_each() -> None:
    """The reply queue that many requesters share, each with its correlation id."""
    broker = with_queue()
    sinks = [choose(broker, starts_with(b"%03d" % number))[1] for number in range(300)]
    publish(broker, *[b"%03d" % (number * 7 % 300) for number in range(600)])
    dispatch_all(broker)
    for number, sink in enumerate(sinks):
        assert sink.bodies == [b"%03d" % number] * 2


# Flush.


@pytest.mark.parametrize("acquire", [True, False])
def test_a_flush_delivers_what_is_wanted_and_takes_the_credit(acquire: bool) -> None:
    broker = on_queue(b"x", b"a1", b"x", b"a2", b"x")
    subscription, sink = choose(broker, starts_with(b"a"), acquire=acquire)
    assert broker.flush(subscription)
    assert sink.bodies == [b"a1", b"a2"]
    assert subscription.messages_credit == 0
    broker.flow(subscription, 0, 1)
    broker.flow(subscription, 1, 1)
    publish(broker, b"a3")
    assert broker.flush(subscription), "too large for the credit: there is nothing more"
    assert sink.bodies == [b"a1", b"a2"]


@pytest.mark.parametrize("acquire", [True, False])
def test_a_flush_goes_on_until_the_search_is_over(acquire: bool) -> None:
    broker = on_queue(*[b"x"] * 20_000, b"a1")
    subscription, sink = choose(broker, starts_with(b"a"), acquire=acquire)
    assert not broker.flush(subscription)
    publish(broker, *[b"a"] * DISPATCH_MAX)
    dispatch_all(broker)
    assert sink.flushes == 1
    assert sink.bodies[0] == b"a1"
    assert len(sink.got) < DISPATCH_MAX
    assert broker.queues["q"].flushes == 0
    assert subscription.messages_credit == 0


def test_a_flush_waits_for_its_sink() -> None:
    broker = on_queue(b"a1", b"a2", b"a3")
    subscription, sink = choose(broker, starts_with(b"a"), sink=RecordingSink(room=1))
    assert not broker.flush(subscription)
    broker.release(sink.got, True)
    assert not broker.dispatch()
    assert sink.flushes == 0
    sink.room = 9
    broker.wake(subscription)
    broker.dispatch()
    assert (sink.bodies, sink.flushes) == ([b"a1", b"a1", b"a2", b"a3"], 1)


def test_a_flush_looks_at_all_that_was_released() -> None:
    count = RETURNED_MAX * 3 // 4
    broker = on_queue(*[b"x"] * count, b"a1")
    other, taken = consume(broker)
    dispatch_all(broker)
    broker.stop(other)
    subscription, sink = choose(broker, starts_with(b"a"))
    broker.dispatch()
    broker.release(taken.got, True)
    assert not broker.flush(subscription)
    dispatch_all(broker)
    assert (sink.bodies, sink.flushes) == ([b"a1"], 1)


def test_a_flush_ends_where_the_numbers_do() -> None:
    broker = on_queue(b"a1")
    subscription, sink = choose(broker, starts_with(b"a"))
    broker.queues["q"].skip(1_000_000)
    assert broker.flush(subscription)
    assert sink.bodies == [b"a1"]


def test_a_plain_consumer_beside_is_flushed_as_ever() -> None:
    broker = on_queue(b"x", b"a1")
    choose(broker, starts_with(b"a"))
    subscription, sink = consume(broker)
    assert broker.flush(subscription)
    assert sink.bodies == [b"x", b"a1"]


# The whole against a model.

Machine.TestCase.settings = settings(
    max_examples=150,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestMachine = Machine.TestCase
