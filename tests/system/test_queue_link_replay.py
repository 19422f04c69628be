"""The recorded replication link of an original backup, both sides of it against ours.

Capture 25 is a backup of the original that joined a primary of the original: one session for each
queue, each a replicating subscription. The backup's octets are fed to a broker of ours whose queues
stand where the recorded ones stood: what it sends on these sessions must be what the primary sent,
octet for octet. Then the primary's transfers are played to a copy of ours: it must accept what the
backup accepted, and hold what the backup held.
"""

from __future__ import annotations

import pytest
from replay import Decoder, Said, chunks_of
from subjects import NodeSubject, RecordedClient

from tanist.ha.queue_link import decode_ids
from tanist.wire.amqp010.codec import make
from tanist.wire.amqp010.transfer import encode_transfer, scan_header
from tanist.wire.amqp010.values import Struct
from tests.broker.node.copying import queue_on, replicate, standalone, state_of
from tests.broker.node.network import Guest, Host, Network
from tests.broker.node.test_inflow import Source
from tests.broker.node.test_links import Lone

LINK = "25-backup-link-of-the-original.1"
CHANNELS = {2: "idle", 3: "jq", 4: "q1", 5: "q2", 6: "late"}
"""Which queue was copied on which channel."""

FIRST_IDS = {"idle": 1, "jq": 1, "q1": 0x11, "q2": 4}
"""The id of the first message on each queue when the backup came."""

PUBLISHED_S = 2.99
CONSUMED_S = 3.013
DECLARED_S = 3.19
DELETED_S = 3.43
"""When others published to q1, consumed from it, declared late and deleted it."""


def recorded(side: str) -> list[tuple[float, Said]]:
    """What that side said, and when."""
    decoder = Decoder()
    found: list[tuple[float, Said]] = []
    for at_s, speaker, data in chunks_of(LINK):
        if speaker == side and data:
            found += [(at_s, said) for said in decoder.feed(data, 0)]
    return found


def messages_of(queue: str, before_s: float) -> list[Said]:
    """The messages that the original sent of ``queue`` before that time, without its events."""
    return [
        said
        for at_s, said in recorded("server")
        if CHANNELS.get(said.channel) == queue
        and said.name == "message.transfer"
        and at_s < before_s
        and not said.properties.routing_key.startswith("qpid.ha-")
    ]


class Primary:
    """A broker of ours in the part of the recorded primary."""

    def __init__(self) -> None:
        self.network = Network()
        self.host = standalone(self.network, "p", 1)
        self.client = Guest(self.host).session()
        self.client.do("exchange.declare", exchange="ex1", type="topic")
        for queue, first in FIRST_IDS.items():
            self.client.do("queue.declare", queue=queue)
            self.host.node.broker.queues[queue].skip(first - 1)
        self.client.do("exchange.bind", exchange="ex1", queue="q1", binding_key="a.b")
        for queue in ("q1", "q2"):
            self.publish(messages_of(queue, 1.0))
        self.todo = [
            (PUBLISHED_S, lambda: self.publish(messages_of("q1", 9.0)[3:])),
            (CONSUMED_S, self.consume),
            (DECLARED_S, lambda: self.client.do("queue.declare", queue="late")),
            (DELETED_S, lambda: self.client.do("queue.delete", queue="late")),
        ]

    def publish(self, messages: list[Said]) -> None:
        """The same messages again; they are confirmed when the copy has them."""
        for said in messages:
            destination = scan_header(said.header).exchange
            head = encode_transfer(destination, 1, 0)
            body = said.body or b""
            self.client.session.send_transfer(head, said.header, body, said.body is None)
        self.client.client.pump()

    def consume(self) -> None:
        """Two messages of q1."""
        taker = Guest(self.host).session()
        taker.subscribe("q1", credit=2)
        taker.do("message.accept", transfers=[(0, 1)])

    def due(self, at_s: float) -> None:
        """Do what was done before that time."""
        while self.todo and self.todo[0][0] <= at_s:
            self.todo.pop(0)[1]()


def test_the_original_backup_gets_what_the_original_primary_sent() -> None:
    primary = Primary()
    wire = NodeSubject(primary.host).connect()
    assert isinstance(wire, RecordedClient)
    decoder = Decoder()
    ours: list[Said] = []
    for at_s, side, data in chunks_of(LINK):
        primary.due(at_s)
        if side == "client" and data:
            answer = wire.feed(data, at_s)
            ours += decoder.feed(answer, 0) if answer else []
    assert not wire.dropped
    theirs = [said for _, said in recorded("server")]
    for channel, queue in CHANNELS.items():
        if queue != "late":
            assert commands(ours, channel) == commands(theirs, channel), queue
    # We say at once that the queue was deleted; the original was still about to when the backup,
    # which had heard it by a management event, left.
    (told,) = [said for said in ours if said.channel == 6 and said.id >= 0]
    assert told.name == "execution.exception"
    assert told.struct.number("error_code") == 408
    assert primary.todo == []
    followers = primary.host.node.broker.following.followers
    assert sorted(each.queue.name for each in followers) == ["idle", "jq", "q1", "q2"]
    assert all(each.in_sync and not each.guarded for each in followers)
    assert len(primary.client.completed) == primary.client.session.next_outgoing


