from __future__ import annotations

import math
from uuid import UUID

import pytest

from tanist.core import broker as module
from tanist.core.broker import FOLLOWERS_MAX, FORCED_GAP, Broker
from tanist.core.notices import (
    QueueDeclareNotice,
    QueueDeleteNotice,
    SubscribeNotice,
    UnsubscribeNotice,
)
from tanist.core.records import Entry, QueueDeclared, QueueDeleted, QueueUsed
from tanist.types import Condition, ReplicationLevel
from tests.broker.core.core_model import (
    RecordingSink,
    actor,
    bodies,
    consume,
    feed,
    join,
    make_broker,
    publish,
    refused,
    replicate,
    replicated_state,
)
from tests.broker.core.follow_model import WHO, follow


def is_exclusive(broker: Broker, name: str = "q") -> bool:
    return broker.queues[name].exclusive


# Queues.


def test_declare_and_delete() -> None:
    broker = make_broker()
    queue = broker.declare_queue(
        "q", actor(), durable=True, alternate_exchange="amq.fanout", arguments={"a": 1}
    )
    assert (queue.durable, queue.alternate_exchange, queue.arguments) == (
        True,
        "amq.fanout",
        {"a": 1},
    )
    assert (queue.number, queue.creator) == (0, "guest")
    assert broker.declare_queue("q", actor(), arguments={"b": 2}) is queue
    assert broker.declare_queue("q", actor(), passive=True) is queue
    broker.delete_queue("q", actor())
    assert broker.queues == {}
    first, second, third = broker.notices
    assert isinstance(first, QueueDeclareNotice)
    assert isinstance(second, QueueDeclareNotice)
    assert isinstance(third, QueueDeleteNotice)
    assert (first.created, second.created) == (True, False)
    assert (first.durable, first.alternate_exchange, first.arguments) == (
        True,
        "amq.fanout",
        {"a": 1},
    )
    assert second.arguments == {"a": 1}
    assert broker.journal == []


@pytest.mark.parametrize(
    ("name", "passive", "alternate", "arguments", "condition"),
    [
        ("", False, "", {}, Condition.ILLEGAL_ARGUMENT),
        ("", True, "", {}, Condition.ILLEGAL_ARGUMENT),
        ("q", True, "", {}, Condition.NOT_FOUND),
        ("q", False, "missing", {}, Condition.NOT_FOUND),
        ("q", False, "", {"qpid.max_count": -1}, Condition.INVALID_ARGUMENT),
        ("q", False, "", {"qpid.replicate": "some"}, Condition.INVALID_ARGUMENT),
        ("q" * 256, False, "", {}, Condition.INVALID_ARGUMENT),
    ],
)
def test_declare_refused(
    name: str, passive: bool, alternate: str, arguments: dict[str, object], condition: Condition
) -> None:
    broker = make_broker(ha=True)
    with refused(condition):
        broker.declare_queue(
            name, actor(), passive, alternate_exchange=alternate, arguments=arguments
        )
    assert broker.queues == {}
    assert broker.journal == []
    assert broker.notices == []


def test_too_many() -> None:
    broker = make_broker()
    queue = broker.declare_queue("q", actor())
    for number in range(module.QUEUES_MAX - 1):
        broker.queues[str(number)] = queue
    with refused(Condition.RESOURCE_LIMIT_EXCEEDED):
        broker.declare_queue("one more", actor())
    subscription, _ = consume(broker)
    queue.consumers.extend([subscription] * (module.SUBSCRIPTIONS_MAX - 1))
    with refused(Condition.RESOURCE_LIMIT_EXCEEDED):
        consume(broker)


