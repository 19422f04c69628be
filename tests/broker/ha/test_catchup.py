"""Catching up: whatever happens meanwhile, and wherever it is cut, the backup becomes equal."""

from __future__ import annotations

from random import Random
from uuid import UUID

import pytest

from tanist.core.broker import Broker, BrokerConfig
from tanist.core.message import Message
from tanist.core.notices import Actor
from tanist.ha.catchup import CHUNK_BYTES, CHUNK_RECORDS, CatchUp
from tanist.ha.codec import RecordReader, RecordWriter
from tanist.ha.messages import (
    FILL_HEAD_OCTETS,
    SNAPSHOT_HEAD_OCTETS,
    FillHead,
    decode_fill_head,
    decode_snapshot_head,
)
from tanist.types import ReplicationLevel

ACTOR = Actor("u", "h:1")
ROOMY = {"qpid.max_count": 10**6}


def new_broker() -> Broker:
    numbers = iter(range(1, 10**6))
    return Broker(
        BrokerConfig(ha=True, default_level=ReplicationLevel.ALL),
        lambda: UUID(int=next(numbers)),
        lambda message: {},
    )


def new_primary(*queues: str) -> Broker:
    broker = new_broker()
    broker.promote()
    for name in queues:
        broker.declare_queue(name, ACTOR, arguments=ROOMY)
    broker.journal.clear()
    return broker


def publish(broker: Broker, queue: str, count: int = 1, body: bytes = b"x") -> None:
    for _ in range(count):
        broker.publish(Message(b"", body, "", queue), "")


class Follower:
    """A replica that is caught up, chunk by chunk, as a backup would be."""

    def __init__(self, primary: Broker) -> None:
        self.primary = primary
        self.broker = new_broker()
        self.catch_up = CatchUp(primary)
        self.reader = RecordReader()
        self.writer = RecordWriter()
        self.heads: list[FillHead] = []

    def configure(self) -> None:
        while not self.catch_up.configured:
            data = self.catch_up.next_configuration(self.writer)
            last, count = decode_snapshot_head(data)
            assert last is self.catch_up.configured
            self.reader.apply(self.broker, data, SNAPSHOT_HEAD_OCTETS, count)

    def follow(self) -> None:
        """Take the batch of what happened at the primary."""
        records, self.primary.journal = self.primary.journal, []
        data = self.writer.encode(records)
        self.reader.apply(self.broker, data, 0, len(records))

    def fill(self) -> FillHead:
        """Take one chunk of old messages."""
        data = self.catch_up.next_messages(self.primary, self.writer, 77)
        head = decode_fill_head(data)
        assert head.last is self.catch_up.whole
        self.reader.fill(self.broker, data, FILL_HEAD_OCTETS, head.count)
        self.heads.append(head)
        return head

    def reconnect(self) -> None:
        """The link was cut; go on behind the last chunk."""
        last = self.heads[-1]
        self.catch_up = CatchUp(self.primary, last.queue, last.position)


def contents(broker: Broker) -> dict[str, list[tuple[int, bytes]]]:
    return {
        queue.name: [(entry.position, entry.message.body) for entry in queue.entries()]
        for queue in broker.queues_by_number.values()
    }


def test_an_empty_primary_is_told_in_two_messages() -> None:
    follower = Follower(new_primary())
    follower.configure()
    head = follower.fill()
    assert (head.last, head.count, head.done, head.total, head.state_at) == (True, 0, 0, 0, 77)


def test_old_messages_come_in_chunks_that_say_how_far_they_are() -> None:
    primary = new_primary("a", "b")
    publish(primary, "a", CHUNK_RECORDS + 20)
    publish(primary, "b", 30)
    follower = Follower(primary)
    follower.configure()
    first, second = follower.fill(), follower.fill()
    total = CHUNK_RECORDS + 50
    assert (first.last, first.done, first.total) == (False, CHUNK_RECORDS, total)
    assert (first.queue, first.position) == (1, CHUNK_RECORDS)
    assert (second.last, second.done, second.total) == (True, total, total)
    assert contents(follower.broker) == contents(primary)


def test_large_messages_end_a_chunk() -> None:
    primary = new_primary("a", "b")
    publish(primary, "a", 2, b"y" * CHUNK_BYTES)
    publish(primary, "b", 1, b"y" * CHUNK_BYTES)
    follower = Follower(primary)
    follower.configure()
    heads = [follower.fill() for _ in range(3)]
    assert [(head.count, head.last) for head in heads] == [(1, False), (1, False), (1, True)]
    assert [(head.queue, head.position) for head in heads[:2]] == [(1, 1), (1, 2)]
    assert contents(follower.broker) == contents(primary)


def test_a_queue_that_is_gone_is_passed_over() -> None:
    primary = new_primary("a", "b", "c")
    for name in "abc":
        publish(primary, name, 2)
    follower = Follower(primary)
    primary.journal.clear()
    follower.configure()
    primary.delete_queue("b", ACTOR)
    follower.follow()
    head = follower.fill()
    assert (head.last, head.count) == (True, 4)


def test_what_comes_meanwhile_is_left_to_the_log() -> None:
    primary = new_primary("a")
    publish(primary, "a", 3)
    primary.journal.clear()
    follower = Follower(primary)
    follower.configure()
    publish(primary, "a", 5)
    assert follower.fill().count == 3


def test_going_on_from_a_queue_that_is_gone_begins_the_next_one() -> None:
    primary = new_primary("a", "b")
    publish(primary, "b", 5)
    primary.delete_queue("a", ACTOR)
    catch_up = CatchUp(primary, 1, 300)
    head = decode_fill_head(catch_up.next_messages(primary, RecordWriter(), 1))
    assert (head.count, head.last) == (5, True)


class Play:
    """A primary on which anything happens, from one seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.names = [f"q{number}" for number in range(4)]
        self.primary = new_primary(*self.names)

    def happen(self) -> None:
        random, primary = self.random, self.primary
        name = random.choice(self.names)
        what = random.choices(
            ("publish", "dequeue", "delete", "declare", "purge"), (10, 6, 1, 2, 1)
        )[0]
        if what == "declare":
            primary.declare_queue(name, ACTOR, arguments=ROOMY)
        elif name not in primary.queues:
            return
        elif what == "publish":
            publish(primary, name, random.randrange(1, 400), bytes((random.randrange(256),)))
        elif what == "dequeue":
            entries = primary.queues[name].entries()
            primary.dequeue(random.sample(entries, random.randrange(len(entries) + 1)))
        elif what == "delete":
            primary.delete_queue(name, ACTOR)
        else:
            primary.purge(name, ACTOR)


@pytest.mark.parametrize("seed", range(60))
def test_whatever_happens_meanwhile_the_backup_becomes_equal(seed: int) -> None:
    play = Play(seed)
    for _ in range(30):
        play.happen()
    play.primary.journal.clear()
    follower = Follower(play.primary)
    follower.configure()
    while not follower.catch_up.whole:
        for _ in range(play.random.randrange(3)):
            play.happen()
        follower.follow()
        follower.fill()
        if play.random.random() < 0.3 and not follower.catch_up.whole:
            for _ in range(play.random.randrange(3)):
                play.happen()
            follower.follow()
            follower.reconnect()
    assert contents(follower.broker) == contents(play.primary)
    play.happen()
    follower.follow()
    assert contents(follower.broker) == contents(play.primary)
