"""The primary's half of replication: who is in sync, what each backup still lacks.

A backup's link is an ordinary client connection that attached a session and subscribed to
``messages.REPLICATION_SOURCE``, saying where it stands. What travels to it is one ``hello``, then
whatever brings it up to date (``peer`` has the phases, ``catchup`` the old messages), then the
batches of the log, each one ``message.transfer``. The backup completes transfers in order once it
has them; that is the acknowledgement.

The **in-sync set** is the primary, its READY peers, and the *absent*: who was in the set and cannot
be counted on now. Absent are the backups of our predecessor until they are ready again
(*expected*), a backup whose link is gone, and one that does not acknowledge. Nothing is confirmed
that an absent member lacks, until it is READY again or was *dropped*. ``overdue`` says who should
be dropped; the node asks whoever must be asked and calls ``drop``. After that, all others are told
before anything more is confirmed: one of them may be promoted next, and must not wait for, nor
trust, who is gone. A dropped one that is linked and answers is told, too, lest it believe that it
may be promoted.

The caller sets ``now`` (seconds) before it calls anything else in a step.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from tanist.core.broker import Broker
from tanist.ha.catchup import CatchUp
from tanist.ha.codec import RecordWriter
from tanist.ha.log import Batch, Log
from tanist.ha.membership import BrokerInfo, Membership
from tanist.ha.messages import (
    REFILL,
    RESUME,
    SNAPSHOT,
    Hello,
    encode_batches,
    encode_commit,
    encode_hello,
    encode_members,
    replication_head,
)
from tanist.ha.peer import NEWS, STEP, Peer, Phase
from tanist.ha.roles import Status
from tanist.ha.standing import Position
from tanist.wire.amqp010.session import Session

CHUNKS_IN_FLIGHT_MAX: Final = 3
"""Steps of catching up that are under way to one backup: it always has something to do, and the
live traffic never waits behind more than that."""

BATCHES_AT_ONCE: Final = 256
BATCHES_BYTES_MAX: Final = 256 * 1024
"""A backup that lags gets so many batches in one transfer: its window may have room for few."""

WINDOW_BYTES_DEFAULT: Final = 16 * 1024 * 1024
"""Bytes in flight to one backup when ``ha-flow-bytes`` is 0: it must not pin all memory."""

COMMIT_AFTER_S: Final = 0.02
"""How long what is committed waits for a batch to carry the news, before it travels alone."""

SYNC_PAUSE_MAX_S: Final = 60.0
"""A backup that is too slow again and again is not waited for more often than this."""

NEVER: Final = float("inf")


class Absent:
    """A member of the in-sync set that is not READY.

    ``acked``: it has everything up to there. It should be dropped at ``deadline`` (seconds),
    because of ``reason``. ``expected``: it was in sync with our predecessor. ``silent``: it is
    known not to answer, so that asking it anything is in vain.
    """

    __slots__ = ("acked", "deadline", "expected", "reason", "silent", "since")

    def __init__(
        self, acked: int, since: float, deadline: float, reason: str, expected: bool = False
    ) -> None:
        self.acked = acked
        self.since = since
        self.deadline = deadline
        self.reason = reason
        self.expected = expected
        self.silent = False


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
        ack_timeout_s: float = 0.0,
    ) -> None:
        """``ack_timeout_s``: how long a backup that is linked may owe an acknowledgement before it
        leaves the in-sync set, and twice that before its link is dropped; 0 = for ever.
        """
        self.broker = broker
        self.log = log
        self.membership = membership
        self.writer = writer
        self.window_transfers = flow_messages or 1 << 30
        self.window_bytes = flow_bytes or WINDOW_BYTES_DEFAULT
        self.ack_timeout_s = ack_timeout_s or NEVER
        self.now = 0.0
        self.peers: dict[int, Peer] = {}
        self.absent: dict[UUID, Absent] = {}
        self.committed = 0
        """Up to where confirmations have left (``commit``)."""
        self.commit_due = NEVER
        """When backups must be told what is committed, seconds."""
        self.members_changed = False
        self.moved = False
        """Batches or acknowledgements since the node last looked: call ``pump``, open the gate."""
        self.stirred = True
        """Who is in sync may have changed since then. Neither: there is nothing to do."""
        self.shrunk = False
        """Somebody was dropped from the in-sync set and the others were not told yet."""
        self._dropped: set[UUID] = set()
        """Dropped, but linked and able to hear that they were."""
        self._head = replication_head()

    # -- the in-sync set --------------------------------------------------------------------

    def expect(self, system_ids: list[UUID], deadline: float) -> None:
        """We were just promoted: these were in sync with our predecessor."""
        for system_id in system_ids:
            self.absent[system_id] = Absent(0, self.now, deadline, "did not connect", True)

    @property
    def recovering(self) -> bool:
        """Backups of our predecessor are still waited for."""
        return any(absent.expected for absent in self.absent.values())

    def in_sync(self) -> list[UUID]:
        """The backups in the in-sync set: READY or absent."""
        ready = [p.info.system_id for p in self.peers.values() if p.phase is Phase.READY]
        return ready + [who for who in self.absent if who not in ready]

    def overdue(self) -> list[UUID]:
        """Who should be dropped from the in-sync set now."""
        return [who for who, absent in self.absent.items() if absent.deadline <= self.now]

    def drop(self, system_ids: list[UUID]) -> None:
        """These leave the in-sync set, whether linked (they catch up again) or not."""
        linked = {peer.info.system_id: peer for peer in self.peers.values()}
        for system_id in system_ids:
            if self.absent.pop(system_id, None) is None:
                continue
            peer = linked.get(system_id)
            if peer is None:
                self.membership.remove(system_id)
            else:
                peer.info.status = Status.CATCHUP
                self.membership.put(peer.info)
                if peer.silent_s(self.now) <= self.ack_timeout_s / 2:  # it answers
                    self._dropped.add(system_id)
                else:
                    peer.told = None
            self.stirred = self.shrunk = self.members_changed = True

    def next_deadline(self) -> float:
        """When ``overdue`` or ``tick`` may have something to do; infinite if never."""
        at = self.commit_due
        for absent in self.absent.values():
            if self.now < absent.deadline < at:
                at = absent.deadline
        return at

    def commit(self, index: int) -> None:
        """Everything up to ``index`` was confirmed."""
        if index > self.committed:
            self.committed = index
            if self.commit_due == NEVER and self.peers:
                self.commit_due = self.now + COMMIT_AFTER_S

    def confirmable(self, opened_index: int) -> int:
        """The highest index that everybody who counts has; never below ``opened_index``."""
        if self.shrunk:
            return opened_index
        index = self.log.index
        for peer in self.peers.values():
            if peer.told is not None:
                return opened_index
            if peer.phase >= Phase.SYNCING and peer.acked_index < index:
                index = peer.acked_index
        for absent in self.absent.values():
            index = min(index, absent.acked)
        return max(index, opened_index)

    # -- links ------------------------------------------------------------------------------

    def connection_of(self, system_id: UUID) -> int | None:
        """The connection on which that backup is linked, if any."""
        for conn, peer in self.peers.items():
            if peer.info.system_id == system_id:
                return conn
        return None

    def add(self, conn: int, session: Session, info: BrokerInfo, at: Position) -> Peer:
        """A backup subscribed: decide what it needs and say hello.

        The caller must have removed an older link of the same backup.
        """
        peer = Peer(conn, session, info, self.now)
        self.peers[conn] = peer
        self.stirred = True
        self.commit_due = min(self.commit_due, self.now + COMMIT_AFTER_S)
        index = self.log.meet(at.epoch, at.owner, at.index, at.floor)
        if index >= 0 and at.whole:
            self._say_hello(peer, RESUME, index)
        elif index >= 0 and at.filled_queue >= 0:
            peer.phase = Phase.FILLING
            peer.catch_up = CatchUp(self.broker, at.filled_queue, at.filled_position)
            self._say_hello(peer, REFILL, index)
        else:
            self._start_over(peer)
        self._recount(peer)
        self.members_changed = True
        return peer

    def _recount(self, peer: Peer) -> None:
        """A linked backup that was in the in-sync set: does it go on where it was?

        One that was started anew may be given the whole log again, but has nothing now: it says
        that it is not READY.
        """
        info = peer.info
        absent = self.absent.get(info.system_id)
        resumes = peer.phase is Phase.TAIL and info.status is Status.READY
        info.status = Status.READY if absent is not None and resumes else Status.CATCHUP
        if absent is None:
            self.membership.put(info)
            return
        if resumes:
            absent.deadline = self.now + self.ack_timeout_s
            absent.reason = "came back, but did not catch up in time"
            self.membership.put(info)
            return
        absent.deadline = self.now
        absent.reason = "came back without its messages"
        self.membership.put(info, waited_for=True)

    def remove(self, conn: int, reason: str = "its link is gone") -> Peer | None:
        """The link is gone; a backup that was READY is absent from now on."""
        peer = self.peers.pop(conn, None)
        if peer is None:
            return None
        self.stirred = True
        system_id = peer.info.system_id
        if peer.phase is Phase.READY:
            self.absent[system_id] = Absent(peer.acked_index, self.now, self.now, reason)
        absent = self.absent.get(system_id)
        if absent is None:
            self.membership.remove(system_id)
            self.members_changed = True
        elif absent.deadline > self.now:
            absent.deadline = self.now
            absent.reason = reason
        return peer

    # -- the flow of batches ----------------------------------------------------------------

    def replicate(self, batch: Batch) -> None:
        """A batch was appended to the log: send it to everybody who has all before it.

        Its head says what is committed, so that under steady traffic there is no other news of it.
        """
        self.moved = True
        told = True
        for peer in self.peers.values():
            if (
                peer.sent_index == batch.first - 1
                and peer.phase is not Phase.CONFIGURING
                and self._has_room(peer)
            ):
                self._send_batch(peer, batch)
                peer.committed_told = self.committed
            elif peer.committed_told < self.committed:
                told = False
        if told:
            self.commit_due = NEVER

    def acknowledged(self, conn: int, transfers: int) -> None:
        """The backup on ``conn`` completed its oldest ``transfers`` transfers."""
        peer = self.peers.get(conn)
        if peer is None:
            return
        self.moved = True
        peer.completed(transfers)
        if peer.phase is not Phase.READY or self.absent:
            self.stirred = True
            absent = self.absent.get(peer.info.system_id)
            if absent is not None and peer.whole:
                absent.acked = max(absent.acked, peer.acked_index)

    def pump(self) -> None:
        """Send lagging peers what fits their windows.

        Call once per step, after acknowledgements and new batches.
        """
        for peer in self.peers.values():
            if peer.phase is Phase.CONFIGURING:
                self._pump_configuration(peer)
            if peer.sent_index < self.log.index and peer.phase is not Phase.CONFIGURING:
                self._pump_tail(peer)
            if peer.phase is Phase.FILLING:
                self._pump_messages(peer)
            if (
                peer.phase is Phase.TAIL
                and peer.steps == 0
                and peer.sent_index == self.log.index
                and peer.sync_at <= self.now
                and peer.silent_s(self.now) <= self.ack_timeout_s
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
                peer.phase = Phase.READY
                peer.reason = ""
                peer.info.status = Status.READY
                self.absent.pop(peer.info.system_id, None)
                self.membership.put(peer.info)
                self.members_changed = True
                became_ready.append(peer)
        return became_ready

    def announce_members(self) -> None:
        """Send the membership to every backup (call after it changed).

        Nothing is confirmed before all who may be promoted know who is not in the set any more:
        that includes those who came back and are not READY yet.
        """
        self.membership.version += 1
        data = encode_members(self.membership)
        for peer in self.peers.values():
            self._send(peer, data, NEWS)
            stays = peer.info.status is Status.READY
            if self.shrunk and (stays or peer.info.system_id in self._dropped):
                peer.told = peer.in_flight[-1]
        self.shrunk = False
        self._dropped.clear()

    # -- time -------------------------------------------------------------------------------

    def tick(self) -> list[Peer]:
        """Time passed: tell what is committed, look for backups that do not acknowledge.

        Returns those whose links must be dropped: they owe an acknowledgement for so long that they
        had better begin anew. The caller closes their connections and calls ``remove``.
        """
        if self.commit_due <= self.now:
            self._tell_committed()
        stuck: list[Peer] = []
        for peer in self.peers.values():
            if peer.phase is Phase.TAIL:
                self.stirred = True  # perhaps it may be waited for again
            elif peer.phase is Phase.READY and self.now > peer.sync_at + SYNC_PAUSE_MAX_S:
                peer.times_slow = 0
            silent_s = peer.silent_s(self.now)
            if silent_s > self.ack_timeout_s and peer.phase >= Phase.SYNCING:
                self._stop_waiting_for(peer)
            elif silent_s > 2 * self.ack_timeout_s:
                peer.reason = f"did not acknowledge for {silent_s:.0f} s"
                stuck.append(peer)
        return stuck

    def stalled(self, seconds: float) -> None:
        """We ourselves did nothing for so long, up to now: nobody could be heard meanwhile."""
        for peer in self.peers.values():
            for transfer in peer.in_flight:
                transfer.at += seconds
        for absent in self.absent.values():
            if absent.deadline > self.now:  # of before
                absent.deadline += seconds

    def _tell_committed(self) -> None:
        self.commit_due = NEVER
        for peer in self.peers.values():
            if peer.committed_told < self.committed:
                peer.committed_told = self.committed
                self._send(peer, encode_commit(self.committed), NEWS)

    def _stop_waiting_for(self, peer: Peer) -> None:
        """It is too slow: it must leave the in-sync set, and catches up again."""
        was_ready = peer.phase is Phase.READY
        peer.phase = Phase.TAIL
        peer.reason = f"did not acknowledge for {peer.silent_s(self.now):.0f} s"
        pause_s = min(self.ack_timeout_s * 2**peer.times_slow, SYNC_PAUSE_MAX_S)
        peer.times_slow = min(peer.times_slow + 1, 16)
        peer.sync_at = self.now + pause_s
        self.stirred = True
        if was_ready:
            self.absent[peer.info.system_id] = Absent(
                peer.acked_index, self.now, self.now, peer.reason
            )

    # -- one peer ---------------------------------------------------------------------------

    def _has_room(self, peer: Peer) -> bool:
        return (
            len(peer.in_flight) < self.window_transfers and peer.in_flight_bytes < self.window_bytes
        )

    def _may_step(self, peer: Peer) -> bool:
        """One step is always under way, however full the window is with the live traffic."""
        return peer.steps == 0 or (peer.steps < CHUNKS_IN_FLIGHT_MAX and self._has_room(peer))

    def _pump_configuration(self, peer: Peer) -> None:
        catch_up = peer.catch_up
        assert catch_up is not None
        while not catch_up.configured and self._may_step(peer):
            self._send(peer, catch_up.next_configuration(self.writer), STEP)
        if catch_up.configured:
            peer.phase = Phase.FILLING

    def _pump_messages(self, peer: Peer) -> None:
        catch_up = peer.catch_up
        assert catch_up is not None
        while self._may_step(peer) and peer.sent_index == self.log.index:
            data = catch_up.next_messages(self.broker, self.writer, self.log.index)
            self._send(peer, data, STEP)
            if catch_up.whole:
                peer.catch_up = None
                peer.phase = Phase.TAIL
                return

    def _pump_tail(self, peer: Peer) -> None:
        if not self._has_room(peer):
            return
        if peer.sent_index + 1 < self.log.first_retained:
            self._fell_behind(peer)
            return
        while peer.sent_index < self.log.index and self._has_room(peer):
            self._send_batches(peer, self.log.batches_after(peer.sent_index, BATCHES_AT_ONCE))

    def _send_batches(self, peer: Peer, batches: list[Batch]) -> None:
        """As many as fit into one transfer."""
        room = min(BATCHES_BYTES_MAX, self.window_bytes - peer.in_flight_bytes)
        size = len(batches[0].data)
        count = 1
        while count < len(batches) and size + len(batches[count].data) <= room:
            size += len(batches[count].data)
            count += 1
        if count == 1:
            self._send_batch(peer, batches[0])
            return
        self._send(peer, encode_batches(batches[:count]), batches[count - 1].last)
        peer.sent_index = batches[count - 1].last

    def _fell_behind(self, peer: Peer) -> None:
        """It lagged further than the log reaches back."""
        self.stirred = True
        if peer.phase is Phase.READY:
            self.absent[peer.info.system_id] = Absent(
                peer.acked_index, self.now, self.now, "fell behind the end of the log"
            )
        self._start_over(peer)
        peer.reason = "fell behind the end of the log"
        if peer.info.system_id not in self.absent:
            peer.info.status = Status.CATCHUP
        self.members_changed = True

    def _start_over(self, peer: Peer) -> None:
        """It gets everything from the beginning."""
        peer.phase = Phase.CONFIGURING
        peer.began_at = self.now
        peer.catch_up = CatchUp(self.broker)
        self._say_hello(peer, SNAPSHOT, self.log.index)

    def _say_hello(self, peer: Peer, mode: int, index: int) -> None:
        peer.sent_index = peer.acked_index = index
        hello = Hello(mode, index, self.log.index, self.log.history)
        self._send(peer, encode_hello(hello), STEP)

    def _send_batch(self, peer: Peer, batch: Batch) -> None:
        self._send(peer, batch.data, batch.last)
        peer.sent_index = batch.last

    def _send(self, peer: Peer, data: bytes, index: int) -> None:
        peer.session.send_transfer(self._head, b"", data)
        peer.sent(index, len(data), self.now)
