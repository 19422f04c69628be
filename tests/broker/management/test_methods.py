"""create, delete, move: what they do, and how they fail."""

from __future__ import annotations

import pytest

from tanist.core.broker import Broker
from tanist.core.notices import QueueDeclareNotice
from tanist.core.records import Bound, ExchangeDeclared, QueueDeclared
from tanist.core.relocation import PIECE_MESSAGES
from tanist.management.managed import InvalidParameter
from tanist.management.methods import create, delete, move_messages, purge_queue, reroute_queue
from tanist.types import BrokerError, Condition, ReplicationLevel
from tanist.wire.amqp010.values import Value, uint32
from tests.broker.core.core_model import (
    actor,
    bodies,
    consume,
    make_broker,
    publish,
    refused,
    replicate,
)
from tests.broker.management.management_model import ADMIN, finish


def make(broker: Broker, kind: str, name: str, **properties: Value) -> None:
    given = {key.replace("__", ".").replace("_", "-"): v for key, v in properties.items()}
    out = create(broker, {"type": kind, "name": name, "properties": given, "strict": True}, ADMIN)
    assert out == {}


def drop(broker: Broker, kind: str, name: str, **options: Value) -> None:
    arguments: dict[str, Value] = {"type": kind, "name": name}
    if options:
        arguments["options"] = options
    assert delete(broker, arguments, ADMIN) == {}


# create


def test_a_queue_has_its_properties_and_the_rest_as_arguments() -> None:
    broker = make_broker(ha=True)
    broker.declare_exchange("alt", "fanout", actor())
    broker.journal.clear()
    arguments: dict[str, Value] = {
        "type": "queue",
        "name": "q",
        "properties": {
            "durable": uint32(1),
            "auto-delete": "true",
            "alternate-exchange": "alt",
            "qpid.max_count": 5,
            "qpid.replicate": "all",
        },
    }
    create(broker, arguments, ADMIN)
    queue = broker.queues["q"]
    assert (queue.durable, queue.auto_delete, queue.alternate_exchange) == (True, True, "alt")
    assert set(queue.arguments) == {"qpid.max_count", "qpid.replicate", "qpid.ha-uuid"}
    assert (queue.owner, queue.exclusive, queue.creator) == (None, False, "admin@QPID")
    assert [type(record) for record in broker.journal] == [QueueDeclared]
    notice = broker.notices[-1]
    assert isinstance(notice, QueueDeclareNotice)
    assert (notice.user, notice.rhost, notice.created) == ("admin@QPID", "tool:1", True)


def test_defaults() -> None:
    broker = make_broker()
    create(broker, {"type": "queue", "name": "q"}, ADMIN)
    create(broker, {"type": "exchange", "name": "x"}, ADMIN)
    queue, exchange = broker.queues["q"], broker.exchanges["x"]
    assert (queue.durable, queue.auto_delete, queue.arguments) == (False, False, {})
    assert (exchange.type, exchange.durable, exchange.auto_delete) == ("topic", False, False)


@pytest.mark.parametrize("kind", ["exchange", "topic"])
def test_an_exchange(kind: str) -> None:
    broker = make_broker(ha=True)
    broker.declare_exchange("alt", "fanout", actor())
    make(
        broker,
        kind,
        "x",
        exchange_type="direct",
        durable=1,
        auto_delete=True,
        alternate_exchange="alt",
        qpid__msg_sequence=1,
    )
    exchange = broker.exchanges["x"]
    assert (exchange.type, exchange.durable, exchange.auto_delete) == ("direct", True, True)
    assert exchange.alternate_exchange == "alt"
    assert isinstance(broker.journal[-1], ExchangeDeclared)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("amq.topic/q/a.#", "a.#"),
        ("amq.topic/q", ""),
        ("amq.topic/q/", ""),
        ("amq.topic/q/a/b", "a/b"),
    ],
)
def test_a_binding_is_named_by_what_it_binds(name: str, key: str) -> None:
    broker = make_broker(ha=True)
    broker.declare_queue("q", actor())
    make(broker, "binding", name)
    (binding,) = broker.queues["q"].bindings.values()
    assert (binding.exchange.name, binding.key) == ("amq.topic", key)
    assert isinstance(broker.journal[-1], Bound)
    make(broker, "binding", name)
    assert len(broker.queues["q"].bindings) == 1, "to bind again is no error"
    drop(broker, "binding", name)
    assert broker.queues["q"].bindings == {}
    drop(broker, "binding", name)


