"""Purge, move and reroute: what is taken, where it goes, what replicas are told."""

from __future__ import annotations

import pytest

from tanist.core import relocation
from tanist.core.broker import Broker
from tanist.core.records import Dequeued, Entry
from tanist.core.relocation import HeaderFilter, Removal
from tanist.types import Condition
from tests.broker.core.core_model import (
    actor,
    bodies,
    consume,
    make_broker,
    message,
    publish,
    refused,
    replicate,
    replicated_state,
)

RED = HeaderFilter("colour", "red")


def with_queues(*names: str, ha: bool = False, **arguments: object) -> Broker:
    broker = make_broker(ha=ha)
    for name in names or ("q", "r"):
        broker.declare_queue(
            name, actor(), arguments={f"qpid.{key}": value for key, value in arguments.items()}
        )
    broker.journal.clear()
    return broker


def finish(broker: Broker, removal: Removal) -> int:
    """Do all pieces; how many messages were taken."""
    pieces = 1
    while not broker.remove_piece(removal):
        pieces += 1
        assert pieces < 100
    return removal.done


def coloured(broker: Broker, *colours: str) -> None:
    for number, colour in enumerate(colours):
        broker.publish(message(str(number).encode(), header=f"colour={colour}".encode()), "")


# Purge.


@pytest.mark.parametrize(
    ("count", "left"), [(0, []), (2, [b"3"]), (3, []), (9, [])], ids=["all", "two", "three", "nine"]
)
def test_purge_takes_the_oldest(count: int, left: list[bytes]) -> None:
    broker = with_queues()
    publish(broker, b"1", b"2", b"3")
    assert finish(broker, broker.purge_some("q", count, None)) == 3 - len(left)
    assert bodies(broker) == left
    queue = broker.queues["q"]
    assert queue.discards_purge == queue.dequeues == 3 - len(left)


def test_purge_leaves_what_somebody_holds() -> None:
    broker = with_queues()
    publish(broker, b"1", b"2")
    consume(broker, credit=1)
    broker.dispatch()
    assert finish(broker, broker.purge_some("q", 0, None)) == 1
    assert bodies(broker) == [b"1"]


def test_purge_of_an_empty_queue() -> None:
    broker = with_queues(ha=True)
    assert finish(broker, broker.purge_some("q", 0, None)) == 0
    assert broker.journal == []


def test_a_filter_looks_at_one_header() -> None:
    broker = with_queues()
    coloured(broker, "red", "blue", "red", "green")
    publish(broker, b"none")
    assert finish(broker, broker.purge_some("q", 0, RED)) == 2
    assert bodies(broker) == [b"1", b"3", b"none"]
    coloured(broker, "red", "red")
    assert finish(broker, broker.purge_some("q", 1, RED)) == 1
    assert bodies(broker) == [b"1", b"3", b"none", b"1"]


def test_long_work_is_done_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = with_queues()
    total = relocation.PIECE_MESSAGES * 2 + 10
    for number in range(total):
        publish(broker, b"%d" % number)
    removal = broker.move_some("q", "r", 0, None)
    pieces = []
    while True:
        over = broker.remove_piece(removal)
        pieces.append(removal.done)
        publish(broker, b"late")
        if over:
            break
    assert pieces == [relocation.PIECE_MESSAGES, relocation.PIECE_MESSAGES * 2, total]
    assert bodies(broker) == [b"late"] * 3, "what comes later stays"
    assert bodies(broker, "r") == [b"%d" % number for number in range(total)]


