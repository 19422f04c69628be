"""Two and three nodes live together: promotion, refusals, following, confirming, failing over."""

from __future__ import annotations

from uuid import UUID

import pytest

from tanist.ha.log import Log
from tanist.ha.messages import REPLICATION_SOURCE
from tanist.wire.amqp010.codec import decode_list
from tanist.wire.amqp010.events import Completed
from tanist.wire.amqp010.transfer import application_headers
from tanist.wire.amqp010.values import Value, uint64
from tests.broker.node.network import Admin, Guest, Host, Network, cluster, promote, running
from tests.broker.sessions.session_peer import ClientSession


def log_of(host: Host) -> Log:
    return host.node.cluster.log


# -- promotion -----------------------------------------------------------------------------


def test_the_first_primary_of_a_cluster() -> None:
    network, (a, b, c) = cluster("a", "b", "c")
    assert [host.status for host in (a, b, c)] == ["joining"] * 3
    assert promote(a) == ""
    assert a.status == "active"
    assert log_of(a).epoch == 1
    network.advance(2.0)
    assert (b.status, c.status) == ("ready", "ready")
    assert [log_of(host).owner for host in (b, c)] == [UUID(bytes=a.node.config.boot_id)] * 2
    assert a.members() == b.members() == c.members() == {1: 4, 2: 2, 3: 2}


def test_promote_again_is_harmless() -> None:
    _, (a, _) = running("a", "b")
    assert promote(a) == ""
    assert log_of(a).epoch == 1
    assert a.status == "active"


def test_a_broker_without_a_cluster_is_not_changed_by_promote() -> None:
    host = Host(Network(), "a", 1, ha_cluster=False, ha_queue_replication=True)
    assert promote(host) == ""
    assert host.status == "standalone"


def test_a_joining_broker_that_knows_an_active_member_is_refused() -> None:
    network, (a, b) = running("a", "b")
    a.kill()
    network.run()
    c = Host(network, "c", 3, ha_brokers_url="b,c")
    network.run()
    assert c.status == "joining"
    assert promote(c) == "Joining active cluster, cannot be promoted."
    assert b.status == "ready"


def test_a_backup_that_catches_up_is_refused() -> None:
    network, (a,) = running("a")
    client = Guest(a).session()
    client.do("queue.declare", queue="q")
    client.publish("q")
    b = Host(network, "b", 2, ha_brokers_url="a,b")
    network.run_until(lambda: b.status == "catchup")
    a.freeze()
    assert promote(b) == "Still catching up, cannot be promoted."


def test_promote_waits_until_every_member_was_asked_and_nothing_else_waits() -> None:
    network = Network()
    network.black_holes = {"b"}
    a = Host(network, "a", 1, ha_brokers_url="a,b", max_negotiate_time_s=3.0)
    network.run()
    admin = Admin(a)
    waiting = admin.start_call("promote")
    assert admin.error_of(waiting) is None
    found = admin.ha_broker()
    assert found is not None
    assert found["status"] == "joining", "status is answered meanwhile"
    assert admin.call("setPublicUrl", url="vip") == ""
    network.advance(6.0)
    assert admin.error_of(waiting) == ""
    assert a.status == "active"


def test_only_so_many_promotes_wait() -> None:
    network = Network()
    network.black_holes = {"b"}
    a = Host(network, "a", 1, ha_brokers_url="a,b")
    network.run()
    admin = Admin(a)
    calls = [admin.start_call("promote") for _ in range(110)]
    network.advance(5.0)
    answered = [admin.error_of(call) for call in calls]
    assert answered == [""] * 100 + [None] * 10


# -- following and failing over ------------------------------------------------------------


def test_everything_replicated_is_on_the_backups() -> None:
    network, (a, b, c) = running("a", "b", "c")
    client = Guest(a).session()
    client.do("queue.declare", queue="q")
    client.do("exchange.declare", exchange="e", type="fanout")
    client.do("exchange.bind", queue="q", exchange="e", binding_key="k")
    client.publish("k", b"one", exchange="e")
    client.publish("q", b"two")
    client.do("queue.declare", queue="here", arguments={"qpid.replicate": "none"})
    client.do("queue.declare", queue="empty", arguments={"qpid.replicate": "configuration"})
    client.publish("empty", b"stays")
    network.advance(0.1)
    for host in (b, c):
        assert host.bodies("q") == [b"one", b"two"]
        assert host.bodies("empty") == []
        assert "here" not in host.node.broker.queues
        assert len(host.node.broker.exchanges["e"].bindings) == 1
    assert log_of(a).index == log_of(b).index == log_of(c).index > 0


