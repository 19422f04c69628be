"""The regression museum: what once went wrong in the original's HA, each as a scenario of ours.

Each test is named after the bug of the original that it re-enacts; docs/museum.md is its catalogue.
Real nodes live on one wire without delay (``tests.broker.node.network``), so a scenario can stop
in the middle of anything and happens the same way every time.
"""

from __future__ import annotations

import pytest

from tanist.core.notices import Actor
from tanist.core.ordering import SEGMENT_SIZE
from tanist.ha.membership import BrokerInfo
from tanist.ha.messages import REPLICATION_SOURCE
from tanist.ha.roles import Status
from tanist.ha.standing import Position
from tests.broker.node.network import Admin, Guest, Host, Network, cluster, promote, running
from tests.broker.sessions.session_peer import ClientSession

LATER_S = 3.0
"""Enough for links, commits and membership to settle."""

ADMIN = Actor("museum", "here:1")


def contents(host: Host) -> dict[str, list[tuple[int, bytes]]]:
    """Replicated queues and what is on them."""
    return {
        queue.name: [(entry.position, entry.message.body) for entry in queue.entries()]
        for queue in host.node.broker.queues_by_number.values()
    }


def equal(network: Network, *hosts: Host) -> bool:
    network.advance(LATER_S)
    return all(contents(host) == contents(hosts[0]) for host in hosts)


def client(host: Host) -> ClientSession:
    return Guest(host).session()


def filled(host: Host, count: int, queue: str = "q") -> ClientSession:
    """A queue with so many messages, and a log that does not reach back to them."""
    host.node.cluster.log.retain_bytes = 2000
    session = client(host)
    session.do("queue.declare", queue=queue)
    for number in range(count):
        session.publish(queue, b"%d" % number, pump=False)
    session.client.pump()
    return session


def lines(host: Host, part: str) -> list[str]:
    return [line for line in host.log if part in line]


def test_qpid_4085_a_queue_is_declared_while_the_backup_is_told_of_all_queues() -> None:
    network, (a,) = running("a")
    session = filled(a, 700)
    b = Host(network, "b", 2, ha_brokers_url="a,b")
    network.run_until(lambda: b.status == "catchup")
    session.do("queue.declare", queue="late")
    session.publish("late", b"not lost")
    assert equal(network, a, b)
    assert contents(b)["late"] == [(1, b"not lost")]
    assert b.status == "ready"


def test_qpid_4158_a_backup_that_meets_a_backup_first_is_not_catching_up() -> None:
    network, (a, b) = running("a", "b")
    a.freeze()
    c = Host(network, "c", 3, ha_brokers_url="b,a,c")
    network.advance(1.0)
    assert b.status == "ready"
    assert c.status == "joining"
    a.thaw()
    network.advance(LATER_S)
    assert c.status == "ready"


def test_qpid_4159_nothing_is_missing_at_the_front_after_many_failovers() -> None:
    network, hosts = running("a", "b", "c")
    primary = hosts[0]
    client(primary).do("queue.declare", queue="q")
    expected: list[bytes] = []
    for number in range(15):
        session = client(primary)
        for count in range(4):
            body = b"%d.%d" % (number, count)
            assert session.publish("q", body) in session.completed
            expected.append(body)
        consumer = client(primary)
        consumer.subscribe("q", credit=1)
        consumer.do("message.accept", transfers=[(0, 0)])
        assert consumer.bodies == [expected.pop(0)]
        primary.kill()
        network.advance(0.1)
        heir = next(host for host in hosts if host.status == "ready" and host is not primary)
        assert promote(heir) == ""
        primary.start()
        primary = heir
        assert primary.bodies("q") == expected
        network.advance(LATER_S)
        assert sorted(host.status for host in hosts) == ["active", "ready", "ready"]
    assert equal(network, *hosts)


