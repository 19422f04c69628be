"""The log: numbering, retention, and where a follower may go on."""

from __future__ import annotations

from uuid import UUID

import pytest

from tanist.ha.log import BATCH_BYTES, HISTORY_MAX, NO_OWNER, Epoch, Log
from tanist.types import FramingError

A = UUID(int=1)
B = UUID(int=2)
C = UUID(int=3)


def filled(*counts: int, retain_bytes: int = 1000) -> Log:
    log = Log(retain_bytes)
    log.begin_epoch(1, A)
    append(log, *counts)
    return log


def append(log: Log, *counts: int) -> None:
    for count in counts:
        log.append(count, b"x" * count)


def test_batches_are_numbered_without_gaps() -> None:
    log = filled(3, 1, 5)
    assert [(b.first, b.last) for b in log.batches] == [(1, 3), (4, 4), (5, 9)]
    assert log.index == 9


def test_batches_after_an_index() -> None:
    log = filled(3, 1, 5)
    assert [b.first for b in log.batches_after(0, 9)] == [1, 4, 5]
    assert [b.first for b in log.batches_after(0, 2)] == [1, 4]
    assert [b.first for b in log.batches_after(3, 9)] == [4, 5]
    assert [b.first for b in log.batches_after(4, 1)] == [5]
    assert log.batches_after(9, 9) == []


def test_old_batches_are_cut_off_but_never_the_newest() -> None:
    log = filled(4, 4, 4, retain_bytes=2 * (4 + BATCH_BYTES))
    assert log.first_retained == 5
    log.append(100, b"y" * 100)
    assert [b.first for b in log.batches] == [13]
    assert log.retained_bytes == 100 + BATCH_BYTES


# -- where a follower goes on --------------------------------------------------------------


def test_a_follower_of_this_epoch_goes_on_if_the_log_reaches_back() -> None:
    log = filled(4, 4, 4, retain_bytes=2 * (4 + BATCH_BYTES))
    assert log.meet(1, A, 4, 4) == 4
    assert log.meet(1, A, 12, 12) == 12
    assert log.meet(1, A, 3, 3) == -1, "the log begins later"
    assert log.meet(1, B, 4, 4) == -1, "another history with the same number"


def test_a_follower_that_never_followed_anybody_needs_a_snapshot() -> None:
    log = filled(2)
    assert log.meet(0, NO_OWNER, 0, 0) == -1
    assert log.meet(1, A, 0, 0) == 0, "it may be all that is left of this epoch"
    log.begin_epoch(2, B)
    assert log.meet(1, A, 0, 0) == 0


def test_where_nothing_is_there_is_nothing_to_send() -> None:
    log = Log()
    log.begin_epoch(1, A)
    assert log.meet(0, NO_OWNER, 0, 0) == 0


def test_a_follower_of_the_epoch_before_goes_on_up_to_the_fork() -> None:
    log = filled(4, 4)
    log.begin_epoch(2, B)
    assert (log.epoch, log.owner, log.fork_index) == (2, B, 8)
    append(log, 2)
    assert log.meet(1, A, 4, 4) == 4
    assert log.meet(1, A, 8, 8) == 8


def test_what_we_never_had_is_taken_back_unless_it_was_applied() -> None:
    log = filled(4, 4)
    log.begin_epoch(2, B)
    append(log, 2)
    assert log.meet(1, A, 11, 6) == 8
    assert log.meet(1, A, 11, 8) == 8
    assert log.meet(1, A, 11, 9) == -1


def test_a_follower_that_missed_epochs_goes_on_where_its_own_ended() -> None:
    log = filled(4)
    log.begin_epoch(2, B)
    append(log, 2)
    log.begin_epoch(5, C)
    append(log, 3)
    assert log.meet(1, A, 9, 4) == 4
    assert log.meet(2, B, 6, 6) == 6
    assert log.meet(2, B, 5, 5) == 5
    assert log.meet(3, B, 6, 6) == -1


def test_a_place_before_everything_is_nowhere() -> None:
    assert filled(2).meet(1, A, -5, -5) == -1


def test_an_epoch_of_which_nothing_had_come_is_no_part_of_ours() -> None:
    """The history of a primary comes before the records that it names."""
    log = Log()
    log.follow([Epoch(0, NO_OWNER, 0), Epoch(1, A, 0), Epoch(2, B, 7)])
    log.append(5, b"")
    log.begin_epoch(3, A)
    assert [(epoch.number, epoch.begin) for epoch in log.history] == [(0, 0), (1, 0), (3, 5)]


def test_only_so_many_epochs_are_remembered() -> None:
    log = Log()
    for number in range(1, HISTORY_MAX + 10):
        log.begin_epoch(number, UUID(int=number))
    assert len(log.history) == HISTORY_MAX
    assert log.history[-1].number == log.epoch == HISTORY_MAX + 9


# -- following -----------------------------------------------------------------------------


def test_the_history_of_the_primary_becomes_ours() -> None:
    log = Log()
    log.follow([Epoch(1, A, 0), Epoch(3, B, 7)])
    assert (log.epoch, log.owner, log.fork_index) == (3, B, 7)
    append(log, 9)
    assert log.meet(1, A, 9, 5) == 7


@pytest.mark.parametrize(
    "history",
    [
        [],
        [Epoch(2, A, 0), Epoch(2, B, 0)],
        [Epoch(2, A, 0), Epoch(1, B, 0)],
        [Epoch(1, A, 5), Epoch(2, B, 4)],
    ],
)
def test_what_is_no_history_is_refused(history: list[Epoch]) -> None:
    log = filled(1)
    with pytest.raises(FramingError, match="histor"):
        log.follow(history)
    assert (log.epoch, log.owner) == (1, A)


def test_the_end_of_a_log_can_be_forgotten() -> None:
    log = filled(3, 1, 5)
    log.truncate(9)
    assert log.index == 9
    log.truncate(3)
    assert (log.index, log.retained_bytes) == (3, 3 + BATCH_BYTES)
    assert log.append(1, b"z").first == 4


def test_a_batch_is_forgotten_whole_or_not_at_all() -> None:
    log = filled(3, 5)
    with pytest.raises(FramingError, match="index 5 is in the middle of a batch"):
        log.truncate(5)
    assert log.index == 8


def test_a_snapshot_restarts_the_log() -> None:
    log = filled(4)
    log.restart(70)
    assert (log.index, log.first_retained, log.retained_bytes) == (70, 71, 0)
    assert log.append(1, b"x").first == 71
