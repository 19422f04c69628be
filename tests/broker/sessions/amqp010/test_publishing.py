"""Transfers of clients: routed, held, accepted, refused."""

from __future__ import annotations

from session_peer import Client, MiniNode

from tanist.core.message import NEVER
from tanist.wire.amqp010.transfer import encode_transfer


def declared(node: MiniNode, queue: str = "q", **fields: object) -> Client:
    client = Client(node)
    client.attach("setup").do("queue.declare", queue=queue, **fields)
    return client


def test_a_publish_is_completed_only_when_its_record_is_safe() -> None:
    node = MiniNode(hold=True)
    session = Client(node).attach()
    session.do("queue.declare", queue="q")
    node.open_gate()
    session.client.pump()
    first = session.publish("q", b"one")
    second = session.publish("q", b"two")
    assert first not in session.completed
    assert node.broker.queues["q"].count == 2
    node.open_gate(node.index - 1)
    session.client.pump()
    assert first in session.completed
    assert second not in session.completed
    node.open_gate()
    session.client.pump()
    assert second in session.completed


def test_what_is_not_replicated_completes_at_once() -> None:
    node = MiniNode(hold=True)
    session = Client(node).attach()
    session.do("queue.declare", queue="q", arguments={"qpid.replicate": "none"})
    assert session.publish("q") in session.completed
    assert session.publish("nowhere") in session.completed
    assert not node.line


def test_explicit_accept_is_accepted_before_it_completes() -> None:
    node = MiniNode(hold=True)
    session = Client(node).attach()
    session.do("queue.declare", queue="q")
    node.open_gate()
    session.client.pump()
    ids = [session.publish("q", explicit=True, pump=False) for _ in range(3)]
    session.client.pump()
    assert session.accepted == []
    session.order.clear()
    node.open_gate()
    session.client.pump()
    assert session.accepted == [(ids[0], ids[-1])]
    assert session.order == ["message.accept", "completed"]
    assert set(ids) <= session.completed
    unrouted = session.publish("nowhere", explicit=True)
    assert session.accepted[-1] == (unrouted, unrouted)


def test_a_missing_exchange_ends_the_session_only() -> None:
    node = MiniNode()
    client = declared(node)
    bad, good = client.attach("bad"), client.attach("good")
    bad.publish("q", exchange="no such")
    assert bad.exception is not None
    assert bad.exception.number("error_code") == 404
    assert bad.exception.number("class_code") == 4
    assert good.publish("q") in good.completed
    assert node.broker.queues["q"].count == 1


def test_delivery_properties_reach_the_message() -> None:
    node = MiniNode()
    session = declared(node).attach()
    session.publish("q", b"body", priority=7, delivery_mode=2, ttl=2500, redelivered=True)
    session.publish("q")
    first, second = (entry.message for entry in node.broker.queues["q"].entries())
    assert (first.priority, first.durable, first.redelivered) == (7, True, True)
    assert first.expires_at == node.now + 2.5
    assert (second.priority, second.durable, second.redelivered) == (4, False, False)
    assert second.expires_at == NEVER


def test_headers_are_there_for_an_exchange_that_routes_by_them() -> None:
    node = MiniNode()
    session = declared(node).attach()
    session.do(
        "exchange.bind",
        exchange="amq.match",
        queue="q",
        binding_key="k",
        arguments={"x-match": "all", "colour": "red"},
    )
    for colour in ("red", "blue"):
        session.publish(
            "",
            colour.encode(),
            exchange="amq.match",
            properties={"application_headers": {"colour": colour}},
        )
    assert [entry.message.body for entry in node.broker.queues["q"].entries()] == [b"red"]


def test_a_user_id_must_be_the_senders_own() -> None:
    node = MiniNode(auth=True)
    client = declared(node)
    session = client.attach()
    for own in (b"guest", b"guest@QPID", b""):
        session.publish("q", properties={"user_id": own})
    assert session.exception is None
    session.publish("q", properties={"user_id": b"root"})
    assert session.exception is not None
    assert session.exception.number("error_code") == 403
    assert node.broker.queues["q"].count == 3


def test_without_authentication_any_user_id_passes() -> None:
    node = MiniNode()
    session = declared(node).attach()
    session.publish("q", properties={"user_id": b"root"})
    assert session.exception is None


def test_a_header_that_breaks_the_protocol_ends_the_connection() -> None:
    node = MiniNode()
    client = declared(node)
    session = client.attach()
    session.session.send_transfer(encode_transfer("", 1, 0), b"\0\0\0\x63\x04\x01\0\0", b"")
    client.pump()
    assert node.sessions.count == 0
    assert client.connection.closed
    assert node.broker.queues["q"].count == 0


def test_no_local_drops_what_its_own_connection_publishes() -> None:
    node = MiniNode()
    client = declared(node, exclusive=True, arguments={"no-local": True})
    second = client.attach("second")
    other = Client(node).attach()
    for number, session in enumerate([second, other, second]):
        session.publish("q", str(number).encode())
    second.do("tx.select")
    second.publish("q", b"tx")
    second.do("tx.commit")
    assert [entry.message.body for entry in node.broker.queues["q"].entries()] == [b"1"]
