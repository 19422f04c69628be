"""A node's place in the cluster: its role, the log, and whoever replicates with whom.

The node hands in what concerns the cluster (outbound connections, sessions of backups, the
habroker's methods, time) and asks three things of it: may this client be served
(``serves_clients``), what must be written for the records of this step (``replicate``), and up to
which index confirmations may leave (``confirmable``).

A broker outside a cluster has role ``standalone``: it records nothing and confirms at once.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from tanist.core.broker import Broker
from tanist.core.records import Record
from tanist.ha.backup import Backup
from tanist.ha.log import Log
from tanist.ha.membership import BrokerInfo, Membership
from tanist.ha.messages import (
    EPOCH_PROPERTY,
    INDEX_PROPERTY,
    INFO_PROPERTY,
    OWNER_PROPERTY,
    REPLICATION_SOURCE,
    WHOLE_PROPERTY,
    Position,
    RecordReader,
    RecordWriter,
)
from tanist.ha.primary import Phase, Primary
from tanist.ha.roles import Role, Status, Trigger, status_name
from tanist.ha.url import Address, Url, parse_url
from tanist.management.ha_broker import HaOperations
from tanist.node.config import NodeConfig
from tanist.node.gate import Gate
from tanist.node.links import CATEGORY, VERIFY_MAX_S, Links
from tanist.node.outbox import Outbox
from tanist.node.outputs import Close
from tanist.types import BrokerError, Condition
from tanist.wire.amqp010.events import Command, Completed, Detached, Event
from tanist.wire.amqp010.values import Value

NEVER: Final = float("-inf")
ANSWERS_FRESH_S: Final = 2 * VERIFY_MAX_S
"""What members said of themselves is believed so long; all answers come within half of it."""


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
        self.changed = False
        """Status, members or URLs changed; the node announces it and clears the flag."""
        self._shown_status = Status.STANDALONE
        self._asked_at = NEVER
        """When the members were asked for their epochs, for a promotion that was requested."""

    # -- what the node asks -----------------------------------------------------------------

    @property
    def serves_clients(self) -> bool:
        """Ordinary clients may connect: a primary, or no cluster at all."""
        return not self.role.is_backup

    @property
    def undecided(self) -> bool:
        """A joining broker has not heard from every member yet."""
        return self.role.status is Status.JOINING and bool(self.backup.unchecked)

    def promotion_must_wait(self, now: float) -> bool:
        """Whether a request to promote must be kept and asked about again in a later step.

        A joining broker must have heard from every member; and every other member is asked for its
        epoch first, so that who is behind is not promoted.
        """
        if self.role.status not in (Status.JOINING, Status.READY):
            return False
        if self.undecided:
            return True
        if now > self._asked_at + ANSWERS_FRESH_S:  # we may have been stopped since
            self._asked_at = now
            self.links.heard.clear()
            self.links.verify(now, self.brokers_url.addresses)
        return bool(self.links.verifying)

    @property
    def confirmed(self) -> int:
        """Records that were confirmed since our epoch began; 0 unless we are primary."""
        if self.primary is None:
            return 0
        return max(0, self._gate.opened_index - self.log.fork_index)

    def known_hosts(self) -> list[str]:
        """What connection.open-ok tells clients."""
        if self._config.ha_cluster:
            return self.public_url.failover_elements()
        return parse_url(self._config.known_hosts_url).failover_elements()

    def start(self, now: float, wall_offset_s: float) -> None:
        """The process runs; join the cluster if we are a member of one.

        ``wall_offset_s`` is Unix time minus ``now``: expiry travels as Unix time.
        """
        self._now = now
        self._writer.wall_offset_s = wall_offset_s
        self._reader.wall_offset_s = wall_offset_s
        if self._config.ha_cluster:
            self.role.fire(Trigger.CLUSTER)
            self._status_changed()
            self.links.start(now, self.brokers_url.addresses)

    def replicate(self, records: list[Record]) -> None:
        """Number the records of this step and send them to the backups."""
        assert self.primary is not None, "only a primary records"
        first = self.log.index + 1
        data = self._writer.encode_batch(self.log.epoch, first, records)
        self.primary.replicate(self.log.append(len(records), data))

    def settle(self) -> None:
        """End of a step: move replication on, open the gate as far as it may."""
        primary = self.primary
        if primary is None or not primary.stirred:
            return
        primary.pump()
        self._announce(primary)
        if not self.links.verifying:  # else: are we still the primary?
            primary.stirred = False
            self._gate.open(primary.confirmable(self._gate.opened_index))
        for peer in primary.promote_synced(self._gate.opened_index):
            self._outbox.log("info", CATEGORY, f"Backup {peer.info.system_id} is ready")
        self._maybe_recovered()
        self._announce(primary)

    def _announce(self, primary: Primary) -> None:
        """Tell the backups who is in sync, if that changed."""
        if primary.members_changed:
            primary.members_changed = False
            self.changed = True
            primary.announce_members()

    def deadline(self) -> float:
        """When ``tick`` has something to do."""
        at = self.links.deadline()
        if self.primary is not None:
            at = min(at, self.primary.next_deadline())
        return at

    def tick(self, now: float) -> None:
        """Time passed."""
        self._now = now
        if self.primary is None:
            self.links.tick(now)
            self._after_link()
            return
        self.links.tick(now)
        self._after_verification()
        overdue = self.primary.drop_overdue(now)
        for system_id in overdue:
            self._outbox.log(
                "error", CATEGORY, f"Recovering backup timed out: {system_id}; going on without it"
            )
        if overdue:
            self.links.verify(now, self.brokers_url.addresses)

    # -- outbound connections ---------------------------------------------------------------

    def link_up(self, conn: int, now: float) -> None:
        """An outbound connection is there."""
        self._now = now
        self.links.up(conn, now)

    def link_received(self, conn: int, data: bytes, now: float) -> None:
        """Bytes on an outbound connection."""
        self._now = now
        self.links.received(conn, data, now)
        self._after_link()
        self._after_verification()

    def link_gone(self, conn: int, now: float, reason: str) -> None:
        """An outbound connection is gone."""
        self._now = now
        self.links.gone(conn, now, reason)
        self._after_verification()

    def _after_verification(self) -> None:
        if self.primary is None:
            return
        heard, self.links.heard = self.links.heard, []
        own = self._config.system_id
        for peer in heard:
            if peer.deposes(own, self.log.epoch, self.confirmed):
                self._stop_deposed(peer.system_id, peer.epoch)
            elif peer.is_primary and peer.system_id != own:
                self._outbox.log(
                    "error",
                    CATEGORY,
                    f"Two primaries: {peer.system_id} is {status_name(peer.status)} in epoch "
                    f"{peer.epoch}, too; it must be stopped",
                )

    def _stop_deposed(self, system_id: UUID, epoch: int) -> None:
        self._outbox.stop(
            f"Shutting down: deposed; this primary is of epoch {self.log.epoch}, "
            f"broker {system_id} is at epoch {epoch}"
        )

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

    def backup_event(self, conn: int, event: Event) -> None:
        """Something happened on the session of a connected backup."""
        if isinstance(event, Completed):
            if self.primary is not None:
                count = sum(((last - first) & 0xFFFFFFFF) + 1 for first, last in event.ranges)
                self.primary.acknowledged(conn, count)
        elif isinstance(event, Command):
            if event.struct.name == "message.subscribe":
                self._backup_subscribed(conn, event)
            event.session.complete(event.id, event.id)
        elif isinstance(event, Detached):
            self._outbox.put(Close(conn, abort=True))

    def backup_gone(self, conn: int, silent: bool, now: float) -> None:
        """The connection of a backup is gone. ``silent``: we gave it up, it said nothing for long.

        Perhaps it follows another primary now: before we confirm anything without it, every member
        that may answer is asked.
        """
        if self.primary is not None:
            peer = self.primary.remove(conn)
            if peer is not None:
                hung = Address(peer.info.protocol, peer.info.host, peer.info.port).canonical()
                self.links.verify(now, self.brokers_url.addresses, hung if silent else "")
                self._outbox.log(
                    "warning",
                    CATEGORY,
                    f"Backup {peer.info.system_id} disconnected; not in sync any more",
                )

    def _backup_subscribed(self, conn: int, event: Command) -> None:
        primary = self.primary
        arguments = event.struct.map("arguments")
        info = self.backup_info(arguments.get(INFO_PROPERTY))
        at = _read_position(arguments)
        if primary is None or info is None or at is None:
            event.session.exception(
                Condition.INVALID_ARGUMENT.code,
                f"Can't subscribe to {REPLICATION_SOURCE}: no broker info or position",
                event.id,
            )
            return
        if conn in primary.peers or info.system_id == self._config.system_id:
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
            primary.remove(older)
            self._outbox.put(Close(older, abort=True))
        peer = primary.add(conn, event.session, info, at)
        how = f"goes on after {at.index}"
        if peer.phase is Phase.SNAPSHOT:
            how = f"gets a snapshot at {peer.snapshot_index}"
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
            return [BrokerInfo(self._config.system_id, self.role.status).to_map()]
        return self.membership.to_list()

    def ha_promote(self) -> None:
        """Become the primary.

        Raises: BrokerError (PRECONDITION_FAILED) if what we hold may be less than another member
            has: promote that one.
        """
        status = self.role.status
        if self.role.is_primary or status is Status.STANDALONE:
            return
        if status is Status.CATCHUP:
            raise BrokerError(
                Condition.PRECONDITION_FAILED, "Still catching up, cannot be promoted."
            )
        if status is Status.JOINING and self.backup.saw_active_member:
            raise BrokerError(
                Condition.PRECONDITION_FAILED, "Joining active cluster, cannot be promoted."
            )
        newest_seen = self._refuse_if_behind()
        own = self._config.system_id
        expected = [who for who in self.membership.ready_ids() if who != own]
        self.role.fire(Trigger.PROMOTED)
        self.links.close_all()
        # The owner of an epoch is this run of the process: a restart is another history.
        self.log.begin_epoch(UUID(bytes=self._config.boot_id), newest_seen)
        self._broker.promote()
        # What the expected backups may lack, our predecessor never confirmed: nor do we, yet.
        self._gate.opened_index = 0 if expected else self.log.index
        self.membership.members.clear()
        primary = Primary(
            self._broker,
            self.log,
            self.membership,
            self._writer,
            self._config.ha_flow_messages,
            self._config.ha_flow_bytes,
        )
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

    def _refuse_if_behind(self) -> int:
        """The newest epoch that a member spoke of.

        Raises: BrokerError if a member that answered has, or confirms, what we have not. (One that
            is only catching up has nothing that could be promoted instead.)
        """
        self._asked_at = NEVER
        heard, self.links.heard = self.links.heard, []
        for peer in heard:
            whole = peer.is_primary or peer.status is Status.READY
            if whole and peer.epoch > self.log.epoch:
                raise BrokerError(
                    Condition.PRECONDITION_FAILED,
                    f"This broker is at epoch {self.log.epoch}, member {peer.system_id} at epoch "
                    f"{peer.epoch}: cannot be promoted, it lacks what was confirmed since. "
                    "Promote a ready member of the newest epoch (qpid-ha status --all).",
                )
            if peer.is_primary and peer.epoch == self.log.epoch and not self.backup.following:
                raise BrokerError(
                    Condition.PRECONDITION_FAILED,
                    f"The primary {peer.system_id} is alive and confirms without this broker: "
                    "cannot be promoted. Wait until this broker is linked to it again, or stop it "
                    "first.",
                )
        return max((peer.epoch for peer in heard), default=0)

    # -- inside -----------------------------------------------------------------------------

    def _maybe_recovered(self) -> None:
        if self.role.status is Status.RECOVERING and self.primary and not self.primary.expected:
            self.role.fire(Trigger.RECOVERED)
            self._outbox.log("notice", CATEGORY, "All backups recovered.")
            self._status_changed()

    def _status_changed(self) -> None:
        self.changed = True
        status = self.role.status
        if self.role.is_primary:
            info = BrokerInfo(self._config.system_id, status)
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


def _read_position(arguments: dict[str, Value]) -> Position | None:
    epoch = arguments.get(EPOCH_PROPERTY)
    owner = arguments.get(OWNER_PROPERTY)
    index = arguments.get(INDEX_PROPERTY)
    whole = arguments.get(WHOLE_PROPERTY)
    if isinstance(epoch, int) and isinstance(owner, UUID) and isinstance(index, int):
        return Position(epoch, owner, index, whole is True)
    return None
