"""queue.declare, delete, purge, query over the wire."""

from __future__ import annotations

import pytest
from session_peer import Client, MiniNode

from tanist.sessions.amqp010.state import STEP_ANSWER_BYTES_MAX


def test_query_tells_the_queue() -> None:
    node = MiniNode()
    session = Client(node).attach()
    session.do(
        "queue.declare",
        queue="q",
        durable=True,
        alternate_exchange="amq.fanout",
        arguments={"qpid.replicate": "all", "mine": 7},
    )
    session.publish("q")
    session.publish("q")
    session.subscribe("q", credit=1)
    result = session.ask("queue.query", queue="q")
    assert result.text("queue") == "q"
    assert result.text("alternate_exchange") == "amq.fanout"
    assert result.flag("durable")
    assert not result.flag("exclusive")
    assert result.map("arguments")["mine"] == 7
    assert result.map("arguments")["qpid.replicate"] == "all"
    assert "qpid.ha-uuid" in result.map("arguments")
    assert result.number("message_count") == 1
    assert result.number("subscriber_count") == 1


def test_an_unknown_queue_is_an_answer_without_fields() -> None:
    session = Client(MiniNode()).attach()
    result = session.ask("queue.query", queue="none")
    assert not result.fields
    assert session.exception is None


def test_a_result_comes_before_its_completion() -> None:
    session = Client(MiniNode()).attach()
    session.order.clear()
    session.do("queue.query", queue="none")
    assert session.order == ["result", "completed"]


def test_declare_is_confirmed_when_its_record_is_safe() -> None:
    node = MiniNode(hold=True)
    session = Client(node).attach()
    command_id = session.do("queue.declare", queue="q")
    assert "q" in node.broker.queues
    assert command_id not in session.completed
    node.open_gate()
    session.client.pump()
    assert command_id in session.completed
    assert session.do("queue.declare", queue="q", passive=True) in session.completed


AGAIN: list[tuple[str, dict[str, object]]] = [
    ("queue.declare", {"queue": "q"}),
    ("queue.declare", {"queue": "q", "passive": True}),
    ("queue.purge", {"queue": "q"}),
    ("exchange.declare", {"exchange": "e", "type": "fanout"}),
    ("exchange.declare", {"exchange": "e", "passive": True}),
    ("exchange.bind", {"queue": "q", "exchange": "e", "binding_key": "k"}),
]


@pytest.mark.parametrize(("command", "fields"), AGAIN)
def test_what_is_already_so_is_not_confirmed_before_it_is_safe(
    command: str, fields: dict[str, object]
) -> None:
    node = MiniNode(hold=True)
    first, second = Client(node).attach(), Client(node).attach()
    declared = first.do("queue.declare", queue="q")
    first.do("exchange.declare", exchange="e", type="fanout")
    first.do("exchange.bind", queue="q", exchange="e", binding_key="k")
    records = node.index
    again = second.do(command, **fields)
    assert second.exception is None
    assert node.index == records, "it changed nothing"
    assert again not in second.completed, "the queue may be lost with this broker"
    node.open_gate(records - 1)
    second.client.pump()
    first.client.pump()
    assert declared in first.completed
    assert again not in second.completed
    node.open_gate()
    second.client.pump()
    assert again in second.completed


def test_questions_are_answered_at_once() -> None:
    node = MiniNode(hold=True)
    session = Client(node).attach()
    session.do("queue.declare", queue="q")
    assert session.do("queue.query", queue="q") in session.completed


def test_one_step_does_not_answer_without_end() -> None:
    session = Client(MiniNode()).attach()
    session.do("queue.declare", queue="q", arguments={"long": "x" * 60_000})
    enough = STEP_ANSWER_BYTES_MAX // 60_000
    for _ in range(enough):
        session.tell("queue.query", queue="q")
    session.client.pump()
    assert session.exception is None
    assert len(session.results) == enough
    for _ in range(enough + 2):
        session.tell("queue.query", queue="q")
    session.client.pump()
    assert session.exception is not None
    assert "too many long answers" in session.exception.text("description")
    assert session.exception.number("error_code") == 506


@pytest.mark.parametrize(
    ("command", "fields", "code"),
    [
        ("declare", {"queue": "none", "passive": True}, 404),
        ("declare", {"queue": ""}, 531),
        ("declare", {"queue": "locked", "exclusive": True}, 405),
        ("delete", {"queue": "none"}, 404),
        ("delete", {"queue": "full", "if_empty": True}, 406),
        ("purge", {"queue": "none"}, 404),
    ],
)
def test_mistakes_end_the_session(command: str, fields: dict[str, object], code: int) -> None:
    node = MiniNode()
    owner = Client(node).attach()
    owner.do("queue.declare", queue="locked", exclusive=True)
    owner.do("queue.declare", queue="full")
    owner.publish("full")
    session = Client(node).attach("t")
    session.do(f"queue.{command}", **fields)
    assert session.exception is not None
    assert session.exception.number("error_code") == code
    assert session.exception.number("class_code") == 8


def test_purge_and_delete() -> None:
    node = MiniNode()
    session = Client(node).attach()
    session.do("queue.declare", queue="q")
    session.publish("q")
    session.do("queue.purge", queue="q")
    assert node.broker.queues["q"].count == 0
    session.do("queue.delete", queue="q", if_empty=True, if_unused=True)
    assert "q" not in node.broker.queues
