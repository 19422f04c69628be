"""Held command ids: runs, seals, gates."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.core.follower import Pledge
from tanist.sessions.amqp010.holding import Holding


def opened(holding: Holding, index: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    runs: list[tuple[int, int]] = []
    accepts: list[tuple[int, int]] = []
    holding.open(index, runs, accepts)
    return runs, accepts


def test_a_stream_of_commands_is_one_run() -> None:
    holding = Holding()
    assert holding.add(10)
    assert not holding.add(11)
    assert not holding.add(12)
    holding.seal(5)
    assert opened(holding, 4) == ([], [])
    assert holding.busy
    assert opened(holding, 5) == ([(10, 12)], [])
    assert not holding.busy


def test_holes_and_accepts_are_kept_apart() -> None:
    holding = Holding()
    for command_id in (1, 2, 4, 5, 9):
        holding.add(command_id)
    holding.add_accept(2)
    holding.add_accept(4)
    holding.add_accept(5)
    holding.seal(1)
    assert opened(holding, 1) == ([(1, 2), (4, 5), (9, 9)], [(2, 2), (4, 5)])


def test_runs_of_several_seals_join() -> None:
    holding = Holding()
    holding.add(1)
    holding.seal(3)
    assert holding.add(2)
    holding.seal(4)
    holding.add(3)
    holding.seal(9)
    assert opened(holding, 4) == ([(1, 2)], [])
    assert opened(holding, 9) == ([(3, 3)], [])


def test_ids_wrap() -> None:
    holding = Holding()
    holding.add(0xFFFFFFFF)
    holding.add(0)
    holding.seal(1)
    assert opened(holding, 1) == ([(0xFFFFFFFF, 0)], [])


def test_clear_forgets() -> None:
    holding = Holding()
    holding.add(1)
    holding.seal(1)
    holding.add(2)
    holding.clear()
    assert not holding.busy
    assert opened(holding, 99) == ([], [])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.integers(0, 100), unique=True, max_size=6), max_size=6))
def test_each_id_comes_out_once_at_its_index(steps: list[list[int]]) -> None:
    holding = Holding()
    base = 0
    expected: list[set[int]] = []
    for index, offsets in enumerate(steps):
        ids = sorted(base + i for i in offsets)
        base += 1000
        expected.append(set(ids))
        for command_id in ids:
            holding.add(command_id)
        holding.seal(index)
    for index, ids_of_step in enumerate(expected):
        runs, _ = opened(holding, index)
        assert {i for first, last in runs for i in range(first, last + 1)} == ids_of_step
    assert not holding.busy


def test_a_pledge_keeps_back_what_it_seals_and_what_comes_later() -> None:
    holding = Holding()
    pledge = Pledge()
    pledge.owed = 2
    holding.add(1)
    holding.pledge = pledge
    holding.seal(5)
    holding.add(2)
    holding.seal(6)
    assert holding.pledge is None
    assert opened(holding, 6) == ([], [])
    assert holding.opened == 6
    pledge.owed = 0
    assert opened(holding, holding.opened) == ([(1, 2)], [])
    assert not holding.busy


def test_a_pledge_that_is_kept_does_not_replace_the_gate() -> None:
    holding = Holding()
    holding.add(1)
    holding.pledge = Pledge()
    holding.seal(5)
    assert opened(holding, holding.opened) == ([], [])
    assert opened(holding, 5) == ([(1, 1)], [])


def test_a_pledge_for_nothing_is_forgotten() -> None:
    holding = Holding()
    pledge = Pledge()
    pledge.owed = 1
    holding.pledge = pledge
    holding.seal(1)
    holding.add(1)
    holding.seal(1)
    assert opened(holding, 1) == ([(1, 1)], [])
