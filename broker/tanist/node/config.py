"""Everything a node must know before its first step, as one frozen object.

The edge (``service``) builds it from flags, environment and file, checks it with ``validate`` and
never changes it. Times are seconds, sizes bytes. The node has no other source of configuration,
and ``boot_id`` is its only source of entropy.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from tanist.core.state import REPLICATED_QUEUES_MAX
from tanist.sessions.amqp10.settings import SessionSettings
from tanist.types import BrokerError, Condition, ReplicationLevel


@dataclass(frozen=True)
class NodeConfig:
    """Configuration of one broker node."""

    system_id: UUID
    """Identity of the broker; survives restarts when there is a data directory."""
    boot_id: bytes
    """Sixteen random bytes, new at each start; ids are derived from it."""
    node_name: str = "localhost"
    version: str = ""
    ha_cluster: bool = False
    ha_queue_replication: bool = False
    ha_brokers_url: str = ""
    ha_public_url: str = ""
    ha_replicate: str = "none"
    ha_username: str = ""
    ha_password: str = ""
    ha_mechanism: str = ""
    ha_backup_timeout_s: float = 10.0
    """How long a recovering primary waits for an expected backup to connect."""
    ha_ack_timeout_s: float = 10.0
    """How long confirmations wait for a linked backup that does not acknowledge; 0 = for ever."""
    ha_insync_command: bool = False
    """Whether a command decides over the in-sync set (output ``Consult``)."""
    ha_flow_messages: int = 1000
    """Replication batches a backup may leave unacknowledged; 0 = no limit."""
    ha_flow_bytes: int = 0
    """Bytes of replication batches a backup may leave unacknowledged; 0 = no limit."""
    link_maintenance_interval_s: float = 2.0
    link_heartbeat_interval_s: float = 120.0
    known_hosts_url: str = "none"
    auth: bool = False
    realm: str = "QPID"
    passwords: str = ""
    """Text of the password file, see ``security.sasl``."""
    default_queue_limit_bytes: int = 104857600
    replicated_queues_max: int = REPLICATED_QUEUES_MAX
    queue_purge_interval_s: float = 600.0
    max_connections: int = 500
    max_negotiate_time_s: float = 10.0
    mgmt_enable: bool = True
    mgmt_pub_interval_s: float = 10.0
    federation_tag: str = ""
    port: int = 5672
    data_dir: str = ""
    connection_backlog: int = 10
    os_name: str = ""
    os_release: str = ""
    os_version: str = ""
    machine: str = ""
    """What the system says of itself (uname), for management."""
    log_rules: str = ""
    """The rules that say what is logged, separated by commas; for management."""

    queue_patterns: tuple[str, ...] = ()
    topic_patterns: tuple[str, ...] = ()
    """Names that links of AMQP 1.0 may create; see ``sessions.amqp10.settings``."""

    def amqp10(self) -> SessionSettings:
        """What the sessions of AMQP 1.0 are told."""
        return SessionSettings(
            check_user_ids=self.auth,
            queue_patterns=self.queue_patterns,
            topic_patterns=self.topic_patterns,
        )

    def validate(self) -> None:
        """Check what cannot be checked field by field.

        Raises: BrokerError (INVALID_ARGUMENT) that names the option and the remedy.
        """
        ReplicationLevel.parse(self.ha_replicate)
        if len(self.boot_id) != 16:
            raise BrokerError(Condition.INVALID_ARGUMENT, "boot id must have 16 bytes")
        if self.ha_cluster and not self.mgmt_enable:
            raise BrokerError(
                Condition.INVALID_ARGUMENT,
                "Cannot start HA: management is disabled; set mgmt-enable=yes or ha-cluster=no",
            )
        for name, value in (
            ("link-maintenance-interval", self.link_maintenance_interval_s),
            ("ha-backup-timeout", self.ha_backup_timeout_s),
            ("max-negotiate-time", self.max_negotiate_time_s),
        ):
            if value <= 0:
                raise BrokerError(
                    Condition.INVALID_ARGUMENT, f"{name} must be more than 0 seconds, got {value}"
                )