def test_a_headers_binding_takes_its_arguments() -> None:
    broker = make_broker()
    broker.declare_queue("q", actor())
    make(broker, "binding", "amq.match/q/k", x_match="all", colour="red")
    (binding,) = broker.queues["q"].bindings.values()
    assert binding.arguments == {"x-match": "all", "colour": "red"}


@pytest.mark.parametrize(
    ("kind", "name", "properties", "says"),
    [
        ("queue", "q", {}, "Queue q already exists"),
        ("queue", "", {}, "No queue name"),
        ("queue", "n", {"alternate-exchange": "missing"}, "Alternate exchange not found: missing"),
        ("queue", "n", {"qpid.replicate": "some"}, "Invalid replication value: some"),
        ("queue", "n", {"qpid.max_count": -1}, "Cannot use qpid.max_count=-1"),
        ("queue", "n", {"durable": "perhaps"}, "durable must be true or false"),
        ("exchange", "amq.topic", {}, "Exchange 'amq.topic' already exists"),
        ("exchange", "", {}, "Exchange '' already exists"),
        ("exchange", "qpid.x", {}, "reserved"),
        ("exchange", "n", {"exchange-type": "xml"}, "Exchange type not implemented: xml"),
        ("exchange", "n", {"alternate-exchange": 3}, "alternate-exchange must be text"),
        ("binding", "missing/q/k", {}, "Exchange not found: missing"),
        ("binding", "amq.topic/missing/k", {}, "Queue not found: missing"),
        ("binding", "amq.match/q/k", {}, "x-match must be all or any"),
        ("binding", "q", {}, "Not allowed on the default exchange"),
        ("binding", "amq.topic//k", {}, "Invalid binding identifier 'amq.topic//k'"),
        ("binding", "", {}, "Invalid binding identifier ''"),
        ("link", "l", {"host": "h"}, "Cannot create link l: this version has no objects of type"),
        ("bridge", "b", {}, "Cannot create bridge b"),
        ("moon", "m", {}, "Unknown object type 'moon': use queue, exchange, topic or binding"),
    ],
)
def test_what_cannot_be_created(
    kind: str, name: str, properties: dict[str, Value], says: str
) -> None:
    broker = make_broker(ha=True)
    broker.declare_queue("q", actor())
    before = (set(broker.queues), set(broker.exchanges), len(broker.journal))
    with pytest.raises(BrokerError) as info:
        create(broker, {"type": kind, "name": name, "properties": properties}, ADMIN)
    assert says in info.value.text
    assert (set(broker.queues), set(broker.exchanges), len(broker.journal)) == before


def test_not_implemented_is_told_from_unknown() -> None:
    with refused(Condition.NOT_IMPLEMENTED):
        create(make_broker(), {"type": "link", "name": "l"}, ADMIN)
    with pytest.raises(InvalidParameter):
        create(make_broker(), {"type": "moon", "name": "l"}, ADMIN)


# delete


def test_delete_checks_only_what_it_is_told_to_check() -> None:
    broker = make_broker()
    for name in ("full", "used", "both"):
        broker.declare_queue(name, actor())
    publish(broker, b"1", key="full")
    consume(broker, "used", credit=0)
    with refused(Condition.PRECONDITION_FAILED):
        drop(broker, "queue", "full", if_empty=True, if_unused=True)
    with refused(Condition.PRECONDITION_FAILED):
        drop(broker, "queue", "used", if_empty=True, if_unused=True)
    drop(broker, "queue", "full", if_empty=False, if_unused=True)
    drop(broker, "queue", "used")
    drop(broker, "queue", "both", if_empty=True, if_unused=True)
    assert not broker.queues


