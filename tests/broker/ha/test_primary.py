"""The primary's bookkeeping: phases, windows, and up to where confirmations may leave."""

from __future__ import annotations

from uuid import UUID

from tanist.core.broker import Broker, BrokerConfig
from tanist.core.message import Message
from tanist.core.notices import Actor
from tanist.ha.log import NO_OWNER, Log
from tanist.ha.membership import BrokerInfo, Membership
from tanist.ha.messages import (
    KIND_BATCH,
    KIND_HELLO,
    KIND_MEMBERS,
    KIND_SNAPSHOT,
    KIND_SNAPSHOT_END,
    Position,
    RecordWriter,
    decode_hello,
    decode_snapshot_end,
)
from tanist.ha.primary import SNAPSHOT_CHUNK_RECORDS, WINDOW_BYTES_DEFAULT, Phase, Primary
from tanist.ha.roles import Status
from tanist.types import ReplicationLevel
from tests.broker.ha.link_peer import LinkPeer

ME, B, C = UUID(int=1), UUID(int=2), UUID(int=3)
ACTOR = Actor("u", "h:1")


class Cluster:
    """A primary whose node is the test."""

    def __init__(self, *, flow_messages: int = 0, flow_bytes: int = 0, retain: int = 10**6) -> None:
        numbers = iter(range(1, 10**6))
        self.broker = Broker(
            BrokerConfig(ha=True, default_level=ReplicationLevel.ALL),
            lambda: UUID(int=next(numbers)),
            lambda message: {},
        )
        self.broker.promote()
        self.log = Log(retain)
        self.log.begin_epoch(ME)
        self.membership = Membership()
        self.primary = Primary(
            self.broker, self.log, self.membership, RecordWriter(), flow_messages, flow_bytes
        )
        self.opened = 0
        self.broker.declare_queue("q", ACTOR, arguments={"qpid.max_count": 10**6})
        self.commit()

    def publish(self, count: int = 1, body: bytes = b"x") -> None:
        """``count`` messages in one step."""
        for _ in range(count):
            self.broker.publish(Message(b"", body, "", "q"), "")
        self.commit()

    def commit(self) -> None:
        """The end of a step with records."""
        records, self.broker.journal = self.broker.journal, []
        data = RecordWriter().encode_batch(self.log.epoch, self.log.index + 1, records)
        self.primary.replicate(self.log.append(len(records), data))
        self.settle()

    def settle(self) -> list[UUID]:
        """The end of every step; returns who became ready.

        Of the news of members only that somebody left is told here: it holds confirmations.
        """
        self.primary.pump()
        if self.primary.shrunk:
            self.primary.announce_members()
        self.opened = self.primary.confirmable(self.opened)
        return [peer.info.system_id for peer in self.primary.promote_synced(self.opened)]

    def join(
        self, conn: int, who: UUID = B, index: int = 0, epoch: int = 0, *, whole: bool = True
    ) -> LinkPeer:
        """A backup subscribes."""
        link = LinkPeer()
        owner = ME if epoch else NO_OWNER
        info = BrokerInfo(who, Status.JOINING)
        self.primary.add(conn, link.session, info, Position(epoch, owner, index, whole))
        self.settle()
        return link

    def acknowledge(self, conn: int, transfers: int = 10**6) -> list[UUID]:
        """A backup completed its oldest transfers (all)."""
        self.primary.acknowledged(conn, transfers)
        return self.settle()

    def phase(self, conn: int) -> Phase:
        return self.primary.peers[conn].phase

    def status_of(self, who: UUID) -> Status | None:
        info = self.membership.get(who)
        return info and info.status


def kinds(bodies: list[bytes]) -> list[int]:
    return [body[0] for body in bodies]


def test_alone_everything_is_confirmable_at_once() -> None:
    cluster = Cluster()
    cluster.publish(3)
    assert cluster.opened == cluster.log.index == 4


def test_an_empty_backup_goes_on_from_the_first_record() -> None:
    cluster = Cluster()
    cluster.publish()
    link = cluster.join(1)
    received = link.received
    assert kinds(received) == [KIND_HELLO, KIND_BATCH, KIND_BATCH]
    hello = decode_hello(received[0])
    assert (hello.epoch, hello.owner, hello.resume, hello.index) == (1, ME, True, 0)


