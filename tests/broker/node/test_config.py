"""What a node's configuration refuses, and how it says so."""

from __future__ import annotations

from uuid import UUID

import pytest

from tanist.node.config import NodeConfig
from tanist.types import BrokerError


def make(**changes: object) -> NodeConfig:
    values: dict[str, object] = {"system_id": UUID(int=1), "boot_id": bytes(16), **changes}
    return NodeConfig(**values)  # type: ignore[arg-type]


def test_the_defaults_are_valid() -> None:
    make().validate()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"ha_replicate": "some"}, "Invalid replication value: some"),
        ({"boot_id": b"short"}, "16 bytes"),
        ({"ha_cluster": True, "mgmt_enable": False}, "Cannot start HA: management is disabled"),
        ({"link_maintenance_interval_s": 0.0}, "link-maintenance-interval must be more than 0"),
        ({"ha_backup_timeout_s": -1.0}, "ha-backup-timeout must be more than 0"),
        ({"max_negotiate_time_s": 0.0}, "max-negotiate-time must be more than 0"),
    ],
)
def test_nonsense_is_refused_with_the_name_of_the_option(
    changes: dict[str, object], text: str
) -> None:
    with pytest.raises(BrokerError, match=text):
        make(**changes).validate()
