"""An accepted 1.0 connection: who gets in, what our Open says, and who is in whose way."""

from __future__ import annotations

import pytest

from tanist.core.notices import Actor
from tanist.node.front10 import Front10
from tanist.wire.amqp10.settings import ConnectionSettings
from tanist.wire.amqp10.values import Symbol, Value
from tanist.wire.negotiate import HEADER_1_0, HEADER_1_0_SASL
from tests.broker.node.guest10 import Guest10
from tests.broker.node.network import Host, Network, cluster, running

SOLE = ("sole-connection-for-container",)


def settings(**more: object) -> ConnectionSettings:
    return ConnectionSettings(**{"role": "client", "container_id": "guest", **more})


def front_of(guest: Guest10) -> Front10:
    front = guest.host.node._reception.fronts[guest.wire.accepted]
    assert isinstance(front, Front10)
    return front


def alone(**config: object) -> Host:
    return Host(Network(), "a", 1, ha_cluster=False, **config)


# -- credentials ---------------------------------------------------------------------------


def test_without_authentication_sasl_may_be_left_out() -> None:
    host = alone()
    guest = Guest10(host, settings(mechanism="NONE"))
    assert guest.opened
    assert guest.raw.startswith(HEADER_1_0)
    assert front_of(guest).user == "anonymous@QPID"


def test_with_authentication_it_may_not() -> None:
    host = alone(auth=True, passwords="ha:secret\n")
    guest = Guest10(host, settings(mechanism="NONE"))
    assert guest.dropped
    assert not guest.opened
    assert guest.raw == HEADER_1_0_SASL, "the header that would be taken"


def test_the_user_is_who_the_password_says() -> None:
    host = alone(auth=True, passwords="ha:secret\n")
    guest = Guest10(host, settings(username="ha", password="secret"))
    assert guest.opened
    assert front_of(guest).user == "ha@QPID"
    assert front_of(guest).facts().user == "ha@QPID"


def test_a_wrong_password_is_refused_by_sasl() -> None:
    host = alone(auth=True, passwords="ha:secret\n")
    guest = Guest10(host, settings(username="ha", password="wrong"))
    assert guest.dropped
    assert not guest.opened
    assert any("Authentication failed" in line for line in host.log)


# -- backups and limits --------------------------------------------------------------------


@pytest.mark.parametrize("state", ["joining", "ready"])
@pytest.mark.parametrize("mechanism", ["", "NONE"])
def test_a_backup_drops_the_connection_before_its_own_open(state: str, mechanism: str) -> None:
    host = cluster("a")[1][0] if state == "joining" else running("a", "b")[1][1]
    assert host.status == state
    guest = Guest10(host, settings(mechanism=mechanism))
    assert guest.dropped
    assert not guest.opened
    assert guest.error == ("", "")
    assert b"\x00\x53\x10" not in guest.raw, "no Open of ours"
    assert b"\x00\x53\x18" not in guest.raw, "and no Close"


def test_a_tool_gets_in_everywhere() -> None:
    for host in running("a", "b")[1]:
        assert Guest10(host, settings(properties={Symbol("qpid.ha-admin"): True})).opened


def test_more_connections_than_allowed_are_told_so() -> None:
    _, (host,) = running("a", max_connections=1)
    assert Guest10(host).opened
    second = Guest10(host)
    assert second.error == (
        "amqp:resource-limit-exceeded",
        "User connection denied by configured limit",
    )
    assert second.dropped


# -- our Open ------------------------------------------------------------------------------


def remote_open(guest: Guest10) -> dict[str, Value]:
    remote = guest.connection.remote
    assert remote is not None
    return dict(remote.properties or {})


def test_our_open_offers_what_the_sessions_can_do() -> None:
    remote = Guest10(alone()).connection.remote
    assert remote is not None
    assert remote.offered_capabilities == ("ANONYMOUS-RELAY", "SHARED-SUBS", "DELAYED_DELIVERY")


def test_clients_are_told_where_the_cluster_is() -> None:
    _, (host,) = running("a", ha_public_url="amqp:one:5672,two:5673")
    servers = remote_open(Guest10(host))["failover-server-list"]
    assert servers == [
        {"network-host": "one", "port": 5672, "scheme": "amqp"},
        {"network-host": "two", "port": 5673, "scheme": "amqp"},
    ]