def test_qpid_4360_a_broker_that_has_nothing_is_not_promoted() -> None:
    network, (a, b, c) = running("a", "b", "c")
    filled(a, 3)
    c.kill()
    network.run()
    c.start()
    a.freeze()
    assert promote(c) == "Joining active cluster, cannot be promoted."
    a.kill()
    assert promote(c) == "Joining active cluster, cannot be promoted.", "it remembers"
    assert promote(b) == ""
    assert len(b.bodies("q")) == 3


def test_qpid_4600_a_primary_that_waits_for_a_backup_still_says_that_it_is_one() -> None:
    network, (a, b) = running("a", "b", link_heartbeat_interval_s=60.0)
    b.freeze()
    held = client(a).do("queue.declare", queue="q")
    for _ in range(20):
        network.advance(0.2)
        found = Admin(a).ha_broker()
        assert found is not None
        assert found["status"] == "active"
    assert held is not None


def test_qpid_4126_a_backup_that_never_returns_is_not_waited_for_for_ever() -> None:
    network, (a, b, c) = running("a", "b", "c", ha_backup_timeout_s=4.0)
    a.kill()
    c.kill()
    network.run()
    assert promote(b) == ""
    session = client(b)
    declared = session.do("queue.declare", queue="q")
    network.advance(3.9)
    assert (b.status, declared in session.completed) == ("recovering", False)
    network.advance(0.3)
    assert (b.status, declared in session.completed) == ("active", True)


@pytest.mark.parametrize("stopped", ["the primary", "a backup", "everybody"])
def test_qpid_5719_a_broker_that_is_stopped_does_not_stop_the_cluster(stopped: str) -> None:
    network, (a, b, c) = running("a", "b", "c")
    filled(a, 5)
    network.advance(0.1)
    if stopped == "the primary":
        a.freeze()
        network.advance(LATER_S)
        assert promote(b) == ""
        network.advance(LATER_S)
        assert (b.status, c.status) == ("active", "ready")
        a.thaw()
        network.advance(LATER_S)
        assert len(a.stop_reasons) == 1
    elif stopped == "a backup":
        c.freeze()
        session = client(a)
        sent = session.publish("q", b"more")
        network.advance(LATER_S)
        assert sent in session.completed
        c.thaw()
    else:
        for host in (a, b, c):
            host.freeze()
        network.advance(10.0)
        for host in (a, b, c):
            host.thaw()
        network.advance(2 * LATER_S)
        assert (a.status, b.status, c.status) == ("active", "ready", "ready")
    assert equal(network, b, c)
    assert len(contents(b)["q"]) == (6 if stopped == "a backup" else 5)


def test_qpid_5973_a_linked_backup_that_never_gets_ready_does_not_keep_recovering() -> None:
    network, (a, b, c) = running("a", "b", "c", ha_ack_timeout_s=3.0, ha_backup_timeout_s=60.0)
    a.kill()
    c.kill()
    network.run()
    assert promote(b) == ""
    info = BrokerInfo(c.system_id, Status.READY).to_map()
    log = c.node.cluster.log
    at = Position(log.epoch, log.owner, log.index, log.index)
    mute = Guest(b, properties={"qpid.ha-backup": info}).session()
    mute.do(
        "message.subscribe",
        queue=REPLICATION_SOURCE,
        destination="d",
        accept_mode=1,
        arguments={**at.to_arguments(), "qpid.ha-info": info},
    )
    assert mute.messages, "it is linked, is sent what it lacks, and acknowledges nothing"
    session = client(b)
    declared = session.do("queue.declare", queue="q")
    network.advance(2.5)
    assert (b.status, declared in session.completed) == ("recovering", False)
    network.advance(LATER_S)
    assert (b.status, declared in session.completed) == ("active", True)
    assert lines(b, "came back, but did not catch up in time")