def commands(said: list[Said], channel: int) -> list[tuple[object, ...]]:
    """What was sent on a channel: ids, commands, contents."""
    return [
        (each.id, plain(each.struct), each.header, each.body)
        for each in said
        if each.channel == channel and each.id >= 0
    ]


def plain(struct: Struct) -> tuple[str, dict[str, object]]:
    return struct.name, dict(struct.fields)


def test_producers_wait_for_the_original_backup() -> None:
    """Without its accepts nothing is confirmed; each of them confirms what it names."""
    primary = Primary()
    wire = NodeSubject(primary.host).connect()
    for at_s, side, data in chunks_of(LINK):
        if side == "client" and data and at_s < PUBLISHED_S:
            wire.feed(data, at_s)
    sent = primary.client.session.next_outgoing
    primary.due(PUBLISHED_S)
    new = set(range(sent, sent + 3))
    assert not new & primary.client.completed
    for at_s, side, data in chunks_of(LINK):
        if side == "client" and data and PUBLISHED_S <= at_s < CONSUMED_S:
            wire.feed(data, at_s)
    assert new <= primary.client.completed


# -- the other direction ---------------------------------------------------------------------


class OriginalPrimary(Source):
    """Plays what the recorded primary sent of one queue."""

    def play(self, channel: int, *, until_s: float = 99.0) -> None:
        """The commands of that channel, with the ids that they had."""
        assert self.session is not None
        for at_s, said in recorded("server"):
            if said.channel != channel or said.id < 0 or at_s > until_s:
                continue
            assert self.session.next_outgoing == said.id
            if said.name == "message.transfer":
                self.send(said.header, said.body or b"", said.body is None)
            else:
                assert said.name == "execution.sync"
                self.session.send(make("execution.sync"))
                self.pump()


def a_copy(queue: str) -> tuple[Host, OriginalPrimary]:
    lone = Lone(ha_cluster=False, ha_queue_replication=True)
    lone.network.black_holes = {"p1"}
    queue_on(lone.host, queue)
    assert replicate(lone.host, "p1", queue) == ""
    return lone.host, OriginalPrimary(lone)


@pytest.mark.parametrize(("channel", "queue"), [(4, "q1"), (5, "q2")])
def test_our_copy_accepts_what_the_original_backup_accepted(channel: int, queue: str) -> None:
    host, source = a_copy(queue)
    source.play(channel)
    theirs: set[int] = set()
    completed: set[int] = set()
    for _, said in recorded("client"):
        if said.channel == channel and said.name == "message.accept":
            theirs |= members(said.struct.ranges("transfers"))
        elif said.channel == channel and said.name == "session.completed":
            completed |= members(said.struct.ranges("commands"))
    assert set(source.accepted) == theirs
    assert set(source.completed) == completed
    assert state_of(host, queue) == "linked", "the original does not say more"


def members(ranges: list[tuple[int, int]]) -> set[int]:
    return {number for first, last in ranges for number in range(first, last + 1)}


def test_our_copy_holds_what_the_original_backup_held() -> None:
    host, source = a_copy("q1")
    source.play(4)
    messages = messages_of("q1", 9.0)
    entries = host.node.broker.queues["q1"].entries()
    assert [(entry.message.header, entry.message.body) for entry in entries] == [
        (said.header, said.body or b"") for said in messages[2:]
    ]
    assert [entry.message.bodiless for entry in entries] == [
        said.body is None for said in messages[2:]
    ]
    assert entries[0].message.exchange == "ex1"
    assert entries[0].message.routing_key == "a.b"
    copies = host.node.broker.queues["q1"].source
    assert copies is not None
    assert copies.copies.ranges() == [(0x13, 0x16)]


def test_our_subscription_says_what_the_originals_said() -> None:
    """Its commands, arguments and values, but for who we are and one argument of our own."""
    _, source = a_copy("q1")
    theirs = [said for _, said in recorded("client") if said.channel == 4 and 0 <= said.id < 4]
    ours = [command.struct for command in source.commands[:4]]
    assert [struct.name for struct in ours] == [said.name for said in theirs]
    for struct, said in zip(ours[1:], theirs[1:], strict=True):
        assert plain(struct) == plain(said.struct)
    given, expected = ours[0].map("arguments"), theirs[0].struct.map("arguments")
    assert set(given) - set(expected) == {"qpid.ha-lineage"}
    for name in set(expected) - {"qpid.ha-info"}:
        assert given[name] == expected[name]
    info, their_info = given["qpid.ha-info"], expected["qpid.ha-info"]
    assert isinstance(info, dict)
    assert isinstance(their_info, dict)
    assert set(info) == set(their_info)
    ids = given["qpid.ha-ids"]
    assert isinstance(ids, bytes)
    assert decode_ids(ids) == []
