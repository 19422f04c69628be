from __future__ import annotations

import pytest

from tanist.core import messages
from tanist.core.broker import Broker
from tanist.core.records import Amended, Dequeued, Entry, QueueDeclared, Record
from tanist.types import Condition
from tests.broker.core.core_model import (
    RecordingSink,
    actor,
    bodies,
    consume,
    join,
    make_broker,
    message,
    publish,
    refused,
)


def with_queue(ha: bool = False, **arguments: object) -> Broker:
    broker = make_broker(ha=ha)
    broker.declare_queue("q", actor(), arguments={f"qpid.{k}": v for k, v in arguments.items()})
    broker.journal.clear()
    return broker


def kinds(broker: Broker) -> list[type[Record]]:
    return [type(record) for record in broker.journal]


# Amending.


def test_an_amended_message_is_recorded_and_counts() -> None:
    broker = with_queue(ha=True, max_size=10)
    publish(broker, b"1234")
    (entry,) = broker.queues["q"].entries()
    broker.journal.clear()
    assert broker.amend(entry, message(b"1234567"))
    assert kinds(broker) == [Amended]
    assert (broker.queues["q"].bytes, bodies(broker)) == (7, [b"1234567"])
    assert not broker.amend(entry, message(b"12345678901"))
    broker.dequeue([entry])
    assert not broker.amend(entry, message(b"12"))
    assert broker.queues["q"].bytes == 0


def test_a_queue_that_is_not_replicated_amends_in_secret() -> None:
    broker = with_queue(ha=True, replicate="none")
    publish(broker, b"1")
    assert broker.amend(broker.queues["q"].entries()[0], message(b"2"))
    assert broker.journal == []


# Publishing.


def test_publish() -> None:
    broker = with_queue(ha=True)
    assert broker.publish(message(b"1"), "") == 1
    assert broker.publish(message(b"2", key="nobody"), "") == 0
    assert bodies(broker) == [b"1"]
    assert kinds(broker) == [Entry]
    default = broker.exchanges[""]
    assert (default.received, default.routed, default.dropped) == (2, 1, 1)
    assert (default.received_bytes, default.routed_bytes, default.dropped_bytes) == (2, 1, 1)
    assert broker.discards_no_route == 1
    with refused(Condition.NOT_FOUND):
        broker.publish(message(), "missing")


def test_one_message_is_shared_by_its_queues() -> None:
    broker = with_queue(ha=True)
    broker.declare_queue("r", actor())
    broker.declare_queue("local", actor(), arguments={"qpid.replicate": "none"})
    for name in ("q", "r", "local"):
        broker.bind("amq.fanout", name, "", None, actor())
    broker.journal.clear()
    sent = message(exchange="amq.fanout")
    assert broker.publish(sent, "amq.fanout") == 3
    assert all(broker.queues[name].entries()[0].message is sent for name in ("q", "r", "local"))
    assert kinds(broker) == [Entry, Entry]
    assert broker.exchanges["amq.fanout"].routed == 3


def test_limits_refuse_everywhere_or_nowhere() -> None:
    broker = with_queue(max_count=2)
    broker.declare_queue("r", actor())
    for name in ("r", "q"):
        broker.bind("amq.fanout", name, "", None, actor())
    publish(broker, b"1", b"2", exchange="amq.fanout")
    with refused(Condition.RESOURCE_LIMIT_EXCEEDED):
        publish(broker, b"3", exchange="amq.fanout")
    with refused(Condition.RESOURCE_LIMIT_EXCEEDED):
        publish(broker, b"3")
    assert bodies(broker, "r") == bodies(broker) == [b"1", b"2"]
    assert broker.queues["q"].discards_overflow == 2


def test_the_default_limit_counts_bytes() -> None:
    broker = make_broker(queue_limit_bytes=5)
    broker.declare_queue("q", actor())
    publish(broker, b"12345")
    with refused(Condition.RESOURCE_LIMIT_EXCEEDED):
        publish(broker, b"6")
    broker.purge("q", actor())
    publish(broker, b"6")


def test_unroutable_goes_to_the_alternates() -> None:
    broker = with_queue(ha=True)
    broker.bind("amq.fanout", "q", "", None, actor())
    broker.declare_exchange("middle", "direct", actor(), alternate_exchange="amq.fanout")
    broker.declare_exchange("x", "direct", actor(), alternate_exchange="middle")
    assert broker.publish(message(b"1", "k", "x"), "x") == 1
    assert bodies(broker) == [b"1"]
    assert broker.queues["q"].entries()[0].message.exchange == "x"


def test_the_agent_may_be_reached_through_an_alternate() -> None:
    broker = with_queue()
    broker.declare_exchange("x", "direct", actor(), alternate_exchange="qpid.management")
    assert broker.publish(message(b"1", "broker", "x"), "x") == 1
    assert len(broker.agent_inbox) == 1


