"""The node as one function: bytes in, bytes out, timers, orders, and its end."""

from __future__ import annotations

import gc
import sys

import pytest

from tanist.node.config import NodeConfig
from tanist.node.inputs import Connected, Disconnected, Received, Started, Tick, Writable
from tanist.node.node import SCAN_INTERVAL_S, Node
from tanist.node.outputs import Arm, Close, Send
from tanist.types import BrokerError
from tanist.wire.amqp010.events import Failed
from tanist.wire.amqp10.composites import Modified
from tanist.wire.amqp10.sections import (
    MESSAGE_ANNOTATIONS,
    encode_data,
    encode_map_section,
    split_message,
)
from tests.broker.node.guest10 import Guest10
from tests.broker.node.network import WALL_S, Admin, Guest, Host, Network, cluster, promote, running


def alone(**config: object) -> Host:
    """A broker without a cluster."""
    return Host(Network(), "a", 1, ha_cluster=False, **config)


def test_publish_and_consume() -> None:
    host = alone()
    producer, consumer = Guest(host).session(), Guest(host).session()
    declared = producer.do("queue.declare", queue="q")
    sent = producer.publish("q", b"hello", explicit=True)
    assert {declared, sent} <= producer.completed
    assert producer.accepted == [(sent, sent)]
    consumer.subscribe("q")
    (message,) = consumer.messages
    assert message.body == b"hello"
    assert not message.redelivered
    consumer.do("message.accept", transfers=[(message.id, message.id)])
    assert host.node.broker.queues["q"].count == 0


def delayed(ms: int) -> bytes:
    """Sections before the body of a message that is to come so much later."""
    return encode_map_section(MESSAGE_ANNOTATIONS, {"x-opt-delivery-delay": ms})


def test_a_delayed_message_comes_when_it_is_due_and_not_with_the_next_beat() -> None:
    host = alone()
    guest = Guest10(host)
    Guest(host).session().do("queue.declare", queue="q")
    session = guest.session()
    guest.receiver(session, "q", 10)
    link = guest.sender(session, "q")
    link.send(b"1", encode_data(b"later"), prefix=delayed(1234))
    guest.pump()
    assert guest.settled() == [(0, 0, "Accepted")]
    host.network.advance(1.2339)
    assert guest.deliveries == []
    host.network.advance(0.0002)
    (delivery,) = guest.deliveries
    assert delivery.payload.endswith(encode_data(b"later"))


def test_a_delayed_message_comes_when_it_is_due_after_a_failover() -> None:
    network, (a, b) = running("a", "b")
    guest = Guest10(a)
    Guest(a).session().do("queue.declare", queue="q")
    link = guest.sender(guest.session(), "q")
    for number, ms in enumerate((9000, 3000)):
        link.send(b"%d" % number, encode_data(b"%d" % number), prefix=delayed(ms))
    guest.pump()
    network.advance(1.0)
    a.kill()
    network.advance(1.0)
    assert promote(b) == ""
    consumer = Guest(b).session()
    consumer.subscribe("q")
    network.advance(0.99)
    assert consumer.messages == []
    network.advance(0.02)
    assert [message.body for message in consumer.messages] == [b"1"]
    network.advance(5.9)
    assert len(consumer.messages) == 1
    network.advance(0.1)
    assert [message.body for message in consumer.messages] == [b"1", b"0"]


def test_annotations_that_an_outcome_added_are_there_after_a_failover() -> None:
    network, (a, b) = running("a", "b")
    guest = Guest10(a)
    Guest(a).session().do("queue.declare", queue="q")
    session = guest.session()
    guest.send(guest.sender(session, "q"), b"tried")
    guest.receiver(session, "q", 1)
    network.advance(0.1)
    number = guest.deliveries[0].id
    session.settle(number, number, Modified(True, None, {"why": "no disk"}))
    guest.pump()
    network.advance(0.1)
    a.kill()
    network.advance(1.0)
    assert promote(b) == ""
    successor = Guest10(b)
    successor.receiver(successor.session(), "q", 1)
    (delivery,) = successor.deliveries
    assert split_message(delivery.payload).read_message_annotations() == {"why": "no disk"}


