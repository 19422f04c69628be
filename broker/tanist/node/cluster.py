"""A node's place in the cluster: its role, the log, and whoever replicates with whom.

The node hands in what concerns the cluster (outbound connections, sessions of backups, the
habroker's methods, time) and asks three things of it: may this client be served
(``serves_clients``), what must be written for the records of this step (``replicate``), and up to
which index confirmations may leave (``settle``).

A broker outside a cluster has role ``standalone``: it records nothing and confirms at once.
"""

from __future__ import annotations

from uuid import UUID

from tanist.core.broker import Broker
from tanist.core.records import Record
from tanist.ha.backup import Backup
from tanist.ha.codec import RecordReader, RecordWriter
from tanist.ha.log import Log
from tanist.ha.membership import BrokerInfo, Membership
from tanist.ha.messages import REPLICATION_SOURCE, batch_head
from tanist.ha.peer import Phase
from tanist.ha.primary import Primary
from tanist.ha.roles import Role, Status, Trigger, status_name
from tanist.ha.standing import INFO_PROPERTY, PeerStatus, Position
from tanist.ha.url import Address, Url, parse_url
from tanist.management.ha_broker import HaOperations
from tanist.node.arbiter import Arbiter
from tanist.node.config import NodeConfig
from tanist.node.gate import Gate
from tanist.node.insync import InSync
from tanist.node.links import CATEGORY, Links
from tanist.node.outbox import Outbox
from tanist.node.outlook import Outlook
from tanist.node.outputs import Close
from tanist.node.promotion import Promotion
from tanist.node.report import Clock, Situation, details
from tanist.node.rivals import Rivals, Verdict
from tanist.types import BrokerError, Condition, FramingError
from tanist.wire.amqp010.events import Command, Completed, Detached, Event
from tanist.wire.amqp010.values import Value