def test_the_backup_serves_on_and_the_rest_follows_without_a_snapshot() -> None:
    network, (a, b, c) = running("a", "b", "c")
    producer = Guest(a).session()
    producer.do("queue.declare", queue="q")
    producer.publish("q", b"one")
    producer.publish("q", b"two")
    a.kill()
    network.run()
    assert promote(b) == ""
    assert log_of(b).epoch == 2
    network.advance(2.0)
    assert (b.status, c.status) == ("active", "ready")
    assert any("goes on after" in line for line in b.log)
    assert not any("snapshot" in line for line in b.log)
    consumer = Guest(b).session()
    consumer.subscribe("q")
    assert consumer.bodies == [b"one", b"two"]
    assert all(message.redelivered for message in consumer.messages)
    a.start()
    network.advance(2.0)
    assert a.status == "ready"
    assert a.bodies("q") == b.bodies("q") == [b"one", b"two"]


def test_a_backup_that_had_more_than_the_next_primary_takes_it_back() -> None:
    network, (a, b, c) = running("a", "b", "c")
    client = Guest(a).session()
    client.do("queue.declare", queue="q")
    client.publish("q", b"confirmed")
    network.advance(0.1)
    b.freeze()
    unconfirmed = client.publish("q", b"only here")
    assert unconfirmed not in client.completed
    assert log_of(c).index == log_of(b).index + 1
    a.kill()
    b.cut_off()
    b.thaw()
    assert promote(b) == ""
    network.advance(2.0)
    assert (b.status, c.status) == ("active", "ready")
    assert any("goes on after" in line for line in b.log)
    assert not any("gets everything" in line for line in b.log)
    assert c.bodies("q") == b.bodies("q") == [b"confirmed"]
    assert log_of(c).index == log_of(b).index
    again = Guest(b).session()
    again.publish("q", b"sent again")
    network.advance(0.1)
    assert c.bodies("q") == [b"confirmed", b"sent again"]


def test_a_new_primary_is_recovering_until_its_backups_are_back() -> None:
    network, (a, b, c) = running("a", "b", "c", link_maintenance_interval_s=2.0)
    a.kill()
    c.freeze()
    network.run()
    assert promote(b) == ""
    assert b.status == "recovering"
    client = Guest(b).session()
    client.do("queue.declare", queue="q")
    assert client.completed == set(), "held while a backup is waited for"
    consumer = Guest(b, heartbeat_s=0).session()
    sent = client.publish("q", b"one")
    assert consumer.ask("queue.query", queue="q").number("message_count") == 1
    network.advance(0.5)
    c.thaw()
    network.advance(3.0)
    assert b.status == "active"
    assert sent in client.completed
    assert c.status == "ready"
    assert "All backups recovered." in b.log


def test_an_expected_backup_without_a_sign_is_given_up() -> None:
    network, (a, b, c) = running("a", "b", "c", ha_backup_timeout_s=5.0)
    a.kill()
    c.kill()
    network.run()
    assert promote(b) == ""
    client = Guest(b).session()
    declared = client.do("queue.declare", queue="q")
    network.advance(4.9)
    assert b.status == "recovering"
    assert declared not in client.completed
    network.advance(0.2)
    assert b.status == "active"
    assert declared in client.completed
    assert [line for line in b.log if "timed out" in line] == [
        f"Recovering backup timed out: {c.system_id} did not connect; going on without it"
    ]


def test_a_stopped_primary_is_left_and_stops_for_good_once_a_member_meets_it() -> None:
    network, (a, b, c) = running("a", "b", "c")
    client = Guest(a).session()
    client.do("queue.declare", queue="q")
    a.freeze()
    network.advance(3.0)
    assert [line for line in b.log if line.startswith("Lost primary tcp:a:5672")]
    assert promote(b) == ""
    network.advance(3.0)
    assert (b.status, c.status) == ("active", "ready")
    a.thaw()
    network.advance(1.0)
    assert (log_of(a).epoch, log_of(b).epoch, log_of(c).epoch) == (1, 2, 2)
    b.kill()
    network.advance(1.0)
    assert a.stop_reasons == [
        f"Shutting down: deposed; this primary is of epoch 1, broker {b.system_id} is at epoch 2"
    ]


