from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.core.broker import Broker
from tanist.core.records import (
    Bound,
    Dequeued,
    Entry,
    ExchangeDeclared,
    ExchangeDeleted,
    QueueDeclared,
    QueueDeleted,
    QueueUsed,
    Record,
    Unbound,
)
from tanist.core.subscription import Subscription
from tanist.types import BrokerError, Condition
from tests.broker.core.core_model import (
    RecordingSink,
    actor,
    bodies,
    consume,
    copy_record,
    feed,
    fill,
    join,
    make_broker,
    message,
    publish,
    refused,
    replicate,
    replicated_state,
)

ALL: dict[str, object] = {"qpid.replicate": "all"}
QUEUES = ["a", "b", "c", "d"]
EXCHANGES = ["x", "y", "amq.direct", "amq.topic", "amq.fanout", "amq.match", "amq.failover"]
KEYS = ["a", "b", "k", "#", "*.k"]
LEVELS = [None, None, None, "none", "configuration", "all"]


class Random:
    """Interprets random numbers as commands on a primary; what is refused does nothing."""

    def __init__(self) -> None:
        self.primary = make_broker(ha=True, failover=message(b"", "f", "amq.failover", b"urls"))
        self.sink = RecordingSink()
        self.subscriptions: list[Subscription] = []
        self.owners = [actor(object()), actor(object()), actor()]
        self.count = 0
        self.commands: list[Callable[[int], object]] = [
            self.publish,
            self.publish,
            self.publish,
            self.declare_queue,
            self.declare_queue,
            self.delete_queue,
            self.declare_exchange,
            self.delete_exchange,
            self.bind,
            self.bind,
            self.unbind,
            self.subscribe,
            self.cancel,
            self.dispatch,
            self.accept,
            self.release,
            self.reject,
            self.purge,
            self.expire,
            self.end_session,
        ]

    def run(self, step: int) -> None:
        with contextlib.suppress(BrokerError):
            self.commands[step % len(self.commands)](step // len(self.commands))

    def arguments(self, number: int) -> dict[str, object]:
        level = LEVELS[number % len(LEVELS)]
        arguments: dict[str, object] = {} if level is None else {"qpid.replicate": level}
        if number % 7 == 0:
            arguments["qpid.max_count"] = 3
        if number % 11 == 0:
            arguments["qpid.auto_delete_timeout"] = 2
        return arguments

    def publish(self, number: int) -> None:
        self.count += 1
        exchange = (["", "", "", *EXCHANGES])[number % (3 + len(EXCHANGES))]
        sent = message(
            str(self.count).encode(),
            (QUEUES + KEYS)[number // 7 % 9],
            exchange,
            b"h=1" if number % 2 else b"",
            self.primary.now + number % 5 if number % 3 == 0 else float("inf"),
        )
        self.primary.publish(sent, exchange)

    def declare_queue(self, number: int) -> None:
        self.primary.declare_queue(
            QUEUES[number % 4],
            self.owners[number // 4 % 3],
            exclusive=number % 5 == 0,
            auto_delete=number % 3 == 0,
            durable=number % 2 == 0,
            alternate_exchange=(["", "", *EXCHANGES])[number // 3 % 9],
            arguments=self.arguments(number // 2),
        )

    def delete_queue(self, number: int) -> None:
        self.primary.delete_queue(QUEUES[number % 4], actor(), number % 5 == 0, number % 3 == 0)

    def declare_exchange(self, number: int) -> None:
        self.primary.declare_exchange(
            EXCHANGES[number % 2],
            ["direct", "topic", "fanout", "headers"][number // 2 % 4],
            actor(),
            alternate_exchange=(["", "", *EXCHANGES])[number // 3 % 9],
            arguments=self.arguments(number // 2),
        )

    def delete_exchange(self, number: int) -> None:
        self.primary.delete_exchange(EXCHANGES[number % 3], actor(), number % 5 == 0)

    def bind(self, number: int) -> None:
        arguments: dict[str, object] = {"x-match": "any", "h": "1"}
        if number % 6 == 0:
            arguments["qpid.replicate"] = "none"
        if number % 8 == 0:
            arguments["qpid.exclusive-binding"] = 1
        self.primary.bind(
            EXCHANGES[number % 7], QUEUES[number // 7 % 4], KEYS[number % 5], arguments, actor()
        )

    def unbind(self, number: int) -> None:
        self.primary.unbind(
            EXCHANGES[number % 7], QUEUES[number // 7 % 4], KEYS[number % 5], actor()
        )

    def subscribe(self, number: int) -> None:
        subscription, _ = consume(
            self.primary,
            QUEUES[number % 4],
            number % 6,
            self.sink,
            number % 3 != 0,
            self.owners[number // 4 % 3],
            number % 7 == 0,
        )
        self.subscriptions.append(subscription)

    def cancel(self, number: int) -> None:
        if self.subscriptions:
            self.primary.cancel(self.subscriptions.pop(number % len(self.subscriptions)))

    def dispatch(self, number: int) -> None:
        for subscription in self.subscriptions:
            if not subscription.closed:
                self.primary.flow(subscription, 0, number % 4)
        self.primary.dispatch()

    def some(self, number: int) -> list[Entry]:
        held = [entry for entry in self.sink.got if entry.holder is not None]
        return held[: number % 5]

    def accept(self, number: int) -> None:
        self.primary.dequeue(self.some(number) + self.sink.got[:1])

    def release(self, number: int) -> None:
        self.primary.release(self.some(number), number % 2 == 0)

    def reject(self, number: int) -> None:
        self.primary.reject(self.some(number))

    def purge(self, number: int) -> None:
        self.primary.purge(QUEUES[number % 4], actor())

    def expire(self, number: int) -> None:
        self.primary.now += number % 3
        self.primary.expire(number % 4)
        self.primary.tick()

    def end_session(self, number: int) -> None:
        self.primary.release_owner(self.owners[number % 3].owner)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(0, 20 * 5040), max_size=80), st.integers(0, 80))
def test_replicas_are_equal_at_every_point(steps: list[int], joins_at: int) -> None:
    play = Random()
    primary = play.primary
    replica = make_broker(ha=True, serving=False)
    late = make_broker(ha=True, serving=False)
    for index, step in enumerate(steps):
        if index == joins_at:
            feed(late, primary.configuration())
        play.run(step)
        if index >= joins_at:
            feed(late, primary.journal)
        replicate(primary, replica)
        assert replicated_state(replica) == replicated_state(primary)
        assert replica.journal == []
        assert replica.notices == []
    if joins_at >= len(steps):
        feed(late, primary.configuration())
    fill(primary, late)  # the old messages come last
    assert replicated_state(late) == replicated_state(primary)
    whole = make_broker(ha=True, serving=False)
    join(primary, whole)
    assert replicated_state(whole) == replicated_state(primary)
    check_indexes(primary)
    check_indexes(replica)
    replica.clear_replicated()
    assert replicated_state(replica) == replicated_state(make_broker(ha=True))
    assert replica.alternate_uses == {}


def check_indexes(broker: Broker) -> None:
    """The derived structures agree with the primary ones."""
    uses: dict[str, int] = {}
    names = [queue.alternate_exchange for queue in broker.queues.values()]
    names += [exchange.alternate_exchange for exchange in broker.exchanges.values()]
    for name in filter(None, names):
        uses[name] = uses.get(name, 0) + 1
    assert broker.alternate_uses == uses
    assert list(broker.default_exchange.routes) == list(broker.queues)
    for exchange in broker.exchanges.values():
        pairs = {
            (queue, identity) for identity, queues in exchange.by_key.items() for queue in queues
        }
        assert pairs == set(exchange.bindings)
        for (name, identity), binding in exchange.bindings.items():
            queue = broker.queues[name]
            assert binding.queue is queue
            assert queue.bindings[exchange.name, identity] is binding
    for queue in broker.queues.values():
        entries = queue.entries()
        assert queue.count == len(entries)
        assert queue.bytes == sum(entry.message.size for entry in entries)
        assert queue.held == sum(entry.holder is not None for entry in entries)
        assert queue.expiring == sum(entry.message.expires_at < 1e9 for entry in entries)
        for exchange_name, _ in queue.bindings:
            assert exchange_name in broker.exchanges


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 20 * 5040), max_size=60), st.lists(st.integers(0, 20 * 5040)))
def test_a_promoted_replica_goes_on(before: list[int], after: list[int]) -> None:
    """An old follower keeps following when one that came by snapshot is promoted."""
    play = Random()
    primary = play.primary
    follower = make_broker(ha=True, serving=False)
    for step in before:
        play.run(step)
        replicate(primary, follower)
    heir = make_broker(ha=True, serving=False, failover=message(b"", "f", "amq.failover"))
    join(primary, heir)
    heir.promote()
    play.primary = heir
    play.subscriptions = []
    play.sink.got = []
    for step in after:
        play.run(step)
        replicate(heir, follower)
        assert replicated_state(follower) == replicated_state(heir)


def test_a_batch_of_a_transaction_applies_whole() -> None:
    primary = make_broker(ha=True)
    replica = make_broker(ha=True, serving=False)
    primary.declare_queue("q", actor())
    publish(primary, b"1", b"2")
    _, sink = consume(primary)
    primary.dispatch()
    replicate(primary, replica)
    # A session that commits runs its buffered commands in one go; the journal holds all of them.
    publish(primary, b"3")
    primary.dequeue(sink.got)
    assert [type(record) for record in primary.journal] == [Entry, Dequeued]
    assert bodies(replica) == [b"1", b"2"]
    replicate(primary, replica)
    assert bodies(replica) == bodies(primary) == [b"3"]


def test_old_messages_may_come_in_between_what_happens_now() -> None:
    primary = make_broker(ha=True)
    primary.declare_queue("q", actor())
    publish(primary, b"1", b"2")
    primary.journal.clear()
    replica = make_broker(ha=True, serving=False)
    feed(replica, primary.configuration())
    publish(primary, b"3")
    primary.dequeue(primary.queues["q"].entries()[:1])
    replicate(primary, replica)
    assert bodies(replica) == [b"3"]
    fill(primary, replica)
    assert bodies(replica) == [b"2", b"3"]
    assert replicated_state(replica) == replicated_state(primary)


def test_an_old_message_is_no_newer_than_the_queue() -> None:
    replica = make_broker(ha=True, serving=False)
    primary = make_broker(ha=True)
    primary.declare_queue("q", actor())
    feed(replica, primary.configuration())
    publish(primary, b"1")
    with pytest.raises(BrokerError, match="old position 1 of queue q"):
        fill(primary, replica)


def test_a_queue_whose_messages_are_not_replicated_has_no_numbering() -> None:
    primary, early, late = (make_broker(ha=True, serving=n == 0) for n in range(3))
    primary.declare_queue("q", actor(), arguments={"qpid.replicate": "configuration"})
    replicate(primary, early)
    publish(primary, b"1")
    assert primary.journal == []
    feed(late, primary.configuration())
    assert early.queues["q"].last_position == late.queues["q"].last_position == 0


def test_configuration_says_where_the_numbering_stands() -> None:
    primary = make_broker(ha=True)
    primary.declare_queue("q", actor())
    publish(primary, b"1", b"2")
    primary.purge("q", actor())
    replica = make_broker(ha=True, serving=False)
    feed(replica, primary.configuration())
    assert replica.queues["q"].last_position == 2
    replica.promote()
    publish(replica, b"3")
    assert replica.queues["q"].entries()[0].position == 3


def test_a_replica_replaces_local_objects() -> None:
    replica = make_broker(ha=True, serving=False)
    replica.declare_queue("q", actor())
    replica.declare_exchange("x", "direct", actor())
    replica.bind("x", "q", "k", None, actor())
    publish(replica, b"local")
    browser, sink = consume(replica, acquire=False)
    replica.apply(QueueDeclared("q", 4, True, False, False, "", dict(ALL)))
    replica.apply(ExchangeDeclared("x", "topic", True, "", dict(ALL)))
    assert replica.queues["q"].count == 0
    assert replica.queues["q"].number == 4
    assert replica.exchanges["x"].type == "topic"
    assert replica.exchanges["x"].bindings == {}
    assert browser.closed
    assert sink.closings == []
    assert replica.next_number == 5


def test_an_alternate_may_be_missing_on_a_replica() -> None:
    replica = make_broker(ha=True, serving=False)
    replica.apply(QueueDeclared("q", 1, False, False, False, "local to the primary", dict(ALL)))
    replica.promote()
    publish(replica, b"1")
    _, sink = consume(replica)
    replica.dispatch()
    replica.reject(sink.got)
    assert replica.queues["q"].count == 0
    replica.delete_queue("q", actor())
    assert replica.alternate_uses == {}


@pytest.mark.parametrize(
    "record",
    [
        QueueDeclared("new", 1, False, False, False, "", {}),
        QueueDeclared("new", 0, False, False, False, "", {}),
        QueueDeleted("missing", 3),
        QueueDeleted("local", 0),
        QueueUsed("missing", 3),
        ExchangeDeleted("missing"),
        ExchangeDeleted("amq.direct"),
        ExchangeDeclared("amq.direct", "direct", True, "", {}),
        Bound("missing", "q", "k", {}),
        Bound("amq.direct", "missing", "k", {}),
        Unbound("missing", "q", "k"),
        Unbound("amq.direct", "local", "k"),
        Record(),
    ],
)
def test_what_cannot_follow_is_refused(record: Record) -> None:
    replica = make_broker(ha=True, serving=False)
    replica.apply(QueueDeclared("q", 1, False, False, False, "", dict(ALL)))
    replica.declare_queue("local", actor())
    with refused(Condition.ILLEGAL_STATE):
        replica.apply(record)


def test_positions_must_grow() -> None:
    replica = make_broker(ha=True, serving=False)
    replica.apply(QueueDeclared("q", 1, False, False, False, "", dict(ALL)))
    queue = replica.queues["q"]
    replica.apply(Entry(message(), queue, 5))
    replica.apply(Dequeued(queue, [7]))
    replica.apply(Dequeued(queue, []))
    for position in (5, 7):
        with refused(Condition.ILLEGAL_STATE):
            replica.apply(Entry(message(), queue, position))
    replica.apply(QueueDeleted("q", 1))
    with refused(Condition.ILLEGAL_STATE):
        replica.apply(Entry(message(), queue, 9))


def test_applying_a_binding_twice_is_once() -> None:
    replica = make_broker(ha=True, serving=False)
    replica.apply(QueueDeclared("q", 1, False, False, False, "", dict(ALL)))
    for _ in range(2):
        replica.apply(Bound("amq.direct", "q", "k", {}))
    assert len(replica.queues["q"].bindings) == 1
    for _ in range(2):
        replica.apply(Unbound("amq.direct", "q", "k"))
    assert replica.queues["q"].bindings == {}


def test_copies_share_nothing() -> None:
    primary = make_broker(ha=True)
    replica = make_broker(ha=True, serving=False)
    primary.declare_queue("q", actor())
    replicate(primary, replica)
    publish(primary, b"1")
    copy = copy_record(primary.journal[0], replica)
    assert isinstance(copy, Entry)
    assert copy.queue is replica.queues["q"]
    assert copy.message is not primary.queues["q"].entries()[0].message


def test_the_failover_exchange_is_as_in_the_original() -> None:
    """Captures 21 and 23: exchange.query says not durable and has no arguments."""
    exchange = make_broker().exchanges["amq.failover"]
    assert (exchange.type, exchange.durable) == ("amq.failover", False)
    assert exchange.arguments == {}
    assert exchange.builtin
