"""Whole stories of copied queues: failovers on either side, cuts anywhere, ends and limits."""

from __future__ import annotations

import random

import pytest

from tanist.core.notices import Actor
from tanist.node.replicas import REPLICAS_MAX
from tanist.wire.amqp010.codec import make
from tests.broker.node.copying import (
    Subscriber,
    ask,
    cut,
    queue_on,
    replicate,
    seen,
    source_and_copy,
    standalone,
    state_of,
    unreplicate,
)
from tests.broker.node.network import Guest, Host, Network, promote, running
from tests.broker.sessions.session_peer import ClientSession


def lines(host: Host) -> list[str]:
    return [
        text for level, _, text in host.lines if text.startswith("Queue q") and level != "debug"
    ]


def consume(host: Host, count: int, queue: str = "q") -> list[bytes | None]:
    """Take ``count`` messages from the front."""
    session = Guest(host).session()
    session.subscribe(queue, credit=count)
    for message in session.messages:
        session.do("message.accept", transfers=[(message.id, message.id)])
    bodies = session.bodies
    session.client.hang_up()  # type: ignore[attr-defined]
    return bodies


# -- one broker to another -------------------------------------------------------------------


def test_a_copy_follows_its_queue() -> None:
    network, source, copy = source_and_copy(5)
    assert copy.bodies("q") == source.bodies("q")
    producer = Guest(source).session()
    sent = producer.publish("q", b"new", explicit=True)
    assert producer.accepted == [(sent, sent)]
    assert consume(source, 2) == [b"0", b"1"]
    network.run()
    assert copy.bodies("q") == [b"2", b"3", b"4", b"new"]
    Guest(source).session().do("queue.purge", queue="q")
    network.run()
    assert copy.bodies("q") == []


def test_it_is_a_method_of_the_habroker_and_shown_there() -> None:
    _, source, copy = source_and_copy(1)
    (row,) = seen(copy, "replicas")
    assert row == {
        "queue": "q",
        "source": "amqp:tcp:s:5672",
        "state": "in-sync",
        "reason": "",
        "lag": 0,
    }
    assert seen(source, "replicas") == []
    (follower,) = seen(source, "followers")
    assert (follower["broker"], follower["state"]) == (copy.system_id, "in-sync")


def test_several_queues_from_several_brokers() -> None:
    network = Network()
    sources = [standalone(network, name, number) for number, name in enumerate("st", 1)]
    copy = standalone(network, "d", 9)
    for number, source in enumerate(sources):
        for name in ("x", "y"):
            queue_on(source, f"{name}{number}").publish(f"{name}{number}", b"%d" % number)
            queue_on(copy, f"{name}{number}")
            assert replicate(copy, source.name, f"{name}{number}") == ""
    network.run()
    assert [copy.bodies(name) for name in ("x0", "y0", "x1", "y1")] == [[b"0"]] * 2 + [[b"1"]] * 2
    assert len(seen(copy, "replicas")) == 4
    sources[0].kill()
    network.run()
    queue_on(sources[1], "x1").publish("x1", b"more")
    assert copy.bodies("x1")[-1] == b"more"
    assert [row["state"] for row in seen(copy, "replicas")].count("in-sync") == 2


@pytest.mark.parametrize("window", [1, 3])
def test_a_large_queue_with_a_small_window(window: int) -> None:
    network, source, copy = source_and_copy(300, ha_flow_messages=window)
    assert copy.bodies("q") == source.bodies("q")
    network.run()
    assert len(copy.bodies("q")) == 300


# -- what the method refuses -----------------------------------------------------------------


def test_what_cannot_be_copied() -> None:
    network = Network()
    copy = standalone(network, "d", 1)
    assert "Queue not found: q" in replicate(copy, "s")
    queue_on(copy)
    assert "Invalid URL" in replicate(copy, "a:b:c")
    assert "No address" in replicate(copy, "")
    assert "No address" in replicate(copy, "none")
    assert replicate(copy, "s,t") == ""
    assert replicate(copy, "amqp:tcp:s:5672,tcp:t") == "", "the same again"
    assert "end that first" in replicate(copy, "u")
    assert "is not copied" in unreplicate(copy, "other")
    assert unreplicate(copy) == ""
    assert "is not copied" in unreplicate(copy)
    assert replicate(copy, "u") == ""


def test_a_backup_copies_nothing() -> None:
    network, (primary, backup) = running("a", "b")
    queue_on(primary)
    network.advance(0.1)
    assert "ask the primary" in replicate(backup, "s")
    assert "ask the primary" in unreplicate(backup)


