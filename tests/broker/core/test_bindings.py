from __future__ import annotations

from uuid import UUID

import pytest

from tanist.core import bindings
from tanist.core.bindings import BoundResult
from tanist.core.broker import Broker, BrokerConfig
from tanist.core.notices import (
    BindNotice,
    ExchangeDeclareNotice,
    ExchangeDeleteNotice,
    UnbindNotice,
)
from tanist.core.records import (
    Bound,
    ExchangeDeclared,
    ExchangeDeleted,
    QueueDeleted,
    Record,
    Unbound,
)
from tanist.types import Condition, ReplicationLevel
from tests.broker.core.core_model import (
    actor,
    bodies,
    feed,
    join,
    make_broker,
    message,
    publish,
    refused,
    replicate,
)


def with_queues(broker: Broker, *names: str) -> Broker:
    for name in names:
        broker.declare_queue(name, actor())
    broker.journal.clear()
    broker.notices.clear()
    return broker


def kinds(broker: Broker) -> list[type[Record]]:
    return [type(record) for record in broker.journal]


# Exchanges.


@pytest.mark.parametrize("type", ["direct", "topic", "fanout", "headers"])
def test_declare_and_delete(type: str) -> None:
    broker = make_broker()
    exchange = broker.declare_exchange("x", type, actor(), durable=True, arguments={"a": 1})
    assert (exchange.type, exchange.durable, exchange.arguments) == (type, True, {"a": 1})
    assert broker.declare_exchange("x", type, actor()) is exchange
    assert broker.declare_exchange("x", "", actor(), passive=True) is exchange
    broker.delete_exchange("x", actor())
    assert "x" not in broker.exchanges
    notices = broker.notices
    assert [type_of.__class__ for type_of in notices] == [
        ExchangeDeclareNotice,
        ExchangeDeclareNotice,
        ExchangeDeleteNotice,
    ]
    first, second = notices[0], notices[1]
    assert isinstance(first, ExchangeDeclareNotice)
    assert isinstance(second, ExchangeDeclareNotice)
    assert (first.created, second.created, first.user, first.rhost) == (
        True,
        False,
        "guest",
        "host:1",
    )
    assert broker.journal == []


@pytest.mark.parametrize(
    ("name", "type", "passive", "alternate", "condition"),
    [
        ("y", "direct", True, "", Condition.NOT_FOUND),
        ("x", "topic", True, "", Condition.NOT_ALLOWED),
        ("x", "topic", False, "", Condition.NOT_ALLOWED),
        ("x", "direct", True, "amq.topic", Condition.NOT_ALLOWED),
        ("amq.new", "direct", False, "", Condition.NOT_ALLOWED),
        ("amq.direct", "direct", False, "", Condition.NOT_ALLOWED),
        ("qpid.new", "direct", False, "", Condition.NOT_ALLOWED),
        ("y", "xml", False, "", Condition.NOT_FOUND),
        ("y", "amq.failover", False, "", Condition.NOT_FOUND),
        ("y", "direct", False, "missing", Condition.NOT_FOUND),
        ("y" * 256, "direct", False, "", Condition.INVALID_ARGUMENT),
    ],
)
def test_declare_refused(
    name: str, type: str, passive: bool, alternate: str, condition: Condition
) -> None:
    broker = make_broker()
    broker.declare_exchange("x", "direct", actor())
    before = dict(broker.exchanges)
    with refused(condition):
        broker.declare_exchange(name, type, actor(), passive, False, alternate)
    assert broker.exchanges == before


def test_standard_exchanges() -> None:
    types = {name: one.type for name, one in make_broker().exchanges.items()}
    assert types == {
        "": "direct",
        "amq.direct": "direct",
        "amq.topic": "topic",
        "amq.fanout": "fanout",
        "amq.match": "headers",
        "qpid.management": "management-topic",
        "qmf.default.topic": "management-topic",
        "qmf.default.direct": "management-direct",
        "amq.failover": "amq.failover",
    }


def test_alternates_must_agree() -> None:
    broker = make_broker()
    broker.declare_exchange("x", "direct", actor(), alternate_exchange="amq.fanout")
    broker.declare_exchange("x", "direct", actor(), True, alternate_exchange="amq.fanout")
    with refused(Condition.NOT_ALLOWED):
        broker.declare_exchange("x", "direct", actor(), alternate_exchange="amq.topic")


