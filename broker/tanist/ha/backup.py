"""The backup's half of replication: find the primary, follow it, know when promotion is safe.

A backup dials the addresses of ``ha-brokers-url`` one after the other. Each broker says in the
server-properties of its connection.start who it is, its HA status and its epoch (``standing``), so
a dial tells a backup from a primary before it logs in; that is also the **status check** of a
joining broker: once it saw a member that is past joining it must not be promoted, because that
member has data which it lacks.

What arrives from the primary goes through ``receive``; the node then completes the transfer, which
is the acknowledgement: this broker *has* it. Batches go into the log at once, but to the queues
only when the primary has confirmed them (``committed``): should the next primary have less than we
do, what is not applied is taken back by forgetting it, and nothing has to be sent anew. A promoted
broker applies all it has.

While it is filled with old messages a backup applies batches at once (``floor`` follows): it holds
no state of any moment then, and cannot be promoted but by force.
"""

from __future__ import annotations

from collections import deque
from typing import Final
from uuid import UUID

from tanist.core.broker import Broker
from tanist.ha.codec import RecordReader
from tanist.ha.log import Batch, Log
from tanist.ha.membership import Membership
from tanist.ha.messages import (
    BATCH_HEAD_OCTETS,
    FILL_HEAD_OCTETS,
    KIND_BATCH,
    KIND_BATCHES,
    KIND_COMMIT,
    KIND_FILL,
    KIND_HELLO,
    KIND_MEMBERS,
    KIND_SNAPSHOT,
    REFILL,
    RESUME,
    SNAPSHOT,
    SNAPSHOT_HEAD_OCTETS,
    Hello,
    decode_batch_head,
    decode_batches,
    decode_commit,
    decode_fill_head,
    decode_hello,
    decode_members,
    decode_snapshot_head,
    message_kind,
)
from tanist.ha.roles import Role, Status, Trigger, status_name
from tanist.ha.standing import PeerStatus, Position
from tanist.ha.url import Address
from tanist.types import FramingError

UNAPPLIED_BYTES_MAX: Final = 64 * 1024 * 1024
"""Bytes of batches kept back from the queues. More is applied before it is confirmed: it only means
a snapshot should the next primary have less."""


class Refusal(Exception):
    """The link must be dropped: what the peer is or says must not be followed. Retried later."""


