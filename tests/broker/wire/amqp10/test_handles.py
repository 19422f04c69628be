from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tanist.wire.amqp10.handles import Handles


@given(st.integers(0, 20), st.lists(st.one_of(st.none(), st.integers(0, 30))))
def test_the_lowest_free_number_is_given_out(limit, steps):
    handles, used = Handles(limit), set()
    for step in steps:
        if step is None:
            free = [number for number in range(limit + 1) if number not in used]
            number = handles.take()
            assert number == (free[0] if free else -1)
            if free:
                used.add(number)
        elif step in used:
            used.remove(step)
            handles.give(step)


def test_a_lower_limit_holds_for_numbers_that_come_back():
    handles = Handles(10)
    assert [handles.take() for _ in range(5)] == [0, 1, 2, 3, 4]
    handles.give(4)
    handles.limit = 3
    assert handles.take() == -1
    handles.give(2)
    assert handles.take() == 2
