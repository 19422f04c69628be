from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.core.records import Entry
from tanist.core.subscription import INFINITE, Sink, Subscription
from tanist.types import CREDIT_UNLIMITED
from tests.broker.core.core_model import actor, make_broker, message


def make(window: bool = False) -> Subscription:
    queue = make_broker().declare_queue("q", actor())
    subscription = Subscription(queue, "d", Sink(), True, False, {}, actor())
    subscription.set_window(window)
    return subscription


def spend(subscription: Subscription, count: int, size: int) -> None:
    subscription.messages_left -= count
    subscription.bytes_left -= size


def left(subscription: Subscription) -> tuple[int, int]:
    return subscription.messages_credit, subscription.bytes_credit


def test_no_credit_at_first() -> None:
    assert left(make()) == (0, 0)


def test_credit_mode_spends_for_good() -> None:
    subscription = make()
    subscription.grant_messages(3)
    subscription.grant_messages(2)
    subscription.grant_bytes(100)
    spend(subscription, 2, 30)
    subscription.completed(2, 30)
    assert left(subscription) == (3, 70)


def test_window_moves() -> None:
    subscription = make(window=True)
    subscription.grant_messages(3)
    subscription.grant_bytes(100)
    spend(subscription, 3, 90)
    assert left(subscription) == (0, 10)
    subscription.completed(2, 60)
    assert left(subscription) == (2, 70)
    subscription.completed(50, 5000)
    assert left(subscription) == (3, 100)


def test_unlimited_does_not_wrap() -> None:
    for window in (False, True):
        subscription = make(window)
        subscription.grant_messages(7)
        subscription.grant_messages(CREDIT_UNLIMITED)
        subscription.grant_bytes(CREDIT_UNLIMITED)
        subscription.grant_messages(CREDIT_UNLIMITED)
        subscription.grant_messages(1)
        subscription.grant_bytes(1)
        spend(subscription, 1 << 40, 1 << 50)
        subscription.completed(1, 1)
        assert left(subscription) == (CREDIT_UNLIMITED, CREDIT_UNLIMITED)
        assert subscription.messages_left <= INFINITE
        subscription.stop()
        assert left(subscription) == (0, 0)


def test_stop_voids_what_is_out() -> None:
    subscription = make(window=True)
    subscription.grant_messages(5)
    subscription.grant_bytes(100)
    spend(subscription, 3, 30)
    subscription.stop()
    subscription.grant_messages(4)
    subscription.grant_bytes(40)
    spend(subscription, 1, 10)
    subscription.completed(3, 30)  # of the deliveries before the stop
    assert left(subscription) == (3, 30)
    subscription.completed(1, 10)
    assert left(subscription) == (4, 40)


def test_changing_the_mode_keeps_the_credit() -> None:
    subscription = make()
    subscription.grant_messages(5)
    spend(subscription, 2, 0)
    subscription.set_window(True)
    subscription.set_window(True)
    assert subscription.messages_credit == 3
    subscription.completed(2, 0)
    assert subscription.messages_credit == 3


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["grant", "spend", "complete", "stop"]), st.integers(0, 9)))
)
def test_a_window_never_exceeds_what_was_granted(steps: list[tuple[str, int]]) -> None:
    subscription = make(window=True)
    granted = 0
    out: list[bool] = []  # deliveries in order: True when made before the last stop
    for step, number in steps:
        if step == "grant":
            subscription.grant_messages(number)
            granted += number
        elif step == "stop":
            subscription.stop()
            granted = 0
            out = [True] * len(out)
        elif step == "spend":
            count = min(number, subscription.messages_left)
            spend(subscription, count, 0)
            out += [False] * count
        else:
            count = min(number, len(out))
            subscription.completed(count, 0)
            del out[:count]
        assert subscription.messages_left == granted - out.count(False)


def test_the_base_sink() -> None:
    sink = Sink()
    subscription = make()
    assert sink.ready()
    sink.closed(subscription)
    with pytest.raises(NotImplementedError):
        sink.deliver(subscription, Entry(message(), subscription.queue, 1))
