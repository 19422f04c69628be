from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tanist.wire.amqp10.numbering import STEPS_MAX, Numbering


def test_without_drops_the_ids_are_the_same():
    numbering = Numbering()
    assert [numbering.begin(number) for number in range(5)] == [0, 1, 2, 3, 4]
    assert numbering.known(-10, 100) == [(0, 4)]
    assert numbering.known(2, 3) == [(2, 3)]
    assert numbering.known(5, 9) == []
    assert numbering.travelling(1, 9) == [(1, 4)]


@given(st.lists(st.booleans(), max_size=60), st.integers(-3, 70), st.integers(0, 70))
def test_drops_shift_what_follows(dropped, first, span):
    numbering, known = Numbering(), []
    for number, is_dropped in enumerate(dropped):
        if not is_dropped:
            assert numbering.begin(number) == len(known)
            known.append(number)
    found = [
        number
        for low, high in numbering.known(first, first + span)
        for number in range(low, high + 1)
    ]
    assert found == [known[at] for at in range(len(known)) if first <= at <= first + span]
    travelling = [
        wire
        for low, high in numbering.travelling(first, first + span)
        for wire in range(low, high + 1)
    ]
    assert travelling == [at for at, number in enumerate(known) if first <= number <= first + span]


def test_what_is_remembered_is_bounded():
    numbering = Numbering()
    for number in range(0, 4 * STEPS_MAX, 2):
        numbering.begin(number)
    assert numbering.travelled == 2 * STEPS_MAX
    ranges = numbering.known(0, 4 * STEPS_MAX)
    assert len(ranges) == STEPS_MAX
    assert ranges[-1] == (4 * STEPS_MAX - 2, 4 * STEPS_MAX - 2)
    assert numbering.known(0, 5) == []
