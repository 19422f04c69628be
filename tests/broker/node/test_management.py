"""Management of whole nodes: what is answered, and above all when."""

from __future__ import annotations

import pytest

from tanist.core.message import AMQP_1_0, Message
from tanist.core.notices import Actor
from tanist.management.arguments import PROPERTIES_DEPTH_MAX
from tanist.management.managed import ManagedObject, Work
from tanist.management.schema import HA_BROKER
from tanist.node import management
from tanist.node.inputs import HeapMeasured
from tanist.node.outputs import Send
from tanist.wire.amqp010.codec import decode_list, decode_map, make
from tanist.wire.amqp010.transfer import application_headers
from tanist.wire.amqp010.values import Value
from tanist.wire.amqp10.composites import Properties
from tanist.wire.amqp10.encoding import encode_composite
from tanist.wire.amqp10.sections import (
    APPLICATION_PROPERTIES,
    encode_body_value,
    encode_map_section,
)
from tanist.wire.amqp10.values import Value as Value10
from tests.broker.node.console import Console
from tests.broker.node.network import Admin, Guest, Host, Network, cluster, promote, running

TOO_LARGE = 1 << 70
"""A number that AMQP cannot say."""


class Odd(ManagedObject):
    """Answers what cannot be answered."""

    def __init__(self) -> None:
        super().__init__(HA_BROKER, "odd", 0)

    def methods(self) -> tuple[str, ...]:
        return ("at once", "later")

    def call(
        self, method: str, arguments: dict[str, Value], actor: Actor
    ) -> dict[str, Value] | Work:
        return OddWork() if method == "later" else {"out": TOO_LARGE}


class OddWork(Work):
    """Comes to nothing good in its second piece."""

    def __init__(self) -> None:
        self.pieces = 2

    def go_on(self) -> dict[str, Value] | None:
        self.pieces -= 1
        return None if self.pieces else {"out": TOO_LARGE}


def alone(**config: object) -> Host:
    """A broker without a cluster."""
    return Host(Network(), "a", 1, ha_cluster=False, **config)


# -- when a change is answered -------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("create", {"type": "queue", "name": "new", "properties": {}}),
        ("create", {"type": "exchange", "name": "new", "properties": {}}),
        ("create", {"type": "binding", "name": "amq.topic/q/k"}),
        ("delete", {"type": "queue", "name": "q"}),
        ("delete", {"type": "exchange", "name": "x"}),
        ("queueMoveMessages", {"srcQueue": "q", "destQueue": "r", "qty": 0}),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value.get("type", "")),
)
def test_a_change_is_answered_when_the_backups_have_it(method: str, arguments) -> None:
    network, (a, b, c) = running("a", "b", "c")
    console = Console(a)
    for kind, name in (("queue", "q"), ("queue", "r"), ("exchange", "x")):
        assert console.create(kind, name) == ""
    Guest(a).session().publish("q", b"one")
    b.freeze()
    asked = console.start_broker(method, **arguments)
    network.advance(0.9)
    assert console.answer(asked) is None, "one backup has it, the other has not"
    b.thaw()
    network.advance(0.1)
    assert console.error_of(asked) == ""
    for host in (b, c):
        assert {q.name for q in host.node.broker.queues_by_number.values()} == {
            q.name for q in a.node.broker.queues_by_number.values()
        }


@pytest.mark.parametrize("method", ["purge", "reroute"])
def test_so_is_a_change_of_messages(method: str) -> None:
    network, (a, b) = running("a", "b")
    console = Console(a)
    assert console.create("queue", "q") == ""
    assert console.create("queue", "r") == ""
    assert console.create("binding", "amq.fanout/r") == ""
    Guest(a).session().publish("q", b"one")
    b.freeze()
    asked = console.start(
        "org.apache.qpid.broker:queue:q", method, request=0, exchange="amq.fanout"
    )
    network.advance(0.9)
    assert a.bodies("q") == [], "it is done"
    assert console.answer(asked) is None, "but not yet told"
    b.thaw()
    network.advance(0.1)
    assert console.error_of(asked) == ""
    assert (b.bodies("q"), b.bodies("r")) == (a.bodies("q"), a.bodies("r"))


def test_that_it_exists_already_is_told_when_that_is_safe() -> None:
    network, (a, b) = running("a", "b")
    console, other = Console(a), Console(a)
    b.freeze()
    first = console.start_broker("create", type="queue", name="q")
    second = other.start_broker("create", type="queue", name="q")
    network.advance(0.5)
    assert (console.answer(first), other.answer(second)) == (None, None)
    b.thaw()
    network.advance(0.1)
    assert (console.error_of(first), other.error_of(second)) == ("", "Queue q already exists")


