"""The clock, and what the base classes leave to others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tanist.core.notices import Actor
from tanist.management.managed import InvalidParameter, ManagedObject, ObjectSource, WallClock, Work
from tanist.management.schema import HA_BROKER, QUEUE
from tanist.types import Condition


def test_the_clock_tells_unix_nanoseconds() -> None:
    clock = WallClock()
    clock.start(100.0, 1_700_000_000.0)
    assert clock.now_ns == 1_700_000_000 * 10**9
    clock.now = 101.5
    assert clock.now_ns == 1_700_000_001_500_000_000
    assert clock.ns(0.0) == clock.ns(100.0), "what was there before counts from the start"


def test_a_bare_object_does_nothing() -> None:
    bare = ManagedObject(HA_BROKER, "x", 7)
    assert bare.name == "org.apache.qpid.ha:habroker:x"
    assert bare.methods() == ()
    assert not bare.changes("anything")
    assert bare.updated_ns(9) == 9
    with pytest.raises(NotImplementedError):
        bare.values()
    with pytest.raises(NotImplementedError):
        bare.call("x", {}, Actor("", ""))
    with pytest.raises(NotImplementedError):
        Work().go_on()
    with pytest.raises(NotImplementedError):
        ObjectSource(QUEUE).objects()


def test_a_source_that_only_lists_can_find() -> None:
    class Three(ObjectSource):
        def objects(self) -> Iterator[ManagedObject]:
            return iter([ManagedObject(QUEUE, key, 0) for key in "abc"])

    source = Three(QUEUE)
    found = source.find("b")
    assert found is not None
    assert found.key == "b"
    assert source.find("d") is None


def test_a_wrong_parameter_is_a_broker_error() -> None:
    error = InvalidParameter("qty must be a number")
    assert (error.condition, error.text) == (Condition.INVALID_ARGUMENT, "qty must be a number")
