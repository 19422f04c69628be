"""The QMF2 agent: answers queries and carries out methods on managed objects.

Driven by the node: ``answer`` takes one message that a management exchange set aside for the agent
and returns the messages to publish; ``event`` makes the message for one event. The agent knows
nothing of queues or sockets; managed objects come from ``ManagedObject`` implementations that the
node registers.

Status codes of QMF: 0 ok, 1 unknown object, 2 unknown method, 4 invalid parameter, 7 exception.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from mypy_extensions import mypyc_attr

from tanist.core.message import Message
from tanist.management.codec import (
    Reply,
    Request,
    decode_request,
    event_indication,
    exception_response,
    locate_response,
    method_response,
    query_response,
    text_of,
)
from tanist.management.schema import (
    AGENT_PRODUCT,
    AGENT_VENDOR,
    SEVERITY_NAMES,
    ClassSchema,
)
from tanist.types import BrokerError
from tanist.wire.amqp010.values import Value, uint32, uint64

UNKNOWN_OBJECT: Final = 1
UNKNOWN_METHOD: Final = 2
INVALID_PARAMETER: Final = 4
EXCEPTION: Final = 7

OBJECTS_PER_MESSAGE: Final = 100
"""Objects in one message of a query's answer; the rest follows in further messages."""

TOPIC_EXCHANGE: Final = "qmf.default.topic"


@mypyc_attr(allow_interpreted_subclasses=True)
class ManagedObject:
    """Something that QMF shows. Subclasses say what and carry out methods."""

    def __init__(self, schema: ClassSchema, key: str, created_ns: int) -> None:
        self.schema = schema
        self.name = schema.object_name(key)
        self.created_ns = created_ns
        self.updated_ns = created_ns

    def values(self) -> dict[str, Value]:
        """The properties and statistics, by name."""
        raise NotImplementedError

    def methods(self) -> tuple[str, ...]:
        """Names of the methods that ``invoke`` knows."""
        return ()

    def invoke(self, method: str, arguments: dict[str, Value]) -> dict[str, Value]:
        """Carry out a method; returns its out arguments.

        Raises: BrokerError, whose text is shown to whoever called.
        """
        raise NotImplementedError


class Agent:
    """The broker's QMF2 agent."""

    def __init__(self, instance: UUID, heartbeat_s: int, now_ns: int) -> None:
        self.name = f"{AGENT_VENDOR}:{AGENT_PRODUCT}:{instance}"
        self._key = f"{AGENT_VENDOR.replace('.', '_')}.{AGENT_PRODUCT}.{instance}"
        self._instance = str(instance)
        self._heartbeat_s = heartbeat_s
        self.now_ns = now_ns
        """Unix time in nanoseconds; the node sets it before each use."""
        self._objects: dict[str, ManagedObject] = {}

    def register(self, managed: ManagedObject) -> None:
        """Show an object from now on."""
        self._objects[managed.name] = managed

    def answer(self, message: Message) -> list[Reply]:
        """Carry out the request in ``message``; returns what must be published.

        Messages that are no request, or say no address for the answer, are ignored. Never raises
        for what a peer sent.
        """
        try:
            request = decode_request(message)
        except BrokerError:
            return []
        if request is None:
            return []
        if request.opcode == "_query_request":
            return self._query(request)
        if request.opcode == "_method_request":
            return [self._method(request)]
        if request.opcode == "_agent_locate_request":
            return [locate_response(request, self.name, self._locate_values())]
        return []

    def event(self, schema: ClassSchema, values: dict[str, Value], severity: int) -> Reply:
        """The message that announces an event of class ``schema``."""
        element: dict[str, Value] = {
            "_schema_id": schema.schema_id(),
            "_values": values,
            "_timestamp": uint64(self.now_ns),
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
            "_timestamp": uint64(self.now_ns),
            "_heartbeat_interval": uint32(self._heartbeat_s),
            "_epoch": uint32(1),
        }

    def _query(self, request: Request) -> list[Reply]:
        found = [self._element(managed) for managed in self._matching(request.body)]
        chunks = [
            found[at : at + OBJECTS_PER_MESSAGE] for at in range(0, len(found), OBJECTS_PER_MESSAGE)
        ] or [[]]
        last = len(chunks) - 1
        return [
            query_response(request, self.name, chunk, partial=at < last)
            for at, chunk in enumerate(chunks)
        ]

    def _matching(self, body: dict[str, Value]) -> list[ManagedObject]:
        if text_of(body.get("_what")) != "OBJECT":
            return []
        object_id = body.get("_object_id")
        if isinstance(object_id, dict):
            one = self._objects.get(text_of(object_id.get("_object_name")))
            return [] if one is None else [one]
        schema_id = body.get("_schema_id")
        if not isinstance(schema_id, dict):
            return []
        class_name = text_of(schema_id.get("_class_name"))
        package = text_of(schema_id.get("_package_name"))
        return [
            managed
            for managed in self._objects.values()
            if managed.schema.class_name == class_name and package in ("", managed.schema.package)
        ]

    def _element(self, managed: ManagedObject) -> Value:
        return {
            "_values": managed.values(),
            "_object_id": {"_object_name": managed.name, "_agent_epoch": uint64(1)},
            "_schema_id": managed.schema.schema_id(),
            "_create_ts": uint64(managed.created_ns),
            "_update_ts": uint64(managed.updated_ns),
            "_delete_ts": uint64(0),
        }

    def _method(self, request: Request) -> Reply:
        object_id = request.body.get("_object_id")
        name = text_of(object_id.get("_object_name")) if isinstance(object_id, dict) else ""
        managed = self._objects.get(name)
        if managed is None:
            return exception_response(
                request, self.name, UNKNOWN_OBJECT, f"No object found with ID={name}"
            )
        method = text_of(request.body.get("_method_name"))
        if method not in managed.methods():
            known = ", ".join(managed.methods())
            return exception_response(
                request,
                self.name,
                UNKNOWN_METHOD,
                f"{managed.name} has no method {method!r}; it has: {known}",
            )
        arguments = request.body.get("_arguments")
        try:
            out = managed.invoke(method, dict(arguments) if isinstance(arguments, dict) else {})
        except BrokerError as error:
            return exception_response(request, self.name, EXCEPTION, error.text)
        return method_response(request, self.name, out)
