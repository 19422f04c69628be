"""Subscribing, credit, and settling what was delivered."""

from __future__ import annotations

import pytest
from session_peer import Client, ClientSession, MiniNode

from tanist.core.queue import Queue
from tanist.sessions.amqp010 import messages
from tanist.sessions.amqp010.state import BEHIND_FLUSH_MAX


@pytest.fixture(name="node")
def a_node() -> MiniNode:
    return MiniNode()


@pytest.fixture(name="session")
def a_session(node: MiniNode) -> ClientSession:
    session = Client(node).attach()
    session.do("queue.declare", queue="q")
    return session


def fill(session: ClientSession, count: int) -> Queue:
    for number in range(count):
        session.publish("q", str(number).encode())
    return session.client.node.broker.queues["q"]


def code(session: ClientSession) -> int:
    assert session.exception is not None
    return session.exception.number("error_code")


def test_accept_consumes_ranges(session: ClientSession) -> None:
    queue = fill(session, 5)
    session.subscribe("q")
    ids = [message.id for message in session.messages]
    session.do("message.accept", transfers=[(ids[0], ids[1]), (ids[3], ids[3])])
    assert [entry.message.body for entry in queue.entries()] == [b"2", b"4"]
    session.do("message.accept", transfers=[(0, 0x7FFFFFFF)])
    assert queue.count == 0
    session.do("message.accept", transfers=[(0, 0x7FFFFFFF)])
    assert session.exception is None


def test_accept_is_held_until_the_dequeue_is_safe() -> None:
    node = MiniNode(hold=True)
    session = Client(node).attach()
    session.do("queue.declare", queue="q")
    session.publish("q")
    session.subscribe("q")
    node.open_gate()
    session.client.pump()
    command_id = session.do("message.accept", transfers=[(0, 10)])
    assert node.broker.queues["q"].count == 0
    assert command_id not in session.completed
    node.open_gate()
    session.client.pump()
    assert command_id in session.completed


@pytest.mark.parametrize("flag", [False, True])
def test_release_puts_back_in_place(session: ClientSession, flag: bool) -> None:
    fill(session, 3)
    session.subscribe("q", "a", credit=2)
    ids = [message.id for message in session.messages]
    session.do("message.release", transfers=[(ids[0], ids[1])], set_redelivered=flag)
    session.subscribe("q", "b")
    again = session.messages[2:]
    assert [message.body for message in again] == [b"0", b"1", b"2"]
    assert [message.redelivered for message in again] == [flag, flag, False]


def test_reject_goes_to_the_alternate_exchange(node: MiniNode) -> None:
    session = Client(node).attach()
    session.do("queue.declare", queue="dead")
    session.do("exchange.bind", exchange="amq.fanout", queue="dead", binding_key="")
    session.do("queue.declare", queue="q", alternate_exchange="amq.fanout")
    session.publish("q", b"poison")
    session.subscribe("q")
    session.do("message.reject", transfers=[(session.messages[0].id,) * 2], code=0, text="no")
    assert node.broker.queues["q"].count == 0
    assert [e.message.body for e in node.broker.queues["dead"].entries()] == [b"poison"]


def test_acquire_takes_what_was_browsed_and_is_still_there(session: ClientSession) -> None:
    queue = fill(session, 3)
    session.subscribe("q", "browse", accept=1, acquire=1)
    ids = [message.id for message in session.messages]
    other = session.client.attach("other")
    other.subscribe("q", credit=1)
    result = session.ask("message.acquire", transfers=[(ids[0], ids[2])])
    assert result.ranges("transfers") == [(ids[1], ids[2])]
    assert queue.available == 0
    session.do("message.accept", transfers=[(ids[0], ids[1])])
    assert [entry.message.body for entry in queue.entries()] == [b"0", b"2"]
    session.do("message.release", transfers=[(ids[2], ids[2])])
    assert queue.available == 1


def test_credit_mode_spends_for_good(session: ClientSession) -> None:
    fill(session, 5)
    session.subscribe("q", credit=2)
    assert len(session.messages) == 2
    session.finish(session.messages[0].id, session.messages[1].id)
    assert len(session.messages) == 2
    session.do("message.flow", destination="d", unit=0, value=1)
    assert len(session.messages) == 3


def test_window_mode_moves_on_completion_not_on_accept(session: ClientSession) -> None:
    fill(session, 6)
    session.subscribe("q", window=True, credit=2)
    first, second = session.messages
    session.do("message.accept", transfers=[(first.id, second.id)])
    assert len(session.messages) == 2
    session.finish(first.id)
    assert len(session.messages) == 3
    session.finish(second.id, session.messages[2].id)
    assert session.bodies == [b"0", b"1", b"2", b"3", b"4"]


def test_window_mode_is_where_a_subscription_begins(session: ClientSession) -> None:
    fill(session, 3)
    session.tell("message.subscribe", queue="q", destination="d", accept_mode=0, acquire_mode=0)
    session.tell("message.flow", destination="d", unit=1, value=0xFFFFFFFF)
    session.do("message.flow", destination="d", unit=0, value=1)
    session.finish(session.messages[0].id)
    assert session.bodies == [b"0", b"1"]


