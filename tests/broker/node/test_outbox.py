"""Outputs leave in the order in which they were put."""

from __future__ import annotations

from tanist.node.outbox import Outbox
from tanist.node.outputs import Arm, Log, Stop


def test_outputs_are_taken_once_and_in_order() -> None:
    outbox = Outbox()
    outbox.put(Arm(3.0))
    outbox.log("info", "HA", "hello")
    first, second = outbox.take()
    assert isinstance(first, Arm)
    assert isinstance(second, Log)
    assert (second.level, second.category, second.text) == ("info", "HA", "hello")
    assert outbox.take() == []


def test_connections_are_numbered_downwards() -> None:
    outbox = Outbox()
    assert [outbox.next_conn() for _ in range(3)] == [-1, -2, -3]


def test_a_node_stops_once_with_the_first_reason() -> None:
    outbox = Outbox()
    assert not outbox.stopped
    outbox.stop("first")
    outbox.stop("second", 0)
    assert outbox.stopped
    (only,) = outbox.take()
    assert isinstance(only, Stop)
    assert (only.reason, only.code) == ("first", 1)
