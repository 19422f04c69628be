"""A backup decides whom to follow, and applies what it is sent, in order or not at all."""

from __future__ import annotations

from uuid import UUID

import pytest

from tanist.core.broker import Broker, BrokerConfig
from tanist.core.message import Message
from tanist.core.notices import Actor
from tanist.core.records import Record
from tanist.ha.backup import Backup, PeerStatus, Refusal
from tanist.ha.log import NO_OWNER, Log
from tanist.ha.membership import BrokerInfo, Membership
from tanist.ha.messages import (
    Hello,
    RecordReader,
    RecordWriter,
    encode_hello,
    encode_members,
    encode_snapshot_end,
)
from tanist.ha.roles import IllegalTransition, Role, Status, Trigger
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
    """Writes what a primary would send."""

    def __init__(self, owner: UUID = A, epoch: int = 1) -> None:
        self.broker = new_broker()
        self.broker.promote()
        self.owner = owner
        self.epoch = epoch
        self.index = 0

    def hello(self, *, resume: bool = True, index: int | None = None) -> bytes:
        at = self.index if index is None else index
        return encode_hello(Hello(self.epoch, self.owner, 0, resume, at))

    def batch(self) -> bytes:
        """The records since the last batch."""
        records, self.broker.journal = self.broker.journal, []
        data = RecordWriter().encode_batch(self.epoch, self.index + 1, records)
        self.index += len(records)
        return data

    def publish(self, body: bytes) -> None:
        if "q" not in self.broker.queues:
            self.broker.declare_queue("q", ACTOR)
        self.broker.publish(Message(b"", body, "", "q"), "")

    def snapshot(self) -> list[bytes]:
        self.broker.journal = []
        records: list[Record] = list(self.broker.snapshot())
        chunk, _ = RecordWriter().encode_snapshot(records, 0, 10**6, 10**6)
        return [self.hello(resume=False), chunk, encode_snapshot_end(self.index)]


def members(status: Status, who: UUID = ME) -> bytes:
    membership = Membership()
    membership.put(BrokerInfo(A, Status.ACTIVE))
    membership.put(BrokerInfo(who, status))
    return encode_members(membership)


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
    backup.judge(PeerStatus(A, status, 1))
    assert backup.saw_active_member


@pytest.mark.parametrize(
    "status", [Status.JOINING, Status.CATCHUP, Status.READY, Status.STANDALONE]
)
def test_others_are_not(status: Status) -> None:
    backup = new_backup()
    with pytest.raises(Refusal, match="not the primary"):
        backup.judge(PeerStatus(A, status, 1))
    assert backup.saw_active_member is (status is not Status.JOINING)


def test_nobody_follows_itself_or_a_stranger() -> None:
    backup = new_backup()
    with pytest.raises(Refusal, match="itself"):
        backup.judge(PeerStatus(ME, Status.ACTIVE, 1))
    with pytest.raises(Refusal, match="not a member"):
        backup.judge(None)
    assert not backup.saw_active_member


def test_a_deposed_primary_is_told_but_not_followed() -> None:
    backup = new_backup()
    backup.receive(Leader(B, epoch=3).hello())
    backup.link_lost()
    backup.judge(PeerStatus(A, Status.ACTIVE, 2))
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


def test_batches_are_applied_in_order_and_kept() -> None:
    backup, leader = new_backup(), Leader()
    backup.receive(leader.hello())
    for body in (b"one", b"two"):
        leader.publish(body)
        assert not backup.receive(leader.batch())
    assert bodies(backup) == [b"one", b"two"]
    assert backup.log.index == leader.index
    assert len(backup.log.batches) == 2
    at = backup.position()
    assert (at.epoch, at.owner, at.index, at.whole) == (1, A, 3, True)


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
    assert bodies(backup) == [b"from before"]
    assert backup.log.epoch == 2


def test_data_before_hello_is_refused() -> None:
    backup, leader = new_backup(), Leader()
    leader.publish(b"x")
    for data in (leader.batch(), encode_snapshot_end(1), members(Status.READY), b"", b"\x09"):
        with pytest.raises(FramingError, match="before hello"):
            backup.receive(data)
    assert backup.role.status is Status.JOINING


def test_an_unknown_message_is_refused() -> None:
    backup = new_backup()
    backup.receive(Leader().hello())
    with pytest.raises(FramingError, match="unknown message kind 9"):
        backup.receive(b"\x09")


def test_a_hello_that_goes_on_elsewhere_is_refused() -> None:
    with pytest.raises(FramingError, match="resumes after 5, we are at 0"):
        new_backup().receive(Leader().hello(index=5))


def test_a_snapshot_replaces_everything() -> None:
    backup, old, leader = new_backup(), Leader(), Leader(B, epoch=2)
    backup.receive(old.hello())
    old.publish(b"old")
    backup.receive(old.batch())
    backup.receive(members(Status.READY))
    leader.publish(b"new")
    leader.index = 40
    hello, chunk, end = leader.snapshot()
    assert backup.receive(hello)
    assert backup.role.status is Status.CATCHUP
    assert not backup.position().whole
    assert backup.broker.queues_by_number == {}
    with pytest.raises(FramingError, match="batch starts at 1, expected 1"):
        backup.receive(RecordWriter().encode_batch(2, 1, []))
    backup.receive(chunk)
    backup.receive(members(Status.READY))
    assert backup.role.status is Status.CATCHUP, "not whole yet"
    backup.receive(end)
    assert bodies(backup) == [b"new"]
    at = backup.position()
    assert (at.epoch, at.owner, at.index, at.whole) == (2, B, 40, True)


def test_a_broken_snapshot_cannot_be_resumed() -> None:
    backup, leader = new_backup(), Leader()
    backup.receive(leader.snapshot()[0])
    backup.link_lost()
    assert not backup.following
    with pytest.raises(FramingError, match="resumes"):
        backup.receive(leader.hello())


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
    with pytest.raises(Refusal, match=f"epoch 1 of {B} is not newer than epoch 1 of {A}"):
        backup.receive(Leader(owner=B).hello(resume=False))
    assert bodies(backup) == [b"kept"]


def test_a_lost_link_changes_neither_status_nor_data() -> None:
    backup, leader = new_backup(), Leader()
    backup.receive(leader.hello())
    leader.publish(b"x")
    backup.receive(leader.batch())
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
