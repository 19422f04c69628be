"""Management over AMQP 1.0: requests to qmf.default.direct, answers to a temporary queue."""

from __future__ import annotations

from tanist.wire.amqp10.composites import Properties, Source, Target
from tanist.wire.amqp10.encoding import encode_composite
from tanist.wire.amqp10.events import Attached
from tanist.wire.amqp10.sections import (
    VALUE,
    MessageParts,
    encode_body_value,
    encode_map_section,
    split_message,
)
from tanist.wire.amqp10.spec import DEFINITIONS
from tanist.wire.amqp10.values import Value
from tests.broker.node.guest10 import Guest10
from tests.broker.node.network import Host, running

APPLICATION_PROPERTIES = DEFINITIONS["application-properties"].code


class Tool:
    """Asks the agent of ``host`` as the genuine tools do."""

    def __init__(self, host: Host) -> None:
        self.guest = Guest10(host)
        session = self.guest.session()
        self.answers = session.receiver("answers", Source(dynamic=True), Target())
        self.answers.flow(100)
        self.guest.pump()
        attached = [event for event in self.guest.events if isinstance(event, Attached)]
        source = attached[0].attach.source
        assert isinstance(source, Source)
        self.reply_to = str(source.address)
        self.requests = self.guest.sender(session, "qmf.default.direct")

    def ask(self, opcode: str, content: dict[str, Value]) -> list[MessageParts]:
        """The answers that came at once."""
        before = len(self.guest.deliveries)
        properties = Properties(subject="broker", reply_to=self.reply_to, correlation_id="7")
        names: dict[str, Value] = {
            "x-amqp-0-10.app-id": "qmf2",
            "qmf.opcode": opcode,
            "method": "request",
        }
        message = encode_composite(properties)
        message += encode_map_section(APPLICATION_PROPERTIES, names)
        message += encode_body_value(dict(content))
        self.requests.send(str(self.requests.delivery_count).encode(), message)
        self.guest.pump()
        return self.new_answers(before)

    def new_answers(self, before: int) -> list[MessageParts]:
        """Those after the first ``before``."""
        return [split_message(each.payload) for each in self.guest.deliveries[before:]]


def test_objects_are_listed() -> None:
    _, (host,) = running("a")
    query: dict[str, Value] = {"_what": "OBJECT", "_schema_id": {"_class_name": "broker"}}
    (answer,) = Tool(host).ask("_query_request", query)
    properties = answer.read_properties()
    assert properties is not None
    assert properties.correlation_id == "7"
    assert answer.read_application_properties()["qmf.opcode"] == "_query_response"
    assert answer.body_kind == VALUE
    (found,) = answer.read_body_value()
    assert found["_values"]["name"] == "amqp-broker"


def create(name: str) -> dict[str, Value]:
    return {
        "_object_id": {"_object_name": "org.apache.qpid.broker:broker:amqp-broker"},
        "_method_name": "create",
        "_arguments": {"type": "queue", "name": name, "properties": {}, "strict": True},
    }


def test_a_queue_is_created_and_the_backups_have_it_before_the_answer_comes() -> None:
    network, (primary, backup) = running("a", "b")
    tool = Tool(primary)
    backup.freeze()
    assert tool.ask("_method_request", create("made")) == []
    backup.thaw()
    network.run()
    (answer,) = tool.new_answers(0)
    assert answer.read_application_properties()["qmf.opcode"] == "_method_response"
    network.advance(0.1)
    assert "made" in backup.node.broker.queues


def test_what_cannot_be_done_is_answered_with_the_reason() -> None:
    _, (host,) = running("a")
    tool = Tool(host)
    tool.ask("_method_request", create("twice"))
    (answer,) = tool.ask("_method_request", create("twice"))
    assert answer.read_application_properties()["qmf.opcode"] == "_exception"
    assert "already exists" in str(answer.read_body_value())


def test_who_is_connected_is_seen_with_the_protocol() -> None:
    _, (host,) = running("a")
    query: dict[str, Value] = {"_what": "OBJECT", "_schema_id": {"_class_name": "connection"}}
    (answer,) = Tool(host).ask("_query_request", query)
    (found,) = answer.read_body_value()
    assert found["_values"]["protocol"] == "AMQP 1.0"
