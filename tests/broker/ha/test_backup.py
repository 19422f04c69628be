"""A backup decides whom to follow, and applies what it is sent, in order or not at all."""

from __future__ import annotations

from uuid import UUID

import pytest

from tanist.core.broker import Broker, BrokerConfig
from tanist.core.message import AMQP_0_10, AMQP_1_0, Message
from tanist.core.notices import Actor
from tanist.ha.backup import Backup, Refusal
from tanist.ha.catchup import CatchUp
from tanist.ha.codec import RecordReader, RecordWriter
from tanist.ha.log import NO_OWNER, Batch, Epoch, Log
from tanist.ha.membership import BrokerInfo, Membership
from tanist.ha.messages import (
    REFILL,
    RESUME,
    SNAPSHOT,
    Hello,
    batch_head,
    encode_batches,
    encode_commit,
    encode_hello,
    encode_members,
)
from tanist.ha.roles import IllegalTransition, Role, Status, Trigger
from tanist.ha.standing import PeerStatus
from tanist.ha.url import Address, parse_url
from tanist.types import FramingError, ReplicationLevel

ME, A, B = UUID(int=1), UUID(int=2), UUID(int=3)
ACTOR = Actor("u", "h:1")


def new_broker() -> Broker:
    numbers = iter(range(1, 10**6))
    return Broker(
        BrokerConfig(ha=True, default_level=ReplicationLevel.ALL),
        lambda: UUID(int=next(numbers)),
        lambda message: {},
    )


def new_backup() -> Backup:
    role = Role()
    role.fire(Trigger.CLUSTER)
    return Backup(new_broker(), Log(), role, Membership(), RecordReader(), ME)


class Leader:
    """Writes what a primary would send. ``begin``: where its epoch began."""

    def __init__(self, owner: UUID = A, epoch: int = 1, begin: int = 0) -> None:
        self.broker = new_broker()
        self.broker.promote()
        self.history = [Epoch(0, NO_OWNER, 0), Epoch(epoch, owner, begin)]
        self.epoch = epoch
        self.index = begin
        self.committed = 0

    def hello(self, *, mode: int = RESUME, index: int | None = None) -> bytes:
        at = self.index if index is None else index
        return encode_hello(Hello(mode, at, self.index, self.history))

    def batch(self) -> bytes:
        """The records since the last batch."""
        records, self.broker.journal = self.broker.journal, []
        head = batch_head(self.epoch, self.index + 1, self.committed, len(records))
        self.index += len(records)
        return RecordWriter().encode(records, head)

    def commit(self) -> bytes:
        """All of it is confirmed."""
        self.committed = self.index
        return encode_commit(self.index)

    def publish(self, body: bytes) -> None:
        if "q" not in self.broker.queues:
            self.broker.declare_queue("q", ACTOR)
        self.broker.publish(Message(b"", body, "", "q"), "")

    def publish_sections(self, body: bytes) -> None:
        self.broker.publish(Message(b"", body, "", "q", form=AMQP_1_0), "")

    def snapshot(self) -> list[bytes]:
        """Everything for a backup that has nothing: hello, configuration, messages."""
        self.broker.journal = []
        catch_up, writer = CatchUp(self.broker), RecordWriter()
        return [
            self.hello(mode=SNAPSHOT),
            catch_up.next_configuration(writer),
            catch_up.next_messages(self.broker, writer, self.index),
        ]


def members(status: Status, who: UUID = ME) -> bytes:
    membership = Membership()
    membership.version = 5
    membership.put(BrokerInfo(A, Status.ACTIVE))
    membership.put(BrokerInfo(who, status))
    return encode_members(membership)


def following(leader: Leader) -> Backup:
    """A backup that heard the leader's hello."""
    backup = new_backup()
    backup.receive(leader.hello())
    return backup


def bodies(backup: Backup) -> list[bytes]:
    return [entry.message.body for entry in backup.broker.queues["q"].entries()]


# -- whom to dial, whom to follow ----------------------------------------------------------


