"""Who leaves the in-sync set, after whom was asked: nodes together, with and without a command."""

from __future__ import annotations

import json

from tanist.node.arbiter import ASK_AGAIN_S
from tanist.node.links import HUNG_MAX_S, VERIFY_MAX_S
from tanist.node.outputs import Connect, Consult
from tests.broker.ha.primary_model import B, C, Cluster
from tests.broker.node.network import Admin, Guest, Host, Network, cluster, promote, running
from tests.broker.sessions.session_peer import ClientSession


class Record:
    """The command of every host: says what it was told to, and remembers."""

    def __init__(self, *hosts: Host) -> None:
        self.answers: dict[str, tuple[int, str] | None] = {}
        self.asked: list[Consult] = []
        for host in hosts:
            host.command = self.command

    def command(self, consult: Consult) -> tuple[int, str] | None:
        self.asked.append(consult)
        return self.answers.get(consult.arguments[0], (0, ""))

    def sets(self) -> list[tuple[str, list[int]]]:
        """Actions and the numbers of the brokers in each set."""
        found = []
        for consult in self.asked:
            document = json.loads(consult.document)
            numbers = [int(who.rpartition("-")[2], 16) for who in document["inSync"]]
            found.append((document["action"], sorted(numbers)))
        return found


def with_command(*names: str) -> tuple[Network, list[Host], Record]:
    """A running cluster whose in-sync set is recorded outside."""
    network, hosts = cluster(*names, ha_insync_command=True)
    record = Record(*hosts)
    assert promote(hosts[0]) == ""
    network.advance(2.0)
    assert [host.status for host in hosts] == ["active"] + ["ready"] * (len(hosts) - 1)
    return network, hosts, record


def declared(host: Host) -> tuple[ClientSession, int]:
    session = Guest(host).session()
    return session, session.do("queue.declare", queue="q")


def test_who_becomes_ready_is_recorded() -> None:
    _, _, record = with_command("a", "b", "c")
    assert record.sets()[0] == ("promote", [1])
    assert record.sets()[-1] == ("grow", [1, 2, 3])


def test_a_backup_that_is_gone_is_dropped_once_the_command_agrees() -> None:
    network, (a, b, _), record = with_command("a", "b", "c")
    record.answers["shrink"] = None
    b.kill()
    network.advance(VERIFY_MAX_S)
    session, held = declared(a)
    network.advance(3.0)
    assert held not in session.completed
    assert record.sets()[-1] == ("shrink", [1, 3])
    assert json.loads(record.asked[-1].document)["reason"].endswith("disconnected")
    a.answer(record.asked[-1], 0)
    network.run()
    assert held in session.completed
    assert a.members() == {1: 4, 3: 2}


def test_a_primary_whose_command_refuses_confirms_nothing_and_says_so_once() -> None:
    network, (a, b), record = with_command("a", "b")
    record.answers["shrink"] = (1, "no quorum")
    b.kill()
    session, held = declared(a)
    network.advance(10 * ASK_AGAIN_S)
    assert held not in session.completed
    asked = [action for action, _ in record.sets()].count("shrink")
    assert 5 < asked < 15
    lines = [line for line in a.log if "does not agree" in line]
    assert lines == [
        "ha-insync-command does not agree to shrink: no quorum; what the absent backups lack "
        "stays unconfirmed"
    ]
    found = Admin(a).ha_broker()
    assert found is not None
    assert found["problems"] == lines
    assert "disconnected" in str(found["reason"])
    record.answers["shrink"] = (0, "")
    network.advance(2 * ASK_AGAIN_S)
    assert held in session.completed
    found = Admin(a).ha_broker()
    assert found is not None
    assert (found["problems"], found["reason"], found["stuckSince"]) == ([], "", 0)


def test_a_backup_that_comes_back_needs_no_command() -> None:
    network, (a, b), record = with_command("a", "b")
    record.answers["shrink"] = (-1, "did not answer")
    link = next(wire for conn, wire in b.wires.items() if conn < 0)
    link.cut("the network")
    network.run()
    session, held = declared(a)
    network.advance(3.0)
    assert held in session.completed
    assert a.members() == {1: 4, 2: 2}


def test_a_primary_that_the_command_calls_deposed_stops() -> None:
    network, (a, b), record = with_command("a", "b")
    record.answers["shrink"] = (3, "b is primary of epoch 2")
    b.kill()
    network.advance(3.0)
    assert a.stop_reasons == [
        "Shutting down: deposed; ha-insync-command says: b is primary of epoch 2"
    ]


