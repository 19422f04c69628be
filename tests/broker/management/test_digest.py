"""The method digest: equal on replicas, red when one is touched, errors for wrong arguments."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from tanist.core.broker import Broker
from tanist.core.digest import PIECE_MESSAGES
from tanist.core.message import AMQP_1_0, Message
from tanist.core.notices import Actor
from tanist.core.queue import Queue
from tanist.core.records import Entry
from tanist.management.digest import QUEUES_PER_ANSWER, digest
from tanist.management.ha_broker import HaBroker, HaOperations, QueueReplication
from tanist.management.managed import InvalidParameter, Work
from tanist.wire.amqp010.values import Value
from tests.broker.ha.records_model import (
    ACTOR,
    apply,
    batch,
    drained,
    fill,
    messages_of,
    new_primary,
    publish,
    replica_of,
)
from tests.broker.management.management_model import ADMIN, finish

GUEST = Actor("guest@QPID", "host:2", object())
"""A session that owns queues."""


class Operations(HaOperations):
    """Of a broker that stands still."""

    def ha_status(self) -> str:
        return "ready"

    def ha_details(self) -> dict[str, Value]:
        return {"epoch": 2, "index": 40, "applied": 39, "backups": []}


def standing(index: int = 40) -> dict[str, Value]:
    """Where the broker stands."""
    return {"status": "ready", "epoch": 2, "index": index, "applied": 39}


def ask(broker: Broker, **arguments: Value) -> dict[str, Value]:
    """The out arguments of the method."""
    return finish(digest(broker, standing, arguments))


def queues_of(broker: Broker, **arguments: Value) -> dict[str, Value]:
    queues = ask(broker, **arguments)["queues"]
    assert isinstance(queues, dict)
    return queues


def a_primary() -> Broker:
    """Two replicated queues and others, with messages of all kinds."""
    primary = new_primary()
    for name in ("q", "r"):
        primary.declare_queue(name, ACTOR)
    primary.declare_queue("here", ACTOR, arguments={"qpid.replicate": "none"})
    primary.declare_queue("empty there", ACTOR, arguments={"qpid.replicate": "configuration"})
    primary.declare_queue("temporary", GUEST, exclusive=True, auto_delete=True)
    for name in ("q", "r", "here", "empty there", "temporary"):
        publish(primary, name, b"one")
        publish(primary, name, b"two", durable=True, priority=9)
    publish(primary, "q", b"\x00\x53\x75\xa0\x01x", form=AMQP_1_0, redelivered=True)
    publish(primary, "q", b"", bodiless=True)
    publish(primary, "q", b"late", expires_at=77.1234, available_at=5.4321)
    return primary


def a_replica(primary: Broker) -> Broker:
    return replica_of(batch(drained(primary)))


# -- replicas --------------------------------------------------------------------------------


def test_queues_that_are_replicated_with_their_messages_have_a_digest() -> None:
    out = ask(a_primary())
    queues = out.pop("queues")
    assert out == {
        "status": "ready",
        "epoch": 2,
        "index": 40,
        "applied": 39,
        "quiet": True,
        "next": 0,
    }
    assert isinstance(queues, dict)
    assert list(queues) == ["q", "r"]
    q, r = queues["q"], queues["r"]
    assert isinstance(q, dict)
    assert isinstance(r, dict)
    assert (q["messages"], r["messages"]) == (5, 2)
    assert len(str(q["digest"])) == len(str(r["digest"])) == 16
    assert q["digest"] != r["digest"]


def test_a_backup_that_follows_is_equal() -> None:
    primary = a_primary()
    backup = a_replica(primary)
    assert queues_of(backup) == queues_of(primary)
    publish(primary, "q", b"three")
    assert queues_of(backup) != queues_of(primary), "not there yet"
    apply(backup, batch(drained(primary)))
    assert queues_of(backup) == queues_of(primary)
    primary.dequeue(primary.queues["q"].entries()[1:3])
    assert queues_of(backup) != queues_of(primary), "not gone yet"
    apply(backup, batch(drained(primary)))
    assert queues_of(backup) == queues_of(primary)


def test_a_backup_that_was_filled_is_equal() -> None:
    primary = a_primary()
    primary.dequeue(primary.queues["q"].entries()[:1])
    backup = replica_of(batch(primary.configuration()))
    fill(backup, batch(messages_of(primary)))
    assert queues_of(backup) == queues_of(primary)


def change_a_body(queue: Queue) -> None:
    queue.entries()[0].message.body = b"onE"


def change_a_priority(queue: Queue) -> None:
    queue.entries()[0].message.priority = 0


def change_the_order(queue: Queue) -> None:
    first, second = queue.entries()[:2]
    first.message, second.message = second.message, first.message


def change_a_position(queue: Queue) -> None:
    last = queue.entries()[-1]
    queue.remove([last.position])
    queue.insert(Entry(last.message, queue, last.position + 1))


def lose_one(queue: Queue) -> None:
    queue.remove([queue.entries()[0].position])


def add_one(queue: Queue) -> None:
    queue.insert(Entry(Message(b"", b"", "", "q"), queue, queue.last_position + 1))


@pytest.mark.parametrize(
    ("damage", "count"),
    [
        (change_a_body, 5),
        (change_a_priority, 5),
        (change_the_order, 5),
        (change_a_position, 5),
        (lose_one, 4),
        (add_one, 6),
    ],
)
def test_a_damaged_backup_is_not_equal(damage: Callable[[Queue], None], count: int) -> None:
    primary = a_primary()
    backup = a_replica(primary)
    damage(backup.queues["q"])
    here, there = queues_of(primary), queues_of(backup)
    assert here["r"] == there["r"]
    q, damaged = here["q"], there["q"]
    assert isinstance(q, dict)
    assert isinstance(damaged, dict)
    assert q["digest"] != damaged["digest"]
    assert (q["messages"], damaged["messages"]) == (5, count)


# -- one queue, many queues --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["r", b"r"])
def test_one_queue(name: Value) -> None:
    primary = a_primary()
    assert queues_of(primary, queue=name) == {"r": queues_of(primary)["r"]}
    assert ask(primary, queue=name)["next"] == 0


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"queue": "nowhere"}, "Queue not found: nowhere"),
        ({"queue": "here"}, "The messages of queue here are not replicated"),
        ({"queue": "empty there"}, "The messages of queue empty there are not replicated"),
        ({"queue": "temporary"}, "The messages of queue temporary are not replicated"),
        ({"queue": 7}, "queue must be text, not '7'"),
        ({"after": -1}, "after must be a number of 0 or more"),
        ({"after": "q"}, "after must be a number of 0 or more"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Value], why: str) -> None:
    with pytest.raises(InvalidParameter) as error:
        ask(a_primary(), **arguments)
    assert why in error.value.text


def test_many_queues_come_in_several_answers() -> None:
    primary = new_primary()
    for number in range(2 * QUEUES_PER_ANSWER + 1):
        primary.declare_queue(f"q{number}", ACTOR)
    found: dict[str, Value] = {}
    sizes: list[int] = []
    after: Value = 0
    while not sizes or after:
        out = ask(primary, after=after)
        queues, after = out["queues"], out["next"]
        assert isinstance(queues, dict)
        sizes.append(len(queues))
        found |= queues
    assert sizes == [QUEUES_PER_ANSWER, QUEUES_PER_ANSWER, 1]
    assert len(found) == 2 * QUEUES_PER_ANSWER + 1


def test_an_exact_number_of_queues_leaves_nothing_to_ask_for() -> None:
    primary = new_primary()
    for number in range(QUEUES_PER_ANSWER):
        primary.declare_queue(f"q{number}", ACTOR)
    assert ask(primary)["next"] == 0


def test_a_broker_without_queues() -> None:
    assert ask(new_primary())["queues"] == {}


# -- how it is carried out ---------------------------------------------------------------------


def test_a_piece_is_bounded_and_a_change_meanwhile_is_told() -> None:
    primary = new_primary()
    primary.declare_queue("q", ACTOR)
    for _ in range(3 * PIECE_MESSAGES):
        publish(primary, "q")
    indexes = iter((40, 41))
    work = digest(primary, lambda: standing(next(indexes)), {})
    assert work.go_on() is None
    assert work.go_on() is None
    out = finish(work)
    assert (out["index"], out["quiet"]) == (40, False)


def test_the_habroker_has_it_and_waits_for_no_backup() -> None:
    ha_broker = HaBroker(Operations(), QueueReplication(), a_primary(), UUID(int=3), "all", 0)
    assert "digest" in ha_broker.methods()
    assert not ha_broker.changes("digest")
    work = ha_broker.call("digest", {"queue": "r"}, ADMIN)
    assert isinstance(work, Work)
    out = finish(work)
    queues = out["queues"]
    assert isinstance(queues, dict)
    assert list(queues) == ["r"]
    assert {name: out[name] for name in standing()} == standing()
