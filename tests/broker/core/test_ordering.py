from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.core.ordering import SEGMENT_SIZE, Fifo
from tanist.core.records import Entry
from tanist.core.subscription import Subscription
from tests.broker.core.core_model import RecordingSink, actor, make_broker, message


class Play:
    """A Fifo beside the list of all its live entries."""

    def __init__(self) -> None:
        broker = make_broker()
        self.queue = broker.declare_queue("q", actor())
        self.holder = Subscription(self.queue, "d", RecordingSink(), True, False, {}, actor())
        self.fifo = Fifo()
        self.naive: list[Entry] = []
        self.position = 0

    def push(self, gap: int = 0) -> None:
        self.position += 1 + gap
        entry = Entry(message(), self.queue, self.position)
        self.fifo.push(entry)
        self.naive.append(entry)

    def take(self) -> Entry | None:
        entry = self.fifo.peek()
        if entry is not None:
            entry.holder = self.holder
        return entry

    def release(self, entry: Entry) -> None:
        entry.holder = None
        self.fifo.released(entry)

    def remove(self, entry: Entry) -> None:
        assert self.fifo.remove(entry.position) is entry
        entry.holder = None
        self.naive.remove(entry)

    def free(self) -> list[Entry]:
        return [entry for entry in self.naive if entry.holder is None]

    def check(self, cursor: int) -> None:
        free = self.free()
        assert self.fifo.peek() is (free[0] if free else None)
        behind = [entry for entry in free if entry.position > cursor]
        assert self.fifo.after(cursor) is (behind[0] if behind else None)
        behind = [entry for entry in self.naive if entry.position > cursor]
        assert self.fifo.any_after(cursor) is (behind[0] if behind else None)
        assert self.fifo.last_position == self.position


operations = st.lists(
    st.tuples(
        st.sampled_from(
            ["push", "push", "many", "gap", "take", "take", "acquire", "release", "remove", "sweep"]
        ),
        st.integers(0, 10_000),
    ),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(operations)
def test_fifo_is_a_naive_list(steps: list[tuple[str, int]]) -> None:
    play = Play()
    for operation, number in steps:
        held = [entry for entry in play.naive if entry.holder is not None]
        if operation == "push":
            play.push()
        elif operation == "many":
            for _ in range(number % (2 * SEGMENT_SIZE)):
                play.push()
        elif operation == "gap":
            play.push(number)
        elif operation == "take":
            free = play.free()
            assert play.take() is (free[0] if free else None)
        elif operation == "acquire" and play.free():
            play.free()[number % len(play.free())].holder = play.holder
        elif operation == "release" and held:
            play.release(held[number % len(held)])
        elif operation == "remove" and play.naive:
            play.remove(play.naive[number % len(play.naive)])
        elif operation == "sweep":
            for entry in play.naive[: number % SEGMENT_SIZE]:
                play.remove(entry)
        play.check(number % (play.position + 2))
    assert play.fifo.entries() == play.naive
    for entry in play.naive:
        assert play.fifo.at(entry.position) is entry


def test_what_is_not_there() -> None:
    play = Play()
    for _ in range(3):
        play.push()
    play.remove(play.naive[1])
    assert play.fifo.after(1_000_000) is None
    for position in (0, 2, 4, 255, 256, 1_000_000):
        assert play.fifo.at(position) is None
        assert play.fifo.remove(position) is None


def test_one_stuck_entry_costs_one_segment() -> None:
    play = Play()
    play.push()
    stuck = play.take()
    assert stuck is not None
    for _ in range(20 * SEGMENT_SIZE):
        play.push()
        entry = play.take()
        assert entry is not None
        play.remove(entry)
    assert play.fifo.segment_count <= 3
    assert play.fifo.any_after(1) is None
    play.release(stuck)
    assert play.fifo.peek() is stuck


def test_released_positions_do_not_pile_up() -> None:
    play = Play()
    for _ in range(10 * SEGMENT_SIZE):
        play.push()
    while play.take() is not None:
        continue
    for entry in list(play.naive):
        # Released behind the frontier, then acquired by name and removed: nobody peeks.
        play.release(entry)
        if entry.position % SEGMENT_SIZE:
            entry.holder = play.holder
            play.remove(entry)
    assert play.fifo.returned_count == 10 * SEGMENT_SIZE
    for entry in list(play.naive):
        entry.holder = play.holder
        play.remove(entry)
    play.push()
    last = play.take()
    assert last is play.naive[0]
    assert play.fifo.returned_count == 0


def test_a_position_is_returned_once() -> None:
    play = Play()
    play.push()
    play.push()
    first, second = play.take(), play.take()
    assert first is not None
    assert second is not None
    assert play.take() is None
    for _ in range(5):
        play.release(first)
        first.holder = play.holder
    play.release(first)
    assert play.fifo.returned_count == 1
    play.release(second)
    assert [play.take(), play.take(), play.take()] == [first, second, None]


@settings(max_examples=200, deadline=None)
@given(
    st.sets(st.integers(1, 12 * SEGMENT_SIZE), max_size=60),
    st.lists(st.sampled_from(["fill", "push", "remove", "take"]), max_size=120),
    st.randoms(use_true_random=False),
)
def test_old_entries_find_their_places(positions, steps, random) -> None:
    play = Play()
    old = [Entry(message(), play.queue, position) for position in sorted(positions)]
    play.position = play.fifo.last_position = 12 * SEGMENT_SIZE
    for step in steps:
        if step == "fill" and old:
            entry = old.pop(random.choice((0, 0, 0, random.randrange(len(old)))))
            play.fifo.fill(entry)
            play.naive = sorted([*play.naive, entry], key=lambda one: one.position)
        elif step == "push":
            play.push(random.choice((0, 0, 300)))
        elif step == "remove" and play.naive:
            play.remove(random.choice(play.naive))
        elif step == "take":
            play.take()
        play.check(random.randrange(0, play.position + 2))
        assert play.fifo.entries() == play.naive
        after, count = random.randrange(0, play.position + 2), random.randrange(1, 9)
        behind = [entry for entry in play.naive if entry.position > after]
        assert play.fifo.some_after(after, count) == behind[:count]


def test_a_queue_can_be_filled_segment_by_segment() -> None:
    play = Play()
    segments = 2000
    play.fifo.last_position = segments * SEGMENT_SIZE
    for number in range(1, segments):
        play.fifo.fill(Entry(message(), play.queue, number * SEGMENT_SIZE))
    assert play.fifo.segment_count == segments - 1
    assert len(play.fifo.entries()) == segments - 1