def test_questions_wait_for_nobody() -> None:
    network, (a, b) = running("a", "b")
    console = Console(a)
    b.freeze()
    asked = console.start_broker("create", type="queue", name="q")
    echo = console.start_broker("echo", sequence=1, body="x")
    assert console.answer(asked) is None
    assert console.error_of(echo) == ""
    assert "q" in [values["name"] for values in console.objects("queue")]
    b.thaw()
    network.advance(0.1)
    assert console.error_of(asked) == ""


def test_tools_can_look_while_a_backup_hangs() -> None:
    network, (a, b) = running("a", "b")
    b.freeze()
    Guest(a).session().do("queue.declare", queue="q")
    network.advance(0.2)
    console = Console(a)
    assert "q" in [values["name"] for values in console.objects("queue")]
    found = console.ha_broker()
    assert found is not None
    assert found["status"] == "active"
    assert not b.node.broker.queues, "the backup does hang"


def test_a_backup_that_is_given_up_holds_back_no_longer() -> None:
    network, (a, b) = running("a", "b")
    console = Console(a)
    b.freeze()
    asked = console.start_broker("create", type="queue", name="q")
    network.advance(1.5)
    assert console.answer(asked) is None
    network.advance(5.0)
    assert console.error_of(asked) == ""


def test_what_a_deposed_primary_held_back_is_never_told() -> None:
    network, (a, b, c) = running("a", "b", "c")
    console = Console(a)
    a.freeze()
    asked = console.start_broker("create", type="queue", name="q")
    network.advance(3.0)
    assert promote(b) == ""
    network.advance(3.0)
    assert c.status == "ready"
    a.thaw()
    network.advance(10.0)
    assert a.stop_reasons
    assert "q" in a.node.broker.queues, "it was done here, and only here"
    assert console.answer(asked) is None


def test_without_backups_a_change_is_answered_at_once() -> None:
    for host in (alone(), running("a")[1][0]):
        console = Console(host)
        assert console.create("queue", "q") == ""
        assert console.error_of(console.start_broker("delete", type="queue", name="q")) == ""


def test_promoting_waits_for_no_backup() -> None:
    network, (a, b, c) = running("a", "b", "c")
    a.kill()
    c.freeze()
    network.advance(0.5)
    assert promote(b) == ""
    assert b.status == "recovering"
    console = Console(b)
    asked = console.start_broker("create", type="queue", name="q")
    network.advance(1.0)
    assert console.answer(asked) is None, "the expected backup has not come"
    c.thaw()
    network.advance(5.0)
    assert console.error_of(asked) == ""


def test_a_flood_of_changes_is_refused() -> None:
    network, (a, b) = running("a", "b")
    console = Console(a)
    b.freeze()
    asked = [console.start_broker("create", type="queue", name=f"q{number}") for number in range(3)]
    a.node._management.held.waiting = management.WAITING_MAX
    refused = console.start_broker("create", type="queue", name="late")
    assert "ask again later" in str(console.error_of(refused))
    assert "late" not in a.node.broker.queues
    b.thaw()
    network.advance(0.1)
    assert [console.error_of(each) for each in asked] == [""] * 3


# -- who may change what -------------------------------------------------------------------


def test_a_backup_changes_nothing_that_is_replicated() -> None:
    network, (a, b) = running("a", "b")
    console = Console(a)
    assert console.create("queue", "q") == ""
    network.advance(0.1)
    backup = Console(b)
    before = set(b.node.broker.queues_by_number)
    for said in (
        backup.create("queue", "new"),
        backup.create("exchange", "new"),
        backup.create("binding", "amq.topic/q/k"),
        backup.ask_broker("delete", type="queue", name="q"),
        backup.ask_queue("q", "purge", request=0),
        backup.ask_queue("q", "reroute", request=0, exchange="amq.topic"),
    ):
        assert "only the primary may" in said
    assert set(b.node.broker.queues_by_number) == before
    assert backup.create("queue", "own", **{"qpid.replicate": "none"}) == ""
    assert [values["name"] for values in backup.objects("queue") if values["name"] == "q"] == ["q"]


# -- what is shown -------------------------------------------------------------------------


