"""The primary's bookkeeping: phases, windows, who counts, up to where confirmations may leave."""

from __future__ import annotations

from tanist.ha.catchup import CHUNK_RECORDS
from tanist.ha.log import NO_OWNER
from tanist.ha.messages import (
    KIND_BATCH,
    KIND_BATCHES,
    KIND_FILL,
    KIND_HELLO,
    KIND_MEMBERS,
    KIND_SNAPSHOT,
    REFILL,
    RESUME,
    SNAPSHOT,
    decode_batches,
    decode_commit,
    decode_fill_head,
    decode_hello,
)
from tanist.ha.peer import Phase
from tanist.ha.primary import COMMIT_AFTER_S, SYNC_PAUSE_MAX_S, WINDOW_BYTES_DEFAULT
from tanist.ha.roles import Status
from tests.broker.ha.primary_model import ME, B, C, Cluster, kinds

# -- coming in -----------------------------------------------------------------------------


def test_alone_everything_is_confirmable_at_once() -> None:
    cluster = Cluster()
    cluster.publish(3)
    assert cluster.opened == cluster.log.index == 4


def test_a_backup_goes_on_where_it_was() -> None:
    cluster = Cluster()
    for _ in range(2):
        cluster.publish()
    received = cluster.join(1, epoch=1, index=1).received
    assert kinds(received) == [KIND_HELLO, KIND_BATCHES]
    assert len(decode_batches(received[1])) == 2
    hello = decode_hello(received[0])
    assert (hello.mode, hello.index, hello.end) == (RESUME, 1, 3)
    assert [(e.number, e.owner) for e in hello.history] == [(0, NO_OWNER), (1, ME)]


def test_a_backup_of_an_unknown_history_gets_everything() -> None:
    cluster = Cluster()
    cluster.publish(5)
    link = cluster.join(1, epoch=7, index=3)
    received = link.received
    assert kinds(received) == [KIND_HELLO, KIND_SNAPSHOT, KIND_FILL]
    hello = decode_hello(received[0])
    assert (hello.mode, hello.index) == (SNAPSHOT, 6)
    head = decode_fill_head(received[2])
    assert (head.last, head.state_at, head.done, head.total, head.count) == (True, 6, 5, 5, 5)
    assert cluster.acknowledge(1, 2) == []
    assert cluster.phase(1) is Phase.TAIL, "it has not got the messages yet"
    assert cluster.status_of(B) is Status.CATCHUP
    cluster.publish()
    assert kinds(link.received) == [KIND_BATCH]
    assert cluster.opened == 7, "it is not waited for"
    assert cluster.acknowledge(1, 1) == []
    assert cluster.phase(1) is Phase.SYNCING
    assert cluster.acknowledge(1, 1) == [B]


def test_a_backup_that_was_cut_off_while_it_was_filled_goes_on_there() -> None:
    cluster = Cluster()
    cluster.publish(5)
    cluster.publish(2)
    link = cluster.join(1, epoch=1, index=6, whole=False, filled=(1, 3))
    received = link.received
    assert kinds(received) == [KIND_HELLO, KIND_BATCH, KIND_FILL]
    assert decode_hello(received[0]).mode == REFILL
    assert decode_hello(received[0]).index == 6
    assert decode_fill_head(received[2]).count == 4, "behind position 3: what it lacks, and a bit"
    assert cluster.phase(1) is Phase.TAIL
    assert cluster.acknowledge(1) == [B]


def test_a_backup_that_was_cut_off_before_its_first_message_starts_over() -> None:
    cluster = Cluster()
    link = cluster.join(1, epoch=1, index=1, whole=False)
    assert decode_hello(link.received[0]).mode == SNAPSHOT


def test_a_synced_backup_holds_confirmations_before_it_is_ready() -> None:
    cluster = Cluster()
    cluster.publish()
    cluster.join(1, epoch=1, index=1)
    assert cluster.acknowledge(1, 1) == []
    assert cluster.phase(1) is Phase.SYNCING, "it knows whom it follows"
    cluster.publish()
    assert cluster.opened == 2, "what was confirmed stays; what is new waits"
    assert cluster.acknowledge(1, 1) == [B], "the first batch: all that was confirmed"
    assert cluster.status_of(B) is Status.READY
    assert cluster.opened == 2
    assert cluster.acknowledge(1, 1) == []
    assert cluster.opened == 3


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
    cluster.publish()
    cluster.log.begin_epoch(2, ME)
    cluster.opened = 0
    cluster.primary.expect([C], 50.0)
    cluster.join(1, epoch=1, index=1)
    assert cluster.opened == 0
    assert cluster.log.fork_index == 3
    assert cluster.acknowledge(1, 1) == [], "only the hello"
    assert cluster.phase(1) is Phase.SYNCING
    assert cluster.acknowledge(1, 1) == [B], "the two records before the fork"