def test_there_is_a_limit() -> None:
    network = Network()
    copy = standalone(network, "d", 1)
    replicas = copy.node._replicas
    for number in range(REPLICAS_MAX + 1):
        queue_on_broker(copy, f"q{number}")
    for number in range(REPLICAS_MAX):
        replicas.replicate("s", f"q{number}")
    assert f"{REPLICAS_MAX} queues are copies" in replicate(copy, "s", f"q{REPLICAS_MAX}")


def queue_on_broker(host: Host, name: str) -> None:
    host.node.broker.declare_queue(name, Actor("", ""))


# -- ends ------------------------------------------------------------------------------------


def test_it_ends_with_the_queue_at_the_source() -> None:
    network, source, copy = source_and_copy(2)
    Guest(source).session().do("queue.delete", queue="q")
    network.advance(5.0)
    assert lines(copy)[1:] == [
        "Queue q is no longer copied from amqp:tcp:s:5672: Queue q has been deleted."
    ]
    assert copy.bodies("q") == [b"0", b"1"], "nobody knows why it was deleted"
    assert seen(copy, "replicas") == []


def test_it_ends_if_there_never_was_one() -> None:
    network = Network()
    standalone(network, "s", 1)
    copy = standalone(network, "d", 2)
    queue_on(copy)
    assert replicate(copy, "s") == ""
    network.advance(5.0)
    assert lines(copy) == ["Queue q is no longer copied from amqp:tcp:s:5672: Queue not found: q"]


def test_it_ends_with_the_local_queue() -> None:
    network, source, copy = source_and_copy(2)
    session = Guest(copy).session()
    session.do("queue.delete", queue="q")
    producer = Guest(source).session()
    sent = producer.publish("q", b"x")
    network.advance(1.0)
    assert sent in producer.completed
    assert lines(copy)[1:] == ["Queue q was deleted, and is no longer copied"]
    assert seen(source, "followers") == []
    session.do("queue.declare", queue="q")
    network.advance(5.0)
    assert copy.bodies("q") == []


def test_messages_that_come_for_a_deleted_queue_are_not_recorded() -> None:
    """They are under way when it is deleted; the backups know it no more."""
    network, _, members, producer = copying_cluster()
    session = Guest(members[0]).session()
    producer.publish("q", b"1", pump=False)
    session.session.send(make("queue.delete", queue="q"))
    session.client.flush()  # type: ignore[attr-defined]
    producer.client.flush()  # type: ignore[attr-defined]
    network.run()
    network.advance(1.0)
    assert [host.status for host in members] == ["active", "ready", "ready"]
    index = members[0].node.cluster.log.index
    assert [host.node.cluster.log.index for host in members] == [index] * 3
    assert not [text for host in members for level, _, text in host.lines if level == "error"]


def test_it_can_be_ended_and_begun_again_where_it_was() -> None:
    network, source, copy = source_and_copy(3)
    assert unreplicate(copy) == ""
    assert lines(copy)[1:] == ["Queue q is no longer copied from amqp:tcp:s:5672"]
    producer = Guest(source).session()
    assert producer.publish("q", b"3") in producer.completed
    consume(source, 1)
    network.advance(1.0)
    assert copy.bodies("q") == [b"0", b"1", b"2"]
    assert replicate(copy, "s") == ""
    network.run()
    assert copy.bodies("q") == [b"1", b"2", b"3"] == source.bodies("q")


def test_another_queue_of_that_name_is_not_taken_for_the_old_one() -> None:
    """It is deleted and declared again while the link is down: that is an end."""
    network, source, copy = source_and_copy(3)
    network.black_holes.add("s")
    cut(source)
    session = queue_on(source)
    session.do("queue.delete", queue="q")
    session.do("queue.declare", queue="q")
    session.publish("q", b"another")
    network.black_holes.clear()
    network.advance(5.0)
    assert "There is another one of that name now" in lines(copy)[-1]
    assert copy.bodies("q") == [b"0", b"1", b"2"]
    assert seen(copy, "replicas") == []
    assert replicate(copy, "s") == "", "who says so wants the new one"
    network.run()
    assert copy.bodies("q") == [b"0", b"1", b"2", b"another"]
    consume(source, 1)
    network.run()
    assert copy.bodies("q") == [b"0", b"1", b"2"]


def test_a_source_that_restarts_has_lost_its_queues() -> None:
    network, source, copy = source_and_copy(3)
    source.kill()
    network.advance(1.0)
    assert copy.bodies("q") == [b"0", b"1", b"2"]
    source.start()
    network.advance(5.0)
    assert seen(copy, "replicas") == []
    assert lines(copy)[-1].endswith("Queue not found: q")
    assert copy.bodies("q") == [b"0", b"1", b"2"]