def test_the_agent_inbox_is_bounded() -> None:
    broker = with_queue()
    broker.bind("qpid.management", "q", "#", None, actor())
    broker.agent_inbox = [message()] * messages.AGENT_INBOX_MAX
    sent = message(b"1", "broker", "qpid.management")
    assert broker.publish(sent, "qpid.management") == 0
    assert broker.publish(message(b"1", "schema.x", "qpid.management"), "qpid.management") == 1
    assert len(broker.agent_inbox) == messages.AGENT_INBOX_MAX


def test_a_replica_takes_no_messages_for_replicated_queues() -> None:
    broker = make_broker(ha=True, serving=False)
    broker.apply(QueueDeclared("q", 1, False, False, False, "", {"qpid.replicate": "all"}))
    broker.declare_queue("local", actor())
    with refused(Condition.NOT_ALLOWED):
        publish(broker, b"1")
    assert broker.publish(message(key="local"), "") == 1
    assert broker.journal == []
    assert broker.expire(10)


# Delivery and settling.


def in_transaction(broker: Broker, *sent: tuple[str, bytes]) -> None:
    broker.publish_all([message(body, key) for key, body in sent])


def test_publish_all_is_publish_of_each() -> None:
    broker = with_queue(ha=True)
    broker.declare_queue("r", actor())
    broker.journal.clear()
    in_transaction(broker, ("q", b"1"), ("r", b"2"), ("q", b"3"), ("nobody", b"4"))
    assert (bodies(broker), bodies(broker, "r")) == ([b"1", b"3"], [b"2"])
    assert kinds(broker) == [Entry, Entry, Entry]
    default = broker.exchanges[""]
    assert (default.received, default.routed, default.dropped) == (4, 3, 1)


@pytest.mark.parametrize("limits", [{"max_count": 2}, {"max_size": 5}])
def test_publish_all_does_all_or_nothing(limits: dict[str, object]) -> None:
    broker = with_queue(ha=True, **limits)
    broker.declare_queue("r", actor())
    broker.journal.clear()
    agent = message(b"locate", "console.request.agent_locate", "qmf.default.topic")
    with refused(Condition.RESOURCE_LIMIT_EXCEEDED):
        broker.publish_all([agent, *[message(b"22", key) for key in ("r", "q", "q", "q")]])
    with refused(Condition.NOT_FOUND):
        broker.publish_all([agent, message(b"1"), message(b"2", exchange="missing")])
    assert (bodies(broker), bodies(broker, "r")) == ([], [])
    assert (broker.journal, broker.agent_inbox) == ([], [])
    assert broker.exchanges[""].received == 0
    in_transaction(broker, ("q", b"22"), ("q", b"22"))
    assert broker.queues["q"].count == 2


def test_publish_all_fills_a_ring() -> None:
    broker = with_queue(max_count=2, max_size=5, policy_type="ring")
    in_transaction(broker, *[("q", str(number).encode()) for number in range(5)])
    assert bodies(broker) == [b"3", b"4"]
    with refused(Condition.RESOURCE_LIMIT_EXCEEDED):
        in_transaction(broker, ("q", b"5"), ("q", b"larger"))
    assert bodies(broker) == [b"3", b"4"]


def test_no_local_keeps_out_what_its_own_connection_publishes() -> None:
    broker = make_broker()
    owner = object()
    broker.declare_queue("q", actor(owner, origin=7), exclusive=True, arguments={"no-local": True})
    broker.bind("amq.fanout", "q", "", None, actor())
    for name in ("", "amq.fanout"):
        for origin in (7, 8, 0):
            assert broker.publish(message(str(origin).encode(), "q", name, origin=origin), name)
    broker.publish_all([message(b"tx", origin=7), message(b"tx8", origin=8)])
    assert bodies(broker) == [b"8", b"0", b"8", b"0", b"tx8"]
    broker.release_owner(owner)
    broker.publish(message(b"7", origin=7), "")
    assert bodies(broker)[-1] == b"7"


def test_a_filter_keeps_out_what_it_does_not_match() -> None:
    broker = with_queue(filter="size > 1")
    broker.declare_queue("r", actor())
    for name in ("q", "r"):
        broker.bind("amq.fanout", name, "", None, actor())
    publish(broker, b"unreadable")
    assert bodies(broker) == []
    broker.lookup = lambda entry: lambda name: len(entry.message.body)
    publish(broker, b"1", b"22")
    publish(broker, b"3", b"44", exchange="amq.fanout")
    broker.publish_all([message(b"5"), message(b"66")])
    assert bodies(broker) == [b"22", b"44", b"66"]
    assert bodies(broker, "r") == [b"3", b"44"]
    assert broker.exchanges["amq.fanout"].routed == 4


