"""Digests of queues: equal for equal queues, different for all others, made in small pieces."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable

import pytest

from tanist.core.broker import Broker
from tanist.core.digest import DIGITS, PIECE_BYTES, PIECE_MESSAGES, Digests
from tanist.core.message import AMQP_1_0, Message
from tanist.core.queue import Queue
from tanist.core.records import Entry
from tests.broker.core.core_model import actor, consume, make_broker, message, publish


def whole(*queues: Queue) -> dict[str, tuple[int, str]]:
    """The digests of queues: messages and digits by name."""
    digests = Digests(list(queues))
    while not digests.go_on():
        pass
    return {name: (found.messages, found.digest) for name, found in digests.found.items()}


def digest_of(queue: Queue) -> str:
    return whole(queue)[queue.name][1]


def queue_of(*entries: tuple[int, Message]) -> Queue:
    """A queue with messages at positions."""
    queue = make_broker().declare_queue("q", actor())
    for position, each in entries:
        queue.insert(Entry(each, queue, position))
    return queue


def filled(count: int, body: bytes = b"x") -> tuple[Broker, Queue]:
    broker = make_broker(queue_limit_bytes=1 << 40)
    queue = broker.declare_queue("q", actor())
    publish(broker, *[body] * count)
    return broker, queue


def pieces(digests: Digests) -> int:
    """How many pieces are needed from now on."""
    count = 1
    while not digests.go_on():
        count += 1
    return count


# -- what it is ------------------------------------------------------------------------------


def test_it_is_made_of_octets_so_that_every_process_makes_the_same() -> None:
    queue = queue_of((3, message(b"body", "key", "x", b"head")), (5, message(b"", "k")))
    octets = struct.pack(">QBBIIII", 3, 0, 4, 1, 3, 4, 4) + b"xkeyhead" + b"body"
    octets += struct.pack(">QBBIIII", 5, 0, 4, 0, 1, 0, 0) + b"k"
    expected = hashlib.sha256(octets).hexdigest()[:16]
    assert whole(queue) == {"q": (2, expected)}
    assert len(expected) == DIGITS


def test_the_digest_of_an_empty_queue() -> None:
    assert whole(queue_of()) == {"q": (0, hashlib.sha256().hexdigest()[:16])}
    assert whole() == {}


PLAIN = Message(b"h", b"b", "x", "k")


@pytest.mark.parametrize(
    "other",
    [
        Message(b"h", b"c", "x", "k"),
        Message(b"i", b"b", "x", "k"),
        Message(b"", b"hb", "x", "k"),
        Message(b"hb", b"", "x", "k"),
        Message(b"h", b"b", "y", "k"),
        Message(b"h", b"b", "x", "l"),
        Message(b"h", b"b", "xk", ""),
        Message(b"h", b"b", "x", "k", durable=True),
        Message(b"h", b"b", "x", "k", redelivered=True),
        Message(b"h", b"b", "x", "k", bodiless=True),
        Message(b"h", b"b", "x", "k", priority=5),
        Message(b"h", b"b", "x", "k", form=AMQP_1_0),
    ],
)
def test_everything_of_a_message_counts(other: Message) -> None:
    assert digest_of(queue_of((1, PLAIN))) != digest_of(queue_of((1, other)))


def test_times_and_what_is_of_one_broker_do_not_count() -> None:
    other = Message(b"h", b"b", "x", "k", expires_at=5.0, available_at=1.0, origin=7)
    queue = queue_of((1, other))
    queue.entries()[0].deliveries = 3
    assert digest_of(queue_of((1, PLAIN))) == digest_of(queue)


def test_order_and_positions_count() -> None:
    one, two = message(b"one"), message(b"two")
    found = {
        digest_of(queue_of(*entries))
        for entries in (
            ((1, one), (2, two)),
            ((1, two), (2, one)),
            ((1, one), (3, two)),
            ((1, one),),
            ((2, two),),
        )
    }
    assert len(found) == 5


def test_what_somebody_holds_counts_as_well() -> None:
    broker, queue = filled(3)
    before = whole(queue)
    consume(broker, credit=2)
    assert whole(queue) == before


# -- in pieces -------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [PIECE_MESSAGES - 1, PIECE_MESSAGES, PIECE_MESSAGES + 1, 5_000])
def test_many_messages_take_many_pieces(count: int) -> None:
    _, queue = filled(count)
    digests = Digests([queue])
    needed = pieces(digests)
    assert count / PIECE_MESSAGES <= needed <= count / PIECE_MESSAGES + 2
    assert digests.found["q"].messages == count


def test_a_piece_looks_at_no_more_than_its_messages() -> None:
    _, queue = filled(3 * PIECE_MESSAGES)
    digests = Digests([queue])
    assert not digests.go_on()
    for entry in queue.entries()[PIECE_MESSAGES:]:
        entry.message = message(b"other")
    while not digests.go_on():
        pass
    mixed = digests.found["q"].digest
    assert mixed == digest_of(queue), "what was changed had not been looked at"


@pytest.mark.parametrize("size", [PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 1_900_000])
def test_a_long_body_takes_many_pieces(size: int) -> None:
    body = bytes(range(251)) * (size // 251 + 1)
    _, queue = filled(3, body[:size])
    digests = Digests([queue])
    needed = pieces(digests)
    assert 3 * size / PIECE_BYTES <= needed <= 3 * size / PIECE_BYTES + 2
    octets = b"".join(
        struct.pack(">QBBIIII", position, 0, 4, 0, 1, 0, size) + b"q" + body[:size]
        for position in (1, 2, 3)
    )
    assert digests.found["q"].digest == hashlib.sha256(octets).hexdigest()[:16]


def test_many_empty_queues_take_many_pieces() -> None:
    broker = make_broker()
    queues = [broker.declare_queue(f"q{n}", actor()) for n in range(2 * PIECE_MESSAGES + 1)]
    digests = Digests(queues)
    assert pieces(digests) == 3
    assert len(digests.found) == len(queues)


# -- while the queue is in use -----------------------------------------------------------------


def test_what_comes_later_is_not_looked_at() -> None:
    broker, queue = filled(2 * PIECE_MESSAGES)
    before = whole(queue)
    digests = Digests([queue])
    for _ in range(3):
        digests.go_on()
        publish(broker, *[b"more"] * (2 * PIECE_MESSAGES))
    assert (digests.found["q"].messages, digests.found["q"].digest) == before["q"]


def take_the_front(queue: Queue) -> int:
    return queue.remove([entry.position for entry in queue.entries()[: PIECE_MESSAGES + 300]])


def take_all(queue: Queue) -> int:
    return queue.remove([entry.position for entry in queue.entries()])


@pytest.mark.parametrize(
    ("take", "left"), [(take_the_front, 2 * PIECE_MESSAGES - 300), (take_all, 0)]
)
def test_messages_may_go_meanwhile(take: Callable[[Queue], int], left: int) -> None:
    _, queue = filled(3 * PIECE_MESSAGES)
    digests = Digests([queue])
    assert not digests.go_on()
    take(queue)
    while not digests.go_on():
        pass
    assert digests.found["q"].messages == PIECE_MESSAGES + left


def test_a_message_that_goes_while_its_body_is_hashed_is_hashed_whole() -> None:
    _, queue = filled(1, b"x" * (3 * PIECE_BYTES))
    before = whole(queue)
    digests = Digests([queue])
    assert not digests.go_on()
    take_all(queue)
    while not digests.go_on():
        pass
    assert digests.found["q"].digest == before["q"][1]


def test_a_queue_that_is_deleted_meanwhile_has_none() -> None:
    broker, queue = filled(2 * PIECE_MESSAGES)
    other = broker.declare_queue("other", actor())
    digests = Digests([queue, other])
    assert not digests.go_on()
    broker.delete_queue("q", actor(), False, False)
    while not digests.go_on():
        pass
    assert list(digests.found) == ["other"]
