"""Deliveries: modes, stamped headers, the share of a step."""

from __future__ import annotations

import pytest
from session_peer import Client, ClientSession, MiniNode

from tanist.core.delivery import READY_EVERY
from tanist.core.message import AMQP_1_0, Message
from tanist.sessions import link
from tanist.sessions.amqp010 import state
from tanist.sessions.amqp010.publishing import TTL_MS_MAX
from tanist.wire.amqp010.transfer import message_properties
from tanist.wire.amqp10.composites import Properties
from tanist.wire.amqp10.encoding import encode_composite
from tanist.wire.amqp10.sections import encode_data


@pytest.fixture(name="node")
def a_node() -> MiniNode:
    return MiniNode()


@pytest.fixture(name="session")
def a_session(node: MiniNode) -> ClientSession:
    session = Client(node).attach()
    session.do("queue.declare", queue="q")
    return session


def test_exchange_is_stamped_and_the_rest_untouched(node: MiniNode, session: ClientSession) -> None:
    session.do("exchange.bind", exchange="amq.direct", queue="q", binding_key="k")
    session.publish("k", b"body", exchange="amq.direct", properties={"content_type": "text/plain"})
    session.subscribe("q", "here")
    (message,) = session.messages
    assert message.destination == "here"
    assert message.properties.exchange == "amq.direct"
    assert message.properties.routing_key == "k"
    assert not message.redelivered
    assert b"text/plain" in message.header
    assert message.body == b"body"


@pytest.mark.parametrize("ttl_ms", [TTL_MS_MAX, TTL_MS_MAX + 1, 2**64 - 1])
def test_a_time_to_live_beyond_all_time_is_none(
    node: MiniNode, session: ClientSession, ttl_ms: int
) -> None:
    session.publish("q", ttl=ttl_ms)
    node.tick(60.0)
    session.subscribe("q")
    (message,) = session.messages
    assert (message.properties.ttl_ms == ttl_ms) == (ttl_ms > TTL_MS_MAX)


def test_no_body_is_not_an_empty_body(session: ClientSession) -> None:
    for body in (None, b"", b"body"):
        session.publish("q", body)
    session.subscribe("q")
    assert session.bodies == [None, b"", b"body"]


def test_large_messages_are_not_written_all_at_once(node: MiniNode, session: ClientSession) -> None:
    body = bytes(300_000)
    for _ in range(20):
        session.publish("q", body)
    end = session.client.end
    assert end.link is not None
    session.subscribe("q", credit=0)
    session.tell("message.flow", destination="d", unit=0, value=0xFFFFFFFF)
    session.tell("message.flush", destination="d")
    node.begin()
    for event in end.connection.receive_data(session.client.connection.data_to_send(), node.now):
        node.sessions.on_event(end.link, event)
    sizes: list[int] = []
    while True:
        more = node.steps.dispatch()
        sizes.append(len(end.connection.data_to_send()))
        if not more:
            break
        node.begin()
    assert len(sizes) > 5
    assert max(sizes) < link.STEP_BYTES_MAX + 2 * len(body)
    assert sum(sizes) > 20 * len(body)


def test_remaining_time_to_live_is_stamped(node: MiniNode, session: ClientSession) -> None:
    session.publish("q", ttl=60000)
    node.tick(0.75)
    session.subscribe("q")
    assert session.messages[0].properties.ttl_ms == 59250


def test_a_producers_redelivered_flag_passes_through(session: ClientSession) -> None:
    session.publish("q", redelivered=True)
    session.subscribe("q")
    assert session.messages[0].redelivered


def test_accept_none_settles_on_delivery(node: MiniNode, session: ClientSession) -> None:
    for _ in range(3):
        session.publish("q")
    records = len(node.records)
    session.subscribe("q", accept=1)
    assert len(session.messages) == 3
    assert node.broker.queues["q"].count == 0
    assert session.messages[0].accept_mode == 1
    dequeues = [r for r in node.records[records:] if type(r).__name__ == "Dequeued"]
    assert len(dequeues) == 1  # one record for the whole dispatch


def test_explicit_accept_keeps_the_entry(node: MiniNode, session: ClientSession) -> None:
    session.publish("q")
    session.subscribe("q")
    assert node.broker.queues["q"].count == 1
    assert node.broker.queues["q"].available == 0


def test_browsing_takes_nothing(node: MiniNode, session: ClientSession) -> None:
    session.publish("q", b"1")
    session.publish("q", b"2")
    session.subscribe("q", "a", accept=1, acquire=1)
    session.subscribe("q", "b", accept=0, acquire=1)
    assert session.bodies == [b"1", b"2"] * 2
    assert node.broker.queues["q"].available == 2
    session.do("message.accept", transfers=[(0, 1000)])
    assert node.broker.queues["q"].available == 2


