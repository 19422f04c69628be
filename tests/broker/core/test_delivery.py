"""Tests of delivery: turns, credit, flushing, bounds; and a queue against a naive model."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.core.broker import Broker
from tanist.core.delivery import DISPATCH_MAX, READY_BYTES, READY_EVERY
from tanist.types import CREDIT_UNLIMITED, Condition
from tests.broker.core.core_model import (
    RecordingSink,
    actor,
    bodies,
    consume,
    make_broker,
    publish,
    refused,
)


def with_queue() -> Broker:
    broker = make_broker()
    broker.declare_queue("q", actor())
    return broker


def test_what_is_woken_after_a_dispatch_is_pending() -> None:
    broker = with_queue()
    one, sink = consume(broker, credit=0)
    publish(broker, b"1")
    broker.dispatch()
    assert not broker.pending
    broker.flow(one, 0, 1)
    assert broker.pending
    broker.dispatch()
    assert not broker.pending
    assert sink.bodies == [b"1"]


# Turns and credit.


def test_consumers_take_turns() -> None:
    broker = with_queue()
    sinks = [consume(broker)[1] for _ in range(3)]
    publish(broker, *(bytes([number]) for number in range(7)))
    broker.dispatch()
    assert [[body[0] for body in sink.bodies] for sink in sinks] == [[0, 3, 6], [1, 4], [2, 5]]
    publish(broker, b"\x07")
    broker.dispatch()
    assert sinks[1].bodies[-1] == b"\x07"


def test_only_those_with_credit_and_room_are_served() -> None:
    broker = with_queue()
    one, first = consume(broker, credit=2)
    _, second = consume(broker, sink=RecordingSink(room=1))
    _, third = consume(broker, credit=0)
    publish(broker, b"1", b"2", b"3", b"4", b"5")
    broker.dispatch()
    assert first.bodies == [b"1", b"3"]
    assert second.bodies == [b"2"]
    assert third.bodies == []
    second.room = 1
    broker.wake(one)
    broker.dispatch()
    assert second.bodies == [b"2", b"4"]
    broker.flow(one, 0, 5)
    broker.dispatch()
    assert first.bodies == [b"1", b"3", b"5"]


def test_nobody_has_credit() -> None:
    broker = with_queue()
    pairs = [consume(broker, credit=0) for _ in range(2)]
    publish(broker, b"1")
    assert not broker.dispatch()
    broker.flow(pairs[1][0], 0, 1)
    broker.dispatch()
    assert [sink.bodies for _, sink in pairs] == [[], [b"1"]]


def test_byte_credit() -> None:
    broker = with_queue()
    small, first = consume(broker, credit=0)
    small.stop()
    broker.flow(small, 0, CREDIT_UNLIMITED)
    broker.flow(small, 1, 5)
    publish(broker, b"123", b"45", b"6")
    broker.dispatch()
    assert first.bodies == [b"123", b"45"]
    broker.flow(small, 1, 1)
    broker.dispatch()
    assert first.bodies[-1] == b"6"
    _, other = consume(broker)
    publish(broker, b"7")
    broker.dispatch()
    assert other.bodies == [b"7"]
    with refused(Condition.INVALID_ARGUMENT):
        broker.flow(small, 2, 1)


def test_a_browser_has_credit_too() -> None:
    broker = with_queue()
    browser, sink = consume(broker, credit=2, acquire=False)
    publish(broker, b"1", b"2", b"3", b"45")
    broker.dispatch()
    assert sink.bodies == [b"1", b"2"]
    broker.stop(browser)
    broker.flow(browser, 0, 5)
    broker.flow(browser, 1, 2)
    broker.dispatch()
    assert sink.bodies == [b"1", b"2", b"3"]


def test_window_flow() -> None:
    broker = with_queue()
    subscription, sink = consume(broker, credit=0)
    broker.completed(subscription, 1, 1)
    broker.set_window(subscription, True)
    broker.flow(subscription, 0, 2)
    publish(broker, b"1", b"2", b"3", b"4")
    broker.dispatch()
    assert sink.bodies == [b"1", b"2"]
    broker.completed(subscription, 1, 1)
    broker.dispatch()
    assert sink.bodies == [b"1", b"2", b"3"]
    broker.stop(subscription)
    broker.completed(subscription, 2, 2)
    broker.dispatch()
    assert sink.bodies == [b"1", b"2", b"3"]


# Flush.


@pytest.mark.parametrize("acquire", [True, False])
def test_flush_sends_all_within_the_credit_and_takes_the_rest(acquire: bool) -> None:
    broker = with_queue()
    publish(broker, b"1", b"2", b"3")
    subscription, sink = consume(broker, credit=2, acquire=acquire)
    assert broker.flush(subscription)
    assert sink.bodies == [b"1", b"2"]
    broker.flow(subscription, 0, 10)
    broker.flow(subscription, 1, CREDIT_UNLIMITED)
    assert broker.flush(subscription)
    assert sink.bodies == [b"1", b"2", b"3"]
    assert (subscription.messages_credit, subscription.bytes_credit) == (0, 0)
    publish(broker, b"4")
    broker.dispatch()
    broker.purge("q", actor())
    assert broker.flush(subscription)
    assert sink.bodies == [b"1", b"2", b"3"]
    assert sink.flushes == 0


@pytest.mark.parametrize("acquire", [True, False])
def test_a_flush_waits_for_its_sink(acquire: bool) -> None:
    broker = with_queue()
    publish(broker, *[b"x"] * 100)
    subscription, sink = consume(broker, acquire=acquire, sink=RecordingSink(room=1))
    assert not broker.flush(subscription)
    seen = len(sink.got)
    assert seen <= READY_EVERY
    publish(broker, b"later")
    broker.dispatch()
    assert (len(sink.got), sink.flushes) == (seen, 0)
    for _ in range(100):
        if sink.flushes:
            break
        sink.room = 1
        broker.wake(subscription)
        broker.dispatch()
    assert sink.bodies[:100] == [b"x"] * 100
    assert (sink.flushes, broker.queues["q"].flushes) == (1, 0)
    assert subscription.messages_credit == 0


def test_a_flush_ends_though_messages_come_all_the_time() -> None:
    broker = with_queue()
    publish(broker, *[b"x"] * 50)
    subscription, sink = consume(broker, sink=RecordingSink(room=1))
    assert not broker.flush(subscription)
    for _ in range(100):
        publish(broker, *[b"y"] * READY_EVERY)
        sink.room = 1
        broker.wake(subscription)
        broker.dispatch()
    assert sink.flushes == 1
    assert len(sink.got) < 50 + 2 * READY_EVERY


def test_credit_granted_during_a_flush_counts_afterwards() -> None:
    broker = with_queue()
    publish(broker, *[b"x"] * (2 * READY_EVERY))
    subscription, sink = consume(broker, sink=RecordingSink(room=1))
    assert not broker.flush(subscription)
    broker.flow(subscription, 0, 3)
    broker.flow(subscription, 0, 2)
    broker.flow(subscription, 1, CREDIT_UNLIMITED)
    sink.room = READY_EVERY
    broker.wake(subscription)
    broker.dispatch()
    sink.room = 1 << 30
    publish(broker, *[b"y"] * 10)
    broker.dispatch()
    assert sink.flushes == 1
    assert sink.bodies == [b"x"] * (2 * READY_EVERY) + [b"y"] * 5
    assert subscription.messages_left == 0
    assert subscription.bytes_credit == CREDIT_UNLIMITED


def test_stop_during_a_flush_takes_what_was_granted_for_afterwards() -> None:
    broker = with_queue()
    publish(broker, *[b"x"] * (2 * READY_EVERY))
    subscription, sink = consume(broker, sink=RecordingSink(room=1))
    assert not broker.flush(subscription)
    broker.flow(subscription, 0, 3)
    broker.stop(subscription)
    sink.room = 1 << 30
    broker.wake(subscription)
    broker.dispatch()
    assert (len(sink.got), sink.flushes) == (2 * READY_EVERY, 1)
    assert subscription.messages_credit == 0


def test_a_window_does_not_move_on_during_a_flush() -> None:
    broker = with_queue()
    publish(broker, *[b"x"] * 100)
    window = READY_EVERY + 8
    subscription, sink = consume(broker, credit=window, sink=RecordingSink(room=1))
    broker.set_window(subscription, True)
    assert not broker.flush(subscription)
    broker.completed(subscription, READY_EVERY, READY_EVERY)
    sink.room = 1 << 30
    broker.wake(subscription)
    broker.dispatch()
    assert (len(sink.got), sink.flushes) == (window, 1)
    broker.flow(subscription, 0, 1)
    broker.completed(subscription, 8, 8)
    assert subscription.messages_left == 1
    broker.completed(subscription, 1, 1)
    assert subscription.messages_left == 1


def test_a_cancelled_flush_is_forgotten() -> None:
    broker = with_queue()
    publish(broker, *[b"x"] * 100)
    subscription, sink = consume(broker, sink=RecordingSink(room=1))
    assert not broker.flush(subscription)
    broker.cancel(subscription)
    assert broker.queues["q"].flushes == 0
    assert broker.flush(subscription)
    broker.dispatch()
    assert sink.flushes == 0


# Bounds.


@pytest.mark.parametrize("consumers", [1, 2])
def test_a_dispatch_is_bounded(consumers: int) -> None:
    broker = with_queue()
    broker.declare_queue("r", actor())
    sinks = [consume(broker)[1] for _ in range(consumers)]
    _, other = consume(broker, "r")
    publish(broker, *[b""] * (DISPATCH_MAX + 5))
    publish(broker, b"r", key="r")
    assert broker.dispatch()
    assert sum(len(sink.got) for sink in sinks) == DISPATCH_MAX
    assert other.got == []
    assert not broker.dispatch()
    assert sum(len(sink.got) for sink in sinks) == DISPATCH_MAX + 5
    assert other.bodies == [b"r"]


def test_a_browser_may_use_the_whole_bound() -> None:
    broker = with_queue()
    browsers = [consume(broker, acquire=False)[1] for _ in range(2)]
    publish(broker, *[b""] * (DISPATCH_MAX + 5))
    while broker.dispatch():
        pass
    assert [len(sink.got) for sink in browsers] == [DISPATCH_MAX + 5] * 2


def test_a_sink_is_asked_often_enough() -> None:
    broker = with_queue()
    _, sink = consume(broker, sink=RecordingSink(room=1))
    publish(broker, *[b""] * (3 * READY_EVERY))
    broker.dispatch()
    assert len(sink.got) <= READY_EVERY


def test_a_sink_is_asked_often_enough_when_messages_are_large() -> None:
    broker = with_queue()
    _, sink = consume(broker, sink=RecordingSink(room=1))
    publish(broker, *[bytes(READY_BYTES // 4 + 1)] * READY_EVERY)
    broker.dispatch()
    assert len(sink.got) == 4


# The queue as a whole, against a naive model.

steps = st.lists(
    st.tuples(
        st.sampled_from(["publish", "deliver", "accept", "release", "reject", "browse", "purge"]),
        st.integers(0, 5),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(steps)
def test_delivery_is_a_naive_list(commands: list[tuple[str, int]]) -> None:
    broker = with_queue()
    subscription, sink = consume(broker, credit=0)
    waiting: list[int] = []
    held: list[int] = []
    sent = 0
    for command, number in commands:
        delivered = dict.fromkeys(sink.got)  # some twice
        out = [entry for entry in delivered if entry.holder is not None][:number]
        names = [int(entry.message.body) for entry in out]
        if command == "publish":
            for _ in range(number):
                sent += 1
                publish(broker, str(sent).encode())
                waiting.append(sent)
        elif command == "deliver":
            broker.stop(subscription)
            broker.flow(subscription, 0, number)
            broker.flow(subscription, 1, CREDIT_UNLIMITED)
            broker.dispatch()
            held += waiting[:number]
            del waiting[:number]
            broker.stop(subscription)
        elif command == "browse":
            browser, seen = consume(broker, acquire=False)
            broker.dispatch()
            assert [int(body) for body in seen.bodies] == waiting
            broker.cancel(browser)
        elif command == "purge" and number == 0:
            assert broker.purge("q", actor()) == len(waiting)
            waiting = []
        elif command == "release":
            broker.release(out, True)
            waiting = sorted(waiting + names)
            held = [name for name in held if name not in names]
        elif command in ("accept", "reject"):
            broker.dequeue(out) if command == "accept" else broker.reject(out)
            held = [name for name in held if name not in names]
        queue = broker.queues["q"]
        assert (queue.available, queue.held) == (len(waiting), len(held))
        assert sorted(int(body) for body in bodies(broker)) == sorted(waiting + held)