def test_addresses_are_dialled_in_turn() -> None:
    backup = new_backup()
    assert backup.take_address() is None
    backup.point_at(parse_url("a,b:1").addresses)
    taken = [backup.take_address() for _ in range(3)]
    named = [(address.canonical(), ends) for address, ends in filter(None, taken)]
    assert named == [("tcp:a:5672", False), ("tcp:b:1", True), ("tcp:a:5672", False)]
    backup.point_at([Address("tcp", "c", 2)])
    again = backup.take_address()
    assert again is not None
    assert (again[0].host, again[1]) == ("c", True)


@pytest.mark.parametrize("status", [Status.RECOVERING, Status.ACTIVE])
def test_a_primary_is_followed(status: Status) -> None:
    backup = new_backup()
    backup.judge(PeerStatus(A, status, 1, A))
    assert backup.saw_active_member


@pytest.mark.parametrize(
    "status", [Status.JOINING, Status.CATCHUP, Status.READY, Status.STANDALONE]
)
def test_others_are_not(status: Status) -> None:
    backup = new_backup()
    with pytest.raises(Refusal, match="not the primary"):
        backup.judge(PeerStatus(A, status, 1, A))
    assert backup.saw_active_member is (status is not Status.JOINING)


def test_nobody_follows_itself_or_a_stranger() -> None:
    backup = new_backup()
    with pytest.raises(Refusal, match="itself"):
        backup.judge(PeerStatus(ME, Status.ACTIVE, 1, ME))
    with pytest.raises(Refusal, match="not a member"):
        backup.judge(None)
    assert not backup.saw_active_member


def test_a_deposed_primary_is_told_but_not_followed() -> None:
    backup = new_backup()
    backup.receive(Leader(B, epoch=3).hello())
    backup.link_lost()
    backup.judge(PeerStatus(A, Status.ACTIVE, 2, A))
    assert (backup.position().epoch, backup.position().owner) == (3, B)
    with pytest.raises(Refusal, match="its epoch 2 of"):
        backup.receive(Leader(A, epoch=2).hello())


def test_another_primary_of_the_same_epoch_is_not_followed() -> None:
    backup = new_backup()
    backup.receive(Leader(A, epoch=2).hello())
    with pytest.raises(Refusal, match="is not newer"):
        backup.receive(Leader(B, epoch=2).hello())


# -- what the primary sends ----------------------------------------------------------------


def test_the_first_hello_makes_it_catch_up() -> None:
    backup = new_backup()
    assert backup.receive(Leader().hello())
    assert backup.role.status is Status.CATCHUP
    assert backup.following
    assert backup.saw_active_member
    assert (backup.log.epoch, backup.log.owner) == (1, A)
    assert not backup.receive(Leader().hello()), "nothing new"


def test_batches_are_kept_at_once_and_applied_once_they_are_committed() -> None:
    leader = Leader()
    backup = following(leader)
    for body in (b"one", b"two", b"three"):
        leader.publish(body)
        assert not backup.receive(leader.batch())
    assert backup.log.index == leader.index == 4
    assert len(backup.log.batches) == 3
    assert "q" not in backup.broker.queues
    assert backup.floor == 0
    leader.committed = 2
    leader.publish(b"four")
    backup.receive(leader.batch())
    assert bodies(backup) == [b"one"], "the batch told"
    assert backup.floor == 2
    assert not backup.receive(leader.commit())
    assert bodies(backup) == [b"one", b"two", b"three", b"four"]
    at = backup.position()
    assert (at.epoch, at.owner, at.index, at.floor, at.whole) == (1, A, 5, 5, True)


def test_several_batches_in_one_message_stay_several() -> None:
    backup, leader = new_backup(), Leader()
    backup.receive(leader.hello())
    parts = []
    for number in range(3):
        leader.publish(b"%d" % number)
        parts.append(Batch(0, 0, leader.batch()))
    backup.receive(encode_batches(parts))
    assert [batch.data for batch in backup.log.batches] == [part.data for part in parts]
    with pytest.raises(FramingError, match="expected 5"):
        backup.receive(encode_batches(parts))
    backup.receive(leader.commit())
    assert [e.message.body for e in backup.broker.queues["q"].entries()] == [b"0", b"1", b"2"]


def test_who_is_waited_for_in_the_set_is_not_ready_for_that() -> None:
    backup, leader = new_backup(), Leader()
    backup.receive(leader.hello())
    membership = Membership()
    membership.put(BrokerInfo(A, Status.ACTIVE))
    membership.put(BrokerInfo(ME, Status.CATCHUP), waited_for=True)
    backup.receive(encode_members(membership))
    assert backup.role.status is Status.CATCHUP
    assert backup.membership.survivors() == [ME]