def test_exclusive_queues() -> None:
    broker = make_broker()
    mine, other = actor(object()), actor(object())
    queue = broker.declare_queue("q", mine, exclusive=True)
    assert is_exclusive(broker)
    broker.declare_queue("q", mine, exclusive=True)
    broker.declare_queue("q", mine, passive=True, exclusive=True)
    broker.declare_queue("q", other)
    for passive in (True, False):
        with refused(Condition.RESOURCE_LOCKED):
            broker.declare_queue("q", other, passive=passive, exclusive=True)
    with refused(Condition.RESOURCE_LOCKED):
        consume(broker, by=other)
    consume(broker, by=other, acquire=False)
    with refused(Condition.RESOURCE_LOCKED):
        broker.delete_queue("q", other)
    broker.release_owner(mine.owner)
    broker.release_owner(mine.owner)
    assert not is_exclusive(broker)
    assert broker.queues["q"] is queue
    broker.declare_queue("q", other, exclusive=True)
    assert queue.owner is other.owner
    broker.delete_queue("q", actor())  # management belongs to no session
    broker.release_owner(other.owner)
    assert [type(one) for one in broker.notices].count(QueueDeleteNotice) == 1


def test_a_consumed_queue_cannot_be_claimed() -> None:
    broker = make_broker()
    broker.declare_queue("q", actor())
    consume(broker)
    with refused(Condition.RESOURCE_LOCKED):
        broker.declare_queue("q", actor(object()), exclusive=True)


def test_nobody_owns_what_management_declares() -> None:
    broker = make_broker()
    broker.declare_queue("q", actor(), exclusive=True)
    assert not is_exclusive(broker)
    consume(broker, by=actor(object()))


def test_delete_conditions() -> None:
    broker = make_broker()
    broker.declare_queue("q", actor())
    publish(broker, b"1")
    with refused(Condition.PRECONDITION_FAILED):
        broker.delete_queue("q", actor(), if_empty=True)
    subscription, _ = consume(broker, acquire=False)
    with refused(Condition.PRECONDITION_FAILED):
        broker.delete_queue("q", actor(), if_unused=True)
    with refused(Condition.NOT_FOUND):
        broker.delete_queue("r", actor())
    with refused(Condition.ILLEGAL_ARGUMENT):
        broker.delete_queue("", actor())
    broker.purge("q", actor())
    broker.cancel(subscription)
    broker.delete_queue("q", actor(), if_unused=True, if_empty=True)


def test_delete_reroutes_all_and_closes_subscriptions() -> None:
    broker = make_broker(ha=True)
    broker.declare_queue("dead", actor())
    broker.declare_queue("q", actor(), alternate_exchange="amq.fanout")
    for name in ("dead", "q"):
        broker.bind("amq.fanout", name, "", None, actor())
    publish(broker, b"1", b"2")
    subscription, sink = consume(broker, credit=1)
    broker.dispatch()
    broker.journal.clear()
    broker.notices.clear()
    broker.delete_queue("q", actor())
    assert bodies(broker, "dead") == [b"1", b"2"]
    assert [type(record) for record in broker.journal] == [Entry, Entry, QueueDeleted]
    assert [type(notice) for notice in broker.notices] == [QueueDeleteNotice, UnsubscribeNotice]
    assert sink.closings == [subscription]
    assert subscription.closed
    broker.cancel(subscription)
    assert len(broker.notices) == 2


def test_purge_takes_what_is_available() -> None:
    broker = make_broker(ha=True)
    broker.declare_queue("q", actor())
    publish(broker, b"1", b"2", b"3")
    consume(broker, credit=1)
    broker.dispatch()
    broker.journal.clear()
    assert broker.purge("q", actor()) == 2
    assert broker.purge("q", actor()) == 0
    assert len(broker.journal) == 1
    assert broker.queues["q"].discards_purge == 2
    with refused(Condition.NOT_FOUND):
        broker.purge("r", actor())


# Replication levels.


@pytest.mark.parametrize(
    ("explicit", "default", "temporary", "expected"),
    [
        (None, ReplicationLevel.ALL, False, "all"),
        (None, ReplicationLevel.NONE, False, "none"),
        ("configuration", ReplicationLevel.NONE, False, "configuration"),
        ("none", ReplicationLevel.ALL, False, "none"),
        (None, ReplicationLevel.ALL, True, "none"),
        ("all", ReplicationLevel.NONE, True, "all"),
    ],
)
def test_levels(
    explicit: str | None, default: ReplicationLevel, temporary: bool, expected: str
) -> None:
    broker = make_broker(ha=True, level=default)
    arguments = {} if explicit is None else {"qpid.replicate": explicit}
    queue = broker.declare_queue(
        "q",
        actor(object()),
        exclusive=temporary,
        auto_delete=temporary,
        arguments=arguments,
    )
    assert queue.arguments["qpid.replicate"] == expected
    assert queue.level.name.lower() == expected
    assert ("qpid.ha-uuid" in queue.arguments) == (expected != "none")
    assert len(broker.journal) == (expected != "none")
    notice = broker.notices[0]
    assert isinstance(notice, QueueDeclareNotice)
    assert notice.arguments == queue.arguments


