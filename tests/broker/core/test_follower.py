"""What a copy gets to hear of its queue: against pictures, and against a naive model."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.core.broker import Broker
from tanist.core.follower import PAUSE_MAX_S, Pledge, merge_ids
from tanist.types import CREDIT_UNLIMITED
from tests.broker.core.core_model import actor, bodies, consume, make_broker, message, publish
from tests.broker.core.follow_model import Copy, accept, fill, follow, settle


def with_queue(*published: bytes, **arguments: object) -> Broker:
    broker = make_broker()
    broker.declare_queue("q", actor(), arguments=arguments)
    fill(broker, *published)
    return broker


def drop(broker: Broker, *positions: int) -> None:
    queue = broker.queues["q"]
    broker.dequeue([entry for entry in queue.entries() if entry.position in positions])
    settle(broker)


@pytest.mark.parametrize(
    ("given_ids", "merged"),
    [
        ([], []),
        ([(5, 6), (1, 2)], [(1, 2), (5, 6)]),
        ([(1, 2), (3, 4)], [(1, 4)]),
        ([(1, 9), (2, 3)], [(1, 9)]),
        ([(1, 3), (2, 7)], [(1, 7)]),
    ],
)
def test_merging_ids(given_ids: list[tuple[int, int]], merged: list[tuple[int, int]]) -> None:
    assert merge_ids(given_ids) == merged


# -- what is sent ----------------------------------------------------------------------------


def test_an_empty_copy_gets_everything_in_order_of_arrival() -> None:
    broker = with_queue(b"1", b"2")
    _, copy = follow(broker)
    settle(broker)
    fill(broker, b"3")
    assert copy.order == [1, 2, 3]
    assert copy.bodies == [b"1", b"2", b"3"]
    assert copy.told == []


def test_acquired_entries_are_sent_too_and_exclusive_consumers_do_not_matter() -> None:
    broker = with_queue(b"1", b"2")
    consume(broker, credit=1, exclusive=True)
    broker.dispatch()
    _, copy = follow(broker)
    settle(broker)
    assert copy.bodies == [b"1", b"2"]


def test_what_the_copy_has_is_not_sent_and_what_it_has_too_much_is_gone() -> None:
    broker = with_queue(*[b"%d" % number for number in range(1, 11)])
    drop(broker, 2, 3, 7, 10)
    _, copy = follow(broker, has=[(2, 5), (7, 8), (10, 10)])
    copy.ids = {2: b"2", 3: b"3", 4: b"4", 5: b"5", 7: b"7", 8: b"8", 10: b"10"}
    settle(broker)
    assert copy.order == [1, 6, 9]
    assert copy.told == [[(2, 3)], [(7, 7)], [(10, 10)]]
    assert copy.bodies == bodies(broker)


def test_a_gap_inside_what_the_copy_has() -> None:
    broker = with_queue(b"1", b"2", b"3", b"4", b"5")
    drop(broker, 3)
    _, copy = follow(broker, has=[(1, 5)])
    settle(broker)
    assert copy.told == [[(3, 3)]]
    assert copy.order == []


def test_an_empty_queue_empties_its_copy() -> None:
    broker = with_queue(b"1", b"2")
    drop(broker, 1, 2)
    follower, copy = follow(broker, has=[(1, 2)])
    settle(broker)
    assert copy.told == [[(1, 2)]]
    assert follower.unsent == 0


def test_ids_that_the_queue_never_came_to_belong_to_another_queue() -> None:
    """A copy that does not tell its lineage: none of its ids can be believed."""
    broker = with_queue(b"1", b"2")
    _, copy = follow(broker, has=[(1, 7)])
    settle(broker)
    assert copy.told == [[(1, 7)]]
    assert copy.order == [1, 2]


def test_dequeues_are_told_once_and_only_of_what_was_dealt_with() -> None:
    broker = with_queue(b"1", b"2", b"3")
    follower, copy = follow(broker, credit=2)
    settle(broker)
    assert copy.order == [1, 2]
    drop(broker, 3, 2, 1)
    broker.flow(follower, 0, CREDIT_UNLIMITED)
    settle(broker)
    assert copy.told == [[(1, 2)]]
    assert copy.order == [1, 2]
    assert copy.bodies == []


def test_expired_messages_are_passed_over() -> None:
    broker = with_queue()
    broker.publish(message(b"old", expires_at=5.0), "")
    publish(broker, b"new")
    broker.now = 6.0
    follower, copy = follow(broker)
    settle(broker)
    assert copy.bodies == [b"new"]
    assert follower.in_sync is False  # it has not accepted the other one
    accept(follower, copy)
    assert follower.in_sync


def test_an_expired_message_that_the_copy_has_stays_until_it_is_dequeued() -> None:
    broker = with_queue()
    broker.publish(message(b"old", expires_at=5.0), "")
    settle(broker)
    broker.now = 6.0
    _, copy = follow(broker, has=[(1, 1)])
    settle(broker)
    assert (copy.order, copy.told) == ([], [])
    broker.expire(10)
    settle(broker)
    assert copy.told == [[(1, 1)]]


# -- credit ----------------------------------------------------------------------------------


def test_credit_is_spent_by_messages_and_by_events() -> None:
    broker = with_queue(b"1", b"2", b"3")
    follower, copy = follow(broker, credit=2)
    broker.set_window(follower, True)
    settle(broker)
    assert copy.order == [1, 2]
    broker.completed(follower, 1, len(b"1"))
    settle(broker)
    assert copy.order == [1, 2, 3]
    drop(broker, 1)
    assert copy.told == []
    broker.completed(follower, 1, len(b"2"))
    settle(broker)
    assert copy.told == [[(1, 1)]]
    assert follower.messages_left == 0


def test_byte_credit() -> None:
    broker = with_queue(b"123", b"45")
    copy = Copy()
    follower = broker.follow("q", "f", copy, [], None, follow(broker)[0].who, {}, actor(object()))
    broker.flow(follower, 0, CREDIT_UNLIMITED)
    broker.flow(follower, 1, 4)
    settle(broker)
    assert copy.order == [1]
    broker.flow(follower, 1, 1)
    settle(broker)
    assert copy.order == [1, 2]


def test_a_full_sink_stops_it() -> None:
    broker = with_queue(b"1", b"2")
    follower, copy = follow(broker, Copy(room=1))
    settle(broker)
    assert copy.order == [1]
    copy.room = 5
    broker.wake(follower)
    settle(broker)
    assert copy.order == [1, 2]


# -- waiting ---------------------------------------------------------------------------------


def test_it_is_waited_for_when_everything_was_sent_and_in_sync_when_all_was_accepted() -> None:
    broker = with_queue(b"1", b"2")
    follower, copy = follow(broker, credit=1)
    settle(broker)
    assert (follower.waited_for, copy.standings) == (False, [])
    assert (follower.unsent, follower.behind) == (1, 2)
    broker.flow(follower, 0, 5)
    settle(broker)
    assert (follower.waited_for, follower.in_sync, copy.standings) == (True, False, [True])
    accept(follower, copy, 1)
    assert not follower.in_sync
    accept(follower, copy, 2)
    assert follower.in_sync
    fill(broker, b"3")
    assert follower.in_sync, "what came later is guarded"
    assert follower.behind == 1


def guarded(broker: Broker) -> Pledge:
    """Publish one message; the pledge for its confirmation."""
    publish(broker, b"x")
    records, broker.journal = broker.journal, []
    broker.following.take(records, broker.now)
    pledge = broker.following.seal(0)
    assert pledge is not None
    broker.following.confirm(0)
    broker.following.feed(broker.now)
    return pledge


def test_a_pledge_is_kept_by_accepting() -> None:
    broker = with_queue()
    follower, copy = follow(broker)
    settle(broker)
    pledge = guarded(broker)
    assert (pledge.owed, broker.following.take_kept()) == (1, [])
    accept(follower, copy)
    assert (pledge.owed, broker.following.take_kept()) == (0, [pledge])


def test_a_pledge_is_kept_by_a_dequeue() -> None:
    broker = with_queue()
    follow(broker)
    settle(broker)
    pledge = guarded(broker)
    drop(broker, 1)
    assert broker.following.take_kept() == [pledge]


def test_a_pledge_is_kept_when_the_message_expires_before_it_is_sent() -> None:
    broker = with_queue()
    follower, copy = follow(broker, credit=0)
    follower.waited_for = True
    settle(broker)
    broker.publish(message(b"old", expires_at=5.0), "")
    settle(broker)
    assert len(follower.guarded) == 1
    broker.now = 6.0
    broker.flow(follower, 0, 1)
    settle(broker)
    assert copy.order == []
    assert len(broker.following.take_kept()) == 1


def test_all_copies_must_accept() -> None:
    broker = with_queue()
    one, first = follow(broker)
    two, second = follow(broker)
    settle(broker)
    pledge = guarded(broker)
    accept(one, first)
    assert (pledge.owed, broker.following.take_kept()) == (1, [])
    accept(two, second)
    assert broker.following.take_kept() == [pledge]


def test_a_copy_that_does_not_acknowledge_is_no_longer_waited_for() -> None:
    broker = with_queue()
    follower, copy = follow(broker)
    settle(broker)
    broker.now = 100.0
    pledge = guarded(broker)
    assert not follower.is_stuck(110.0, 10.0)
    assert follower.is_stuck(110.1, 10.0)
    follower.stop_waiting(110.1, 10.0)
    assert broker.following.take_kept() == [pledge]
    assert copy.standings == [True, False]
    broker.now = 120.0
    broker.wake(follower)
    settle(broker)
    assert not follower.waited_for, "too early, and it still owes something"
    accept(follower, copy, now=121.0)
    broker.wake(follower)
    settle(broker)
    assert not follower.waited_for, "too early"
    broker.now = 120.2
    broker.wake(follower)
    settle(broker)
    assert follower.waited_for
    assert copy.standings == [True, False, True]


def test_pauses_grow_to_a_limit_and_are_forgotten() -> None:
    broker = with_queue()
    follower, _ = follow(broker)
    settle(broker)
    pauses = []
    now = 100.0
    for _ in range(5):
        follower.stop_waiting(now, 10.0)
        broker.now = now
        while not follower.waited_for:
            broker.now += 5.0
            broker.wake(follower)
            settle(broker)
        pauses.append(broker.now - now)
        now = broker.now
    assert pauses == [10.0, 20.0, 40.0, PAUSE_MAX_S, PAUSE_MAX_S]
    follower.stop_waiting(now + PAUSE_MAX_S + 1, 10.0)
    broker.now = now + PAUSE_MAX_S + 11
    broker.wake(follower)
    settle(broker)
    assert follower.waited_for


def test_progress_counts_from_the_first_message_that_waits() -> None:
    broker = with_queue()
    follower, copy = follow(broker)
    settle(broker)
    broker.now = 1000.0
    guarded(broker)
    guarded(broker)
    assert not follower.is_stuck(1005.0, 10.0)
    accept(follower, copy, 1, now=1009.0)
    assert not follower.is_stuck(1015.0, 10.0)
    assert follower.is_stuck(1020.0, 10.0)


# -- the model -------------------------------------------------------------------------------

MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(1, 3)),
        st.tuples(st.just("drop"), st.integers(0, 40)),
        st.tuples(st.just("accept"), st.integers(0, 10)),
        st.tuples(st.just("credit"), st.integers(1, 4)),
        st.tuples(st.just("cut"), st.integers(0, 3)),
        st.tuples(st.just("confirm"), st.integers(0, 0)),
    ),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(MOVES, st.booleans())
def test_whatever_happens_the_copy_ends_equal(moves: list[tuple[str, int]], late: bool) -> None:
    """``late``: records are confirmed only now and then. A cut loses what was not accepted, or not
    even that: the copy may have it all the same.
    """
    broker = make_broker()
    broker.declare_queue("q", actor())
    queue = broker.queues["q"]
    follower, copy = follow(broker, credit=3)
    index = 0
    confirmed = -1 if late else 1 << 40

    def step() -> None:
        nonlocal index
        index += 1
        settle(broker, index, confirmed)

    step()
    number = 0
    for move, size in moves:
        if move == "publish":
            for _ in range(size):
                number += 1
                publish(broker, b"%d" % number)
        elif move == "drop":
            there = queue.entries()
            if there:
                broker.dequeue([there[size % len(there)]])
        elif move == "accept":
            accept(follower, copy, *copy.unaccepted[:size])
        elif move == "credit":
            broker.flow(follower, 0, size)
        elif move == "confirm":
            confirmed = max(confirmed, index)
        else:
            broker.cancel(follower)
            for position in copy.unaccepted[: size * 2]:
                copy.ids.pop(position, None)
            has = merge_ids([(position, position) for position in copy.ids])
            fresh = Copy()
            fresh.ids = dict(copy.ids)
            follower, copy = follow(
                broker, fresh, has=has, lineage=broker.lineage_of(queue), credit=3
            )
        step()
    confirmed = 1 << 40
    broker.flow(follower, 0, CREDIT_UNLIMITED)
    step()
    accept(follower, copy)
    assert copy.ids == {entry.position: entry.message.body for entry in queue.entries()}
    assert copy.order == sorted(copy.order)
    assert follower.in_sync
    assert follower.guarded == {}
    assert (follower.unsent, follower.behind) == (0, 0)