# -- epochs --------------------------------------------------------------------------------


BACKUP_INFO: dict[str, Value] = {
    "system-id": UUID(int=99, version=4),
    "protocol": "",
    "host-name": "",
    "port": 0,
    "status": 0,
}


def arguments_of(epoch: int, index: int = 0) -> dict[str, Value]:
    """What a backup at that place says when it subscribes."""
    return {
        "qpid.ha-epoch": uint64(epoch),
        "qpid.ha-owner": UUID(int=0),
        "qpid.ha-index": uint64(index),
        "qpid.ha-whole": True,
        "qpid.ha-info": BACKUP_INFO,
    }


def backup_link(host: Host, epoch: int, index: int = 0, **more: Value) -> ClientSession:
    """A session that subscribes as a backup of that epoch does."""
    session = Guest(host, properties={"qpid.ha-backup": BACKUP_INFO}).session()
    subscribe(session, {**arguments_of(epoch, index), **more})
    return session


def subscribe(session: ClientSession, arguments: dict[str, Value]) -> None:
    """Subscribe to the replication stream; an argument that is None is left out."""
    session.do(
        "message.subscribe",
        queue=REPLICATION_SOURCE,
        destination=REPLICATION_SOURCE,
        accept_mode=1,
        arguments={name: value for name, value in arguments.items() if value is not None},
    )


def test_a_deposed_primary_stops_with_one_line() -> None:
    _, (a, _b, c) = running("a", "b", "c")
    assert promote(c) == ""
    assert a.stop_reasons == [
        f"Shutting down: deposed; this primary is of epoch 1, broker {c.system_id} is at epoch 2"
    ]
    assert not a.alive
    assert c.status in ("recovering", "active")


def test_a_newer_epoch_that_no_member_knows_stops_nobody() -> None:
    network, (a, b) = running("a", "b")
    client = Guest(a).session()
    backup_link(a, epoch=2)
    network.advance(1.0)
    assert a.stop_reasons == []
    assert (a.status, b.status) == ("active", "ready")
    assert client.do("queue.declare", queue="q") in client.completed


@pytest.mark.parametrize("missing", ["qpid.ha-epoch", "qpid.ha-owner", "qpid.ha-index"])
def test_a_subscription_without_a_position_is_refused(missing: str) -> None:
    _, (a,) = running("a")
    session = backup_link(a, 0, **{missing: None})
    assert session.exception is not None
    assert session.exception.number("error_code") == 542
    assert a.members() == {1: 4}


def test_a_subscription_without_broker_info_is_refused() -> None:
    _, (a,) = running("a")
    session = backup_link(a, 0, **{"qpid.ha-info": {"system-id": "x"}})
    assert session.exception is not None
    assert "no broker info" in session.exception.text("description")


def test_other_commands_on_a_link_are_completed_and_do_nothing() -> None:
    _, (a,) = running("a")
    session = backup_link(a, 0)
    last = session.do("execution.sync")
    assert last in session.completed


def test_a_second_link_of_a_backup_replaces_the_first() -> None:
    network, (a,) = running("a")
    first = backup_link(a, 0)
    second = backup_link(a, 0)
    assert first.client.dropped
    assert not second.client.dropped
    network.advance(1.0)
    assert a.members() == {1: 4, 99: 1}
    assert [line for line in a.log if "linked twice" in line] != []


@pytest.mark.parametrize("number", [99, 98])
def test_a_link_is_subscribed_once(number: int) -> None:
    network, (a,) = running("a")
    session = backup_link(a, 0)
    assert a.members() == {1: 4, 99: 1}
    info = {**BACKUP_INFO, "system-id": UUID(int=number, version=4)}
    subscribe(session, {**arguments_of(0), "qpid.ha-info": info})
    assert session.client.dropped
    network.advance(1.0)
    assert a.members() == {1: 4}, "and is not followed by a backup that will never answer"
    client = Guest(a).session()
    assert client.do("queue.declare", queue="q") in client.completed


