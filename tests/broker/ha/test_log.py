"""The log: numbering, retention, and who may go on where."""

from __future__ import annotations

from uuid import UUID

from tanist.ha.log import NO_OWNER, Log

A = UUID(int=1)
B = UUID(int=2)


def filled(*counts: int, retain_bytes: int = 1000) -> Log:
    log = Log(retain_bytes)
    log.begin_epoch(A)
    for count in counts:
        log.append(count, b"x" * count)
    return log


def test_batches_are_numbered_without_gaps() -> None:
    log = filled(3, 1, 5)
    assert [(b.first, b.last) for b in log.batches] == [(1, 3), (4, 4), (5, 9)]
    assert log.index == 9


def test_batches_after_an_index() -> None:
    log = filled(3, 1, 5)
    assert [b.first for b in log.batches_after(0)] == [1, 4, 5]
    assert [b.first for b in log.batches_after(3)] == [4, 5]
    assert log.batches_after(9) == []


def test_old_batches_are_cut_off_but_never_the_newest() -> None:
    log = filled(4, 4, 4, retain_bytes=8)
    assert log.first_retained == 5
    log.append(100, b"y" * 100)
    assert [b.first for b in log.batches] == [13]
    assert log.retained_bytes == 100


def test_a_follower_of_this_epoch_goes_on_if_the_log_reaches_back() -> None:
    log = filled(4, 4, 4, retain_bytes=8)
    assert log.can_resume(1, A, 4)
    assert log.can_resume(1, A, 12)
    assert not log.can_resume(1, A, 3)
    assert not log.can_resume(1, A, 13)


def test_an_empty_follower_goes_on_from_the_very_first_record() -> None:
    assert filled(2).can_resume(0, NO_OWNER, 0)


def test_a_follower_of_the_epoch_before_goes_on_up_to_the_fork() -> None:
    log = filled(4, 4)
    log.begin_epoch(B)
    assert (log.epoch, log.fork_index) == (2, 8)
    log.append(2, b"zz")
    assert log.can_resume(1, A, 4)
    assert log.can_resume(1, A, 8)
    assert not log.can_resume(1, A, 9), "it has a record that we never had"
    assert not log.can_resume(1, B, 8), "another history with the same number"
    assert not log.can_resume(0, NO_OWNER, 0)


def test_following_the_same_epoch_twice_changes_nothing() -> None:
    log = Log()
    log.follow(3, A, 7)
    log.follow(3, A, 9)
    assert (log.epoch, log.owner, log.fork_index) == (3, A, 7)
    assert (log.previous_epoch, log.previous_owner) == (0, NO_OWNER)


def test_a_snapshot_restarts_the_log() -> None:
    log = filled(4)
    log.restart(70)
    assert (log.index, log.first_retained, log.retained_bytes) == (70, 71, 0)
    assert log.append(1, b"x").first == 71