def test_a_backup_that_lags_holds_nothing() -> None:
    cluster = Cluster(flow_messages=2)
    for _ in range(5):
        cluster.publish()
    cluster.join(1, epoch=1, index=1)
    assert cluster.phase(1) is Phase.TAIL
    cluster.publish()
    assert cluster.opened == cluster.log.index


def test_the_slowest_synced_backup_counts() -> None:
    cluster = Cluster()
    cluster.ready(1, B)
    cluster.ready(2, C)
    cluster.publish()
    cluster.acknowledge(1)
    assert cluster.opened == 1
    cluster.acknowledge(2)
    assert cluster.opened == 2


# -- leaving -------------------------------------------------------------------------------


def test_a_backup_that_is_gone_holds_confirmations_until_it_is_dropped() -> None:
    cluster = Cluster(drops=False)
    cluster.ready(1)
    cluster.publish()
    gone = cluster.primary.remove(1, "is gone")
    assert gone is not None
    assert gone.info.system_id == B
    cluster.settle()
    assert cluster.opened == 1
    assert cluster.status_of(B) is Status.READY, "it is in the in-sync set"
    assert cluster.primary.in_sync() == cluster.primary.overdue() == [B]
    assert cluster.primary.absent[B].reason == "is gone"
    cluster.primary.drop([B])
    cluster.settle()
    assert cluster.opened == 2
    assert cluster.status_of(B) is None
    assert cluster.primary.in_sync() == []
    assert cluster.primary.remove(1) is None


def test_what_an_absent_backup_had_acknowledged_is_confirmed() -> None:
    cluster = Cluster(drops=False)
    cluster.ready(1, B)
    cluster.ready(2, C)
    cluster.publish()
    cluster.acknowledge(1)
    cluster.publish()
    cluster.primary.remove(1)
    cluster.settle()
    assert cluster.opened == 1
    cluster.acknowledge(2)
    assert cluster.opened == 2


def test_an_absent_backup_that_comes_back_is_in_sync_again() -> None:
    cluster = Cluster(drops=False, ack_timeout_s=5.0)
    cluster.ready(1)
    cluster.publish()
    cluster.primary.remove(1)
    cluster.publish()
    cluster.join(2, B, epoch=1, index=1)
    assert cluster.primary.overdue() == [], "it has a little time to catch up"
    assert cluster.opened == 1
    assert cluster.acknowledge(2) == [B]
    assert cluster.opened == 3
    assert cluster.primary.absent == {}


def test_an_absent_backup_that_comes_back_empty_should_be_dropped() -> None:
    cluster = Cluster(drops=False, ack_timeout_s=5.0)
    cluster.ready(1)
    cluster.publish()
    cluster.primary.remove(1)
    cluster.join(2, B, epoch=9)
    assert cluster.primary.overdue() == [B]
    assert cluster.primary.absent[B].reason == "came back without its messages"
    assert cluster.status_of(B) is Status.CATCHUP
    assert B in cluster.membership.in_sync(), "as long as the set has not changed"
    assert cluster.opened == 1
    cluster.primary.drop([B])
    assert B not in cluster.membership.in_sync()
    cluster.settle()
    assert cluster.opened == 1, "it is linked: it must know before anything is confirmed"
    cluster.acknowledge(2)
    assert cluster.opened == 2
    assert cluster.phase(2) is Phase.READY


def test_one_that_was_started_anew_is_not_in_sync_though_the_log_reaches_back_to_nothing() -> None:
    cluster = Cluster(drops=False, ack_timeout_s=5.0)
    cluster.ready(1)
    cluster.publish()
    cluster.primary.remove(1)
    cluster.join(2, B)
    assert cluster.phase(2) is Phase.TAIL, "it is sent the whole log"
    assert cluster.primary.overdue() == [B]
    assert cluster.primary.absent[B].reason == "came back without its messages"


