"""Each check says yes to a good history and no to a bad one."""

from __future__ import annotations

import pytest

from tests.sim.checks import CHECKS, judge
from tests.sim.history import (
    Confirmed,
    Dropped,
    Ended,
    Event,
    Granted,
    History,
    Looked,
    Promise,
    Purge,
    Received,
    Refused,
    Rejected,
    Released,
    Sent,
    Severed,
    Subscribed,
    Taken,
    Wished,
)


def sent(number: int, at: float = 1.0, *targets: str, **more: object) -> Sent:
    return Sent(at, "p", number, targets or ("q",), **more)  # type: ignore[arg-type]


def confirmed(number: int, at: float = 2.0) -> Confirmed:
    return Confirmed(at, "p", number)


def got(number: int, queue: str = "q", at: float = 3.0, **more: object) -> Received:
    fields: dict[str, object] = {"redelivered": False, "consumer": "c", "connection": 1, **more}
    return Received(at=at, queue=queue, producer="p", number=number, **fields)  # type: ignore[arg-type]


def history(*events: Event, **more: object) -> History:
    return History(list(events), **more)  # type: ignore[arg-type]


def checks_of(found: History) -> set[str]:
    return {check for check, _ in judge(found)}


def test_a_good_history_has_no_finding() -> None:
    assert judge(history(sent(1), sent(2), confirmed(1), got(1), got(2), confirmed(2))) == []


def test_a_message_that_was_never_confirmed_may_be_missing_or_not() -> None:
    assert judge(history(sent(1), sent(2), got(2))) == []


# -- lost -----------------------------------------------------------------------------------


def test_a_confirmed_message_that_never_came_is_lost() -> None:
    assert checks_of(history(sent(1), confirmed(1))) == {"lost"}


def test_every_target_must_get_it() -> None:
    events: list[Event] = [sent(1, 1.0, "a", "b"), confirmed(1), got(1, "a")]
    assert checks_of(history(*events)) == {"lost"}
    assert judge(history(*events, got(1, "b"))) == []


def test_one_queue_of_a_target_is_enough() -> None:
    assert judge(history(sent(1, 1.0, "a or dead"), confirmed(1), got(1, "dead"))) == []


def test_what_was_only_browsed_is_lost() -> None:
    assert checks_of(history(sent(1), confirmed(1), got(1, browsed=True))) == {"lost"}


@pytest.mark.parametrize(
    ("promise", "more", "enough", "too_little"),
    [
        (Promise(until_failover=True), {}, {"failovers": [1.5]}, {"failovers": [0.5]}),
        (Promise(short_ttl=True), {}, {"expired": 1}, {"expired": 0, "purged": 9}),
        (Promise(ring=9), {}, {"ring": 1}, {"ring": 0}),
    ],
)
def test_an_excuse_is_bounded_by_what_was_seen(
    promise: Promise,
    more: dict[str, object],
    enough: dict[str, object],
    too_little: dict[str, object],
) -> None:
    """Message 2 is missing; message 1 came."""
    for numbers, verdict in ((enough, False), (too_little, True)):
        circumstances = dict(numbers)
        failovers = circumstances.pop("failovers", [])
        found = history(
            sent(1, ttl_s=1.0),
            sent(2, ttl_s=1.0),
            confirmed(1),
            confirmed(2),
            got(1),
            promises={"q": promise},
            failovers=failovers,
            dropped={"q": Dropped(**circumstances)},  # type: ignore[arg-type]
        )
        assert ("lost" in checks_of(found)) is verdict, numbers


def test_only_messages_with_a_time_to_live_expire() -> None:
    found = history(
        sent(1),
        confirmed(1),
        promises={"q": Promise(short_ttl=True)},
        dropped={"q": Dropped(expired=5)},
    )
    assert checks_of(found) == {"lost"}