def test_flush_delivers_all_before_it_completes(session: ClientSession) -> None:
    fill(session, 3)
    session.tell("message.subscribe", queue="q", destination="d", accept_mode=0, acquire_mode=0)
    session.tell("message.flow", destination="d", unit=1, value=0xFFFFFFFF)
    session.tell("message.flow", destination="d", unit=0, value=2)
    session.order.clear()
    session.do("message.flush", destination="d")
    assert session.order == ["transfer", "transfer", "completed"]
    session.publish("q")
    assert len(session.messages) == 2


def flushing(session: ClientSession, count: int = 3) -> int:
    """A flush that finds its connection full; its id."""
    fill(session, count)
    session.subscribe("q", credit=0)
    link = session.client.end.link
    assert link is not None
    session.client.node.steps.writable(link, False)
    session.tell("message.flow", destination="d", unit=0, value=0xFFFFFFFF)
    return session.do("message.flush", destination="d")


def drain(session: ClientSession) -> None:
    """The connection takes bytes again."""
    node, link = session.client.node, session.client.end.link
    assert link is not None
    node.begin()
    node.steps.writable(link, True)
    node.finish()
    session.client.pump()


def test_a_flush_on_a_full_connection_completes_when_all_is_out(session: ClientSession) -> None:
    flush = flushing(session)
    sync = session.do("execution.sync")
    stop = session.do("message.stop", destination="d")
    query = session.tell("queue.query", queue="q")
    session.client.pump()
    assert session.completed.isdisjoint({flush, sync, stop})
    assert query in session.completed
    session.order.clear()
    drain(session)
    assert session.order == ["transfer", "transfer", "transfer", "completed"]
    assert session.completed >= {flush, sync, stop}
    session.publish("q")
    assert len(session.messages) == 3


def test_what_waits_for_a_flush_waits_for_the_gate_too() -> None:
    node = MiniNode(hold=True)
    session = Client(node).attach()
    session.do("queue.declare", queue="q")
    node.open_gate()
    session.client.pump()
    flush = flushing(session)
    sync = session.do("execution.sync")
    drain(session)
    assert flush in session.completed
    assert sync not in session.completed
    node.open_gate()
    session.client.pump()
    assert sync in session.completed


def test_several_flushes_complete_together(session: ClientSession) -> None:
    flushes = {flushing(session)}
    flushes |= {session.do("message.flush", destination="d") for _ in range(3)}
    drain(session)
    assert session.completed >= flushes


@pytest.mark.parametrize("end", ["message.cancel", "queue.delete"])
def test_a_flush_ends_with_its_subscription(session: ClientSession, end: str) -> None:
    flush = flushing(session)
    if end == "message.cancel":
        session.do(end, destination="d")
        assert session.exception is None
    else:
        session.do(end, queue="q")
        assert code(session) == 408
    assert flush in session.completed


def test_unfinished_flushes_are_bounded(session: ClientSession) -> None:
    flushing(session)
    for _ in range(messages.FLUSHES_MAX):
        session.tell("message.flush", destination="d")
    session.client.pump()
    assert code(session) == 506


def test_what_waits_for_a_flush_is_bounded(session: ClientSession) -> None:
    flushing(session)
    for _ in range(BEHIND_FLUSH_MAX + 1):
        session.tell("execution.sync")
        session.tell("queue.query", queue="q")
    session.client.pump()
    assert code(session) == 506


def test_stop_ends_the_flow(session: ClientSession) -> None:
    session.subscribe("q", credit=10)
    session.do("message.stop", destination="d")
    fill(session, 1)
    assert session.messages == []


def test_cancel_leaves_deliveries_with_the_session(session: ClientSession) -> None:
    queue = fill(session, 2)
    session.subscribe("q")
    session.do("message.cancel", destination="d")
    assert queue.available == 0
    session.do("message.release", transfers=[(0, 100)], set_redelivered=True)
    assert queue.available == 2
    session.subscribe("q")
    assert session.messages[-1].redelivered


def test_a_destination_is_unique(session: ClientSession) -> None:
    session.subscribe("q")
    session.subscribe("q")
    assert code(session) == 530


@pytest.mark.parametrize("command", ["cancel", "flow", "flush", "stop", "set-flow-mode"])
def test_an_unknown_destination_is_not_found(session: ClientSession, command: str) -> None:
    more = {"flow": {"unit": 0, "value": 1}, "set-flow-mode": {"flow_mode": 1}}.get(command, {})
    session.do(f"message.{command}", destination="nowhere", **more)
    assert code(session) == 404


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"queue": "none"}, 404),
        ({"accept_mode": 9}, 531),
        ({"acquire_mode": 9}, 531),
    ],
)
def test_bad_subscriptions(
    session: ClientSession, fields: dict[str, object], expected: int
) -> None:
    session.do("message.subscribe", **{"queue": "q", "destination": "d", **fields})
    assert code(session) == expected


def test_an_exclusive_subscription_locks_the_queue(node: MiniNode, session: ClientSession) -> None:
    session.subscribe("q", exclusive=True)
    other = Client(node).attach()
    other.subscribe("q")
    assert code(other) == 405


def test_a_bad_flow_mode(session: ClientSession) -> None:
    session.subscribe("q")
    session.do("message.set-flow-mode", destination="d", flow_mode=7)
    assert code(session) == 531