def test_headers_exchanges_see_the_headers_of_a_message() -> None:
    session = Guest(alone()).session()
    session.do("queue.declare", queue="q")
    session.do(
        "exchange.bind",
        queue="q",
        exchange="amq.match",
        binding_key="k",
        arguments={"x-match": "all", "colour": "red"},
    )
    for colour in ("red", "blue"):
        session.publish(
            "", b"x", exchange="amq.match", properties={"application_headers": {"colour": colour}}
        )
    assert session.ask("queue.query", queue="q").number("message_count") == 1


def test_selectors_see_headers_and_when_a_message_expires() -> None:
    session = Guest(alone()).session()
    session.do("queue.declare", queue="q")
    for number in range(3):
        session.publish(
            "q",
            b"%d" % number,
            properties={"application_headers": {"n": number}},
            ttl=number * 1_000_000,
        )
    expires_ms = int((WALL_S + 1000.0 + 1500) * 1000)
    arguments = {"x-apache-selector": f"n > 0 AND JMSExpiration < {expires_ms}"}
    session.subscribe("q", "soon", arguments=arguments)
    assert session.bodies == [b"1"]
    arguments = {"x-apache-selector": f"JMSExpiration = 0 OR JMSExpiration > {expires_ms}"}
    session.subscribe("q", "late", arguments=arguments)
    assert session.bodies == [b"1", b"0", b"2"]


def test_a_bad_configuration_is_refused() -> None:
    with pytest.raises(BrokerError, match="boot id"):
        Node(NodeConfig(system_id=alone().system_id, boot_id=b"short"))


def test_ids_differ_between_brokers_and_starts() -> None:
    host, other = alone(), Host(Network(), "b", 2)
    first = host.node.agent.name
    host.start()
    assert len({first, host.node.agent.name, other.node.agent.name}) == 3


def test_the_impossible_stops_the_broker_with_one_line() -> None:
    host = Host(Network(), "a", 1)
    host.take(lambda: Started(host.network.now, 0.0))
    assert host.stop_reasons == [
        "Shutting down: Illegal state transition from joining: "
        "the broker was configured as a member of a cluster"
    ]


# -- connections ---------------------------------------------------------------------------


def test_a_polite_end() -> None:
    host = alone()
    guest = Guest(host)
    host.outputs.clear()
    guest.connection.close(200, "bye")
    guest.pump()
    sent, closed = [o for o in host.outputs if isinstance(o, (Send, Close))]
    assert isinstance(sent, Send), "close-ok leaves first"
    assert isinstance(closed, Close)
    assert not closed.abort
    assert guest.dropped


def test_broken_bytes_end_with_a_close_and_a_log_line() -> None:
    host = alone()
    guest = Guest(host)
    guest.wire.send(0, b"\xff" * 64)
    guest.pump()
    assert guest.dropped
    assert len([line for line in host.log if line.startswith("client:1:")]) == 1


def test_a_stranger_is_told_which_protocol_we_speak() -> None:
    host = alone()
    host.take(lambda: Connected(host.network.now, 9, "browser:1", "a:1"))
    host.outputs.clear()
    host.take(lambda: Received(host.network.now, 9, b"GET / HTTP/1.1\r\n\r\n"))
    sent, closed = [output for output in host.outputs if isinstance(output, (Send, Close))]
    assert isinstance(sent, Send)
    assert sent.data == b"AMQP\1\1\0\x0a"
    assert isinstance(closed, Close)


def test_a_client_with_heartbeats_that_falls_silent_is_dropped() -> None:
    host = alone()
    guest = Guest(host, heartbeat_s=2)
    host.network.advance(3.9)
    assert not guest.dropped
    host.network.advance(0.4)
    assert guest.dropped
    assert len([line for line in host.log if "client:1" in line]) == 1


def test_heartbeats_are_sent_in_time() -> None:
    host = alone()
    guest = Guest(host, heartbeat_s=1)
    host.outputs.clear()
    host.network.advance(1.2)
    assert [o.conn for o in host.outputs if isinstance(o, Send)] == [guest.wire.accepted]
    assert not any(isinstance(event, Failed) for event in guest.events)


