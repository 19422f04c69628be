"""Identity: ids without dice, server-properties, the failover message."""

from __future__ import annotations

from dataclasses import fields
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
from tests.broker.node.network import Admin, Guest, Host, Network, cluster, promote, running

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


# -- what clients are told -----------------------------------------------------------------


def failover_lists(session) -> list[list[str]]:
    """What amq.failover told a session."""
    found = []
    for message in session.messages:
        value = application_headers(message.header)["amq.failover"]
        assert isinstance(value, list)
        found.append([str(item) for item in value])
    return found


def test_clients_are_told_the_public_url_and_its_changes() -> None:
    _, (a,) = running("a")
    admin = Admin(a)
    assert Guest(a).known_hosts == []
    session = Guest(a).session()
    session.do("queue.declare", queue="f", exclusive=True, auto_delete=True)
    session.do("exchange.bind", queue="f", exchange="amq.failover", binding_key="f")
    session.subscribe("f", accept=1)
    assert failover_lists(session) == []
    assert admin.call("setPublicUrl", url="n1:7000,n2") == ""
    told = ["amqp:tcp:n1:7000", "amqp:tcp:n2:5672"]
    assert failover_lists(session) == [told]
    assert Guest(a).known_hosts == told
    found = admin.ha_broker()
    assert found is not None
    assert found["publicUrl"] == "amqp:tcp:n1:7000,tcp:n2:5672"
    refused = admin.call("setPublicUrl", url="n1:port")
    assert "Invalid URL: n1:port" in refused
    assert Guest(a).known_hosts == told


def test_clients_are_told_again_at_each_change_and_not_at_all_of_nothing() -> None:
    _, (a,) = running("a", ha_public_url="n1:7000")
    admin = Admin(a)
    session = Guest(a).session()
    session.do("queue.declare", queue="f", exclusive=True, auto_delete=True)
    session.do("exchange.bind", queue="f", exchange="amq.failover", binding_key="f")
    session.subscribe("f", accept=1)
    for url in ("n2", "", "n3"):
        assert admin.call("setPublicUrl", url=url) == ""
        assert Guest(a).known_hosts == [f"amqp:tcp:{host}:5672" for host in filter(None, [url])]
    told = ["amqp:tcp:n1:7000", "amqp:tcp:n2:5672", "amqp:tcp:n3:5672"]
    assert failover_lists(session) == [[url] for url in told]


def test_a_backup_with_another_public_url_tells_it_once_it_is_primary() -> None:
    network, (a, b) = running("a", "b", ha_public_url="a")
    assert Admin(b).call("setPublicUrl", url="a,b") == ""
    a.kill()
    network.run()
    assert promote(b) == ""
    assert Guest(b).known_hosts == ["amqp:tcp:a:5672", "amqp:tcp:b:5672"]


def test_known_hosts_outside_a_cluster_come_from_their_own_option() -> None:
    alone = {"ha_cluster": False, "ha_public_url": "not:1"}
    host = Host(Network(), "a", 1, known_hosts_url="x:1,y:2", **alone)
    assert Guest(host).known_hosts == ["amqp:tcp:x:1", "amqp:tcp:y:2"]
    assert Guest(Host(Network(), "a", 1, known_hosts_url="none", **alone)).known_hosts == []


def test_the_public_url_goes_before_known_hosts_in_a_cluster() -> None:
    _, (a,) = running("a", known_hosts_url="elsewhere", ha_public_url="n1")
    assert Guest(a).known_hosts == ["amqp:tcp:n1:5672"]
    _, (a,) = running("a", known_hosts_url="elsewhere")
    assert Guest(a).known_hosts == []


def test_two_options_make_a_cluster() -> None:
    """All others as they are if nobody names them."""
    defaults = {field.name: field.default for field in fields(NodeConfig)}
    names = ("ha_replicate", "link_heartbeat_interval_s", "link_maintenance_interval_s")
    others = {name: defaults[name] for name in (*names, "ha_backup_timeout_s")}
    network, (a, b) = cluster("a", "b", **others)
    assert promote(a) == ""
    network.advance(5.0)
    assert (a.status, b.status) == ("active", "ready")