def test_a_refused_grow_is_asked_again() -> None:
    network, hosts = cluster("a", "b", ha_insync_command=True)
    record = Record(*hosts)
    record.answers["grow"] = (1, "")
    assert promote(hosts[0]) == ""
    network.advance(3.0)
    assert "ha-insync-command does not agree to grow: exit status 1" in hosts[0].log
    record.answers["grow"] = (0, "")
    network.advance(2.0)
    assert hosts[0].node.cluster.arbiter.recorded == {host.system_id for host in hosts}


# -- without a command ---------------------------------------------------------------------


def test_a_slow_backup_is_waited_for_a_while_then_it_leaves_and_comes_back() -> None:
    network, (a, b) = running("a", "b", ha_ack_timeout_s=3.0, link_heartbeat_interval_s=60.0)
    b.freeze()
    session, held = declared(a)
    network.advance(2.9)
    assert held not in session.completed
    network.advance(VERIFY_MAX_S + 0.4)
    assert held in session.completed
    assert a.members() == {1: 4, 2: 1}
    assert [line for line in a.log if "not in sync any more" in line] == [
        f"Backup {b.system_id} is not in sync any more: it did not acknowledge for 3 s; "
        "going on without it"
    ]
    b.thaw()
    network.advance(8.0)
    assert b.status == "ready"
    assert a.members() == {1: 4, 2: 2}


def test_a_backup_that_hangs_for_longer_is_cut_off() -> None:
    network, (a, b) = running("a", "b", ha_ack_timeout_s=3.0, link_heartbeat_interval_s=60.0)
    b.freeze()
    declared(a)
    network.advance(6.3)
    assert any(line.endswith("did not acknowledge for 6 s; dropping its link") for line in a.log)
    assert a.members() == {1: 4}
    b.thaw()
    network.advance(3.0)
    assert b.status == "ready"


def test_under_steady_traffic_the_batches_alone_tell_what_is_committed() -> None:
    network, (a, b) = running("a", "b")
    session, _ = declared(a)
    network.advance(0.1)
    primary = a.node.cluster.primary
    assert primary is not None
    (peer,) = primary.peers.values()
    before = peer.session.next_outgoing
    for _ in range(30):
        session.publish("q", b"x")
        network.advance(0.01)
    assert peer.session.next_outgoing - before == 30
    network.advance(0.1)
    assert peer.session.next_outgoing - before == 31, "the last one has no successor that tells"
    assert b.node.broker.queues["q"].count == 30


# -- the primary's part, in slow motion ----------------------------------------------------


def test_whoever_came_back_must_know_who_left_before_anything_is_confirmed() -> None:
    """It is in the set and may be promoted, or bear witness against the one that left."""
    cluster = Cluster(drops=False)
    cluster.ready(1, B)
    cluster.ready(2, C)
    cluster.publish()
    cluster.acknowledge(2)
    for conn in (1, 2):
        cluster.primary.remove(conn)
    link = cluster.join(3, C, cluster.log.index, 1)
    cluster.primary.drop([B])
    cluster.settle()
    assert cluster.opened == 1, "c has the record, but does not know that b left"
    cluster.acknowledge(3, len(link.received))
    assert cluster.opened == 2


def test_a_backup_that_is_dropped_is_not_waited_for_because_of_older_news() -> None:
    cluster = Cluster(ack_timeout_s=5.0)
    cluster.ready(1, B)
    cluster.ready(2, C)
    cluster.publish()
    cluster.acknowledge(1)
    cluster.primary.remove(1)
    cluster.settle()
    assert cluster.dropped == [B]
    assert cluster.opened == 1, "c does not know it yet"
    cluster.at(5.1)
    assert cluster.dropped == [B, C]
    assert cluster.opened == 2


def test_one_that_fell_silent_is_asked_too_but_not_for_long() -> None:
    """Perhaps only its link was cut, and it was promoted."""
    network, (a, b) = running("a", "b", link_heartbeat_interval_s=1.0)
    b.freeze()
    session, held = declared(a)
    before = len(a.outputs)
    while not any(isinstance(output, Connect) for output in a.outputs[before:]):
        network.advance(0.05)
    assert [o.host for o in a.outputs[before:] if isinstance(o, Connect)] == ["b"]
    network.advance(HUNG_MAX_S / 2)
    assert held not in session.completed
    network.advance(HUNG_MAX_S)
    assert held in session.completed