def test_what_a_gone_client_held_is_there_again() -> None:
    host = alone()
    session = Guest(host).session()
    session.do("queue.declare", queue="q")
    session.publish("q", b"one")
    first, second = Guest(host), Guest(host).session()
    taker = first.session()
    taker.subscribe("q")
    assert len(taker.messages) == 1
    first.hang_up()
    second.subscribe("q")
    assert [message.redelivered for message in second.messages] == [True]


def test_inputs_of_forgotten_connections_change_nothing() -> None:
    host = alone()
    host.network.run()
    host.outputs.clear()
    now = host.network.now
    for happened in (
        Received(now, 77, b"x"),
        Disconnected(now, 77, "gone"),
        Writable(now, 77, True),
        Disconnected(now, -77, "gone"),
    ):
        host.take(lambda happened=happened: happened)
    assert host.outputs == []


def test_a_full_buffer_pauses_deliveries() -> None:
    host = alone()
    guest = Guest(host)
    consumer, producer = guest.session(), Guest(host).session()
    producer.do("queue.declare", queue="q")
    consumer.subscribe("q")
    host.writable(guest.wire, False)
    producer.publish("q", b"one")
    assert consumer.messages == []
    host.writable(guest.wire, True)
    assert consumer.bodies == [b"one"]


def test_more_than_one_step_can_take_is_spread_over_steps() -> None:
    host = alone()
    guest = Guest(host)
    producer = Guest(host).session()
    producer.do("queue.declare", queue="q")
    for _ in range(200):
        producer.publish("q", b"x" * 10_000)
    consumer = guest.session()
    host.outputs.clear()
    consumer.subscribe("q")
    assert len(consumer.messages) == 200
    sends = [o for o in host.outputs if isinstance(o, Send) and o.conn == guest.wire.accepted]
    assert max(len(send.data) for send in sends) < 1_000_000
    assert len(sends) >= 3


def test_a_connection_that_does_not_open_in_time_is_dropped() -> None:
    host = alone(max_negotiate_time_s=3.0)
    guest = Guest(host)
    begin = host.network.now
    for conn in (50, 51):
        host.take(lambda conn=conn: Connected(begin, conn, f"slow:{conn}", "a:1"))
    host.take(lambda: Received(begin, 51, b"AMQP\1\1\0\x0a"))

    def closed() -> list[tuple[int, bool]]:
        return [(o.conn, o.abort) for o in host.outputs if isinstance(o, Close)]

    host.network.advance(2.9)
    assert closed() == []
    host.network.advance(0.4)
    assert closed() == [(50, True), (51, True)]
    host.take(lambda: Received(host.network.now, 50, b"AMQP\1\1\0\x0a"))
    host.network.advance(10.0)
    assert closed() == [(50, True), (51, True)], "who is in stays"
    assert not guest.dropped


# -- time ----------------------------------------------------------------------------------


def test_the_timer_is_armed_once_for_the_next_look() -> None:
    host = alone()
    host.network.run()
    arms = [output.at for output in host.outputs if isinstance(output, Arm)]
    assert arms == [pytest.approx(1000.0 + SCAN_INTERVAL_S)]
    host.outputs.clear()
    Guest(host)
    assert not [output for output in host.outputs if isinstance(output, Arm)]


def test_a_tick_too_early_is_harmless() -> None:
    host = alone()
    guest = Guest(host)
    host.outputs.clear()
    host.take(lambda: Tick(host.network.now))
    assert [type(output) for output in host.outputs] == [Arm]
    assert not guest.dropped


def test_a_queue_whose_time_came_is_deleted() -> None:
    host = alone()
    session = Guest(host).session()
    arguments = {"qpid.auto_delete_timeout": 2}
    session.do("queue.declare", queue="q", auto_delete=True, arguments=arguments)
    session.subscribe("q")
    session.do("message.cancel", destination="d")
    host.network.advance(1.9)
    assert "q" in host.node.broker.queues
    host.network.advance(0.3)
    assert "q" not in host.node.broker.queues