def test_after_one_left_nothing_is_confirmed_until_the_others_know() -> None:
    cluster = Cluster(drops=False)
    cluster.ready(1, B)
    link = cluster.ready(2, C)
    cluster.publish()
    cluster.acknowledge(2)
    assert cluster.opened == 1, "B lacks it"
    assert link.received
    cluster.primary.remove(1)
    cluster.primary.drop([B])
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
    cluster.ready(1, B)
    cluster.ready(2, C)
    cluster.publish()
    for conn in (1, 2):
        assert cluster.opened == 1
        cluster.primary.remove(conn)
        cluster.settle()
    assert cluster.opened == 2
    assert cluster.dropped == [B, C]


def test_one_that_was_not_in_sync_leaves_without_waiting() -> None:
    cluster = Cluster()
    cluster.join(1, B)
    cluster.ready(2, C)
    cluster.publish()
    cluster.acknowledge(2)
    cluster.primary.remove(1)
    assert cluster.primary.absent == {}
    assert cluster.status_of(B) is None
    cluster.settle()
    assert cluster.opened == 2


def test_whoever_is_not_absent_cannot_be_dropped() -> None:
    cluster = Cluster()
    cluster.ready(1)
    cluster.primary.drop([B])
    assert not cluster.primary.shrunk
    assert cluster.phase(1) is Phase.READY


def test_more_acknowledgements_than_transfers_change_nothing() -> None:
    cluster = Cluster()
    cluster.join(1)
    cluster.acknowledge(1, 10**9)
    assert cluster.primary.peers[1].in_flight_bytes == 0
    assert cluster.acknowledge(9, 1) == [], "nobody is linked there"


# -- slow backups --------------------------------------------------------------------------


def test_a_backup_that_does_not_acknowledge_leaves_and_comes_back() -> None:
    cluster = Cluster(ack_timeout_s=5.0)
    link = cluster.ready(1)
    cluster.publish()
    assert cluster.at(5.0) == []
    assert cluster.opened == 1
    assert cluster.at(5.1) == []
    assert cluster.dropped == [B]
    assert cluster.phase(1) is Phase.TAIL
    assert cluster.status_of(B) is Status.CATCHUP
    assert cluster.primary.peers[1].reason == "did not acknowledge for 5 s"
    assert cluster.opened == 2, "nobody waits until it knows: it does not answer"
    assert link.received
    cluster.acknowledge(1)
    cluster.at(10.0)
    assert cluster.phase(1) is Phase.TAIL, "it is not waited for again so soon"
    cluster.at(10.2)
    cluster.acknowledge(1)
    assert cluster.phase(1) is Phase.READY
    assert cluster.primary.peers[1].reason == ""


def test_a_backup_that_is_slow_again_and_again_is_waited_for_less_and_less_often() -> None:
    cluster = Cluster(ack_timeout_s=1.0)
    cluster.ready(1)
    peer = cluster.primary.peers[1]
    now, pauses = 0.0, []
    for _ in range(10):
        cluster.publish()
        now += 1.1
        cluster.at(now)
        pauses.append(peer.sync_at - now)
        cluster.acknowledge(1)
        now = peer.sync_at + 0.1
        cluster.at(now)
        cluster.acknowledge(1)
        assert peer.phase is Phase.READY
    assert [round(pause) for pause in pauses[:4]] == [1, 2, 4, 8]
    assert round(pauses[-1]) == SYNC_PAUSE_MAX_S
    cluster.at(now + SYNC_PAUSE_MAX_S + 1)
    assert peer.times_slow == 0, "it has kept up for long enough"


def test_a_backup_that_owes_an_acknowledgement_for_ever_is_dropped() -> None:
    cluster = Cluster(ack_timeout_s=5.0)
    cluster.ready(1)
    cluster.publish()
    assert cluster.at(5.1) == []
    assert (cluster.at(10.2), cluster.phase(1)) == ([1], Phase.TAIL), "not ready once more, either"
    assert cluster.primary.peers[1].reason == "did not acknowledge for 10 s"


def test_a_backup_that_does_not_take_its_messages_is_dropped() -> None:
    cluster = Cluster(ack_timeout_s=5.0)
    cluster.publish(5)
    cluster.join(1, epoch=9)
    assert cluster.at(9.9) == []
    assert cluster.at(10.1) == [1]


def test_without_a_limit_everybody_is_waited_for() -> None:
    cluster = Cluster()
    cluster.ready(1)
    cluster.publish()
    assert cluster.at(10.0**9) == []
    assert cluster.opened == 1


