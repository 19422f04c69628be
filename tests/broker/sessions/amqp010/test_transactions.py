"""tx.select, tx.commit, tx.rollback."""

from __future__ import annotations

import pytest
from session_peer import Client, ClientSession, MiniNode

from tanist.sessions.amqp010 import publishing


@pytest.fixture(name="node")
def a_node() -> MiniNode:
    return MiniNode()


@pytest.fixture(name="session")
def a_session(node: MiniNode) -> ClientSession:
    session = Client(node).attach()
    session.do("queue.declare", queue="q")
    session.do("queue.declare", queue="in")
    session.publish("in", b"job")
    session.do("tx.select")
    return session


def test_nothing_happens_before_commit(node: MiniNode, session: ClientSession) -> None:
    session.subscribe("in")
    published = session.publish("q")
    session.do("message.accept", transfers=[(0, 10)])
    assert published in session.completed
    assert node.broker.queues["q"].count == 0
    assert node.broker.queues["in"].count == 1
    records = len(node.records)
    session.do("tx.commit")
    assert node.broker.queues["q"].count == 1
    assert node.broker.queues["in"].count == 0
    assert len(node.records) == records + 2


def test_commit_completes_when_its_records_are_safe() -> None:
    node = MiniNode(hold=True)
    session = Client(node).attach()
    session.do("queue.declare", queue="q")
    session.do("tx.select")
    node.open_gate()
    session.client.pump()
    session.publish("q")
    command_id = session.do("tx.commit")
    assert command_id not in session.completed
    node.open_gate()
    session.client.pump()
    assert command_id in session.completed


def test_rollback_forgets_publishes_and_accepts(node: MiniNode, session: ClientSession) -> None:
    session.subscribe("in")
    session.publish("q")
    session.do("message.accept", transfers=[(0, 10)])
    session.do("tx.rollback")
    session.do("tx.commit")
    assert node.broker.queues["q"].count == 0
    assert node.broker.queues["in"].count == 1
    session.do("message.release", transfers=[(0, 10)], set_redelivered=True)
    assert session.bodies == [b"job", b"job"]
    assert session.messages[1].redelivered


def test_released_after_accepted_is_released(node: MiniNode, session: ClientSession) -> None:
    session.subscribe("in", credit=1)
    session.do("message.accept", transfers=[(0, 10)])
    session.do("message.release", transfers=[(0, 10)])
    session.do("tx.commit")
    assert node.broker.queues["in"].available == 1


def test_the_end_of_the_session_is_a_rollback(node: MiniNode, session: ClientSession) -> None:
    session.subscribe("in")
    session.publish("q")
    session.do("message.accept", transfers=[(0, 10)])
    node.disconnect(session.client.end)
    assert node.broker.queues["q"].count == 0
    assert node.broker.queues["in"].available == 1


@pytest.mark.parametrize("command", ["tx.commit", "tx.rollback"])
def test_without_select_it_is_invalid(node: MiniNode, command: str) -> None:
    session = Client(node).attach()
    session.do(command)
    assert session.exception is not None
    assert session.exception.number("error_code") == 503


def test_a_missing_exchange_shows_at_the_transfer(session: ClientSession) -> None:
    session.publish("k", exchange="none")
    assert session.exception is not None
    assert session.exception.number("error_code") == 404


def test_an_exchange_deleted_before_commit_undoes_all(
    node: MiniNode, session: ClientSession
) -> None:
    admin = Client(node).attach()
    admin.do("exchange.declare", exchange="x", type="direct")
    session.publish("q")
    session.publish("k", exchange="x")
    admin.do("exchange.delete", exchange="x")
    session.do("tx.commit")
    assert session.exception is not None
    assert session.exception.number("error_code") == 404
    assert node.broker.queues["q"].count == 0


def test_a_transaction_is_bounded(session: ClientSession) -> None:
    half = bytes(publishing.TRANSACTION_BYTES_MAX // 8)
    for _ in range(8):
        session.publish("q", half)
    assert session.exception is not None
    assert session.exception.number("error_code") == 506


def test_a_full_queue_undoes_all_of_a_commit(node: MiniNode, session: ClientSession) -> None:
    admin = Client(node).attach()
    admin.do("queue.declare", queue="small", arguments={"qpid.max_count": 1})
    session.subscribe("in")
    session.do("message.accept", transfers=[(0, 10)])
    for key in ("q", "small", "small"):
        session.publish(key)
    records = len(node.records)
    commit = session.do("tx.commit")
    assert session.exception is not None
    assert session.exception.number("error_code") == 506
    assert session.exception.number("command_id") == commit
    assert len(node.records) == records
    queues = node.broker.queues
    assert [queues[name].count for name in ("q", "small", "in")] == [0, 0, 1]
    assert queues["in"].available == 1
