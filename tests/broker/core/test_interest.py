"""Tests of the search alone: what it finds, what it looks at again, how much it looks at."""

from __future__ import annotations

import pytest

from tanist.core.interest import RETURNED_MAX, Interest, Search
from tanist.core.ordering import SEGMENT_SIZE, Fifo
from tanist.core.records import Entry
from tanist.core.subscription import Subscription
from tests.broker.core.core_model import RecordingSink, actor, make_broker, message
from tests.broker.core.interest_model import Picky

ALL = 1 << 30


class Play:
    """A search over the entries at positions 1 to ``count``; it wants the multiples of ``step``."""

    def __init__(self, count: int, step: int, again: bool = True, cursor: int = 0) -> None:
        self.queue = make_broker().declare_queue("q", actor())
        self.holder = Subscription(self.queue, "d", RecordingSink(), True, False, {}, actor())
        self.fifo = Fifo()
        self.returned: list[int] = []
        self.interest = Picky(lambda entry: entry.position % step == 0)
        self.search = Search(self.interest, again, cursor, 0)
        self.entries: dict[int, Entry] = {}
        for _ in range(count):
            self.push()

    def push(self, expires_at: float = float("inf")) -> None:
        position = self.fifo.last_position + 1
        entry = Entry(message(expires_at=expires_at), self.queue, position)
        self.entries[position] = entry
        self.fifo.push(entry)

    def look(self, looks: int = ALL, now: float = 0.0) -> int | None:
        """The position found, None for nothing."""
        self.search.looks = looks
        entry = self.search.look(self.fifo, self.returned, now)
        return None if entry is None else entry.position

    def take(self, looks: int = ALL) -> int | None:
        """Look, and hold what is found."""
        found = self.look(looks)
        if found is not None:
            self.search.take()
            self.hold(found)
        return found

    def hold(self, position: int) -> None:
        self.entries[position].holder = self.holder

    def release(self, *positions: int) -> None:
        for position in positions:
            self.entries[position].holder = None
            self.fifo.released(self.entries[position])
            self.returned.append(position)

    def drop(self, count: int) -> None:
        """Forget the first ``count`` that returned."""
        self.search.forget(self.returned, count)
        self.returned = self.returned[count:]

    def remove(self, position: int) -> None:
        self.fifo.remove(position)
        self.entries[position].gone = True


def test_an_interest_must_be_implemented() -> None:
    play = Play(1, 1)
    with pytest.raises(NotImplementedError):
        Interest().wants(play.entries[1])


def test_what_is_wanted_comes_in_order_and_each_entry_is_tested_once() -> None:
    play = Play(3 * SEGMENT_SIZE, 50)
    found = []
    while (position := play.take()) is not None:
        found.append(position)
    assert found == list(range(50, 3 * SEGMENT_SIZE, 50))
    assert play.interest.asked == dict.fromkeys(range(1, 3 * SEGMENT_SIZE + 1), 1)
    assert play.search.looks > 0
    play.push()
    assert play.take() is None
    assert play.interest.asked[3 * SEGMENT_SIZE + 1] == 1


def test_it_finds_the_same_until_that_is_taken() -> None:
    play = Play(9, 4)
    assert [play.look(), play.look(), play.take(), play.look()] == [4, 4, 4, 8]
    assert max(play.interest.asked.values()) == 1
    play.hold(8)
    assert play.look() is None
    play.release(8)
    assert play.look() == 8
    play.remove(8)
    assert play.look() is None


def test_it_goes_on_where_its_looks_ended() -> None:
    play = Play(1000, 1000)
    calls = 1
    while play.look(100) is None:
        assert play.search.looks == 0, "it does not say that it is done"
        assert sum(play.interest.asked.values()) <= 100 * calls
        calls += 1
    assert 10 <= calls <= 11
    assert max(play.interest.asked.values()) == 1


@pytest.mark.parametrize("looks", [1, 2, 254, 255, 256, 257])
def test_looks_may_end_at_the_end_of_a_segment(looks: int) -> None:
    play = Play(2 * SEGMENT_SIZE, 2 * SEGMENT_SIZE)
    for _ in range(3 * SEGMENT_SIZE):
        found = play.look(looks)
        assert found is not None or play.search.looks == 0
        if found is not None:
            break
    assert found == 2 * SEGMENT_SIZE


def test_what_others_hold_is_passed_over_and_looked_at_when_it_returns() -> None:
    play = Play(10, 2)
    for position in (2, 3, 4, 6):
        play.hold(position)
    assert play.take() == 8
    assert not play.search.owes(play.returned)
    play.release(6, 3, 2)
    assert play.search.owes(play.returned)
    assert [play.take(), play.take(), play.take(), play.take()] == [2, 6, 10, None]
    play.release(4)
    assert play.take() == 4
    assert play.interest.asked == dict.fromkeys(range(1, 11), 1)


def test_what_returned_is_all_read_before_anything_is_found() -> None:
    play = Play(40, 1)
    while play.take() is not None:
        continue
    play.release(*range(40, 0, -1))
    assert play.look(30) is None
    assert play.search.looks == 0
    assert play.look(30) == 1


