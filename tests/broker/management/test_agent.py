"""The QMF2 agent: queries, methods, errors, events."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest

from tanist.core.message import Message
from tanist.core.notices import Actor
from tanist.management.agent import Agent
from tanist.management.answers import OBJECTS_PER_MESSAGE
from tanist.management.codec import Reply
from tanist.management.managed import InvalidParameter, ManagedObject, ObjectSource, WallClock, Work
from tanist.management.schema import MEMBERS_UPDATE, SEVERITY_INFORM, ClassSchema
from tanist.types import BrokerError, Condition
from tanist.wire.amqp010.codec import decode_list, decode_map, encode_header, encode_map, make
from tanist.wire.amqp010.transfer import application_headers, message_properties
from tanist.wire.amqp010.values import Value

INSTANCE = UUID(int=5)
THING = ClassSchema("org.example", "thing", UUID(int=9))
PART = ClassSchema("org.example", "part", UUID(int=10))
ME = Actor("me@QPID", "1.2.3.4:5")


class Countdown(Work):
    """Needs some pieces."""

    def __init__(self, pieces: int) -> None:
        self.pieces = pieces

    def go_on(self) -> dict[str, Value] | None:
        self.pieces -= 1
        if self.pieces < 0:
            raise BrokerError(Condition.INTERNAL_ERROR, "below zero")
        return None if self.pieces else {"done": True}


class Thing(ManagedObject):
    """Counts how often it was poked."""

    def __init__(self, key: str) -> None:
        super().__init__(THING, key, 1000)
        self.pokes = 0
        self.callers: list[str] = []

    def values(self) -> dict[str, Value]:
        return {"name": self.key, "pokes": self.pokes}

    def methods(self) -> tuple[str, ...]:
        return ("poke", "refuse", "refuseArguments", "cannot", "work", "look")

    def changes(self, method: str) -> bool:
        return method not in ("poke", "look")

    def call(
        self, method: str, arguments: dict[str, Value], actor: Actor
    ) -> dict[str, Value] | Work:
        self.callers.append(actor.user)
        if method == "refuse":
            raise BrokerError(Condition.PRECONDITION_FAILED, "not in this mood")
        if method == "refuseArguments":
            raise InvalidParameter("by whom?")
        if method == "cannot":
            raise BrokerError(Condition.NOT_IMPLEMENTED, "not in this version")
        if method in ("work", "look"):
            pieces = arguments.get("pieces")
            assert isinstance(pieces, int)
            return Countdown(pieces)
        self.pokes += 1
        return {"by": arguments.get("by")}


class Parts(ObjectSource):
    """Made when asked; ``unwritable`` ones have a value that AMQP cannot say."""

    def __init__(self, *keys: str, unwritable: str = "") -> None:
        super().__init__(PART)
        self.keys = list(keys)
        self.unwritable = unwritable
        self.made = 0

    def objects(self) -> Iterator[ManagedObject]:
        for key in list(self.keys):
            self.made += 1
            yield Part(key, 1 << 70 if key == self.unwritable else 0)


class Part(ManagedObject):
    def __init__(self, key: str, weight: int) -> None:
        super().__init__(PART, key, 0)
        self.weight = weight

    def values(self) -> dict[str, Value]:
        return {"name": self.key, "weight": self.weight}


@pytest.fixture
def agent() -> Agent:
    clock = WallClock()
    clock.start(0.0, 12345e-9)
    made = Agent(INSTANCE, 10, clock)
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


def replies(agent: Agent, message: Message, *, overloaded: bool = False) -> list[Reply]:
    """All that the agent says to a request."""
    answer = agent.answer(message, ME, overloaded)
    said: list[Reply] = []
    while answer is not None and not answer.over:
        reply = answer.take()
        if reply is not None:
            said.append(reply)
    return said


def by_class(name: str, package: str = "") -> dict[str, Value]:
    schema: dict[str, Value] = {"_class_name": name}
    if package:
        schema["_package_name"] = package
    return {"_what": "OBJECT", "_schema_id": schema}


def by_name(name: str) -> dict[str, Value]:
    return {"_what": "OBJECT", "_object_id": {"_object_name": name}}


def call(method: str, name: str = "org.example:thing:a", **arguments: Value) -> Message:
    return request(
        "_method_request",
        {
            "_object_id": {"_object_name": name},
            "_method_name": method,
            "_arguments": dict(arguments),
        },
    )


def opcode_of(reply: Reply) -> Value:
    return application_headers(reply.header)["qmf.opcode"]


def error_of(reply: Reply) -> dict[str, Value]:
    assert opcode_of(reply) == "_exception"
    values = decode_map(reply.body)["_values"]
    assert isinstance(values, dict)
    return values


def names(said: list[Reply]) -> list[Value]:
    """The names of all objects in an answer."""
    found = []
    for reply in said:
        for element in decode_list(reply.body):
            assert isinstance(element, dict)
            values = element["_values"]
            assert isinstance(values, dict)
            found.append(values["name"])
    return found


# Queries.


def test_a_query_by_class_finds_every_object_of_it(agent: Agent) -> None:
    (reply,) = replies(agent, request("_query_request", by_class("thing")))
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
    assert (first["_create_ts"], first["_update_ts"], first["_delete_ts"]) == (1000, 12345, 0)


@pytest.mark.parametrize(
    ("body", "count"),
    [
        (by_class("thing", "org.example"), 2),
        (by_class("thing", "org.other"), 0),
        (by_class("part"), 3),
        (by_class("part", "org.example"), 3),
        (by_class("part", "org.other"), 0),
        (by_class("nothing"), 0),
        (by_name("org.example:thing:b"), 1),
        (by_name("org.example:thing:c"), 0),
        (by_name("org.example:part:y"), 1),
        (by_name("org.example:part:z:z"), 1),
        (by_name("org.example:part:w"), 0),
        (by_name("org.example:other:x"), 0),
        (by_name("x"), 0),
        (by_name(""), 0),
        ({"_what": "SCHEMA"}, 0),
        ({"_what": "OBJECT"}, 0),
    ],
)
def test_what_a_query_matches(agent: Agent, body: dict[str, Value], count: int) -> None:
    agent.add_source(Parts("x", "y", "z:z"))
    (reply,) = replies(agent, request("_query_request", body))
    assert len(decode_list(reply.body)) == count


def test_an_object_with_a_name_of_its_own_is_found_by_both(agent: Agent) -> None:
    class Nameless(Thing):
        @property
        def name(self) -> str:
            return self.key

    agent.register(Nameless("short"))
    for name in ("short", "org.example:thing:short"):
        assert names(replies(agent, request("_query_request", by_name(name)))) == ["short"]
    (reply,) = replies(agent, request("_query_request", by_class("thing")))
    assert len(decode_list(reply.body)) == 3


def test_a_long_answer_comes_in_parts_and_only_the_last_is_not_partial(agent: Agent) -> None:
    for number in range(OBJECTS_PER_MESSAGE * 2):
        agent.register(Thing(str(number)))
    said = replies(agent, request("_query_request", by_class("thing")))
    partial = ["partial" in application_headers(reply.header) for reply in said]
    assert partial == [True, True, False]
    assert len(names(said)) == OBJECTS_PER_MESSAGE * 2 + 2


def test_a_full_message_is_the_last_one_if_nothing_follows(agent: Agent) -> None:
    agent.add_source(Parts(*[str(number) for number in range(OBJECTS_PER_MESSAGE)]))
    said = replies(agent, request("_query_request", by_class("part")))
    assert ["partial" in application_headers(reply.header) for reply in said] == [False]


def test_objects_are_made_when_their_message_is(agent: Agent) -> None:
    parts = Parts(*[str(number) for number in range(OBJECTS_PER_MESSAGE * 10)])
    agent.add_source(parts)
    answer = agent.answer(request("_query_request", by_class("part")), ME)
    assert answer is not None
    assert parts.made == 1
    answer.take()
    assert parts.made == OBJECTS_PER_MESSAGE + 1


def test_long_objects_make_short_messages(agent: Agent) -> None:
    agent.add_source(Parts(*["x" * 60_000 + str(number) for number in range(40)]))
    said = replies(agent, request("_query_request", by_class("part")))
    assert len(names(said)) == 40
    assert [len(reply.body) < 2 * 1024 * 1024 for reply in said] == [True] * len(said)
    assert len(said) > 2


def test_an_object_that_cannot_be_written_hides_no_other(agent: Agent) -> None:
    agent.add_source(Parts("x", "y", "z", unwritable="y"))
    assert names(replies(agent, request("_query_request", by_class("part")))) == ["x", "z"]


# Methods.


def test_a_method_is_carried_out_and_answered(agent: Agent) -> None:
    answer = agent.answer(call("poke", by="me"), ME)
    assert answer is not None
    assert not answer.after_records
    reply = answer.take()
    assert reply is not None
    assert answer.over
    assert opcode_of(reply) == "_method_response"
    assert decode_map(reply.body) == {"_arguments": {"by": "me"}}


def test_a_method_knows_who_calls(agent: Agent) -> None:
    thing = Thing("c")
    agent.register(thing)
    replies(agent, call("poke", thing.name))
    assert thing.callers == ["me@QPID"]


@pytest.mark.parametrize("method", ["refuse", "work"])
def test_what_may_have_changed_something_says_so(agent: Agent, method: str) -> None:
    answer = agent.answer(call(method, pieces=1), ME)
    assert answer is not None
    assert answer.after_records


def test_work_is_done_piece_by_piece(agent: Agent) -> None:
    answer = agent.answer(call("work", pieces=3), ME)
    assert answer is not None
    assert [answer.take(), answer.take()] == [None, None]
    reply = answer.take()
    assert reply is not None
    assert answer.over
    assert decode_map(reply.body) == {"_arguments": {"done": True}}


@pytest.mark.parametrize(
    ("name", "method", "code", "text"),
    [
        ("org.example:thing:a", "refuse", 7, "not in this mood"),
        ("org.example:thing:a", "refuseArguments", 4, "by whom?"),
        ("org.example:thing:a", "cannot", 5, "not in this version"),
        ("org.example:thing:a", "jump", 2, "it has: poke, refuse"),
        ("org.example:thing:a", "work", 7, "below zero"),
        ("org.example:thing:z", "poke", 1, "No object found"),
        ("org.example:part:x", "poke", 2, "has no method"),
    ],
)
def test_what_cannot_be_done_is_an_exception_that_says_why(
    agent: Agent, name: str, method: str, code: int, text: str
) -> None:
    agent.add_source(Parts("x"))
    (reply,) = replies(agent, call(method, name, pieces=0))
    values = error_of(reply)
    assert values["error_code"] == code
    assert text in str(values["error_text"])


def test_a_request_without_object_id_finds_no_object(agent: Agent) -> None:
    (reply,) = replies(agent, request("_method_request", {"_method_name": "poke"}))
    assert error_of(reply)["error_code"] == 1


def test_arguments_that_are_no_map_are_none(agent: Agent) -> None:
    body: dict[str, Value] = {
        "_object_id": {"_object_name": "org.example:thing:a"},
        "_method_name": "poke",
        "_arguments": "x",
    }
    (reply,) = replies(agent, request("_method_request", body))
    assert decode_map(reply.body) == {"_arguments": {"by": None}}


@pytest.mark.parametrize(
    "message",
    [
        request("_query_request", by_class("thing")),
        call("work", pieces=1),
        call("look", pieces=1),
    ],
)
def test_an_overloaded_agent_refuses_what_takes_long(agent: Agent, message: Message) -> None:
    (reply,) = replies(agent, message, overloaded=True)
    assert "ask again later" in str(error_of(reply)["error_text"])
    (reply,) = replies(agent, call("poke"), overloaded=True)
    assert opcode_of(reply) == "_method_response"


# Other messages.


def test_the_agent_can_be_located(agent: Agent) -> None:
    (reply,) = replies(
        agent, request("_agent_locate_request", {}, key="console.request.agent_locate")
    )
    values = decode_map(reply.body)["_values"]
    assert isinstance(values, dict)
    assert values["_name"] == f"apache.org:qpidd:{INSTANCE}"
    assert values["_timestamp"] == 12345
    assert application_headers(reply.header)["qmf.agent"] == agent.name


def test_what_is_no_request_is_ignored(agent: Agent) -> None:
    assert replies(agent, request("_query_request", by_class("thing"), reply=False)) == []
    assert replies(agent, request("_unheard_of", {})) == []
    assert replies(agent, request("", {})) == []
    assert replies(agent, Message(b"", b"", "x", "broker")) == []
    long = request("_query_request", {"x": "y" * 60000, "z": "y" * 6000})
    assert replies(agent, long) == []
    broken = request("_query_request", {})
    assert replies(agent, Message(broken.header, b"\xff\xff", "x", "broker")) == []


def test_a_request_without_correlation_id_is_answered_without(agent: Agent) -> None:
    (reply,) = replies(agent, request("_query_request", {}, correlation=None, key=agent.name))
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
