"""What the agent shows, in the abstract: objects, where they come from, methods that take time.

Two kinds of places. An object that is always there (the broker itself) is registered with the
agent. Queues, sessions and the like come from an ``ObjectSource``: they are made from live state
when somebody asks and forgotten afterwards, so that 65,000 queues cost nothing until then.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mypy_extensions import mypyc_attr

from tanist.core.notices import Actor
from tanist.management.schema import ClassSchema
from tanist.types import BrokerError, Condition
from tanist.wire.amqp010.values import Value

NANOSECONDS: Final = 1_000_000_000


class InvalidParameter(BrokerError):
    """An argument of a method is wrong: QMF status 4 instead of 7."""

    def __init__(self, text: str) -> None:
        super().__init__(Condition.INVALID_ARGUMENT, text)


class WallClock:
    """Monotonic seconds as Unix nanoseconds. ``now``: set by the node before each use."""

    __slots__ = ("_offset_s", "_started", "now")

    def __init__(self) -> None:
        self._offset_s = 0.0
        self._started = 0.0
        self.now = 0.0

    def start(self, now: float, wall_s: float) -> None:
        """The broker starts; ``wall_s`` is Unix time at ``now``."""
        self.now = self._started = now
        self._offset_s = wall_s - now

    @property
    def now_ns(self) -> int:
        """Unix nanoseconds now."""
        return self.ns(self.now)

    def ns(self, at: float) -> int:
        """Unix nanoseconds at ``at``; what was there before the start counts from the start."""
        return int((max(at, self._started) + self._offset_s) * NANOSECONDS)


@mypyc_attr(allow_interpreted_subclasses=True)
class Work:
    """A method that is carried out in pieces, one a step."""

    __slots__ = ()

    def go_on(self) -> dict[str, Value] | None:
        """Do a piece. Returns the out arguments when it is over, None: call again in a later step.

        Raises: BrokerError when it failed; it is over then, too.
        """
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class ManagedObject:
    """Something that QMF shows. Subclasses say what and carry out methods."""

    def __init__(self, schema: ClassSchema, key: str, created_ns: int) -> None:
        self.schema = schema
        self.key = key
        self.created_ns = created_ns

    @property
    def name(self) -> str:
        """The object name that identifies it."""
        return self.schema.object_name(self.key)

    def updated_ns(self, now_ns: int) -> int:
        """When it changed last, as far as that means anything: its statistics are those of now."""
        return now_ns

    def values(self) -> dict[str, Value]:
        """The properties and statistics, by name; None for an optional one that it has not."""
        raise NotImplementedError

    def methods(self) -> tuple[str, ...]:
        """Names of the methods that ``call`` knows."""
        return ()

    def changes(self, method: str) -> bool:
        """Whether ``method`` may change replicated state: its answer waits for the backups then."""
        return False

    def call(
        self, method: str, arguments: dict[str, Value], actor: Actor
    ) -> dict[str, Value] | Work:
        """Carry out a method for ``actor``; returns its out arguments, or work to go on with.

        Raises: BrokerError, whose text is shown to whoever called.
        """
        return self.invoke(method, arguments)

    def invoke(self, method: str, arguments: dict[str, Value]) -> dict[str, Value]:
        """``call`` for objects that need not know who calls and are done at once."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class ObjectSource:
    """All objects of the class ``schema``, made when asked."""

    def __init__(self, schema: ClassSchema) -> None:
        self.schema = schema

    def objects(self) -> Iterator[ManagedObject]:
        """Every object there is at the call, or almost: state goes on while the answer is made."""
        raise NotImplementedError

    def find(self, key: str) -> ManagedObject | None:
        """The object ``key``, None if there is none. Unless overridden it looks through all."""
        for managed in self.objects():
            if managed.key == key:
                return managed
        return None