def test_nobody_subscribes_in_our_name() -> None:
    _, (a,) = running("a")
    ours = {**BACKUP_INFO, "system-id": a.system_id}
    session = backup_link(a, 0, **{"qpid.ha-info": ours})
    assert session.client.dropped
    assert a.members() == {1: 4}


def test_a_backup_that_detaches_has_left() -> None:
    network, (a,) = running("a")
    session = backup_link(a, 0)
    assert a.members() == {1: 4, 99: 1}
    session.session.detach()
    session.client.pump()
    network.advance(1.0)
    assert session.client.dropped
    assert a.members() == {1: 4}


def test_a_primary_that_started_again_leads_another_history() -> None:
    network, (a, b) = running("a", "b", link_heartbeat_interval_s=30.0)
    client = Guest(a).session()
    client.do("queue.declare", queue="old")
    client.publish("old", b"kept")
    old = UUID(bytes=a.node.config.boot_id)
    network.advance(0.1)
    b.freeze()
    a.kill()
    network.run()
    a.start()
    Admin(a).start_call("promote")
    network.advance(12.0)
    assert a.status == "active", "nobody told it that there is data"
    again = Guest(a).session()
    again.do("queue.declare", queue="other")
    again.publish("other", b"new")
    assert (log_of(a).epoch, log_of(a).index) == (log_of(b).epoch, log_of(b).index) == (1, 2)
    assert log_of(a).owner == UUID(bytes=a.node.config.boot_id) != old
    b.thaw()
    network.advance(3.0)
    assert b.bodies("old") == [b"kept"], "what was confirmed is not thrown away"
    assert "other" not in b.node.broker.queues
    assert log_of(b).owner == old
    assert not any("goes on after" in line for line in a.log)
    refused = f"its epoch 1 of {log_of(a).owner} is not newer than epoch 1 of {old}"
    assert any(refused in text for _, _, text in b.lines)


def test_a_backup_that_needs_a_snapshot_gets_one() -> None:
    _, (a,) = running("a")
    session = backup_link(a, epoch=1, index=5)
    assert any("gets everything as of 0" in line for line in a.log)
    kinds = [message.body[0] for message in session.messages]
    assert kinds[:3] == [2, 3, 4]


def test_a_backup_goes_on_where_it_was_after_a_cut() -> None:
    network, (a, b) = running("a", "b")
    client = Guest(a).session()
    client.do("queue.declare", queue="q")
    client.publish("q", b"one")
    a.outputs.clear()
    link = next(wire for conn, wire in b.wires.items() if conn < 0)
    link.cut("the network")
    network.run()
    client.publish("q", b"two")
    network.advance(1.0)
    assert b.status == "ready"
    assert b.bodies("q") == [b"one", b"two"]
    assert any("goes on after 2" in line for line in a.log)


# -- URLs and events -----------------------------------------------------------------------


def events(session) -> list[dict[str, Value]]:
    """QMF events that a session received."""
    found = []
    for message in session.messages:
        if application_headers(message.header).get("qmf.content") == "_event":
            (element,) = decode_list(message.body)
            assert isinstance(element, dict)
            found.append(element)
    return found


def test_a_change_of_members_is_an_event() -> None:
    network, (a, b) = running("a", "b")
    session = Guest(a).session()
    session.do("queue.declare", queue="e", exclusive=True, auto_delete=True)
    key = "agent.ind.event.org_apache_qpid_ha.membersUpdate.info.#"
    session.do("exchange.bind", queue="e", exchange="qmf.default.topic", binding_key=key)
    session.subscribe("e", accept=1)
    b.kill()
    network.advance(0.1)
    (event,) = events(session)
    values = event["_values"]
    assert isinstance(values, dict)
    members = values["members"]
    assert isinstance(members, list)
    assert [member["status"] for member in members if isinstance(member, dict)] == [4]
    assert event["_severity"] == 6


