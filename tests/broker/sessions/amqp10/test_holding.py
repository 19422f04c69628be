"""Confirmations that wait for records."""

from __future__ import annotations

import pytest

from tanist.core.follower import Pledge
from tanist.sessions.amqp10.holding import Answer, Holding


class Note(Answer):
    """Somebody who wants to be told."""

    def give(self) -> None:
        """Told."""


def opened(holding: Holding, index: int) -> tuple[list[tuple[int, int]], list[Answer]]:
    runs: list[tuple[int, int]] = []
    answers: list[Answer] = []
    holding.open(index, runs, answers)
    return runs, answers


def test_ids_that_follow_each_other_are_one_run_over_steps_too() -> None:
    holding = Holding()
    assert holding.add(5)
    assert not holding.add(6)
    assert not holding.add(9)
    holding.seal(1)
    assert holding.add(10)
    holding.seal(2)
    assert holding.count == 4
    assert opened(holding, 0) == ([], [])
    assert opened(holding, 2) == ([(5, 6), (9, 10)], [])
    assert holding.count == 0


def test_ids_beyond_32_bits_are_runs_too() -> None:
    holding = Holding()
    first = 2**32 - 2
    for number in range(first, first + 5):
        holding.add(number)
    holding.seal(1)
    assert opened(holding, 1) == ([(first, first + 4)], [])


def test_answers_wait_as_ids_do() -> None:
    holding = Holding()
    note, other = Note(), Note()
    assert holding.answer(note)
    assert not holding.answer(other)
    assert not holding.add(1)
    holding.seal(3)
    holding.seal(4)
    assert opened(holding, 2) == ([], [])
    assert opened(holding, 3) == ([(1, 1)], [note, other])
    assert holding.add(2)
    assert not holding.answer(note)


def test_what_waits_for_a_pledge_keeps_back_what_comes_later() -> None:
    holding = Holding()
    pledge = Pledge()
    pledge.owed = 1
    holding.add(1)
    holding.pledge = pledge
    holding.seal(1)
    holding.add(2)
    holding.seal(2)
    assert opened(holding, 2) == ([], [])
    pledge.owed = 0
    assert opened(holding, holding.opened) == ([(1, 2)], [])


def test_a_pledge_without_anything_to_confirm_binds_nobody_later() -> None:
    holding = Holding()
    pledge = Pledge()
    pledge.owed = 1
    holding.pledge = pledge
    holding.seal(1)
    holding.add(1)
    holding.seal(2)
    assert opened(holding, 2) == ([(1, 1)], [])


def test_clear() -> None:
    holding = Holding()
    holding.add(1)
    holding.answer(Note())
    holding.seal(1)
    holding.add(2)
    holding.clear()
    holding.seal(2)
    assert opened(holding, 9) == ([], [])
    assert holding.count == 0


def test_the_base_says_nothing() -> None:
    with pytest.raises(NotImplementedError):
        Answer().give()