@pytest.mark.parametrize(
    ("name", "condition"),
    [
        ("", Condition.INVALID_ARGUMENT),
        ("missing", Condition.NOT_FOUND),
        ("amq.direct", Condition.NOT_ALLOWED),
        ("qmf.default.topic", Condition.NOT_ALLOWED),
        ("alternate", Condition.NOT_ALLOWED),
        ("used", Condition.PRECONDITION_FAILED),
    ],
)
def test_delete_refused(name: str, condition: Condition) -> None:
    broker = make_broker()
    broker.declare_exchange("alternate", "direct", actor())
    broker.declare_exchange("used", "direct", actor(), alternate_exchange="alternate")
    broker.declare_queue("q", actor(), alternate_exchange="alternate")
    broker.bind("used", "q", "k", None, actor())
    with refused(condition):
        broker.delete_exchange(name, actor(), if_unused=True)


def test_an_alternate_may_go_when_nobody_names_it() -> None:
    broker = make_broker()
    broker.declare_exchange("alternate", "direct", actor())
    broker.declare_exchange("x", "direct", actor(), alternate_exchange="alternate")
    broker.declare_queue("q", actor(), alternate_exchange="alternate")
    broker.delete_exchange("x", actor(), if_unused=True)
    with refused(Condition.NOT_ALLOWED):
        broker.delete_exchange("alternate", actor())
    broker.delete_queue("q", actor())
    broker.delete_exchange("alternate", actor())
    assert broker.alternate_uses == {}


def test_deleting_an_exchange_unbinds() -> None:
    broker = make_broker()
    broker.declare_exchange("x", "topic", actor())
    broker.declare_queue("q", actor())
    broker.bind("x", "q", "a.#", None, actor())
    broker.delete_exchange("x", actor())
    assert broker.queues["q"].bindings == {}
    with refused(Condition.NOT_FOUND):
        broker.publish(message(exchange="x"), "x")


def test_too_many() -> None:
    broker = make_broker()
    for number in range(bindings.EXCHANGES_MAX - len(broker.exchanges)):
        broker.exchanges[f"x{number}"] = broker.exchanges["amq.direct"]
    with refused(Condition.RESOURCE_LIMIT_EXCEEDED):
        broker.declare_exchange("one more", "direct", actor())
    queue = broker.declare_queue("q", actor())
    broker.bind("amq.direct", "q", "k", None, actor())
    binding = broker.exchanges["amq.direct"].bindings["q", "k"]
    for number in range(bindings.BINDINGS_MAX - 1):
        queue.bindings["amq.direct", str(number)] = binding
    with refused(Condition.RESOURCE_LIMIT_EXCEEDED):
        broker.bind("amq.direct", "q", "one more", None, actor())


# Bindings.


def test_bind_and_unbind() -> None:
    broker = with_queues(make_broker(), "q")
    assert broker.bind("amq.direct", "q", "k", {"a": 1}, actor())
    assert not broker.bind("amq.direct", "q", "k", None, actor())
    assert broker.unbind("amq.direct", "q", "k", actor())
    assert not broker.unbind("amq.direct", "q", "k", actor())
    first, second = broker.notices
    assert isinstance(first, BindNotice)
    assert isinstance(second, UnbindNotice)
    assert (first.exchange, first.queue, first.key) == ("amq.direct", "q", "k")
    assert first.arguments == {"a": 1}
    assert (second.exchange, second.queue, second.key) == ("amq.direct", "q", "k")


@pytest.mark.parametrize(
    ("exchange", "queue", "condition"),
    [
        ("", "q", Condition.INVALID_ARGUMENT),
        ("missing", "q", Condition.NOT_FOUND),
        ("amq.direct", "missing", Condition.NOT_FOUND),
        ("amq.direct", "", Condition.ILLEGAL_ARGUMENT),
    ],
)
def test_bind_and_unbind_refused(exchange: str, queue: str, condition: Condition) -> None:
    broker = with_queues(make_broker(), "q")
    with refused(condition):
        broker.bind(exchange, queue, "k", None, actor())
    with refused(condition):
        broker.unbind(exchange, queue, "k", actor())