def test_texts_of_refused_deletions_are_those_that_tools_know() -> None:
    broker = make_broker()
    broker.declare_exchange("x", "fanout", actor())
    broker.declare_queue("q", actor(), alternate_exchange="x")
    publish(broker, b"1")
    for kind, name, options, text in (
        ("queue", "q", {"if_empty": True}, "Cannot delete queue q; queue not empty"),
        ("exchange", "x", {}, "Cannot delete x, in use as alternate-exchange."),
        ("exchange", "amq.topic", {}, "Cannot delete amq.topic: it is a standard exchange"),
        ("queue", "missing", {}, "Queue not found: missing"),
        ("exchange", "missing", {}, "Exchange not found: missing"),
        ("bridge", "b", {}, "Cannot delete bridge b: this version has no objects of type bridge"),
        ("moon", "b", {}, "Unknown object type 'moon': use queue, exchange, topic or binding"),
    ):
        with pytest.raises(BrokerError) as info:
            drop(broker, kind, name, **options)
        assert info.value.text == text


def test_another_sessions_exclusive_queue_can_be_deleted() -> None:
    broker = make_broker()
    broker.declare_queue("q", actor(object()), exclusive=True)
    drop(broker, "queue", "q")
    assert not broker.queues


def test_an_exchange_is_deleted_with_its_bindings() -> None:
    broker = make_broker()
    broker.declare_exchange("x", "direct", actor())
    broker.declare_queue("q", actor())
    broker.bind("x", "q", "k", None, actor())
    drop(broker, "exchange", "x")
    assert "x" not in broker.exchanges
    assert broker.queues["q"].bindings == {}


# On a backup.


def backup(level: ReplicationLevel = ReplicationLevel.ALL) -> Broker:
    """A backup with a replicated queue, exchange and binding."""
    primary = make_broker(ha=True)
    replica = make_broker(ha=True, serving=False, level=level)
    primary.declare_queue("q", actor())
    primary.declare_exchange("x", "direct", actor())
    primary.bind("x", "q", "k", None, actor())
    replicate(primary, replica)
    return replica


@pytest.mark.parametrize(
    ("kind", "name", "properties"),
    [
        ("queue", "n", {}),
        ("queue", "n", {"qpid.replicate": "configuration"}),
        ("exchange", "n", {"qpid.replicate": "all"}),
        ("exchange", "n", {}),
        ("binding", "x/q/other", {}),
    ],
)
def test_a_backup_creates_nothing_that_would_be_replicated(
    kind: str, name: str, properties: dict[str, Value]
) -> None:
    replica = backup()
    with pytest.raises(BrokerError, match="only the primary may") as info:
        create(replica, {"type": kind, "name": name, "properties": properties}, ADMIN)
    assert info.value.condition is Condition.NOT_ALLOWED
    assert (set(replica.queues), "n" in replica.exchanges) == ({"q"}, False)


@pytest.mark.parametrize(
    ("kind", "name"), [("queue", "q"), ("exchange", "x"), ("binding", "x/q/k")]
)
def test_a_backup_deletes_nothing_that_is_replicated(kind: str, name: str) -> None:
    replica = backup()
    with pytest.raises(BrokerError, match="only the primary may change it"):
        drop(replica, kind, name)
    assert len(replica.exchanges["x"].bindings) == 1