def test_a_backup_of_an_unknown_history_gets_a_snapshot_then_the_tail() -> None:
    cluster = Cluster()
    cluster.publish(5)
    link = cluster.join(1, epoch=7, index=3)
    received = link.received
    assert kinds(received) == [KIND_HELLO, KIND_SNAPSHOT, KIND_SNAPSHOT_END]
    assert decode_hello(received[0]).resume is False
    assert decode_snapshot_end(received[2]) == 6
    assert cluster.acknowledge(1, 1) == []
    assert cluster.phase(1) is Phase.TAIL, "it has not applied the snapshot yet"
    assert cluster.acknowledge(1, 1) == []
    assert cluster.phase(1) is Phase.SYNCING
    assert cluster.status_of(B) is Status.CATCHUP
    cluster.publish()
    assert kinds(link.received) == [KIND_BATCH]
    assert cluster.opened == 6
    assert cluster.acknowledge(1, 1) == [B]


def test_a_backup_in_the_middle_of_a_snapshot_starts_over() -> None:
    cluster = Cluster()
    link = cluster.join(1, epoch=1, index=1, whole=False)
    assert decode_hello(link.received[0]).resume is False


def test_a_synced_backup_holds_confirmations_before_it_is_ready() -> None:
    cluster = Cluster()
    cluster.join(1)
    assert cluster.acknowledge(1, 1) == []
    assert cluster.phase(1) is Phase.SYNCING, "it knows whom it follows"
    cluster.publish()
    assert cluster.opened == 1, "what was confirmed stays; what is new waits"
    assert cluster.acknowledge(1, 1) == [B], "the first batch: all that was confirmed"
    assert cluster.status_of(B) is Status.READY
    assert cluster.opened == 1
    assert cluster.acknowledge(1, 1) == []
    assert cluster.opened == 2


def test_a_backup_that_has_not_read_its_hello_is_not_ready() -> None:
    cluster = Cluster()
    cluster.join(1, epoch=1, index=1)
    assert cluster.settle() == []
    assert cluster.phase(1) is Phase.TAIL
    cluster.publish()
    assert cluster.opened == 2, "it may never read its hello; nobody waits for it"
    assert cluster.acknowledge(1, 1) == []
    assert cluster.phase(1) is Phase.SYNCING
    assert cluster.acknowledge(1, 1) == [B]


def test_a_backup_that_lacks_what_a_predecessor_confirmed_is_not_ready() -> None:
    cluster = Cluster(flow_messages=2)
    cluster.publish()
    cluster.log.begin_epoch(ME)
    cluster.opened = 0
    cluster.primary.expect([C], 50.0)
    cluster.join(1, epoch=1, index=0)
    assert cluster.opened == 0
    assert cluster.log.fork_index == 2
    assert cluster.acknowledge(1, 1) == []
    assert cluster.phase(1) is Phase.SYNCING
    assert cluster.acknowledge(1, 1) == [], "only record 1, of the two before the fork"
    assert cluster.acknowledge(1, 1) == [B]


def test_a_backup_that_lags_holds_nothing() -> None:
    cluster = Cluster(flow_messages=2)
    for _ in range(5):
        cluster.publish()
    cluster.join(1)
    assert cluster.phase(1) is Phase.TAIL
    cluster.publish()
    assert cluster.opened == cluster.log.index


def test_the_slowest_synced_backup_counts() -> None:
    cluster = Cluster()
    cluster.join(1, B)
    cluster.join(2, C)
    cluster.acknowledge(1)
    cluster.acknowledge(2)
    cluster.publish()
    cluster.acknowledge(1)
    assert cluster.opened == 1
    cluster.acknowledge(2)
    assert cluster.opened == 2


def test_a_backup_that_is_gone_holds_nothing() -> None:
    cluster = Cluster()
    cluster.join(1)
    cluster.acknowledge(1)
    cluster.publish()
    assert cluster.opened == 1
    gone = cluster.primary.remove(1)
    assert gone is not None
    assert gone.info.system_id == B
    cluster.settle()
    assert cluster.opened == 2
    assert cluster.status_of(B) is None
    assert cluster.primary.remove(1) is None