def test_long_keys() -> None:
    broker = with_queues(make_broker(), "q")
    assert broker.bind("amq.direct", "q", "k" * 255, None, actor())
    with refused(Condition.INVALID_ARGUMENT):
        broker.bind("amq.direct", "q", "\u00e9" * 128, None, actor())


def test_exclusive_binding() -> None:
    broker = with_queues(make_broker(ha=True), "a", "b", "c")
    who = actor()
    for queue in ("a", "b", "c"):
        broker.bind("amq.direct", queue, "k", None, who)
        broker.bind("amq.direct", queue, "other", None, who)
    broker.journal.clear()
    assert not broker.bind("amq.direct", "b", "k", {"qpid.exclusive-binding": 1}, who)
    assert kinds(broker) == [Unbound, Unbound]
    publish(broker, b"1", key="k", exchange="amq.direct")
    assert [broker.queues[name].count for name in "abc"] == [0, 1, 0]
    assert broker.bind("amq.topic", "a", "k", {"qpid.exclusive-binding": 1}, who)
    assert broker.bind("amq.topic", "b", "k", {"qpid.exclusive-binding": 1}, who)
    assert len(broker.exchanges["amq.topic"].bindings) == 2


@pytest.mark.parametrize(
    ("exchange", "queue", "key", "arguments", "expected"),
    [
        ("amq.match", "q", "k", {"x-match": "all", "a": 1}, BoundResult()),
        ("amq.match", "q", "", None, BoundResult()),
        ("amq.match", "", "", {}, BoundResult()),
        ("missing", "q", "", {}, BoundResult(exchange_not_found=True)),
        ("missing", "m", "", {}, BoundResult(exchange_not_found=True, queue_not_found=True)),
        ("missing", "", "", {}, BoundResult(exchange_not_found=True)),
        ("amq.match", "m", "k", {}, BoundResult(queue_not_found=True)),
        ("amq.match", "r", "", {}, BoundResult(queue_not_matched=True)),
        ("amq.match", "q", "l", {}, BoundResult(key_not_matched=True)),
        ("amq.match", "q", "k", {"x": 1}, BoundResult(args_not_matched=True)),
        ("amq.match", "r", "l", {"x": 1}, BoundResult(False, False, True, True, True)),
        ("amq.match", "r", "k", {}, BoundResult(queue_not_matched=True)),
        ("amq.direct", "", "", {}, BoundResult(False, False, False, False, False)),
        ("", "q", "q", {}, BoundResult()),
        ("", "q", "k", {}, BoundResult(key_not_matched=True)),
    ],
)
def test_bound(
    exchange: str, queue: str, key: str, arguments: dict[str, object] | None, expected: BoundResult
) -> None:
    broker = with_queues(make_broker(), "q", "r")
    broker.bind("amq.match", "q", "k", {"x-match": "all", "a": 1}, actor())
    assert broker.bound(exchange, queue, key, arguments) == expected


# Replication.


@pytest.mark.parametrize(
    ("exchange", "queue", "arguments", "expected"),
    [
        ("amq.direct", "q", {}, [Bound, Unbound]),
        ("amq.direct", "q", {"qpid.replicate": "none"}, []),
        ("amq.direct", "q", {"qpid.replicate": "configuration"}, [Bound, Unbound]),
        ("amq.direct", "local", {}, []),
        ("x", "q", {}, [Bound, Unbound]),
        ("x", "local", {}, []),
        ("xlocal", "q", {}, []),
        ("x", "shape", {}, [Bound, Unbound]),
        ("xshape", "q", {}, [Bound, Unbound]),
        ("xshape", "local", {}, []),
        ("qmf.default.topic", "q", {}, [Bound, Unbound]),
        ("qpid.management", "q", {}, [Bound, Unbound]),
    ],
)
def test_which_bindings_are_replicated(
    exchange: str, queue: str, arguments: dict[str, object], expected: list[type[Record]]
) -> None:
    broker = make_broker(ha=True)
    none, shape = {"qpid.replicate": "none"}, {"qpid.replicate": "configuration"}
    broker.declare_exchange("x", "direct", actor())
    broker.declare_exchange("xlocal", "direct", actor(), arguments=none)
    broker.declare_exchange("xshape", "direct", actor(), arguments=shape)
    broker.declare_queue("shape", actor(), arguments=shape)
    broker.declare_queue("q", actor())
    broker.declare_queue("local", actor(), arguments=none)
    broker.journal.clear()
    broker.bind(exchange, queue, "k", arguments, actor())
    broker.unbind(exchange, queue, "k", actor())
    assert kinds(broker) == expected


