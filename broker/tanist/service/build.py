"""The composition root: from options and entropy to a node.

The one place that knows the option objects of the edge and the configuration of the pure layers.
Files are read here, dice are rolled here; the node gets everything as values.
"""

from __future__ import annotations

import os
import platform
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Final
from uuid import UUID

import tanist.types
from tanist import __version__
from tanist.net.edge import Steppable
from tanist.node.config import NodeConfig
from tanist.node.node import Node
from tanist.service.config import BrokerOptions
from tanist.service.logrules import rules_text
from tanist.service.sources import UsageError

PASSWORD_BYTES_MAX: Final = 16 * 1024 * 1024
"""A password file has one short line per user; a million users fit."""

BOOT_ID_BYTES: Final = 16


def node_config(
    options: BrokerOptions, system_id: UUID, boot_id: bytes, passwords: str, port: int
) -> NodeConfig:
    """The configuration of the node that ``options`` describe, listening on ``port``.

    Raises: BrokerError if they contradict each other.
    """
    system = platform.uname()
    config = NodeConfig(
        system_id=system_id,
        boot_id=boot_id,
        node_name=system.node or "localhost",
        version=__version__,
        ha_cluster=options.ha.cluster,
        ha_queue_replication=options.ha.queue_replication,
        ha_brokers_url=options.ha.brokers_url,
        ha_public_url=options.ha.public_url,
        ha_replicate=options.ha.replicate,
        ha_username=options.ha.username,
        ha_password=options.ha.password,
        ha_mechanism=options.ha.mechanism,
        ha_backup_timeout_s=options.ha.backup_timeout_s,
        ha_ack_timeout_s=options.ha.ack_timeout_s,
        ha_insync_command=bool(options.ha.insync_command),
        ha_flow_messages=options.ha.flow_messages,
        ha_flow_bytes=options.ha.flow_bytes,
        link_maintenance_interval_s=options.links.maintenance_interval_s,
        link_heartbeat_interval_s=options.links.heartbeat_interval_s,
        known_hosts_url=options.network.known_hosts_url,
        auth=options.security.auth,
        realm=options.security.realm,
        passwords=passwords,
        default_queue_limit_bytes=options.queues.limit_bytes,
        queue_purge_interval_s=options.queues.purge_interval_s,
        queue_patterns=options.queues.queue_patterns,
        topic_patterns=options.queues.topic_patterns,
        max_connections=options.network.max_connections,
        max_negotiate_time_s=options.network.max_negotiate_time_s,
        mgmt_enable=options.management.enable,
        mgmt_pub_interval_s=options.management.pub_interval_s,
        federation_tag=options.links.federation_tag or str(system_id),
        port=port,
        data_dir=str(options.data_dir or ""),
        connection_backlog=options.network.backlog,
        os_name=system.system,
        os_release=system.release,
        os_version=system.version,
        machine=system.machine,
        log_rules=rules_text(options.log.enable, options.log.disable),
    )
    config.validate()
    return config


def boot_id() -> bytes:
    """Random bytes, the node's only entropy."""
    return os.urandom(BOOT_ID_BYTES)


def read_passwords(path: Path | None) -> str:
    """The text of the password file, empty without one. Raises: UsageError."""
    if path is None:
        return ""
    try:
        with path.open("rb") as file:
            data = file.read(PASSWORD_BYTES_MAX + 1)
        if len(data) > PASSWORD_BYTES_MAX:
            raise UsageError(f"Cannot read password-file {path}: too large")
        return data.decode("utf-8")
    except OSError as error:
        raise UsageError(f"Cannot read password-file {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"Cannot read password-file {path}: it is not UTF-8 text") from error


def build_node(options: BrokerOptions, system_id: UUID, port: int) -> Steppable:
    """The node that ``options`` describe.

    Raises: BrokerError if it cannot be: options that contradict each other, an unreadable file.
    """
    passwords = read_passwords(options.security.password_file)
    return Node(node_config(options, system_id, boot_id(), passwords, port))


def version_line() -> str:
    """What ``--version`` prints; says whether the pure layers are compiled."""
    compiled = str(tanist.types.__file__).endswith(tuple(EXTENSION_SUFFIXES))
    return f"qpidd (tanist) version {__version__} ({'compiled' if compiled else 'interpreted'})"