def test_after_one_left_nothing_is_confirmed_until_the_others_know() -> None:
    cluster = Cluster()
    cluster.join(1, B)
    link = cluster.join(2, C)
    cluster.acknowledge(1)
    cluster.acknowledge(2)
    cluster.publish()
    cluster.acknowledge(2)
    assert cluster.opened == 1, "B lacks it"
    link.received  # noqa: B018 - forget the beginning
    cluster.primary.remove(1)
    assert cluster.primary.confirmable(1) == 1, "nobody was told yet"
    cluster.settle()
    assert cluster.opened == 1, "C, promoted now, would wait for B"
    assert kinds(link.received) == [KIND_MEMBERS]
    cluster.publish()
    assert cluster.opened == 1
    cluster.acknowledge(2, 1)
    assert cluster.opened == 2
    cluster.acknowledge(2, 1)
    assert cluster.opened == 3


def test_a_second_one_that_leaves_is_not_waited_for_to_know() -> None:
    cluster = Cluster()
    cluster.join(1, B)
    cluster.join(2, C)
    cluster.acknowledge(1)
    cluster.acknowledge(2)
    cluster.publish()
    for conn in (1, 2):
        assert cluster.opened == 1
        cluster.primary.remove(conn)
        cluster.settle()
    assert cluster.opened == 2


def test_one_that_was_not_in_sync_leaves_without_waiting() -> None:
    cluster = Cluster()
    cluster.join(1, B)
    cluster.join(2, C)
    cluster.acknowledge(2)
    cluster.publish()
    cluster.acknowledge(2)
    cluster.primary.remove(1)
    assert not cluster.primary.shrunk
    cluster.settle()
    assert cluster.opened == 2


def test_more_acknowledgements_than_transfers_change_nothing() -> None:
    cluster = Cluster()
    cluster.join(1)
    cluster.acknowledge(1, 10**9)
    assert cluster.primary.peers[1].in_flight_bytes == 0
    assert cluster.acknowledge(9, 1) == [], "nobody is linked there"


# -- windows -------------------------------------------------------------------------------


def test_a_window_of_transfers() -> None:
    cluster = Cluster(flow_messages=2)
    for _ in range(4):
        cluster.publish()
    link = cluster.join(1)
    assert kinds(link.received) == [KIND_HELLO, KIND_BATCH]
    cluster.acknowledge(1, 1)
    assert kinds(link.received) == [KIND_BATCH]
    cluster.acknowledge(1, 2)
    assert kinds(link.received) == [KIND_BATCH, KIND_BATCH]


def test_a_window_of_bytes() -> None:
    cluster = Cluster(flow_bytes=1000)
    for _ in range(4):
        cluster.publish(1, b"x" * 600)
    link = cluster.join(1)
    assert kinds(link.received) == [KIND_HELLO, KIND_BATCH, KIND_BATCH, KIND_BATCH]
    cluster.acknowledge(1, 3)
    assert kinds(link.received) == [KIND_BATCH]


def test_without_limits_there_is_one_of_bytes() -> None:
    primary = Cluster().primary
    assert primary.window_bytes == WINDOW_BYTES_DEFAULT
    assert primary.window_transfers > 10**9


def test_a_snapshot_comes_in_chunks_within_the_window() -> None:
    cluster = Cluster(flow_messages=2)
    cluster.publish(SNAPSHOT_CHUNK_RECORDS * 2)
    link = cluster.join(1, epoch=9)
    assert kinds(link.received) == [KIND_HELLO, KIND_SNAPSHOT]
    assert cluster.phase(1) is Phase.SNAPSHOT
    cluster.publish(1, b"meanwhile")
    assert link.received == []
    cluster.acknowledge(1)
    assert kinds(link.received) == [KIND_SNAPSHOT, KIND_SNAPSHOT]
    cluster.acknowledge(1, 1)
    (end,) = link.received
    assert decode_snapshot_end(end) == cluster.log.index - 1
    cluster.acknowledge(1)
    assert kinds(link.received) == [KIND_BATCH]
    assert cluster.acknowledge(1) == [B]


