"""The QMF2 agent: queries, methods, errors, events."""

from __future__ import annotations

from uuid import UUID

import pytest

from tanist.core.message import Message
from tanist.management.agent import OBJECTS_PER_MESSAGE, Agent, ManagedObject
from tanist.management.codec import Reply
from tanist.management.schema import HA_BROKER, MEMBERS_UPDATE, SEVERITY_INFORM, ClassSchema
from tanist.types import BrokerError, Condition
from tanist.wire.amqp010.codec import decode_list, decode_map, encode_header, encode_map, make
from tanist.wire.amqp010.transfer import application_headers, message_properties
from tanist.wire.amqp010.values import Value

INSTANCE = UUID(int=5)
THING = ClassSchema("org.example", "thing", UUID(int=9))


class Thing(ManagedObject):
    """Counts how often it was poked."""

    def __init__(self, key: str) -> None:
        super().__init__(THING, key, 1000)
        self.key = key
        self.pokes = 0

    def values(self) -> dict[str, Value]:
        return {"name": self.key, "pokes": self.pokes}

    def methods(self) -> tuple[str, ...]:
        return ("poke", "refuse")

    def invoke(self, method: str, arguments: dict[str, Value]) -> dict[str, Value]:
        if method == "refuse":
            raise BrokerError(Condition.PRECONDITION_FAILED, "not in this mood")
        self.pokes += 1
        return {"by": arguments.get("by")}


@pytest.fixture
def agent() -> Agent:
    made = Agent(INSTANCE, 10, 12345)
    made.register(Thing("a"))
    made.register(Thing("b"))
    return made


def request(
    opcode: str,
    body: dict[str, Value],
    *,
    reply: bool = True,
    key: str = "broker",
    correlation: bytes | None = b"7",
) -> Message:
    fields: dict[str, Value] = {"application_headers": {"qmf.opcode": opcode}}
    if reply:
        fields["reply_to"] = make("message.reply-to", exchange="amq.direct", routing_key="me")
    if correlation is not None:
        fields["correlation_id"] = correlation
    header = encode_header(
        [
            make("message.delivery-properties", routing_key=key),
            make("message.message-properties", **fields),
        ]
    )
    return Message(header, encode_map(body), "qmf.default.direct", key)


def by_class(name: str, package: str = "") -> dict[str, Value]:
    schema: dict[str, Value] = {"_class_name": name}
    if package:
        schema["_package_name"] = package
    return {"_what": "OBJECT", "_schema_id": schema}


def opcode_of(reply: Reply) -> Value:
    return application_headers(reply.header)["qmf.opcode"]


def error_of(reply: Reply) -> dict[str, Value]:
    assert opcode_of(reply) == "_exception"
    values = decode_map(reply.body)["_values"]
    assert isinstance(values, dict)
    return values


def test_a_query_by_class_finds_every_object_of_it(agent: Agent) -> None:
    (reply,) = agent.answer(request("_query_request", by_class("thing")))
    assert (reply.exchange, reply.routing_key) == ("amq.direct", "me")
    headers = application_headers(reply.header)
    assert headers["qmf.opcode"] == "_query_response"
    assert headers["qmf.content"] == "_data"
    assert headers["qmf.agent"] == "broker"
    assert "partial" not in headers
    properties = message_properties(reply.header)
    assert properties is not None
    assert properties.octets("correlation_id") == b"7"
    assert properties.text("content_type") == "amqp/list"
    assert properties.number("content_length") == len(reply.body)
    first, second = decode_list(reply.body)
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert first["_values"] == {"name": "a", "pokes": 0}
    assert first["_object_id"] == {"_object_name": "org.example:thing:a", "_agent_epoch": 1}
    assert first["_schema_id"] == THING.schema_id()
    assert (first["_create_ts"], first["_update_ts"], first["_delete_ts"]) == (1000, 1000, 0)


@pytest.mark.parametrize(
    ("body", "count"),
    [
        (by_class("thing", "org.example"), 2),
        (by_class("thing", "org.other"), 0),
        (by_class("nothing"), 0),
        ({"_what": "OBJECT", "_object_id": {"_object_name": "org.example:thing:b"}}, 1),
        ({"_what": "OBJECT", "_object_id": {"_object_name": "org.example:thing:c"}}, 0),
        ({"_what": "SCHEMA"}, 0),
        ({"_what": "OBJECT"}, 0),
    ],
)
def test_what_a_query_matches(agent: Agent, body: dict[str, Value], count: int) -> None:
    (reply,) = agent.answer(request("_query_request", body))
    assert len(decode_list(reply.body)) == count