def test_expired_messages_are_swept_out_also_in_many_steps() -> None:
    host = alone(queue_purge_interval_s=1.0)
    session = Guest(host).session()
    session.do("queue.declare", queue="q")
    for _ in range(2500):
        session.publish("q", b"", ttl=100, pump=False)
    session.client.pump()
    assert host.node.broker.queues["q"].count == 2500
    host.network.advance(1.5)
    assert host.node.broker.queues["q"].count == 0


def test_a_broker_with_queue_replication_only_serves_like_any_other() -> None:
    host = alone(ha_queue_replication=True, queue_purge_interval_s=1.0)
    session = Guest(host).session()
    arguments = {"qpid.replicate": "all"}
    assert session.do("queue.declare", queue="q", arguments=arguments) in session.completed
    session.publish("q", b"x", ttl=100)
    session.publish("q", b"y")
    host.network.advance(1.5)
    assert host.bodies("q") == [b"y"]
    found = Admin(host).ha_broker()
    assert found is not None
    assert found["status"] == "standalone"


# -- confirmations and connections ---------------------------------------------------------


def test_gone_sessions_confirm_nothing_and_break_nothing() -> None:
    network, (a, b) = running("a", "b")
    guest = Guest(a)
    client = guest.session()
    client.do("queue.declare", queue="q")
    b.freeze()
    client.publish("q", b"one")
    guest.hang_up()
    b.thaw()
    network.advance(1.0)
    assert b.bodies("q") == [b"one"]
    assert a.node.gate.waiting == 0


def test_one_send_per_connection_and_step() -> None:
    _, (a, _b) = running("a", "b")
    client = Guest(a).session()
    client.do("queue.declare", queue="q")
    a.outputs.clear()
    for number in range(5):
        client.publish("q", bytes([number]), pump=False)
    client.client.flush()  # type: ignore[attr-defined]
    a.network.step()
    sends = [output.conn for output in a.outputs if isinstance(output, Send)]
    assert len(sends) == len(set(sends)) == 1, "one batch to the backup, nothing to the client yet"


@pytest.mark.parametrize("end", ["delete the queue", "close the connection", "accept", "purge"])
def test_what_is_over_is_freed_without_the_collector(end: str) -> None:
    """Compiled, the collector does not look at messages: nothing may hold them in a cycle."""
    gc.collect()
    gc.disable()
    try:
        _, (host,) = running("a")
        producer, consumer = Guest(host).session(), Guest(host).session()
        producer.do("queue.declare", queue="q")
        for number in range(600):
            producer.publish("q", b"body %d" % number)
        consumer.subscribe("q", credit=300)
        bodies = [entry.message.body for entry in host.node.broker.queues["q"].entries()]
        held = [sys.getrefcount(body) for body in bodies]
        if end == "accept":
            ids = [message.id for message in consumer.messages]
            consumer.do("message.accept", transfers=[(ids[0], ids[-1])])
            bodies, held = bodies[:300], held[:300]
        elif end == "purge":
            producer.do("queue.purge", queue="q")
            bodies, held = bodies[300:], held[300:]
        elif end == "close the connection":
            producer.do("queue.delete", queue="q")
            consumer.client.hang_up()
        else:
            consumer.client.hang_up()
            producer.do("queue.delete", queue="q")
        host.node.cluster.log.restart(host.node.cluster.log.index)
        after = [sys.getrefcount(body) for body in bodies]
    finally:
        gc.enable()
    assert min(held) > max(after)


def test_a_primary_that_was_stopped_does_not_drop_who_answered_meanwhile() -> None:
    network, (a, b) = cluster("a", "b", ha_ack_timeout_s=3.0, link_heartbeat_interval_s=120)
    assert promote(a) == ""
    network.advance(2.0)
    session = Guest(a).session()
    b.freeze()
    declared = session.do("queue.declare", queue="q")
    a.freeze()
    b.thaw()
    network.advance(10.0)
    a._missed.insert(0, lambda: Tick(network.now))  # what is due, before what was not read
    a.thaw()
    network.advance(0.2)
    assert declared in session.completed
    assert a.members() == {1: 4, 2: 2}
    assert any("This broker stood still for 10." in line for line in a.log)
    assert not any("not in sync" in line for line in a.log)