def test_no_local_looks_at_an_exclusive_consumer_and_at_rerouted_messages() -> None:
    broker = make_broker()
    broker.declare_queue("q", actor(), arguments={"no-local": 1})
    broker.bind("amq.fanout", "q", "", None, actor())
    broker.declare_queue("old", actor(), alternate_exchange="amq.fanout")
    consume(broker, credit=0, by=actor(object(), origin=7), exclusive=True)
    for origin in (7, 8):
        broker.publish(message(str(origin).encode(), "old", origin=origin), "")
    broker.delete_queue("old", actor())
    assert bodies(broker) == [b"8"]


def test_deliver_and_accept() -> None:
    broker = with_queue(ha=True)
    publish(broker, b"1", b"2", b"3")
    subscription, sink = consume(broker, credit=2)
    assert not broker.dispatch()
    assert sink.bodies == [b"1", b"2"]
    assert all(entry.holder is subscription for entry in sink.got)
    assert subscription.delivered == 2
    broker.journal.clear()
    broker.dequeue(sink.got)
    broker.dequeue(sink.got)
    broker.dequeue([])
    assert kinds(broker) == [Dequeued]
    record = broker.journal[0]
    assert isinstance(record, Dequeued)
    assert record.positions == [1, 2]
    assert all(entry.gone and entry.holder is None for entry in sink.got)
    assert bodies(broker) == [b"3"]


def test_one_record_per_command_and_queue() -> None:
    broker = with_queue(ha=True)
    broker.declare_queue("r", actor())
    publish(broker, b"1", b"2", key="q")
    publish(broker, b"3", b"4", key="r")
    sink = RecordingSink()
    consume(broker, "q", sink=sink)
    consume(broker, "r", sink=sink)
    broker.dispatch()
    broker.journal.clear()
    first, second, third, fourth = sink.got
    broker.dequeue([second])
    broker.journal.clear()
    broker.dequeue([first, third, second, fourth])
    records = [record for record in broker.journal if isinstance(record, Dequeued)]
    assert [(record.queue.name, record.positions) for record in records] == [
        ("q", [1]),
        ("r", [1, 2]),
    ]


def test_accept_mode_none_dequeues_in_deliver() -> None:
    broker = with_queue()
    publish(broker, b"1", b"2")
    sink = RecordingSink(broker)
    consume(broker, sink=sink)
    broker.dispatch()
    assert sink.bodies == [b"1", b"2"]
    assert broker.queues["q"].count == 0
    assert broker.queues["q"].held == 0


def test_release_goes_back_to_its_place() -> None:
    broker = with_queue(ha=True)
    publish(broker, b"1", b"2", b"3")
    first, sink = consume(broker, credit=2)
    broker.dispatch()
    broker.cancel(first)
    broker.journal.clear()
    broker.release([sink.got[1], sink.got[1]], redelivered=False)
    broker.release([sink.got[0]], redelivered=True)
    assert broker.queues["q"].releases == 2
    _, again = consume(broker)
    broker.dispatch()
    assert again.bodies == [b"1", b"2", b"3"]
    assert again.flags == [True, False, False]
    assert broker.journal == []
    broker.dequeue(again.got[:1])
    broker.release(again.got[:1], redelivered=True)
    assert again.got[0].holder is None


def test_reject_drops_or_reroutes() -> None:
    broker = with_queue(ha=True)
    broker.declare_queue("dead", actor(), arguments={"qpid.max_count": 1})
    broker.bind("amq.fanout", "dead", "", None, actor())
    broker.declare_queue("r", actor(), alternate_exchange="amq.fanout")
    publish(broker, b"1", key="q")
    publish(broker, b"2", b"3", key="r")
    sink = RecordingSink()
    consume(broker, "q", sink=sink)
    consume(broker, "r", sink=sink)
    broker.dispatch()
    broker.journal.clear()
    broker.reject(sink.got)
    assert bodies(broker, "dead") == [b"2", b"3"]  # beyond its limit: rerouting loses nothing
    assert broker.queues["q"].count == broker.queues["r"].count == 0
    assert broker.queues["q"].discards_subscriber == 1
    assert broker.queues["r"].reroutes == 2
    assert kinds(broker) == [Entry, Entry, Dequeued, Dequeued]
    broker.reject(sink.got)
    assert broker.queues["dead"].count == 2


def test_reject_may_come_back_to_the_same_queue() -> None:
    broker = make_broker()
    broker.declare_queue("q", actor(), alternate_exchange="amq.fanout")
    broker.bind("amq.fanout", "q", "", None, actor())
    publish(broker, b"1")
    _, sink = consume(broker, credit=1)
    broker.dispatch()
    broker.reject(sink.got)
    assert [entry.position for entry in broker.queues["q"].entries()] == [2]