def test_a_temporary_queue_with_timeout_is_replicated() -> None:
    broker = make_broker(ha=True)
    queue = broker.declare_queue(
        "q",
        actor(object()),
        exclusive=True,
        auto_delete=True,
        arguments={"qpid.auto_delete_timeout": 1},
    )
    assert queue.number == 1
    assert queue.arguments["qpid.ha-uuid"] == UUID(int=1)


def test_numbers_go_on_after_promotion() -> None:
    heir = make_broker(ha=True, serving=False)
    heir.apply(QueueDeclared("a", 7, False, True, False, "", {"qpid.replicate": "all"}))
    heir.apply(QueueDeleted("a", 7))
    heir.declare_queue("local", actor())
    heir.promote()
    assert heir.declare_queue("b", actor()).number == 8
    assert heir.queues["local"].number == 0


def test_a_replica_may_only_be_browsed() -> None:
    replica = make_broker(ha=True, serving=False)
    replica.apply(QueueDeclared("q", 1, False, False, True, "", {"qpid.replicate": "all"}))
    with refused(Condition.NOT_ALLOWED):
        consume(replica)
    with refused(Condition.NOT_ALLOWED):
        replica.delete_queue("q", actor())
    with refused(Condition.NOT_ALLOWED):
        replica.purge("q", actor())
    browser, _ = consume(replica, acquire=False)
    replica.cancel(browser)
    assert "q" in replica.queues  # the primary decides
    assert not replica.queues["q"].used
    assert replica.journal == []


# Auto-delete.


def test_auto_delete_after_the_last_subscription() -> None:
    broker = make_broker(ha=True)
    broker.declare_queue("q", actor(), auto_delete=True)
    assert broker.queues["q"].count == 0
    one, _ = consume(broker)
    two, _ = consume(broker, acquire=False)
    assert [type(record) for record in broker.journal] == [QueueDeclared, QueueUsed]
    broker.cancel(one)
    assert "q" in broker.queues
    broker.cancel(two)
    assert "q" not in broker.queues
    assert isinstance(broker.journal[-1], QueueDeleted)
    assert isinstance(broker.notices[-1], QueueDeleteNotice)


def test_auto_delete_of_an_exclusive_queue_waits_for_its_owner() -> None:
    broker = make_broker()
    who = actor(object())
    broker.declare_queue("q", who, exclusive=True, auto_delete=True)
    broker.declare_queue("r", who, exclusive=True, auto_delete=True)
    subscription, _ = consume(broker, by=who)
    broker.cancel(subscription)
    assert "q" in broker.queues
    broker.release_owner(who.owner)
    assert broker.queues == {}


def test_a_browser_keeps_an_auto_delete_queue() -> None:
    broker = make_broker()
    who = actor(object())
    broker.declare_queue("q", who, exclusive=True, auto_delete=True)
    browser, _ = consume(broker, acquire=False)
    broker.release_owner(who.owner)
    assert "q" in broker.queues
    broker.cancel(browser)
    assert "q" not in broker.queues


def with_timeout(broker: Broker, name: str = "q") -> None:
    broker.declare_queue(name, actor(), arguments={"qpid.auto_delete_timeout": 5})


def test_auto_delete_timeout() -> None:
    broker = make_broker(ha=True)
    with_timeout(broker)
    assert broker.deadline == math.inf
    broker.now = 10.0
    subscription, _ = consume(broker)
    broker.cancel(subscription)
    assert broker.deadline == 15.0
    broker.now = 14.0
    broker.tick()
    assert "q" in broker.queues
    with_timeout(broker)  # declared again: it starts anew
    assert broker.deadline == 19.0
    again, _ = consume(broker)
    assert broker.deadline == math.inf
    broker.now = 100.0
    broker.tick()
    assert "q" in broker.queues
    broker.cancel(again)
    broker.now = 105.0
    broker.tick()
    assert "q" not in broker.queues
    assert broker.deadline == math.inf
    notice = broker.notices[-1]
    assert isinstance(notice, QueueDeleteNotice)
    assert notice.user == "guest"