# -- what is committed ---------------------------------------------------------------------


def test_backups_are_told_what_is_committed_when_no_batch_tells_it() -> None:
    cluster = Cluster()
    link = cluster.ready(1)
    assert cluster.primary.next_deadline() == COMMIT_AFTER_S
    cluster.at(1.0)
    assert [decode_commit(body) for body in link.received] == [1]
    assert cluster.primary.next_deadline() == float("inf")
    cluster.at(2.0)
    assert link.received == [], "nothing new"
    cluster.acknowledge(1)
    cluster.publish()
    cluster.acknowledge(1)
    cluster.publish()
    cluster.at(3.0)
    assert kinds(link.received) == [KIND_BATCH, KIND_BATCH], "the second one tells"
    cluster.acknowledge(1)
    cluster.at(4.0)
    assert [decode_commit(body) for body in link.received] == [3]


# -- windows -------------------------------------------------------------------------------


def test_a_window_of_transfers() -> None:
    cluster = Cluster(flow_messages=2)
    for _ in range(4):
        cluster.publish()
    link = cluster.join(1, epoch=1, index=1)
    assert kinds(link.received) == [KIND_HELLO, KIND_BATCHES], "what lags comes in one transfer"
    for _ in range(3):
        cluster.publish()
    assert kinds(link.received) == []
    cluster.acknowledge(1, 1)
    received = link.received
    assert kinds(received) == [KIND_BATCHES]
    assert len(decode_batches(received[0])) == 3


def test_a_window_of_bytes() -> None:
    cluster = Cluster(flow_bytes=1000)
    cluster.publish(1, b"x")
    for _ in range(4):
        cluster.publish(1, b"x" * 600)
    link = cluster.join(1, epoch=1, index=1)
    assert kinds(link.received) == [KIND_HELLO, KIND_BATCHES, KIND_BATCH]
    cluster.acknowledge(1, 3)
    assert kinds(link.received) == [KIND_BATCH, KIND_BATCH]


def test_without_limits_there_is_one_of_bytes() -> None:
    primary = Cluster().primary
    assert primary.window_bytes == WINDOW_BYTES_DEFAULT
    assert primary.window_transfers > 10**9


def test_old_messages_come_in_chunks_mixed_with_what_happens() -> None:
    cluster = Cluster()
    for _ in range(4):
        cluster.publish(CHUNK_RECORDS)
    link = cluster.join(1, epoch=9)
    assert kinds(link.received) == [KIND_HELLO, KIND_SNAPSHOT, KIND_FILL]
    assert cluster.phase(1) is Phase.FILLING
    cluster.publish(1, b"meanwhile")
    assert kinds(link.received) == [KIND_BATCH]
    assert cluster.opened == cluster.log.index, "nobody waits for it"
    cluster.acknowledge(1, 1)
    assert kinds(link.received) == [KIND_FILL]
    cluster.acknowledge(1)
    assert kinds(link.received) == [KIND_FILL, KIND_FILL, KIND_FILL]
    assert cluster.phase(1) is Phase.TAIL
    cluster.acknowledge(1)
    assert cluster.acknowledge(1) == []
    assert cluster.phase(1) is Phase.READY


def test_no_old_message_overtakes_the_log() -> None:
    cluster = Cluster(flow_messages=4)
    cluster.publish(CHUNK_RECORDS * 3)
    link = cluster.join(1, epoch=9)
    assert kinds(link.received) == [KIND_HELLO, KIND_SNAPSHOT, KIND_FILL]
    for _ in range(5):
        cluster.publish()
    assert kinds(link.received) == [KIND_BATCH]
    cluster.acknowledge(1, 2)
    assert kinds(link.received) == [KIND_BATCHES, KIND_FILL], "first what happened"


def test_a_full_window_does_not_keep_old_messages_away() -> None:
    """However small it is: with one transfer a round trip, each time there is something new."""
    cluster = Cluster(flow_messages=1)
    cluster.publish(CHUNK_RECORDS * 3)
    cluster.join(1, epoch=9)
    for _ in range(12):
        cluster.publish()
        cluster.acknowledge(1, 1)
        cluster.publish()
    assert cluster.phase(1) is Phase.READY