def test_what_a_browser_may_acquire_is_bounded(session: ClientSession) -> None:
    count = state.BROWSED_MAX + 10
    for _ in range(count):
        session.publish("q", b"", pump=False)
    session.client.pump()
    session.subscribe("q", accept=1, acquire=1)
    assert len(session.messages) == count
    (inside,) = session.client.node.sessions.sessions_of(session.client.end.link)
    assert len(inside.unacked) == state.BROWSED_MAX


def test_one_step_delivers_a_bounded_share(node: MiniNode, session: ClientSession) -> None:
    body = bytes(4 * 1024)
    for _ in range(500):
        session.publish("q", body, pump=False)
    session.client.pump()
    end = session.client.end
    assert end.link is not None
    sent: list[int] = []
    session.tell("message.subscribe", queue="q", destination="d", accept_mode=0, acquire_mode=0)
    session.tell("message.flow", destination="d", unit=0, value=0xFFFFFFFF)
    session.tell("message.flow", destination="d", unit=1, value=0xFFFFFFFF)
    node.begin()
    for event in end.connection.receive_data(session.client.connection.data_to_send(), node.now):
        node.sessions.on_event(end.link, event)
    while True:
        more = node.steps.dispatch()
        sent.append(len(end.connection.data_to_send()))
        if not more:
            break
        node.begin()
    assert len(sent) > 3
    assert max(sent) < link.STEP_BYTES_MAX + READY_EVERY * (len(body) + 200)
    assert sum(sent) > 500 * len(body)


def test_a_full_connection_is_left_alone_until_it_drains(
    node: MiniNode, session: ClientSession
) -> None:
    end = session.client.end
    assert end.link is not None
    session.subscribe("q")
    node.steps.writable(end.link, False)
    session.publish("q")
    assert session.messages == []
    node.begin()
    node.steps.writable(end.link, True)
    node.finish()
    session.client.pump()
    assert len(session.messages) == 1


def test_a_queue_deleted_under_its_consumer_ends_the_session(
    node: MiniNode, session: ClientSession
) -> None:
    other = Client(node).attach()
    session.subscribe("q")
    other.do("queue.delete", queue="q")
    session.client.pump()
    assert session.exception is not None
    assert session.exception.number("error_code") == 408
    assert other.exception is None


def test_a_queue_deleted_under_an_idle_consumer_ends_nothing(session: ClientSession) -> None:
    session.subscribe("q", credit=0)
    session.do("queue.delete", queue="q")
    session.do("message.flow", destination="d", unit=0, value=1)
    session.do("message.flush", destination="d")
    session.do("message.cancel", destination="d")
    assert session.exception is None


def test_a_message_of_amqp_1_0_is_translated(node: MiniNode, session: ClientSession) -> None:
    properties = Properties(subject="s", reply_to="amq.fanout", content_type="text/plain")
    sections = encode_composite(properties) + encode_data(b"body")
    message = Message(b"", sections, "amq.direct", "k", True, 7, node.now + 60, form=AMQP_1_0)
    session.do("exchange.bind", exchange="amq.direct", queue="q", binding_key="k")
    node.broker.publish(message, "amq.direct")
    session.subscribe("q")
    session.do("message.release", transfers=[(0, 0)], set_redelivered=True)
    first, second = session.messages
    for got in (first, second):
        assert (got.properties.exchange, got.properties.routing_key) == ("amq.direct", "k")
        assert (got.properties.priority, got.properties.durable) == (7, True)
        assert got.properties.ttl_ms == 60_000
        assert got.body == b"body"
        fields = message_properties(got.header)
        assert fields is not None
        assert fields.text("content_type") == "text/plain"
        reply_to = fields.struct("reply_to")
        assert reply_to is not None
        assert reply_to.text("exchange") == "amq.fanout", "there is an exchange of that name"
    assert (first.redelivered, second.redelivered) == (False, True)


def test_what_no_1_0_message_is_reaches_the_consumer_as_octets(
    node: MiniNode, session: ClientSession
) -> None:
    """The producer is to blame, not the consumer."""
    for octets in (b"", b"nonsense", b"\x00\x53\x77\xa1\x05sho"):
        node.broker.publish(Message(b"", octets, "", "q", form=AMQP_1_0), "")
    session.subscribe("q")
    assert session.bodies == [None, b"nonsense", b"\x00\x53\x77\xa1\x05sho"]
    assert not session.client.connection.closed