def test_replicated_exchanges() -> None:
    broker = make_broker(ha=True, level=ReplicationLevel.CONFIGURATION)
    exchange = broker.declare_exchange("x", "direct", actor(), arguments={"a": 1})
    assert exchange.arguments.keys() == {"a", "qpid.replicate", "qpid.ha-uuid"}
    assert exchange.arguments["qpid.replicate"] == "configuration"
    broker.delete_exchange("x", actor())
    assert kinds(broker) == [ExchangeDeclared, ExchangeDeleted]
    local = broker.declare_exchange("y", "direct", actor(), arguments={"qpid.replicate": "none"})
    assert local.arguments == {"qpid.replicate": "none"}
    broker.delete_exchange("y", actor())
    assert len(broker.journal) == 2
    with refused(Condition.INVALID_ARGUMENT):
        broker.declare_exchange("z", "direct", actor(), arguments={"qpid.replicate": "some"})


def test_a_replica_keeps_its_hands_off() -> None:
    broker = make_broker(ha=True, serving=False)
    broker.apply(ExchangeDeclared("x", "direct", False, "", {"qpid.replicate": "all"}))
    with refused(Condition.NOT_ALLOWED):
        broker.delete_exchange("x", actor())
    assert broker.declare_exchange("mine", "direct", actor()).arguments == {}
    broker.declare_queue("local", actor())
    assert broker.bind("x", "local", "k", None, actor())
    broker.delete_exchange("mine", actor())
    assert broker.journal == []


# amq.failover.


def test_failover_exchange() -> None:
    urls = message(b"", "amq.failover", "amq.failover", b"urls")
    broker = with_queues(make_broker(ha=True, failover=urls), "a", "b", "c")
    assert broker.bind("amq.failover", "a", "any", None, actor())
    assert not broker.bind("amq.failover", "a", "key", None, actor())
    broker.bind("amq.failover", "b", "", None, actor())
    assert [broker.queues[name].count for name in "abc"] == [2, 1, 0]
    broker.publish_failover()
    assert [broker.queues[name].count for name in "abc"] == [3, 2, 0]
    assert all(entry.message is urls for entry in broker.queues["a"].entries())
    assert broker.publish(message(exchange="amq.failover"), "amq.failover") == 0
    assert bodies(broker, "a") == [b""] * 3


def test_no_failover_message_is_known() -> None:
    broker = with_queues(make_broker(failover=None), "a")
    assert broker.bind("amq.failover", "a", "", None, actor())
    broker.publish_failover()
    assert broker.queues["a"].count == 0


def test_no_failover_exchange() -> None:
    broker = Broker(BrokerConfig(), lambda: UUID(int=1), lambda _: {})
    assert "amq.failover" not in broker.exchanges
    broker.publish_failover()


def test_replicas_do_not_send_to_replicated_queues() -> None:
    urls = message(b"", "amq.failover", "amq.failover")
    primary = with_queues(make_broker(ha=True, failover=urls), "a")
    primary.journal.clear()
    primary.bind("amq.failover", "a", "", None, actor())
    replica = make_broker(ha=True, serving=False, failover=urls)
    for record in primary.configuration():
        if not hasattr(record, "positions"):
            replica.apply(record)
    replica.publish_failover()
    assert replica.queues["a"].count == 0
    replica.declare_queue("local", actor())
    replica.bind("amq.failover", "local", "", None, actor())
    assert replica.queues["local"].count == 1


# Auto-delete exchanges.


def with_auto_delete(ha: bool = False) -> Broker:
    broker = make_broker(ha=ha)
    broker.declare_exchange("x", "topic", actor(), auto_delete=True)
    for name in ("q", "r"):
        broker.declare_queue(name, actor())
        broker.bind("x", name, "a.#", None, actor())
    broker.bind("x", "q", "b", None, actor())
    broker.journal.clear()
    broker.notices.clear()
    return broker