def test_members_can_be_set_later() -> None:
    network, (a,) = running("a")
    b = Host(network, "b", 2, ha_brokers_url="")
    network.advance(2.0)
    assert b.status == "joining"
    admin = Admin(b)
    assert "Invalid URL" in admin.call("setBrokersUrl", url=":")
    assert admin.call("setBrokersUrl", url="b,a") == ""
    found = admin.ha_broker()
    assert found is not None
    assert found["brokersUrl"] == "amqp:tcp:b:5672,tcp:a:5672"
    network.advance(2.0)
    assert b.status == "ready"
    assert Admin(b).call("setBrokersUrl", url="a") == ""
    assert Admin(a).call("setBrokersUrl", url="a,b,c") == ""
    network.advance(2.0)
    assert (a.status, b.status) == ("active", "ready")


def test_the_primary_knows_itself_by_the_address_at_which_it_met_itself() -> None:
    _, (a, b) = running("a", "b")
    own = a.node.cluster.ha_members()[0]
    assert isinstance(own, dict)
    assert (own["protocol"], own["host-name"], own["port"]) == ("tcp", "a", 5672)
    other = b.node.cluster.ha_members()[1]
    assert isinstance(other, dict)
    assert other["host-name"] == "b"


def test_a_primary_that_never_met_itself_has_no_address() -> None:
    network = Network()
    a = Host(network, "a", 1, ha_brokers_url="b")
    network.run()
    assert promote(a) == ""
    (own,) = a.node.cluster.ha_members()
    assert isinstance(own, dict)
    assert (own["protocol"], own["host-name"], own["port"]) == ("", "", 0)


def test_who_is_no_primary_has_no_backups() -> None:
    _, (a,) = cluster("a")
    link = Admin(a).session().session
    a.node.cluster.backup_event(1, Completed(link, [(0, 0)]), 0.0)
    a.node.cluster.backup_gone(1, False, 0.0)
    assert a.log == ["Status change: standalone -> joining"]


def test_a_broker_that_knows_of_no_primary_shows_itself() -> None:
    _, (a,) = cluster("a")
    assert a.members() == {1: 0}
    found = Admin(a).ha_broker()
    assert found is not None
    assert found["systemId"] == a.system_id
    assert found["replicateDefault"] == "all"


def test_status_changes_are_logged_once() -> None:
    _, (a, b) = running("a", "b")
    assert [line for line in b.log if line.startswith("Status change")] == [
        "Status change: standalone -> joining",
        "Status change: joining -> catchup",
        "Status change: catchup -> ready",
    ]
    assert b.log.count("Backup is ready") == 1
    assert a.log.count("All backups recovered.") == 1


def test_a_lagging_backup_starts_again_with_a_snapshot() -> None:
    network, (a, b) = running("a", "b", ha_flow_messages=2)
    client = Guest(a).session()
    client.do("queue.declare", queue="q")
    log_of(a).retain_bytes = 200
    b.freeze()
    for number in range(10):
        client.publish("q", bytes([number]) * 50)
    b.thaw()
    network.advance(1.0)
    assert b.status == "ready"
    assert client.completed == set(range(11))
    network.advance(0.1)
    assert b.bodies("q") == [bytes([number]) * 50 for number in range(10)]
    changes = [line for line in b.log if line.startswith("Status change")]
    assert changes[-2:] == ["Status change: ready -> catchup", "Status change: catchup -> ready"]


def test_expired_messages_go_by_the_clock_of_the_primary() -> None:
    network, (a, b) = running("a", "b", queue_purge_interval_s=1.0)
    client = Guest(a).session()
    client.do("queue.declare", queue="q")
    client.publish("q", b"short", ttl=500)
    client.publish("q", b"long", ttl=10**7)
    network.advance(0.1)
    assert b.bodies("q") == [b"short", b"long"]
    network.advance(2.0)
    assert a.bodies("q") == b.bodies("q") == [b"long"]


def test_a_backup_keeps_what_would_expire() -> None:
    network, (a, b) = running("a", "b", queue_purge_interval_s=1.0)
    client = Guest(a).session()
    client.do("queue.declare", queue="q")
    client.publish("q", b"short", ttl=500)
    network.advance(0.1)
    a.kill()
    network.advance(3.0)
    assert b.bodies("q") == [b"short"]
    assert promote(b) == ""
    network.advance(2.0)
    assert b.bodies("q") == []