def test_a_purge_excuses_what_was_sent_before_it_ended() -> None:
    events: list[Event] = [sent(1), confirmed(1), Purge(5.0, 4.0, "q")]
    dropped = {"q": Dropped(purged=1)}
    promises = {"q": Promise(purged=True)}
    assert judge(history(*events, dropped=dropped, promises=promises)) == []
    late = history(*events, sent(2, 6.0), confirmed(2), dropped=dropped, promises=promises)
    assert checks_of(late) == {"lost"}
    assert "('p', 2)" in judge(late)[0][1]


def test_what_was_on_its_way_to_a_consumer_that_needs_no_accept_may_be_lost() -> None:
    events: list[Event] = [sent(1), confirmed(1), sent(2), confirmed(2)]
    promises = {"q": Promise(at_most_once=True)}
    assert judge(history(*events, Severed(3.0, "c", "q", 2), promises=promises)) == []
    assert checks_of(history(*events, Severed(3.0, "c", "q", 1), promises=promises)) == {"lost"}
    assert checks_of(history(*events, Severed(3.0, "c", "x", 2), promises=promises)) == {"lost"}


def test_a_temporary_queue_keeps_what_is_sent_while_its_consumer_is_there() -> None:
    promises = {"q": Promise(until_leaving=True)}
    there = Subscribed(0.5, "c", "q")
    events: list[Event] = [there, sent(1), confirmed(1)]
    assert checks_of(history(*events, promises=promises)) == {"lost"}
    assert judge(history(*events, Severed(2.0, "c", "q", 0), promises=promises)) == []
    assert judge(history(sent(1, 0.4), confirmed(1), there, promises=promises)) == []


# -- what comes out ---------------------------------------------------------------------------


def test_what_nobody_sent_is_unexpected() -> None:
    assert checks_of(history(sent(1), got(1), got(2))) == {"unexpected"}


def test_what_was_not_sent_there_is_unexpected() -> None:
    assert checks_of(history(sent(1), got(1, "x"))) == {"unexpected"}


def test_unmarked_messages_come_in_order() -> None:
    assert checks_of(history(sent(1), sent(2), got(2), got(1))) == {"order"}
    assert judge(history(sent(1), sent(2), got(2), got(1, redelivered=True))) == []


def test_the_order_is_that_of_one_connection() -> None:
    assert judge(history(sent(1), sent(2), got(2), got(1, consumer="d"))) == []
    assert judge(history(sent(1), sent(2), got(2), got(1, connection=2))) == []


def test_what_was_released_unmarked_comes_when_it_likes() -> None:
    released = Released(2.5, "q", "p", 1)
    found = history(sent(1), sent(2), got(1), got(2), released, got(1))
    assert judge(found) == []


def test_queues_to_which_messages_are_moved_have_no_order() -> None:
    events: list[Event] = [sent(1, 1.0, "a or q"), sent(2, 1.0, "a or q"), got(2), got(1)]
    assert judge(history(*events)) == []


def test_a_second_delivery_is_marked() -> None:
    assert "redelivered mark" in checks_of(history(sent(1), got(1), got(1), faults=1))
    assert judge(history(sent(1), got(1), got(1, redelivered=True), faults=1)) == []
    assert judge(history(sent(1), got(1, browsed=True), got(1), faults=1)) == []


def test_a_release_without_the_mark_allows_one_more_unmarked_delivery() -> None:
    released = Released(2.5, "q", "p", 1)
    assert judge(history(sent(1), got(1), released, got(1))) == []
    assert "redelivered mark" in checks_of(history(sent(1), got(1), released, got(1), got(1)))


def test_what_was_sent_again_without_a_mark_may_come_again_without_one() -> None:
    again = sent(1, 2.0, again=True, marked=False)
    twice = [got(2), got(1)]
    assert checks_of(history(sent(1), sent(2), got(1), *twice)) == {
        "order",
        "redelivered mark",
        "duplicated",
    }
    assert checks_of(history(sent(1), sent(2), again, got(1), *twice, faults=1)) == set()
    thrice = history(sent(1), sent(2), again, got(1), *twice, got(1), faults=1)
    assert checks_of(thrice) == {"redelivered mark"}
    marked = sent(1, 2.0, again=True)
    assert "order" in checks_of(history(sent(1), sent(2), marked, got(1), *twice, faults=1))