def test_what_was_committed_before_it_came_is_applied_when_it_comes() -> None:
    leader = Leader()
    backup = following(leader)
    leader.publish(b"one")
    late = leader.batch()
    backup.receive(leader.commit())
    backup.receive(late)
    assert bodies(backup) == [b"one"]


def test_a_promoted_broker_applies_all_it_has() -> None:
    leader = Leader()
    backup = following(leader)
    leader.publish(b"one")
    backup.receive(leader.batch())
    backup.apply_all()
    assert bodies(backup) == [b"one"]
    assert backup.floor == 2


def test_no_more_than_so_much_is_kept_back() -> None:
    leader = Leader()
    backup = following(leader)
    backup.unapplied_bytes_max = 400
    for _ in range(10):
        leader.publish(b"x" * 100)
        backup.receive(leader.batch())
    assert 0 < backup.log.index - backup.floor < 5


def test_a_gap_or_a_repetition_is_refused() -> None:
    backup, leader = new_backup(), Leader()
    backup.receive(leader.hello())
    leader.publish(b"one")
    first = leader.batch()
    leader.publish(b"two")
    second = leader.batch()
    with pytest.raises(FramingError, match="batch starts at 3, expected 1"):
        backup.receive(second)
    backup.receive(first)
    with pytest.raises(FramingError, match="batch starts at 1, expected 3"):
        backup.receive(first)
    assert backup.log.index == 2


def test_a_batch_of_an_epoch_that_has_not_begun_here_is_refused() -> None:
    backup, leader = new_backup(), Leader()
    backup.receive(leader.hello())
    leader.publish(b"x")
    leader.epoch = 2
    with pytest.raises(Refusal, match="a batch of epoch 2 on a link of epoch 1"):
        backup.receive(leader.batch())


def test_a_batch_of_an_older_epoch_is_history() -> None:
    """What the log of a promoted backup holds was numbered by its predecessor."""
    backup, old = new_backup(), Leader(A, epoch=1)
    backup.receive(Leader(B, epoch=2).hello())
    old.publish(b"from before")
    backup.receive(old.batch())
    backup.receive(old.commit())
    assert bodies(backup) == [b"from before"]
    assert backup.log.epoch == 2


def test_data_before_hello_is_refused() -> None:
    backup, leader = new_backup(), Leader()
    leader.publish(b"x")
    _, chunk, messages = leader.snapshot()
    for data in (leader.batch(), chunk, messages, members(Status.READY), leader.commit(), b""):
        with pytest.raises(FramingError, match="before hello"):
            backup.receive(data)
    assert backup.role.status is Status.JOINING


def test_an_unknown_message_is_refused() -> None:
    backup = new_backup()
    backup.receive(Leader().hello())
    with pytest.raises(FramingError, match="unknown message kind 9"):
        backup.receive(b"\x09")


def test_a_hello_that_cannot_be_read_does_no_harm() -> None:
    leader = Leader()
    backup = following(leader)
    backup.receive(members(Status.READY))
    hello = bytearray(leader.hello())
    hello[1] = 99
    with pytest.raises(Refusal, match="format 99, this broker speaks"):
        backup.receive(bytes(hello))
    assert backup.role.status is Status.READY
    with pytest.raises(Refusal, match="a history without an epoch"):
        backup.receive(encode_hello(Hello(RESUME, 0, 0, [])))
    assert backup.whole


def test_a_hello_that_goes_on_elsewhere_is_refused() -> None:
    with pytest.raises(FramingError, match="goes on after 5"):
        new_backup().receive(Leader().hello(index=5))
    with pytest.raises(FramingError, match="mode 2"):
        new_backup().receive(Leader().hello(mode=REFILL))