def test_a_doomed_queue_may_be_deleted_before() -> None:
    broker = make_broker()
    with_timeout(broker)
    subscription, _ = consume(broker)
    broker.cancel(subscription)
    broker.delete_queue("q", actor())
    assert broker.deadline == math.inf
    broker.now = 10.0
    broker.tick()


def test_promotion_releases_auto_delete_queues() -> None:
    primary = make_broker(ha=True)
    heir = make_broker(ha=True, serving=False)
    who = actor(object())
    primary.declare_queue("unused", who, auto_delete=True)
    primary.declare_queue("used", who, auto_delete=True, alternate_exchange="amq.fanout")
    primary.declare_queue("kept", who, exclusive=True)
    with_timeout(primary, "later")
    primary.bind("amq.fanout", "kept", "", None, who)
    publish(primary, b"1", key="used")
    for name in ("used", "kept", "later"):
        consume(primary, name, credit=0, by=who)
    replicate(primary, heir)
    assert is_exclusive(heir, "kept")
    heir.now = 50.0
    heir.promote()
    assert list(heir.queues) == ["unused", "kept", "later"]
    assert bodies(heir, "kept") == [b"1"]
    assert not is_exclusive(heir, "kept")
    assert heir.deadline == 55.0
    assert [type(record) for record in heir.journal] == [Entry, QueueDeleted]


# Subscriptions.


def test_subscribe_and_cancel() -> None:
    broker = make_broker()
    broker.declare_queue("q", actor())
    broker.notices.clear()
    who = actor(object())
    sink = RecordingSink()
    subscription = broker.subscribe("q", "dest", sink, True, True, {"a": 1}, who)
    broker.cancel(subscription)
    broker.cancel(subscription)
    first, second = broker.notices
    assert isinstance(first, SubscribeNotice)
    assert isinstance(second, UnsubscribeNotice)
    assert (first.queue, first.destination, first.exclusive) == ("q", "dest", True)
    assert first.arguments == {"a": 1}
    assert second.destination == "dest"
    assert sink.closings == []
    assert "q" in broker.queues
    with refused(Condition.NOT_FOUND):
        consume(broker, "r")
    with refused(Condition.ILLEGAL_ARGUMENT):
        consume(broker, "")


def test_exclusive_subscriptions() -> None:
    broker = make_broker()
    broker.declare_queue("q", actor())
    first, _ = consume(broker)
    with refused(Condition.RESOURCE_LOCKED):
        consume(broker, exclusive=True)
    broker.cancel(first)
    alone, _ = consume(broker, exclusive=True)
    with refused(Condition.RESOURCE_LOCKED):
        consume(broker)
    browser, _ = consume(broker, acquire=False, exclusive=True)
    broker.cancel(browser)
    with refused(Condition.RESOURCE_LOCKED):
        consume(broker)
    broker.cancel(alone)
    consume(broker)


def test_cancel_keeps_what_is_held() -> None:
    broker = make_broker()
    broker.declare_queue("q", actor())
    publish(broker, b"1")
    subscription, sink = consume(broker)
    broker.dispatch()
    broker.cancel(subscription)
    assert broker.queues["q"].held == 1
    broker.release(sink.got, True)
    assert broker.queues["q"].available == 1


def test_turns_survive_a_cancel() -> None:
    broker = make_broker()
    broker.declare_queue("q", actor())
    subscriptions = [consume(broker) for _ in range(3)]
    publish(broker, b"1", b"2")
    broker.dispatch()
    broker.cancel(subscriptions[2][0])
    publish(broker, b"3", b"4")
    broker.dispatch()
    assert [len(sink.got) for _, sink in subscriptions] == [2, 2, 0]


def test_a_claim_made_before_promotion_stays() -> None:
    heir = make_broker(ha=True, serving=False)
    heir.apply(QueueDeclared("q", 1, False, True, False, "", {"qpid.replicate": "all"}))
    who = actor(object())
    heir.declare_queue("q", who, exclusive=True)
    heir.promote()
    assert is_exclusive(heir)
    heir.release_owner(who.owner)
    assert not is_exclusive(heir)