def test_qpid_5430_a_cluster_without_queues_fails_over_too() -> None:
    network, (a, b, c) = running("a", "b", "c")
    a.kill()
    network.run()
    assert promote(b) == ""
    network.advance(LATER_S)
    assert (b.status, c.status) == ("active", "ready")


def test_qpid_5513_the_limit_of_queues_is_the_primarys_error_and_survives_a_failover() -> None:
    network, (a, b) = running("a", "b", replicated_queues_max=2000)
    for number in range(2000):
        a.node.broker.declare_queue(f"q{number}", ADMIN)
    network.advance(LATER_S)
    assert len(b.node.broker.queues_by_number) == 2000
    _one_too_many(a)
    a.kill()
    network.run()
    assert promote(b) == "", "tools need queues of their own, which do not count"
    _one_too_many(b)
    assert b.stop_reasons == []


def _one_too_many(host: Host) -> None:
    session = client(host)
    session.do("queue.declare", queue="one too many")
    assert session.exception is not None
    assert session.exception.number("error_code") == 506
    text = session.exception.text("description")
    assert "Exceeded replicated queue limit 2000 >= 2000" in text


def test_qpid_4285_a_queue_deleted_while_a_backup_catches_up_does_not_break_its_link() -> None:
    network, (a,) = running("a")
    filled(a, 700, "gone")
    session = filled(a, 700, "stays")
    b = Host(network, "b", 2, ha_brokers_url="a,b")
    network.run_until(lambda: b.node.cluster.backup.messages_done > 0)
    session.do("queue.delete", queue="gone")
    assert equal(network, a, b)
    assert list(contents(b)) == ["stays"]
    assert b.status == "ready"
    assert lines(b, "Lost primary") == lines(b, "Replication failed") == []


def test_qpid_5404_only_a_primary_deletes_auto_delete_queues() -> None:
    network, (a, b, c) = running("a", "b", "c")
    session = client(a)
    session.do("exchange.declare", exchange="alt", type="fanout")
    session.do("queue.declare", queue="rest")
    session.do("exchange.bind", queue="rest", exchange="alt")
    session.do("queue.declare", queue="q", auto_delete=True, alternate_exchange="alt")
    consumer = client(a)
    consumer.subscribe("q", credit=0)
    for number in range(3):
        session.publish("q", b"%d" % number)
    network.advance(0.1)
    a.kill()
    network.advance(LATER_S)
    for host in (b, c):
        assert [len(host.bodies(name)) for name in ("q", "rest")] == [3, 0], "not on its own"
    assert promote(b) == ""
    assert equal(network, b, c)
    assert "q" not in b.node.broker.queues
    assert b.bodies("rest") == [b"0", b"1", b"2"], "once each"


def test_qpid_4348_positions_are_not_used_again_whatever_order_they_went_in() -> None:
    network, (a, b, c) = running("a", "b", "c")
    session = client(a)
    session.do("queue.declare", queue="q")
    for number in range(10):
        session.publish("q", b"%d" % number)
    consumer = client(a)
    consumer.subscribe("q")
    consumer.do("message.accept", transfers=[(9, 9), (4, 4), (0, 1)])
    consumer.client.hang_up()
    network.advance(0.1)
    a.kill()
    network.run()
    assert promote(b) == ""
    again = client(b)
    again.publish("q", b"new")
    assert equal(network, b, c)
    assert contents(b)["q"][-1] == (11, b"new")
    assert len(contents(b)["q"]) == 7


def test_qpid_5966_a_message_of_a_transaction_consumed_outside_of_it_is_gone_everywhere() -> None:
    network, (a, b) = running("a", "b")
    session = client(a)
    session.do("queue.declare", queue="q")
    session.do("tx.select")
    session.publish("q", b"in a transaction")
    session.do("tx.commit")
    consumer = client(a)
    consumer.subscribe("q")
    consumer.do("message.accept", transfers=[(0, 0)])
    assert equal(network, a, b)
    assert contents(b) == {"q": []}