def test_a_long_answer_comes_in_parts_and_only_the_last_is_not_partial(agent: Agent) -> None:
    for number in range(OBJECTS_PER_MESSAGE * 2):
        agent.register(Thing(str(number)))
    replies = agent.answer(request("_query_request", by_class("thing")))
    partial = ["partial" in application_headers(reply.header) for reply in replies]
    assert partial == [True, True, False]
    assert sum(len(decode_list(reply.body)) for reply in replies) == OBJECTS_PER_MESSAGE * 2 + 2


def test_a_method_is_carried_out_and_answered(agent: Agent) -> None:
    body: dict[str, Value] = {
        "_object_id": {"_object_name": "org.example:thing:a"},
        "_method_name": "poke",
        "_arguments": {"by": "me"},
    }
    (reply,) = agent.answer(request("_method_request", body))
    assert opcode_of(reply) == "_method_response"
    assert decode_map(reply.body) == {"_arguments": {"by": "me"}}


@pytest.mark.parametrize(
    ("name", "method", "code", "text"),
    [
        ("org.example:thing:a", "refuse", 7, "not in this mood"),
        ("org.example:thing:a", "jump", 2, "it has: poke, refuse"),
        ("org.example:thing:z", "poke", 1, "No object found"),
    ],
)
def test_what_cannot_be_done_is_an_exception_that_says_why(
    agent: Agent, name: str, method: str, code: int, text: str
) -> None:
    body: dict[str, Value] = {"_object_id": {"_object_name": name}, "_method_name": method}
    (reply,) = agent.answer(request("_method_request", body))
    values = error_of(reply)
    assert values["error_code"] == code
    assert text in str(values["error_text"])


def test_a_request_without_object_id_finds_no_object(agent: Agent) -> None:
    (reply,) = agent.answer(request("_method_request", {"_method_name": "poke"}))
    assert error_of(reply)["error_code"] == 1


def test_the_agent_can_be_located(agent: Agent) -> None:
    (reply,) = agent.answer(
        request("_agent_locate_request", {}, key="console.request.agent_locate")
    )
    values = decode_map(reply.body)["_values"]
    assert isinstance(values, dict)
    assert values["_name"] == f"apache.org:qpidd:{INSTANCE}"
    assert application_headers(reply.header)["qmf.agent"] == agent.name


def test_what_is_no_request_is_ignored(agent: Agent) -> None:
    assert agent.answer(request("_query_request", by_class("thing"), reply=False)) == []
    assert agent.answer(request("_unheard_of", {})) == []
    assert agent.answer(request("", {})) == []
    assert agent.answer(Message(b"", b"", "x", "broker")) == []
    long = request("_query_request", {"x": "y" * 60000, "z": "y" * 6000})
    assert agent.answer(long) == []
    broken = request("_query_request", {})
    assert agent.answer(Message(broken.header, b"\xff\xff", "x", "broker")) == []


def test_a_request_without_correlation_id_is_answered_without(agent: Agent) -> None:
    (reply,) = agent.answer(request("_query_request", {}, correlation=None, key=agent.name))
    properties = message_properties(reply.header)
    assert properties is not None
    assert not properties.has("correlation_id")
    assert application_headers(reply.header)["qmf.agent"] == agent.name


def test_an_event_goes_to_the_topic_exchange_under_its_key(agent: Agent) -> None:
    reply = agent.event(MEMBERS_UPDATE, {"members": []}, SEVERITY_INFORM)
    assert reply.exchange == "qmf.default.topic"
    assert reply.routing_key == (
        f"agent.ind.event.org_apache_qpid_ha.membersUpdate.info.apache_org.qpidd.{INSTANCE}"
    )
    (element,) = decode_list(reply.body)
    assert isinstance(element, dict)
    assert element["_values"] == {"members": []}
    assert element["_severity"] == 6
    assert element["_timestamp"] == 12345
    assert element["_schema_id"] == MEMBERS_UPDATE.schema_id()


def test_base_class_has_no_methods() -> None:
    bare = ManagedObject(HA_BROKER, "x", 0)
    assert bare.methods() == ()
    with pytest.raises(NotImplementedError):
        bare.values()
    with pytest.raises(NotImplementedError):
        bare.invoke("x", {})