def test_an_auto_delete_exchange_goes_with_its_last_binding() -> None:
    broker = with_auto_delete(ha=True)
    broker.unbind("x", "q", "a.#", actor())
    broker.delete_queue("r", actor())
    assert "x" in broker.exchanges
    broker.unbind("x", "q", "b", actor())
    assert "x" not in broker.exchanges
    assert type(broker.journal[-1]) is ExchangeDeleted
    assert type(broker.notices[-1]) is ExchangeDeleteNotice


def test_a_deleted_queue_may_take_the_exchange_with_it() -> None:
    broker = with_auto_delete(ha=True)
    broker.delete_queue("r", actor())
    broker.delete_queue("q", actor())
    assert "x" not in broker.exchanges
    assert [type(record) for record in broker.journal[-2:]] == [QueueDeleted, ExchangeDeleted]


def test_an_auto_delete_exchange_stays_while_it_is_an_alternate() -> None:
    broker = with_auto_delete()
    broker.declare_queue("s", actor(), alternate_exchange="x")
    for queue, key in (("q", "a.#"), ("r", "a.#"), ("q", "b")):
        broker.unbind("x", queue, key, actor())
    assert "x" in broker.exchanges


def test_an_exclusive_binding_does_not_take_its_exchange_away() -> None:
    broker = make_broker()
    broker.declare_exchange("x", "direct", actor(), auto_delete=True)
    for name in ("q", "r"):
        broker.declare_queue(name, actor())
        broker.bind("x", name, "k", {"qpid.exclusive-binding": True}, actor())
    assert [binding.queue.name for binding in broker.exchanges["x"].bindings.values()] == ["r"]


def test_replicas_keep_an_auto_delete_exchange_until_they_are_told() -> None:
    primary, replica = make_broker(ha=True), make_broker(ha=True, serving=False)
    primary.declare_exchange("x", "fanout", actor(), auto_delete=True)
    primary.declare_queue("q", actor())
    primary.bind("x", "q", "", None, actor())
    replicate(primary, replica)
    assert replica.exchanges["x"].auto_delete
    primary.delete_queue("q", actor())
    feed(replica, primary.journal[:1])
    assert "x" in replica.exchanges
    feed(replica, primary.journal[1:])
    assert "x" not in replica.exchanges


def test_configuration_tells_of_auto_delete() -> None:
    primary, replica = with_auto_delete(ha=True), make_broker(ha=True, serving=False)
    join(primary, replica)
    replica.promote()
    for queue, key in (("q", "a.#"), ("r", "a.#"), ("q", "b")):
        replica.unbind("x", queue, key, actor())
    assert "x" not in replica.exchanges


# Exclusive queues.


def test_bindings_of_an_exclusive_queue_are_its_owners() -> None:
    broker = make_broker()
    owner, other = actor(object()), actor(object())
    broker.declare_queue("q", owner, exclusive=True)
    with refused(Condition.RESOURCE_LOCKED):
        broker.bind("amq.direct", "q", "k", None, other)
    broker.bind("amq.direct", "q", "k", None, owner)
    with refused(Condition.RESOURCE_LOCKED):
        broker.unbind("amq.direct", "q", "k", other)
    broker.unbind("amq.direct", "q", "k", actor())
    broker.bind("amq.direct", "q", "m", None, actor())
    assert broker.queues["q"].bindings


@pytest.mark.parametrize("arguments", [{"n" * 256: 1}, {"n": "x" * 65_536}])
def test_arguments_that_no_record_can_carry_are_refused(arguments: dict[str, object]) -> None:
    broker = with_queues(make_broker(), "q")
    wide = {"x-match": "all", **arguments}
    with refused(Condition.INVALID_ARGUMENT):
        broker.declare_queue("wide", actor(), arguments=arguments)
    with refused(Condition.INVALID_ARGUMENT):
        broker.declare_exchange("wide", "topic", actor(), arguments=arguments)
    with refused(Condition.INVALID_ARGUMENT):
        broker.bind("amq.match", "q", "k", wide, actor())
    assert broker.journal == []
