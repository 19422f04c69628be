"""Confirmations that wait for copies: alone, beside the gate, and no longer than they must."""

from __future__ import annotations

from tanist.node.inputs import Disconnected
from tests.broker.node.copying import Subscriber, queue_on, seen, standalone
from tests.broker.node.network import Guest, Host, Network, promote, running
from tests.broker.sessions.session_peer import ClientSession


def followed(**config: object) -> tuple[Network, Host, ClientSession, Subscriber]:
    """A broker with a queue that somebody copies, and a producer."""
    network = Network()
    host = standalone(network, "s", 1, **config)
    producer = queue_on(host)
    return network, host, producer, Subscriber(host)


def warnings(host: Host) -> list[str]:
    return [text for level, _, text in host.lines if level == "warning"]


# -- alone -----------------------------------------------------------------------------------


def test_a_confirmation_waits_until_the_copy_has_the_message() -> None:
    _, host, producer, copy = followed()
    sent = producer.publish("q", b"1", explicit=True)
    assert sent not in producer.completed
    assert producer.accepted == []
    assert copy.read() == [b"1"]
    copy.accept()
    assert sent in producer.completed
    assert producer.accepted == [(sent, sent)]
    assert host.node.broker.following.followers[0].guarded == {}


def test_a_sync_waits_for_what_came_before_it() -> None:
    _, _, producer, copy = followed()
    sent = producer.publish("q", b"1")
    synced = producer.do("execution.sync")
    assert not {sent, synced} & producer.completed
    copy.accept()
    assert {sent, synced} <= producer.completed


def test_a_session_may_do_other_things_meanwhile() -> None:
    _, _, producer, _ = followed()
    sent = producer.publish("q", b"1")
    assert producer.do("queue.declare", queue="other") in producer.completed
    assert producer.publish("other", b"2") in producer.completed
    assert sent not in producer.completed


def test_nobody_else_waits() -> None:
    _, host, producer, _ = followed()
    producer.publish("q", b"1")
    other = queue_on(host, "other")
    assert other.publish("other", b"x") in other.completed
    consumer = Guest(host).session()
    consumer.subscribe("q")
    accepted = consumer.do("message.accept", transfers=[(0, 0)])
    assert accepted in consumer.completed


def test_a_transaction_waits_for_all_its_messages() -> None:
    _, _, producer, copy = followed()
    producer.do("tx.select")
    producer.publish("q", b"1")
    producer.publish("q", b"2")
    committed = producer.do("tx.commit")
    copy.read()
    copy.accept(1)
    assert committed not in producer.completed
    copy.accept(2)
    assert committed in producer.completed


def test_consuming_the_message_ends_the_wait() -> None:
    _, host, producer, copy = followed()
    sent = producer.publish("q", b"1")
    consumer = Guest(host).session()
    consumer.subscribe("q")
    assert sent not in producer.completed
    consumer.do("message.accept", transfers=[(0, 0)])
    assert sent in producer.completed
    assert copy.read() == [b"1"]
    assert copy.gone == [[(1, 1)]]


def test_a_message_that_is_settled_by_its_delivery_is_confirmed_at_once() -> None:
    _, host, producer, _ = followed()
    consumer = Guest(host).session()
    consumer.subscribe("q", accept=1)
    sent = producer.publish("q", b"1")
    assert consumer.bodies == [b"1"]
    assert sent in producer.completed


def test_every_end_of_the_copy_ends_the_wait() -> None:
    def hang_up(copy: Subscriber) -> None:
        copy.guest.hang_up()

    def cancel(copy: Subscriber) -> None:
        copy.session.do("message.cancel", destination="f")

    def detach(copy: Subscriber) -> None:
        copy.session.session.detach()
        copy.guest.pump()

    for end in (hang_up, cancel, detach):
        _, host, producer, copy = followed()
        sent = producer.publish("q", b"1")
        assert sent not in producer.completed
        end(copy)
        assert sent in producer.completed
        assert seen(host, "followers") == []
        assert warnings(host) == []
        assert producer.publish("q", b"2") in producer.completed


def test_deleting_the_queue_ends_the_wait() -> None:
    _, host, producer, _ = followed()
    sent = producer.publish("q", b"1")
    Guest(host).session().do("queue.delete", queue="q")
    assert sent in producer.completed


def test_a_producer_that_is_gone_leaves_nothing_behind() -> None:
    _, host, producer, copy = followed()
    producer.publish("q", b"1")
    producer.client.hang_up()  # type: ignore[attr-defined]
    copy.accept()
    assert host.node._followers._waiting == {}
    assert host.bodies("q") == [b"1"]


def test_two_copies_must_both_have_it() -> None:
    _, host, producer, first = followed()
    second = Subscriber(host)
    sent = producer.publish("q", b"1")
    first.accept()
    assert sent not in producer.completed
    second.accept()
    assert sent in producer.completed


# -- catching up -----------------------------------------------------------------------------


def test_a_copy_that_catches_up_is_not_waited_for() -> None:
    network = Network()
    host = standalone(network, "s", 1)
    producer = queue_on(host)
    for _ in range(5):
        producer.publish("q", b"old")
    copy = Subscriber(host, ours=False, credit=4)
    assert producer.publish("q", b"new") in producer.completed
    copy.session.do("message.flow", destination="f", unit=0, value=1000)
    assert len(copy.read()) == 6
    assert producer.publish("q", b"newer") not in producer.completed


