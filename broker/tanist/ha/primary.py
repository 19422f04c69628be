"""The primary's half of replication: who is in sync, what each backup still lacks.

A backup's link is an ordinary client connection that attached a session and subscribed to
``messages.REPLICATION_SOURCE``, saying where it stands. What travels to it is one ``hello`` (go on
after index i, or: a snapshot follows), perhaps a snapshot, then the batches of the log, each one
``message.transfer``. The backup completes transfers in order once they are applied; that is the
acknowledgement.

A peer goes through phases::

    SNAPSHOT   the state at an index is being sent, in chunks, while the primary serves on
    TAIL       batches of the log are being sent; it lags
    SYNCING    everything in the log has been sent: from now on confirmations wait for it
    READY      it acknowledged everything that was ever confirmed: in sync, may be promoted

``confirmable`` is the highest index that every peer which counts has acknowledged; the node opens
its gate up to it. A peer counts from SYNCING on; an *expected* backup (in sync with our
predecessor) counts from our promotion until it is ready, or gave no sign for
``ha-backup-timeout``.
"""

from __future__ import annotations

from collections import deque
from enum import IntEnum
from typing import Final
from uuid import UUID

from tanist.core.broker import Broker
from tanist.core.records import Record
from tanist.ha.log import Batch, Log
from tanist.ha.membership import BrokerInfo, Membership
from tanist.ha.messages import (
    Hello,
    Position,
    RecordWriter,
    encode_hello,
    encode_members,
    encode_snapshot_end,
    replication_head,
)
from tanist.ha.roles import Status
from tanist.wire.amqp010.session import Session

SNAPSHOT_CHUNK_RECORDS: Final = 500
"""Records per snapshot transfer: some 100 KB of small messages, a few milliseconds of work."""

SNAPSHOT_CHUNK_BYTES: Final = 256 * 1024
"""A chunk ends here even if it has fewer records: large messages must not pile up."""

WINDOW_BYTES_DEFAULT: Final = 16 * 1024 * 1024
"""Bytes in flight to one backup when ``ha-flow-bytes`` is 0: it must not pin all memory."""


class Phase(IntEnum):
    """How far a connected backup has come."""

    SNAPSHOT = 0
    TAIL = 1
    SYNCING = 2
    READY = 3


class InFlight:
    """One transfer sent, not yet completed; ``index`` is 0 unless it ends a stretch of the log."""

    __slots__ = ("index", "size")

    def __init__(self, index: int, size: int) -> None:
        self.index = index
        self.size = size


class Peer:
    """A connected backup that subscribed."""

    __slots__ = (
        "acked_index",
        "conn",
        "in_flight",
        "in_flight_bytes",
        "info",
        "phase",
        "sent_index",
        "session",
        "snapshot_at",
        "snapshot_index",
        "snapshot_records",
        "told",
    )

    def __init__(self, conn: int, session: Session, info: BrokerInfo) -> None:
        self.conn = conn
        self.session = session
        self.info = info
        self.phase = Phase.TAIL
        self.acked_index = 0
        self.sent_index = 0
        self.in_flight: deque[InFlight] = deque()
        self.in_flight_bytes = 0
        self.snapshot_records: list[Record] = []
        self.snapshot_at = 0
        self.snapshot_index = 0
        self.told: InFlight | None = None
        """On its way: news that the in-sync set shrank; nothing is confirmed before it is there."""


