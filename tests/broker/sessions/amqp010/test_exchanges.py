"""exchange.declare, delete, query, bind, unbind, bound over the wire."""

from __future__ import annotations

import pytest
from session_peer import Client, ClientSession, MiniNode


@pytest.fixture(name="session")
def a_session() -> ClientSession:
    session = Client(MiniNode()).attach()
    session.do("queue.declare", queue="q")
    session.do("exchange.declare", exchange="x", type="topic", arguments={"mine": 1})
    return session


def test_query_tells_type_and_arguments(session: ClientSession) -> None:
    result = session.ask("exchange.query", name="x")
    assert result.text("type") == "topic"
    assert result.map("arguments")["mine"] == 1
    assert not result.flag("not_found")
    missing = session.ask("exchange.query", name="none")
    assert missing.flag("not_found")
    assert missing.text("type", "absent") == ""
    assert session.ask("exchange.query", name="amq.failover").text("type") == "amq.failover"


def test_bind_route_unbind(session: ClientSession) -> None:
    queue = session.client.node.broker.queues["q"]
    session.do("exchange.bind", exchange="x", queue="q", binding_key="a.#")
    session.publish("a.b", exchange="x")
    assert queue.count == 1
    session.do("exchange.unbind", exchange="x", queue="q", binding_key="a.#")
    session.publish("a.b", exchange="x")
    assert queue.count == 1
    session.do("exchange.delete", exchange="x")
    assert "x" not in session.client.node.broker.exchanges


@pytest.mark.parametrize(
    ("fields", "flags"),
    [
        ({"exchange": "q", "queue": "q"}, {"exchange_not_found"}),
        ({"exchange": "x", "queue": "x"}, {"queue_not_found"}),
        ({"exchange": "n", "queue": "n"}, {"exchange_not_found", "queue_not_found"}),
        ({"exchange": "x", "queue": "q"}, {"queue_not_matched"}),
    ],
)
def test_bound_tells_how_clients_resolve_names(
    session: ClientSession, fields: dict[str, object], flags: set[str]
) -> None:
    result = session.ask("exchange.bound", **fields)
    assert set(result.fields) == flags


def test_binding_to_the_failover_exchange_sends_the_urls(session: ClientSession) -> None:
    session.do("exchange.declare", exchange="amq.failover", type="amq.failover", passive=True)
    session.do("queue.declare", queue="u", exclusive=True, auto_delete=True)
    session.subscribe("u", accept=1)
    session.do("exchange.bind", exchange="amq.failover", queue="u", binding_key="")
    (message,) = session.messages
    assert message.properties.routing_key == "amq.failover"
    assert b"amqp:tcp:127.0.0.1:7202" in message.header


@pytest.mark.parametrize(
    ("command", "fields", "code"),
    [
        ("declare", {"exchange": "none", "passive": True}, 404),
        ("declare", {"exchange": "y", "type": "no such type"}, 404),
        ("declare", {"exchange": "x", "type": "direct"}, 530),
        ("delete", {"exchange": "none"}, 404),
        ("delete", {"exchange": "amq.topic"}, 530),
        ("bind", {"exchange": "none", "queue": "q"}, 404),
        ("bind", {"exchange": "x", "queue": "none"}, 404),
        ("bind", {"exchange": "amq.match", "queue": "q", "binding_key": "k"}, 541),
        ("unbind", {"exchange": "none", "queue": "q"}, 404),
    ],
)
def test_mistakes_end_the_session(
    session: ClientSession, command: str, fields: dict[str, object], code: int
) -> None:
    session.do(f"exchange.{command}", **fields)
    assert session.exception is not None
    assert session.exception.number("error_code") == code
    assert session.exception.number("class_code") == 7


def test_an_auto_delete_exchange_goes_with_its_last_binding(session: ClientSession) -> None:
    exchanges = session.client.node.broker.exchanges
    session.do("exchange.declare", exchange="y", type="fanout", auto_delete=True)
    session.do("exchange.bind", exchange="y", queue="q")
    assert "y" in exchanges
    session.do("exchange.unbind", exchange="y", queue="q")
    assert "y" not in exchanges


@pytest.mark.parametrize("command", ["bind", "unbind"])
def test_a_queue_exclusive_to_another_session_is_locked(
    session: ClientSession, command: str
) -> None:
    session.do("queue.declare", queue="mine", exclusive=True)
    session.do("exchange.bind", exchange="x", queue="mine", binding_key="k")
    other = session.client.attach("other")
    other.do(f"exchange.{command}", exchange="x", queue="mine", binding_key="k")
    assert other.exception is not None
    assert other.exception.number("error_code") == 405
    assert session.exception is None