def test_what_returns_in_front_of_the_cursor_is_found_by_the_cursor_alone() -> None:
    play = Play(10, 5)
    play.hold(5)
    play.hold(10)
    play.release(10, 5)
    assert [play.take(), play.take(), play.take()] == [5, 10, None]
    assert play.interest.asked == dict.fromkeys(range(1, 11), 1)


def test_the_answer_may_change_while_somebody_holds_it() -> None:
    play = Play(6, 2)
    for position in (2, 4, 6):
        play.hold(position)
    assert play.look() is None
    play.release(2, 4, 6)
    assert play.look() == 2
    play.hold(4)
    play.interest.undeliverable.add(4)
    play.release(4)
    assert [play.take(), play.take(), play.take()] == [2, 6, None]
    play.interest.undeliverable.clear()
    play.hold(4)
    play.release(4)
    assert play.take() == 4


def test_what_is_taken_again_before_it_looks_is_not_looked_at() -> None:
    play = Play(4, 2)
    play.hold(2)
    play.hold(4)
    assert play.look() is None
    play.release(2, 4)
    play.hold(2)
    play.remove(4)
    assert play.look() is None
    assert play.interest.asked == {1: 1, 3: 1}


def test_nothing_is_known_twice() -> None:
    play = Play(4, 2)
    play.hold(2)
    play.hold(4)
    assert play.look() is None
    for _ in range(100):
        play.release(4, 2)
        assert play.look() == 2
        play.hold(2)
        play.hold(4)
    assert len(play.search._wanted) == len(play.search._known) <= 2


def test_the_time_of_an_entry_is_over() -> None:
    play = Play(0, 2)
    for _ in range(4):
        play.push(expires_at=5.0)
    assert play.look(now=4.0) == 2
    assert play.look(now=5.0) is None
    assert play.search.expired == [2, 3, 4]
    assert play.interest.asked == {1: 1, 2: 1}


def test_a_browser_sees_each_entry_once() -> None:
    play = Play(6, 2, again=False, cursor=2)
    play.hold(4)
    assert play.take() == 6
    play.release(4, 6)
    assert not play.search.owes(play.returned)
    assert play.take() is None


def test_it_goes_back_to_what_it_did_not_read() -> None:
    play = Play(20, 5)
    while play.take() is not None:
        continue
    play.release(15)
    assert play.look() == 15
    play.release(20, 10)
    play.drop(len(play.returned))
    assert [play.take(), play.take(), play.take(), play.take()] == [10, 15, 20, None]
    assert [play.interest.asked[position] for position in (9, 10, 11, 19)] == [1, 2, 2, 2]


def test_it_goes_back_to_what_it_knew_as_well() -> None:
    play = Play(20, 5)
    while play.take() is not None:
        continue
    play.release(5)
    assert play.look() == 5
    play.release(20)
    play.drop(len(play.returned))
    assert [play.take(), play.take(), play.take()] == [5, 20, None]


def test_it_stays_where_it_is_when_it_has_read_everything() -> None:
    play = Play(20, 5)
    play.hold(15)
    assert play.take() == 5
    play.release(15)
    assert play.take() == 10
    play.drop(len(play.returned))
    assert (play.take(), play.interest.asked[10]) == (15, 1)


def test_only_what_is_dropped_unread_makes_it_go_back() -> None:
    play = Play(20, 5)
    while play.take() is not None:
        continue
    play.release(5, 10)
    assert play.take() == 5
    play.release(20, 15)
    play.drop(2)
    assert play.search.cursor == 20
    assert [play.take(), play.take(), play.take(), play.take()] == [10, 15, 20, None]
    play.release(15, 10, 5)
    play.drop(3)
    assert play.search.cursor == 14
    assert [play.take(), play.take(), play.take(), play.take()] == [5, 10, 15, None]


def test_holes_and_skipped_numbers_cost_nothing() -> None:
    play = Play(10, 7)
    for position in range(1, 11):
        play.remove(position)
    play.fifo.last_position = 1 << 40
    assert play.look(1) is None
    play.fifo.last_position += 6 - (1 << 40) % 7
    play.push()
    assert play.look(3) == play.fifo.last_position


def test_the_queue_remembers_so_many_and_no_more() -> None:
    queue = make_broker().declare_queue("q", actor())
    interest = Picky(lambda entry: True)
    search = Search(interest, True, 0, 0)
    queue.searches.append(search)
    for _ in range(3):
        queue.insert(Entry(message(), queue, queue.last_position + 1))
    search.looks = ALL
    assert search.look(queue.ordering, queue.returned, 0.0) is queue.at(1)
    for _ in range(RETURNED_MAX - 1):
        queue.note_returned(3)
    assert len(queue.returned) == RETURNED_MAX - 1
    queue.note_returned(1)
    assert len(queue.returned) == RETURNED_MAX // 2
    assert search.look(queue.ordering, queue.returned, 0.0) is queue.at(1)
    assert not search.owes(queue.returned)
    for _ in range(RETURNED_MAX):
        queue.note_returned(1)
        assert search.look(queue.ordering, queue.returned, 0.0) is queue.at(1)
    assert RETURNED_MAX // 2 <= len(queue.returned) < RETURNED_MAX
    queue.end_search(search)
    assert (queue.searches, queue.returned) == ([], [])