class Cluster(HaOperations):
    """High availability as one node lives it."""

    def __init__(
        self,
        config: NodeConfig,
        broker: Broker,
        gate: Gate,
        outbox: Outbox,
        writer: RecordWriter,
    ) -> None:
        self._config = config
        self._broker = broker
        self._gate = gate
        self._outbox = outbox
        self._now = 0.0
        self._wall_offset_s = 0.0
        self.role = Role()
        self.log = Log()
        self.membership = Membership()
        self._writer = writer
        self._reader = RecordReader()
        self.primary: Primary | None = None
        self.brokers_url: Url = parse_url(config.ha_brokers_url)
        self.public_url: Url = parse_url(config.ha_public_url)
        self.backup = Backup(
            broker,
            self.log,
            self.role,
            self.membership,
            self._reader,
            config.system_id,
        )
        self.links = Links(config, self.backup, outbox)
        self.arbiter = Arbiter(config.ha_insync_command, outbox, config.boot_id.hex())
        self.outlook = Outlook()
        self.in_sync = InSync(
            config.system_id, self.log, self.membership, self.links, self.arbiter, outbox
        )
        self._promotion = Promotion(self.backup, self.links, self.arbiter)
        self.rivals = Rivals(config.system_id, self.log, self.links)
        self.changed = False
        """Status, members or URLs changed; the node announces it and clears the flag."""
        self.status_since = 0.0
        """When the status last changed, seconds."""
        self._shown_status = Status.STANDALONE

    # -- what the node asks -----------------------------------------------------------------

    @property
    def serves_clients(self) -> bool:
        """Ordinary clients may connect: a primary, or no cluster at all."""
        return not self.role.is_backup

    def promotion_must_wait(self, now: float, force: bool) -> bool:
        """Whether a request to promote must be kept and asked about again in a later step."""
        return self._promotion.must_wait(now, self.brokers_url.addresses, force)

    @property
    def confirmed(self) -> int:
        """Records that were confirmed since our epoch began; 0 unless we are primary."""
        if self.primary is None:
            return 0
        return max(0, self._gate.opened_index - self.log.fork_index)

    def standing(self) -> PeerStatus | None:
        """What we say of ourselves to whoever connects; None outside a cluster."""
        if not self._config.ha_cluster:
            return None
        return PeerStatus(
            self._config.system_id,
            self.role.status,
            self.log.epoch,
            self.log.owner,
            self.log.index,
            self.confirmed,
            self.membership.version,
            self.membership.in_sync(),
        )

    def known_hosts(self) -> list[str]:
        """What connection.open-ok tells clients."""
        if self._config.ha_cluster:
            return self.public_url.failover_elements()
        return parse_url(self._config.known_hosts_url).failover_elements()

    def client_addresses(self) -> list[Address]:
        """Where clients find this broker or its cluster; empty if that is not configured."""
        if self._config.ha_cluster:
            return self.public_url.addresses
        return parse_url(self._config.known_hosts_url).addresses

    def start(self, now: float, wall_offset_s: float) -> None:
        """The process runs; join the cluster if we are a member of one.

        ``wall_offset_s`` is Unix time minus ``now``: expiry travels as Unix time.
        """
        self._now = now
        self._wall_offset_s = wall_offset_s
        self._writer.wall_offset_s = wall_offset_s
        self._reader.wall_offset_s = wall_offset_s
        if self._config.ha_cluster:
            self.role.fire(Trigger.CLUSTER)
            self._status_changed()
            self.links.start(now, self.brokers_url.addresses)

    # -- replication ------------------------------------------------------------------------

    def replicate(self, records: list[Record]) -> None:
        """Number the records of this step and send them to the backups."""
        primary = self.primary
        assert primary is not None, "only a primary records"
        primary.now = self._now
        head = batch_head(self.log.epoch, self.log.index + 1, primary.committed, len(records))
        data = self._writer.encode(records, head)
        primary.replicate(self.log.append(len(records), data, self._now))

    def settle(self) -> None:
        """End of a step: move replication on, open the gate as far as it may."""
        primary = self.primary
        if primary is None or not (primary.moved or primary.stirred):
            return
        primary.now = self._now
        primary.moved = False
        primary.pump()
        if primary.stirred or self.links.verifying:
            self._settle_members(primary)
        else:
            self._confirm(primary)

    def _settle_members(self, primary: Primary) -> None:
        """Who is in sync may have changed, or it is to be looked at again."""
        self.in_sync.shrink(primary, self.brokers_url.addresses)
        self._announce(primary)
        primary.stirred = len(self.links.verifying) > 0  # are we still the primary?
        if not primary.stirred:
            self._confirm(primary)
        for peer in primary.promote_synced(self._gate.opened_index):
            self._outbox.log("info", CATEGORY, f"Backup {peer.info.system_id} is ready")
        self.in_sync.grow(primary)
        self._maybe_recovered()
        self._announce(primary)

    def _confirm(self, primary: Primary) -> None:
        index = primary.confirmable(self._gate.opened_index)
        if index > primary.committed:
            self._gate.open(index)
            primary.commit(index)

    def _announce(self, primary: Primary) -> None:
        """Tell the backups who is in sync, if that changed."""
        if primary.members_changed:
            primary.members_changed = False
            self.changed = True
            primary.announce_members()

    def answered(self, request: int, code: int, text: str, now: float) -> None:
        """The command that decides over the in-sync set answered."""
        self._now = now
        self.arbiter.answered(request, code, text)
        if self.primary is not None:  # else a promotion asked, and takes the answer itself
            self.primary.now = now
            deposed = self.in_sync.answered(self.primary)
            if deposed:
                self._stop(deposed)

    # -- time -------------------------------------------------------------------------------

    def deadline(self) -> float:
        """When ``tick`` has something to do, beside being called now and then."""
        links = self.links
        at = links.dial_at if links.dial_at < links.survey_at else links.survey_at
        primary = self.primary
        if primary is not None:
            due = primary.next_deadline() if primary.absent else primary.commit_due
            if due < at:
                return due
        return at

    def stalled(self, seconds: float) -> None:
        """We did nothing for so long: that is not held against anybody else."""
        self._outbox.log("warning", CATEGORY, f"This broker stood still for {seconds:.1f} s")
        if self.primary is not None:
            self.primary.stalled(seconds)

    def tick(self, now: float) -> None:
        """Time passed. Called every 0.1 s at least."""
        self._now = now
        self.links.tick(now)
        self.links.survey(now, self.brokers_url.addresses)
        self._after_link()
        self._look_around()
        primary = self.primary
        if primary is None:
            return
        primary.now = now
        for peer in primary.tick():
            self._outbox.log(
                "warning",
                CATEGORY,
                f"Backup {peer.info.system_id} {peer.reason}; dropping its link",
            )
            self._outbox.put(Close(peer.conn, abort=True))
        if primary.absent or self.arbiter.enabled:
            primary.stirred = True

    # -- outbound connections ---------------------------------------------------------------

    def link_up(self, conn: int, now: float) -> None:
        """An outbound connection is there."""
        self._now = now
        self.links.up(conn, now)

    def link_received(self, conn: int, data: bytes, now: float) -> None:
        """Bytes on an outbound connection."""
        self._now = now
        links = self.links
        links.received(conn, data, now)
        if links.status_changed:
            self._after_link()
        if links.sights or self.primary is not None:
            self._look_around()

    def link_gone(self, conn: int, now: float, reason: str) -> None:
        """An outbound connection is gone."""
        self._now = now
        self.links.gone(conn, now, reason)
        self._look_around()

    def _look_around(self) -> None:
        """What members said of themselves: are we still the primary, are there two?"""
        links = self.links
        if self.primary is not None:
            self._obey(self.rivals.decide(self.confirmed))
        if not links.sights:
            return
        sights, links.sights = links.sights, []
        is_primary = self.role.is_primary
        for address, peer in sights:
            self.outlook.look(address, peer, self._now)
            if peer is not None and is_primary:
                addresses = self.brokers_url.addresses
                self._obey(self.rivals.look(peer, self.confirmed, self._now, addresses))
        if self.outlook.suspects(is_primary, self._now):
            links.survey_at = self._now
        if self.outlook.judge(is_primary, self.log.epoch):
            self.changed = True
            if self.outlook.problem:
                self._outbox.log("error", CATEGORY, self.outlook.problem)

    def _obey(self, verdict: Verdict) -> None:
        if verdict.stop:
            self._stop(verdict.stop)
        elif verdict.past:
            self._renew(verdict.past + 1)

    def _renew(self, epoch: int) -> None:
        """Go on under a newer epoch; our backups link again to learn of it."""
        primary = self.primary
        assert primary is not None
        self._outbox.log(
            "notice",
            CATEGORY,
            f"A member is at epoch {epoch - 1} of a primary that is gone and confirmed nothing "
            f"more; going on with epoch {epoch}",
        )
        self.log.begin_epoch(epoch, self.log.owner)
        primary.now = self._now
        for conn in list(primary.peers):
            peer = primary.remove(conn, "has not linked again for the new epoch")
            absent = None if peer is None else primary.absent.get(peer.info.system_id)
            if absent is not None:
                absent.deadline = self._now + self._config.ha_backup_timeout_s
            self._outbox.put(Close(conn, abort=True))

    def _stop(self, why: str) -> None:
        self._outbox.stop(f"Shutting down: {why}")

    def _after_link(self) -> None:
        if self.links.status_changed:
            self.links.status_changed = False
            self._status_changed()

    # -- sessions of backups ----------------------------------------------------------------

    def backup_info(self, value: Value) -> BrokerInfo | None:
        """The broker info in a link's client properties; None if it is not one."""
        try:
            return BrokerInfo.from_map(value)
        except BrokerError:
            return None

    def backup_event(self, conn: int, event: Event, now: float) -> None:
        """Something happened on the session of a connected backup."""
        self._now = now
        if isinstance(event, Completed):
            if self.primary is not None:
                self.primary.now = now
                count = 0
                for first, last in event.ranges:
                    count += ((last - first) & 0xFFFFFFFF) + 1
                self.primary.acknowledged(conn, count)
        elif isinstance(event, Command):
            if event.struct.name == "message.subscribe":
                self._backup_subscribed(conn, event)
            event.session.complete(event.id, event.id)
        elif isinstance(event, Detached):
            self._outbox.put(Close(conn, abort=True))

    def backup_gone(self, conn: int, silent: bool, now: float) -> None:
        """The connection of a backup is gone. ``silent``: it said nothing for too long."""
        self._now = now
        primary = self.primary
        if primary is None:
            return
        primary.now = now
        reason = "said nothing for two heartbeats" if silent else "disconnected"
        peer = primary.remove(conn, reason)
        if peer is None:
            return
        absent = primary.absent.get(peer.info.system_id)
        if absent is None:
            self._outbox.log("info", CATEGORY, f"Backup {peer.info.system_id} {reason}")
        else:
            absent.silent = silent

    def _backup_subscribed(self, conn: int, event: Command) -> None:
        primary = self.primary
        arguments = event.struct.map("arguments")
        info = self.backup_info(arguments.get(INFO_PROPERTY))
        at = Position.from_arguments(arguments)
        if primary is None or info is None or at is None:
            event.session.exception(
                Condition.INVALID_ARGUMENT.code,
                f"Can't subscribe to {REPLICATION_SOURCE}: no broker info or position",
                event.id,
            )
            return
        primary.now = self._now
        if conn in primary.peers or info.system_id == self._own:
            # Once for each link, and nobody is us.
            self._outbox.put(Close(conn, abort=True))
            return
        if at.epoch > self.log.epoch:
            # Anybody can say so. Our members will tell, and then we stop.
            self._outbox.put(Close(conn, abort=True))
            self.links.verify(self._now, self.brokers_url.addresses)
            return
        older = primary.connection_of(info.system_id)
        if older is not None:
            self._outbox.log("error", CATEGORY, f"Backup {info.system_id} linked twice; using new")
            primary.remove(older, "linked twice")
            self._outbox.put(Close(older, abort=True))
        peer = primary.add(conn, event.session, info, at)
        how = f"gets everything as of {self.log.index}"
        if peer.phase is Phase.TAIL:
            how = f"goes on after {peer.acked_index}"
        elif peer.phase is Phase.FILLING:
            how = f"goes on being filled, after {peer.sent_index}"
        self._outbox.log("info", CATEGORY, f"Backup {info.system_id} connected; it {how}")

    # -- the habroker's state and methods ---------------------------------------------------

    def ha_status(self) -> str:
        """Status as ``qpid-ha`` prints it."""
        return self.role.name

    def ha_brokers_url(self) -> str:
        """Canonical URL of the members."""
        return self.brokers_url.canonical()

    def ha_public_url(self) -> str:
        """Canonical URL told to clients."""
        return self.public_url.canonical()

    def ha_members(self) -> list[Value]:
        """Broker-info maps; a broker that knows of no primary lists itself."""
        if not self.membership.members:
            return [BrokerInfo(self._own, self.role.status).to_map()]
        return self.membership.to_list()

    def ha_details(self) -> dict[str, Value]:
        """What we say of ourselves beyond the original's properties."""
        situation = Situation(
            self.role,
            self.backup,
            self.primary,
            self.membership,
            self.status_since,
            [self.outlook.problem, self.in_sync.problem, self.links.refusal],
            sum(queue.count for queue in self._broker.queues_by_number.values()),
        )
        return details(situation, Clock(self._now, self._wall_offset_s))

    def ha_promote(self, force: bool) -> None:
        """Become the primary.

        Raises: BrokerError (PRECONDITION_FAILED) if what we hold may be less than another member
            has: promote that one.
        """
        if self.role.is_primary or self.role.status is Status.STANDALONE:
            return
        epoch = self._promotion.decide(force)
        try:
            self.backup.apply_all()
        except FramingError as broken:
            self.backup.broken()
            raise BrokerError(
                Condition.PRECONDITION_FAILED,
                f"What was replicated cannot be applied: {broken.text}",
            ) from broken
        expected = [who for who in self._promotion.survivors() if who != self._own]
        self.rivals.may_renew = (
            self.role.status is Status.READY and not force and not self.arbiter.enabled
        )
        self.role.fire(Trigger.FORCED if force else Trigger.PROMOTED)
        self.links.close_all()
        # The owner of an epoch is this run of the process: a restart is another history.
        self.log.begin_epoch(epoch, UUID(bytes=self._config.boot_id))
        if not self.backup.whole:  # by force
            self.log.forget_past()
        self._broker.promote(force)
        # What the expected backups may lack, our predecessor never confirmed: nor do we, yet.
        self._gate.opened_index = 0 if expected else self.log.index
        self.membership.begin(BrokerInfo(self._own, self.role.status), expected)
        primary = Primary(
            self._broker,
            self.log,
            self.membership,
            self._writer,
            self._config.ha_flow_messages,
            self._config.ha_flow_bytes,
            self._config.ha_ack_timeout_s,
        )
        primary.now = self._now
        primary.expect(expected, self._now + self._config.ha_backup_timeout_s)
        self.primary = primary
        self._outbox.log("notice", CATEGORY, f"Promoted to primary, epoch {self.log.epoch}")
        if expected:
            names = ", ".join(str(who) for who in expected)
            self._outbox.log("notice", CATEGORY, f"Recovering backups: {names}")
        self._status_changed()
        self._maybe_recovered()

    def ha_set_brokers_url(self, url: str) -> None:
        """Use another list of members. Raises: BrokerError if it does not parse."""
        self.brokers_url = parse_url(url)
        self.changed = True
        if self.role.is_backup:
            self.links.start(self._now, self.brokers_url.addresses)

    def ha_set_public_url(self, url: str) -> None:
        """Tell clients another URL. Raises: BrokerError if it does not parse."""
        self.public_url = parse_url(url)
        self.changed = True
        self._broker.publish_failover()

    # -- inside -----------------------------------------------------------------------------

    @property
    def _own(self) -> UUID:
        return self._config.system_id

    def _maybe_recovered(self) -> None:
        if self.role.status is Status.RECOVERING and self.primary and not self.primary.recovering:
            self.role.fire(Trigger.RECOVERED)
            self._outbox.log("notice", CATEGORY, "All backups recovered.")
            self._status_changed()

    def _status_changed(self) -> None:
        self.changed = True
        status = self.role.status
        if self.role.is_primary:
            info = BrokerInfo(self._own, status)
            address = self.links.own_address
            if address is not None:
                info.protocol, info.host, info.port = address.protocol, address.host, address.port
            self.membership.put(info)
            if self.primary is not None:
                self.primary.members_changed = True
        if status is not self._shown_status:
            old = status_name(self._shown_status)
            self._outbox.log("info", CATEGORY, f"Status change: {old} -> {self.role.name}")
            if status is Status.READY:
                self._outbox.log("notice", CATEGORY, "Backup is ready")
            self._shown_status = status
            self.status_since = self._now