def test_a_source_that_restarts_and_has_a_queue_of_that_name() -> None:
    network, source, copy = source_and_copy(3)
    network.black_holes.add("s")
    source.kill()
    network.run()
    source.start()
    queue_on(source).publish("q", b"new life")
    network.black_holes.clear()
    network.advance(5.0)
    assert "another one of that name" in lines(copy)[-1]
    assert copy.bodies("q") == [b"0", b"1", b"2"], "a copy of what was lost is not thrown away"


# -- a cluster is copied ---------------------------------------------------------------------


def copied_cluster() -> tuple[Network, list[Host], Host, ClientSession]:
    network, members = running("a", "b", "c")
    copy = standalone(network, "d", 9)
    producer = queue_on(members[0])
    queue_on(copy)
    assert replicate(copy, "a,b,c") == ""
    network.run()
    return network, members, copy, producer


def test_a_failover_of_the_source_loses_and_doubles_nothing() -> None:
    network, members, copy, producer = copied_cluster()
    bodies = [b"%d" % number for number in range(10)]
    for body in bodies[:6]:
        producer.publish("q", body)
    consume(members[0], 1)
    network.advance(0.1)
    members[0].kill()
    network.run()
    assert state_of(copy) == "connecting"
    assert promote(members[1]) == ""
    network.advance(6.0)
    producer = queue_on(members[1])
    for body in bodies[6:]:
        assert producer.publish("q", body) in producer.completed
    consume(members[1], 1)
    network.run()
    assert copy.bodies("q") == bodies[2:] == members[1].bodies("q")
    assert state_of(copy) == "in-sync"


def test_what_nobody_confirmed_is_not_in_the_copy_under_an_id_that_comes_again() -> None:
    """The message that only the dead primary had, and the one that got its position afterwards."""
    network, members, copy, producer = copied_cluster()
    producer.publish("q", b"safe")
    for backup in members[1:]:
        backup.freeze()
    unsafe = producer.publish("q", b"unsafe")
    assert unsafe not in producer.completed
    assert copy.bodies("q") == [b"safe"]
    for backup in members[1:]:
        backup.cut_off()
    members[0].kill()
    for backup in members[1:]:
        backup.thaw()
    network.run()
    assert promote(members[1]) == ""
    network.advance(6.0)
    queue_on(members[1]).publish("q", b"instead")
    network.run()
    assert copy.bodies("q") == members[1].bodies("q") == [b"safe", b"instead"]


def test_a_promotion_by_force_mixes_up_no_messages() -> None:
    """The copy has more than the broker that is left: it drops what is gone and gets what comes."""
    network, members, copy, producer = copied_cluster()
    producer.publish("q", b"kept")
    network.advance(0.1)
    members[1].kill()
    members[2].freeze()
    network.advance(13.0)
    for body in (b"lost", b"lost too"):
        assert producer.publish("q", body) in producer.completed
    assert copy.bodies("q") == [b"kept", b"lost", b"lost too"]
    members[2].cut_off()
    members[0].kill()
    members[2].thaw()
    network.advance(1.0)
    assert ask(members[2], "promote", force=True) == ""
    network.advance(6.0)
    queue_on(members[2]).publish("q", b"new")
    network.advance(1.0)
    assert members[2].bodies("q") == [b"kept", b"new"]
    assert copy.bodies("q") == [b"kept", b"new"]


# -- a cluster has the copy ------------------------------------------------------------------


def copying_cluster(**arguments: object) -> tuple[Network, Host, list[Host], ClientSession]:
    network, members = running("a", "b", "c")
    source = standalone(network, "s", 9)
    producer = queue_on(source)
    producer.publish("q", b"0")
    queue_on(members[0], arguments=arguments)
    network.advance(0.1)
    assert replicate(members[0], "s") == ""
    network.advance(0.1)
    return network, source, members, producer


def test_a_new_primary_goes_on_copying() -> None:
    network, source, members, producer = copying_cluster()
    queue_on(members[0]).publish("q", b"local")
    for body in (b"1", b"2"):
        producer.publish("q", body)
    consume(source, 1)
    network.advance(0.1)
    members[0].kill()
    network.run()
    producer.publish("q", b"3")
    assert promote(members[1]) == ""
    network.advance(6.0)
    assert members[1].bodies("q") == [b"local", b"1", b"2", b"3"]
    assert state_of(members[1]) == "in-sync"
    assert producer.publish("q", b"4") in producer.completed
    consume(source, 1)
    network.advance(0.1)
    assert members[1].bodies("q") == members[2].bodies("q") == [b"local", b"2", b"3", b"4"]


def test_a_new_primary_does_not_go_on_with_what_was_ended() -> None:
    network, _, members, _ = copying_cluster()
    assert unreplicate(members[0]) == ""
    network.advance(0.1)
    members[0].kill()
    assert promote(members[1]) == ""
    network.advance(6.0)
    assert seen(members[1], "replicas") == []