def test_a_backup_that_falls_out_of_the_log_starts_over() -> None:
    cluster = Cluster(flow_messages=3, retain=400)
    link = cluster.ready(1)
    for _ in range(5):
        cluster.publish(1, b"y" * 100)
        assert cluster.opened == 1
    for _ in range(4):
        cluster.publish(1, b"y" * 100)
    assert cluster.phase(1) is Phase.READY, "its window is full: it is told nothing yet"
    assert link.received
    cluster.acknowledge(1, 3)
    assert cluster.phase(1) is Phase.CONFIGURING
    assert cluster.dropped == [B]
    assert cluster.status_of(B) is Status.CATCHUP
    assert cluster.primary.peers[1].reason == "fell behind the end of the log"
    assert cluster.opened == 1, "it does not know yet that it is not in sync"
    assert decode_hello(link.received[0]).mode == SNAPSHOT
    cluster.acknowledge(1)
    assert cluster.opened == cluster.log.index, "it does not count any more"
    while cluster.phase(1) is not Phase.READY:
        assert cluster.primary.peers[1].in_flight
        cluster.acknowledge(1)
    assert cluster.status_of(B) is Status.READY


# -- expected backups ----------------------------------------------------------------------


def test_expected_backups_are_waited_for_until_their_time() -> None:
    cluster = Cluster(drops=False)
    cluster.primary.expect([B, C], 50.0)
    cluster.publish()
    assert cluster.opened == 1
    assert cluster.primary.recovering
    assert cluster.primary.in_sync() == [B, C]
    assert cluster.primary.next_deadline() == 50.0
    cluster.primary.now = 49.9
    assert cluster.primary.overdue() == []
    cluster.primary.now = 50.0
    assert cluster.primary.overdue() == [B, C]
    assert cluster.primary.next_deadline() == float("inf")
    cluster.primary.drop([B, C])
    cluster.settle()
    assert not cluster.primary.recovering
    assert cluster.opened == 2


def test_after_an_expected_one_was_given_up_the_others_must_know() -> None:
    cluster = Cluster()
    cluster.primary.expect([B], 50.0)
    cluster.join(2, C)
    assert cluster.acknowledge(2) == [C]
    cluster.publish()
    cluster.acknowledge(2)
    cluster.at(50.0)
    assert cluster.dropped == [B]
    assert cluster.opened == 1
    cluster.acknowledge(2)
    assert cluster.opened == 2


def test_a_linked_expected_backup_counts_from_the_start() -> None:
    cluster = Cluster(flow_messages=1, ack_timeout_s=100.0)
    cluster.primary.expect([B], 50.0)
    for _ in range(3):
        cluster.publish()
    cluster.join(1, B, index=1, epoch=1)
    assert cluster.status_of(B) is Status.READY, "it never left the in-sync set"
    cluster.at(99.0)
    assert cluster.dropped == []
    assert cluster.phase(1) is Phase.TAIL
    assert cluster.opened == 1
    for _ in range(5):
        cluster.acknowledge(1)
    assert cluster.opened == cluster.log.index
    assert cluster.primary.absent == {}
    assert cluster.phase(1) is Phase.READY


def test_a_linked_expected_backup_that_does_not_catch_up_is_dropped() -> None:
    cluster = Cluster(flow_messages=1, ack_timeout_s=100.0)
    cluster.primary.expect([B], 50.0)
    cluster.publish()
    cluster.join(1, B, index=1, epoch=1)
    cluster.at(100.0)
    assert cluster.dropped == [B]


def test_an_expected_backup_that_has_nothing_is_not_waited_for() -> None:
    cluster = Cluster()
    cluster.primary.expect([B], 50.0)
    cluster.join(1, B, epoch=9)
    assert cluster.dropped == [B]
    assert cluster.status_of(B) is Status.CATCHUP
    assert cluster.acknowledge(1) == [B]


def test_an_expected_backup_that_leaves_again_is_dropped() -> None:
    cluster = Cluster(drops=False)
    cluster.primary.expect([B], 50.0)
    cluster.join(1, B, epoch=1, index=1)
    cluster.primary.remove(1, "disconnected")
    assert cluster.primary.overdue() == [B]
    assert cluster.primary.absent[B].reason == "disconnected"


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
        assert link.received
    version = cluster.membership.version
    cluster.primary.announce_members()
    assert cluster.membership.version == version + 1
    assert [kinds(link.received) for link in links] == [[KIND_MEMBERS], [KIND_MEMBERS]]
    assert cluster.primary.connection_of(C) == 2
    assert cluster.primary.connection_of(ME) is None
