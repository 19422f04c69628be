"""Answers under way: one request may need many messages, or many steps.

The agent makes an ``Answer`` for each request; the node takes what it says, ``take`` by ``take``,
publishes that, and stops when ``over``. So a list of 65,000 queues never takes a step for itself,
and the node can wait for a reader who is slower than the broker.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tanist.management.codec import (
    Reply,
    Request,
    exception_response,
    method_response,
    query_response,
)
from tanist.management.managed import InvalidParameter, ManagedObject, WallClock, Work
from tanist.management.schema import ClassSchema
from tanist.management.writer import ObjectWriter
from tanist.types import BrokerError, Condition
from tanist.wire.amqp010.values import Value

OBJECTS_PER_MESSAGE: Final = 100
"""Objects in one message of a query's answer; the rest follows in further messages."""

MESSAGE_BYTES: Final = 1024 * 1024
"""Bytes after which a message of a query's answer is sent with fewer: arguments may be long."""

UNKNOWN_OBJECT: Final = 1
UNKNOWN_METHOD: Final = 2
INVALID_PARAMETER: Final = 4
FEATURE_NOT_IMPLEMENTED: Final = 5
EXCEPTION: Final = 7
"""Status codes of QMF."""


class Answer:
    """What a request is answered with.

    ``after_records``: it says that something was changed, and may leave only when all that is
    recorded is safe. ``over``: nothing more will come.
    """

    __slots__ = ("after_records", "over")

    def __init__(self, after_records: bool = False) -> None:
        self.after_records = after_records
        self.over = False

    def take(self) -> Reply | None:
        """The next message, None if there is none yet (or any more).

        Raises: BrokerError if the answer cannot be put into a message; drop it then.
        """
        raise NotImplementedError


class ShortAnswer(Answer):
    """One message that is there already."""

    __slots__ = ("_reply",)

    def __init__(self, reply: Reply, after_records: bool = False) -> None:
        super().__init__(after_records)
        self._reply = reply

    def take(self) -> Reply | None:
        """See ``Answer``."""
        self.over = True
        return self._reply


def failure(request: Request, agent: str, error: BrokerError) -> Reply:
    """The exception that tells ``error``."""
    code = EXCEPTION
    if isinstance(error, InvalidParameter):
        code = INVALID_PARAMETER
    elif error.condition is Condition.NOT_IMPLEMENTED:
        code = FEATURE_NOT_IMPLEMENTED
    return exception_response(request, agent, code, error.text)


class WorkAnswer(Answer):
    """The answer of a method that takes several steps."""

    __slots__ = ("_agent", "_request", "_work")

    def __init__(self, request: Request, agent: str, work: Work, after_records: bool) -> None:
        super().__init__(after_records)
        self._request = request
        self._agent = agent
        self._work = work

    def take(self) -> Reply | None:
        """Do a piece of the work; see ``Answer``."""
        try:
            done = self._work.go_on()
        except BrokerError as error:
            self.over = True
            return failure(self._request, self._agent, error)
        if done is None:
            return None
        self.over = True
        return method_response(self._request, self._agent, done)


class Writers:
    """One ``ObjectWriter`` per class, made when first needed."""

    __slots__ = ("_writers",)

    def __init__(self) -> None:
        self._writers: dict[tuple[str, str], ObjectWriter] = {}

    def of(self, schema: ClassSchema) -> ObjectWriter:
        """The writer of a class."""
        key = (schema.package, schema.class_name)
        writer = self._writers.get(key)
        if writer is None:
            writer = self._writers[key] = ObjectWriter(schema)
        return writer


class QueryAnswer(Answer):
    """Objects, up to 100 in a message; all messages but the last are marked partial.

    An object whose values cannot be written is left out: it must not hide all the others.
    """

    __slots__ = ("_agent", "_clock", "_next", "_objects", "_request", "_writers")

    def __init__(
        self,
        request: Request,
        agent: str,
        objects: Iterator[ManagedObject],
        clock: WallClock,
        writers: Writers,
    ) -> None:
        super().__init__()
        self._request = request
        self._agent = agent
        self._objects = objects
        self._clock = clock
        self._writers = writers
        self._next = next(objects, None)

    def take(self) -> Reply | None:
        """See ``Answer``."""
        elements: list[bytes] = []
        size = 0
        managed = self._next
        while managed is not None and len(elements) < OBJECTS_PER_MESSAGE and size < MESSAGE_BYTES:
            element = self._write(managed)
            if element:
                elements.append(element)
                size += len(element)
            managed = next(self._objects, None)
        self._next = managed
        self.over = managed is None
        return query_response(self._request, self._agent, elements, not self.over)

    def _write(self, managed: ManagedObject) -> bytes:
        values: dict[str, Value] = managed.values()
        try:
            return self._writers.of(managed.schema).element(
                managed.name,
                values,
                managed.created_ns,
                managed.updated_ns(self._clock.now_ns),
            )
        except BrokerError:
            return b""