def test_a_backup_may_have_objects_of_its_own() -> None:
    replica = backup()
    make(replica, "queue", "own", qpid__replicate="none")
    make(replica, "exchange", "ownx", qpid__replicate="none")
    make(replica, "binding", "ownx/own/k", qpid__replicate="none")
    drop(replica, "queue", "own")
    assert replica.journal == []
    plain = backup(ReplicationLevel.NONE)
    make(plain, "queue", "own")
    assert "own" in plain.queues


def test_a_backup_moves_no_messages_of_replicated_queues() -> None:
    replica = backup()
    make(replica, "queue", "own", qpid__replicate="none")
    for begin in (
        lambda: purge_queue(replica, "q", {}),
        lambda: reroute_queue(replica, "q", {"exchange": "amq.topic"}),
        lambda: move_messages(replica, {"srcQueue": "q", "destQueue": "own"}),
        lambda: move_messages(replica, {"srcQueue": "own", "destQueue": "q"}),
    ):
        with refused(Condition.NOT_ALLOWED):
            begin()


# Messages.


def with_messages() -> Broker:
    broker = make_broker()
    broker.declare_queue("q", actor(), alternate_exchange="amq.fanout")
    broker.declare_queue("r", actor())
    broker.bind("amq.fanout", "r", "", None, actor())
    publish(broker, b"1", b"2", b"3")
    return broker


def test_move() -> None:
    broker = with_messages()
    given: dict[str, Value] = {"srcQueue": "q", "destQueue": "r", "qty": uint32(2), "filter": {}}
    assert finish(move_messages(broker, given)) == {}
    assert (bodies(broker), bodies(broker, "r")) == ([b"3"], [b"1", b"2"])


def test_purge_and_reroute() -> None:
    broker = with_messages()
    finish(purge_queue(broker, "q", {"request": 1}))
    finish(reroute_queue(broker, "q", {"request": 1, "useAltExchange": True, "exchange": ""}))
    assert (bodies(broker), bodies(broker, "r")) == ([b"3"], [b"2"])
    finish(reroute_queue(broker, "q", {"request": 0, "exchange": "amq.fanout"}))
    assert bodies(broker, "r") == [b"2", b"3"]


@pytest.mark.parametrize(
    ("begin", "says"),
    [
        (lambda b: move_messages(b, {"srcQueue": "x", "destQueue": "r"}), "Queue not found: x"),
        (lambda b: move_messages(b, {"srcQueue": "q", "destQueue": "x"}), "Queue not found: x"),
        (lambda b: move_messages(b, {"srcQueue": "q", "destQueue": "q"}), "to itself"),
        (lambda b: move_messages(b, {"srcQueue": "q"}), "No queue name"),
        (lambda b: move_messages(b, {"qty": -1}), "qty must be"),
        (lambda b: reroute_queue(b, "r", {"useAltExchange": True}), "no alternate exchange"),
        (lambda b: reroute_queue(b, "r", {"exchange": "x"}), "Exchange not found: x"),
        (lambda b: purge_queue(b, "r", {"request": "all"}), "request must be"),
    ],
)
def test_wrong_parameters(begin, says: str) -> None:
    with pytest.raises(InvalidParameter, match=says):
        begin(with_messages())


def test_a_failure_after_some_pieces_says_how_far_it_came() -> None:
    broker = make_broker()
    broker.declare_queue("q", actor())
    broker.declare_queue("r", actor(), arguments={"qpid.max_count": PIECE_MESSAGES + 9})
    for _ in range(2 * PIECE_MESSAGES):
        publish(broker, b"")
    work = move_messages(broker, {"srcQueue": "q", "destQueue": "r"})
    assert work.go_on() is None
    with pytest.raises(
        BrokerError, match=rf"Maximum depth .* on r.*; {PIECE_MESSAGES} messages had"
    ):
        work.go_on()
    assert broker.queues["q"].count == broker.queues["r"].count == PIECE_MESSAGES
    with pytest.raises(BrokerError) as info:
        move_messages(broker, {"srcQueue": "q", "destQueue": "r"}).go_on()
    assert "had been taken" not in info.value.text
