"""The QMF2 agent: answers queries and carries out methods on managed objects.

Driven by the node: ``answer`` takes one message that a management exchange set aside for the agent
and returns the answer, which may need several steps (``answers``); ``event`` makes the message for
one event. The agent knows nothing of queues or sockets; what it shows is registered with it
(``managed``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from uuid import UUID

from tanist.core.message import Message
from tanist.core.notices import Actor
from tanist.management.answers import (
    EXCEPTION,
    UNKNOWN_METHOD,
    UNKNOWN_OBJECT,
    Answer,
    QueryAnswer,
    ShortAnswer,
    WorkAnswer,
    Writers,
    failure,
)
from tanist.management.codec import (
    Reply,
    Request,
    decode_request,
    event_indication,
    exception_response,
    locate_response,
    method_response,
    text_of,
)
from tanist.management.managed import ManagedObject, ObjectSource, WallClock, Work
from tanist.management.schema import (
    AGENT_PRODUCT,
    AGENT_VENDOR,
    SEVERITY_NAMES,
    ClassSchema,
)
from tanist.types import BrokerError
from tanist.wire.amqp010.values import Value, uint32, uint64

__all__ = ["TOPIC_EXCHANGE", "Agent", "ManagedObject"]

TOPIC_EXCHANGE: Final = "qmf.default.topic"


class Agent:
    """The broker's QMF2 agent."""

    def __init__(self, instance: UUID, heartbeat_s: int, clock: WallClock) -> None:
        self.name = f"{AGENT_VENDOR}:{AGENT_PRODUCT}:{instance}"
        self._key = f"{AGENT_VENDOR.replace('.', '_')}.{AGENT_PRODUCT}.{instance}"
        self._instance = str(instance)
        self._heartbeat_s = heartbeat_s
        self._clock = clock
        self._objects: dict[str, ManagedObject] = {}
        self._names: dict[str, ManagedObject] = {}
        self._sources: dict[tuple[str, str], ObjectSource] = {}
        self._writers = Writers()

    def register(self, managed: ManagedObject) -> None:
        """Show an object from now on, in place of one with the same name."""
        self._objects[managed.name] = managed
        self._names[managed.name] = managed
        self._names[managed.schema.object_name(managed.key)] = managed

    def add_source(self, source: ObjectSource) -> None:
        """Show the objects of a class from now on."""
        self._sources[source.schema.package, source.schema.class_name] = source

    def answer(self, message: Message, actor: Actor, overloaded: bool = False) -> Answer | None:
        """Carry out the request in ``message`` for ``actor``; take the messages from the answer.

        Messages that are no request, or say no address for the answer, are ignored (None). Never
        raises for what a peer sent. ``overloaded``: refuse what would change something, or take
        long.
        """
        try:
            request = decode_request(message)
        except BrokerError:
            return None
        if request is None:
            return None
        if request.opcode == "_query_request":
            if overloaded:
                return self._refusal(request)
            return QueryAnswer(
                request, self.name, self._matching(request.body), self._clock, self._writers
            )
        if request.opcode == "_method_request":
            return self._method(request, actor, overloaded)
        if request.opcode == "_agent_locate_request":
            return ShortAnswer(locate_response(request, self.name, self._locate_values()))
        return None

    def event(self, schema: ClassSchema, values: dict[str, Value], severity: int) -> Reply:
        """The message that announces an event of class ``schema``."""
        element: dict[str, Value] = {
            "_schema_id": schema.schema_id(),
            "_values": values,
            "_timestamp": uint64(self._clock.now_ns),
            "_severity": uint32(severity),
        }
        package = schema.package.replace(".", "_")
        key = (
            f"agent.ind.event.{package}.{schema.class_name}.{SEVERITY_NAMES[severity]}.{self._key}"
        )
        return event_indication(TOPIC_EXCHANGE, key, self.name, element)

    def _locate_values(self) -> dict[str, Value]:
        return {
            "_vendor": AGENT_VENDOR,
            "_product": AGENT_PRODUCT,
            "_instance": self._instance,
            "_name": self.name,
            "_timestamp": uint64(self._clock.now_ns),
            "_heartbeat_interval": uint32(self._heartbeat_s),
            "_epoch": uint32(1),
        }

    def _refusal(self, request: Request) -> Answer:
        return ShortAnswer(
            exception_response(
                request, self.name, EXCEPTION, "Too many requests are unanswered; ask again later"
            )
        )

    # -- queries ----------------------------------------------------------------------------

    def _matching(self, body: dict[str, Value]) -> Iterator[ManagedObject]:
        if text_of(body.get("_what")) != "OBJECT":
            return iter(())
        object_id = body.get("_object_id")
        if isinstance(object_id, dict):
            one = self._find(text_of(object_id.get("_object_name")))
            return iter(() if one is None else (one,))
        schema_id = body.get("_schema_id")
        if not isinstance(schema_id, dict):
            return iter(())
        return self._of_class(
            text_of(schema_id.get("_class_name")), text_of(schema_id.get("_package_name"))
        )

    def _of_class(self, class_name: str, package: str) -> Iterator[ManagedObject]:
        for managed in list(self._objects.values()):
            schema = managed.schema
            if schema.class_name == class_name and package in ("", schema.package):
                yield managed
        for source in list(self._sources.values()):
            schema = source.schema
            if schema.class_name == class_name and package in ("", schema.package):
                yield from source.objects()

    def _find(self, name: str) -> ManagedObject | None:
        """The object called ``name``."""
        managed = self._names.get(name)
        if managed is not None:
            return managed
        package, _, rest = name.partition(":")
        class_name, _, key = rest.partition(":")
        source = self._sources.get((package, class_name))
        return None if source is None else source.find(key)

    # -- methods ----------------------------------------------------------------------------

    def _method(self, request: Request, actor: Actor, overloaded: bool) -> Answer:
        object_id = request.body.get("_object_id")
        name = text_of(object_id.get("_object_name")) if isinstance(object_id, dict) else ""
        managed = self._find(name)
        if managed is None:
            return self._exception(request, UNKNOWN_OBJECT, f"No object found with ID={name}")
        method = text_of(request.body.get("_method_name"))
        if method not in managed.methods():
            known = ", ".join(managed.methods())
            return self._exception(
                request, UNKNOWN_METHOD, f"{name} has no method {method!r}; it has: {known}"
            )
        changes = managed.changes(method)
        if changes and overloaded:
            return self._refusal(request)
        arguments = request.body.get("_arguments")
        given = dict(arguments) if isinstance(arguments, dict) else {}
        try:
            out = managed.call(method, given, actor)
        except BrokerError as error:
            return ShortAnswer(failure(request, self.name, error), changes)
        if isinstance(out, Work):
            if overloaded:  # it changes nothing, and nothing of it was done
                return self._refusal(request)
            return WorkAnswer(request, self.name, out, changes)
        return ShortAnswer(method_response(request, self.name, out), changes)

    def _exception(self, request: Request, code: int, text: str) -> Answer:
        return ShortAnswer(exception_response(request, self.name, code, text))