def test_a_backup_that_falls_out_of_the_log_starts_over_with_a_snapshot() -> None:
    cluster = Cluster(flow_messages=3, retain=400)
    link = cluster.join(1)
    cluster.acknowledge(1)
    assert cluster.phase(1) is Phase.READY
    cluster.primary.members_changed = False
    for _ in range(5):
        cluster.publish(1, b"y" * 100)
        assert cluster.opened == 1
    for _ in range(4):
        cluster.publish(1, b"y" * 100)
    assert cluster.phase(1) is Phase.READY, "its window is full: it is told nothing yet"
    link.received  # noqa: B018 - forget the beginning
    cluster.acknowledge(1, 3)
    assert cluster.phase(1) is Phase.SNAPSHOT
    assert cluster.status_of(B) is Status.CATCHUP
    assert cluster.primary.members_changed
    assert cluster.opened == 1, "it does not know yet that it is not in sync"
    assert decode_hello(link.received[0]).resume is False
    cluster.acknowledge(1, 1)
    assert cluster.opened == cluster.log.index, "it does not count any more"
    while cluster.phase(1) is not Phase.READY:
        assert cluster.primary.peers[1].in_flight
        cluster.acknowledge(1)
    assert cluster.status_of(B) is Status.READY


# -- expected backups ----------------------------------------------------------------------


def test_expected_backups_are_waited_for_until_their_time() -> None:
    cluster = Cluster()
    cluster.primary.expect([B, C], 50.0)
    cluster.publish()
    assert cluster.opened == 1
    assert cluster.primary.next_deadline() == 50.0
    assert cluster.primary.drop_overdue(49.9) == []
    assert cluster.primary.drop_overdue(50.0) == [B, C]
    assert cluster.primary.next_deadline() == float("inf")
    assert cluster.primary.drop_overdue(60.0) == []
    cluster.settle()
    assert cluster.opened == 2


def test_after_an_expected_one_was_given_up_the_others_must_know() -> None:
    cluster = Cluster()
    cluster.primary.expect([B], 50.0)
    cluster.join(2, C)
    assert cluster.acknowledge(2) == [C]
    cluster.publish()
    cluster.acknowledge(2)
    assert cluster.primary.drop_overdue(50.0) == [B]
    cluster.settle()
    assert cluster.opened == 1
    cluster.acknowledge(2)
    assert cluster.opened == 2


def test_a_connected_expected_backup_may_take_longer_but_counts_from_the_start() -> None:
    cluster = Cluster(flow_messages=1)
    cluster.primary.expect([B], 50.0)
    for _ in range(3):
        cluster.publish()
    cluster.join(1, B, index=1, epoch=1)
    assert cluster.status_of(B) is Status.READY, "it never left the in-sync set"
    assert cluster.primary.drop_overdue(99.0) == []
    assert cluster.primary.next_deadline() == float("inf")
    assert cluster.phase(1) is Phase.TAIL
    assert cluster.opened == 1
    for _ in range(4):
        cluster.acknowledge(1)
    assert cluster.opened == cluster.log.index
    assert cluster.primary.expected == {}
    assert cluster.phase(1) is Phase.READY


def test_an_expected_backup_that_needs_a_snapshot_is_not_in_sync() -> None:
    cluster = Cluster()
    cluster.primary.expect([B], 50.0)
    cluster.join(1, B, epoch=9)
    assert cluster.status_of(B) is Status.CATCHUP
    assert cluster.acknowledge(1) == [B]


def test_somebody_else_does_not_stand_in_for_an_expected_backup() -> None:
    cluster = Cluster()
    cluster.primary.expect([B], 50.0)
    cluster.join(1, C)
    cluster.acknowledge(1)
    cluster.publish()
    cluster.acknowledge(1)
    assert cluster.opened == 1


# -- members -------------------------------------------------------------------------------


def test_members_go_to_every_backup() -> None:
    cluster = Cluster()
    links = [cluster.join(1, B), cluster.join(2, C)]
    for link in links:
        link.received  # noqa: B018 - forget the beginning
    cluster.primary.announce_members()
    assert [kinds(link.received) for link in links] == [[KIND_MEMBERS], [KIND_MEMBERS]]
    assert cluster.primary.connection_of(C) == 2
    assert cluster.primary.connection_of(ME) is None