def test_large_messages_make_short_pieces() -> None:
    broker = with_queues()
    publish(broker, *[b"x" * (relocation.PIECE_BYTES // 2 + 1)] * 3)
    removal = broker.move_some("q", "r", 0, None)
    done = []
    while not broker.remove_piece(removal):
        done.append(removal.done)
    assert done == [1, 2]
    assert removal.done == 3


def test_a_queue_that_goes_meanwhile_ends_the_work() -> None:
    broker = with_queues()
    publish(broker, b"1")
    removal = broker.purge_some("q", 0, None)
    broker.delete_queue("q", actor())
    assert broker.remove_piece(removal)
    assert removal.done == 0


# Move.


def test_move_is_one_dequeue_and_the_enqueues() -> None:
    broker = with_queues(ha=True)
    publish(broker, b"1", b"2", b"3")
    broker.journal.clear()
    assert finish(broker, broker.move_some("q", "r", 2, None)) == 2
    assert (bodies(broker), bodies(broker, "r")) == ([b"3"], [b"1", b"2"])
    assert [type(record) for record in broker.journal] == [Dequeued, Entry, Entry]
    assert broker.queues["q"].reroutes == 0


def test_consumers_of_the_target_get_what_was_moved() -> None:
    broker = with_queues()
    publish(broker, b"1")
    _, sink = consume(broker, "r")
    finish(broker, broker.move_some("q", "r", 0, None))
    broker.dispatch()
    assert sink.bodies == [b"1"]


def test_a_full_target_refuses_all_of_a_piece() -> None:
    broker = with_queues("q")
    broker.declare_queue("r", actor(), arguments={"qpid.max_count": 2})
    publish(broker, b"1", b"2", b"3")
    with refused(Condition.RESOURCE_LIMIT_EXCEEDED):
        broker.remove_piece(broker.move_some("q", "r", 0, None))
    assert (bodies(broker), bodies(broker, "r")) == ([b"1", b"2", b"3"], [])
    assert finish(broker, broker.move_some("q", "r", 2, None)) == 2


def test_a_ring_as_target_drops_its_oldest() -> None:
    broker = with_queues("q")
    broker.declare_queue("r", actor(), arguments={"qpid.max_count": 2, "qpid.policy_type": "ring"})
    publish(broker, b"old", key="r")
    publish(broker, b"1", b"2", b"3")
    finish(broker, broker.move_some("q", "r", 0, None))
    assert bodies(broker, "r") == [b"2", b"3"]


def test_a_target_that_goes_meanwhile() -> None:
    broker = with_queues()
    broker.declare_exchange("x", "fanout", actor())
    publish(broker, b"1")
    move = broker.move_some("q", "r", 0, None)
    reroute = broker.reroute_some("q", "x", 0, None)
    broker.delete_queue("r", actor())
    broker.delete_exchange("x", actor())
    for removal in (move, reroute):
        with refused(Condition.NOT_FOUND):
            broker.remove_piece(removal)
    assert bodies(broker) == [b"1"]


def test_what_cannot_be_moved() -> None:
    broker = with_queues()
    for source, target in (("missing", "r"), ("q", "missing")):
        with refused(Condition.NOT_FOUND):
            broker.move_some(source, target, 0, None)
    with refused(Condition.ILLEGAL_ARGUMENT):
        broker.move_some("q", "q", 0, None)
    with refused(Condition.ILLEGAL_ARGUMENT):
        broker.move_some("", "q", 0, None)


# Reroute.


def test_reroute_through_an_exchange() -> None:
    broker = with_queues()
    broker.bind("amq.fanout", "r", "", None, actor())
    publish(broker, b"1", b"2")
    assert finish(broker, broker.reroute_some("q", "amq.fanout", 0, None)) == 2
    assert (bodies(broker), bodies(broker, "r")) == ([], [b"1", b"2"])
    assert broker.queues["q"].reroutes == 2
    fanout = broker.exchanges["amq.fanout"]
    assert (fanout.received, fanout.routed, fanout.dropped) == (2, 2, 0)


def test_reroute_through_the_alternate_exchange() -> None:
    broker = with_queues("r")
    broker.declare_queue("q", actor(), alternate_exchange="amq.fanout")
    broker.bind("amq.fanout", "r", "", None, actor())
    publish(broker, b"1")
    assert finish(broker, broker.reroute_some("q", None, 0, None)) == 1
    assert bodies(broker, "r") == [b"1"]
    with refused(Condition.NOT_FOUND):
        broker.reroute_some("r", None, 0, None)


def test_reroute_to_nobody_drops() -> None:
    broker = with_queues()
    publish(broker, b"1")
    assert finish(broker, broker.reroute_some("q", "amq.topic", 0, None)) == 1
    assert bodies(broker) == []
    assert broker.discards_no_route == 1


def test_reroute_to_where_it_was_turns_a_full_queue_round() -> None:
    broker = with_queues("q", max_count=2)
    publish(broker, b"1", b"2")
    assert finish(broker, broker.reroute_some("q", "", 1, None)) == 1
    assert bodies(broker) == [b"2", b"1"]


def test_a_queue_that_takes_nothing_of_its_own_connection() -> None:
    broker = with_queues("q")
    me = actor(object(), origin=7)
    broker.declare_queue("own", me, exclusive=True, arguments={"no-local": True})
    broker.bind("amq.fanout", "own", "", None, me)
    broker.publish(message(b"mine", origin=7), "")
    assert finish(broker, broker.reroute_some("q", "amq.fanout", 0, None)) == 1
    assert bodies(broker, "own") == []
    assert broker.discards_no_route == 0


def test_a_refused_piece_leaves_nothing_for_the_agent() -> None:
    broker = with_queues("q")
    broker.declare_queue("r", actor(), arguments={"qpid.max_count": 1})
    broker.bind("qpid.management", "r", "schema.#", None, actor())
    for _ in range(2):
        broker.queues["q"].insert(
            Entry(message(key="schema.x"), broker.queues["q"], broker.queues["q"].last_position + 1)
        )
    with refused(Condition.RESOURCE_LIMIT_EXCEEDED):
        broker.remove_piece(broker.reroute_some("q", "qpid.management", 0, None))
    assert broker.agent_inbox == []
    assert broker.queues["q"].count == 2


def test_an_unknown_exchange() -> None:
    broker = with_queues()
    with refused(Condition.NOT_FOUND):
        broker.reroute_some("q", "missing", 0, None)


# Replicas.


def test_replicas_agree_afterwards() -> None:
    primary, replica = make_broker(ha=True), make_broker(ha=True, serving=False)
    for name in ("q", "r", "s"):
        primary.declare_queue(name, actor(), alternate_exchange="amq.fanout")
    primary.bind("amq.fanout", "s", "", None, actor())
    publish(primary, *[b"%d" % number for number in range(9)])
    finish(primary, primary.move_some("q", "r", 3, None))
    finish(primary, primary.reroute_some("q", None, 3, None))
    finish(primary, primary.purge_some("q", 2, None))
    replicate(primary, replica)
    assert replicated_state(replica) == replicated_state(primary)
    assert bodies(replica) == [b"8"]
    assert bodies(replica, "r") == [b"0", b"1", b"2"]
    assert bodies(replica, "s") == [b"3", b"4", b"5"]


def test_a_replica_changes_only_its_own_queues() -> None:
    primary, replica = make_broker(ha=True), make_broker(ha=True, serving=False)
    primary.declare_queue("q", actor())
    replicate(primary, replica)
    replica.declare_queue("own", actor())
    replica.bind("amq.fanout", "own", "", None, actor())
    replica.publish(message(key="own"), "")
    for begin in (
        lambda: replica.purge_some("q", 0, None),
        lambda: replica.reroute_some("q", "amq.fanout", 0, None),
        lambda: replica.move_some("q", "own", 0, None),
        lambda: replica.move_some("own", "q", 0, None),
    ):
        with refused(Condition.NOT_ALLOWED):
            begin()
    replica.exchanges["amq.direct"].by_key["own"] = {"q": replica.queues["q"]}
    with refused(Condition.NOT_ALLOWED):
        replica.remove_piece(replica.reroute_some("own", "amq.direct", 0, None))
    assert finish(replica, replica.purge_some("own", 0, None)) == 1