def test_every_class_has_its_objects() -> None:
    host = alone(
        os_name="Linux", machine="x86_64", port=5672, data_dir="/data", log_rules="notice+"
    )
    session = Guest(host).session()
    session.do("queue.declare", queue="q")
    session.subscribe("q")
    console = Console(host)
    counts = {
        name: len(console.objects(name))
        for name in (
            "broker",
            "system",
            "vhost",
            "memory",
            "queue",
            "exchange",
            "connection",
            "session",
            "subscription",
            "cluster",
        )
    }
    assert counts == {
        "broker": 1,
        "system": 1,
        "vhost": 1,
        "memory": 1,
        "queue": 2,
        "exchange": len(host.node.broker.exchanges),
        "connection": 2,
        "session": 2,
        "subscription": 2,
        "cluster": 0,
    }
    (broker,) = console.objects("broker")
    assert (broker["port"], broker["dataDir"], broker["queueCount"]) == (5672, "/data", 2)
    (system,) = console.objects("system")
    assert (system["osName"], system["machine"]) == ("Linux", "x86_64")
    reference = broker["systemRef"]
    assert isinstance(reference, dict)
    assert console.named(str(reference["_object_name"])) is not None
    assert console.named("org.apache.qpid.broker:queue:q") is not None
    assert console.named("org.apache.qpid.broker:queue:r") is None


def test_times_are_those_of_the_wall() -> None:
    host = alone()
    host.network.advance(5.0)
    Guest(host).session().do("queue.declare", queue="q")
    host.network.advance(2.0)
    console = Console(host)
    element = console.named("org.apache.qpid.broker:queue:q")
    assert element is not None
    started = 1_700_001_000 * 10**9
    assert element["_create_ts"] == pytest.approx(started + 5 * 10**9, abs=10**6)
    assert element["_update_ts"] == pytest.approx(started + 7 * 10**9, abs=10**6)
    (broker,) = console.elements({"_schema_id": {"_class_name": "broker"}})
    assert broker["_create_ts"] == started


def test_the_heap_is_what_the_edge_measured() -> None:
    host = alone()
    host.take(lambda: HeapMeasured(host.network.now, [10, 2, 3, 4, 5, 6, 7]))
    (memory,) = Console(host).objects("memory")
    assert (memory["malloc_arena"], memory["malloc_keepcost"]) == (10, 7)


def test_get_log_level() -> None:
    console = Console(alone(log_rules="notice+,debug+:ha"))
    body = console.answer(console.start_broker("getLogLevel"))
    assert body is not None
    assert decode_map(body) == {"_arguments": {"level": "notice+,debug+:ha"}}


def test_who_asked_is_in_the_events() -> None:
    host = alone()
    listener = Guest(host).session()
    listener.do("queue.declare", queue="events", exclusive=True, auto_delete=True)
    listener.do(
        "exchange.bind",
        queue="events",
        exchange="qmf.default.topic",
        binding_key="agent.ind.event.*.queueDeclare.#",
    )
    listener.subscribe("events")
    console = Console(host)
    console.create("queue", "q")
    told = [decode_list(message.body)[0] for message in listener.messages if message.body]
    values = [element["_values"] for element in told if isinstance(element, dict)]
    mine = [v for v in values if isinstance(v, dict) and v["qName"] == "q"]
    assert [(v["user"], v["rhost"]) for v in mine] == [("anonymous@QPID", "client:2")]


def test_the_most_nested_arguments_can_be_shown_again() -> None:
    network, (a, b) = running("a", "b")
    console = Console(a)
    value: Value = 1
    for _ in range(PROPERTIES_DEPTH_MAX - 1):
        value = {"x": value}
    assert console.create("queue", "q", deep=value) == ""
    assert "nested more than" in console.create("queue", "r", deep={"x": value})
    network.advance(0.1)
    shown = [values for values in Console(b).objects("queue") if values["name"] == "q"]
    arguments = shown[0]["arguments"]
    assert isinstance(arguments, dict)
    assert arguments["deep"] == value


# -- many requests -------------------------------------------------------------------------


def test_a_flood_of_requests_is_answered_over_many_steps() -> None:
    host = alone()
    console = Console(host)
    host.outputs.clear()
    console.pump, pump = lambda: None, console.pump  # type: ignore[method-assign]
    asked = [console.start_broker("echo", sequence=number) for number in range(100)]
    pump()
    assert [console.error_of(each) for each in asked] == [""] * 100
    sends = [o for o in host.outputs if isinstance(o, Send) and o.conn == console.wire.accepted]
    assert len(sends) >= 100 // management.REQUESTS_PER_STEP


# -- requests that are none ----------------------------------------------------------------


def test_no_habroker_without_ha() -> None:
    assert Admin(alone()).ha_broker() is None


def test_without_management_nobody_answers() -> None:
    host = alone(mgmt_enable=False)
    admin = Admin(host)
    asked = admin.request("_agent_locate_request", {})
    assert admin.answer(asked) is None
    assert host.node.broker.agent_inbox == []


def test_unknown_methods_are_answered_with_an_error() -> None:
    _, (host,) = running("a")
    assert "no method" in Admin(host).call("dance")
    assert "Queue not found: q" in Admin(host).call("replicate", broker="b", queue="q")


