"""Identity: ids without dice, server-properties, the failover message."""

from __future__ import annotations

from uuid import UUID

from tanist.ha.roles import Status
from tanist.ha.standing import (
    CONFIRMED_PROPERTY,
    EPOCH_PROPERTY,
    STATUS_PROPERTY,
    SYSTEM_ID_PROPERTY,
    PeerStatus,
)
from tanist.ha.url import parse_url
from tanist.node.config import NodeConfig
from tanist.node.identity import (
    FAILOVER_EXCHANGE,
    PRODUCT,
    UuidSource,
    failover_message,
    server_properties,
)
from tanist.wire.amqp010.transfer import application_headers, scan_header
from tanist.wire.amqp010.values import STR16_CODE, Array

SYSTEM_ID = UUID(int=7)


def config(**changes: object) -> NodeConfig:
    return NodeConfig(system_id=SYSTEM_ID, boot_id=bytes(16), **changes)  # type: ignore[arg-type]


def test_uuids_differ_by_count_and_by_boot_and_repeat_for_the_same_boot() -> None:
    first, again, other = UuidSource(b"a" * 16), UuidSource(b"a" * 16), UuidSource(b"b" * 16)
    made = [first() for _ in range(100)]
    assert len(set(made)) == 100
    assert [again() for _ in range(100)] == made
    assert other() not in made
    assert made[0].version == 4


def test_a_member_of_a_cluster_says_who_it_is_before_login() -> None:
    standing = PeerStatus(SYSTEM_ID, Status.ACTIVE, 3, UUID(int=8), confirmed=17)
    properties = server_properties(config(ha_cluster=True), standing)
    assert properties[SYSTEM_ID_PROPERTY] == SYSTEM_ID
    assert properties[STATUS_PROPERTY] == 4
    assert properties[CONFIRMED_PROPERTY] == 17
    assert properties[EPOCH_PROPERTY] == 3


def test_a_broker_without_a_cluster_does_not() -> None:
    properties = server_properties(config(federation_tag="here"), None)
    assert SYSTEM_ID_PROPERTY not in properties
    assert properties["qpid.federation_tag"] == "here"


def test_a_broker_whose_queues_may_be_copied_says_who_it_is() -> None:
    properties = server_properties(config(ha_queue_replication=True), None)
    assert properties[SYSTEM_ID_PROPERTY] == SYSTEM_ID
    assert properties["product"] == PRODUCT
    assert PeerStatus.from_properties(properties) is None, "but it is no member of a cluster"


def test_the_failover_message_is_an_array_of_one_address_an_element() -> None:
    message = failover_message(parse_url("a:1,b:2"))
    assert message is not None
    urls = application_headers(message.header)[FAILOVER_EXCHANGE]
    assert isinstance(urls, Array)
    assert (urls.code, list(urls)) == (STR16_CODE, ["amqp:tcp:a:1", "amqp:tcp:b:2"])
    assert scan_header(message.header).routing_key == FAILOVER_EXCHANGE
    assert message.body == b""


def test_without_a_public_url_there_is_none() -> None:
    assert failover_message(parse_url("")) is None