class Backup:
    """One broker while it is a backup. ``now`` (seconds) is set before each call of ``receive``."""

    def __init__(
        self,
        broker: Broker,
        log: Log,
        role: Role,
        membership: Membership,
        reader: RecordReader,
        system_id: UUID,
    ) -> None:
        self.broker = broker
        self.log = log
        self.role = role
        self.membership = membership
        self.reader = reader
        self.system_id = system_id
        self.now = 0.0
        self.addresses: list[Address] = []
        self.next_address = 0
        self.following = False
        """True between the primary's hello and the end of its link."""
        self.saw_active_member = False
        """Sticky: some member is past joining, so an empty broker must not be promoted."""
        self.unchecked: set[int] = set()
        """Status checks (by connection id) that are not decided yet."""
        self.whole = True
        """False while old messages are missing: what we hold is not a state of any moment."""
        self.floor = 0
        """The index up to which the log was applied to the queues: it cannot be taken back."""
        self.moved_at = 0.0
        """When the primary last sent something that brings us forward, or was lost."""
        self.began_at = 0.0
        """When the present hello came."""
        self.messages_done = 0
        self.messages_total = 0
        self.end_index = 0
        """The primary's log went so far when it said hello."""
        self._filled_queue = -1
        self._filled_position = 0
        self.unapplied_bytes_max = UNAPPLIED_BYTES_MAX
        self._unapplied: deque[Batch] = deque()
        self._unapplied_bytes = 0
        self._committed = 0

    # -- dialling ---------------------------------------------------------------------------

    def point_at(self, addresses: list[Address]) -> None:
        """Use this list of members from now on, from its first element."""
        self.addresses = addresses
        self.next_address = 0

    def take_address(self) -> tuple[Address, bool] | None:
        """The address to dial next, and whether it ends a pass over the list; None without list."""
        if not self.addresses:
            return None
        at = self.next_address % len(self.addresses)
        self.next_address = (at + 1) % len(self.addresses)
        return self.addresses[at], self.next_address == 0

    def judge(self, peer: PeerStatus | None) -> None:
        """Decide whether to go on with a link after its connection.start.

        A deposed primary is not left alone: our subscription tells it the epoch that has begun, and
        it stops. Should it go on all the same, its hello is refused.

        Raises: Refusal with the reason; drop the connection and try the next address.
        """
        if peer is None:
            raise Refusal("it is not a member of a cluster")
        if peer.system_id == self.system_id:
            raise Refusal("it is this broker itself")
        if peer.status is not Status.JOINING:
            self.saw_active_member = True
        if not peer.is_primary:
            raise Refusal(f"it is {status_name(peer.status)}, not the primary")

    def position(self) -> Position:
        """Where we stand, for the subscription."""
        return Position(
            self.log.epoch,
            self.log.owner,
            self.log.index,
            self.floor,
            self.whole,
            self._filled_queue,
            self._filled_position,
        )

    def broken(self) -> bool:
        """Something could not be applied: what we hold is no state of any moment now.

        True if the status changed.
        """
        self.whole = False
        self._filled_queue = -1
        if self.role.status is Status.READY:
            return self.role.fire(Trigger.FELL_BEHIND)
        return False

    def link_lost(self) -> None:
        """The link is gone; status and data stay as they are."""
        self.following = False
        self.moved_at = self.now

    def apply_all(self) -> None:
        """Apply what was kept back, because we are promoted.

        Raises: FramingError if it cannot be applied; then we must not be promoted.
        """
        while self._unapplied:
            self._apply_next()

    # -- what the primary sends -------------------------------------------------------------

    def receive(self, data: bytes) -> bool:
        """Take one message of the link; true if status or membership changed.

        Raises: FramingError if it is malformed or does not continue what we have, Refusal if its
            epoch is not the one we follow: drop the link. IllegalTransition: stop the broker.
        """
        kind = message_kind(data)
        if kind == KIND_BATCH and self.following:
            self._batch(data)
            return False
        if kind == KIND_HELLO:
            try:
                hello = decode_hello(data)
            except FramingError as unreadable:
                raise Refusal(unreadable.text) from unreadable
            return self._hello(hello)
        if not self.following:
            raise FramingError("replication link: data before hello")
        if kind == KIND_BATCHES:
            for batch in decode_batches(data):
                self._batch(batch)
            return False
        if kind == KIND_COMMIT:
            self._commit(decode_commit(data))
            return False
        if kind == KIND_SNAPSHOT:
            self._configure(data)
            return False
        if kind == KIND_FILL:
            self._fill(data)
            return False
        if kind == KIND_MEMBERS:
            return self._members(data)
        raise FramingError(f"replication link: unknown message kind {kind}")

    def _hello(self, hello: Hello) -> bool:
        log = self.log
        theirs = hello.history[-1] if hello.history else None
        if (
            theirs is None
            or theirs.number < log.epoch
            or (theirs.number == log.epoch and theirs.owner != log.owner)
        ):
            what = (
                "a history without an epoch"
                if theirs is None
                else (f"its epoch {theirs.number} of {theirs.owner}")
            )
            raise Refusal(f"{what} is not newer than epoch {log.epoch} of {log.owner}")
        if hello.mode != SNAPSHOT:
            self._check_resume(hello)
        log.follow(hello.history)
        changed = self.role.fire(Trigger.PRIMARY_FOUND)
        self.saw_active_member = True
        self.following = True
        self.moved_at = self.began_at = self.now
        self.end_index = hello.end
        if hello.mode == SNAPSHOT:
            changed |= self.role.fire(Trigger.FELL_BEHIND)
            self._forget_everything(hello.index)
        else:
            self._take_back(hello.index)
        return changed

    def _check_resume(self, hello: Hello) -> None:
        """Whether we can go on where the primary says."""
        fits = self.floor <= hello.index <= self.log.index
        if hello.mode == RESUME:
            fits = fits and self.whole
        elif hello.mode == REFILL:
            fits = fits and not self.whole and self._filled_queue >= 0
        if not fits:
            raise FramingError(
                f"replication link: goes on after {hello.index} (mode {hello.mode}), we are at "
                f"{self.log.index} and cannot go back behind {self.floor}"
            )

    def _forget_everything(self, index: int) -> None:
        self.broker.clear_replicated()
        self.log.restart(index)
        self._unapplied.clear()
        self._unapplied_bytes = 0
        self.whole = False
        self.floor = self._committed = index
        self._filled_queue = -1
        self.messages_done = self.messages_total = 0

    def _take_back(self, index: int) -> None:
        """Forget the batches after ``index``: the primary that we follow now never had them."""
        self.log.truncate(index)
        self._committed = min(self._committed, index)
        while self._unapplied and self._unapplied[-1].first > index:
            self._unapplied_bytes -= len(self._unapplied.pop().data)

    def _batch(self, data: bytes) -> None:
        head = decode_batch_head(data)
        log = self.log
        if head.epoch > log.epoch:
            raise Refusal(f"a batch of epoch {head.epoch} on a link of epoch {log.epoch}")
        if head.first != log.index + 1 or (not self.whole and self._filled_queue < 0):
            raise FramingError(
                f"replication link: batch starts at {head.first}, expected {log.index + 1}"
            )
        batch = log.append(head.count, data)
        self.moved_at = self.now
        self._unapplied.append(batch)
        self._unapplied_bytes += len(data)
        self._commit(head.committed if self.whole else batch.last)
        while self._unapplied_bytes > self.unapplied_bytes_max:
            self._apply_next()

    def _commit(self, committed: int) -> None:
        """Everything up to ``committed`` is confirmed: apply it, what comes later as well."""
        committed = self._committed = max(committed, self._committed)
        unapplied = self._unapplied
        while unapplied and unapplied[0].last <= committed:
            self._apply_next()

    def _apply_next(self) -> None:
        batch = self._unapplied.popleft()
        self._unapplied_bytes -= len(batch.data)
        self.floor = batch.last
        count = batch.last - batch.first + 1
        self.reader.apply(self.broker, batch.data, BATCH_HEAD_OCTETS, count)

    def _configure(self, data: bytes) -> None:
        last, count = decode_snapshot_head(data)
        if self.whole or self._filled_queue >= 0:
            raise FramingError("replication link: configuration in the middle of the log")
        self.reader.apply(self.broker, data, SNAPSHOT_HEAD_OCTETS, count)
        self.moved_at = self.now
        if last:
            self._filled_queue = 0
            self._filled_position = 0

    def _fill(self, data: bytes) -> None:
        head = decode_fill_head(data)
        if self.whole or self._filled_queue < 0 or head.state_at != self.log.index:
            raise FramingError(
                f"replication link: old messages as of {head.state_at}, we are at {self.log.index}"
            )
        self.reader.fill(self.broker, data, FILL_HEAD_OCTETS, head.count)
        self.moved_at = self.now
        self.messages_done, self.messages_total = head.done, head.total
        self._filled_queue = head.queue
        self._filled_position = head.position
        if head.last:
            self.whole = True
            self._filled_queue = -1

    def _members(self, data: bytes) -> bool:
        self.membership.replace(*decode_members(data))
        own = self.membership.get(self.system_id)
        if own is None:
            return True
        if own.status is Status.READY and self.whole:
            self.role.fire(Trigger.CAUGHT_UP)
        elif own.status is Status.CATCHUP and self.role.status is Status.READY:
            self.role.fire(Trigger.FELL_BEHIND)
        return True