def test_who_has_no_cluster_says_nothing_of_it() -> None:
    properties = remote_open(Guest10(alone()))
    assert "failover-server-list" not in properties
    assert properties["product"] == "qpid-tanist"


def test_the_idle_time_out_mirrors_the_client_s() -> None:
    host = alone()
    guest = Guest10(host, settings(idle_timeout_s=4.0))
    remote = guest.connection.remote
    assert remote is not None
    assert remote.idle_time_out == 2000, "what the client advertised"
    guest.connection.abandon()
    host.network.advance(3.9)
    assert not guest.dropped
    host.network.advance(0.3)
    assert guest.dropped
    assert front_gone(guest)


def front_gone(guest: Guest10) -> bool:
    return guest.wire.accepted not in guest.host.node._reception.fronts


def test_a_client_that_asks_for_no_time_out_has_none() -> None:
    guest = Guest10(alone())
    remote = guest.connection.remote
    assert remote is not None
    assert remote.idle_time_out is None
    guest.network.advance(600.0)
    assert not guest.dropped


# -- containers that want to be alone ------------------------------------------------------


def test_a_container_that_is_evidently_alive_keeps_its_id() -> None:
    host = alone()
    first = Guest10(host, settings(desired_capabilities=SOLE))
    second = Guest10(host, settings(desired_capabilities=SOLE))
    assert second.error[0] == "amqp:invalid-field"
    assert "container 'guest' is connected already" in second.error[1]
    assert second.dropped
    assert not first.dropped


def test_a_container_that_fell_silent_is_a_dead_predecessor() -> None:
    host = alone(max_connections=1)
    wanted = settings(desired_capabilities=SOLE, idle_timeout_s=4.0)
    first = Guest10(host, wanted)
    first.connection.abandon()
    host.network.advance(2.1)
    second = Guest10(host, wanted)
    assert second.opened, "its predecessor does not count any more"
    assert first.dropped
    assert front_gone(first)
    assert [line for line in host.log if "its container connects again" in line]


def test_who_wants_to_be_alone_must_say_that_it_lives() -> None:
    """Otherwise nobody could tell a quiet holder from a dead one."""
    host = alone()
    first = Guest10(host, settings(desired_capabilities=SOLE))
    remote = first.connection.remote
    assert remote is not None
    assert remote.idle_time_out == 30_000
    host.network.advance(10.0)
    assert Guest10(host, settings(desired_capabilities=SOLE)).error[0] == "amqp:invalid-field"
    assert not first.dropped


def test_an_id_is_free_again_with_its_connection() -> None:
    host = alone()
    first = Guest10(host, settings(desired_capabilities=SOLE))
    first.connection.close()
    first.pump()
    assert Guest10(host, settings(desired_capabilities=SOLE)).opened


def test_ids_that_nobody_wants_alone_are_shared() -> None:
    host = alone()
    assert Guest10(host).opened
    assert Guest10(host).opened


# -- facts ---------------------------------------------------------------------------------


def test_management_sees_protocol_and_properties() -> None:
    wanted: dict[str, Value] = {"qpid.client_process": "p", "qpid.client_pid": 7, "odd": [1]}
    wanted["n" * 256] = "cannot be shown, and hides nothing else"
    guest = Guest10(alone(), settings(properties=wanted))
    session = guest.session()
    facts = front_of(guest).facts()
    assert facts.protocol == "AMQP 1.0"
    assert facts.properties == {"qpid.client_process": "p", "qpid.client_pid": 7}
    assert [each.channel for each in facts.sessions] == [session.channel]
    assert facts.bytes_in > 0


def test_management_sees_links_as_subscriptions() -> None:
    host = alone()
    host.node.broker.declare_queue("q", Actor("", ""))
    guest = Guest10(host)
    session = guest.session()
    guest.send(guest.sender(session, "q"), b"x")
    guest.receiver(session, "q", 5)
    (seen,) = front_of(guest).facts().sessions
    assert (seen.name, seen.unacked) == ("guest.0", 1)
    (link,) = seen.subscriptions
    assert (link.name, link.queue, link.delivered) == ("in", "q", 1)
    assert link.acknowledged
    assert not link.browsing
