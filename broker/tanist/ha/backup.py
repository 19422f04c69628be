"""The backup's half of replication: find the primary, follow it, know when promotion is safe.

A backup dials the addresses of ``ha-brokers-url`` one after the other. Each broker says in the
server-properties of its connection.start who it is, its HA status and its epoch, so a dial tells a
backup from a primary before it logs in; that is also the **status check** of a joining broker:
once it saw a member that is past joining it must not be promoted, because that member has data
which it lacks.

This module holds the decisions and the state; the node owns sockets and timers. What arrives from
the primary goes through ``receive`` and is applied to the broker at once; the node then completes
the transfer, which is the acknowledgement.
"""

from __future__ import annotations

from uuid import UUID

from tanist.core.broker import Broker
from tanist.ha.log import Log
from tanist.ha.membership import Membership
from tanist.ha.messages import (
    KIND_BATCH,
    KIND_HELLO,
    KIND_MEMBERS,
    KIND_SNAPSHOT,
    KIND_SNAPSHOT_END,
    Position,
    RecordReader,
    decode_batch_head,
    decode_hello,
    decode_members,
    decode_snapshot_end,
    message_kind,
)
from tanist.ha.roles import PRIMARY_STATUSES, Role, Status, Trigger, status_name
from tanist.ha.url import Address
from tanist.types import FramingError
from tanist.wire.amqp010.values import Value


class PeerStatus:
    """What a broker said of itself in connection.start.

    ``confirmed``: how many records it confirmed since its epoch began (a primary only).
    """

    __slots__ = ("confirmed", "epoch", "status", "system_id")

    def __init__(self, system_id: UUID, status: Status, epoch: int, confirmed: int = 0) -> None:
        self.system_id = system_id
        self.status = status
        self.epoch = epoch
        self.confirmed = confirmed

    @property
    def is_primary(self) -> bool:
        """It says that it serves."""
        return self.status in PRIMARY_STATUSES

    def deposes(self, system_id: UUID, epoch: int, confirmed: int) -> bool:
        """Whether a primary ``system_id`` of ``epoch`` must stop, having heard this.

        A newer epoch deposes an older one. Two primaries of one epoch should not be; if they are,
        the one that confirmed more stays, or else the one with the greater id, so that exactly one
        of them stops.
        """
        if self.epoch != epoch or not self.is_primary or self.system_id == system_id:
            return self.epoch > epoch
        return (self.confirmed, self.system_id.int) > (confirmed, system_id.int)


class Refusal(Exception):
    """The link must be dropped: what the peer is or says must not be followed. Retried later."""


class Backup:
    """One broker while it is a backup."""

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
        self.addresses: list[Address] = []
        self.next_address = 0
        self.whole = True
        """False while a snapshot is incomplete: what we hold is not a state of any moment."""
        self.following = False
        """True between the primary's hello and the end of its link."""
        self.saw_active_member = False
        """Sticky: some member is past joining, so an empty broker must not be promoted."""
        self.unchecked: set[int] = set()
        """Status checks (by connection id) that are not decided yet."""

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
        if peer.status not in (Status.RECOVERING, Status.ACTIVE):
            raise Refusal(f"it is {status_name(peer.status)}, not the primary")

    def position(self) -> Position:
        """Where we stand, for the subscription."""
        return Position(self.log.epoch, self.log.owner, self.log.index, self.whole)

    def broken(self) -> bool:
        """Something could not be applied: what we hold is no state of any moment now.

        True if the status changed.
        """
        self.whole = False
        if self.role.status is Status.READY:
            return self.role.fire(Trigger.FELL_BEHIND)
        return False

    def link_lost(self) -> None:
        """The link is gone; status and data stay as they are."""
        self.following = False

    # -- what the primary sends -------------------------------------------------------------

    def receive(self, data: bytes) -> bool:
        """Apply one message of the link; true if status or membership changed.

        Raises: FramingError if it is malformed or does not continue what we have, Refusal if its
            epoch is not the one we follow: drop the link. IllegalTransition: stop the broker.
        """
        kind = message_kind(data)
        if kind == KIND_BATCH and self.following:
            self._batch(data)
            return False
        if kind == KIND_HELLO:
            return self._hello(data)
        if not self.following:
            raise FramingError("replication link: data before hello")
        if kind == KIND_SNAPSHOT:
            self.reader.apply_snapshot(self.broker, data)
            return False
        if kind == KIND_SNAPSHOT_END:
            self.log.restart(decode_snapshot_end(data))
            self.whole = True
            return False
        if kind == KIND_MEMBERS:
            return self._members(decode_members(data))
        raise FramingError(f"replication link: unknown message kind {kind}")

    def _hello(self, data: bytes) -> bool:
        hello = decode_hello(data)
        if hello.epoch < self.log.epoch or (
            hello.epoch == self.log.epoch and hello.owner != self.log.owner
        ):
            raise Refusal(
                f"its epoch {hello.epoch} of {hello.owner} is not newer than epoch "
                f"{self.log.epoch} of {self.log.owner}"
            )
        changed = self.role.fire(Trigger.PRIMARY_FOUND)
        self.saw_active_member = True
        self.following = True
        if hello.resume:
            if hello.index != self.log.index or not self.whole:
                raise FramingError(
                    f"replication link: resumes after {hello.index}, we are at {self.log.index}"
                )
        else:
            changed |= self.role.fire(Trigger.FELL_BEHIND)
            self.whole = False
            self.broker.clear_replicated()
            self.log.restart(0)
        self.log.follow(hello.epoch, hello.owner, hello.fork_index)
        return changed

    def _batch(self, data: bytes) -> None:
        head = decode_batch_head(data)
        if head.epoch > self.log.epoch:
            raise Refusal(f"a batch of epoch {head.epoch} on a link of epoch {self.log.epoch}")
        if head.first != self.log.index + 1 or not self.whole:
            raise FramingError(
                f"replication link: batch starts at {head.first}, expected {self.log.index + 1}"
            )
        self.reader.apply_batch(self.broker, data)
        self.log.append(head.count, data)

    def _members(self, members: list[Value]) -> bool:
        self.membership.replace(members)
        own = self.membership.get(self.system_id)
        if own is None:
            return True
        if own.status is Status.READY and self.whole:
            self.role.fire(Trigger.CAUGHT_UP)
        elif own.status is Status.CATCHUP and self.role.status is Status.READY:
            self.role.fire(Trigger.FELL_BEHIND)
        return True
