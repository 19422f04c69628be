"""Who gets in, and how the others are turned away: the table of qpidd-compat 2.8."""

from __future__ import annotations

from uuid import UUID

import pytest

from tanist.node.front import Kind
from tanist.node.outputs import Close, Send
from tanist.wire.amqp010.events import Closed
from tanist.wire.amqp010.values import Value, int32, uint16, uint32, vbin16
from tests.broker.node.network import Admin, Guest, Host, Network, cluster, promote, running


def broker_info(system_id: UUID, status: int = 1) -> dict[str, Value]:
    """The map as the original writes it."""
    return {
        "system-id": system_id,
        "protocol": vbin16("tcp"),
        "host-name": vbin16("x"),
        "port": uint16(1),
        "status": int32(status),
    }


STRANGER = UUID(int=77, version=4)


def said_after_open(guest: Guest, host: Host) -> list[object]:
    """What the host did with the connection in the step that saw connection.open."""
    conn = guest.wire.accepted
    return [
        output
        for output in host.outputs
        if isinstance(output, (Send, Close)) and output.conn == conn
    ]


@pytest.mark.parametrize("state", ["joining", "ready"])
def test_a_backup_closes_without_a_word_after_open(state: str) -> None:
    host = cluster("a")[1][0] if state == "joining" else running("a", "b")[1][1]
    assert host.status == state
    guest = Guest(host)
    assert guest.dropped
    assert not guest.opened
    assert not any(isinstance(event, Closed) for event in guest.events)
    *sends, last = said_after_open(guest, host)
    assert all(isinstance(output, Send) for output in sends)
    assert len(sends) == 2, "header with start, then tune; nothing else"
    assert isinstance(last, Close)
    assert last.abort
    rejected = [text for level, _, text in host.lines if level == "trace"]
    assert rejected == [f"Rejected connection client:{guest.wire.accepted}: not the primary"]


@pytest.mark.parametrize("value", [uint32(1), 0, "", False, {}])
def test_a_tool_gets_in_everywhere_whatever_the_value(value: Value) -> None:
    _, (primary, backup) = running("a", "b")
    for host in (primary, backup):
        guest = Guest(host, properties={"qpid.ha-admin": value})
        assert guest.opened
        assert not guest.dropped


def test_a_tool_that_is_also_a_backup_is_a_tool() -> None:
    _, (primary, backup) = running("a", "b")
    properties: dict[str, Value] = {
        "qpid.ha-admin": uint32(1),
        "qpid.ha-backup": broker_info(STRANGER),
    }
    for host in (primary, backup):
        session = Guest(host, properties=properties).session()
        assert session.do("queue.declare", queue="mine", exclusive=True) in session.completed


@pytest.mark.parametrize("admin", [True, False])
def test_a_connection_to_itself_is_dropped_even_by_a_primary(admin: bool) -> None:
    _, (primary,) = running("a")
    properties: dict[str, Value] = {"qpid.ha-backup": broker_info(primary.system_id)}
    if admin:
        properties["qpid.ha-admin"] = uint32(1)
    guest = Guest(primary, properties=properties)
    assert guest.dropped
    assert not guest.opened


def test_a_backup_is_let_in_by_a_primary_and_dropped_by_a_backup() -> None:
    _, (primary, backup) = running("a", "b")
    properties: dict[str, Value] = {"qpid.ha-backup": broker_info(STRANGER)}
    assert Guest(primary, properties=properties).opened
    assert Guest(backup, properties=properties).dropped


@pytest.mark.parametrize("value", ["no map", {"system-id": "no uuid"}, {"system-id": STRANGER}])
def test_a_map_that_is_no_broker_info_makes_an_ordinary_client(value: Value) -> None:
    _, (primary,) = running("a")
    session = Guest(primary, properties={"qpid.ha-backup": value}).session()
    assert session.do("queue.declare", queue="q") in session.completed
    assert "q" in primary.node.broker.queues


def test_without_a_cluster_everybody_is_a_client() -> None:
    host = Host(Network(), "a", 1, ha_cluster=False)
    for properties in ({}, {"qpid.ha-backup": broker_info(STRANGER)}):
        session = Guest(host, properties=properties).session()
        session.do("queue.declare", queue="q")
        session.publish("q", b"x")
        assert session.exception is None


def test_a_recovering_primary_serves() -> None:
    network, (a, b, c) = running("a", "b", "c")
    a.kill()
    c.kill()
    network.run()
    assert Admin(b).call("promote") == ""
    assert b.status == "recovering"
    assert Guest(b).opened


# -- credentials ---------------------------------------------------------------------------

PASSWORDS = "guest:guest\n"


def closed_text(guest: Guest) -> str:
    (event,) = [event for event in guest.events if isinstance(event, Closed)]
    assert event.code == 320
    return event.text


def test_credentials_are_checked_before_anything_else() -> None:
    host = Host(Network(), "a", 1, ha_cluster=False, auth=True, passwords=PASSWORDS)
    assert Guest(host, username="guest", password="guest").opened
    wrong = Guest(host, username="guest", password="wrong")
    assert "Authentication failed" in closed_text(wrong)
    assert wrong.dropped
    assert [text for text in host.log if text.startswith("client:2")] == [
        "client:2: Authentication failed"
    ]


@pytest.mark.parametrize("ha_username", ["ha", "ha@QPID"])
def test_with_passwords_only_ha_username_is_a_backup(ha_username: str) -> None:
    login = {"ha_username": ha_username, "ha_password": "secret", "ha_mechanism": "PLAIN"}
    words = "guest:guest\nha:secret\n"
    _, (a,) = cluster("a", auth=True, passwords=words, **login)
    a.node.cluster.ha_promote(False)
    properties: dict[str, Value] = {"qpid.ha-backup": broker_info(STRANGER)}
    pretender = Guest(a, username="guest", password="guest", properties=properties)
    text = "user guest@QPID may not be a backup: it is not the ha-username of the primary"
    assert closed_text(pretender) == text
    assert pretender.dropped
    assert [line for line in a.log if text in line] == [f"client:{pretender.wire.accepted}: {text}"]
    backup = Guest(a, username="ha", password="secret", properties=properties)
    kinds = {conn.peer: conn.kind for conn in a.node._reception.fronts.values()}
    assert kinds[f"client:{backup.wire.accepted}"] is Kind.BACKUP


# -- limits --------------------------------------------------------------------------------


def test_more_connections_than_allowed_are_told_so() -> None:
    _network, (host,) = running("a", max_connections=2)
    first, second = Guest(host), Guest(host)
    third = Guest(host)
    assert closed_text(third) == "User connection denied by configured limit"
    assert any("max-connections=2" in line for line in host.log)
    first.hang_up()
    assert Guest(host).opened
    assert second.opened


def test_refused_connections_do_not_count() -> None:
    _network, (_a, b) = running("a", "b", max_connections=1)
    for _ in range(5):
        assert Guest(b).dropped
    assert Guest(b, properties={"qpid.ha-admin": uint32(1)}).opened


def test_clients_cannot_shut_out_tools_and_backups() -> None:
    network, (a, b) = cluster("a", "b", max_connections=1)
    assert promote(a) == ""
    assert Guest(a).opened
    assert Guest(a, properties={"qpid.ha-admin": uint32(1)}).opened
    network.advance(2.0)
    assert b.status == "ready"
    assert closed_text(Guest(a)) == "User connection denied by configured limit"


def test_no_limit() -> None:
    _, (host,) = running("a", max_connections=0)
    assert all(Guest(host).opened for _ in range(10))