def test_qpid_5975_a_commit_that_no_backup_has_is_not_confirmed() -> None:
    network, (a, b, c) = running("a", "b", "c", link_heartbeat_interval_s=60.0)
    session = client(a)
    session.do("queue.declare", queue="q")
    session.do("tx.select")
    session.publish("q", b"1")
    session.publish("q", b"2")
    network.advance(0.1)
    b.freeze()
    c.freeze()
    committed = session.do("tx.commit")
    assert committed not in session.completed, "in doubt, and the client is told nothing else"
    a.kill()
    for host in (b, c):
        host.cut_off()
        host.thaw()
    network.run()
    assert promote(b) == ""
    assert b.bodies("q") == []
    assert equal(network, b, c)


def test_qpid_4780_a_commit_that_waits_keeps_nobody_else_waiting() -> None:
    network, (a, b) = running("a", "b", link_heartbeat_interval_s=60.0)
    session = client(a)
    session.do("queue.declare", queue="q")
    session.do("tx.select")
    session.publish("q", b"1")
    b.freeze()
    committed = session.do("tx.commit")
    other = client(a)
    assert other.ask("queue.query", queue="q").number("message_count") == 1
    consumer = client(a)
    consumer.subscribe("q")
    assert consumer.bodies == [b"1"]
    assert committed not in session.completed
    b.thaw()
    network.advance(1.0)
    assert committed in session.completed


def test_qpid_7149_what_passed_leaves_nothing_behind() -> None:
    """Ring queues that overflow, and plain ones that are consumed, on primary and backup."""
    network, (a, b) = running("a", "b")
    for host in (a, b):
        host.node.cluster.log.retain_bytes = 10_000
    session = client(a)
    ring = {"qpid.policy_type": "ring", "qpid.max_count": 10}
    session.do("queue.declare", queue="ring", arguments=ring)
    session.do("queue.declare", queue="plain")
    consumer = client(a)
    consumer.subscribe("plain", accept=1)
    for number in range(20 * SEGMENT_SIZE):
        session.publish("ring", b"x" * 20, pump=False)
        session.publish("plain", b"x" * 20, pump=number % 64 == 0)
    session.client.pump()
    assert equal(network, a, b)
    for host in (a, b):
        queues = host.node.broker.queues
        assert (queues["ring"].count, queues["plain"].count) == (10, 0)
        assert queues["ring"].ordering.segment_count <= 2
        assert queues["plain"].ordering.segment_count <= 2
        assert host.node.cluster.log.retained_bytes <= 10_000 + 70_000
    assert a.node.gate.waiting == 0


@pytest.mark.parametrize("at", range(60))
def test_qpid_7357_catching_up_can_be_cut_anywhere(at: int) -> None:
    network, (a,) = running("a")
    session = filled(a, 1300)
    b = Host(network, "b", 2, ha_brokers_url="a,b")
    for _ in range(at):
        if network.busy:
            network.step()
    b.cut_off()
    session.publish("q", b"meanwhile")
    session.do("queue.declare", queue="another")
    assert equal(network, a, b)
    assert b.status == "ready"


@pytest.mark.parametrize("mechanism", ["PLAIN", ""])
def test_qpid_4118_a_cluster_with_passwords_replicates_and_fails_over(mechanism: str) -> None:
    login = {"ha_username": "ha", "ha_password": "secret", "ha_mechanism": mechanism}
    secure = {"auth": True, "passwords": "ha:secret\n", **login}
    network, (a, b) = cluster("a", "b", **secure)
    words = {"username": "ha", "password": "secret"}
    assert Admin(a, **words).call("promote") == ""
    network.advance(LATER_S)
    session = Guest(a, **words).session()
    session.do("queue.declare", queue="q")
    session.publish("q", b"kept")
    network.advance(0.1)
    a.kill()
    network.run()
    assert Admin(b, **words).call("promote") == ""
    assert b.bodies("q") == [b"kept"]
