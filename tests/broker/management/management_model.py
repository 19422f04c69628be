"""What the tests of managed objects share: a clock, and a look at objects."""

from __future__ import annotations

from collections.abc import Iterable

from tanist.core.notices import Actor
from tanist.management.managed import ManagedObject, WallClock, Work
from tanist.wire.amqp010.values import Value

WALL_S = 1_700_000_000.0
STARTED = 100.0
ADMIN = Actor("admin@QPID", "tool:1", None, 3)


def a_clock() -> WallClock:
    """A clock that started at second 100, which is 1,700,000,000 of Unix time."""
    clock = WallClock()
    clock.start(STARTED, WALL_S)
    return clock


def keys(objects: Iterable[ManagedObject]) -> list[str]:
    """What identifies each object."""
    return [managed.key for managed in objects]


def has_all_fields(managed: ManagedObject) -> bool:
    """The values are exactly the fields of the schema, in their order but for the counters'."""
    names = list(managed.values())
    declared = [field.name for field in managed.schema.fields]
    assert set(names) == set(declared), set(names) ^ set(declared)
    assert len(names) == len(declared)
    void = {name for name, value in managed.values().items() if value is None}
    assert void <= {field.name for field in managed.schema.fields if field.optional}
    return True


def finish(work: dict[str, Value] | Work) -> dict[str, Value]:
    """The out arguments of a method, after all its pieces."""
    while isinstance(work, Work):
        done = work.go_on()
        if done is not None:
            return done
    return work
