from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tanist.wire.amqp10.numbering import STEPS_MAX, Numbering


def test_without_drops_the_ids_are_the_same():
    numbering = Numbering()
    assert numbering.known(0, 9) is None
    assert numbering.travelling(0, 9) is None
    assert [numbering.begin(number) for number in range(5)] == [0, 1, 2, 3, 4]
    assert numbering.known(-10, 100) == (0, 4)
    assert numbering.known(2, 3) == (2, 3)
    assert numbering.known(5, 9) is None
    assert numbering.travelling(1, 9) == (1, 4)


@given(st.lists(st.booleans(), max_size=60), st.integers(-3, 70), st.integers(0, 70))
def test_drops_shift_what_follows(dropped, first, span):
    numbering, known = Numbering(), []
    for number, is_dropped in enumerate(dropped):
        if not is_dropped:
            assert numbering.begin(number) == len(known)
            known.append(number)
    last = first + span
    meant = [number for at, number in enumerate(known) if first <= at <= last]
    assert numbering.known(first, last) == ((meant[0], meant[-1]) if meant else None)
    meant = [at for at, number in enumerate(known) if first <= number <= last]
    assert numbering.travelling(first, last) == ((meant[0], meant[-1]) if meant else None)


def test_what_is_remembered_is_bounded():
    numbering = Numbering()
    for number in range(0, 4 * STEPS_MAX, 2):
        numbering.begin(number)
    assert numbering.travelled == 2 * STEPS_MAX
    assert numbering.known(0, 4 * STEPS_MAX) == (2 * STEPS_MAX, 4 * STEPS_MAX - 2)
    assert numbering.known(0, 5) is None
    assert numbering.travelling(0, 4 * STEPS_MAX) == (STEPS_MAX, 2 * STEPS_MAX - 1)