def test_an_answer_that_cannot_be_delivered_is_dropped_and_noted() -> None:
    host = alone()
    admin = Admin(host)
    session = admin.session()
    session.do("queue.declare", queue="full", arguments={"qpid.max_count": 1})
    session.do("exchange.bind", queue="full", exchange="amq.direct", binding_key="full")
    for _ in range(2):
        admin.request("_agent_locate_request", {}, answer_to="full")
    assert host.node.broker.queues["full"].count == 1
    noted = [text for level, category, text in host.lines if category == "Management"]
    assert [text.partition(":")[0] for text in noted] == ["no answer to 'amq.direct'"]


@pytest.mark.parametrize("method", ["at once", "later"])
def test_what_cannot_be_put_into_a_message_is_noted_and_breaks_nothing(method: str) -> None:
    host = alone()
    host.node.agent.register(Odd())
    console = Console(host)
    asked = console.start(Odd().name, method)
    host.network.advance(0.5)
    assert console.answer(asked) is None
    assert not host.node._management.unfinished
    noted = [text for _, category, text in host.lines if category == "Management"]
    assert [text.startswith("request not answered") for text in noted] == [True]
    assert console.error_of(console.start_broker("echo")) == ""


def test_an_event_that_cannot_be_put_into_a_message_is_noted() -> None:
    host = alone()
    listener = Guest(host).session()
    listener.do("queue.declare", queue="events")
    listener.do("exchange.bind", queue="events", exchange="qmf.default.topic", binding_key="#")
    host.node.broker.declare_queue("q", Actor("", ""), arguments={"n": TOO_LARGE})
    host.network.advance(0.5)
    noted = [text for _, category, text in host.lines if category == "Management"]
    assert [text.startswith("event not published: ") for text in noted] == [True]


def test_an_answer_that_asks_the_agent_does_not_spin() -> None:
    host = alone()
    admin = Admin(host)
    admin.request("_agent_locate_request", {}, answer_to="broker", exchange="qmf.default.direct")
    assert host.node.broker.agent_inbox == []


def test_what_is_no_request_is_ignored_also_while_joining() -> None:
    network = Network()
    network.black_holes = {"b"}
    joining = Host(network, "a", 1, ha_brokers_url="a,b")
    network.run()
    for host in (joining, alone()):
        session = Admin(host).session()
        for header in ({}, {"qmf.opcode": "_method_request"}):
            session.publish(
                "broker",
                b"\0\0",
                exchange="qmf.default.direct",
                properties={
                    "application_headers": header,
                    "reply_to": make("message.reply-to", exchange="", routing_key="x"),
                },
            )
        assert host.node.broker.agent_inbox == []
        assert session.exception is None


def test_changes_are_told_to_whoever_bound_a_queue_to_the_events() -> None:
    _, (host,) = running("a")
    listener = Guest(host).session()
    listener.do("queue.declare", queue="events", exclusive=True, auto_delete=True)
    listener.do(
        "exchange.bind",
        queue="events",
        exchange="qmf.default.topic",
        binding_key="agent.ind.event.org_apache_qpid_broker.#",
    )
    listener.subscribe("events")
    Guest(host).session().do("queue.declare", queue="q")
    told = {
        application_headers(message.header)["qmf.content"]: decode_list(message.body)
        for message in listener.messages
    }
    (element,) = told["_event"]
    assert isinstance(element, dict)
    values = element["_values"]
    assert isinstance(values, dict)
    assert (values["qName"], values["disp"]) == ("q", "created")


def test_nobody_is_told_when_management_is_off() -> None:
    _, (host,) = cluster("a", ha_cluster=False, mgmt_enable=False)
    listener = Guest(host).session()
    listener.do("queue.declare", queue="events")
    listener.do("exchange.bind", queue="events", exchange="qmf.default.topic", binding_key="#")
    listener.do("queue.declare", queue="q")
    assert host.bodies("events") == []


@pytest.mark.parametrize(("length", "answered"), [(10, True), (140_000, False)])
def test_a_long_request_of_amqp_1_0_is_not_even_translated(length: int, answered: bool) -> None:
    host = alone()
    session = Guest(host).session()
    session.do("queue.declare", queue="answers")
    session.subscribe("answers")
    names: dict[str, Value10] = {"qmf.opcode": "_query_request", "padding": "x" * length}
    request = (
        encode_composite(Properties(subject="broker", reply_to="answers"))
        + encode_map_section(APPLICATION_PROPERTIES, names)
        + encode_body_value({"_what": "OBJECT"})
    )
    message = Message(b"", request, "qmf.default.direct", "broker", form=AMQP_1_0)
    host.node.broker.publish(message, "qmf.default.direct")
    host.network.advance(1.0)
    assert (len(session.messages) > 0) == answered
    assert host.node.broker.agent_inbox == []