# -- a copy that is stuck --------------------------------------------------------------------


def test_a_stuck_copy_is_dropped_from_the_wait_with_one_line() -> None:
    network, host, producer, copy = followed(ha_ack_timeout_s=10.0)
    first = producer.publish("q", b"1")
    network.advance(9.0)
    assert first not in producer.completed
    network.advance(2.0)
    assert first in producer.completed
    assert producer.publish("q", b"2") in producer.completed
    (line,) = warnings(host)
    assert line.startswith("The copy of queue q on broker 00000000-")
    assert "did not acknowledge for 10 s" in line
    (row,) = seen(host, "followers")
    assert (row["state"], row["lag"]) == ("catching-up", 2)
    network.advance(100.0)
    assert len(warnings(host)) == 1
    copy.accept()
    network.advance(0.2)
    assert producer.publish("q", b"3") not in producer.completed, "it is waited for again"
    copy.read()
    assert [standing.waited_for for standing in copy.standings] == [False, True, False, True]


def test_progress_is_enough() -> None:
    network, host, producer, copy = followed(ha_ack_timeout_s=10.0)
    sent = [producer.publish("q", b"%d" % number) for number in range(4)]
    copy.read()
    for number in range(1, 4):
        network.advance(9.0)
        copy.accept(number)
        assert sent[number - 1] in producer.completed
    assert warnings(host) == []
    network.advance(11.0)
    assert set(sent) <= producer.completed


def test_with_a_timeout_of_0_they_wait_for_ever() -> None:
    network, _, producer, _ = followed(ha_ack_timeout_s=0.0)
    sent = producer.publish("q", b"1")
    network.advance(1000.0)
    assert sent not in producer.completed


# -- in a cluster ----------------------------------------------------------------------------


def test_a_primary_waits_for_backups_first_and_then_for_the_copy() -> None:
    network, (primary, backup) = running("a", "b")
    producer = queue_on(primary)
    copy = Subscriber(primary)
    backup.freeze()
    sent = producer.publish("q", b"1")
    assert copy.read() == [], "the next primary would not know it"
    backup.thaw()
    network.run()
    assert copy.read() == [b"1"]
    assert sent not in producer.completed
    copy.accept()
    assert sent in producer.completed


def test_a_copy_begins_with_what_is_confirmed() -> None:
    network, (primary, backup) = running("a", "b")
    producer = queue_on(primary)
    producer.publish("q", b"1")
    backup.freeze()
    producer.publish("q", b"2")
    copy = Subscriber(primary)
    assert copy.read() == []
    backup.thaw()
    network.run()
    assert copy.read() == [b"1", b"2"]


def test_a_dequeue_is_told_when_it_is_confirmed() -> None:
    network, (primary, backup) = running("a", "b")
    producer = queue_on(primary)
    producer.publish("q", b"1")
    copy = Subscriber(primary)
    copy.accept()
    consumer = Guest(primary).session()
    consumer.subscribe("q")
    backup.freeze()
    consumer.do("message.accept", transfers=[(0, 0)])
    copy.read()
    assert copy.gone == []
    backup.thaw()
    network.run()
    copy.read()
    assert copy.gone == [[(1, 1)]]


def test_a_queue_that_is_not_replicated_can_be_copied_from_a_primary() -> None:
    network, (primary, backup) = running("a", "b")
    producer = queue_on(primary, arguments={"qpid.replicate": "none"})
    copy = Subscriber(primary)
    index = primary.node.cluster.log.index
    sent = producer.publish("q", b"1")
    assert copy.read() == [b"1"]
    assert sent not in producer.completed
    copy.accept()
    assert sent in producer.completed
    assert primary.node.cluster.log.index == index
    network.advance(0.2)
    assert "q" not in backup.node.broker.queues


def test_the_wait_for_a_copy_does_not_hold_up_others_at_the_gate() -> None:
    _, (primary, _) = running("a", "b")
    producer = queue_on(primary)
    copy = Subscriber(primary)
    sent = producer.publish("q", b"1")
    other = queue_on(primary, "other")
    assert other.publish("other", b"x") in other.completed
    assert sent not in producer.completed
    copy.accept()
    assert sent in producer.completed


def test_two_primaries_in_a_row_number_alike() -> None:
    """A copy goes on at the new primary with the ids and the lineage of the old one."""
    network, (first, second) = running("a", "b")
    producer = queue_on(first)
    for body in (b"1", b"2", b"3"):
        producer.publish("q", body)
    copy = Subscriber(first)
    assert copy.read() == [b"1", b"2", b"3"]
    lineage = copy.standings[0].lineage.bytes
    network.advance(0.2)
    first.kill()
    network.run()
    assert promote(second) == ""
    network.advance(6.0)
    again = Subscriber(second, ids=[(1, 2)], lineage=lineage)
    assert list(again.messages) == [3]
    assert again.read() == [b"3"]


# -- small things ----------------------------------------------------------------------------


def test_a_step_without_followers_costs_them_nothing() -> None:
    network = Network()
    host = standalone(network, "s", 1)
    producer = queue_on(host)
    producer.publish("q", b"1")
    assert not host.node._followers.active
    assert host.node.broker.journal == []
    host.take(lambda: Disconnected(network.now, -5, "of nobody"))