def test_a_queue_keeps_no_more_copies_than_were_sent_to_it() -> None:
    left = got(1, consumer="drain.q", redelivered=True)
    assert checks_of(history(sent(1), got(1), left, faults=1)) == set()
    assert checks_of(history(sent(1), left, left, faults=1)) == {"copies"}
    assert checks_of(history(sent(1), sent(1, again=True), left, left, faults=1)) == set()
    dead = got(1, "dead", consumer="drain.dead")
    assert checks_of(history(sent(1, 1.0, "q or dead"), left, dead, faults=1)) == set()


def test_nothing_comes_twice_unless_something_broke() -> None:
    twice: list[Event] = [sent(1), got(1), got(1)]
    assert "duplicated" in checks_of(history(*twice))
    assert "duplicated" not in checks_of(history(*twice, faults=1))


def test_only_rejected_messages_reach_the_alternate() -> None:
    promises = {"q": Promise(rejects_to="dead")}
    events: list[Event] = [sent(4, 1.0, "q", "dead"), got(4), got(4, "dead")]
    assert checks_of(history(*events, promises=promises)) == {"rejected"}
    rejected = Rejected(2.5, "q", "p", 4)
    assert judge(history(*events, rejected, promises=promises)) == []


def test_a_ring_holds_the_newest() -> None:
    def ring(*numbers: int, unknown: int = 0) -> set[str]:
        events: list[Event] = []
        for number in range(1, 6):
            events.append(sent(number))
            if number != unknown:
                events.append(confirmed(number))
        came = [got(number) for number in numbers]
        return checks_of(
            history(
                *events,
                *came,
                promises={"q": Promise(ring=3)},
                dropped={"q": Dropped(ring=9)},
                faults=1,
            )
        )

    assert ring(3, 4, 5) == set()
    assert ring(2, 4, 5) == {"ring"}
    assert ring(4, 5) == {"ring"}
    assert ring(2, 3, 4, 5) == {"ring"}
    assert ring(3, 4, 5, unknown=4) == set()
    assert ring(2, 3, 5, unknown=4) == set()
    assert ring(2, 4, 5, unknown=4) == {"ring"}
    assert ring(3, 5, unknown=4) == {"ring"}


def test_what_was_purged_stays_away() -> None:
    promises = {"q": Promise(purged=True)}
    events: list[Event] = [sent(1), confirmed(1, 2.0), Purge(4.0, 3.0, "q")]
    assert "purged" in checks_of(history(*events, got(1, at=5.0), promises=promises))
    browsed = got(1, at=5.0, browsed=True)
    dropped = {"q": Dropped(purged=1)}
    assert judge(history(*events, browsed, promises=promises, dropped=dropped)) == []
    early: list[Event] = [sent(1), confirmed(1, 3.5), Purge(4.0, 3.0, "q"), got(1, at=5.0)]
    assert judge(history(*early, promises=promises)) == []


def test_an_expired_message_stays_away() -> None:
    events: list[Event] = [sent(1, 1.0, ttl_s=1.0), got(1, at=30.0)]
    assert checks_of(history(*events)) == {"expired"}
    assert judge(history(*events, wall_spread_s=10.0)) == []
    assert judge(history(events[0], got(1, at=9.0))) == []
    assert checks_of(history(events[0], got(1, at=9.0, consumer="drain.q"))) == {"expired"}


def test_a_delayed_message_stays_away_until_it_is_due() -> None:
    events: list[Event] = [sent(1, 1.0, delay_s=4.0), sent(1, 3.0, again=True, delay_s=4.0)]
    assert judge(history(*events, got(1, at=5.0))) == []
    assert checks_of(history(*events, got(1, at=4.0))) == {"early"}
    assert checks_of(history(*events, got(1, at=4.0, browsed=True))) == {"early"}
    assert judge(history(*events, got(1, at=4.0), wall_spread_s=1.0)) == []
    assert judge(history(*events, got(1, at=4.0), drift=0.25)) == []
    assert checks_of(history(*events, got(1, at=4.0), drift=0.2)) == {"early"}