def test_what_the_next_primary_never_had_is_taken_back() -> None:
    leader = Leader()
    backup = following(leader)
    backup.receive(members(Status.READY))
    for body in (b"one", b"two", b"three"):
        leader.publish(body)
        backup.receive(leader.batch())
    backup.receive(encode_commit(2))
    heir = Leader(B, epoch=2, begin=3)
    heir.history.insert(1, Epoch(1, A, 0))
    assert not backup.receive(heir.hello())
    assert backup.role.status is Status.READY
    assert (backup.log.index, backup.log.epoch) == (3, 2)
    heir.epoch, heir.index = 2, 3
    heir.broker.declare_queue("r", ACTOR)
    heir.broker.journal[0].number = 2  # type: ignore[attr-defined]
    backup.receive(heir.batch())
    backup.receive(heir.commit())
    assert bodies(backup) == [b"one", b"two"]
    assert "r" in backup.broker.queues


def test_what_was_applied_cannot_be_taken_back() -> None:
    leader = Leader()
    backup = following(leader)
    leader.publish(b"one")
    backup.receive(leader.batch())
    backup.receive(leader.commit())
    with pytest.raises(FramingError, match=r"goes on after 1 .*we are at 2 and cannot go back"):
        backup.receive(Leader(B, epoch=2, begin=1).hello())


def test_a_snapshot_replaces_everything() -> None:
    old, leader = Leader(), Leader(B, epoch=2)
    backup = following(old)
    old.publish(b"old")
    backup.receive(old.batch())
    backup.receive(old.commit())
    backup.receive(members(Status.READY))
    leader.publish(b"new")
    leader.index = 40
    hello, chunk, messages = leader.snapshot()
    assert backup.receive(hello)
    assert backup.role.status is Status.CATCHUP
    assert not backup.position().whole
    assert backup.broker.queues_by_number == {}
    with pytest.raises(FramingError, match="batch starts at 41, expected 41"):
        backup.receive(batch_head(2, 41, 0, 0))
    with pytest.raises(FramingError, match="old messages as of 40, we are at 40"):
        backup.receive(messages)
    backup.receive(chunk)
    at = backup.position()
    assert (at.index, at.whole, at.filled_queue, at.filled_position) == (40, False, 0, 0)
    with pytest.raises(FramingError, match="configuration in the middle"):
        backup.receive(chunk)
    backup.receive(members(Status.READY))
    assert backup.role.status is Status.CATCHUP, "not whole yet"
    backup.receive(messages)
    assert bodies(backup) == [b"new"]
    at = backup.position()
    assert (at.epoch, at.owner, at.index, at.floor, at.whole) == (2, B, 40, 40, True)


def test_messages_keep_their_form_old_ones_and_new_ones() -> None:
    leader = Leader()
    leader.publish(b"0-10")
    leader.publish_sections(b"\x00\x53\x75\xa0\x01a")
    old, new = new_backup(), following(leader)
    new.receive(leader.batch())
    new.receive(leader.commit())
    for data in leader.snapshot():
        old.receive(data)
    there = leader.broker.queues["q"]
    assert [entry.message.form for entry in there.entries()] == [AMQP_0_10, AMQP_1_0]
    for backup in (old, new):
        here = backup.broker.queues["q"]
        assert [entry.message.form for entry in here.entries()] == [AMQP_0_10, AMQP_1_0]
        assert here.digest() == there.digest()


def test_what_another_primary_had_confirmed_is_no_leave_to_apply() -> None:
    old, leader = Leader(), Leader(B, epoch=2)
    backup = following(old)
    old.publish(b"old")
    backup.receive(old.batch())
    backup.receive(encode_commit(1000))
    leader.index = 40
    for data in leader.snapshot():
        backup.receive(data)
    leader.publish(b"new")
    backup.receive(leader.batch())
    assert backup.log.index > 40
    assert backup.floor == 40


def test_batches_are_applied_at_once_while_old_messages_are_missing() -> None:
    backup, leader = new_backup(), Leader()
    leader.publish(b"old")
    hello, chunk, messages = leader.snapshot()
    backup.receive(hello)
    backup.receive(chunk)
    leader.publish(b"new")
    backup.receive(leader.batch())
    assert bodies(backup) == [b"new"]
    assert backup.floor == 1
    with pytest.raises(FramingError, match="old messages as of 0, we are at 1"):
        backup.receive(messages)
    catch_up = CatchUp(leader.broker, 0)
    backup.receive(catch_up.next_messages(leader.broker, RecordWriter(), 1))
    assert bodies(backup) == [b"old", b"new"]
    assert backup.whole
    assert (backup.messages_done, backup.messages_total) == (2, 2)