def test_promoting_a_broker_without_queues() -> None:
    assert not make_broker(ha=True, serving=False).serving
    broker = make_broker(ha=True, serving=False)
    broker.promote()
    assert broker.serving
    feed(make_broker(ha=True, serving=False), broker.configuration())


def test_a_queue_that_is_claimed_in_time_is_not_deleted_under_its_owner() -> None:
    broker = make_broker(ha=True)
    arguments = {"qpid.auto_delete_timeout": 5}
    first, second = actor(object()), actor(object())
    broker.declare_queue("q", first, exclusive=True, auto_delete=True, arguments=arguments)
    broker.release_owner(first.owner)
    assert broker.deadline == 5.0
    broker.now = 4.0
    queue = broker.declare_queue("q", second, exclusive=True)
    assert broker.deadline == math.inf
    broker.now = 100.0
    broker.tick()
    assert broker.queues.get("q") is queue
    broker.release_owner(second.owner)
    assert broker.deadline == 105.0
    broker.now = 105.0
    broker.tick()
    assert "q" not in broker.queues


# Followers.


def test_who_may_follow() -> None:
    broker = make_broker(ha=True)
    queue = broker.declare_queue("q", actor(object()), exclusive=True)
    follow(broker)
    with refused(Condition.NOT_FOUND):
        follow(broker, queue="nowhere")
    with refused(Condition.RESOURCE_DELETED):
        follow(broker, lineage=UUID(int=1234))
    follow(broker, lineage=broker.lineage_of(queue))
    for _ in range(FOLLOWERS_MAX - 2):
        follow(broker)
    with refused(Condition.RESOURCE_LIMIT_EXCEEDED):
        follow(broker)
    disabled = make_broker(followed=False)
    disabled.declare_queue("q", actor())
    with refused(Condition.NOT_ALLOWED):
        follow(disabled)
    backup = make_broker(ha=True, serving=False)
    join(broker, backup)
    with refused(Condition.NOT_ALLOWED):
        follow(backup)


def test_two_queues_do_not_copy_each_other() -> None:
    broker = make_broker()
    queue = broker.declare_queue("q", actor())
    source = broker.set_source(queue, "amqp:tcp:other:1", None)
    source.peer = WHO
    with refused(Condition.NOT_ALLOWED):
        follow(broker)
    follow(broker, who=UUID(int=98))
    broker.set_source(queue, "", None)
    follow(broker)


def test_a_lineage_outlives_a_failover_if_the_messages_do() -> None:
    broker, backup = make_broker(ha=True), make_broker(ha=True, serving=False)
    kept = broker.declare_queue("q", actor())
    lost = broker.declare_queue("c", actor(), arguments={"qpid.replicate": "configuration"})
    replicate(broker, backup)
    backup.promote()
    assert broker.lineage_of(kept) == backup.lineage_of(backup.queues["q"])
    assert broker.lineage_of(lost) == broker.lineage_of(lost)
    assert broker.lineage_of(lost) not in (backup.lineage_of(backup.queues["c"]), None)


def test_a_lineage_is_not_that_of_a_namesake() -> None:
    broker = make_broker()
    before = broker.lineage_of(broker.declare_queue("q", actor()))
    broker.delete_queue("q", actor())
    assert broker.lineage_of(broker.declare_queue("q", actor())) != before


def test_a_promotion_by_force_uses_no_position_again() -> None:
    """Others may have had more messages than we; copies of the queue know them by position."""
    broker, backup = make_broker(ha=True), make_broker(ha=True, serving=False)
    broker.declare_queue("q", actor())
    publish(broker, b"1")
    replicate(broker, backup)
    backup.promote(forced=True)
    publish(backup, b"2")
    positions = [entry.position for entry in backup.queues["q"].entries()]
    assert positions == [1, 1 + FORCED_GAP + 1]
    another = make_broker(ha=True, serving=False)
    join(broker, another)
    replicate(backup, another)
    assert replicated_state(another) == replicated_state(backup)
