"""Containers that want to be alone: the living keep their id, the dead are dropped."""

from __future__ import annotations

import pytest

from tanist.node.containers import STALE_S, Containers, InUse
from tanist.node.front import Knock


def front(number: int, heard_at: float = 0.0) -> Knock:
    made = Knock(number, f"peer:{number}", "here:1", 0.0)
    made.heard_at = heard_at
    return made


def with_drops() -> tuple[Containers, list[int]]:
    dropped: list[int] = []
    return Containers(lambda gone: dropped.append(gone.number)), dropped


def test_the_living_keep_their_id() -> None:
    containers, dropped = with_drops()
    containers.hold(front(1), "c", 1.0)
    with pytest.raises(InUse, match="container 'c' is connected already, from peer:1"):
        containers.clear("", "c", STALE_S)
    assert dropped == []


def test_the_silent_are_dropped() -> None:
    containers, dropped = with_drops()
    containers.hold(front(1), "c", 1.0)
    containers.clear("", "c", STALE_S + 0.1)
    assert dropped == [1]


def test_who_speaks_seldom_may_be_silent_for_longer() -> None:
    containers, dropped = with_drops()
    containers.hold(front(1), "c", 15.0)
    with pytest.raises(InUse):
        containers.clear("", "c", 15.0)
    containers.clear("", "c", 15.1)
    assert dropped == [1]


def test_an_id_is_free_when_its_holder_left_and_only_then() -> None:
    containers, dropped = with_drops()
    first, second = front(1), front(2)
    containers.hold(first, "c", 1.0)
    containers.leave(second, "c")
    with pytest.raises(InUse):
        containers.clear("", "c", 1.0)
    containers.leave(first, "c")
    containers.clear("", "c", 1.0)
    containers.hold(second, "c", 1.0)
    containers.leave(first, "c")
    with pytest.raises(InUse):
        containers.clear("", "c", 1.0)
    assert dropped == []


def test_ids_are_apart() -> None:
    containers, _ = with_drops()
    containers.hold(front(1), "c", 1.0)
    containers.clear("", "d", 0.0)