def test_a_delayed_message_has_no_order() -> None:
    events: list[Event] = [sent(1, 1.0, delay_s=4.0), sent(2), sent(3)]
    assert judge(history(*events, got(2), got(3), got(1, at=6.0))) == []
    assert checks_of(history(*events, got(3), got(2), got(1, at=6.0))) == {"order"}


def test_an_unreckoned_refusal_is_reported() -> None:
    assert checks_of(history(Refused(1.0, "c", 404, "Queue not found: q"))) == {"refused"}


# -- transactions -----------------------------------------------------------------------------


def moved(outcome: str, *came: str) -> History:
    """Message 1 of q was taken in a transaction that published message 7 to a and b."""
    events: list[Event] = [
        sent(1),
        confirmed(1),
        got(1, consumer="mover"),
        Sent(2.0, "mover", 7, ("a", "b"), transaction="t"),
        Taken(2.0, "t", "q", "p", 1),
        Ended(3.0, "t", outcome),
    ]
    for queue in came:
        producer, number = ("p", 1) if queue == "q" else ("mover", 7)
        events.append(Received(9.0, f"drain.{queue}", 1, queue, producer, number, True))
    return History(events)


@pytest.mark.parametrize(
    ("outcome", "came", "right"),
    [
        ("committed", ("a", "b"), True),
        ("committed", ("a",), False),
        ("committed", ("q",), False),
        ("committed", ("a", "b", "q"), False),
        ("aborted", ("q",), True),
        ("aborted", ("a", "b"), False),
        ("aborted", ("a", "b", "q"), False),
        ("aborted", (), False),
        ("unknown", ("a", "b"), True),
        ("unknown", ("q",), True),
        ("unknown", ("b", "q"), False),
        ("unknown", ("a", "b", "q"), False),
        ("unknown", (), False),
    ],
)
def test_transactions_are_all_or_nothing(outcome: str, came: tuple[str, ...], right: bool) -> None:
    found = checks_of(moved(outcome, *came))
    assert found == (set() if right else {"transaction"}), judge(moved(outcome, *came))


def test_a_message_that_was_sent_twice_may_be_taken_twice() -> None:
    found = moved("committed", "a", "b", "q")
    found.events.insert(1, sent(1, again=True))
    assert judge(found) == []


# -- configuration ----------------------------------------------------------------------------


def wished(state: str) -> Wished:
    return Wished(1.0, "c", "queue x", state)


def granted(state: str) -> Granted:
    return Granted(2.0, "c", "queue x", state)


def looked(state: str) -> Looked:
    return Looked(4.0, 3.0, "c", "queue x", state)


@pytest.mark.parametrize(
    ("events", "right"),
    [
        ([wished("new"), granted("new"), looked("new")], True),
        ([wished("new"), granted("new"), looked("")], False),
        ([wished("new"), granted("new"), looked("old")], False),
        ([wished("new"), looked("")], True),
        ([wished("new"), looked("new")], True),
        ([wished("new"), granted("new"), wished(""), looked("new")], True),
        ([wished("new"), granted("new"), wished(""), looked("")], True),
        ([wished("new"), granted("new"), wished(""), granted(""), looked("new")], False),
        ([looked("")], True),
        ([looked("new")], False),
    ],
)
def test_confirmed_configuration_is_there(events: list[Event], right: bool) -> None:
    assert checks_of(history(*events)) == (set() if right else {"configuration"})


def test_every_check_was_shown_to_go_red() -> None:
    """The names that the tests above expect; a new check must be among them."""
    text = __import__("pathlib").Path(__file__).read_text(encoding="utf-8")
    assert [name for name in CHECKS if f'"{name}"' not in text] == []