def test_filling_goes_on_after_a_cut() -> None:
    backup, leader = new_backup(), Leader()
    leader.publish(b"old")
    hello, chunk, _ = leader.snapshot()
    backup.receive(hello)
    backup.receive(chunk)
    backup.link_lost()
    assert not backup.following
    with pytest.raises(FramingError, match="goes on"):
        backup.receive(leader.hello())
    backup.receive(leader.hello(mode=REFILL))
    assert backup.following
    catch_up = CatchUp(leader.broker, 0)
    backup.receive(catch_up.next_messages(leader.broker, RecordWriter(), 0))
    assert bodies(backup) == [b"old"]


def test_a_snapshot_cut_before_the_first_message_cannot_be_resumed() -> None:
    backup, leader = new_backup(), Leader()
    backup.receive(leader.snapshot()[0])
    backup.link_lost()
    for mode in (RESUME, REFILL):
        with pytest.raises(FramingError, match="goes on"):
            backup.receive(leader.hello(mode=mode))


def test_it_says_when_it_last_came_forward() -> None:
    backup, leader = new_backup(), Leader()
    backup.now = 7.0
    backup.receive(leader.hello())
    assert (backup.began_at, backup.moved_at, backup.end_index) == (7.0, 7.0, 0)
    backup.now = 9.0
    leader.publish(b"x")
    backup.receive(leader.batch())
    assert (backup.began_at, backup.moved_at) == (7.0, 9.0)


def test_only_the_primary_says_who_is_ready() -> None:
    backup = new_backup()
    backup.receive(Leader().hello())
    assert backup.receive(members(Status.CATCHUP))
    assert backup.role.status is Status.CATCHUP
    assert backup.receive(members(Status.READY, B))
    assert backup.role.status is Status.CATCHUP, "that was somebody else"
    backup.receive(members(Status.READY))
    assert backup.role.status is Status.READY
    backup.receive(members(Status.READY))
    assert backup.role.status is Status.READY
    backup.receive(members(Status.CATCHUP))
    assert backup.role.status is Status.CATCHUP
    assert [info.system_id for info in backup.membership.members.values()] == [A, ME]
    assert backup.membership.version == 5


def test_what_could_not_be_applied_takes_a_backup_out_of_sync() -> None:
    backup, leader = new_backup(), Leader()
    backup.receive(leader.hello())
    assert not backup.broken(), "it was not in sync"
    assert not backup.whole
    backup = new_backup()
    backup.receive(leader.hello())
    backup.receive(members(Status.READY))
    assert backup.role.status is Status.READY
    assert backup.broken()
    assert backup.role.status is Status.CATCHUP
    assert not backup.position().whole


def test_the_follower_of_a_history_refuses_another_of_the_same_epoch() -> None:
    backup, leader = new_backup(), Leader()
    backup.receive(leader.hello())
    leader.publish(b"kept")
    backup.receive(leader.batch())
    backup.receive(leader.commit())
    with pytest.raises(Refusal, match=f"epoch 1 of {B} is not newer than epoch 1 of {A}"):
        backup.receive(Leader(owner=B).hello(mode=SNAPSHOT))
    assert bodies(backup) == [b"kept"]


def test_a_lost_link_changes_neither_status_nor_data() -> None:
    backup, leader = new_backup(), Leader()
    backup.receive(leader.hello())
    leader.publish(b"x")
    backup.receive(leader.batch())
    backup.receive(leader.commit())
    backup.receive(members(Status.READY))
    backup.link_lost()
    assert backup.role.status is Status.READY
    assert bodies(backup) == [b"x"]
    assert not backup.receive(leader.hello()), "goes on, ready as before"
    assert backup.role.status is Status.READY


def test_a_primary_cannot_be_led() -> None:
    backup = new_backup()
    backup.role.fire(Trigger.PROMOTED)
    with pytest.raises(IllegalTransition, match="from recovering"):
        backup.receive(Leader().hello())


def test_nobody_has_begun() -> None:
    at = new_backup().position()
    assert (at.epoch, at.owner, at.index, at.whole) == (0, NO_OWNER, 0, True)