def test_settling_entries_of_a_deleted_queue_does_nothing() -> None:
    broker = with_queue(ha=True)
    publish(broker, b"1", b"2", b"3", b"4")
    subscription, sink = consume(broker)
    broker.dispatch()
    broker.delete_queue("q", actor())
    broker.journal.clear()
    broker.dequeue(sink.got[:1])
    broker.release(sink.got[1:2], True)
    broker.reject(sink.got[2:3])
    broker.flow(subscription, 0, 1)
    broker.flush(subscription)
    assert broker.acquire(sink.got[3:], subscription) == []
    assert broker.journal == []
    assert not broker.dispatch()


def test_browse_and_acquire() -> None:
    broker = with_queue()
    publish(broker, b"1", b"2", b"3")
    browser, seen = consume(broker, acquire=False)
    broker.dispatch()
    assert seen.bodies == [b"1", b"2", b"3"]
    assert seen.flags == [False] * 3
    other, sink = consume(broker, credit=1)
    broker.dispatch()
    acquired = broker.acquire(seen.got, browser)
    assert [entry.message.body for entry in acquired] == [b"2", b"3"]
    assert broker.queues["q"].held == 3
    assert acquired[0].holder is browser
    broker.dequeue(acquired)
    assert bodies(broker) == [b"1"]
    broker.release(sink.got, True)
    publish(broker, b"4")
    broker.dispatch()
    assert seen.bodies == [b"1", b"2", b"3", b"4"]
    assert other.queue.held == 0


# Redelivered.


def test_everything_is_redelivered_after_promotion() -> None:
    primary = with_queue(ha=True)
    publish(primary, b"1", b"2")
    heir = make_broker(ha=True, serving=False)
    join(primary, heir)
    heir.promote()
    publish(heir, b"3")
    _, sink = consume(heir)
    heir.dispatch()
    assert sink.flags == [True, True, False]


# Expiry.


def test_expired_messages_are_not_delivered() -> None:
    broker = with_queue(ha=True)
    broker.publish(message(b"1", expires_at=10.0), "")
    broker.publish(message(b"2", expires_at=20.0), "")
    broker.publish(message(b"3"), "")
    broker.now = 10.0
    broker.journal.clear()
    _, seen = consume(broker, acquire=False)
    broker.dispatch()
    assert seen.bodies == [b"2", b"3"]
    assert kinds(broker) == [Dequeued]
    broker.now = 20.0
    _, sink = consume(broker)
    broker.dispatch()
    assert sink.bodies == [b"3"]
    assert broker.queues["q"].discards_ttl == 2


def test_expired_messages_are_passed_over_in_turns_too() -> None:
    broker = with_queue()
    sinks = [consume(broker)[1] for _ in range(2)]
    broker.publish(message(b"1", expires_at=10.0), "")
    publish(broker, b"2", b"3")
    broker.now = 11.0
    broker.dispatch()
    assert [sink.bodies for sink in sinks] == [[b"2"], [b"3"]]


def test_a_replica_hides_but_keeps_expired_messages() -> None:
    primary = with_queue(ha=True)
    primary.publish(message(b"1", expires_at=10.0), "")
    publish(primary, b"2")
    replica = make_broker(ha=True, serving=False)
    join(primary, replica)
    replica.now = 11.0
    _, sink = consume(replica, acquire=False)
    replica.dispatch()
    assert sink.bodies == [b"2"]
    assert replica.expire(100)
    assert replica.queues["q"].count == 2
    with refused(Condition.NOT_ALLOWED):
        replica.acquire(sink.got, replica.queues["q"].browsers[0])


def test_expire_is_bounded_and_resumes() -> None:
    broker = with_queue()
    broker.declare_queue("r", actor())
    broker.declare_queue("no ttl", actor())
    publish(broker, *[b""] * 50, key="no ttl")
    for name in ("q", "r"):
        for number in range(10):
            broker.publish(message(key=name, expires_at=float(number % 2)), "")
    _, sink = consume(broker, "r", credit=1)
    broker.dispatch()
    assert len(sink.got) == 0 or sink.got[0].holder is not None
    broker.now = 0.5
    calls = 1
    while not broker.expire(3):
        calls += 1
    assert calls >= 7
    assert [broker.queues[name].count for name in ("q", "r", "no ttl")] == [5, 5, 50]
    assert broker.expire(100)
    broker.now = 2.0
    assert not broker.expire(3)
    broker.delete_queue("r", actor())
    while not broker.expire(3):
        pass
    assert broker.queues["q"].count == 0


def test_a_held_message_does_not_expire() -> None:
    broker = with_queue()
    broker.publish(message(b"1", expires_at=5.0), "")
    _, sink = consume(broker, credit=1)
    broker.dispatch()
    broker.now = 6.0
    assert broker.expire(10)
    assert broker.queues["q"].count == 1
    broker.release(sink.got, True)
    assert broker.expire(10)
    assert broker.queues["q"].count == 0
