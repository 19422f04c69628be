"""What habroker says beyond the original: places, progress, what is stuck and why."""

from __future__ import annotations

from typing import cast

from tanist.node.report import STUCK_AFTER_S, UNKNOWN_ETA, _eta_s
from tanist.wire.amqp010.values import Value
from tests.broker.node.network import WALL_S, Admin, Guest, Host, running

Map = dict[str, Value]


def report(host: Host) -> Map:
    found = Admin(host).ha_broker()
    assert found is not None
    return found


def backups(host: Host) -> list[Map]:
    return cast("list[Map]", report(host)["backups"])


def filled(host: Host, count: int) -> None:
    """So many messages, and a log that does not reach back to the first."""
    host.node.cluster.log.retain_bytes = 5000
    client = Guest(host).session()
    client.do("queue.declare", queue="q")
    for number in range(count):
        client.publish("q", b"%d" % number, pump=number % 100 == 0)
    client.client.pump()


def test_everybody_says_where_it_stands() -> None:
    network, (a, b) = running("a", "b")
    filled(a, 3)
    network.advance(0.1)
    for host in (a, b):
        found = report(host)
        assert (found["epoch"], found["index"], found["messages"]) == (1, 4, 3)
        assert found["inSync"] == [a.system_id, b.system_id]
        assert (found["problems"], found["reason"], found["stuckSince"]) == ([], "", 0)
        since = found["statusSince"]
        assert isinstance(since, int)
        assert WALL_S <= since / 1e9 <= WALL_S + network.now + 1
    assert report(b)["catchUp"] == {}
    assert report(b)["backups"] == []


def test_a_broker_without_a_cluster_has_little_to_say() -> None:
    _, (alone,) = running("a")
    found = report(alone)
    assert (found["backups"], found["reason"]) == ([], "")
    host = Host(alone.network, "z", 26, ha_cluster=False, ha_queue_replication=True)
    found = report(host)
    assert (found["epoch"], found["index"], found["inSync"]) == (0, 0, [])


def test_the_primary_describes_its_backups() -> None:
    _, (a, b) = running("a", "b")
    (found,) = backups(a)
    assert found["system-id"] == b.system_id
    assert (found["address"], found["status"], found["phase"]) == ("b:5672", "ready", "ready")
    assert (found["inSync"], found["behind"], found["reason"]) == (True, 0, "")
    assert found["stuckSince"] == 0


def test_both_ends_tell_how_far_a_backup_is_filled() -> None:
    network, (a,) = running("a")
    filled(a, 3000)
    b = Host(network, "b", 2, ha_brokers_url="a,b")
    network.run_until(lambda: b.node.cluster.backup.messages_done > 0)
    b.freeze()
    network.run()
    (found,) = backups(a)
    assert (found["status"], found["phase"], found["inSync"]) == ("catchup", "filling", False)
    done, total = cast(int, found["done"]), cast(int, found["total"])
    assert 0 < done < total == 3000
    assert found["etaSeconds"] == UNKNOWN_ETA, "no time has passed here"
    network.advance(1.0)
    (found,) = backups(a)
    assert found["etaSeconds"] == int((total - done) / done)
    b.frozen = False
    progress = cast(Map, report(b)["catchUp"])
    assert (progress["whole"], progress["unit"], progress["total"]) == (False, "messages", 3000)
    assert 0 < cast(int, progress["done"]) < 3000
    assert report(b)["reason"] == "old messages"


def test_a_backup_that_gets_nothing_any_more_is_stuck() -> None:
    network, (a,) = running("a", link_heartbeat_interval_s=60.0)
    filled(a, 3000)
    b = Host(network, "b", 2, ha_brokers_url="a,b", link_heartbeat_interval_s=60.0)
    network.run_until(lambda: b.node.cluster.backup.messages_done > 0)
    a.freeze()
    moved_at = network.now
    network.advance(STUCK_AFTER_S - 0.1)
    assert report(b)["stuckSince"] == 0
    network.advance(0.2)
    since = cast(int, report(b)["stuckSince"])
    assert abs(since / 1e9 - (WALL_S + moved_at)) < 1.0
    a.kill()
    killed_at = network.now
    network.advance(STUCK_AFTER_S + 0.1)
    found = report(b)
    assert (found["status"], found["reason"]) == ("catchup", "no link to a primary")
    since = cast(int, found["stuckSince"])
    assert abs(since / 1e9 - (WALL_S + killed_at)) < 1.0, "not since the last message"


def test_a_new_primary_says_for_whom_it_waits() -> None:
    network, (a, b, c) = running("a", "b", "c", ha_backup_timeout_s=20.0)
    a.kill()
    c.kill()
    network.run()
    assert Admin(b).call("promote") == ""
    network.advance(STUCK_AFTER_S + 0.1)
    found = report(b)
    assert found["status"] == "recovering"
    assert found["reason"] == f"waits for {c.system_id} did not connect"
    assert cast(int, found["stuckSince"]) > 0
    (absent,) = backups(b)
    assert (absent["status"], absent["address"]) == ("absent", "c:5672")
    assert (absent["inSync"], absent["reason"]) == (True, "did not connect")


def test_the_tail_of_the_log_is_progress_too() -> None:
    network, (a, b) = running("a", "b", ha_flow_messages=1)
    b.freeze()
    filled(a, 500)
    b.node.cluster.backup.broken()
    b.node.cluster.backup.whole = True
    b.frozen = False
    progress = cast(Map, report(b)["catchUp"])
    assert (progress["whole"], progress["unit"]) == (True, "records")
    network.run()


def test_the_time_to_go() -> None:
    assert _eta_s(0, 100, 5.0) == UNKNOWN_ETA
    assert _eta_s(10, 100, 0.0) == UNKNOWN_ETA
    assert _eta_s(25, 100, 5.0) == 15
    assert _eta_s(100, 100, 5.0) == 0