def test_a_queue_without_replicated_messages_is_copied_anew() -> None:
    network, _, members, producer = copying_cluster(**{"qpid.replicate": "configuration"})
    producer.publish("q", b"1")
    assert members[0].bodies("q") == [b"0", b"1"]
    members[0].kill()
    assert promote(members[1]) == ""
    network.advance(6.0)
    assert members[1].bodies("q") == [b"0", b"1"]


def test_a_chain_of_clusters() -> None:
    """A cluster copies from a broker and is itself copied; its primary fails."""
    network, _, members, producer = copying_cluster()
    end = standalone(network, "e", 10)
    queue_on(end)
    assert replicate(end, "a,b,c") == ""
    network.run()
    assert producer.publish("q", b"1") in producer.completed
    assert end.bodies("q") == [b"0", b"1"]
    members[0].kill()
    assert promote(members[1]) == ""
    network.advance(6.0)
    assert producer.publish("q", b"2") in producer.completed
    network.run()
    assert end.bodies("q") == [b"0", b"1", b"2"]


# -- cuts ------------------------------------------------------------------------------------


def test_a_link_that_is_cut_after_any_number_of_reads() -> None:
    """The same story again and again; each time the link breaks one read later."""
    for point in range(60):
        network = Network()
        source, copy = standalone(network, "s", 1), standalone(network, "d", 2)
        producer = queue_on(source)
        for number in range(4):
            producer.publish("q", b"%d" % number)
        queue_on(copy)
        assert replicate(copy, "s") == ""
        sent = [producer.publish("q", b"%d" % number, pump=False) for number in range(4, 7)]
        producer.client.flush()  # type: ignore[attr-defined]
        for _ in range(point):
            if not network._todo:
                break
            network.step()
        done = not network._todo
        for wire in [w for w in source.wires.values() if isinstance(w.dialler, Host)]:
            wire.cut("cut")
        network.run()
        consume(source, 1)
        network.advance(2.0)
        assert copy.bodies("q") == source.bodies("q"), f"cut after {point} steps"
        assert set(sent) <= producer.completed
        assert state_of(copy) == "in-sync"
        if done:
            return
    pytest.fail("the story has no end")


@pytest.mark.parametrize("seed", range(25))
def test_whatever_happens_the_copy_is_equal_in_the_end(seed: int) -> None:
    """Cuts, failovers on both sides, local and remote traffic, in an order drawn from the seed."""
    dice = random.Random(seed)
    network, sources = running("a", "b", "c")
    copy = standalone(network, "d", 8)
    primary = sources[0]
    producer = queue_on(primary)
    queue_on(copy)
    assert replicate(copy, "a,b,c") == ""
    published = 0
    confirmed: set[bytes] = set()
    alive = list(sources)
    consumed: set[bytes] = set()
    for _ in range(60):
        act = dice.choice(["publish"] * 6 + ["consume"] * 3 + ["cut", "wait", "freeze", "fail"])
        if act == "publish":
            body = b"%d" % published
            published += 1
            number = producer.publish("q", body)
            network.run()
            if number in producer.completed:
                confirmed.add(body)
        elif act == "consume":
            consumed |= {body for body in consume(primary, 1) if body is not None}
        elif act == "cut":
            cut(copy)
        elif act == "wait":
            network.advance(dice.random())
        elif act == "freeze":
            frozen = dice.choice([copy, *alive[1:]])
            frozen.freeze()
            network.advance(dice.random())
            frozen.thaw()
            network.run()
        elif len(alive) > 1 and all(host.status == "ready" for host in alive[1:]):
            alive.pop(0).kill()
            network.run()
            primary = alive[0]
            assert promote(primary) == "", f"seed {seed}"
            network.advance(6.0)
            producer = queue_on(primary)
    network.advance(15.0)
    assert copy.bodies("q") == primary.bodies("q"), f"seed {seed}"
    there = copy.bodies("q")
    assert len(there) == len(set(there)), f"seed {seed}: doubled"
    assert confirmed - consumed <= set(there), f"seed {seed}: lost"
    assert state_of(copy) == "in-sync"


def test_a_stuck_copy_stops_no_producer_for_long() -> None:
    network, source, copy = source_and_copy(1, ha_ack_timeout_s=1.0)
    copy.freeze()
    producer = Guest(source).session()
    sent = producer.publish("q", b"1")
    assert sent not in producer.completed
    network.advance(1.2)
    assert sent in producer.completed
    copy.thaw()
    network.advance(5.0)
    assert copy.bodies("q") == [b"0", b"1"]
    assert state_of(copy) == "in-sync"
    assert Subscriber(source).read() == [b"0", b"1"]
