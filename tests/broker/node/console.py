"""A management console on a host: asks for objects of any class and calls their methods."""

from __future__ import annotations

from tanist.management.broker_objects import BROKER_KEY
from tanist.management.schema import BROKER, QUEUE
from tanist.wire.amqp010.codec import decode_list
from tanist.wire.amqp010.transfer import message_properties
from tanist.wire.amqp010.values import Value
from tests.broker.node.network import Admin

BROKER_NAME = BROKER.object_name(BROKER_KEY)


class Console(Admin):
    """See the module."""

    def elements(self, body: dict[str, Value]) -> list[dict[str, Value]]:
        """The elements of the answer to a query, all its messages together."""
        correlation = self.request("_query_request", {"_what": "OBJECT", **body})
        self.network.advance(0.0)
        found: list[dict[str, Value]] = []
        for part in self.parts(correlation):
            for element in decode_list(part):
                assert isinstance(element, dict)
                found.append(element)
        return found

    def parts(self, correlation: bytes) -> list[bytes]:
        """The bodies of all messages that answer a request."""
        bodies = []
        for message in self._session.messages:
            properties = message_properties(message.header)
            if properties is not None and properties.octets("correlation_id") == correlation:
                assert message.body is not None
                bodies.append(message.body)
        return bodies

    def objects(self, class_name: str) -> list[dict[str, Value]]:
        """The values of every object of a class."""
        found = []
        for element in self.elements({"_schema_id": {"_class_name": class_name}}):
            values = element["_values"]
            assert isinstance(values, dict)
            found.append(values)
        return found

    def named(self, object_name: str) -> dict[str, Value] | None:
        """The element called ``object_name``, None if there is none."""
        found = self.elements({"_object_id": {"_object_name": object_name}})
        return found[0] if found else None

    def start(self, object_name: str, method: str, **arguments: Value) -> bytes:
        """Call a method without waiting; returns the correlation id."""
        return self.request(
            "_method_request",
            {
                "_object_id": {"_object_name": object_name},
                "_method_name": method,
                "_arguments": dict(arguments),
            },
        )

    def start_broker(self, method: str, **arguments: Value) -> bytes:
        """Call a method of the broker object without waiting."""
        return self.start(BROKER_NAME, method, **arguments)

    def ask_broker(self, method: str, **arguments: Value) -> str:
        """Call a method of the broker object; returns "" or the error text."""
        return self._settled(self.start_broker(method, **arguments))

    def ask_queue(self, queue: str, method: str, **arguments: Value) -> str:
        """Call a method of a queue; returns "" or the error text."""
        return self._settled(self.start(QUEUE.object_name(queue), method, **arguments))

    def create(self, kind: str, name: str, **properties: Value) -> str:
        """Create an object; returns "" or the error text."""
        return self.ask_broker("create", type=kind, name=name, properties=dict(properties))

    def _settled(self, correlation: bytes) -> str:
        self.network.advance(0.0)
        error = self.error_of(correlation)
        assert error is not None, "no answer"
        return error