class Primary:
    """Replication as seen by the broker that was promoted. The node owns it and the connections."""

    def __init__(
        self,
        broker: Broker,
        log: Log,
        membership: Membership,
        writer: RecordWriter,
        flow_messages: int,
        flow_bytes: int,
    ) -> None:
        self.broker = broker
        self.log = log
        self.membership = membership
        self.writer = writer
        self.window_transfers = flow_messages or 1 << 30
        self.window_bytes = flow_bytes or WINDOW_BYTES_DEFAULT
        self.peers: dict[int, Peer] = {}
        self.expected: dict[UUID, float] = {}
        self.members_changed = False
        self.stirred = True
        """Something happened since the last ``settled``; otherwise there is nothing to do."""
        self.shrunk = False
        """Somebody left the in-sync set and the others were not told yet."""
        self._head = replication_head()

    # -- membership -------------------------------------------------------------------------

    def expect(self, system_ids: list[UUID], deadline: float) -> None:
        """We were just promoted: hold confirmations for these until ready or ``deadline``."""
        for system_id in system_ids:
            self.expected[system_id] = deadline

    def drop_overdue(self, now: float) -> list[UUID]:
        """Stop waiting for expected backups without a live link; returns whom we gave up."""
        if not self.expected:
            return []
        connected = {peer.info.system_id for peer in self.peers.values()}
        overdue = [
            system_id
            for system_id, deadline in self.expected.items()
            if deadline <= now and system_id not in connected
        ]
        for system_id in overdue:
            del self.expected[system_id]
            self.stirred = self.shrunk = self.members_changed = True
        return overdue

    def next_deadline(self) -> float:
        """When ``drop_overdue`` may have something to do; infinite if never."""
        if not self.expected:
            return float("inf")
        connected = {peer.info.system_id for peer in self.peers.values()}
        waiting = [at for who, at in self.expected.items() if who not in connected]
        return min(waiting, default=float("inf"))

    def connection_of(self, system_id: UUID) -> int | None:
        """The connection on which that backup is linked, if any."""
        for conn, peer in self.peers.items():
            if peer.info.system_id == system_id:
                return conn
        return None

    def add(self, conn: int, session: Session, info: BrokerInfo, at: Position) -> Peer:
        """A backup subscribed: decide what it needs and say hello.

        The caller must have dropped an older link of the same backup.
        """
        peer = Peer(conn, session, info)
        self.peers[conn] = peer
        self.stirred = True
        resume = at.whole and self.log.can_resume(at.epoch, at.owner, at.index)
        if resume:
            peer.sent_index = peer.acked_index = at.index
        else:
            peer.phase = Phase.SNAPSHOT
            peer.snapshot_records = list(self.broker.snapshot())
            peer.snapshot_index = self.log.index
        # An expected backup that goes on where it was never left the in-sync set: we confirm
        # nothing without it. If we die now it must still be promotable.
        still_in_sync = resume and info.system_id in self.expected
        info.status = Status.READY if still_in_sync else Status.CATCHUP
        self._member_changed(info)
        hello = Hello(self.log.epoch, self.log.owner, self.log.fork_index, resume, peer.sent_index)
        self._send(peer, encode_hello(hello), 0)
        return peer

    def remove(self, conn: int) -> Peer | None:
        """The link is gone: the backup is out of the in-sync set and the membership."""
        peer = self.peers.pop(conn, None)
        if peer is not None:
            self.membership.remove(peer.info.system_id)
            self.members_changed = True
            self.stirred = True
            self.shrunk = self.shrunk or peer.phase is Phase.READY
        return peer

    def _member_changed(self, info: BrokerInfo) -> None:
        self.membership.put(info)
        self.members_changed = True

    # -- the flow of batches ----------------------------------------------------------------

    def replicate(self, batch: Batch) -> None:
        """A batch was appended to the log: send it to everybody who has all before it."""
        self.stirred = True
        for peer in self.peers.values():
            if (
                peer.phase is not Phase.SNAPSHOT
                and peer.sent_index == batch.first - 1
                and self._has_room(peer)
            ):
                self._send_batch(peer, batch)

    def acknowledged(self, conn: int, transfers: int) -> None:
        """The backup on ``conn`` completed its oldest ``transfers`` transfers."""
        peer = self.peers.get(conn)
        if peer is None:
            return
        self.stirred = True
        for _ in range(min(transfers, len(peer.in_flight))):
            done = peer.in_flight.popleft()
            peer.in_flight_bytes -= done.size
            if done is peer.told:
                peer.told = None
            if done.index:
                peer.acked_index = done.index

    def pump(self) -> None:
        """Send lagging peers what fits their windows.

        Call once per step, after acknowledgements and new batches.
        """
        for peer in self.peers.values():
            if peer.phase is Phase.SNAPSHOT:
                self._pump_snapshot(peer)
            if peer.phase is not Phase.SNAPSHOT and peer.sent_index < self.log.index:
                self._pump_tail(peer)
            if (
                peer.phase is Phase.TAIL
                and peer.sent_index == self.log.index
                and all(item.index for item in peer.in_flight)
            ):
                peer.phase = Phase.SYNCING

    def promote_synced(self, opened_index: int) -> list[Peer]:
        """Peers that have everything confirmed so far (``opened_index``) become READY.

        And everything that our predecessors may have confirmed: all up to the fork.
        """
        became_ready: list[Peer] = []
        wanted = max(opened_index, self.log.fork_index)
        for peer in self.peers.values():
            if peer.phase is Phase.SYNCING and peer.acked_index >= wanted:
                if any(not item.index for item in peer.in_flight):
                    continue  # its hello is on the way: it does not know yet whom it follows
                peer.phase = Phase.READY
                peer.info.status = Status.READY
                self.expected.pop(peer.info.system_id, None)
                self._member_changed(peer.info)
                became_ready.append(peer)
        return became_ready

    def confirmable(self, opened_index: int) -> int:
        """The highest index that everybody who counts has; never below ``opened_index``.

        After the in-sync set shrank, nothing more is confirmed until all who are left know it:
        one of them may be promoted next, and must not wait for, nor trust, who was dropped.
        """
        if self.shrunk:
            return opened_index
        index = self.log.index
        for peer in self.peers.values():
            if peer.told is not None:
                return opened_index
            if peer.phase >= Phase.SYNCING and peer.acked_index < index:
                index = peer.acked_index
        if self.expected:
            index = min(index, self._expected_index(opened_index))
        return max(index, opened_index)

    def _expected_index(self, opened_index: int) -> int:
        """What the expected backups have, whatever their phase; one without a link has nothing."""
        index = self.log.index
        waited_for = set(self.expected)
        for peer in self.peers.values():
            if peer.info.system_id in waited_for:
                waited_for.discard(peer.info.system_id)
                index = min(index, peer.acked_index)
        return opened_index if waited_for else index

    def announce_members(self) -> None:
        """Send the membership to every backup (call after it changed)."""
        data = encode_members(self.membership)
        for peer in self.peers.values():
            self._send(peer, data, 0)
            if self.shrunk and peer.phase is Phase.READY:
                peer.told = peer.in_flight[-1]
        self.shrunk = False

    def _has_room(self, peer: Peer) -> bool:
        return (
            len(peer.in_flight) < self.window_transfers and peer.in_flight_bytes < self.window_bytes
        )

    def _pump_snapshot(self, peer: Peer) -> None:
        records = peer.snapshot_records
        while self._has_room(peer) and peer.snapshot_at < len(records):
            data, count = self.writer.encode_snapshot(
                records, peer.snapshot_at, SNAPSHOT_CHUNK_RECORDS, SNAPSHOT_CHUNK_BYTES
            )
            peer.snapshot_at += count
            self._send(peer, data, 0)
        if peer.snapshot_at >= len(records) and self._has_room(peer):
            index = peer.snapshot_index
            self._send(peer, encode_snapshot_end(index), index)
            peer.snapshot_records = []
            peer.sent_index = index
            peer.phase = Phase.TAIL

    def _pump_tail(self, peer: Peer) -> None:
        if not self._has_room(peer):
            return
        if peer.sent_index + 1 < self.log.first_retained:
            self._restart_with_snapshot(peer)
            return
        for batch in self.log.batches_after(peer.sent_index):
            if not self._has_room(peer):
                break
            self._send_batch(peer, batch)

    def _restart_with_snapshot(self, peer: Peer) -> None:
        """It lagged further than the log reaches back: start over."""
        was_ready = peer.phase is Phase.READY
        peer.phase = Phase.SNAPSHOT
        peer.acked_index = 0
        peer.snapshot_records = list(self.broker.snapshot())
        peer.snapshot_index = self.log.index
        peer.snapshot_at = 0
        peer.info.status = Status.CATCHUP
        self._member_changed(peer.info)
        hello = Hello(self.log.epoch, self.log.owner, self.log.fork_index, False, 0)
        self._send(peer, encode_hello(hello), 0)
        if was_ready:  # it must know that it is not in sync before anything is confirmed without it
            peer.told = peer.in_flight[-1]
            self.shrunk = True

    def _send_batch(self, peer: Peer, batch: Batch) -> None:
        self._send(peer, batch.data, batch.last)
        peer.sent_index = batch.last

    def _send(self, peer: Peer, data: bytes, index: int) -> None:
        peer.session.send_transfer(self._head, b"", data)
        peer.in_flight.append(InFlight(index, len(data)))
        peer.in_flight_bytes += len(data)
