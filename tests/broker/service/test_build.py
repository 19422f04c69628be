"""Options become the node's configuration, field by field."""

from __future__ import annotations

import platform
from pathlib import Path
from uuid import UUID

import pytest

from tanist import __version__
from tanist.node.config import NodeConfig
from tanist.node.inputs import Started
from tanist.service.build import (
    BOOT_ID_BYTES,
    boot_id,
    build_node,
    node_config,
    read_passwords,
    version_line,
)
from tanist.service.config import broker_options
from tanist.service.sources import UsageError, from_arguments
from tanist.types import BrokerError

SYSTEM_ID = UUID(int=7)
BOOT_ID = bytes(range(16))


def options(*words):
    return broker_options(from_arguments(words), Path("/tmp"))


def config(*words, port=5672):
    return node_config(options(*words), SYSTEM_ID, BOOT_ID, "a:b", port)


def of_this_machine(got):
    """What the system says of itself."""
    system = platform.uname()
    assert got.node_name
    return {
        "node_name": got.node_name,
        "os_name": system.system,
        "os_release": system.release,
        "os_version": system.version,
        "machine": system.machine,
    }


def test_without_options_it_is_the_default_configuration():
    got = config()
    expected = NodeConfig(
        system_id=SYSTEM_ID,
        boot_id=BOOT_ID,
        version=__version__,
        passwords="a:b",
        federation_tag=str(SYSTEM_ID),
        data_dir="/tmp/.qpidd",
        log_rules="notice+",
        **of_this_machine(got),
    )
    assert got == expected


def test_every_field_follows_its_option():
    got = config(
        "--ha-cluster",
        "--ha-queue-replication",
        "--ha-brokers-url=a,b",
        "--ha-public-url=v",
        "--ha-replicate=all",
        "--ha-username=u",
        "--ha-password=p",
        "--ha-mechanism=PLAIN",
        "--ha-backup-timeout=1",
        "--ha-flow-messages=2",
        "--ha-flow-bytes=3",
        "--link-maintenance-interval=4",
        "--link-heartbeat-interval=5",
        "--known-hosts-url=k",
        "--auth=yes",
        "--password-file=f",
        "--realm=R",
        "--default-queue-limit=6",
        "--queue-purge-interval=7",
        "--max-connections=8",
        "--max-negotiate-time=9000",
        "--mgmt-pub-interval=10",
        "--federation-tag=t",
        "--connection-backlog=11",
        "--log-enable=info+",
        "--log-disable=info:ha",
        "--no-data-dir",
        port=1234,
    )
    assert got == NodeConfig(
        system_id=SYSTEM_ID,
        boot_id=BOOT_ID,
        version=__version__,
        ha_cluster=True,
        ha_queue_replication=True,
        ha_brokers_url="a,b",
        ha_public_url="v",
        ha_replicate="all",
        ha_username="u",
        ha_password="p",
        ha_mechanism="PLAIN",
        ha_backup_timeout_s=1.0,
        ha_flow_messages=2,
        ha_flow_bytes=3,
        link_maintenance_interval_s=4.0,
        link_heartbeat_interval_s=5.0,
        known_hosts_url="k",
        auth=True,
        realm="R",
        passwords="a:b",
        default_queue_limit_bytes=6,
        queue_purge_interval_s=7.0,
        max_connections=8,
        max_negotiate_time_s=9.0,
        mgmt_pub_interval_s=10.0,
        federation_tag="t",
        port=1234,
        data_dir="",
        connection_backlog=11,
        log_rules="info+,!info:ha",
        **of_this_machine(got),
    )
    assert not config("--mgmt-enable=no").mgmt_enable


def test_what_the_node_refuses_is_refused_here():
    with pytest.raises(BrokerError, match="Cannot start HA"):
        config("--ha-cluster", "--mgmt-enable=no")


def test_the_only_entropy():
    assert len(boot_id()) == BOOT_ID_BYTES
    assert boot_id() != boot_id()


def test_the_password_file(tmp_path):
    file = tmp_path / "passwords"
    assert read_passwords(None) == ""
    file.write_text("jürgen:geheim\n", "utf-8")
    assert read_passwords(file) == "jürgen:geheim\n"
    with pytest.raises(UsageError, match="No such file"):
        read_passwords(tmp_path / "absent")
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="not UTF-8"):
        read_passwords(file)
    with file.open("wb") as big:
        big.truncate(16 * 1024 * 1024 + 1)
    with pytest.raises(UsageError, match="too large"):
        read_passwords(file)


def test_a_node_that_steps():
    node = build_node(options("--no-data-dir"), SYSTEM_ID, 5672)
    assert isinstance(node.step(Started(0.0, 1_700_000_000.0)), list)


def test_the_version_line_says_whether_the_broker_is_compiled():
    assert version_line().startswith(f"qpidd (tanist) version {__version__} (")
    assert version_line().endswith(("(compiled)", "(interpreted)"))
